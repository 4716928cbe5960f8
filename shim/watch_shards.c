#include "watch_shards.h"

#include <errno.h>
#include <sys/epoll.h>

#include "local.h"
#include "log.h"
#include "real.h"
#include "worker.h"

enum { RETRY_WAITS = 64 };

static int control(const struct watch *watch, int op, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u64 = atomic_load(&watch->data)};
    return real.epoll_ctl(watch->instance->epfd, op, fd, &event);
}

int shards_register(struct watch *watch, int shard) {
    struct shard own = watch_shard(watch);
    if (watch->frozen && shard == own.number)
        return 0;
    if (control(watch, EPOLL_CTL_ADD, set_fd(&own, shard, watch->fd), watch->given) < 0)
        return -1;
    bits_add(&watch->registered, shard);
    watch->epoch[shard] = atomic_load(&own.set->shared->shards[shard].epoch);
    return 0;
}

void shards_unregister(struct watch *watch, int shard) {
    struct shard own = watch_shard(watch);
    if ((watch->frozen && shard == own.number) || !bits_has(&watch->registered, shard))
        return;
    control(watch, EPOLL_CTL_DEL, set_fd(&own, shard, watch->fd), 0);
    bits_remove(&watch->registered, shard);
}

bool shards_is_deaf(const struct watch *watch) {
    return atomic_load(&watch->set) && atomic_load(&watch->armed) &&
           !atomic_load(&watch->leaving) && !watch->frozen &&
           !bits_has(&watch->registered, watch->home);
}

/* The kernel refuses a registration that it had before (ENOSPC, ENOMEM): said once. */
static void lose(struct watch *watch) {
    static atomic_bool said;
    if (!atomic_exchange(&said, true))
        log_line(LOG_WARN, "a registration could not be renewed, and will be tried again: %s",
                 log_errno(errno));
    watch->retry = RETRY_WAITS;
    atomic_store(&watch->instance->work, true);
    if (shards_is_deaf(watch))
        atomic_store(&watch->instance->deaf, true);
}

void shards_repair(struct watch *watch) {
    if (shards_is_deaf(watch) && shards_register(watch, watch->home) < 0)
        lose(watch);
}

void shards_rotate(struct watch *watch, int shard) {
    if ((watch->frozen && shard == watch->own) || !bits_has(&watch->registered, shard))
        return;
    shards_unregister(watch, shard);
    if (shards_register(watch, shard) < 0)
        lose(watch);
}

void shards_of_process(const struct shard_set *set, struct shard_bits *ours) {
    *ours = (struct shard_bits){0};
    for (int i = 0; i < watch_end(); i++) {
        const struct watch *watch = watch_at(i);
        if (atomic_load(&watch->set) == set && watch->has_home && !watch->shares_home &&
            instance_is_mine(watch->instance))
            bits_add(ours, watch->home);
    }
}

/*
 * The kick: the set's eventfd, edge-triggered and for EPOLLOUT too, which no listening socket ever
 * reports, so that its events are told from a shard's although they carry the same epoll_data.
 */
static void register_kick(struct watch *watch, const struct shard_set *set) {
    WATCHES_OF (other, watch->instance)
        if (atomic_load(&other->set) == set && other->has_kick)
            return;
    watch->kicks_before = atomic_load(&set->shared->kicks_done);
    watch->kicks_seen = watch->kicks_before - 1; /* adding it reports it once */
    if (control(watch, EPOLL_CTL_ADD, set->kick_fd, EPOLLIN | EPOLLOUT | EPOLLET) < 0)
        log_line(LOG_WARN, "no kick for a worker: %s", log_errno(errno));
    watch->has_kick = true;
}

static void unregister_kick(struct watch *watch, const struct shard_set *set) {
    if (!watch->has_kick)
        return;
    control(watch, EPOLL_CTL_DEL, set->kick_fd, 0);
    watch->has_kick = false;
    WATCHES_OF (other, watch->instance)
        if (other != watch && atomic_load(&other->set) == set && other->has_home) {
            register_kick(other, set);
            return;
        }
}

/*
 * Home in the kernel: registered before the others are told, and before the server's own is let go,
 * which comes back as a thief's. Refused, it is home all the same, since it listens already.
 */
static void settle(struct watch *watch, int home) {
    watch->home = home;
    if (!bits_has(&watch->registered, home) && shards_register(watch, home) < 0)
        lose(watch);
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
    if (home < 0)
        home = set->is_servers ? watch->own : worker_least_shared(set);
    settle(watch, home);
    if (watch->shares_home)
        worker_share(set, watch->home);
    watch->has_home = true;
    say_home(watch);
    register_kick(watch, set);
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
    worker_unshare(set, watch->home);
    watch->shares_home = false;
    watch->home = home;
    if (!bits_has(&watch->registered, home) && shards_register(watch, home) < 0)
        lose(watch);
    say_home(watch);
    worker_announce(set, home);
}

void shards_begin(struct watch *watch) {
    struct shard_set *set = atomic_load(&watch->set);
    atomic_fetch_add(&set->shared->workers, 1);
    atomic_store(&set->hint, watch_index(watch));
    watch->begun = true;
    shards_settle(watch);
}

void shards_settle(struct watch *watch) {
    struct shard_set *set = atomic_load(&watch->set);
    if (!watch->begun || watch->has_home || set->count == 1)
        return;
    find_home(watch, set);
    shards_sync(watch);
}

/* The server's own may block: then its worker would sleep in accept when another was faster. */
static bool may_steal_from(const struct shard_set *set, int shard) {
    return set_accepts(set, shard) && !(set->is_servers && set_blocks(set, shard, set->fd[shard]));
}

static void sync_shard(struct watch *watch, const struct shard_set *set, int shard, bool wanted) {
    bool present = bits_has(&watch->registered, shard);
    uint32_t epoch = atomic_load(&set->shared->shards[shard].epoch);
    if (present && (!wanted || watch->epoch[shard] != epoch))
        shards_unregister(watch, shard);
    if (!wanted || bits_has(&watch->registered, shard))
        return;
    /* What the shared memory says is checked: one that does not listen would be reported without
     * end. */
    if (may_steal_from(set, shard) && shards_register(watch, shard) < 0)
        lose(watch);
}

/* An instance that waits for several shards of the server's own needs no thief among them. */
static void leave_to_others(const struct watch *watch, const struct shard_set *set,
                            struct shard_bits *view) {
    if (set->is_servers)
        WATCHES_OF (other, watch->instance)
            if (other != watch && atomic_load(&other->set) == set)
                bits_remove(view, other->own);
}

static void look_again(struct watch *watch, const struct shard_set *set) {
    struct shard_bits ours;
    struct shard_bits view;
    struct shard_bits listening;
    bool unproven = false;
    worker_listening(set, &listening);
    shards_of_process(set, &ours);
    worker_view(set, watch->home, &ours, &view, &unproven);
    if (unproven) {
        atomic_store(&watch->instance->probing, true);
        watch->seen_generation = 0; /* until it is proven, every wait looks again */
    }
    if (atomic_load(&watch->wide))
        view = listening;
    atomic_store(&watch->is_partial, bits_count(&view) < bits_count(&listening));
    leave_to_others(watch, set, &view);
    for (int i = 0; i < set->count; i++)
        if (i != watch->home)
            sync_shard(watch, set, i, bits_has(&view, i));
}

/* Whether there is something to look at: the claims, or what was refused some waits ago. */
static bool is_due(struct watch *watch, uint32_t generation, uint32_t concurrent) {
    bool is_same = watch->seen_generation == generation && watch->seen_concurrent == concurrent;
    if (!is_same && watch->seen_generation)
        atomic_store(&watch->wide,
                     false); /* other workers, or other homes: it may not be needed any more */
    bool is_widening = atomic_load(&watch->wide) && atomic_load(&watch->is_partial);
    if (!watch->retry)
        return !is_same || is_widening;
    atomic_store(&watch->instance->work, true);
    return --watch->retry == 0 || !is_same || is_widening;
}

void shards_sync(struct watch *watch) {
    struct shard_set *set = atomic_load(&watch->set);
    if (!watch->has_home || !atomic_load(&watch->armed))
        return;
    uint32_t generation = atomic_load(&set->shared->generation);
    uint32_t concurrent = atomic_load(&set->shared->concurrent);
    move_to_own_home(watch, set, generation);
    if (!is_due(watch, generation, concurrent))
        return;
    watch->seen_generation = generation;
    watch->seen_concurrent = concurrent;
    look_again(watch, set);
}

int shards_renew(struct watch *watch, bool announced) {
    struct shard_set *set = atomic_load(&watch->set);
    for (int i = 0; i < set->count; i++)
        shards_unregister(watch, i);
    unregister_kick(watch, set);
    if (shards_register(watch, watch->home) < 0) {
        int saved = errno;
        lose(watch);
        errno = saved;
        return -1;
    }
    if (watch->has_home) {
        register_kick(watch, set);
        if (announced)
            worker_announce(set, watch->home);
        watch->seen_generation = 0;
        shards_sync(watch);
    }
    return 0;
}

void shards_withdraw(struct watch *watch) {
    struct shard_set *set = atomic_load(&watch->set);
    for (int i = 0; i < set->count; i++)
        shards_unregister(watch, i);
    unregister_kick(watch, set);
}

static void log_counters(const struct shard_set *set, int home) {
    const struct shared_shard *shard = &set->shared->shards[home];
    log_line(LOG_DEBUG, "shard %d is released: %u accepted at home, %u stolen, %u times nothing",
             home, (unsigned)atomic_load(&shard->home), (unsigned)atomic_load(&shard->stolen),
             (unsigned)atomic_load(&shard->empty));
}

/* What one watch of an instance left to another comes back to it. */
static void return_from_others(const struct watch *watch, const struct shard_set *set) {
    WATCHES_OF (other, watch->instance)
        if (set->is_servers && other != watch && atomic_load(&other->set) == set) {
            other->seen_generation = 0;
            atomic_store(&watch->instance->work, true);
        }
}

void shards_end(struct watch *watch) {
    struct shard_set *set = atomic_load(&watch->set);
    return_from_others(watch, set);
    if (instance_is_mine(watch->instance)) {
        shards_withdraw(watch);
        if (watch->begun)
            atomic_fetch_sub(&set->shared->workers, 1);
        if (watch->has_home) {
            log_counters(set, watch->home);
            if (watch->shares_home)
                worker_unshare(set, watch->home);
            else
                worker_release(set, watch->home);
        }
    }
    watch_free(watch);
}
