/*
 * watch home: which shards a worker watches: its home, its neighbours', those that nobody owns.
 */
#include "attendant.h"
#include "local.h"
#include "log.h"
#include "watch_shards.h"
#include "watch_stuck.h"
#include "worker.h"
#include "worker_short.h"
#include "worker_stuck.h"

void shards_of_process(const struct shard_set *set, struct shard_bits *ours) {
    *ours = (struct shard_bits){0};
    if (local_is_ending()) /* it has given them back */
        return;
    for (int i = 0; i < watch_end(); i++) {
        const struct watch *watch = watch_at(i);
        if (atomic_load(&watch->set) == set && watch->has_home && !watch->shares_home &&
            instance_is_mine(watch->instance))
            bits_add(ours, watch->home);
    }
}

/*
 * Home in the kernel: registered before the others are told, and before the server's own is let go,
 * which comes back as a thief's. Refused, it is home all the same, since it listens already.
 */
static void settle(struct watch *watch, int home) {
    watch->home = home;
    stats_home(atomic_load(&watch->set), watch->place, home);
    if (!bits_has(&watch->registered, home) && shards_register(watch, home) < 0)
        shards_lose(watch);
    else if (home != watch->own)
        shards_unregister(watch, watch->own);
}

static void say_home(const struct watch *watch) {
    log_line(LOG_DEBUG, "worker %d: home is shard %d%s", (int)local_pid(), watch->home,
             watch->shares_home ? ", shared: no shard was free" : "");
}

/* A server that shards by itself has said whose is whose; else the worker takes what is free. */
static int wanted_home(const struct watch *watch) {
    return atomic_load(&watch->set)->is_servers ? watch->own : ANY_SHARD;
}

static void find_home(struct watch *watch, struct shard_set *set) {
    struct shard_bits ours;
    shards_of_process(set, &ours);
    int home = worker_claim(set, &ours, wanted_home(watch));
    watch->shares_home = home < 0;
    if (home >= 0) {
        stats_count_alone(set, watch->place, COUNT_CLAIMS);
    } else {
        stats_fall_back(set, FALLBACK_SHARED_HOME);
        home = set->is_servers ? watch->own : worker_least_shared(set);
    }
    settle(watch, home);
    watch->number = watch->shares_home ? worker_share(set, watch->home) : 0;
    watch->has_home = true;
    say_home(watch);
    shards_register_kick(watch, set);
    worker_announce(set, watch->home);
}

/* A worker that found no shard free takes one that has become so, once for each change of the
 * claims. */
static void move_to_own_home(struct watch *watch, struct shard_set *set, uint32_t generation) {
    struct shard_bits ours;
    if (!watch->shares_home || watch->tried_generation == generation)
        return;
    watch->tried_generation = generation;
    shards_of_process(set, &ours);
    int home = worker_claim(set, &ours, wanted_home(watch));
    if (home < 0)
        return;
    shards_share_no_more(watch, set);
    watch->shares_home = false;
    watch->home = home;
    stats_home(set, watch->place, home);
    stats_count_alone(set, watch->place, COUNT_CLAIMS);
    if (!bits_has(&watch->registered, home) && shards_register(watch, home) < 0)
        shards_lose(watch);
    say_home(watch);
    worker_announce(set, home);
}

void shards_begin(struct watch *watch) {
    struct shard_set *set = atomic_load(&watch->set);
    atomic_fetch_add(&set->shared->workers, 1);
    atomic_store(&set->hint, watch_index(watch));
    attendant_leaves(set);
    watch->place = stats_join(set, watch->instance->epfd);
    stats_home(set, watch->place, watch->home);
    watch->begun = true;
    shards_settle(watch);
}

void shards_settle(struct watch *watch) {
    struct shard_set *set = atomic_load(&watch->set);
    if (!watch->begun || watch->has_home)
        return;
    if (set->count > 1)
        find_home(watch, set);
    shards_sync(watch);
}

/* The server's own may block: then its worker would sleep in accept when another was faster. */
static bool may_steal_from(const struct shard_set *set, int shard) {
    return set_accepts(set, shard) && !(set->is_servers && set_blocks(set, shard, set->fd[shard]));
}

/* A spare that is watched was looked at then, and stops to listen with all the others only. */
static bool is_as_wanted(const struct watch *watch, const struct shard_set *set, int shard,
                         bool wanted) {
    uint32_t epoch = atomic_load(&set->shared->shards[shard].epoch);
    bool present = bits_has(&watch->registered, shard);
    return present == wanted && (!wanted || (!set->is_servers && watch->epoch[shard] == epoch));
}

static void sync_shard(struct watch *watch, const struct shard_set *set, int shard, bool wanted) {
    if (is_as_wanted(watch, set, shard, wanted))
        return;
    /* What the shared memory says is checked: one that does not listen would be reported without
     * end, and so would one that nobody but its owner may empty. */
    wanted = wanted && may_steal_from(set, shard);
    bool present = bits_has(&watch->registered, shard);
    uint32_t epoch = atomic_load(&set->shared->shards[shard].epoch);
    if (present && (!wanted || watch->epoch[shard] != epoch))
        shards_unregister(watch, shard);
    if (wanted && !bits_has(&watch->registered, shard) && shards_register(watch, shard) < 0)
        shards_lose(watch);
}

/* An instance that waits for several shards of the server's own needs no thief among them. */
static void leave_to_others(const struct watch *watch, const struct shard_set *set,
                            struct shard_bits *view) {
    if (set->is_servers)
        WATCHES_OF (other, watch->instance)
            if (other != watch && atomic_load(&other->set) == set)
                bits_remove(view, other->own);
}

/* One whose own shard blocks would sleep there when it is told of a neighbour's. */
bool shards_is_alone(const struct watch *watch, const struct shard_set *set) {
    return set->is_servers && set_blocks(set, watch->own, set->fd[watch->own]);
}

/*
 * Whoever was woken alone for what is queued there may have taken something else, and the others
 * sleep behind it: they are not told of it again. So the worker stays until it is empty; or, where
 * there is always more, for a while, and the others are told when it goes.
 */
static bool stays(struct watch *watch, const struct shard_set *set, int shard) {
    struct shard own = watch_shard(watch);
    if (!bits_has(&watch->registered, shard) || !may_steal_from(set, shard) ||
        !shards_has_some(watch, shard))
        return false;
    if (!worker_sees_slow(set)) {
        set_wake_waiters(set, set_fd(&own, shard, watch->fd));
        return false;
    }
    watch->seen_generation = 0; /* the next wait looks again */
    atomic_store(&watch->instance->work, WORK);
    return true;
}

/* Those of the watch that are not in its view any more, and that it is not to leave yet. */
static void stay_where_some_wait(struct watch *watch, const struct shard_set *set,
                                 struct shard_bits *view, bool unproven) {
    bool any = unproven; /* then the view is to shrink later */
    for (int i = 0; i < set->count && watch->lets_go_late; i++)
        if (i != watch->home && !bits_has(view, i) && stays(watch, set, i)) {
            bits_add(view, i);
            any = true;
        }
    watch->lets_go_late = any;
}

static void look_again(struct watch *watch, const struct shard_set *set) {
    bool is_short = worker_is_short(set);
    struct seat seat = {.home = watch->home,
                        .number = watch->number,
                        .is_second =
                            watch->number && worker_is_second(set, watch->home, watch->place),
                        .is_short = is_short,
                        .stands_back = atomic_load(&watch->pace.stands_back)};
    struct shard_bits view;
    struct shard_bits stuck;
    struct shard_bits listening;
    bool unproven = false;
    watch->seen_sharers = worker_sharers(set, watch->home);
    worker_listening(set, &listening);
    shards_of_process(set, &seat.ours);
    stuck_find(watch, set, &seat.ours, &stuck);
    watch->lets_go_late |= watch->sees_short && !is_short;
    watch->sees_short = is_short;
    worker_view(set, &seat, &stuck, &view, &unproven);
    if (unproven) {
        atomic_store(&watch->instance->probing, true);
        watch->seen_generation = 0; /* until it is proven, every wait looks again */
    }
    if (watch->lets_go_late)
        stay_where_some_wait(watch, set, &view, unproven);
    if (shards_is_alone(watch, set))
        view = (struct shard_bits){0};
    atomic_store(&watch->is_partial, bits_count(&view) < bits_count(&listening));
    leave_to_others(watch, set, &view);
    for (int i = 0; i < set->count; i++)
        if (i != watch->home)
            sync_shard(watch, set, i, bits_has(&view, i));
}

/* Where the kernel refuses that, it is tried at the next wait. */
static void come_back(struct watch *watch, const struct shard_set *set) {
    if (watch->home) /* else it has come to own that since */
        sync_shard(watch, set, 0, true);
    watch->is_aside = watch->home && !bits_has(&watch->registered, 0);
}

static bool is_time_to_retry(struct watch *watch) {
    if (!watch->retry)
        return false;
    atomic_store(&watch->instance->work, WORK);
    return --watch->retry == 0;
}

/* Whether there is something to look at: the claims, what was refused some waits ago, or who is
 * stuck. */
static bool is_due(struct watch *watch, const struct shard_set *set, uint32_t generation,
                   uint32_t concurrent) {
    bool is_same = watch->seen_generation == generation && watch->seen_concurrent == concurrent;
    bool is_retry = is_time_to_retry(watch);
    return !is_same || stuck_is_due(watch, set) || is_retry;
}

static void sync_claims(struct watch *watch, struct shard_set *set) {
    if (!watch->has_home || !atomic_load(&watch->armed))
        return;
    uint32_t generation = set_generation(set);
    uint32_t concurrent = atomic_load(&set->shared->concurrent);
    move_to_own_home(watch, set, generation);
    if (!is_due(watch, set, generation, concurrent)) {
        if (watch->is_aside)
            come_back(watch, set);
        return;
    }
    watch->is_aside = false;
    watch->seen_generation = generation;
    watch->seen_concurrent = concurrent;
    look_again(watch, set);
}

/* What the kernel is told for the whole set comes last: by then somebody stands where all goes. */
void shards_sync(struct watch *watch) {
    struct shard_set *set = atomic_load(&watch->set);
    uint32_t policy = set_policy_word(set);
    bool is_new = watch->begun && policy != watch->seen_policy;
    if (is_new)
        watch_follow(watch, set, policy);
    sync_claims(watch, set);
    if (is_new)
        set_follow(set, policy);
}

/* At once, since another thread may be waiting there just now. */
void shards_take_back(struct instance *instance, struct shard_set *set) {
    WATCHES_OF (watch, instance)
        if (atomic_load(&watch->set) == set) {
            watch->seen_generation = 0;
            shards_sync(watch);
        }
}
