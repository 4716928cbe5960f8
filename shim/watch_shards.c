#include "watch_shards.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

#include "hot.h"
#include "local.h"
#include "log.h"
#include "real.h"
#include "watch.h"
#include "watch_gather.h"
#include "worker.h"
#include "worker_short.h"

enum { RETRY_WAITS = 64 };

HOT static int control(const struct watch *watch, int op, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u64 = atomic_load(&watch->data)};
    return real.epoll_ctl(watch->instance->epfd, op, fd, &event);
}

HOT int shards_register(struct watch *watch, int shard) {
    struct shard own = watch_shard(watch);
    if (watch->frozen && shard == own.number)
        return 0;
    if (control(watch, EPOLL_CTL_ADD, set_fd(&own, shard, watch->fd), watch->given) < 0 &&
        errno != EEXIST) /* it could not be withdrawn */
        return -1;
    bits_add(&watch->registered, shard);
    watch->epoch[shard] = atomic_load(&own.set->shared->shards[shard].epoch);
    return 0;
}

/*
 * Another number of the listener in the same instance: the kernel has the two registrations of the
 * server's, but one only of a hidden descriptor, which both watches have on their records.
 */
static bool has_too(const struct watch *other, const struct watch *watch, int shard) {
    return other != watch && atomic_load(&other->set) == atomic_load(&watch->set) &&
           shard != other->own && bits_has(&other->registered, shard);
}

static void lose_shard(struct watch *watch, int shard) {
    bits_remove(&watch->registered, shard);
    shards_lose(watch);
}

/* It becomes the other's, who goes on waiting for that shard. */
static void leave_to_sibling(const struct watch *watch, int shard) {
    bool is_left = false;
    if (shard == watch->own)
        return;
    WATCHES_OF (other, watch->instance) {
        if (is_left || !has_too(other, watch, shard))
            continue;
        struct shard own = watch_shard(other);
        is_left = control(other, EPOLL_CTL_ADD, set_fd(&own, shard, other->fd), other->given) == 0;
        if (!is_left)
            lose_shard(other, shard);
    }
}

HOT void shards_unregister(struct watch *watch, int shard) {
    struct shard own = watch_shard(watch);
    if ((watch->frozen && shard == own.number) || !bits_has(&watch->registered, shard))
        return;
    int result = control(watch, EPOLL_CTL_DEL, set_fd(&own, shard, watch->fd), 0);
    if (result < 0 && errno != ENOENT &&
        errno != EBADF) /* it is reported still, and has to be within reach */
        return;
    bits_remove(&watch->registered, shard);
    if (result == 0)
        leave_to_sibling(watch, shard);
}

bool shards_is_deaf(const struct watch *watch) {
    return atomic_load(&watch->set) && atomic_load(&watch->armed) &&
           !atomic_load(&watch->leaving) && !watch->frozen &&
           !bits_has(&watch->registered, watch->home);
}

void shards_lose(struct watch *watch) {
    static atomic_bool said;
    if (!atomic_exchange(&said, true))
        log_line(LOG_WARN, "a registration could not be renewed, and will be tried again: %s",
                 log_errno(errno));
    stats_fall_back(atomic_load(&watch->set), FALLBACK_REGISTRATION);
    watch->retry = RETRY_WAITS;
    atomic_store(&watch->instance->work, WORK);
    if (shards_is_deaf(watch))
        atomic_store(&watch->instance->deaf, true);
}

void shards_repair(struct watch *watch) {
    if (shards_is_deaf(watch) && shards_register(watch, watch->home) < 0)
        shards_lose(watch);
}

static bool can_move(const struct watch *watch, int shard) {
    return !(watch->frozen && shard == watch->own) && bits_has(&watch->registered, shard);
}

HOT void shards_to_end(struct watch *watch, int shard) {
    if (!can_move(watch, shard))
        return;
    shards_unregister(watch, shard);
    if (shards_register(watch, shard) < 0)
        shards_lose(watch);
}

HOT void shards_rotate(struct watch *watch, int shard) {
    if (!can_move(watch, shard))
        return;
    shards_to_end(watch, shard);
    stats_count_alone(atomic_load(&watch->set), watch->place, COUNT_ROTATIONS);
}

bool shards_find_queued(const struct watch *watch, const struct shard_bits *among,
                        struct shard_bits *queued) {
    struct shard own = watch_shard(watch);
    struct pollfd list[SHARDS_MAX];
    int shards[SHARDS_MAX];
    nfds_t count = 0;
    *queued = (struct shard_bits){0};
    BITS_EACH (shard, among) {
        shards[count] = shard;
        list[count++] = (struct pollfd){.fd = set_fd(&own, shard, watch->fd), .events = POLLIN};
    }
    int ready = count ? real.poll(list, count, 0) : 0;
    for (nfds_t i = 0; i < count && ready; i++)
        if (ready < 0 || list[i].revents)
            bits_add(queued, shards[i]);
    return ready > 0;
}

/* A new registration reports what is there already. */
bool shards_look(struct watch *watch) {
    struct shard_bits queued;
    bool is_sure = shards_find_queued(watch, &watch->registered, &queued);
    BITS_EACH (shard, &queued)
        shards_rotate(watch, shard);
    return is_sure;
}

bool shards_has_some(const struct watch *watch, int shard) {
    struct shard own = watch_shard(watch);
    struct pollfd one = {.fd = set_fd(&own, shard, watch->fd), .events = POLLIN};
    return !(watch->frozen && shard == watch->own) && real.poll(&one, 1, 0) > 0 &&
           (one.revents & POLLIN);
}

bool shards_leave_some(const struct watch *watch) {
    struct shard_bits queued;
    shards_find_queued(watch, &watch->registered, &queued);
    return bits_count(&queued);
}

/*
 * The kick: the set's eventfd, edge-triggered and for EPOLLOUT too, which no listening socket ever
 * reports, so that its events are told from a shard's although they carry the same epoll_data.
 */
void shards_register_kick(struct watch *watch, const struct shard_set *set) {
    WATCHES_OF (other, watch->instance)
        if (atomic_load(&other->set) == set && other->has_kick)
            return;
    watch->kicks_before = atomic_load(&set->shared->kicks_done);
    watch->kicks_seen = watch->kicks_before - 1; /* adding it reports it once */
    if (control(watch, EPOLL_CTL_ADD, set->kick_fd, EPOLLIN | EPOLLOUT | EPOLLET) < 0)
        log_line(LOG_WARN, "no kick for a worker: %s", log_errno(errno));
    else
        watch->has_kick = watch->kicks_itself = true;
    atomic_store(&watch->kicks_noticed, 0);
}

static void unregister_kick(struct watch *watch, const struct shard_set *set) {
    if (!watch->has_kick)
        return;
    control(watch, EPOLL_CTL_DEL, set->kick_fd, 0);
    watch->has_kick = false;
    WATCHES_OF (other, watch->instance)
        if (other != watch && atomic_load(&other->set) == set && other->has_home) {
            shards_register_kick(other, set);
            return;
        }
}

int shards_renew(struct watch *watch, bool announced) {
    struct shard_set *set = atomic_load(&watch->set);
    for (int i = 0; i < set->count; i++)
        shards_unregister(watch, i);
    unregister_kick(watch, set);
    if (shards_register(watch, watch->home) < 0) {
        int saved = errno;
        shards_lose(watch);
        errno = saved;
        return -1;
    }
    if (watch->has_home) {
        shards_register_kick(watch, set);
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

static void log_counts(const struct shard_set *set, const struct watch *watch) {
    if (watch->place == NO_PLACE)
        return;
    const _Atomic uint64_t *counts = set->shared->worker[watch->place].counts;
    log_line(LOG_DEBUG, "shard %d is released: %u accepted at home, %u stolen, %u times nothing",
             watch->home, (unsigned)atomic_load(&counts[COUNT_HOME]),
             (unsigned)atomic_load(&counts[COUNT_STOLEN]),
             (unsigned)atomic_load(&counts[COUNT_EMPTY]));
}

void shards_share_no_more(struct watch *watch, const struct shard_set *set) {
    int sits_at = atomic_exchange(&watch->sits_at, 0);
    if (sits_at) /* the process ends in its wait, another thread waits, or none has shared since */
        worker_gets_up(set, sits_at - 1);
    if (watch->number) {
        worker_is_second_no_more(set, watch->home, watch->place);
        worker_unshare(set, watch->home);
    }
    watch->number = 0;
}

static void leave_home(struct watch *watch, struct shard_set *set) {
    log_counts(set, watch);
    shards_share_no_more(watch, set);
    if (watch->shares_home)
        return;
    stats_count_alone(set, watch->place, COUNT_RELEASES);
    gather_leave(set);
    worker_release(set, watch->home);
}

static void leave(struct watch *watch, struct shard_set *set) {
    if (watch->begun)
        atomic_fetch_sub(&set->shared->workers, 1);
    if (watch->has_home)
        leave_home(watch, set);
    stats_leave(set, watch->place);
}

static void end(struct watch *watch, bool withdraws) {
    struct shard_set *set = atomic_load(&watch->set);
    struct instance *instance = watch->instance;
    bool is_mine = instance_is_mine(instance);
    int fd = watch->frozen ? -1 : watch->fd;
    bool leaves_some = is_mine && watch->begun && shards_leave_some(watch);
    if (is_mine && withdraws)
        shards_withdraw(watch);
    if (is_mine)
        leave(watch, set);
    watch_free(watch);
    if (is_mine && set->is_servers && instance->references > 0)
        shards_take_back(instance, set);
    watch_drop_unemptied(set);
    if (leaves_some) /* it alone may have been told of that */
        set_pass_on(set, fd);
}

void shards_end(struct watch *watch) {
    end(watch, true);
}

void shards_end_closed(struct watch *watch) {
    end(watch, false);
}

void shards_end_with_instance(struct watch *watch) {
    end(watch, !instance_may_be_shared(watch->instance) && !atomic_load(&watch->instance->waiting));
}
