#include "watch_again.h"

#include "clock.h"
#include "hot.h"
#include "watch_events.h"

enum { PAID_MOST = 4 };

/* And does not fail: of a limit that is none the kernel says so. */
bool again_may_sleep(const struct wait_call *call) {
    return !call->has_timeout ||
           (clock_is_positive(call->timeout) && clock_is_valid(call->timeout));
}

/*
 * Only within the tick of the clock in which it was last announced: what others know of it is never
 * older than that, nor what it knows of them. And not where a wait is more than that.
 */
HOT static bool is_to_ask(const struct instance *instance, const struct wait_call *call) {
    return atomic_load_explicit(&instance->asks, memory_order_relaxed) && again_may_sleep(call) &&
           !atomic_load_explicit(&instance->work, memory_order_relaxed) &&
           !atomic_load_explicit(&instance->probing, memory_order_relaxed) &&
           !atomic_load_explicit(&instance->deaf, memory_order_relaxed) &&
           atomic_load_explicit(&instance->ended_ms, memory_order_relaxed) == clock_coarse_ms();
}

HOT int again_look(struct wait_call *call) {
    struct timespec timeout = call->timeout;
    bool has_timeout = call->has_timeout;
    call->timeout = (struct timespec){0};
    call->has_timeout = true;
    int count = call->wait(call);
    call->timeout = timeout;
    call->has_timeout = has_timeout;
    return count;
}

static void put_asks(struct instance *instance, unsigned asks) {
    if (atomic_load_explicit(&instance->asks, memory_order_relaxed) != asks)
        atomic_store_explicit(&instance->asks, (uint8_t)asks, memory_order_relaxed);
}

/* An ask that finds nothing costs about what one that finds something spares. */
HOT static void note_ask(struct instance *instance, bool paid) {
    unsigned asks = atomic_load_explicit(&instance->asks, memory_order_relaxed);
    put_asks(instance, !paid ? asks / 2 : asks < PAID_MOST ? asks + 1 : PAID_MOST);
}

/* Who sleeps may have been woken for what it does not take: watch_choice.h. */
static void put_has_slept(struct instance *instance, bool has_slept) {
    if (UNLIKELY(atomic_load_explicit(&instance->has_slept, memory_order_relaxed) != has_slept))
        atomic_store_explicit(&instance->has_slept, has_slept, memory_order_relaxed);
}

HOT int again_ask(struct instance *instance, struct wait_call *call) {
    if (!is_to_ask(instance, call)) {
        put_has_slept(instance, again_may_sleep(call));
        return 0;
    }
    if (UNLIKELY(atomic_load_explicit(&instance->was_away, memory_order_relaxed)))
        atomic_store_explicit(&instance->was_away, false, memory_order_relaxed);
    events_remember_kicks(instance);
    int count = again_look(call);
    if (count > 0 && atomic_load_explicit(&instance->filtered, memory_order_relaxed))
        count = events_deliver(instance, call->events, count, count == call->most);
    note_ask(instance, count > 0);
    put_has_slept(instance, count <= 0);
    return count;
}

HOT void again_note_wait(struct instance *instance, int count) {
    unsigned asks = atomic_load_explicit(&instance->asks, memory_order_relaxed);
    put_asks(instance, count <= 1 ? asks / 2 : asks ? asks : 1);
}
