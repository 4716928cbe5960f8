#include "inherit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "listener.h"
#include "open_list.h"

enum {
    FIRST = 3,         /* below are the standard streams */
    EXAMINED_END = 256 /* what is handed over has low numbers */
};

static long number_in(char *const *environment, const char *name) {
    size_t length = strlen(name);
    for (; *environment; environment++)
        if (!strncmp(*environment, name, length) && (*environment)[length] == '=')
            return strtol(*environment + length + 1, NULL, 10);
    return -1;
}

/* systemd's sockets are this process's own, if they are meant for it (sd_listen_fds(3)). */
static int end_of_inheritance(char *const *environment) {
    long count = number_in(environment, "LISTEN_FDS");
    if (count < 1 || count > EXAMINED_END || number_in(environment, "LISTEN_PID") != getpid())
        return FIRST;
    return FIRST + (int)count;
}

void inherit_start(char *const *environment) {
    struct pollfd list[EXAMINED_END - FIRST];
    if (!environment)
        return;
    nfds_t count = open_list(list, EXAMINED_END - FIRST, FIRST);
    int heir_end = end_of_inheritance(environment);
    for (nfds_t i = 0; i < count; i++)
        if (open_list_has(&list[i]))
            listener_found(list[i].fd, list[i].fd < heir_end);
}
