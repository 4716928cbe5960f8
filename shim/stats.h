/*
 * stats: what the tool reads of a set in the shared memory: a place for each worker, which it
 * alone writes, and totals of those that are gone. Nothing of it decides anything, except that a
 * worker that hesitates asks whether others were idle.
 */
#ifndef UNHERD_STATS_H
#define UNHERD_STATS_H

#include "shard_set.h"

enum { NO_PLACE = -1 };

/* A place for a worker of this process, id being its epoll instance; NO_PLACE: there are too many.
 */
int stats_join(const struct shard_set *set, int id);

/* Its counts go to the totals. */
void stats_leave(const struct shard_set *set, int place);

/* It begins a wait, or has ended one, now by clock_coarse_ms(). */
void stats_wait(const struct shard_set *set, int place, bool is_in, uint64_t now);

/* Whether another worker has been waiting since then, and is still. */
bool stats_is_idle_since(const struct shard_set *set, int place, uint64_t then);

/* The socket of a shard. */
void stats_shard(const struct shard_set *set, int shard, int fd);

/* What became of the listener, once. */
void stats_describe(const struct shard_set *set, enum mode mode, const char *address,
                    const char *why);

static inline void stats_count(const struct shard_set *set, int place, enum count count) {
    if (place != NO_PLACE)
        atomic_fetch_add_explicit(&set->shared->worker[place].counts[count], 1,
                                  memory_order_relaxed);
}

static inline void stats_home(const struct shard_set *set, int place, int home) {
    if (place != NO_PLACE)
        atomic_store_explicit(&set->shared->worker[place].home, (uint32_t)home,
                              memory_order_relaxed);
}

#endif
