/* poller: the wait. */
#include "poller_parts.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "attendant.h"
#include "clock.h"
#include "fd_table.h"
#include "listener.h"
#include "local.h"
#include "real.h"
#include "signals.h"
#include "stats.h"
#include "watch.h"

enum { CONNECTION = POLLIN | POLLRDNORM };

/* ---- the wait ---- */

static const uint64_t other_bit = UINT64_C(1) << 32; /* in epoll_data: not a listener's number */

static int wait_in_kernel(const struct wait_call *call) {
    int count = real.epoll_pwait2(call->epfd, call->events, call->most,
                                  call->has_timeout ? &call->timeout : NULL, call->mask);
    if (count >= 0 ||
        (errno != ENOSYS && errno != EPERM)) /* an old container's filter says EPERM */
        return count;
    return real.epoll_pwait(call->epfd, call->events, call->most,
                            call->has_timeout ? clock_milliseconds(call->timeout) : -1, call->mask);
}

/* The others, for as long as one wait lasts: what is behind a number may change between two calls.
 * How many could be added: fewer than all when one is there twice, or is nothing that epoll knows.
 */
static int add_others(int epfd, const struct parts *parts) {
    for (int i = 0; i < parts->other_count; i++) {
        struct epoll_event event = {.events = (uint16_t)parts->others[i].events,
                                    .data.u64 = other_bit | (unsigned)i};
        if (real.epoll_ctl(epfd, EPOLL_CTL_ADD, parts->others[i].fd, &event) < 0)
            return i;
    }
    return parts->other_count;
}

static void remove_others(int epfd, const struct parts *parts, int count) {
    int saved = errno;
    for (int i = 0; i < count; i++)
        real.epoll_ctl(epfd, EPOLL_CTL_DEL, parts->others[i].fd, NULL);
    errno = saved;
}

/* What epoll said of a listener, in the words of whoever asked; all but a connection is rare. */
static short revents_of(const struct pollfd *entry, uint32_t told) {
    struct pollfd now = *entry;
    if (told == EPOLLIN)
        return (short)(entry->events & CONNECTION);
    real.poll(&now, 1, 0);
    return now.revents;
}

/* Fills in the listeners' revents; returns how many entries have some. */
static int tell(const struct poll_call *call, const struct parts *parts,
                const struct epoll_event *events, int event_count) {
    int told = 0;
    for (int i = 0; i < parts->listener_count; i++) {
        struct pollfd *entry = &call->list[parts->listeners[i]];
        for (int j = 0; j < event_count; j++)
            if (events[j].data.u64 == (unsigned)entry->fd)
                entry->revents = revents_of(entry, events[j].events);
        told += entry->revents != 0;
    }
    return told;
}

static int wait_for_listeners(const struct poller *poller, const struct poll_call *call,
                              const struct parts *parts, bool sleeps) {
    struct epoll_event events[LISTENERS_MOST + OTHERS_MOST];
    struct wait_call wait = {.wait = wait_in_kernel,
                             .epfd = poller->epfd,
                             .events = events,
                             .most = LISTENERS_MOST + OTHERS_MOST,
                             .has_timeout = call->has_timeout || !sleeps,
                             .timeout = sleeps ? call->timeout : (struct timespec){0},
                             .mask = call->mask};
    int count = watch_wait(poller->instance, &wait);
    return count < 0 ? -1 : tell(call, parts, events, count);
}

static int kernel_poll(const struct poll_call *call) {
    return real.ppoll(call->list, call->count, call->has_timeout ? &call->timeout : NULL,
                      call->mask);
}

/* One look at everything, or one sleep. How many entries have revents; -1 with errno. */
static int look(const struct poller *poller, const struct poll_call *call, struct parts *parts,
                bool may_sleep) {
    int ready = 0;
    if (parts->other_count)
        ready = real.poll(parts->others, (nfds_t)parts->other_count, 0);
    bool sleeps = may_sleep && ready == 0;
    int added = sleeps ? add_others(poller->epfd, parts) : 0;
    int told = -2;
    if (!sleeps || added == parts->other_count)
        told = wait_for_listeners(poller, call, parts, sleeps);
    remove_others(poller->epfd, parts, added);
    for (int i = 0; i < parts->other_count; i++)
        call->list[parts->places[i]].revents = parts->others[i].revents;
    return told < 0 ? told : ready + told;
}

/* Whether some listener has shards that the kernel's poll, which knows shard 0 alone, cannot see.
 */
static bool has_shards(const struct poll_call *call, const struct parts *parts) {
    for (int i = 0; i < parts->listener_count; i++) {
        const struct shard *own = poller_shard_of(call->list[parts->listeners[i]].fd);
        if (own && own->set->count > 1)
            return true;
    }
    return false;
}

static int count_ready(const struct poll_call *call) {
    int count = 0;
    for (nfds_t i = 0; i < call->count; i++)
        count += call->list[i].revents != 0;
    return count;
}

/*
 * For a list that is too long for us, or that epoll cannot take: the kernel's poll waits, with our
 * instance in the place of the first listener. More than one worker may be woken so, but no shard
 * is left unseen.
 */
static int look_nested(const struct poller *poller, const struct poll_call *call,
                       const struct parts *parts) {
    struct pollfd *first = &call->list[parts->listeners[0]];
    struct pollfd saved = *first;
    if (wait_for_listeners(poller, call, parts, false) < 0)
        return -1;
    *first = (struct pollfd){.fd = poller->epfd, .events = POLLIN};
    watch_sleeps_elsewhere(poller->instance);
    int count = kernel_poll(call);
    *first = saved;
    first->revents = 0;
    if (count < 0 || wait_for_listeners(poller, call, parts, false) < 0)
        return -1;
    return count_ready(call);
}

/* Once round; a list that our instance cannot take shows only when it is to sleep. */
static int look_once(const struct poller *poller, const struct poll_call *call, struct parts *parts,
                     bool may_sleep) {
    if (!parts->is_large) {
        int count = look(poller, call, parts, may_sleep);
        if (count != -2)
            return count;
        parts->is_large = true;
    }
    return has_shards(call, parts) ? look_nested(poller, call, parts) : kernel_poll(call);
}

/*
 * What nobody took: whoever was woken for it may have died on the way, and nobody else would be
 * woken until the next comes. So the kernel is asked before the server is told that there is
 * nothing.
 */
static int look_for_forgotten(const struct poller *poller, const struct poll_call *call,
                              const struct parts *parts) {
    int found = 0;
    for (int i = 0; i < parts->listener_count; i++) {
        struct pollfd *entry = &call->list[parts->listeners[i]];
        const struct shard *own = poller_shard_of(entry->fd);
        if (!own || own->set->count > 1 || real.poll(entry, 1, 0) <= 0)
            continue;
        watch_tell(poller->instance, own);
        found++;
    }
    return found;
}

/* Nothing is ready, and the time is over. A signal that only the mask lets in ends it as it would
 * have ended the kernel's. */
static int end_of_time(const struct poller *poller, const struct poll_call *call,
                       const struct parts *parts) {
    int found = look_for_forgotten(poller, call, parts);
    if (found == 0 && call->mask)
        return real.ppoll(NULL, 0, &(struct timespec){0}, call->mask);
    return found;
}

/* The process was stopped, and goes on: poll() would not have noticed. */
static bool was_stopped(int count) {
    return count < 0 && errno == EINTR && !signals_any();
}

/* Until something is ready or the time is over. */
static int poll_with(const struct poller *poller, struct poll_call *call, struct parts *parts) {
    bool is_timed = call->has_timeout && clock_is_positive(call->timeout);
    struct timespec end = is_timed ? clock_plus(clock_now(), call->timeout, 1) : call->timeout;
    for (;;) {
        bool may_sleep = !call->has_timeout || clock_is_positive(call->timeout);
        int count = look_once(poller, call, parts, may_sleep);
        if (count != 0 && !was_stopped(count))
            return count;
        if (!may_sleep)
            return end_of_time(poller, call, parts);
        if (is_timed)
            call->timeout = clock_plus(end, clock_now(), -1);
        if (is_timed && !clock_is_positive(call->timeout))
            call->timeout = (struct timespec){0};
    }
}

/* With a number that is not open, as far as the server goes, nothing sleeps. */
static int poll_hidden(const struct poll_call *call) {
    real.poll(call->list, call->count, 0);
    for (nfds_t i = 0; i < call->count; i++)
        if (call->list[i].fd >= 0 && fd_kind_of(fd_entry(call->list[i].fd)) == FD_HIDDEN)
            call->list[i].revents = POLLNVAL;
    return count_ready(call);
}

/*
 * Alone with every one of its listeners. One that has shards is never left to the kernel's poll,
 * which would go on seeing shard 0 alone when others come, claim shards, and go.
 */
static bool is_for_kernel(const struct poll_call *call, const struct parts *parts) {
    if (has_shards(call, parts))
        return false;
    bool is_alone = true;
    for (int i = 0; i < parts->listener_count; i++)
        is_alone &= poller_is_alone(call->list[parts->listeners[i]].fd);
    return is_alone || parts->is_large;
}

static void leave_poller(void *poller) {
    poller_give_back(poller);
}

/* The kernel's own poll wakes whom it will. */
static int give_up(const struct poll_call *call, const struct parts *parts) {
    for (int i = 0; i < parts->listener_count; i++) {
        const struct shard *own = poller_shard_of(call->list[parts->listeners[i]].fd);
        if (own)
            stats_fall_back(own->set, FALLBACK_KERNEL_POLL);
    }
    return kernel_poll(call);
}

static int poll_in(struct poller *poller, struct poll_call *call, struct parts *parts) {
    int count;
    pthread_cleanup_push(leave_poller, poller);
    count =
        poller_watch(poller, call, parts) ? poll_with(poller, call, parts) : give_up(call, parts);
    pthread_cleanup_pop(true);
    return count;
}

/* What the statistics know of a sleep that is the kernel's. */
static void note_sleep(const struct poll_call *call, const struct parts *parts, bool begins) {
    for (int i = 0; i < parts->listener_count; i++) {
        const struct shard *own = poller_shard_of(call->list[parts->listeners[i]].fd);
        if (own)
            attendant_sleeps(own->set, attendant_place(own->set), begins);
    }
}

static int poll_alone(const struct poll_call *call, const struct parts *parts) {
    note_sleep(call, parts, true);
    int count = kernel_poll(call);
    int saved = errno;
    note_sleep(call, parts, false);
    errno = saved;
    return count;
}

int poller_poll(struct poll_call *call) {
    struct parts parts;
    poller_sort(call, &parts);
    if (parts.is_hidden)
        return poll_hidden(call);
    if (is_for_kernel(call, &parts))
        return poll_alone(call, &parts);
    struct poller *poller = poller_take();
    return poller ? poll_in(poller, call, &parts) : give_up(call, &parts);
}
