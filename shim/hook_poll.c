/* poll and select, and the forms of poll that programs built with fortification call. */
#undef _FORTIFY_SOURCE /* with it, libc's headers define poll() themselves, inline */
#include "hook.h"

#include <limits.h>
#include <stddef.h>

#include "clock.h"
#include "poller.h"

static bool is_valid(const struct timespec *time) {
    return !time || (is_address(time) && time->tv_sec >= 0 && time->tv_nsec >= 0 &&
                     time->tv_nsec < 1000000000);
}

static bool concerns_us(struct pollfd *list, nfds_t count) {
    return is_address(list) && count <= FD_LIMIT && poller_concerns(list, count);
}

static int poll_ours(struct pollfd *list, nfds_t count, int timeout) {
    return poller_poll(&(struct poll_call){.list = list,
                                           .count = count,
                                           .has_timeout = timeout >= 0,
                                           .timeout = clock_of_milliseconds(timeout)});
}

static int ppoll_ours(struct pollfd *list, nfds_t count, const struct timespec *timeout,
                      const sigset_t *mask) {
    return poller_poll(&(struct poll_call){.list = list,
                                           .count = count,
                                           .has_timeout = timeout != NULL,
                                           .timeout = timeout ? *timeout : (struct timespec){0},
                                           .mask = mask});
}

HOOK int poll(struct pollfd *list, nfds_t count, int timeout) {
    if (LIKELY(!concerns_us(list, count)))
        return real.poll(list, count, timeout);
    return poll_ours(list, count, timeout);
}

HOOK int ppoll(struct pollfd *list, nfds_t count, const struct timespec *timeout,
               const sigset_t *mask) {
    if (LIKELY(!concerns_us(list, count)) || !is_valid(timeout))
        return real.ppoll(list, count, timeout, mask);
    return ppoll_ours(list, count, timeout, mask);
}

/* Declared by libc only where it defines them inline. */
HOOK int __poll_chk(struct pollfd *list, nfds_t count, int timeout, size_t room);
HOOK int __ppoll_chk(struct pollfd *list, nfds_t count, const struct timespec *timeout,
                     const sigset_t *mask, size_t room);

/* The caller's list has room for so many bytes; if that is too few, the next definition ends it. */
HOOK int __poll_chk(struct pollfd *list, nfds_t count, int timeout, size_t room) {
    if (count > room / sizeof *list || LIKELY(!concerns_us(list, count)))
        return real.__poll_chk(list, count, timeout, room);
    return poll_ours(list, count, timeout);
}

HOOK int __ppoll_chk(struct pollfd *list, nfds_t count, const struct timespec *timeout,
                     const sigset_t *mask, size_t room) {
    if (count > room / sizeof *list || LIKELY(!concerns_us(list, count)) || !is_valid(timeout))
        return real.__ppoll_chk(list, count, timeout, mask, room);
    return ppoll_ours(list, count, timeout, mask);
}

/* ---- select ---- */

enum {
    WORD = 8 * sizeof(long),
    SELECT_MOST = 1024,                          /* descriptors in one call */
    READABLE = POLLIN | POLLRDNORM | POLLRDBAND, /* what poll calls the three sets' conditions */
    WRITABLE = POLLOUT | POLLWRNORM | POLLWRBAND,
    READABLE_SHOWN = READABLE | POLLHUP | POLLERR,
    WRITABLE_SHOWN = WRITABLE | POLLERR
};

/* The sets of a call: readable, writable, exceptional. As words, since they may be longer than an
 * fd_set: the kernel goes by `count` alone. */
struct sets {
    unsigned long *words[3];
    int count;
};

static struct sets sets_of(int count, fd_set *readable, fd_set *writable, fd_set *except) {
    return (struct sets){{(void *)readable, (void *)writable, (void *)except}, count};
}

static bool is_set(const unsigned long *words, int fd) {
    return words && (words[fd / (int)WORD] >> (fd % (int)WORD) & 1);
}

static bool concerns(const struct sets *sets) {
    const unsigned long *words = sets->words[0];
    if (sets->count <= 0 || sets->count > FD_LIMIT || !words || !is_address(words))
        return false;
    for (int first = 0; first < sets->count; first += (int)WORD)
        for (unsigned long rest = words[first / (int)WORD]; rest; rest &= rest - 1) {
            int fd = first + __builtin_ctzl(rest);
            enum fd_kind kind = fd_kind_of(fd_entry(fd));
            if (fd < sets->count && (kind == FD_LISTENER || kind == FD_HIDDEN))
                return true;
        }
    return false;
}

static short asked_of(const struct sets *sets, int fd) {
    return (short)((is_set(sets->words[0], fd) ? READABLE : 0) |
                   (is_set(sets->words[1], fd) ? WRITABLE : 0) |
                   (is_set(sets->words[2], fd) ? POLLPRI : 0));
}

/* The sets as a list, or -1 if it is too long. */
static int list_of(const struct sets *sets, struct pollfd *list) {
    int count = 0;
    for (int fd = 0; fd < sets->count; fd++) {
        short asked = asked_of(sets, fd);
        if (!asked)
            continue;
        if (count == SELECT_MOST)
            return -1;
        list[count++] = (struct pollfd){.fd = fd, .events = asked};
    }
    return count;
}

static short shown_of(const struct pollfd *entry) {
    return (short)(((entry->events & POLLIN) ? entry->revents & READABLE_SHOWN : 0) |
                   ((entry->events & POLLOUT) ? entry->revents & WRITABLE_SHOWN : 0) |
                   (entry->events & entry->revents & POLLPRI));
}

/* How many conditions the list shows; -1 for a number that is not open. */
static int count_shown(const struct pollfd *list, int count) {
    int shown = 0;
    for (int i = 0; i < count; i++) {
        short has = shown_of(&list[i]);
        if (list[i].revents & POLLNVAL)
            return bad_descriptor();
        shown += ((list[i].events & POLLIN) && (has & READABLE_SHOWN)) +
                 ((list[i].events & POLLOUT) && (has & WRITABLE_SHOWN)) + !!(has & POLLPRI);
    }
    return shown;
}

static void keep(unsigned long *words, int fd, bool is_shown) {
    if (words && !is_shown)
        words[fd / (int)WORD] &= ~(1UL << (fd % (int)WORD));
}

static void show(const struct sets *sets, const struct pollfd *list, int count) {
    for (int i = 0; i < count; i++) {
        const struct pollfd *entry = &list[i];
        keep(sets->words[0], entry->fd, entry->revents & READABLE_SHOWN);
        keep(sets->words[1], entry->fd, entry->revents & WRITABLE_SHOWN);
        keep(sets->words[2], entry->fd, entry->revents & POLLPRI);
    }
}

static struct timespec left_of(struct timespec limit, struct timespec start) {
    struct timespec left = clock_plus(limit, clock_plus(clock_now(), start, -1), -1);
    return clock_is_positive(left) ? left : (struct timespec){0};
}

/* More than a second of microseconds is legal, and adds to the seconds. */
static struct timespec normal_form(const struct timeval *time) {
    long carry = time->tv_usec / 1000000;
    long seconds = time->tv_sec < LONG_MAX / 2 ? time->tv_sec : LONG_MAX / 2;
    return (struct timespec){seconds + carry, time->tv_usec % 1000000 * 1000};
}

enum { NOT_OURS = -2 };

/*
 * The call by way of a list, or NOT_OURS: a list too long, or a condition that ends poll() but not
 * select(), such as the end of a descriptor that is only to be written to.
 */
static int select_ours(const struct sets *sets, struct timespec *time, const sigset_t *mask) {
    struct pollfd list[SELECT_MOST];
    int count = list_of(sets, list);
    if (count < 0)
        return NOT_OURS;
    struct poll_call call = {.list = list,
                             .count = (nfds_t)count,
                             .has_timeout = time != NULL,
                             .timeout = time ? *time : (struct timespec){0},
                             .mask = mask};
    struct timespec start = time ? clock_now() : (struct timespec){0};
    int ready = poller_poll(&call);
    if (time)
        *time = left_of(*time, start);
    if (ready < 0)
        return -1;
    int shown = count_shown(list, count);
    if (ready > 0 && shown == 0)
        return NOT_OURS;
    if (shown >= 0)
        show(sets, list, count);
    return shown;
}

HOOK int select(int count, fd_set *readable, fd_set *writable, fd_set *except,
                struct timeval *timeout) {
    struct sets sets = sets_of(count, readable, writable, except);
    bool is_plain =
        !timeout || (is_address(timeout) && timeout->tv_sec >= 0 && timeout->tv_usec >= 0);
    if (LIKELY(!concerns(&sets)) || !is_plain)
        return real.select(count, readable, writable, except, timeout);
    struct timespec time = {0};
    if (timeout)
        time = normal_form(timeout);
    int shown = select_ours(&sets, timeout ? &time : NULL, NULL);
    if (timeout && SELECT_TELLS_REST)
        *timeout = (struct timeval){time.tv_sec, time.tv_nsec / 1000};
    return shown == NOT_OURS ? real.select(count, readable, writable, except, timeout) : shown;
}

HOOK int pselect(int count, fd_set *readable, fd_set *writable, fd_set *except,
                 const struct timespec *timeout, const sigset_t *mask) {
    struct sets sets = sets_of(count, readable, writable, except);
    if (LIKELY(!concerns(&sets)) || !is_valid(timeout))
        return real.pselect(count, readable, writable, except, timeout, mask);
    struct timespec time = timeout ? *timeout : (struct timespec){0};
    int shown = select_ours(&sets, timeout ? &time : NULL, mask);
    return shown == NOT_OURS ? real.pselect(count, readable, writable, except, timeout, mask)
                             : shown;
}
