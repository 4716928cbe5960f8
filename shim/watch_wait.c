/* watch wait: what is done before and after a wait on an epoll instance that watches a listener. */
#include "watch.h"

#include <errno.h>

#include "local.h"
#include "watch_current.h"
#include "watch_shards.h"
#include "worker.h"

_Thread_local struct instance *watch_current;

/* ---- before the wait ---- */

static void rotate_where_stolen(struct watch *watch) {
    for (int i = 0; i < SHARDS_MAX / 64; i++) {
        uint64_t shards = atomic_exchange(&watch->stolen_from[i], 0);
        for (; shards; shards &= shards - 1)
            shards_rotate(watch, i * 64 + __builtin_ctzll(shards));
    }
}

static void prepare(struct watch *watch) {
    struct shard_set *set = atomic_load(&watch->set);
    if (atomic_load(&watch->leaving)) {
        shards_end(watch);
        return;
    }
    if (!watch->begun) {
        shards_begin(watch);
        return;
    }
    shards_sync(watch);
    if (set->rotate && atomic_load(&watch->taken) >= set->rotate) {
        atomic_store(&watch->taken, 0);
        shards_rotate(watch, watch->home);
    }
    if (set->count > 1)
        rotate_where_stolen(watch);
}

/* Between two waits the instance changes only here; with no work there is no lock and no call. */
static void prepare_all(struct instance *instance) {
    if (!atomic_load_explicit(&instance->work, memory_order_relaxed) || !instance_is_mine(instance))
        return;
    if (!guard_enter())
        return;
    atomic_store(&instance->work, false);
    WATCHES_OF(watch, instance)
    prepare(watch);
    guard_leave();
}

/* Takes part in finding out whether two workers ever wait at once; see worker_view(). */
static void probe(struct instance *instance, bool waiting) {
    WATCHES_OF(watch, instance) {
        struct shard_set *set = atomic_load(&watch->set);
        if (!set || set->count == 1 || !watch->begun || watch->shares_home)
            continue;
        struct shard_bits ours;
        shards_of_process(set, &ours);
        if (!waiting)
            worker_end_wait(set, watch->home);
        else if (worker_begin_wait(set, watch->home, &ours))
            set_kick(set);
    }
}

static bool begin(struct instance *instance) {
    prepare_all(instance);
    bool probing = atomic_load_explicit(&instance->probing, memory_order_relaxed);
    if (probing && instance_is_mine(instance)) {
        atomic_store(&instance->probing, false); /* set again by the next sync, if still unproven */
        atomic_store(&instance->work, true);
        probe(instance, true);
    }
    return probing;
}

/* ---- after the wait ---- */

/* One watch that had events in this wait; more events of it are merged into the first. */
struct hit {
    struct watch *watch;
    struct epoll_event *event;
};

enum {
    HITS_MOST = 16
}; /* further listeners of one instance in one wait: not merged, which is harmless */

struct hits {
    int count;
    struct hit hit[HITS_MOST];
};

static struct hit *hit_of(struct hits *hits, struct watch *watch) {
    for (int i = 0; i < hits->count; i++)
        if (hits->hit[i].watch == watch)
            return &hits->hit[i];
    return NULL;
}

/*
 * Whether an event is the kick and nothing of the server's. At most one event is taken for each
 * kick that was made, so that even a server that gives a connection the listener's data loses
 * nothing.
 */
static bool is_kick(struct watch *watch, const struct epoll_event *event) {
    struct shard_set *set = atomic_load(&watch->set);
    if (!(event->events & EPOLLOUT) || !set || set->count == 1)
        return false;
    uint32_t started = atomic_load(&set->shared->kicks_started);
    uint32_t done = atomic_load(&set->shared->kicks_done);
    if (started == watch->kicks_seen)
        return false;
    watch->kicks_seen = done;
    atomic_store(&watch->instance->work, true);
    return true;
}

/* The event names its watch by the data alone, which several listeners may share. */
static bool is_kick_of_any(const struct instance *instance, const struct epoll_event *event) {
    bool found = false;
    WATCHES_OF(watch, instance)
    found = found || (atomic_load(&watch->data) == event->data.u64 && is_kick(watch, event));
    return found;
}

/* EPOLLONESHOT: of all the threads that were told, one may tell the server. */
static bool disarm(struct watch *watch) {
    if (!atomic_exchange(&watch->armed, false))
        return false;
    if (instance_is_mine(watch->instance) && guard_enter()) {
        shards_withdraw(watch);
        guard_leave();
    }
    return true;
}

/* What was asked for but could not be given to the kernel, as the kernel would have reported it. */
static uint32_t completed(const struct watch *watch, uint32_t events) {
    uint32_t missing = 0;
    if (events & EPOLLIN)
        missing |= EPOLLRDNORM;
    if (events & EPOLLHUP) /* a listener that was shut down */
        missing |= EPOLLRDHUP;
    return events | (watch->asked & missing);
}

/* Whether the server is to see the event; it may be changed. */
static bool admit(struct watch *watch, struct hits *hits, struct epoll_event *event,
                  struct epoll_event *place) {
    if (is_kick_of_any(watch->instance, event))
        return false;
    event->events = completed(watch, event->events);
    struct hit *hit = hit_of(hits, watch);
    if (hit) {
        hit->event->events |= event->events;
        atomic_fetch_add(&watch->ready, 1);
        return false;
    }
    if ((watch->asked & EPOLLONESHOT) && !disarm(watch))
        return false;
    if (hits->count < HITS_MOST)
        hits->hit[hits->count++] = (struct hit){watch, place};
    atomic_store(&watch->served, false);
    atomic_store(&watch->ready, 1);
    return true;
}

/* Leaves in events[] what the server is to see, in the kernel's order; returns how many. */
static int deliver(const struct instance *instance, struct epoll_event *events, int count) {
    struct hits hits = {0};
    int kept = 0;
    for (int i = 0; i < count; i++) {
        struct watch *watch = NULL;
        if (instance_filter_has(instance, events[i].data.u64))
            watch = watch_find_data(instance, events[i].data.u64);
        if (watch && !admit(watch, &hits, &events[i], &events[kept]))
            continue;
        if (kept != i)
            events[kept] = events[i];
        kept++;
    }
    return kept;
}

/* ---- the wait ---- */

static struct timespec now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time;
}

static struct timespec plus(struct timespec a, struct timespec b, int sign) {
    struct timespec sum = {a.tv_sec + sign * b.tv_sec, a.tv_nsec + sign * b.tv_nsec};
    if (sum.tv_nsec < 0 || sum.tv_nsec >= 1000000000) {
        long carry = sum.tv_nsec < 0 ? -1 : 1;
        sum.tv_sec += carry;
        sum.tv_nsec -= carry * 1000000000;
    }
    return sum;
}

static bool is_positive(struct timespec time) {
    return time.tv_sec > 0 || (time.tv_sec == 0 && time.tv_nsec > 0);
}

/* One wait; -2 stands for "nothing but our own events: wait on". */
static int wait_once(struct instance *instance, struct wait_call *call) {
    bool probing = begin(instance);
    int count = call->wait(call);
    int saved = errno;
    if (probing)
        probe(instance, false);
    if (count > 0 && atomic_load_explicit(&instance->filtered, memory_order_relaxed)) {
        count = deliver(instance, call->events, count);
        if (count == 0)
            count = -2;
    }
    errno = saved;
    return count;
}

int watch_wait(unsigned index, struct wait_call *call) {
    struct instance *instance = instance_at(index);
    bool is_timed = call->has_timeout && is_positive(call->timeout) &&
                    atomic_load_explicit(&instance->filtered, memory_order_relaxed);
    struct timespec end = {0};
    if (is_timed)
        end = plus(now(), call->timeout, 1);
    atomic_fetch_add(&instance->waiting, 1);
    int count;
    while ((count = wait_once(instance, call)) == -2) {
        if (!call->has_timeout)
            continue;
        if (is_timed)
            call->timeout = plus(end, now(), -1);
        if (!is_timed || !is_positive(call->timeout))
            call->timeout =
                (struct timespec){0}; /* one look more: it may have become ready since */
        is_timed = is_timed && is_positive(call->timeout);
    }
    atomic_fetch_sub(&instance->waiting, 1);
    watch_current = instance;
    return count;
}
