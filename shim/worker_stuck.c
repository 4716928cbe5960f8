#include "worker_stuck.h"

#include "clock.h"
#include "stats.h"

/* Longer than an honest request keeps an owner from its shard; shorter than a client's patience. */
enum { STUCK_MS = 100 };

/* Longer than an owner that has enough to do stays away from its shard; and for how long it is
 * remembered that one did. */
enum { SLOW_MS = 20, REMEMBERED_MS = 2000 };

static uint32_t milliseconds(void) {
    return (uint32_t)clock_coarse_ms() | 1U; /* 0 means never */
}

static _Atomic uint32_t *stolen_since(const struct shard_set *set, int shard) {
    return &set->shared->shards[shard].stolen_since;
}

void worker_is_there(const struct shard_set *set, int shard) {
    _Atomic uint32_t *since = stolen_since(set, shard);
    if (atomic_load_explicit(since, memory_order_relaxed))
        atomic_store_explicit(since, 0, memory_order_relaxed);
}

bool worker_took_stolen(const struct shard_set *set, int shard) {
    uint32_t now = milliseconds();
    uint32_t since = 0;
    if (atomic_compare_exchange_strong(stolen_since(set, shard), &since, now))
        return false;
    if (now - since >= SLOW_MS)
        atomic_store_explicit(&set->shared->slow_ms, now, memory_order_relaxed);
    return now - since >= STUCK_MS && now - worker_stuck_news(set) >= STUCK_MS;
}

void worker_tell_stuck(const struct shard_set *set) {
    atomic_store_explicit(&set->shared->stuck_ms, milliseconds(), memory_order_relaxed);
}

uint32_t worker_stuck_news(const struct shard_set *set) {
    return atomic_load_explicit(&set->shared->stuck_ms, memory_order_relaxed);
}

bool worker_sees_slow(const struct shard_set *set) {
    uint32_t since = atomic_load_explicit(&set->shared->slow_ms, memory_order_relaxed);
    return since && milliseconds() - since < REMEMBERED_MS;
}

void worker_stuck(const struct shard_set *set, const struct shard_bits *queued,
                  struct shard_bits *stuck) {
    uint32_t now = milliseconds();
    struct shard_bits waiting;
    stats_unchanged(set, STUCK_MS, stuck, &waiting);
    for (int i = 0; i < set->count; i++) {
        uint32_t since = atomic_load_explicit(stolen_since(set, i), memory_order_relaxed);
        if ((since && now - since >= STUCK_MS) || (bits_has(&waiting, i) && bits_has(queued, i)))
            bits_add(stuck, i);
    }
}
