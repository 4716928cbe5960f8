/*
 * watch prove: who is woken alone for a connection is to take it.
 *
 * Some wait for connections that others accept: php-fpm's master, with `pm = ondemand`, only to
 * start a child. And some have accepted, but hesitate: Puma waits for a free thread first. For
 * either, an exclusive wake-up would be the only one. So the first is registered as it asked until
 * its process has called accept(), which costs a herd or two at the start of each worker; and the
 * second once it was seen twice to leave a connection to wait while another worker had nothing to
 * do. Twice, since on crowded CPUs whoever was woken may be long in coming to its accept: the
 * second time the kernel is asked whether it waited for a CPU meanwhile.
 */
#include <errno.h>
#include <poll.h>

#include "clock.h"
#include "hot.h"
#include "local.h"
#include "log.h"
#include "real.h"
#include "stats.h"
#include "thread_times.h"
#include "watch.h"
#include "watch_shards.h"

enum {
    HESITATION_MS = 50
}; /* an eternity between a wake-up and its accept; rarely scheduled away */

/* So long a doubt lasts, and so often the thread's times are read meanwhile. */
enum { DOUBT_MS = 600000, READ_MS = 1000 };

enum { LOOKS_EACH = 8 }; /* first accepts, to spare the others a look at the clock */

static bool is_proven(const struct shard_set *set) {
    return atomic_load_explicit(&set->acceptor, memory_order_relaxed) == local_pid();
}

static uint32_t exclusive(uint32_t asked) {
    return (asked & EPOLLEXCLUSIVE) ? asked
                                    : (asked & EVENTS_BESIDE_EXCLUSIVE) | (uint32_t)EPOLLEXCLUSIVE;
}

static uint32_t plain(uint32_t asked) {
    return (asked & EPOLLEXCLUSIVE) ? asked : asked & EVENTS_BESIDE_EXCLUSIVE;
}

uint32_t events_given(const struct shard_set *set, uint32_t asked) {
    return is_proven(set) && set_mode(set) != MODE_OFF ? exclusive(asked) : plain(asked);
}

/* Edge-triggered, a new registration would report anew what was reported, and is queued still. */
static bool may_renew(const struct watch *watch) {
    return !(watch->asked & EPOLLET) || !shards_leave_some(watch);
}

/* False: later. */
static bool give(struct watch *watch, uint32_t events) {
    if (!instance_is_mine(watch->instance) || watch->given == events || watch->is_hesitant)
        return true;
    if (!may_renew(watch))
        return false;
    watch->given = events;
    if (atomic_load(&watch->armed) && !atomic_load(&watch->leaving) && !watch->frozen)
        shards_renew(watch, true);
    return true;
}

static uint32_t events_once_proven(const struct watch *watch, const struct shard_set *set) {
    return watch_is_off(watch, set) ? plain(watch->asked) : exclusive(watch->asked);
}

/* One that is not proven yet may be about to be. */
bool watch_renew(struct watch *watch, const struct shard_set *set) {
    if (!is_proven(set) && !watch_is_off(watch, set))
        return true;
    return give(watch, events_once_proven(watch, set));
}

/* At once: under load a worker may be long in coming round to wait. */
RARE static void prove(struct shard_set *set) {
    bool all = true;
    if (local_is_borrowed() || !guard_enter())
        return;
    for (int i = 0; i < watch_end(); i++)
        if (atomic_load(&watch_at(i)->set) == set)
            all &= give(watch_at(i), events_once_proven(watch_at(i), set));
    if (all)
        atomic_store(&set->acceptor, local_pid());
    guard_leave();
}

HOT void watch_accepts(const struct shard *own) {
    if (!is_proven(own->set))
        prove(own->set);
}

RARE static void make_plain(struct watch *watch) {
    static atomic_bool said;
    if (!guard_enter())
        return;
    watch->is_hesitant = true;
    if (atomic_load(&watch->set) && !watch->is_own_exclusive) {
        watch->given = plain(watch->asked);
        stats_fall_back(atomic_load(&watch->set), FALLBACK_HESITATES);
        shards_renew(watch, true);
    }
    guard_leave();
    if (!atomic_exchange(&said, true))
        log_line(LOG_INFO, "a worker hesitates to accept what it is woken for: from now on it is "
                           "woken beside others");
}

/* Of a worker that has much to do, now and then. */
HOT static bool is_to_look(struct watch *watch) {
    if (!(watch->given & EPOLLEXCLUSIVE))
        return false;
    unsigned passed = atomic_load_explicit(&watch->unlooked, memory_order_relaxed) + 1U;
    bool looks =
        passed >= LOOKS_EACH || !atomic_load_explicit(&watch->instance->asks, memory_order_relaxed);
    atomic_store_explicit(&watch->unlooked, (uint8_t)(looks ? 0 : passed), memory_order_relaxed);
    return looks;
}

/* Half of the time that it was late it waited for a CPU, as far as is known from the last reading:
 * it did not choose to wait. */
static bool waited_for_cpu(const struct watch *watch, const struct thread_times *now,
                           uint64_t late_ms) {
    const struct thread_times *since = &watch->doubt.since;
    return now->thread && now->thread == since->thread &&
           now->delayed - since->delayed >= late_ms * 1000000 / 2;
}

static void read_again(struct watch *watch, uint64_t now_ms, const struct thread_times *now) {
    watch->doubt.since = *now;
    watch->doubt.read_ms = now_ms;
}

/* Whether it is the second time; of the first it is not known whether it waited for a CPU, as
 * nothing was read before. */
static bool add_doubt(struct watch *watch, uint64_t late_ms, uint64_t now_ms) {
    struct thread_times now = thread_times_read();
    bool is_first = !atomic_load(&watch->in_doubt) || now_ms - watch->doubt.began_ms >= DOUBT_MS;
    bool is_so = !is_first && !waited_for_cpu(watch, &now, late_ms);
    atomic_store(&watch->in_doubt, true);
    if (is_first)
        watch->doubt.began_ms = now_ms;
    read_again(watch, now_ms, &now);
    return is_so;
}

RARE static bool is_hesitant(struct watch *watch, uint64_t late_ms) {
    int saved = errno;
    if (!guard_enter())
        return false;
    bool is_so = add_doubt(watch, late_ms, clock_coarse_ms());
    guard_leave();
    errno = saved;
    return is_so;
}

/* It came in time: what it waits for a CPU from now on is of the next. */
RARE static void trust(struct watch *watch) {
    int saved = errno;
    uint64_t now_ms = clock_coarse_ms();
    if (now_ms - watch->doubt.read_ms < READ_MS || !guard_enter())
        return;
    struct thread_times now = thread_times_read();
    read_again(watch, now_ms, &now);
    if (now_ms - watch->doubt.began_ms >= DOUBT_MS)
        atomic_store(&watch->in_doubt, false);
    guard_leave();
    errno = saved;
}

HOT void watch_note_hesitation(struct watch *watch, const struct shard_set *set) {
    uint64_t told = atomic_load_explicit(&watch->instance->ended_ms, memory_order_relaxed);
    if (LIKELY(!is_to_look(watch)) || !instance_is_mine(watch->instance) ||
        (watch->asked & (EPOLLET | EPOLLONESHOT)))
        return;
    uint64_t late_ms = clock_coarse_ms() - told;
    if (LIKELY(late_ms < HESITATION_MS)) {
        if (UNLIKELY(atomic_load_explicit(&watch->in_doubt, memory_order_relaxed)))
            trust(watch);
    } else if (stats_is_idle_since(set, watch->place, told) && is_hesitant(watch, late_ms))
        make_plain(watch);
}
