/* The epoll family. */
#include "hook.h"

#include "clock.h"
#include "hot.h"
#include "listener.h"
#include "local.h"
#include "watch.h"

static int milliseconds_of(const struct wait_call *call) {
    return call->has_timeout ? clock_milliseconds(call->timeout) : -1;
}

HOT static int real_epoll_wait(const struct wait_call *call) {
    return real.epoll_wait(call->epfd, call->events, call->most, milliseconds_of(call));
}

static int real_epoll_pwait(const struct wait_call *call) {
    return real.epoll_pwait(call->epfd, call->events, call->most, milliseconds_of(call),
                            call->mask);
}

static int real_epoll_pwait2(const struct wait_call *call) {
    return real.epoll_pwait2(call->epfd, call->events, call->most,
                             call->has_timeout ? &call->timeout : NULL, call->mask);
}

/* A hidden number was answered before; an instance whose number was closed behind our back is not
 * known. */
HOT static int wait_on(unsigned entry, struct wait_call *call) {
    if (LIKELY(fd_kind_of(entry) == FD_INSTANCE))
        return watch_wait(fd_index_of(entry), call);
    return call->wait(call);
}

HOT HOOK int epoll_wait(int epfd, struct epoll_event *events, int most, int timeout) {
    unsigned entry = fd_entry(epfd);
    if (LIKELY(entry == FD_OTHER))
        return real.epoll_wait(epfd, events, most, timeout);
    if (fd_kind_of(entry) == FD_HIDDEN)
        return bad_descriptor();
    return wait_on(entry, &(struct wait_call){real_epoll_wait, epfd, events, most, timeout >= 0,
                                              clock_of_milliseconds(timeout), NULL});
}

HOOK int epoll_pwait(int epfd, struct epoll_event *events, int most, int timeout,
                     const sigset_t *mask) {
    unsigned entry = fd_entry(epfd);
    if (LIKELY(entry == FD_OTHER))
        return real.epoll_pwait(epfd, events, most, timeout, mask);
    if (fd_kind_of(entry) == FD_HIDDEN)
        return bad_descriptor();
    return wait_on(entry, &(struct wait_call){real_epoll_pwait, epfd, events, most, timeout >= 0,
                                              clock_of_milliseconds(timeout), mask});
}

HOOK int epoll_pwait2(int epfd, struct epoll_event *events, int most,
                      const struct timespec *timeout, const sigset_t *mask) {
    unsigned entry = fd_entry(epfd);
    if (LIKELY(entry == FD_OTHER))
        return real.epoll_pwait2(epfd, events, most, timeout, mask);
    if (fd_kind_of(entry) == FD_HIDDEN)
        return bad_descriptor();
    if (timeout && !is_address(timeout))
        return real.epoll_pwait2(epfd, events, most, timeout, mask);
    return wait_on(entry,
                   &(struct wait_call){real_epoll_pwait2, epfd, events, most, timeout != NULL,
                                       timeout ? *timeout : (struct timespec){0}, mask});
}

HOT HOOK int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event) {
    unsigned entry = fd_entry(fd);
    if (fd_kind_of(entry) == FD_HIDDEN || fd_kind_of(fd_entry(epfd)) == FD_HIDDEN)
        return bad_descriptor();
    if (LIKELY(entry == FD_OTHER))
        return real.epoll_ctl(epfd, op, fd, event);
    bool is_readable = op == EPOLL_CTL_DEL || is_address(event);
    if (fd_kind_of(entry) != FD_LISTENER || !is_readable || !listener_is_real(fd))
        return real.epoll_ctl(epfd, op, fd, event);
    return watch_ctl(epfd, op, fd, &listener_at(fd_index_of(entry))->shard, event);
}

/* A new instance may get the number of one that was closed behind our back. */
static int fresh(int epfd) {
    unsigned entry = epfd >= 0 ? fd_entry(epfd) : FD_OTHER;
    if (fd_kind_of(entry) == FD_INSTANCE && !local_is_borrowed()) {
        fd_clear(epfd);
        watch_instance_closing(fd_index_of(entry), epfd);
    }
    return epfd;
}

HOOK int epoll_create(int size) {
    return fresh(real.epoll_create(size));
}

HOOK int epoll_create1(int flags) {
    return fresh(real.epoll_create1(flags));
}
