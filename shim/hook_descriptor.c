/* Calls that close, copy or adjust descriptors of any kind. */
#include "hook.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "descriptor.h"
#include "hot.h"
#include "listener.h"

/* ---- closing ---- */

RARE static int close_ours(int fd, unsigned entry) {
    if (fd_kind_of(entry) == FD_HIDDEN)
        return bad_descriptor();
    descriptor_closing(fd);
    return real.close(fd);
}

HOT HOOK int close(int fd) {
    unsigned entry = fd_entry(fd);
    return LIKELY(entry == FD_OTHER) ? real.close(fd) : close_ours(fd, entry);
}

/*
 * A range is closed in pieces, around the hidden descriptors in it; the server's own numbers that
 * we know of are taken leave of first. They are few, and a range without any is one call as before.
 */
static void leave_in_range(unsigned first, unsigned last) {
    for (int fd = fd_next(first, last); fd >= 0; fd = fd_next((unsigned)fd + 1, last))
        descriptor_closing(fd);
}

static int next_hidden(unsigned first, unsigned last) {
    int fd = fd_next(first, last);
    while (fd >= 0 && fd_kind_of(fd_entry(fd)) != FD_HIDDEN)
        fd = fd_next((unsigned)fd + 1, last);
    return fd;
}

static int close_around_hidden(unsigned first, unsigned last, int flags) {
    int hidden = next_hidden(first, last);
    while (hidden >= 0) {
        if ((unsigned)hidden > first && real.close_range(first, (unsigned)hidden - 1, flags) < 0)
            return -1;
        first = (unsigned)hidden + 1;
        hidden = next_hidden(first, last);
    }
    return first <= last ? real.close_range(first, last, flags) : 0;
}

HOOK int close_range(unsigned first, unsigned last, int flags) {
    bool is_known = !(flags & ~(int)(CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE));
    if (first > last || !is_known || fd_next(first, last) < 0)
        return real.close_range(first, last, flags);
    if (!(flags & (int)CLOSE_RANGE_CLOEXEC))
        leave_in_range(first, last);
    return close_around_hidden(first, last, flags);
}

HOOK void closefrom(int first) {
    unsigned from = first < 0 ? 0 : (unsigned)first;
    if (fd_next(from, ~0U) < 0) {
        real.closefrom(first);
        return;
    }
    leave_in_range(from, ~0U);
    if (close_around_hidden(from, ~0U, 0) == 0)
        return;
    /* No close_range in this kernel: what closefrom falls back to would close the hidden ones too.
     */
    for (unsigned fd = from; fd < FD_LIMIT; fd++)
        if (fd_entry((int)fd) == FD_OTHER)
            real.close((int)fd);
}

/* ---- copying ---- */

static int copied(int fd, int copy) {
    if (copy >= 0 && fd_entry(fd) != FD_OTHER)
        descriptor_copied(fd, copy);
    return copy;
}

HOOK int dup(int fd) {
    unsigned entry = fd_entry(fd);
    if (LIKELY(entry == FD_OTHER))
        return real.dup(fd);
    if (fd_kind_of(entry) == FD_HIDDEN)
        return bad_descriptor();
    return copied(fd, real.dup(fd));
}

/* True when neither number is ours, or nothing will change: the call is the kernel's alone. */
static bool is_foreign_pair(int fd, int target) {
    return (fd_entry(fd) | fd_entry(target)) == FD_OTHER || fd == target;
}

/* Takes leave of what is at `target`, if the call is going to replace it. */
static bool prepare_target(int fd, int target) {
    if (fd_kind_of(fd_entry(fd)) == FD_HIDDEN || fd_kind_of(fd_entry(target)) == FD_HIDDEN)
        return false;
    if (fd_entry(target) != FD_OTHER && real.fcntl(fd, F_GETFD) >= 0)
        descriptor_closing(target);
    return true;
}

HOOK int dup2(int fd, int target) {
    if (LIKELY(is_foreign_pair(fd, target)))
        return fd_kind_of(fd_entry(fd)) == FD_HIDDEN ? bad_descriptor() : real.dup2(fd, target);
    return prepare_target(fd, target) ? copied(fd, real.dup2(fd, target)) : bad_descriptor();
}

HOOK int dup3(int fd, int target, int flags) {
    if (LIKELY(is_foreign_pair(fd, target)) || (flags & ~O_CLOEXEC))
        return fd_kind_of(fd_entry(fd)) == FD_HIDDEN ? bad_descriptor()
                                                     : real.dup3(fd, target, flags);
    return prepare_target(fd, target) ? copied(fd, real.dup3(fd, target, flags)) : bad_descriptor();
}

/* ---- fcntl, ioctl ---- */

static void flags_changed(unsigned entry, int fd) {
    int saved = errno;
    if (fd_kind_of(entry) == FD_LISTENER)
        listener_flags_changed(listener_at(fd_index_of(entry)), fd);
    errno = saved;
}

static int fcntl_ours(unsigned entry, int (*next)(int, int, ...), int fd, int command, void *word) {
    if (fd_kind_of(entry) == FD_HIDDEN)
        return bad_descriptor();
    int result = next(fd, command, word);
    if (result >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC))
        descriptor_copied(fd, result);
    if (command == F_SETFL)
        flags_changed(entry, fd);
    return result;
}

/*
 * The third argument is one word whatever its type; a call without it passes on what is not looked
 * at. fcntl64 is the name that programs built with large files import: the same call, to the next
 * fcntl64.
 */
#define HOOK_FCNTL(name)                                                                           \
    HOOK int name(int fd, int command, ...) {                                                      \
        va_list list;                                                                              \
        va_start(list, command);                                                                   \
        void *word = va_arg(list, void *);                                                         \
        va_end(list);                                                                              \
        unsigned entry = fd_entry(fd);                                                             \
        if (LIKELY(entry == FD_OTHER))                                                             \
            return real.name(fd, command, word);                                                   \
        return fcntl_ours(entry, real.name, fd, command, word);                                    \
    }

HOOK_FCNTL(fcntl)
HOOK_FCNTL(fcntl64)

HOOK int ioctl(int fd, ioctl_request request, ...) {
    va_list list;
    va_start(list, request);
    void *word = va_arg(list, void *);
    va_end(list);
    unsigned entry = fd_entry(fd);
    if (LIKELY(entry == FD_OTHER))
        return real.ioctl(fd, request, word);
    if (fd_kind_of(entry) == FD_HIDDEN)
        return bad_descriptor();
    int result = real.ioctl(fd, request, word);
    if (request == FIONBIO)
        flags_changed(entry, fd);
    return result;
}
