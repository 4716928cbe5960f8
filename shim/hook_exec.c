/* The exec family and posix_spawn. */
#include "hook.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "carry.h"
#include "listener.h"

/* A program that gets rights of its own is started without us, and has no use for hidden
 * descriptors. */
static bool takes_preload(int fd, const char *path, int flags) {
    struct stat status;
    return fstatat(fd, path, &status, flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) < 0 ||
           !(status.st_mode & (S_ISUID | S_ISGID));
}

/* Before any of them: what was put off is done, as the next image cannot do it. Whether it gets
 * anything of ours. */
static bool begin(void) {
    int saved = errno;
    listener_finish_deleted();
    errno = saved;
    return carry_is_wanted();
}

/*
 * Lists whose length the caller decides lie on the stack, as long as the call: between vfork and
 * exec nothing may be allocated, and libc's own execl does the same.
 */
#pragma GCC diagnostic ignored "-Wvla"

/* One environment for the next image. */
#define CARRY_OVER(carry, environment, with_sets)                                                  \
    char *list[carry_room(environment)];                                                           \
    carry_begin(&(carry), environment, list, with_sets)

HOOK int execve(const char *path, char *const *words, char *const *environment) {
    if (!begin())
        return real.execve(path, words, environment);
    struct carry carry;
    CARRY_OVER(carry, environment, takes_preload(AT_FDCWD, path, 0));
    int result = real.execve(path, words, list);
    carry_end(&carry);
    return result;
}

HOOK int execvpe(const char *file, char *const *words, char *const *environment) {
    if (!begin())
        return real.execvpe(file, words, environment);
    struct carry carry;
    bool is_path = strchr(file, '/'); /* else it is searched for, and not known before */
    CARRY_OVER(carry, environment, !is_path || takes_preload(AT_FDCWD, file, 0));
    int result = real.execvpe(file, words, list);
    carry_end(&carry);
    return result;
}

HOOK int fexecve(int fd, char *const *words, char *const *environment) {
    if (!begin())
        return real.fexecve(fd, words, environment);
    struct carry carry;
    CARRY_OVER(carry, environment, takes_preload(fd, "", AT_EMPTY_PATH));
    int result = real.fexecve(fd, words, list);
    carry_end(&carry);
    return result;
}

HOOK int execveat(int fd, const char *path, char *const *words, char *const *environment,
                  int flags) {
    if (!begin())
        return real.execveat(fd, path, words, environment, flags);
    struct carry carry;
    CARRY_OVER(carry, environment, takes_preload(fd, path, flags));
    int result = real.execveat(fd, path, words, list, flags);
    carry_end(&carry);
    return result;
}

HOOK int execv(const char *path, char *const *words) {
    return execve(path, words, environ);
}

HOOK int execvp(const char *file, char *const *words) {
    return execvpe(file, words, environ);
}

/* The words of a call that lists them, up to and with the NULL that ends them; then the list goes
 * on to what stands behind it. */
#define WORDS_OF(first, list, words)                                                               \
    va_list counting;                                                                              \
    size_t word_count = 1;                                                                         \
    va_copy(counting, list);                                                                       \
    for (const char *word = (first); word; word = va_arg(counting, const char *))                  \
        word_count++;                                                                              \
    va_end(counting);                                                                              \
    char *words[word_count];                                                                       \
    (words)[0] = (char *)(uintptr_t)(first);                                                       \
    for (size_t i = 1; i < word_count; i++)                                                        \
    (words)[i] = va_arg(list, char *)

HOOK int execl(const char *path, const char *first, ...) {
    va_list list;
    va_start(list, first);
    WORDS_OF(first, list, words);
    va_end(list);
    return execve(path, words, environ);
}

HOOK int execlp(const char *file, const char *first, ...) {
    va_list list;
    va_start(list, first);
    WORDS_OF(first, list, words);
    va_end(list);
    return execvpe(file, words, environ);
}

HOOK int execle(const char *path, const char *first, ...) {
    va_list list;
    va_start(list, first);
    WORDS_OF(first, list, words);
    char *const *environment = va_arg(list, char *const *);
    va_end(list);
    return execve(path, words, environment);
}

/* ---- posix_spawn: the child's descriptors are the caller's affair, the sets stay behind ---- */

HOOK int posix_spawn(pid_t *restrict pid, const char *restrict path,
                     const posix_spawn_file_actions_t *restrict actions,
                     const posix_spawnattr_t *restrict attributes, char *const *restrict words,
                     char *const *restrict environment) {
    if (!begin())
        return real.posix_spawn(pid, path, actions, attributes, words, environment);
    struct carry carry;
    CARRY_OVER(carry, environment, false);
    return real.posix_spawn(pid, path, actions, attributes, words, list);
}

HOOK int posix_spawnp(pid_t *restrict pid, const char *restrict file,
                      const posix_spawn_file_actions_t *restrict actions,
                      const posix_spawnattr_t *restrict attributes, char *const *restrict words,
                      char *const *restrict environment) {
    if (!begin())
        return real.posix_spawnp(pid, file, actions, attributes, words, environment);
    struct carry carry;
    CARRY_OVER(carry, environment, false);
    return real.posix_spawnp(pid, file, actions, attributes, words, list);
}
