/* watch wait: a wait on an epoll instance that watches a listener, and what is said of it. */
#include "watch.h"

#include <errno.h>
#include <poll.h>

#include "clock.h"
#include "hot.h"
#include "libc.h"
#include "local.h"
#include "real.h"
#include "watch_again.h"
#include "watch_current.h"
#include "watch_events.h"
#include "watch_gather.h"
#include "watch_held.h"
#include "watch_prepare.h"
#include "watch_shards.h"
#include "watch_stand_back.h"
#include "watch_stuck.h"
#include "worker.h"
#include "worker_short.h"
#include "worker_stuck.h"

_Thread_local struct instance *watch_current;

/* What the kernel would report of the watches that it no longer knows of. */
RARE static int look_at_deaf(const struct instance *instance, const struct wait_call *call) {
    int count = 0;
    WATCHES_OF (watch, instance) {
        struct shard own = watch_shard(watch);
        if (!own.set || !shards_is_deaf(watch) || count >= call->most)
            continue;
        struct pollfd home = {.fd = set_fd(&own, watch->home, watch->fd), .events = POLLIN};
        if (real.poll(&home, 1, 0) > 0 && !(home.revents & POLLNVAL))
            call->events[count++] =
                (struct epoll_event){.events = EPOLLIN, .data.u64 = atomic_load(&watch->data)};
    }
    return count;
}

/* For so long at the most; *is_shortened: the server asked for more. */
HOT static int wait_a_turn(struct wait_call *call, int milliseconds, bool *is_shortened) {
    struct timespec turn = clock_of_milliseconds(milliseconds);
    struct timespec asked = call->timeout;
    bool was_timed = call->has_timeout;
    *is_shortened = !was_timed || clock_is_positive(clock_plus(asked, turn, -1));
    if (*is_shortened) {
        call->has_timeout = true;
        call->timeout = turn;
    }
    int count = call->wait(call);
    call->has_timeout = was_timed;
    call->timeout = asked;
    return count;
}

/* In short turns, since no connection would end it; before the next, the registration is tried
 * again. */
RARE static int wait_deaf(const struct instance *instance, struct wait_call *call) {
    bool is_shortened;
    int count = wait_a_turn(call, 50, &is_shortened);
    if (count == 0)
        count = look_at_deaf(instance, call);
    return count == 0 && is_shortened ? -2 : count;
}

/*
 * When nothing comes for a turn the wait does not go on, but the server is told that its listener
 * is readable, and finds nothing, as a member of a herd does every day: so it comes round, and is a
 * thief again at its next wait. Else a signal that comes between two turns would end neither.
 */
HOT static int wait_standing_back(struct instance *instance, struct wait_call *call) {
    bool is_shortened;
    int count = wait_a_turn(call, STAND_BACK_TURN_MS, &is_shortened);
    if (count <= 0)
        stand_back_ends(instance);
    if (count == 0 && is_shortened) /* else the rest of what the server asked for */
        count = stand_back_tell(instance, call->events) ? 1 : -2;
    return count;
}

/* Whoever finds something does not sleep, and then as many are at work as before. */
RARE static int ask_gathering(struct instance *instance, struct wait_call *call) {
    int count = again_may_sleep(call) ? again_look(call) : 0;
    if (count == 0 && again_may_sleep(call))
        gather_end_if_many_wait(instance);
    return count;
}

HOT static int wait_in(struct instance *instance, struct wait_call *call, bool gathers) {
    int count = UNLIKELY(gathers) ? ask_gathering(instance, call) : 0;
    if (UNLIKELY(count))
        return count;
    if (UNLIKELY(atomic_load_explicit(&instance->deaf, memory_order_relaxed)))
        return wait_deaf(instance, call);
    if (atomic_load(&instance->stands_back)) /* after it was counted as waiting */
        return wait_standing_back(instance, call);
    return call->wait(call);
}

/* By a clock that counts a few milliseconds at a time. */
static void note_absence(struct instance *instance, uint64_t now) {
    bool was_away = now != atomic_load_explicit(&instance->ended_ms, memory_order_relaxed);
    if (UNLIKELY(atomic_load_explicit(&instance->was_away, memory_order_relaxed) != was_away))
        atomic_store_explicit(&instance->was_away, was_away, memory_order_relaxed);
    held_note_wait(instance, was_away);
}

/* Where homes are shared it is counted who waits at each; more or less, where several threads do
 * this at once. */
HOT static void note_sitter(struct watch *watch, const struct shard_set *set, bool is_in,
                            uint64_t now) {
    int sits_at = atomic_load_explicit(&watch->sits_at, memory_order_relaxed);
    int home = watch->home;
    if (is_in && !sits_at && watch_waits_for_home(watch) && instance_is_mine(watch->instance)) {
        if (atomic_compare_exchange_strong(&watch->sits_at, &sits_at, home + 1))
            worker_sits_down(set, home);
    } else if (!is_in && sits_at && atomic_exchange(&watch->sits_at, 0) &&
               UNLIKELY(worker_gets_up(set, sits_at - 1)))
        worker_note_empty(set, sits_at - 1, now);
    if (!is_in && worker_is_to_look_beside(set, now)) /* before it serves, and looks again */
        stuck_look_beside(watch, set);
    worker_comes_by(set, now);
}

/* Whether some set gathers what is new, as most are at work. */
HOT static bool note_wait(struct instance *instance, bool begins) {
    uint64_t now = clock_coarse_ms();
    int waiting = atomic_load_explicit(&instance->waiting, memory_order_relaxed); /* this one too */
    unsigned is_in = (unsigned)(begins ? waiting : waiting - 1);
    bool gathers = false;
    if (begins)
        note_absence(instance, now);
    else
        atomic_store_explicit(&instance->ended_ms, now, memory_order_relaxed);
    WATCHES_OF (watch, instance) {
        const struct shard_set *set = atomic_load(&watch->set);
        if (UNLIKELY(!set))
            continue;
        stats_wait(set, watch->place, is_in, now);
        gathers |= set_gathers(set);
        if (UNLIKELY(worker_shares_homes(set)))
            note_sitter(watch, set, is_in, now);
        if (UNLIKELY(!watch_waits_for_home(watch)))
            continue;
        if (is_in)
            worker_is_there(set, watch->home);
        else
            worker_goes_to_work(set, watch->home, now);
    }
    return gathers;
}

/* What a wait of several shards, or of an unproven set, has brought: so much is the server's. */
HOT static int look_through(struct instance *instance, const struct wait_call *call, int count,
                            bool probing) {
    if (UNLIKELY(probing))
        prepare_end_probe(instance);
    if (LIKELY(count > 0 && atomic_load_explicit(&instance->filtered, memory_order_relaxed))) {
        count = events_deliver(instance, call->events, count, count == call->most);
        if (UNLIKELY(count == 0))
            count = -2;
    }
    return count;
}

/* Whether a wait may bring what is nothing to the server; unless another thread changes that. */
static bool may_go_on(const struct instance *instance) {
    return atomic_load_explicit(&instance->filtered, memory_order_relaxed) ||
           atomic_load_explicit(&instance->deaf, memory_order_relaxed) ||
           atomic_load_explicit(&instance->stands_back, memory_order_relaxed);
}

/* One wait; *began: when the first did, if that may be asked, or 0. -2 stands for "nothing but our
 * own events: wait on". */
HOT static int wait_once(struct instance *instance, struct wait_call *call,
                         struct timespec *began) {
    bool probing = prepare_wait(instance, !call->has_timeout || clock_is_positive(call->timeout));
    if (call->has_timeout && UNLIKELY(may_go_on(instance) && !clock_is_positive(*began)))
        *began = clock_now();
    bool gathers = note_wait(instance, true);
    int count = wait_in(instance, call, gathers);
    note_wait(instance, false); /* which keeps errno */
    return LIKELY(probing ||
                  (count > 0 && atomic_load_explicit(&instance->filtered, memory_order_relaxed)))
               ? look_through(instance, call, count, probing)
               : count;
}

enum {
    FOREVER_SECONDS = 1 << 30, /* that many cannot be told from no limit, nor overflow */
    LAST_LOOKS = 4             /* at what may have become ready since, once the time is over */
};

/* Without a locked instruction where no other thread can see it. A handler that waits in between
 * leaves it as it was; one that makes a thread which does, just then, is not provided for. */
static void count_waiting(struct instance *instance, int more) {
    if (LIKELY(IS_SINGLE_THREADED))
        atomic_store_explicit(&instance->waiting,
                              atomic_load_explicit(&instance->waiting, memory_order_relaxed) + more,
                              memory_order_relaxed);
    else
        atomic_fetch_add(&instance->waiting, more);
}

/* Of threads that do this at once some may be counted for naught, and it may even go back: who
 * compares it takes that for another wait, or for none, and is wrong about a hint at the most. */
static void count_wait(struct instance *instance) {
    atomic_store_explicit(&instance->waits,
                          atomic_load_explicit(&instance->waits, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* What is left of the time that the server asked for, once a wait, the first of which began then,
 * has brought nothing for it; false: nothing. Where nobody has read the clock, since another thread
 * has changed the instance meanwhile, all of it: too late a wait may end, but never too soon. */
RARE static bool take_off(struct wait_call *call, struct timespec asked, struct timespec *began) {
    if (!clock_is_positive(*began))
        *began = clock_now();
    struct timespec left = clock_plus(clock_plus(*began, asked, 1), clock_now(), -1);
    bool is_any = clock_is_positive(asked) && clock_is_positive(left);
    call->timeout = is_any ? left : (struct timespec){0};
    return is_any;
}

/* It may sleep, and so is announced. */
HOT static int wait_announced(struct instance *instance, struct wait_call *call) {
    if (UNLIKELY(call->timeout.tv_sec > FOREVER_SECONDS) && clock_is_valid(call->timeout))
        call->has_timeout = false;
    int count;
    int looks = 0;
    struct timespec began = {0};
    struct timespec asked = call->timeout;
    while (UNLIKELY((count = wait_once(instance, call, &began)) == -2) && looks < LAST_LOOKS)
        looks += call->has_timeout && !take_off(call, asked, &began);
    if (UNLIKELY(count == -2))
        count = 0;
    return count;
}

void watch_sleeps_elsewhere(unsigned index) {
    gather_end(instance_at(index));
}

HOT int watch_wait(unsigned index, struct wait_call *call) {
    struct instance *instance = instance_at(index);
    count_waiting(instance, 1); /* first: who changes it now sees that, or is seen */
    count_wait(instance);
    int count = again_ask(instance, call);
    if (count <= 0) {
        count = wait_announced(instance, call);
        again_note_wait(instance, count);
    }
    count_waiting(instance, -1);
    watch_current = instance;
    return count;
}
