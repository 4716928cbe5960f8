#include "watch_gather.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "clock.h"
#include "local.h"
#include "real.h"
#include "socket_options.h"
#include "watch_choice.h"
#include "watch_current.h"
#include "watch_shards.h"
#include "worker.h"
#include "worker_stuck.h"

/* Of the place that a queue has: below that much it is to have all, above this no longer. And where
 * it is short, several hold a burst that one does not. */
enum { ROOMY_QUARTERS = 2, FULL_QUARTERS = 3, ROOM_LEAST = 32 };

/* tcp(7), TCP_INFO: of a socket that listens what waits for accept, and how much may. */
static bool is_filled(int fd, unsigned quarters) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    return real.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0 ||
           (uint64_t)info.tcpi_unacked * 4 > (uint64_t)info.tcpi_sacked * quarters ||
           info.tcpi_sacked < ROOM_LEAST;
}

/* Not where a filter may kill whoever makes a call that the server has no use for. */
static bool may_tell_kernel(void) {
    return !local_is_confined() && !socket_option_chooses();
}

/* Whoever is told of shard 0 has to be able to take from it without blocking; edge-triggered or
 * once, it would be told of what another takes. And where there may be an accept mutex all but one
 * seem to be at work. */
static bool may_gather(const struct watch *watch, const struct shard_set *set) {
    return set->count > 1 && !set->is_servers && !set_goes_to_first(set) && set_steal(set) &&
           watch_waits_for_home(watch) && !(watch->asked & (EPOLLET | EPOLLONESHOT)) &&
           atomic_load(&set->shared->gathers) != GATHERS_REFUSED && !watch->frozen &&
           !worker_may_be_one_at_a_time(set) && may_tell_kernel() &&
           !set_blocks(set, watch->own, watch->fd);
}

/* Who sleeps meanwhile is woken for what comes to shard 0, as it was of one queue; whoever does not
 * watch that yet is told to, the first time. */
void gather_begin(const struct watch *watch, const struct shard_set *set) {
    int saved = errno;
    if (may_gather(watch, set) && worker_few_wait(set) && !is_filled(watch->fd, ROOMY_QUARTERS) &&
        worker_may_gather(set)) {
        gather_sweep_again(set);
        worker_gather(set);
    }
    errno = saved;
}

/* Some were woken alone for what waits in a shard, and took another's. */
static void tell_of_leavings(const struct watch *watch) {
    struct choice choice;
    struct shard own = watch_shard(watch);
    if (!own.set || watch->frozen) /* another thread has ended it */
        return;
    choice_look_beside(&own, CHOICE_ALL, watch->fd, &choice);
    for (int i = 0; i < choice.count && choice.ready > 0; i++)
        if (choice.list[i].revents & POLLIN)
            set_wake_waiters(own.set, choice.list[i].fd);
}

bool gather_leave(const struct shard_set *set) {
    bool may_leave = set_gathers(set) && may_tell_kernel();
    if (may_leave)
        set_gather(set, false);
    return may_leave;
}

/* Not where this one would not be woken for what comes to shard 0: the policy may have changed, or
 * the kernel may have refused the registration. */
static bool goes_on(const struct watch *watch, const struct shard_set *set) {
    return bits_has(&watch->registered, 0) && !worker_many_wait(set);
}

static void end(const struct instance *instance, bool even_if_few_wait) {
    int saved = errno;
    WATCHES_OF (watch, instance) {
        const struct shard_set *set = atomic_load(&watch->set);
        if (!set || !set_gathers(set) || !may_tell_kernel())
            continue;
        if (even_if_few_wait || !goes_on(watch, set))
            set_gather(set, false);
        tell_of_leavings(watch);
    }
    errno = saved;
}

void gather_end(struct instance *instance) {
    end(instance, true);
}

void gather_end_if_many_wait(struct instance *instance) {
    end(instance, false);
}

/* Before it waits again it is registered anew, and told of what is there. Another thread that waits
 * in the instance now, or has looked already what there is to do, needs the registration: so that
 * is asked last, and one that comes later does that first. */
RARE static void unregister_until_wait(struct watch *watch, const struct shard_set *set) {
    if (!guard_enter())
        return;
    struct instance *instance = watch->instance;
    if (atomic_load(&watch->set) == set && instance == watch_current && watch->home &&
        instance_is_mine(instance)) {
        watch->is_aside = true;
        atomic_store(&instance->work, WORK);
        if (!atomic_load(&instance->waiting))
            shards_unregister(watch, 0);
    }
    guard_leave();
}

/* Only in an instance of the library's own, behind poll() and select(): in one of the server's a
 * child may wait, or it is waited for through another, and then no wait registers it anew. The
 * owner of shard 0 stays first in its line. */
void gather_step_aside(struct watch *watch) {
    const struct shard_set *set = atomic_load(&watch->set);
    const struct instance *instance = watch->instance;
    if (LIKELY(!bits_has(&watch->registered, 0)) || !set || !set_gathers(set) || !watch->home ||
        !instance->is_own || watch->frozen || local_is_confined() ||
        atomic_load(&instance->waiting))
        return;
    int saved = errno;
    unregister_until_wait(watch, set);
    errno = saved;
}

bool gather_is_to_sweep(const struct shard_set *set) {
    _Atomic uint32_t *swept = &set->shared->swept_ms;
    uint32_t now = (uint32_t)clock_coarse_ms() | 1U;
    uint32_t before = atomic_load_explicit(swept, memory_order_relaxed);
    return before != now && atomic_compare_exchange_strong(swept, &before, now);
}

void gather_sweep_again(const struct shard_set *set) {
    atomic_store_explicit(&set->shared->swept_ms, 0, memory_order_relaxed);
}

void gather_end_if_full(const struct shard_set *set, int own_fd) {
    if (is_filled(own_fd, FULL_QUARTERS) && gather_leave(set))
        set_drain(set, true);
}
