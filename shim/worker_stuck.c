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

static struct shared_shard *shard_of(const struct shard_set *set, int shard) {
    return &set->shared->shards[shard];
}

static bool is_older(const _Atomic uint32_t *since, uint32_t now, uint32_t age) {
    uint32_t then = atomic_load_explicit(since, memory_order_relaxed);
    return then && now - then >= age;
}

static void put(_Atomic uint32_t *since, uint32_t value) {
    if (atomic_load_explicit(since, memory_order_relaxed) != value)
        atomic_store_explicit(since, value, memory_order_relaxed);
}

void worker_took_home(const struct shard_set *set, int shard) {
    put(&shard_of(set, shard)->stolen_since, 0);
}

void worker_is_there(const struct shard_set *set, int shard) {
    put(&shard_of(set, shard)->stolen_since, 0);
    put(&shard_of(set, shard)->at_work_since, 0);
}

void worker_goes_to_work(const struct shard_set *set, int shard) {
    put(&shard_of(set, shard)->at_work_since, milliseconds());
}

bool worker_comes_soon(const struct shard_set *set, int shard) {
    uint32_t now = milliseconds();
    return !is_older(&shard_of(set, shard)->stolen_since, now, SLOW_MS) &&
           !is_older(&shard_of(set, shard)->at_work_since, now, SLOW_MS);
}

bool worker_took_stolen(const struct shard_set *set, int shard) {
    uint32_t now = milliseconds();
    uint32_t since = 0;
    if (atomic_compare_exchange_strong(&shard_of(set, shard)->stolen_since, &since, now))
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
    *stuck = (struct shard_bits){0};
    stats_waiting(set, STUCK_MS, &waiting);
    for (int i = 0; i < set->count; i++)
        if (is_older(&shard_of(set, i)->stolen_since, now, STUCK_MS) ||
            is_older(&shard_of(set, i)->at_work_since, now, STUCK_MS) ||
            (bits_has(&waiting, i) && bits_has(queued, i)))
            bits_add(stuck, i);
}
