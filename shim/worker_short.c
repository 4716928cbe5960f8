#include "worker_short.h"

#include <errno.h>

#include "clock.h"
#include "stats.h"

/* How long it is remembered, and how old it may be before it is looked at again. */
enum { SHORT_MS = 10000, RENEWED_MS = 5000 };

/* Who was at work for so long may stay there. With less, homes are short where a thief finds nobody
 * so often in so many ms: on crowded CPUs all may be at work now and then. */
enum { SLOW_MS = 20, OFTEN = 3, OFTEN_MS = 1000 };

/* For so long the pace says how much there is to do. */
enum { PACED_MS = 100 };

static struct shared_shard *shard_of(const struct shard_set *set, int shard) {
    return &set->shared->shards[shard];
}

static uint32_t stamp_of(uint64_t now) {
    return (uint32_t)now | 1U; /* 0 means never */
}

/* By other workers' clocks too, which may be a little ahead; and far ahead is long ago. */
static bool is_lately(uint32_t then, uint32_t now, uint32_t milliseconds) {
    enum { AHEAD_MS = 1000 };
    return then && now - then + AHEAD_MS < milliseconds + AHEAD_MS;
}

bool worker_is_short(const struct shard_set *set) {
    return atomic_load_explicit(&set->shared->short_ms, memory_order_relaxed);
}

/* No claim has changed: whether there is an accept mutex is known as it was. */
static void tell(const struct shard_set *set, bool at_once) {
    uint32_t before = set_advance(set);
    if (set_was_concurrent(set, before))
        set_stays_concurrent(set, before);
    if (at_once)
        set_kick(set);
}

/* From now on, or still. */
static void see_short(const struct shard_set *set, uint32_t now) {
    uint32_t since = atomic_load(&set->shared->short_ms);
    if (!set_steal(set) || is_lately(since, now, RENEWED_MS))
        return;
    if (atomic_compare_exchange_strong(&set->shared->short_ms, &since, now) && !since)
        tell(set, true);
}

/* By what the statistics know, and the kernel of who lives; the count, which some of those who were
 * killed are in, is set right. */
static struct stats_sitters look_at(const struct shard_set *set, int home) {
    _Atomic int32_t *sitting = &shard_of(set, home)->sitting;
    int32_t counted = atomic_load(sitting);
    struct stats_sitters sitters = stats_sitters(set, home);
    if (counted > 0 && !sitters.one_waits)
        atomic_compare_exchange_strong(sitting, &counted, 0);
    return sitters;
}

/* Those who sit there are at work, all of them. Where nobody is at work it is an orphan, or one
 * that is missed by others (worker_lost()). */
static bool is_left_by_all(const struct stats_sitters *sitters) {
    return !sitters->one_waits && sitters->at_work_since_ms;
}

static bool is_empty(const struct shard_set *set, int home) {
    struct stats_sitters sitters = look_at(set, home);
    return is_left_by_all(&sitters);
}

/* ---- the last goes to work ---- */

/* All who wait come out of their waits, and back. */
static bool was_kicked(const struct shard_set *set, uint32_t now) {
    return is_lately(atomic_load_explicit(&set->shared->kicked_ms, memory_order_relaxed), now,
                     SLOW_MS);
}

/* Turns are longer than one connection: thousands come in a second. */
static bool has_much_to_do(const struct shard_set *set, uint32_t now) {
    return atomic_load_explicit(&set->shared->turn, memory_order_relaxed) > 1 &&
           is_lately(atomic_load_explicit(&set->shared->paced_ms, memory_order_relaxed), now,
                     PACED_MS);
}

/* What the count says, of which those are missing who wait since before any home was shared, is
 * looked at. Whoever leaves a home says so of it first, and then finds a doubt or begins one. */
RARE void worker_note_empty(const struct shard_set *set, int home, uint64_t now) {
    uint32_t stamp = stamp_of(now);
    uint32_t none = 0;
    int saved = errno;
    if (is_lately(atomic_load(&set->shared->short_ms), stamp, RENEWED_MS))
        return;
    if (was_kicked(set, stamp) || has_much_to_do(set, stamp)) {
        atomic_store(&shard_of(set, home)->empty_ms, stamp);
        if (!atomic_load(&set->shared->doubt_ms))
            atomic_compare_exchange_strong(&set->shared->doubt_ms, &none, stamp);
    } else if (is_empty(set, home))
        see_short(set, stamp);
    errno = saved;
}

HOT void worker_sits_down(const struct shard_set *set, int home) {
    struct shared_shard *its = shard_of(set, home);
    atomic_fetch_add(&its->sitting, 1);
    if (UNLIKELY(atomic_load_explicit(&its->empty_ms, memory_order_relaxed)))
        atomic_store(&its->empty_ms, 0);
}

/* Less than nobody may sit there by the count alone, which then begins anew. */
HOT bool worker_gets_up(const struct shard_set *set, int home) {
    _Atomic int32_t *sitting = &shard_of(set, home)->sitting;
    int32_t left = atomic_fetch_sub(sitting, 1) - 1;
    if (UNLIKELY(left < 0))
        atomic_compare_exchange_strong(sitting, &left, 0);
    return left <= 0;
}

/* Whether any home is empty since a while ago; *later: one is since then, 0: none. */
static bool find_empty(const struct shard_set *set, uint32_t now, uint32_t *later) {
    bool any = false;
    *later = 0;
    for (int i = 0; i < set->count; i++) {
        uint32_t since = atomic_load(&shard_of(set, i)->empty_ms);
        if (since && is_lately(since, now, SLOW_MS))
            *later = since;
        else if (since && is_empty(set, i))
            any = true;
    }
    return any;
}

/* The doubt ends before it is looked, so that none is lost that begins meanwhile. */
RARE void worker_look_at_homes(const struct shard_set *set, uint64_t now) {
    uint32_t stamp = stamp_of(now);
    uint32_t doubt = atomic_load(&set->shared->doubt_ms);
    uint32_t none = 0;
    uint32_t later;
    if (!doubt || is_lately(doubt, stamp, SLOW_MS) ||
        !atomic_compare_exchange_strong(&set->shared->doubt_ms, &doubt, 0))
        return;
    int saved = errno;
    if (find_empty(set, stamp, &later))
        see_short(set, stamp);
    if (later)
        atomic_compare_exchange_strong(&set->shared->doubt_ms, &none, later);
    errno = saved;
}

HOT bool worker_is_to_look_beside(const struct shard_set *set, uint64_t now) {
    enum { LOOKS_MS = 100 };
    uint32_t stamp = stamp_of(now);
    uint32_t last = atomic_load_explicit(&set->shared->beside_ms, memory_order_relaxed);
    return UNLIKELY(!is_lately(last, stamp, LOOKS_MS)) && !worker_is_short(set) && set_steal(set) &&
           atomic_compare_exchange_strong(&set->shared->beside_ms, &last, stamp);
}

/* ---- a thief finds nobody ---- */

static bool is_often(const struct shard_set *set, uint32_t now) {
    struct shared_budget *times = &set->shared->shorts;
    if (is_lately(atomic_load(&times->since_ms), now, OFTEN_MS))
        return atomic_fetch_add(&times->count, 1) + 1 >= OFTEN;
    atomic_store(&times->count, 1);
    atomic_store(&times->since_ms, now);
    return false;
}

static bool is_slow(const struct stats_sitters *sitters, uint64_t now) {
    return (int64_t)(now - sitters->at_work_since_ms) >= SLOW_MS;
}

/* Nobody says so of a home while homes are short; so all are looked at before that ends. */
static bool any_is_empty(const struct shard_set *set) {
    for (int i = 0; i < set->count; i++)
        if (set_is_listening(set, i) && atomic_load(&shard_of(set, i)->sitting) <= 0 &&
            is_empty(set, i))
            return true;
    return false;
}

/* Those who are to watch less look when they come round. */
static void end_short(const struct shard_set *set, uint32_t since, uint32_t now) {
    if (atomic_load(&set->shared->doubt_ms))
        return;
    if (any_is_empty(set))
        see_short(set, now);
    else if (atomic_compare_exchange_strong(&set->shared->short_ms, &since, 0))
        tell(set, false);
}

static void judge(const struct shard_set *set, int shard, uint32_t since, uint64_t now) {
    uint32_t stamp = stamp_of(now);
    struct stats_sitters sitters = look_at(set, shard);
    if (is_left_by_all(&sitters)) {
        if (since || is_slow(&sitters, now) || is_often(set, stamp))
            see_short(set, stamp);
    } else if (since && !is_lately(since, stamp, SHORT_MS))
        end_short(set, since, stamp);
}

RARE void worker_note_theft(const struct shard_set *set, int shard) {
    uint64_t now = clock_coarse_ms();
    uint32_t since = atomic_load_explicit(&set->shared->short_ms, memory_order_relaxed);
    int saved = errno;
    if (!is_lately(since, stamp_of(now), RENEWED_MS))
        judge(set, shard, since, now);
    errno = saved;
}

/* ---- who watches from elsewhere ---- */

bool worker_is_second(const struct shard_set *set, int home, int place) {
    _Atomic uint32_t *second = &shard_of(set, home)->second;
    uint32_t holder = atomic_load(second);
    if (place == NO_PLACE)
        return false;
    if (holder && (holder == (uint32_t)place + 1 || stats_sits(set, holder - 1, home)))
        return holder == (uint32_t)place + 1;
    return atomic_compare_exchange_strong(second, &holder, (uint32_t)place + 1);
}

void worker_is_second_no_more(const struct shard_set *set, int home, int place) {
    uint32_t holder = (uint32_t)place + 1;
    if (place != NO_PLACE &&
        atomic_compare_exchange_strong(&shard_of(set, home)->second, &holder, 0))
        tell(set, false); /* whoever comes round next is it */
}
