/* watch close: what ends a watch, or puts it out of reach, when descriptors come and go. */
#include "watch.h"

#include "fd_table.h"
#include "local.h"
#include "real.h"
#include "socket_options.h"
#include "watch_shards.h"
#include "watch_stand_back.h"
#include "worker.h"

/* It becomes what the server asked for, as long as its number is there to say so. */
static void leave_to_kernel(struct watch *watch, int fd) {
    struct epoll_event event = {.events = EPOLLONESHOT, .data.u64 = atomic_load(&watch->data)};
    struct shard own = watch_shard(watch);
    int epfd = watch->instance->epfd;
    if (atomic_load(&watch->armed))
        event.events = watch->asked;
    set_unkeep(own.set, own.number);
    shards_end(watch);
    if (socket_int(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1) /* closed behind our back, it may be any */
        real.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
}

/*
 * What the kernel has registered under a number that is gone, or by a parent, ends with the
 * socket: then that is not to be kept open by us.
 */
static void unkeep_if_out_of_reach(const struct watch *watch, bool last) {
    struct shard own = watch_shard(watch);
    if (own.set->is_servers && (watch->frozen || (last && !instance_is_mine(watch->instance))))
        set_unkeep(own.set, own.number);
}

/* The number is all that poll() was asked about; a thread that is in it goes on with the socket. */
static bool is_polled_later(const struct watch *watch) {
    return watch->instance->is_own && !atomic_load(&watch->instance->waiting);
}

static void freeze(struct watch *watch) {
    watch->frozen = true; /* the kernel keeps what is registered while the socket is open */
    atomic_store(&watch->instance->is_spoiled, true);
}

/*
 * Without its number, what is disarmed after each event could not be; and a child that has the
 * instance and the socket too goes on with them, whatever is closed here.
 */
static bool is_kernels(const struct watch *watch, bool last) {
    bool is_wanted = last ? instance_may_be_shared(watch->instance) : watch->asked & EPOLLONESHOT;
    return is_wanted && !watch->frozen && instance_is_mine(watch->instance);
}

static void close_watch(struct watch *watch, int fd, bool last) {
    bool ends = last || is_polled_later(watch);
    unkeep_if_out_of_reach(watch, last);
    if (watch->fd != fd && !last)
        return;
    if (atomic_load(&watch->leaving))
        shards_end(watch);
    else if (is_kernels(watch, last))
        leave_to_kernel(watch, fd);
    else if (ends)
        shards_end(watch);
    else
        freeze(watch);
}

void watch_listener_closing(const struct shard *own, int fd, bool last) {
    for (int i = 0; i < watch_end(); i++)
        if (watch_is_of(watch_at(i), own))
            close_watch(watch_at(i), fd, last);
}

void watch_shard_closing(const struct shard *shard) {
    for (int i = 0; i < watch_end(); i++) {
        struct watch *watch = watch_at(i);
        if (atomic_load(&watch->set) != shard->set)
            continue;
        if (instance_is_mine(watch->instance))
            shards_unregister(watch, shard->number);
        else /* a parent's, which this child goes on with: the numbers are the same */
            real.epoll_ctl(watch->instance->epfd, EPOLL_CTL_DEL, shard->set->fd[shard->number],
                           NULL);
    }
}

/* The number that we use for an instance is going: use another of its numbers. */
static void rename_instance(struct instance *instance, unsigned index, int closing) {
    for (int fd = fd_next(0, FD_LIMIT - 1); fd >= 0; fd = fd_next((unsigned)fd + 1, FD_LIMIT - 1)) {
        unsigned entry = fd_entry(fd);
        if (fd != closing && fd_kind_of(entry) == FD_INSTANCE && fd_index_of(entry) == index)
            instance->epfd = fd;
    }
}

void watch_instance_closing(unsigned index, int epfd) {
    struct instance *instance = instance_at(index);
    if (!guard_enter()) {
        atomic_fetch_add(&instance->orphaned, 1);
        return;
    }
    if (--instance->references == 0)
        WATCHES_OF (watch, instance)
            shards_end_with_instance(watch);
    else if (instance->epfd == epfd)
        rename_instance(instance, index, epfd);
    guard_leave();
}

/* Its number is closed, and may be another instance's by now: nothing is withdrawn by it. */
static void end_orphaned(struct instance *instance, int orphaned) {
    unsigned index = instance_index(instance);
    instance->references -= orphaned;
    if (instance->references <= 0) {
        instance->references = 0;
        WATCHES_OF (watch, instance)
            shards_end_closed(watch);
    } else if (fd_kind_of(fd_entry(instance->epfd)) != FD_INSTANCE ||
               fd_index_of(fd_entry(instance->epfd)) != index)
        rename_instance(instance, index, -1);
}

void watch_end_orphaned(void) {
    for (unsigned i = 0; i < INSTANCE_LIMIT; i++) {
        struct instance *instance = instance_at(i);
        int orphaned =
            atomic_load(&instance->orphaned) ? atomic_exchange(&instance->orphaned, 0) : 0;
        if (orphaned && instance->references > 0)
            end_orphaned(instance, orphaned);
    }
}

bool watch_instance_copied(unsigned index) {
    if (!guard_enter())
        return false;
    instance_at(index)->references++;
    guard_leave();
    return true;
}

/* The other threads run on until it is over, and are told of this as all are. If they still looked,
 * and left what they find for the others, this process's homes would be no orphans to anybody. */
void watch_process_ends(void) {
    if (watch_end() == 0 || local_is_borrowed() || !guard_enter())
        return;
    for (int i = 0; i < watch_end(); i++) {
        struct watch *watch = watch_at(i);
        struct shard_set *set = atomic_load(&watch->set);
        if (!set || !watch->begun || !instance_is_mine(watch->instance))
            continue;
        if (shards_leave_some(watch))
            set_pass_on(set, watch->frozen ? -1 : watch->fd);
        if (watch->has_home && !watch->shares_home)
            worker_release(set, watch->home);
        shards_share_no_more(watch, set);
        stats_leave(set, watch->place);
        watch->place = NO_PLACE;
    }
    local_end();
    guard_leave();
}

/* Whoever else waits in the instance cannot do what was put off until our next wait. */
void watch_finish_deleted(void) {
    if (watch_end() == 0 || local_is_borrowed() || !guard_enter())
        return;
    for (int i = 0; i < watch_end(); i++) {
        struct watch *watch = watch_at(i);
        if (!atomic_load(&watch->set) || !instance_is_mine(watch->instance))
            continue;
        if (atomic_load(&watch->leaving))
            shards_end(watch);
        else if (stand_back_stop(watch))
            shards_sync(watch);
    }
    guard_leave();
}

bool watch_is_there(unsigned instance, const struct shard *own) {
    return watch_find_shard(instance_at(instance), own);
}

bool watch_has(const struct shard_set *set) {
    for (int i = 0; i < watch_end(); i++)
        if (atomic_load(&watch_at(i)->set) == set)
            return true;
    return false;
}

bool watch_may_empty(const struct shard_set *set) {
    for (int i = 0; i < watch_end(); i++) {
        const struct watch *watch = watch_at(i);
        if (atomic_load(&watch->set) == set && !shards_is_alone(watch, set))
            return true;
    }
    return worker_may_empty(set);
}

void watch_drop_unemptied(struct shard_set *set) {
    if (!set->is_servers || !bits_count(&set->abandoned) || watch_may_empty(set))
        return;
    BITS_EACH (number, &set->abandoned) {
        watch_shard_closing(&(struct shard){set, number});
        set_drop(set, number);
    }
}
