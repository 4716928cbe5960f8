/* watch lab: waits and accepts of a worker, for the unit tests that go through watch.h. */
#ifndef UNIT_WATCH_LAB_H
#define UNIT_WATCH_LAB_H

#include <sys/epoll.h>

#include "fd_table.h"
#include "lab.h"
#include "watch.h"

static inline int kernel_wait(const struct wait_call *call) {
    long long timeout = call->has_timeout ? call->timeout.tv_sec * 1000LL +
                                                (call->timeout.tv_nsec + 999999) / 1000000
                                          : -1;
    return epoll_wait(call->epfd, call->events, call->most, (int)timeout);
}

/* timeout in milliseconds; negative: none. */
static inline int wait_on(int epfd, struct epoll_event *events, int most, int timeout) {
    struct wait_call call = {kernel_wait, epfd, events, most, timeout >= 0, {0}, NULL};
    call.timeout = (struct timespec){timeout / 1000, timeout % 1000 * 1000000L};
    return watch_wait(fd_index_of(fd_entry(epfd)), &call);
}

static inline int kernel_accept(int fd, const struct accept_call *call) {
    return accept4(fd, call->address, call->length, call->flags);
}

static inline int accept_on(const struct shard *own, int fd) {
    struct accept_call call = {kernel_accept, fd, NULL, NULL, 0, false, 0};
    int taken = own->set->count > 1 ? watch_accept_usual(own, &call) : NOT_USUAL;
    return taken == NOT_USUAL ? watch_accept(own, &call) : taken;
}

static inline void close_instance(int epfd) {
    unsigned entry = fd_entry(epfd);
    fd_clear(epfd);
    if (fd_kind_of(entry) == FD_INSTANCE)
        watch_instance_closing(fd_index_of(entry), epfd);
    close(epfd);
}

#endif
