/* target: what of the machine a question is about: a port, a process, one address, or everything.
 */
#ifndef UNHERD_TARGET_H
#define UNHERD_TARGET_H

#include <stdbool.h>
#include <sys/types.h>

#include "command.h"

struct target {
    unsigned port;       /* 0: any */
    pid_t pid;           /* and all that descends from it; 0: any */
    const char *address; /* as the tool prints it; NULL: any */
};

enum target_meaning {
    TARGET_GOOD,
    TARGET_NEITHER, /* no number and no address: perhaps a program's name */
    TARGET_BAD      /* and it has been said why */
};

/* "80" (a port or a process, whichever there is), ":80", "pid:1234", "127.0.0.1:80", "[::1]:80",
 * "unix:/path". */
enum target_meaning target_read(struct target *target, const char *text,
                                const struct command *command);

/* Of a command's last words, which may name one; none leaves it as it is. False, and said why. */
bool target_take(struct target *target, char **words, const struct command *command);

#endif
