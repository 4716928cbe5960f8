/* poller accept: a thread that waits for connections with accept() itself. */
#include <errno.h>
#include <sys/socket.h>

#include "clock.h"
#include "fd_table.h"
#include "hot.h"
#include "poller_parts.h"
#include "real.h"
#include "signals.h"
#include "socket_options.h"

/* SO_RCVTIMEO, which bounds accept(); zero: none. */
static struct timespec limit_of(int fd) {
    struct timeval limit = {0};
    socklen_t length = sizeof limit;
    real.getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &length);
    return (struct timespec){limit.tv_sec, limit.tv_usec * 1000};
}

/* As long as `left` says, without limit if `is_limited` is false. False with errno: accept fails;
 * without a time limit not where every handler has SA_RESTART. */
static bool wait_for_one(int fd, bool is_limited, struct timespec left) {
    struct pollfd list = {.fd = fd, .events = POLLIN};
    struct poll_call wait = {
        .list = &list, .count = 1, .has_timeout = is_limited, .timeout = left, .is_accept = true};
    int count = poller_poll(&wait);
    if (count == 0)
        errno = EAGAIN;
    return count > 0 || (count < 0 && errno == EINTR && !is_limited && !signals_any_interrupts());
}

/*
 * Asked before it sleeps: while other threads close and open, the flags may have been those of
 * something else that had the number for a moment. One socket has it before and after, so they are
 * its own.
 */
static bool blocks_itself(const struct shard *own, int fd) {
    uint64_t cookie = 0;
    return socket_is_still(fd, &cookie) && set_blocks(own->set, own->number, fd) &&
           socket_is_still(fd, &cookie);
}

static int accept_or_wait(const struct shard *own, struct accept_call *call) {
    struct timespec limit = {0};
    struct timespec end = {0};
    bool is_first = true;
    bool is_limited = false;
    int fd;
    while ((fd = watch_accept(own, call)) < 0 && errno == EAGAIN) {
        call->empty_home = 0; /* it may have been filled since */
        if (is_first) {
            if (!blocks_itself(own, call->fd)) {
                errno = EAGAIN;
                return -1;
            }
            limit = limit_of(call->fd);
            is_limited = clock_is_positive(limit);
            end = clock_plus(clock_now(), limit, 1);
            is_first = false;
        }
        struct timespec left = is_limited ? clock_plus(end, clock_now(), -1) : limit;
        if (is_limited && !clock_is_positive(left))
            break;
        if (!wait_for_one(call->fd, is_limited, left))
            return -1;
    }
    return fd;
}

/* The server's own sockets that block are left to the kernel, each to its own worker. */
static bool is_for_kernel(const struct shard *own, const struct accept_call *call) {
    return own->set->is_servers && call->blocks;
}

/* Asked once, as the kernel does; meanwhile the number may become something else's. */
HOT static bool blocks_now(const struct shard *own, int fd) {
    return set_blocks(own->set, own->number, fd) && fd_kind_of(fd_entry(fd)) == FD_LISTENER;
}

HOT int poller_accept(const struct shard *own, struct accept_call *call) {
    if (own->set->count == 1)
        return watch_accept(own, call);
    int fd = watch_accept_usual(own, call);
    if (LIKELY(fd != NOT_USUAL))
        return fd;
    call->blocks = blocks_now(own, call->fd);
    if (is_for_kernel(own, call)) {
        watch_accepts(own);
        return watch_accept_unseen(own, call, true);
    }
    if (call->blocks)
        return accept_or_wait(own, call);
    fd = watch_accept(own, call);
    if (fd >= 0 || errno != EAGAIN || !set_blocks_really(own->set, own->number, call->fd))
        return fd;
    call->blocks = true; /* the shared memory said otherwise, which anybody may have written */
    call->empty_home = 0;
    return accept_or_wait(own, call);
}
