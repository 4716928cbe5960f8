#include "watch_prepare.h"

#include <errno.h>

#include "hot.h"
#include "local.h"
#include "watch_events.h"
#include "watch_shards.h"
#include "watch_stand_back.h"
#include "worker.h"

static void rotate_where_due(struct watch *watch) {
    for (int i = 0; i < SHARDS_MAX / 64; i++) {
        uint64_t shards = atomic_exchange(&watch->to_rotate[i], 0);
        for (; shards; shards &= shards - 1)
            shards_rotate(watch, i * 64 + __builtin_ctzll(shards));
    }
}

RARE static void prepare(struct watch *watch, bool sleeps) {
    shards_repair(watch);
    if (!watch->begun) {
        shards_begin(watch);
        return;
    }
    if (stand_back_changes(watch, atomic_load(&watch->set), sleeps))
        watch->seen_generation = 0; /* what it is to watch is another matter now */
    shards_sync(watch);
    rotate_where_due(watch);
}

/*
 * What another was told of, and left, nobody else knows: the other ended, which the kick says, or
 * it took something else, and waits no more, since one worker at a time does, perhaps.
 */
RARE static void look_for_leavings(struct watch *watch) {
    struct shard_set *set = atomic_load(&watch->set);
    if (!set || !watch->begun || (set->count == 1 && set_mode(set) == MODE_OFF))
        return;
    bool is_due = atomic_exchange(&watch->was_kicked, false);
    if (worker_may_be_one_at_a_time(set)) {
        atomic_store(&watch->instance->probing, true);
        /* Edge-triggered, what a server leaves for later would be reported at every wait. */
        is_due |= !(watch->asked & EPOLLET) && atomic_load(&set->shared->workers) > 1;
    }
    watch->looked_generation = set_generation(set);
    if (is_due && shards_look(watch))
        atomic_store(&watch->found_in, atomic_load(&watch->instance->waits));
}

/* Between two waits the instance changes only here. sleeps: the wait is for some time, and not only
 * to ask what there is. */
RARE static void prepare_all(struct instance *instance, bool sleeps) {
    if (!instance_is_mine(instance) || !guard_enter())
        return;
    if (local_is_ending()) {
        guard_leave();
        return;
    }
    atomic_store(&instance->work, NO_WORK);
    atomic_store(&instance->deaf, false);
    WATCHES_OF (watch, instance) /* first, for what one leaves another may have at once */
        if (atomic_load(&watch->leaving))
            shards_end(watch);
    WATCHES_OF (watch, instance) {
        prepare(watch, sleeps);
        look_for_leavings(watch);
    }
    stand_back_note(instance);
    guard_leave();
}

/* Takes part in finding out whether two workers ever wait at once. */
RARE static void probe(const struct instance *instance, bool begins) {
    uint64_t who = (uint64_t)(instance_index(instance) + 1) << 32 | (uint32_t)local_pid();
    WATCHES_OF (watch, instance) {
        struct shard_set *set = atomic_load(&watch->set);
        if (!set || !watch->begun)
            continue;
        if (begins)
            watch->probed_generation = worker_begin_wait(set, who);
        else if (worker_end_wait(set, who, watch->probed_generation))
            set_kick(set);
    }
}

void prepare_end_probe(const struct instance *instance) {
    int saved = errno;
    probe(instance, false);
    errno = saved;
}

HOT bool prepare_wait(struct instance *instance, bool sleeps) {
    if (UNLIKELY(!sleeps) && atomic_load_explicit(&instance->stands_back, memory_order_relaxed))
        stand_back_ends(instance);
    /* With no work there is no lock and no call. */
    if (UNLIKELY(atomic_load_explicit(&instance->work, memory_order_relaxed) ||
                 watch_has_news(instance)))
        prepare_all(instance, sleeps);
    bool probing = atomic_load_explicit(&instance->probing, memory_order_relaxed);
    if (UNLIKELY(probing) && instance_is_mine(instance)) {
        atomic_store(&instance->probing, false); /* set again before the next, if still unproven */
        atomic_store(&instance->work, WORK);
        probe(instance, true);
    }
    events_remember_kicks(instance);
    return probing;
}
