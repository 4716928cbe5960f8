#include "worker_short.h"

#include <errno.h>

#include "clock.h"
#include "hot.h"
#include "stats.h"

/* How long it is remembered, and how old it may be before it is looked at again. */
enum { SHORT_MS = 10000, RENEWED_MS = 5000 };

/* One that was at work for so long may stay there. With less, a home is short that is found so
 * often in so many ms: on crowded CPUs all may be at work now and then. */
enum { SLOW_MS = 20, OFTEN = 3, OFTEN_MS = 1000 };

/* By other workers' clocks too, which may be a little ahead; and far ahead is long ago. */
static bool is_lately(uint32_t then, uint32_t now, uint32_t milliseconds) {
    enum { AHEAD_MS = 1000 };
    return then && now - then + AHEAD_MS < milliseconds + AHEAD_MS;
}

bool worker_is_short(const struct shard_set *set) {
    return atomic_load_explicit(&set->shared->short_ms, memory_order_relaxed);
}

static bool is_often(const struct shard_set *set, uint32_t now) {
    struct shared_budget *times = &set->shared->shorts;
    if (is_lately(atomic_load(&times->since_ms), now, OFTEN_MS))
        return atomic_fetch_add(&times->count, 1) + 1 >= OFTEN;
    atomic_store(&times->count, 1);
    atomic_store(&times->since_ms, now);
    return false;
}

/* No claim has changed: whether there is an accept mutex is known as it was. */
static void tell(const struct shard_set *set, bool at_once) {
    uint32_t before = set_advance(set);
    if (set_was_concurrent(set, before))
        set_stays_concurrent(set, before);
    if (at_once)
        set_kick(set);
}

/* Where nobody sits that is known of, it is an orphan, which all watch. */
static bool has_nobody_waiting(const struct stats_sitters *sitters) {
    return !sitters->one_waits && sitters->at_work_since_ms;
}

static bool needs_more(const struct shard_set *set, const struct stats_sitters *sitters,
                       uint64_t now) {
    return now - sitters->at_work_since_ms >= SLOW_MS || is_often(set, (uint32_t)now | 1U);
}

/* Those who leave their neighbours look when they come round. */
static void judge(const struct shard_set *set, int shard, uint32_t since, uint64_t now) {
    uint32_t stamp = (uint32_t)now | 1U; /* 0 means not lately */
    struct stats_sitters sitters = stats_sitters(set, shard);
    if (has_nobody_waiting(&sitters)) {
        if (!since && !needs_more(set, &sitters, now))
            return;
        if (atomic_compare_exchange_strong(&set->shared->short_ms, &since, stamp) && !since)
            tell(set, true);
    } else if (since && !is_lately(since, stamp, SHORT_MS) &&
               atomic_compare_exchange_strong(&set->shared->short_ms, &since, 0))
        tell(set, false);
}

RARE void worker_note_sitters(const struct shard_set *set, int shard) {
    uint64_t now = clock_coarse_ms();
    uint32_t since = atomic_load_explicit(&set->shared->short_ms, memory_order_relaxed);
    int saved = errno;
    if (!is_lately(since, (uint32_t)now | 1U, RENEWED_MS))
        judge(set, shard, since, now);
    errno = saved;
}
