#include "real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>

/* What a call that this libc does not have does. */
#define MISSING_CALL(result, name, parameters, arguments)                                          \
    static result missing_##name parameters {                                                      \
        errno = ENOSYS;                                                                            \
        return (result)-1;                                                                         \
    }
#define MISSING_NIL(name, parameters, arguments)                                                   \
    static void missing_##name parameters {                                                        \
    }
#define MISSING_VAR(result, name, selector)                                                        \
    static result missing_##name(int fd, selector which, ...) {                                    \
        errno = ENOSYS;                                                                            \
        return (result)-1;                                                                         \
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
UNHERD_CALLS(MISSING_CALL, MISSING_NIL, MISSING_VAR)
#pragma GCC diagnostic pop

/* What a call does that comes before real_find(): find all of them, and go on to the right one. */
#define EARLY_CALL(result, name, parameters, arguments)                                            \
    static result early_##name parameters {                                                        \
        real_find();                                                                               \
        return real.name arguments;                                                                \
    }
#define EARLY_NIL(name, parameters, arguments)                                                     \
    static void early_##name parameters {                                                          \
        real_find();                                                                               \
        real.name arguments;                                                                       \
    }
#define EARLY_VAR(result, name, selector)                                                          \
    static result early_##name(int fd, selector which, ...) {                                      \
        va_list list;                                                                              \
        va_start(list, which);                                                                     \
        void *word = va_arg(list, void *);                                                         \
        va_end(list);                                                                              \
        real_find();                                                                               \
        return real.name(fd, which, word);                                                         \
    }
UNHERD_CALLS(EARLY_CALL, EARLY_NIL, EARLY_VAR)

_Alignas(64) struct real_calls real = {
#define START_CALL(result, name, parameters, arguments) .name = early_##name,
#define START_NIL(name, parameters, arguments) .name = early_##name,
#define START_VAR(result, name, selector) .name = early_##name,
    UNHERD_CALLS(START_CALL, START_NIL, START_VAR)};

/* dlsym returns an object pointer; POSIX promises that it holds a function's address too. */
#define FIND(name)                                                                                 \
    do {                                                                                           \
        void *found = dlsym(RTLD_NEXT, #name);                                                     \
        __typeof__(real.name) call = missing_##name;                                               \
        if (found)                                                                                 \
            __builtin_memcpy(&call, &found, sizeof call);                                          \
        real.name = call;                                                                          \
    } while (0);

/*
 * Calls that the kernel may know although this libc does not (musl; glibc before 2.35): a program
 * then makes them through syscall(), which is hooked, and must not find ENOSYS because of us.
 */
static int numbered_close_range(unsigned first, unsigned last, int flags) {
    return (int)real.syscall(SYS_close_range, first, last, flags, 0, 0, 0);
}

static int numbered_epoll_pwait2(int epfd, struct epoll_event *events, int most,
                                 const struct timespec *timeout, const sigset_t *mask) {
    return (int)real.syscall(SYS_epoll_pwait2, epfd, (long)events, most, (long)timeout, (long)mask,
                             _NSIG / 8);
}

static void find_by_number(void) {
    if (real.close_range == missing_close_range)
        real.close_range = numbered_close_range;
    if (real.epoll_pwait2 == missing_epoll_pwait2)
        real.epoll_pwait2 = numbered_epoll_pwait2;
}

void real_find(void) {
    int saved = errno;
#define FIND_CALL(result, name, parameters, arguments) FIND(name)
#define FIND_NIL(name, parameters, arguments) FIND(name)
#define FIND_VAR(result, name, selector) FIND(name)
    UNHERD_CALLS(FIND_CALL, FIND_NIL, FIND_VAR)
    find_by_number();
    errno = saved;
}
