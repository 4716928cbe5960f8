/* musl: what these programs call that musl lacks. */
#ifndef LAB_MUSL_H
#define LAB_MUSL_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static inline const char *strerrorname_np(int number) {
    return number == EADDRINUSE ? "EADDRINUSE" : strerror(number);
}

#define fcntl64 fcntl

static inline int close_range(unsigned first, unsigned last, int flags) {
    return (int)syscall(SYS_close_range, first, last, flags);
}

static inline void closefrom(int first) {
    close_range((unsigned)first, ~0U, 0);
}

static inline int epoll_pwait2(int epfd, struct epoll_event *events, int most,
                               const struct timespec *timeout, const sigset_t *mask) {
    return (int)syscall(SYS_epoll_pwait2, epfd, events, most, timeout, mask, _NSIG / 8);
}

#endif
