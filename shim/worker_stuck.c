#include "worker_stuck.h"

#include "clock.h"
#include "hot.h"
#include "stats.h"
#include "worker.h"

/* Longer than an honest request keeps an owner from its shard; shorter than a client's patience. */
enum { STUCK_MS = 100 };

/* Longer than an owner waits for a CPU where it has one neighbour or two. */
enum { AWAY_MS = 50 };

/* Longer than an owner that has enough to do stays away from its shard; and for how long it is
 * remembered that one did. */
enum { SLOW_MS = 20, REMEMBERED_MS = 2000 };

/* Even, and so no time. */
enum { GAVE_BACK = 2 };

static uint32_t milliseconds(void) {
    return (uint32_t)clock_coarse_ms() | 1U; /* 0 means never */
}

static struct shared_shard *shard_of(const struct shard_set *set, int shard) {
    return &set->shared->shards[shard];
}

/* Another may have read its clock later than `now` was read. */
static bool is_past(uint32_t then, uint32_t now, int32_t age) {
    return (int32_t)(now - then) >= age;
}

static bool is_older(const _Atomic uint32_t *since, uint32_t now, int32_t age) {
    uint32_t then = atomic_load_explicit(since, memory_order_relaxed);
    return (then & 1U) && is_past(then, now, age);
}

/*
 * An owner that waits is woken for what comes to its shard, and finds it gone where somebody was up
 * already, without a return from its wait; on crowded CPUs that is common, and where little comes
 * to a shard it may be long from one such time to the next. So often in a row, or for so long, it
 * is not late: it was stopped in its wait.
 */
enum { LATE_MOST = 8, LATE_MS = 1000 };

static bool is_only_late(const struct shard_set *set, int shard, uint32_t now) {
    const struct shared_shard *its = shard_of(set, shard);
    uint32_t at_work = atomic_load_explicit(&its->at_work_since, memory_order_relaxed);
    if (at_work)
        return at_work != GAVE_BACK;
    return atomic_load_explicit(&its->stolen_in_a_row, memory_order_relaxed) < LATE_MOST &&
           !is_older(&its->stolen_since, now, LATE_MS);
}

/* Its owner was not there for so long; of several that sit there the one that went last, and none
 * has come since. */
static bool is_away(const struct shard_set *set, int shard, uint32_t now, int32_t age) {
    const struct shared_shard *its = shard_of(set, shard);
    return is_older(&its->at_work_since, now, age) ||
           (is_older(&its->stolen_since, now, age) && !is_only_late(set, shard, now));
}

static void put(_Atomic uint32_t *since, uint32_t value) {
    if (UNLIKELY(atomic_load_explicit(since, memory_order_relaxed) != value))
        atomic_store_explicit(since, value, memory_order_relaxed);
}

HOT void worker_took_home(const struct shard_set *set, int shard) {
    put(&shard_of(set, shard)->stolen_since, 0);
}

HOT void worker_is_there(const struct shard_set *set, int shard) {
    put(&shard_of(set, shard)->stolen_since, 0);
    put(&shard_of(set, shard)->at_work_since, 0);
}

void worker_is_gone(const struct shard_set *set, int shard) {
    put(&shard_of(set, shard)->stolen_since, 0);
    put(&shard_of(set, shard)->at_work_since, GAVE_BACK);
}

bool worker_was_given_back(const struct shard_set *set, int shard) {
    return atomic_load(&shard_of(set, shard)->at_work_since) == GAVE_BACK;
}

HOT void worker_goes_to_work(const struct shard_set *set, int shard, uint64_t now) {
    put(&shard_of(set, shard)->at_work_since, (uint32_t)now | 1U);
}

bool worker_comes_soon(const struct shard_set *set, int shard) {
    return !is_away(set, shard, milliseconds(), SLOW_MS);
}

/*
 * So often in so many ms: a wake-up of all who wait for a shard, and a look at several. What helps
 * where an owner is away is done whenever it may help; with many shards no more often than so, and
 * wake-ups the more seldom the more there are to be woken.
 */
enum { SPENDS_MOST = 32, SPENDS_MOST_AWAY = 128, SPENDS_MS = 100, FULL_SHARDS = 16 };

static bool spend(struct shared_budget *budget, uint32_t most, uint32_t now) {
    uint32_t since = atomic_load_explicit(&budget->since_ms, memory_order_relaxed);
    if (since && !is_past(since, now, SPENDS_MS) && is_past(since, now, -SPENDS_MS))
        return atomic_load_explicit(&budget->count, memory_order_relaxed) < most &&
               atomic_fetch_add_explicit(&budget->count, 1, memory_order_relaxed) < most;
    atomic_store_explicit(&budget->count, 1, memory_order_relaxed);
    atomic_store_explicit(&budget->since_ms, now, memory_order_relaxed);
    return true;
}

/*
 * An owner that went to work just now may stay there, so nothing is left to it as long as there is
 * little to do. Under full load everybody is told of several shards all the time, and all owners
 * come soon.
 */
bool worker_passes_on(const struct shard_set *set, int shard) {
    if (worker_comes_soon(set, shard))
        return spend(&set->shared->passes, SPENDS_MOST, milliseconds());
    return set->count <= FULL_SHARDS ||
           spend(&set->shared->rescues, (uint32_t)(SPENDS_MOST_AWAY * FULL_SHARDS / set->count),
                 milliseconds());
}

bool worker_may_look(const struct shard_set *set) {
    return spend(&set->shared->looks, SPENDS_MOST, milliseconds());
}

bool worker_may_look_for_slow(const struct shard_set *set) {
    return set->count <= FULL_SHARDS ||
           spend(&set->shared->searches, SPENDS_MOST_AWAY, milliseconds());
}

bool worker_may_gather(const struct shard_set *set) {
    return spend(&set->shared->gatherings, SPENDS_MOST, milliseconds());
}

/* Where several sit the last one that came or went has said so of them all. */
static bool is_at_work(const struct shard_set *set, int shard) {
    const struct shared_shard *its = shard_of(set, shard);
    return (atomic_load_explicit(&its->at_work_since, memory_order_relaxed) ||
            atomic_load_explicit(&its->stolen_since, memory_order_relaxed)) &&
           !worker_is_shared(set, shard);
}

/* Of how many shards that listen, and that somebody owns, the owner waits. */
struct waiting {
    int count, of;
};

enum { FEW_PART = 4, MANY_PART = 2 };

/* Who was not there for so long is stuck, or was killed, which leaves no word. */
enum { LONG_MS = 1000 };

/* No further than to more than that part of the set's shards: with little to do most wait, and a
 * look at each of many shards would be dear for a connection. */
static struct waiting count_waiting(const struct shard_set *set, int part, bool with_long_away) {
    struct waiting waiting = {0};
    uint32_t now = milliseconds();
    for (int i = 0; i < set->count && waiting.count <= set->count / part; i++) {
        if (!set_is_listening(set, i) || worker_was_given_back(set, i) ||
            (!with_long_away && is_away(set, i, now, LONG_MS)))
            continue;
        waiting.of++;
        waiting.count += !is_at_work(set, i);
    }
    return waiting;
}

bool worker_few_wait(const struct shard_set *set) {
    struct waiting waiting = count_waiting(set, FEW_PART, true);
    return waiting.of > 1 && waiting.count * FEW_PART <= waiting.of && !worker_many_wait(set);
}

bool worker_many_wait(const struct shard_set *set) {
    struct waiting waiting = count_waiting(set, MANY_PART, false);
    return waiting.count * MANY_PART > waiting.of;
}

/* Where several sit they take turns with the thieves, although they are there: a steal tells
 * nothing of how soon they come. That they are stopped in their waits it may tell all the same. */
static bool is_waited_for(const struct shard_set *set, int shard) {
    return worker_is_shared(set, shard) &&
           !atomic_load_explicit(&shard_of(set, shard)->at_work_since, memory_order_relaxed);
}

/* An owner beside whom others sit may stand behind the thieves, who are woken although it waits. */
HOT bool worker_is_first_in_line(const struct shard_set *set, int shard) {
    const struct shared_shard *its = shard_of(set, shard);
    return !atomic_load_explicit(&its->at_work_since, memory_order_relaxed) &&
           !atomic_load_explicit(&its->stolen_since, memory_order_relaxed) &&
           !worker_is_shared(set, shard);
}

/* Whether it is the first since its owner was there. Of two at once one may not be counted. */
static bool count_stolen(struct shared_shard *its, uint32_t now) {
    uint32_t since = 0;
    bool is_first = atomic_compare_exchange_strong(&its->stolen_since, &since, now);
    uint32_t before =
        is_first ? 0 : atomic_load_explicit(&its->stolen_in_a_row, memory_order_relaxed);
    atomic_store_explicit(&its->stolen_in_a_row, before + 1, memory_order_relaxed);
    return is_first;
}

HOT bool worker_took_stolen(const struct shard_set *set, int shard) {
    uint32_t now = milliseconds();
    if (count_stolen(shard_of(set, shard), now))
        return false;
    uint32_t news = worker_stuck_news(set);
    if (is_away(set, shard, now, SLOW_MS) && !is_waited_for(set, shard))
        atomic_store_explicit(&set->shared->slow_ms, now, memory_order_relaxed);
    return is_older(&shard_of(set, shard)->stolen_since, now, STUCK_MS) &&
           (news == 0 || is_past(news, now, (int32_t)worker_stuck_interval(set)));
}

uint32_t worker_stuck_interval(const struct shard_set *set) {
    enum { SHARDS_QUICK = 32 };
    return STUCK_MS * (1 + (uint32_t)set->count / SHARDS_QUICK);
}

void worker_tell_stuck(const struct shard_set *set) {
    atomic_store_explicit(&set->shared->stuck_ms, milliseconds(), memory_order_relaxed);
}

uint32_t worker_stuck_news(const struct shard_set *set) {
    return atomic_load_explicit(&set->shared->stuck_ms, memory_order_relaxed);
}

bool worker_still_sees_slow(const struct shard_set *set) {
    uint32_t since = atomic_load_explicit(&set->shared->slow_ms, memory_order_relaxed);
    if (since && milliseconds() - since < REMEMBERED_MS)
        return true;
    /* Forgotten, so that nobody has to look at the clock for it; unless it was seen again. */
    atomic_compare_exchange_strong(&set->shared->slow_ms, &since, 0);
    return false;
}

static void find_away(const struct shard_set *set, int32_t age, const struct shard_bits *queued,
                      struct shard_bits *away) {
    uint32_t now = milliseconds();
    struct shard_bits waiting = {0};
    *away = (struct shard_bits){0};
    if (bits_count(queued))
        stats_waiting(set, (uint64_t)age, &waiting);
    for (int i = 0; i < set->count; i++)
        if (is_away(set, i, now, age) || (bits_has(&waiting, i) && bits_has(queued, i)))
            bits_add(away, i);
}

void worker_stuck(const struct shard_set *set, const struct shard_bits *queued,
                  struct shard_bits *stuck) {
    find_away(set, STUCK_MS, queued, stuck);
}

void worker_away(const struct shard_set *set, const struct shard_bits *queued,
                 struct shard_bits *away) {
    find_away(set, AWAY_MS, queued, away);
}
