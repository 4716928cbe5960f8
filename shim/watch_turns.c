#include "watch_turns.h"

#include "hot.h"
#include "local.h"
#include "real.h"
#include "watch_shards.h"
#include "worker.h"

/* They come and go without a word, each of which would wake everybody. */
static void note_sharers(struct watch *watch, const struct shard_set *set) {
    if (!watch->has_home || watch->seen_sharers == worker_sharers(set, watch->home))
        return;
    watch->seen_generation = 0; /* it is to watch more neighbours, or fewer */
    atomic_store(&watch->instance->work, WORK);
}

/*
 * To the end of the shard's queue of waiters, and at once, not before the next wait: whoever is not
 * woken for the next connection must not be told of it either, when it comes round to wait while
 * the one that was woken is still on its way. Once for each wait; a loop of accepts leaves the
 * rest to the next one, and so does a handler that came while the guard was held.
 */
HOT static void rotate(struct watch *watch, const struct shard_set *set, int shard) {
    struct instance *instance = watch->instance;
    uint32_t wait = atomic_load_explicit(&instance->waits, memory_order_relaxed);
    bool is_first = atomic_exchange(&watch->rotated_in, wait) != wait;
    if (is_first && instance_is_mine(instance) && guard_enter()) {
        if (atomic_load(&watch->set) == set) { /* another thread may have ended it */
            shards_rotate(watch, shard);
            note_sharers(watch, set);
        }
        guard_leave();
        return;
    }
    atomic_fetch_or(&watch->to_rotate[shard / 64], UINT64_C(1) << (shard % 64));
    atomic_store(&instance->work, WORK);
}

enum {
    LOOKS_BACK_MS = 25,
    OLD_MS = 100,
    FEW_A_SECOND = 2500,
    MORE_FOR_EACH = 400,
    ROUND_MS = 400,
    LONGEST = 64
};

/* By other workers' clocks too, which may be a little ahead; and far ahead is long ago. */
static bool is_past(uint32_t then, uint32_t now, int32_t age) {
    int32_t passed = (int32_t)(now - then);
    return passed >= age || passed < -1000;
}

/* The pace of a while ago says nothing of what comes now. */
static uint32_t turn_of(const struct shard_set *set, uint32_t now) {
    const struct shared *shared = set->shared;
    uint32_t turn = atomic_load_explicit(&shared->turn, memory_order_relaxed);
    uint32_t paced = atomic_load_explicit(&shared->paced_ms, memory_order_relaxed);
    bool is_old = is_past(paced, now, OLD_MS);
    return turn < 1 || is_old ? 1 : turn > LONGEST ? LONGEST : turn;
}

/*
 * One, unless more than 2500 connections come in a second; above that one more for every 400. To
 * rotate costs two system calls, a tenth of what a small answer costs altogether, and a switch to a
 * worker that has nothing of its own in the CPU's caches; but with less to do, a worker that is
 * given the next connection at once may be busy with the last. And never so many that a worker's
 * turn does not come round in two fifths of a second.
 */
uint32_t turns_for(uint64_t taken, uint64_t milliseconds, uint64_t workers) {
    uint64_t a_second = taken * 1000 / milliseconds;
    uint64_t more = a_second > FEW_A_SECOND ? (a_second - FEW_A_SECOND) / MORE_FOR_EACH : 0;
    uint64_t for_round = taken * ROUND_MS / (milliseconds * (workers ? workers : 1));
    uint64_t turn = 1 + more < for_round ? 1 + more : for_round;
    return turn < 1 ? 1 : turn < LONGEST ? (uint32_t)turn : LONGEST;
}

/*
 * Chosen anew every few milliseconds, so that a burst after a pause, which may be of connections
 * that are kept for long, is dealt out one by one. And it is the same for all: whoever had longer
 * turns than others would have more of the work, and so longer turns. It stays one where workers do
 * not see each other's.
 */
RARE static void choose_turn(const struct shard_set *set, uint32_t turn, uint32_t now) {
    struct shared *shared = set->shared;
    uint32_t since = atomic_load_explicit(&shared->paced_ms, memory_order_relaxed);
    uint64_t turns = atomic_fetch_add_explicit(&shared->turns, 1, memory_order_relaxed) + 1;
    if (!is_past(since, now, LOOKS_BACK_MS) ||
        atomic_load_explicit(&shared->is_apart, memory_order_relaxed) ||
        !atomic_compare_exchange_strong(&shared->paced_ms, &since, now))
        return;
    uint32_t workers = atomic_load_explicit(&shared->workers, memory_order_relaxed);
    atomic_store_explicit(&shared->turn, turns_for(turns * turn, now - since, workers),
                          memory_order_relaxed);
    atomic_store_explicit(&shared->turns, 0, memory_order_relaxed);
}

/* Whether that ends the worker's turn. */
HOT static bool is_last(const struct watch *watch, const struct shard_set *set,
                        _Atomic uint32_t *taken, uint32_t every) {
    uint32_t now = (uint32_t)atomic_load_explicit(&watch->instance->ended_ms, memory_order_relaxed);
    uint32_t turn = turn_of(set, now);
    uint32_t count = atomic_load_explicit(taken, memory_order_relaxed) + 1;
    bool is_over = count >= (every > turn ? every : turn);
    atomic_store_explicit(taken, is_over ? 0 : count, memory_order_relaxed);
    if (is_over)
        choose_turn(set, turn, now);
    return is_over;
}

HOT void turns_count_taken(struct watch *watch, const struct shard_set *set, int shard) {
    unsigned every = set_policy(set).rotate;
    if (!every || atomic_load_explicit(&set->shared->workers, memory_order_relaxed) < 2)
        return;
    if (!watch_is_off(watch, set) && is_last(watch, set, &watch->taken, every))
        rotate(watch, set, shard);
}

/* Those who share a home go to the end of its line when their turns are over, behind the thieves.
 * So that it is theirs nevertheless, a thief's turn there is one connection, and theirs are longer.
 */
HOT void turns_count_stolen(struct watch *watch, const struct shard_set *set, int shard) {
    if (watch_is_off(watch, set))
        return;
    if (worker_is_shared(set, shard) || is_last(watch, set, &watch->stolen, 1))
        rotate(watch, set, shard);
}

/* Whether the kernel has told the instance of connections, asked without a wait. A kick that comes
 * along is not reported again. */
RARE static bool is_told_now(const struct watch *watch) {
    struct epoll_event events[16];
    bool is_told = false;
    int count = real.epoll_wait(watch->instance->epfd, events, 16, 0);
    for (int i = 0; i < count; i++) {
        if (events[i].events & EPOLLOUT)
            atomic_store(&watch->instance->work, WORK);
        else
            is_told |= events[i].data.u64 == atomic_load(&watch->data);
    }
    return is_told;
}

/*
 * Servers that wait with poll or select try accept before they wait (gunicorn, unicorn), and would
 * snatch the connection for which another worker has just been woken. One of which this worker was
 * not told is that worker's: there is nothing to be had. A worker that was passed over, because it
 * was busy, was told too.
 */
HOT bool turns_is_anothers(struct watch *watch, const struct accept_call *call,
                           const struct shard *own) {
    if (!watch->instance->is_own || !instance_is_mine(watch->instance) ||
        set_mode(own->set) != MODE_EXCLUSIVE)
        return false;
    if (atomic_load(&watch->told) || set_blocks(own->set, own->number, call->fd))
        return false;
    return !is_told_now(watch);
}

/* Once for each wait, and not where that has brought a connection: who accepts until there is none
 * left was not woken in vain. */
void turns_count_empty(struct watch *watch, const struct shard_set *set) {
    uint32_t wait = atomic_load_explicit(&watch->instance->waits, memory_order_relaxed);
    if (atomic_load_explicit(&watch->counted_in, memory_order_relaxed) == wait)
        return;
    stats_count(set, watch->place, COUNT_EMPTY);
    if (atomic_load_explicit(&watch->found_in, memory_order_relaxed) == wait &&
        worker_is_not_alone(set, watch->looked_generation))
        set_kick(set);
}

/* What is counted of this wait is counted. */
HOT bool turns_note_counted(struct watch *watch) {
    uint32_t wait = atomic_load_explicit(&watch->instance->waits, memory_order_relaxed);
    uint32_t before = atomic_load_explicit(&watch->counted_in, memory_order_relaxed);
    if (before != wait)
        atomic_store_explicit(&watch->counted_in, wait, memory_order_relaxed);
    return before != wait;
}
