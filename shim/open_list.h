/* open list: which of this process's lowest descriptors are open. */
#ifndef UNHERD_OPEN_LIST_H
#define UNHERD_OPEN_LIST_H

#include <poll.h>

/*
 * Looks at `first` and the numbers after it, `count` of them or as many as RLIMIT_NOFILE allows,
 * with one system call. Fills list[], where open_list_has() then says which are open; returns how
 * many were looked at.
 */
nfds_t open_list(struct pollfd *list, nfds_t count, int first);

static inline int open_list_has(const struct pollfd *entry) {
    return !(entry->revents & POLLNVAL);
}

#endif
