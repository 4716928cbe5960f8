/*
 * The table of hooked calls. One row makes: the member of `real` (the next definition, found
 * through libdl), the stub that finds it when somebody calls before our constructor ran, the
 * exported symbol (the linker's version script is generated from here), and the test of exported
 * symbols.
 *
 *   CALL(result, name, parameters, arguments)   an ordinary call
 *   NIL(name, parameters, arguments)            one that returns nothing
 *   VAR(result, name, selector)                 a variadic one: (int, selector, ...), one word
 * follows
 *
 * First those that a connection needs: their members of `real` lie on one cache line.
 *
 * To hook another call: one row here, one function in the hook_*.c of its family, one test.
 */
#ifndef UNHERD_CALLS_H
#define UNHERD_CALLS_H

#define UNHERD_CALLS(CALL, NIL, VAR)                                                               \
    CALL(int, accept4, (int fd, struct sockaddr *address, socklen_t *length, int flags),           \
         (fd, address, length, flags))                                                             \
    CALL(int, accept, (int fd, struct sockaddr *address, socklen_t *length),                       \
         (fd, address, length))                                                                    \
    CALL(int, epoll_wait, (int epfd, struct epoll_event *events, int most, int timeout),           \
         (epfd, events, most, timeout))                                                            \
    CALL(int, epoll_ctl, (int epfd, int op, int fd, struct epoll_event *event),                    \
         (epfd, op, fd, event))                                                                    \
    CALL(int, close, (int fd), (fd))                                                               \
    CALL(int, poll, (struct pollfd * list, nfds_t count, int timeout), (list, count, timeout))     \
    CALL(int, select,                                                                              \
         (int count, fd_set *readable, fd_set *writable, fd_set *except, struct timeval *timeout), \
         (count, readable, writable, except, timeout))                                             \
    VAR(int, fcntl, int)                                                                           \
    CALL(int, bind, (int fd, const struct sockaddr *address, socklen_t length),                    \
         (fd, address, length))                                                                    \
    CALL(int, listen, (int fd, int backlog), (fd, backlog))                                        \
    CALL(int, shutdown, (int fd, int how), (fd, how))                                              \
    CALL(int, connect, (int fd, const struct sockaddr *address, socklen_t length),                 \
         (fd, address, length))                                                                    \
    CALL(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *length),           \
         (fd, level, name, value, length))                                                         \
    CALL(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t length),      \
         (fd, level, name, value, length))                                                         \
    CALL(int, getsockname, (int fd, struct sockaddr *address, socklen_t *length),                  \
         (fd, address, length))                                                                    \
    CALL(int, getpeername, (int fd, struct sockaddr *address, socklen_t *length),                  \
         (fd, address, length))                                                                    \
    CALL(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags),                      \
         (fd, message, flags))                                                                     \
    CALL(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned count, message_flags flags),   \
         (fd, messages, count, flags))                                                             \
    CALL(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))      \
    CALL(int, recvmmsg,                                                                            \
         (int fd, struct mmsghdr *messages, unsigned count, message_flags flags,                   \
          struct timespec *timeout),                                                               \
         (fd, messages, count, flags, timeout))                                                    \
    CALL(int, epoll_create, (int size), (size))                                                    \
    CALL(int, epoll_create1, (int flags), (flags))                                                 \
    CALL(int, epoll_pwait,                                                                         \
         (int epfd, struct epoll_event *events, int most, int timeout, const sigset_t *mask),      \
         (epfd, events, most, timeout, mask))                                                      \
    CALL(int, epoll_pwait2,                                                                        \
         (int epfd, struct epoll_event *events, int most, const struct timespec *timeout,          \
          const sigset_t *mask),                                                                   \
         (epfd, events, most, timeout, mask))                                                      \
    CALL(int, ppoll,                                                                               \
         (struct pollfd * list, nfds_t count, const struct timespec *timeout,                      \
          const sigset_t *mask),                                                                   \
         (list, count, timeout, mask))                                                             \
    CALL(int, __poll_chk, (struct pollfd * list, nfds_t count, int timeout, size_t room),          \
         (list, count, timeout, room))                                                             \
    CALL(int, __ppoll_chk,                                                                         \
         (struct pollfd * list, nfds_t count, const struct timespec *timeout,                      \
          const sigset_t *mask, size_t room),                                                      \
         (list, count, timeout, mask, room))                                                       \
    CALL(int, pselect,                                                                             \
         (int count, fd_set *readable, fd_set *writable, fd_set *except,                           \
          const struct timespec *timeout, const sigset_t *mask),                                   \
         (count, readable, writable, except, timeout, mask))                                       \
    CALL(int, close_range, (unsigned first, unsigned last, int flags), (first, last, flags))       \
    NIL(closefrom, (int first), (first))                                                           \
    CALL(int, dup, (int fd), (fd))                                                                 \
    CALL(int, dup2, (int fd, int target), (fd, target))                                            \
    CALL(int, dup3, (int fd, int target, int flags), (fd, target, flags))                          \
    VAR(int, fcntl64, int)                                                                         \
    VAR(int, ioctl, ioctl_request)                                                                 \
    CALL(int, execve, (const char *path, char *const *words, char *const *environment),            \
         (path, words, environment))                                                               \
    CALL(int, execv, (const char *path, char *const *words), (path, words))                        \
    CALL(int, execvp, (const char *file, char *const *words), (file, words))                       \
    CALL(int, execvpe, (const char *file, char *const *words, char *const *environment),           \
         (file, words, environment))                                                               \
    CALL(int, execl, (const char *path, const char *word), (path, word))                           \
    CALL(int, execle, (const char *path, const char *word), (path, word))                          \
    CALL(int, execlp, (const char *file, const char *word), (file, word))                          \
    CALL(int, fexecve, (int fd, char *const *words, char *const *environment),                     \
         (fd, words, environment))                                                                 \
    CALL(int, execveat,                                                                            \
         (int fd, const char *path, char *const *words, char *const *environment, int flags),      \
         (fd, path, words, environment, flags))                                                    \
    CALL(int, posix_spawn,                                                                         \
         (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,                \
          const posix_spawnattr_t *attributes, char *const *words, char *const *environment),      \
         (pid, path, actions, attributes, words, environment))                                     \
    CALL(int, posix_spawnp,                                                                        \
         (pid_t * pid, const char *file, const posix_spawn_file_actions_t *actions,                \
          const posix_spawnattr_t *attributes, char *const *words, char *const *environment),      \
         (pid, file, actions, attributes, words, environment))                                     \
    CALL(long, syscall, (long number, long a, long b, long c, long d, long e, long f),             \
         (number, a, b, c, d, e, f))                                                               \
    CALL(int, prctl,                                                                               \
         (int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d),         \
         (option, a, b, c, d))                                                                     \
    CALL(int, setrlimit, (limit_name resource, const struct rlimit *limit), (resource, limit))     \
    CALL(int, setrlimit64, (limit_name resource, const struct rlimit64 *limit), (resource, limit)) \
    CALL(int, prlimit,                                                                             \
         (pid_t pid, limit_name resource, const struct rlimit *limit, struct rlimit *old),         \
         (pid, resource, limit, old))                                                              \
    CALL(int, prlimit64,                                                                           \
         (pid_t pid, limit_name resource, const struct rlimit64 *limit, struct rlimit64 *old),     \
         (pid, resource, limit, old))                                                              \
    CALL(int, sigaction, (int number, const struct sigaction *action, struct sigaction *before),   \
         (number, action, before))                                                                 \
    CALL(signal_handler, signal, (int number, signal_handler handler), (number, handler))          \
    CALL(signal_handler, bsd_signal, (int number, signal_handler handler), (number, handler))      \
    CALL(signal_handler, sysv_signal, (int number, signal_handler handler), (number, handler))     \
    CALL(signal_handler, __sysv_signal, (int number, signal_handler handler), (number, handler))   \
    CALL(signal_handler, sigset, (int number, signal_handler handler), (number, handler))          \
    CALL(int, siginterrupt, (int number, int interrupts), (number, interrupts))

#endif
