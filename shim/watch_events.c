/* watch events: what a wait brought, on its way to the server. */
#include "watch_events.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>

#include "hot.h"
#include "local.h"
#include "real.h"
#include "watch_shards.h"

/* One watch that had events in this wait; more events of it are merged into the first. */
struct hit {
    struct watch *watch;
    struct epoll_event *event;
};

enum {
    HITS_MOST = 4
}; /* further listeners of one instance in one wait: not merged, which is harmless, and each taken
    for one of which several shards had events */

struct hits {
    bool may_be_more;     /* of other shards: it was passed over meanwhile, and took one event */
    struct watch *kicked; /* one that was, or NULL */
    int count;
    struct hit hit[HITS_MOST];
};

static struct hit *hit_of(struct hits *hits, struct watch *watch) {
    for (int i = 0; i < hits->count; i++)
        if (hits->hit[i].watch == watch)
            return &hits->hit[i];
    return NULL;
}

HOT void events_remember_kicks(const struct instance *instance) {
    if (UNLIKELY(!atomic_load_explicit(&instance->filtered, memory_order_relaxed)))
        return;
    WATCHES_OF (watch, instance) {
        const struct shard_set *set = atomic_load(&watch->set);
        if (LIKELY(set && watch->has_home))
            atomic_store_explicit(&watch->kicks_before, atomic_load(&set->shared->kicks_done),
                                  memory_order_relaxed);
    }
}

/*
 * Whether an event with EPOLLOUT is the kick and nothing of the server's. At most one event is
 * taken for each kick that was made, so that even a server that gives a connection the listener's
 * data loses nothing.
 */
static bool is_kick(struct watch *watch) {
    struct shard_set *set = atomic_load(&watch->set);
    if (!set || !watch->has_home)
        return false;
    if (atomic_load(&set->shared->kicks_started) == watch->kicks_seen)
        return false;
    watch->kicks_seen = watch->kicks_before;
    if (!atomic_exchange(&watch->kicks_itself, false))
        atomic_store(&watch->was_kicked, true);
    atomic_store(&watch->instance->work, WORK);
    return true;
}

/*
 * A kick with nothing beside it. The server is told that its listener is readable, and finds
 * nothing, as a member of a herd does every day: so it comes round, sees what a signal's handler
 * left for it, and waits again. Where it would take that amiss, the wait goes on instead: at its
 * first kick, which it gives to itself; where accept would block; and where the event would use up
 * EPOLLONESHOT.
 */
RARE static bool becomes_event(struct watch *watch, struct epoll_event *event) {
    bool is_first = watch->kicks_noticed++ == 0;
    struct shard own = watch_shard(watch); /* which another thread may have ended meanwhile */
    int saved = errno;
    bool is_to_go_on = is_first || !own.set || (watch->asked & EPOLLONESHOT) ||
                       !(watch->asked & EPOLLIN) || set_blocks(own.set, own.number, watch->fd);
    errno = saved;
    if (is_to_go_on)
        return false;
    event->events = EPOLLIN;
    event->data.u64 = atomic_load(&watch->data);
    atomic_store(&watch->served, false);
    return true;
}

/* The event names its watch by the data alone, which several listeners may share. */
RARE static struct watch *kicked(const struct instance *instance, uint64_t data) {
    WATCHES_OF (watch, instance)
        if (atomic_load(&watch->data) == data && is_kick(watch))
            return watch;
    return NULL;
}

/*
 * EPOLLONESHOT: of all the threads that were told, one may tell the server. Of several processes on
 * one instance each tells its own, until the first MOD leaves it to the kernel.
 */
RARE static bool disarm(struct watch *watch) {
    if (!instance_is_mine(watch->instance))
        return true;
    if (!atomic_exchange(&watch->armed, false))
        return false;
    int saved = errno;
    if (guard_enter()) {
        bits_copy(&watch->reach, &watch->registered);
        if (atomic_load(&watch->set)) /* another thread may have ended it */
            shards_withdraw(watch);
        guard_leave();
    }
    errno = saved;
    return true;
}

RARE static uint32_t events_at_end(const struct watch *watch) {
    struct pollfd now = {.fd = watch->fd, .events = POLLRDHUP | POLLPRI};
    return real.poll(&now, 1, 0) > 0 ? (uint16_t)now.revents : 0;
}

/* What was asked for but could not be given to the kernel, as the kernel would have reported it. */
HOT static uint32_t completed(const struct watch *watch, uint32_t events) {
    return events | (watch->asked & (LIKELY(events & EPOLLIN) ? EPOLLRDNORM : 0));
}

/* ---- the end of one of several shards of the server's own ---- */

static bool is_at_end(const struct watch *watch, const struct shard_set *set) {
    int fd = set->is_servers ? set->fd[watch->own] : watch->fd;
    struct pollfd now = {.fd = fd, .events = POLLIN};
    return real.poll(&now, 1, 0) > 0 && (now.revents & POLLHUP);
}

/* A child that goes on with its parent's instance has no record of it that is certain to be true,
 * but the same numbers. */
static bool take_out(struct watch *watch, const struct shard_set *set, int shard) {
    if (!instance_is_mine(watch->instance))
        return real.epoll_ctl(watch->instance->epfd, EPOLL_CTL_DEL, set->fd[shard], NULL) == 0;
    if (!bits_has(&watch->registered, shard) || !guard_enter())
        return false;
    if (atomic_load(&watch->set) == set)
        shards_unregister(watch, shard);
    guard_leave();
    return true;
}

/*
 * Neighbours that are shut down go from the instance; false: there are none. One may listen again
 * by now, and the event be of its end all the same; but only once after each change, for it may
 * also be of something that has the listener's data and is none.
 */
static bool take_out_ended(struct watch *watch, const struct shard_set *set) {
    uint32_t generation = set_generation(set);
    bool any = atomic_exchange(&watch->ended_generation, generation) != generation;
    for (int i = 0; i < set->count; i++)
        if (i != watch->own && set->fd[i] >= 0 && !set_accepts(set, i)) {
            set_own_listens(set, i, false);
            if (set_accepts(set, i)) /* its owner listened again meanwhile */
                set_own_listens(set, i, true);
            else
                any |= take_out(watch, set, i);
        }
    return any;
}

/*
 * Of the server's own shards each is shut down for itself, and a neighbour's end is not this
 * listener's. Several watches may have the same data, and any one's own end is the server's to
 * know. True: there is nothing else in the event.
 */
RARE static bool is_neighbours_end(const struct instance *instance, struct epoll_event *event) {
    bool any = false;
    WATCHES_OF (watch, instance) {
        const struct shard_set *set = atomic_load(&watch->set);
        if (!set || atomic_load(&watch->data) != event->data.u64)
            continue;
        if (is_at_end(watch, set))
            return false;
        any |= set->is_servers && take_out_ended(watch, set);
    }
    if (any)
        event->events &= ~(uint32_t)(EPOLLHUP | EPOLLERR);
    return any && event->events == 0;
}

/* True: it is a kick, or a neighbour's end, and not for the server. */
RARE static bool is_only_ours(struct watch *watch, struct hits *hits, struct epoll_event *event) {
    struct watch *for_us =
        (event->events & EPOLLOUT) ? kicked(watch->instance, event->data.u64) : NULL;
    if (for_us) {
        hits->kicked = for_us;
        return true;
    }
    int saved = errno;
    bool is_neighbours = (event->events & EPOLLHUP) && is_neighbours_end(watch->instance, event);
    if (!is_neighbours && (event->events & EPOLLHUP)) /* it was shut down */
        event->events |= watch->asked & events_at_end(watch);
    errno = saved;
    return is_neighbours;
}

/* Whether the server is to see the event; it may be changed. */
HOT static bool admit(struct watch *watch, struct hits *hits, struct epoll_event *event,
                      struct epoll_event *place) {
    if (UNLIKELY(event->events & (EPOLLOUT | EPOLLHUP)) && is_only_ours(watch, hits, event))
        return false;
    event->events = completed(watch, event->events);
    struct hit *hit = hit_of(hits, watch);
    if (UNLIKELY(hit)) {
        hit->event->events |= event->events;
        atomic_store(&watch->told_of_many, true);
        return false;
    }
    if (UNLIKELY(watch->asked & EPOLLONESHOT) && !disarm(watch))
        return false;
    bool is_full = hits->count == HITS_MOST; /* then there may be more of it, too */
    if (LIKELY(!is_full))
        hits->hit[hits->count++] = (struct hit){watch, place};
    atomic_store_explicit(&watch->served, false, memory_order_relaxed);
    atomic_store_explicit(&watch->told, true, memory_order_relaxed);
    atomic_store_explicit(&watch->told_of_many, is_full || hits->may_be_more, memory_order_relaxed);
    return true;
}

HOT int events_deliver(const struct instance *instance, struct epoll_event *events, int count,
                       bool is_full) {
    struct hits hits; /* without its list, of which nothing is read that was not written */
    hits.may_be_more = is_full && instance->was_away;
    hits.kicked = NULL;
    hits.count = 0;
    int kept = 0;
    for (int i = 0; i < count; i++) {
        struct watch *watch = NULL;
        if (instance_filter_has(instance, events[i].data.u64))
            watch = watch_find_data(instance, events[i].data.u64);
        if (watch && UNLIKELY(!admit(watch, &hits, &events[i], &events[kept])))
            continue;
        if (UNLIKELY(kept != i))
            events[kept] = events[i];
        kept++;
    }
    if (UNLIKELY(hits.kicked) && kept == 0)
        return becomes_event(hits.kicked, &events[0]);
    return kept;
}
