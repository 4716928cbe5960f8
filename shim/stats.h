/*
 * stats: what the tool reads of a set in the shared memory: a place for each worker, which it
 * alone writes, and totals of those that are gone. Nothing of it decides anything, except that a
 * worker that hesitates asks whether others were idle, and a thief whose owners are at work for
 * long, or who of several at one home waits.
 */
#ifndef UNHERD_STATS_H
#define UNHERD_STATS_H

#include "hot.h"
#include "libc.h"
#include "shard_set.h"

enum { NO_PLACE = -1, NO_INSTANCE = -1 };

/* A place for a worker of this process, id being its epoll instance; NO_PLACE: there are too many.
 */
int stats_join(const struct shard_set *set, int id);

/* Its counts go to the totals. */
void stats_leave(const struct shard_set *set, int place);

/* Whether another worker has been waiting since then, and is still. */
bool stats_is_idle_since(const struct shard_set *set, int place, uint64_t then);

/* The homes of workers that have waited for so many milliseconds, and of nobody else since. */
void stats_waiting(const struct shard_set *set, uint64_t milliseconds, struct shard_bits *homes);

/* Those whose home that is, as far as they have a place: whether one waits; and since when, by
 * clock_coarse_ms(), the one is at work that is so for longest, or 0: none is. */
struct stats_sitters {
    bool one_waits;
    uint64_t at_work_since_ms;
};

struct stats_sitters stats_sitters(const struct shard_set *set, int home);

/* Whether the worker that has that place lives, as far as it may be asked, and that is its home. */
bool stats_sits(const struct shard_set *set, uint32_t place, int home);

/* The socket of a shard. */
void stats_shard(const struct shard_set *set, int shard, int fd);

/* What became of the listener, once. */
void stats_describe(const struct shard_set *set, enum mode mode, const char *address,
                    const char *why);

/* It begins a wait, or has ended one, now by clock_coarse_ms(); so many of its threads wait. */
static inline void stats_wait(const struct shard_set *set, int place, unsigned is_in,
                              uint64_t now) {
    if (place == NO_PLACE)
        return;
    struct shared_worker *worker = &set->shared->worker[place];
    atomic_store_explicit(&worker->since_ms, now, memory_order_relaxed);
    atomic_store_explicit(&worker->is_in, is_in, memory_order_relaxed);
}

/* By whoever is alone with that place: the caller holds the guard, and the place is this process's
 * own. With two locked instructions the statistics of a connection would cost half as much again
 * (make cost). */
static inline void stats_count_alone(const struct shard_set *set, int place, enum count count) {
    if (UNLIKELY(place == NO_PLACE))
        return;
    _Atomic uint64_t *counter = &set->shared->worker[place].counts[count];
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* Threads may share an epoll instance, and so a place. Children that go on with an instance of
 * their parent's share it too, and may lose a count or two; nothing else writes it. */
static inline void stats_count(const struct shard_set *set, int place, enum count count) {
    if (LIKELY(IS_SINGLE_THREADED))
        stats_count_alone(set, place, count);
    else if (place != NO_PLACE)
        atomic_fetch_add_explicit(&set->shared->worker[place].counts[count], 1,
                                  memory_order_relaxed);
}

/* Something was done otherwise than asked for. Rare: all workers share the counter. */
static inline void stats_fall_back(const struct shard_set *set, enum fallback fallback) {
    atomic_fetch_add_explicit(&set->shared->fallbacks[fallback], 1, memory_order_relaxed);
}

static inline void stats_home(const struct shard_set *set, int place, int home) {
    if (place != NO_PLACE)
        atomic_store_explicit(&set->shared->worker[place].home, (uint32_t)home,
                              memory_order_relaxed);
}

#endif
