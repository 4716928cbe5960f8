/*
 * syscall(): libuv, and what is built on it, closes and accepts by number. What concerns a
 * descriptor of ours is the named call's; all else goes on untouched, with all six words.
 *
 * But for io_uring_setup. What goes through a ring is seen by nobody: a listener that is added to
 * an epoll instance, or accepted from, in a ring is left as it is without us. libuv, where the
 * environment tells it to send its epoll_ctl that way, is told that this kernel has no rings; it
 * has another way. Who means a ring for other work has it.
 */
#include "hook.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "listener.h"
#include "local.h"
#include "log.h"

/* The words that name descriptors in a call of that number; none: it is not hooked. */
enum words { NONE, FIRST, FIRST_TWO, FIRST_AND_THIRD, ALWAYS };

static enum words words_of(long number) {
    switch (number) {
    case SYS_close:
    case SYS_bind:
    case SYS_listen:
    case SYS_accept:
    case SYS_accept4:
    case SYS_shutdown:
    case SYS_connect:
    case SYS_getsockopt:
    case SYS_setsockopt:
    case SYS_getsockname:
    case SYS_getpeername:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
    case SYS_dup:
    case SYS_fcntl:
    case SYS_ioctl:
        return FIRST;
    case SYS_dup3:
        return FIRST_TWO;
    case SYS_epoll_ctl:
        return FIRST_AND_THIRD;
    case SYS_close_range:
    case SYS_epoll_create1:
    case SYS_io_uring_setup:
    case SYS_prctl:
    case SYS_prlimit64:
    case SYS_seccomp:
    case SYS_sendmsg:
    case SYS_sendmmsg:
    case SYS_recvmsg:
    case SYS_recvmmsg:
        return ALWAYS;
#ifdef SYS_epoll_wait /* newer architectures have none of the older calls */
    case SYS_epoll_wait:
        return FIRST;
    case SYS_dup2:
        return FIRST_TWO;
    case SYS_epoll_create:
        return ALWAYS;
#endif
#ifdef SYS_setrlimit
    case SYS_setrlimit:
        return ALWAYS;
#endif
    default:
        return NONE;
    }
}

static bool is_ours(long number, const long *word) {
    enum words which = words_of(number);
    if (which == NONE || which == ALWAYS)
        return which == ALWAYS;
    unsigned entries = fd_entry((int)word[0]);
    if (which == FIRST_TWO)
        entries |= fd_entry((int)word[1]);
    if (which == FIRST_AND_THIRD)
        entries |= fd_entry((int)word[2]);
    return number == SYS_listen || entries != FD_OTHER;
}

/* A word that is a pointer. */
#define AT(i) ((void *)word[i])

static long call_socket(long number, const long *word) {
    int fd = (int)word[0];
    switch (number) {
    case SYS_bind:
        return bind(fd, AT(1), (socklen_t)word[2]);
    case SYS_listen:
        return listen(fd, (int)word[1]);
    case SYS_accept:
        return accept(fd, AT(1), AT(2));
    case SYS_accept4:
        return accept4(fd, AT(1), AT(2), (int)word[3]);
    case SYS_shutdown:
        return shutdown(fd, (int)word[1]);
    case SYS_connect:
        return connect(fd, AT(1), (socklen_t)word[2]);
    case SYS_getsockopt:
        return getsockopt(fd, (int)word[1], (int)word[2], AT(3), AT(4));
    case SYS_setsockopt:
        return setsockopt(fd, (int)word[1], (int)word[2], AT(3), (socklen_t)word[4]);
    case SYS_getsockname:
        return getsockname(fd, AT(1), AT(2));
    default:
        return getpeername(fd, AT(1), AT(2));
    }
}

static long call_epoll(long number, const long *word) {
    int epfd = (int)word[0];
    switch (number) {
    case SYS_epoll_create1:
        return epoll_create1(epfd);
    case SYS_epoll_ctl:
        return epoll_ctl(epfd, (int)word[1], (int)word[2], AT(3));
    case SYS_epoll_pwait:
        return epoll_pwait(epfd, AT(1), (int)word[2], (int)word[3], AT(4));
    case SYS_epoll_pwait2:
        return epoll_pwait2(epfd, AT(1), (int)word[2], AT(3), AT(4));
#ifdef SYS_epoll_wait
    case SYS_epoll_create:
        return epoll_create(epfd);
    case SYS_epoll_wait:
        return epoll_wait(epfd, AT(1), (int)word[2], (int)word[3]);
#endif
    default:
        return call_socket(number, word);
    }
}

/* As libuv reads it, at the same moment. */
static bool is_libuvs(void) {
    const char *asked = getenv("UV_USE_IO_URING");
    return asked && asked[0] && strcmp(asked, "0") != 0;
}

static long set_up_ring(const long *word) {
    static atomic_bool said;
    bool is_refused = listener_is_wanted() && is_libuvs();
    if (listener_is_wanted() && !atomic_exchange(&said, true))
        log_line(LOG_WARN, is_refused ? "io_uring is refused, as UV_USE_IO_URING would have it "
                                        "hide listeners"
                                      : "io_uring: a listener used through it is left alone");
    if (!is_refused)
        return real.syscall(SYS_io_uring_setup, word[0], word[1], word[2], word[3], word[4],
                            word[5]);
    errno = ENOSYS;
    return -1;
}

static int send_by_number(int fd, struct mmsghdr *messages, unsigned count, message_flags flags) {
    return (int)real.syscall(SYS_sendmmsg, fd, (long)messages, count, (long)flags, 0, 0);
}

static long call_message(long number, const long *word) {
    int fd = (int)word[0];
    switch (number) {
    case SYS_sendmsg:
        return sendmsg(fd, AT(1), (int)word[2]);
    case SYS_sendmmsg:
        return hook_send_messages(fd, AT(1), (unsigned)word[2], (message_flags)word[3],
                                  send_by_number);
    case SYS_recvmsg:
        return recvmsg(fd, AT(1), (int)word[2]);
    case SYS_recvmmsg:
        return recvmmsg(fd, AT(1), (unsigned)word[2], (message_flags)word[3], AT(4));
    default:
        return call_epoll(number, word);
    }
}

static long call_ours(long number, const long *word) {
    int fd = (int)word[0];
    switch (number) {
    case SYS_io_uring_setup:
        return set_up_ring(word);
    case SYS_close:
        return close(fd);
    case SYS_close_range:
        return close_range((unsigned)word[0], (unsigned)word[1], (int)word[2]);
    case SYS_dup:
        return dup(fd);
    case SYS_dup3:
        return dup3(fd, (int)word[1], (int)word[2]);
    case SYS_fcntl:
        return fcntl(fd, (int)word[1], word[2]);
    case SYS_ioctl:
        return ioctl(fd, (ioctl_request)word[1], word[2]);
    case SYS_prctl:
        return prctl(fd, word[1], word[2], word[3], word[4]);
    case SYS_seccomp:
        local_confine();
        return real.syscall(SYS_seccomp, word[0], word[1], word[2], 0, 0, 0);
    case SYS_prlimit64:
        return prlimit64((pid_t)word[0], (limit_name)word[1], AT(2), AT(3));
#ifdef SYS_epoll_wait
    case SYS_dup2:
        return dup2(fd, (int)word[1]);
#endif
#ifdef SYS_setrlimit
    case SYS_setrlimit:
        return setrlimit((limit_name)word[0], AT(1));
#endif
    default:
        return call_message(number, word);
    }
}

/* It reads six words, however many were given; more than those, what is there is harmless. */
__attribute__((no_sanitize("address"))) HOOK long syscall(long number, ...) {
    long word[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        word[i] = va_arg(list, long);
    va_end(list);
    if (LIKELY(!is_ours(number, word)))
        return real.syscall(number, word[0], word[1], word[2], word[3], word[4], word[5]);
    return call_ours(number, word);
}
