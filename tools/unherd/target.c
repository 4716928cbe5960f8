#include "target.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "listening.h"
#include "process.h"

enum { PORT_MOST = 65535, PID_MOST = 1 << 22 };

static bool is_number(const char *text, unsigned long most, unsigned long *number) {
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *number = strtoul(text, &end, 10);
    return !*end && !errno && *number > 0 && *number <= most;
}

static bool is_listened_on(unsigned port) {
    struct listening_list list;
    bool found = false;
    if (!listening_read(&list, getpid()))
        return false;
    for (size_t i = 0; i < list.count; i++)
        found |= list.item[i].port == port;
    listening_free(&list);
    return found;
}

/* A bare number may be both. */
static enum target_meaning read_number(struct target *target, unsigned long number,
                                       const struct command *command) {
    struct process process;
    bool is_port = number <= PORT_MOST && is_listened_on((unsigned)number);
    bool is_process = process_read(&process, (pid_t)number);
    if (is_port && is_process)
        complain(command, "%lu is a port and a process: say :%lu or pid:%lu", number, number,
                 number);
    if (!is_port && !is_process)
        complain(command, "%lu: nobody listens on such a port, and there is no such process",
                 number);
    if (is_port == is_process)
        return TARGET_BAD;
    if (is_port)
        target->port = (unsigned)number;
    else
        target->pid = (pid_t)number;
    return TARGET_GOOD;
}

enum target_meaning target_read(struct target *target, const char *text,
                                const struct command *command) {
    unsigned long number;
    *target = (struct target){0};
    if (is_number(text, PID_MOST, &number))
        return read_number(target, number, command);
    if (*text == ':' && is_number(text + 1, PORT_MOST, &number))
        target->port = (unsigned)number;
    else if (!strncmp(text, "pid:", 4) && is_number(text + 4, PID_MOST, &number))
        target->pid = (pid_t)number;
    else if (!strncmp(text, "unix:", 5) || (strchr(text, ':') && !strchr(text, '/')))
        target->address = text;
    else
        return TARGET_NEITHER;
    return TARGET_GOOD;
}

bool target_take(struct target *target, char **words, const struct command *command) {
    if (!*words)
        return true;
    if (words[1]) {
        complain(command, "one process, port or address at a time");
        return false;
    }
    enum target_meaning meaning = target_read(target, *words, command);
    if (meaning == TARGET_NEITHER)
        complain(command, "%s: neither a process nor a port nor an address", *words);
    return meaning == TARGET_GOOD;
}
