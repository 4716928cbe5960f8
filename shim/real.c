#include "real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>

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

struct real_calls real = {
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

void real_find(void) {
    int saved = errno;
#define FIND_CALL(result, name, parameters, arguments) FIND(name)
#define FIND_NIL(name, parameters, arguments) FIND(name)
#define FIND_VAR(result, name, selector) FIND(name)
    UNHERD_CALLS(FIND_CALL, FIND_NIL, FIND_VAR)
    errno = saved;
}
