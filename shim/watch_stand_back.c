#include "watch_stand_back.h"

#include "hot.h"
#include "thread_times.h"
#include "watch_current.h"
#include "watch_serial.h"
#include "watch_shards.h"
#include "worker.h"
#include "worker_orphans.h"
#include "worker_stuck.h"

/* How long a worker is looked at before it stands back, and while it does. */
enum { WINDOW_MS = 40, WINDOW_BACK_MS = 160, RECENT_MS = 400 };

/* Its times are dear to read: not for a few connections. */
enum { TAKEN_LEAST = 32, TAKEN_STILL = 4, STOLEN_PART = 8, CROWDED_PART = 8 };

static void count(_Atomic uint32_t *counter) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

HOT void stand_back_count_home(struct watch *watch) {
    count(&watch->pace.home);
}

HOT void stand_back_count_stolen(struct watch *watch) {
    count(&watch->pace.stolen);
}

/* Below those a thief is hardly ever faster than an owner, or there is little to do. */
static bool is_worth_it(const struct stand_back_window *window) {
    return window->home + window->stolen >= TAKEN_LEAST &&
           window->stolen >= (window->home + window->stolen) / STOLEN_PART;
}

/* A worker that sleeps in its requests waits a little for a CPU after each, however many are idle;
 * so it has to be much of the time, and more than it was on one. */
static bool is_crowded(const struct stand_back_window *window, uint64_t part) {
    return window->delayed >= window->lasted / CROWDED_PART / part &&
           window->delayed >= window->ran / part;
}

/* Who stands back steals nothing, so that it is for the times alone to say when that ends; at a
 * third of what it began with, since they vary. */
bool stand_back_after(const struct stand_back_window *window, bool stood_back) {
    if (!window->is_timed)
        return false;
    if (stood_back)
        return window->home + window->stolen >= TAKEN_STILL && is_crowded(window, 3);
    return is_worth_it(window) && is_crowded(window, 1);
}

static void begin_window(struct watch *watch, uint64_t now, const struct thread_times *times) {
    struct pace *pace = &watch->pace;
    atomic_store_explicit(&pace->home, 0, memory_order_relaxed);
    atomic_store_explicit(&pace->stolen, 0, memory_order_relaxed);
    pace->since_ms = now;
    pace->thread = times->thread;
    pace->ran = times->ran;
    pace->delayed = times->delayed;
}

/* The times that are of use are this thread's, from the window's beginning to now. */
static struct stand_back_window window_of(const struct watch *watch, uint64_t now,
                                          const struct thread_times *times) {
    const struct pace *pace = &watch->pace;
    struct stand_back_window window = {.home = atomic_load(&pace->home),
                                       .stolen = atomic_load(&pace->stolen),
                                       .lasted = (now - pace->since_ms) * 1000000};
    window.is_timed = times->thread && pace->thread == times->thread;
    if (window.is_timed) {
        window.ran = times->ran - pace->ran;
        window.delayed = times->delayed - pace->delayed;
    }
    return window;
}

static bool is_over(const struct watch *watch, uint64_t now, uint64_t milliseconds) {
    return now - watch->pace.since_ms >= milliseconds;
}

/* By the clock that the end of the last wait has read. */
static uint64_t now_of(const struct watch *watch) {
    return atomic_load_explicit(&watch->instance->ended_ms, memory_order_relaxed);
}

HOT bool stand_back_is_due(const struct watch *watch) {
    const struct pace *pace = &watch->pace;
    uint64_t now = now_of(watch);
    uint64_t looked = atomic_load_explicit(&pace->looked_ms, memory_order_relaxed);
    bool is_time = now - looked >= STAND_BACK_TURN_MS;
    if (UNLIKELY(atomic_load_explicit(&pace->stands_back, memory_order_relaxed)))
        return is_time || atomic_load_explicit(&pace->ends, memory_order_relaxed);
    uint32_t stolen = atomic_load_explicit(&pace->stolen, memory_order_relaxed);
    uint32_t taken = stolen + atomic_load_explicit(&pace->home, memory_order_relaxed);
    return is_time && stolen && taken >= TAKEN_LEAST &&
           (!pace->thread || is_over(watch, now, WINDOW_MS));
}

/*
 * One that goes on with its neighbours' without a wait is not woken for them: that costs nothing.
 * Under an accept mutex only whoever has it sees anything. One that is to be told of a connection
 * where there is none, when it has nothing to do, must not block then, nor be disarmed by it. And a
 * child that goes on with the instance could register nothing in it.
 */
static bool may_stand_back(const struct watch *watch, const struct shard_set *set) {
    return watch->has_home && set_steal(set) && !set_is_one_queue(set) && !serial_is() &&
           !worker_may_be_one_at_a_time(set) && !instance_may_be_shared(watch->instance) &&
           !(watch->asked & EPOLLONESHOT) && (watch->asked & EPOLLIN) &&
           !set_blocks(set, watch->own, watch->fd);
}

/*
 * Another thread that waits in the instance now does so for as long as it likes, and would not
 * look. One that comes later sees that it has to: it is counted first and looks afterwards.
 */
static bool is_alone(struct instance *instance) {
    atomic_store(&instance->stands_back, true);
    return atomic_load(&instance->waiting) == 1;
}

static bool has_orphan(const struct shard_set *set, const struct shard_bits *among) {
    struct shard_bits ours;
    shards_of_process(set, &ours);
    BITS_EACH (shard, among)
        if (worker_is_orphan(set, shard, &ours))
            return true;
    return false;
}

/* Whether somebody waits at a shard that it does not watch, and whose owner is not there for it: at
 * work for long, or gone. */
static bool misses_owner(const struct watch *watch, const struct shard_set *set) {
    struct shard_bits among;
    struct shard_bits queued;
    struct shard_bits away;
    worker_listening(set, &among);
    BITS_EACH (shard, &watch->registered)
        bits_remove(&among, shard);
    shards_find_queued(watch, &among, &queued);
    worker_away(set, &queued, &away);
    BITS_EACH (shard, &away)
        if (bits_has(&among, shard))
            return true;
    return has_orphan(set, &queued);
}

/* The window ends, and another begins. */
static bool end_window(struct watch *watch, uint64_t now, bool stood_back) {
    struct thread_times times = thread_times_read();
    struct stand_back_window window = window_of(watch, now, &times);
    begin_window(watch, now, &times);
    return stand_back_after(&window, stood_back);
}

/* What is asked of the kernel comes last. */
static bool decides(struct watch *watch, const struct shard_set *set, uint64_t now) {
    bool stood_back = atomic_load(&watch->pace.stands_back);
    bool may = !atomic_exchange(&watch->pace.ends, false) && may_stand_back(watch, set) &&
               !is_over(watch, now, RECENT_MS);
    bool is_to = may && ((stood_back && !is_over(watch, now, WINDOW_BACK_MS)) ||
                         end_window(watch, now, stood_back));
    bool is_free = is_to && is_alone(watch->instance) && !misses_owner(watch, set);
    if (!may || (is_to && !is_free))
        begin_window(watch, now, &(struct thread_times){0});
    return is_free;
}

bool stand_back_changes(struct watch *watch, const struct shard_set *set, bool sleeps) {
    if (!stand_back_is_due(watch))
        return false;
    uint64_t now = now_of(watch);
    bool stands_back = sleeps && decides(watch, set, now);
    atomic_store_explicit(&watch->pace.looked_ms, now, memory_order_relaxed);
    return atomic_exchange(&watch->pace.stands_back, stands_back) != stands_back;
}

bool stand_back_stop(struct watch *watch) {
    watch->seen_generation = 0;
    return atomic_exchange(&watch->pace.stands_back, false);
}

void stand_back_note(struct instance *instance) {
    bool any = false;
    WATCHES_OF (watch, instance)
        any |= atomic_load(&watch->pace.stands_back);
    if (atomic_load(&instance->stands_back) != any)
        atomic_store(&instance->stands_back, any);
}

void stand_back_ends(struct instance *instance) {
    WATCHES_OF (watch, instance)
        if (atomic_load(&watch->pace.stands_back))
            atomic_store(&watch->pace.ends, true);
    atomic_store(&instance->work, WORK);
}

bool stand_back_tell(const struct instance *instance, struct epoll_event *event) {
    WATCHES_OF (watch, instance)
        if (atomic_load(&watch->set) && atomic_load(&watch->pace.stands_back)) {
            event->events = EPOLLIN;
            event->data.u64 = atomic_load(&watch->data);
            return true;
        }
    return false;
}
