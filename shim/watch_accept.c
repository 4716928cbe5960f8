/*
 * watch accept: from which shard a connection is taken.
 *
 * The event does not say which shard it came from, since epoll_data is the server's. Home is tried
 * first: with its owner idle that is the one, and the accept is the only system call. Only where
 * home is empty are the neighbours' shards looked at.
 */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>

#include "attendant.h"
#include "hot.h"
#include "real.h"
#include "watch_current.h"
#include "watch_shards.h"
#include "watch_stand_back.h"
#include "watch_stuck.h"
#include "watch_turns.h"
#include "worker.h"
#include "worker_stuck.h"

/* The watch that an accept by this thread belongs to, or NULL: it never waited in this process. */
HOT static struct watch *watch_of(const struct shard *own) {
    struct watch *hint = watch_at(atomic_load_explicit(&own->set->hint, memory_order_relaxed));
    struct instance *current = watch_current;
    if (hint && !watch_is_of(hint, own))
        hint = NULL;
    if (hint && (!current || hint->instance == current))
        return hint;
    struct watch *watch = current ? watch_find_shard(current, own) : NULL;
    return watch ? watch : hint;
}

static int nothing(void) {
    errno = EAGAIN;
    return -1;
}

/*
 * From the server's own socket although it blocks: only while no other worker does the same, who
 * could take what this one has seen and leave it to sleep in the kernel, deaf to its home. Refused
 * is as good as empty: the other takes it.
 */
static int take_from_blocking(struct shard_set *set, const struct accept_call *call) {
    struct pollfd own = {.fd = call->fd, .events = POLLIN};
    int cancel;
    int fd = nothing();
    if (!worker_enter_own(set))
        return fd;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    if (real.poll(&own, 1, 0) > 0) /* refused (EINTR), nothing is known, and accept would sleep */
        fd = call->accept(call->fd, call);
    int saved = errno;
    worker_leave_own(set);
    pthread_setcancelstate(cancel, NULL);
    errno = saved;
    return fd;
}

/* A shard of the server's own that blocks belongs to its own worker alone. */
HOT static int take(const struct shard *own, int shard, const struct accept_call *call) {
    int fd = set_fd(own, shard, call->fd);
    if (shard == own->number && call->blocks)
        return take_from_blocking(own->set, call);
    if (own->set->is_servers && shard != own->number && set_blocks(own->set, shard, fd))
        return nothing();
    return call->accept(fd, call);
}

HOT static int accept_from_one(const struct shard *own, struct watch *watch,
                               const struct accept_call *call) {
    if (watch && turns_is_anothers(watch, call, own))
        return nothing();
    int fd = call->accept(call->fd, call);
    if (!watch)
        return fd;
    atomic_store_explicit(&watch->told, false, memory_order_relaxed);
    if (fd >= 0) {
        stats_count(own->set, watch->place, COUNT_HOME);
        turns_count_taken(watch, own->set, own->number);
    } else if (errno == EAGAIN)
        turns_count_empty(watch, own->set);
    return fd;
}

HOT static void note_stolen(struct watch *watch, const struct shard_set *set, int shard) {
    atomic_store_explicit(&watch->served, true, memory_order_relaxed);
    stats_count(set, watch->place, COUNT_STOLEN);
    stand_back_count_stolen(watch);
    turns_count_stolen(watch, set, shard);
    if (set_is_one_queue(set)) /* it is nobody's to take from */
        return;
    if (worker_took_stolen(set, shard) && set_steal(set) &&
        atomic_load_explicit(&watch->is_partial, memory_order_relaxed))
        stuck_tell(set, shard);
}

/* Whom an accept is for: a worker, or nobody that waits here. Of one queue all have the same; and
 * the record may be another set's by now, if another thread has closed this one. */
HOT static int home_of(const struct shard *own, const struct watch *watch) {
    int home = watch && !set_is_one_queue(own->set) ? watch->home : own->number;
    return home < own->set->count ? home : own->number;
}

/*
 * A thread that did not wait itself accepts what another was told of, who may have a home and
 * neighbours elsewhere: it may take from every shard.
 */
HOT static void reach_of(const struct shard *own, const struct watch *watch,
                         struct shard_bits *reach) {
    if (!watch || watch->instance != watch_current) {
        worker_listening(own->set, reach);
        return;
    }
    *reach = (struct shard_bits){0};
    WATCHES_OF (each, watch->instance) { /* one for each number that the server added */
        const struct shard_bits *its = atomic_load(&each->armed) ? &each->registered : &each->reach;
        if (watch_is_of(each, own))
            BITS_EACH (shard, its)
                bits_add(reach, shard);
    }
}

/* The shards within reach beside home, next neighbour first; returns how many. */
HOT static int list_neighbours(const struct shard *own, const struct watch *watch, int own_fd,
                               struct pollfd *list, int *shards) {
    struct shard_bits reach;
    int home = home_of(own, watch);
    int count = 0;
    reach_of(own, watch, &reach);
    bits_remove(&reach, home);
    for (int pass = 0; pass < 2; pass++) { /* those behind home, then those before it */
        int end = pass ? home : own->set->count;
        for (int shard = bits_next(&reach, pass ? 0 : home); shard >= 0 && shard < end;
             shard = bits_next(&reach, shard + 1)) {
            shards[count] = shard;
            list[count++] = (struct pollfd){.fd = set_fd(own, shard, own_fd), .events = POLLIN};
        }
    }
    return count;
}

/*
 * A worker that was woken for one shard may take from another, its home first, and then be busy for
 * long; and who was woken for that other one finds nothing there, and sleeps on. So what is left at
 * the shards that it could have taken from is passed on to whoever waits for them; but only where
 * several were reported at once, or some owner has left its own to others; and seldom where the
 * owner comes to it soon, for all who wait for that shard wake.
 */
HOT static bool may_strand(struct watch *watch, const struct shard_set *set) {
    bool is_told = atomic_load_explicit(&watch->told_of_many, memory_order_relaxed);
    if (is_told)
        atomic_store_explicit(&watch->told_of_many, false, memory_order_relaxed);
    return is_told || worker_sees_slow(set);
}

static void pass_on(const struct shard_set *set, const struct pollfd *list, const int *shards,
                    int count) {
    bool has_owners = !set_is_one_queue(set);
    for (int i = 0; i < count; i++)
        if ((list[i].revents & POLLIN) && (!has_owners || worker_passes_on(set, shards[i])))
            set_wake_waiters(set, list[i].fd);
}

HOT static void pass_on_neighbours(const struct shard *own, struct watch *watch, int own_fd) {
    struct pollfd list[SHARDS_MAX];
    int shards[SHARDS_MAX];
    int count = may_strand(watch, own->set) ? list_neighbours(own, watch, own_fd, list, shards) : 0;
    if (count && real.poll(list, (nfds_t)count, 0) > 0)
        pass_on(own->set, list, shards, count);
}

HOT static void note_home(const struct shard *own, struct watch *watch, int own_fd) {
    const struct shard_set *set = own->set;
    int home = home_of(own, watch);
    atomic_store_explicit(&watch->served, true, memory_order_relaxed);
    atomic_store_explicit(&watch->told, false, memory_order_relaxed);
    stats_count(set, watch->place, COUNT_HOME);
    stand_back_count_home(watch);
    worker_took_home(set, home);
    if (set_is_one_queue(set) || worker_is_shared(set, home))
        turns_count_taken(watch, set, home);
    pass_on_neighbours(own, watch, own_fd);
}

/* A neighbour of the server's own may be shut down or closed at any moment. */
static bool is_gone_or_empty(int error) {
    return error == EAGAIN || error == EINVAL || error == EBADF || error == ENOTSOCK;
}

HOT static int steal(const struct shard *own, struct watch *watch, const struct accept_call *call) {
    struct pollfd list[SHARDS_MAX];
    int shards[SHARDS_MAX];
    int count = list_neighbours(own, watch, call->fd, list, shards);
    /* Refused where RLIMIT_NOFILE is below their number (poll(2), EINVAL): then all are tried. */
    int ready = count ? real.poll(list, (nfds_t)count, 0) : 0;
    for (int i = 0; i < count && ready; i++) {
        if (ready > 0 && !list[i].revents)
            continue;
        int fd = take(own, shards[i], call);
        if (fd >= 0 && watch)
            note_stolen(watch, own->set, shards[i]);
        if (fd >= 0 && watch && ready > 1 && may_strand(watch, own->set))
            pass_on(own->set, list + i + 1, shards + i + 1, count - i - 1);
        if (fd >= 0 || !is_gone_or_empty(errno))
            return fd;
    }
    return nothing();
}

/*
 * Whoever has had a connection since its wait leaves the neighbours' shards alone: level-triggered,
 * what waits there is reported again, and its owner may well take it first. A server that accepts
 * until EAGAIN would otherwise empty everybody's queue each time it comes round. Edge-triggered,
 * nothing is reported twice: then all are looked at.
 */
static bool is_served(struct watch *watch) {
    if ((watch->asked & EPOLLET) || watch->instance != watch_current)
        return false;
    /* Only once: whoever asks again without a wait in between is not told of anything. */
    return atomic_exchange(&watch->served, false);
}

/* The listener is another process's too, and this one may close its other shards at any moment:
 * what waits in them goes before everything. */
static int take_handed_over(const struct shard *own, const struct accept_call *call) {
    if (!atomic_load_explicit(&own->set->shared->handed, memory_order_relaxed))
        return nothing();
    return steal(own, NULL, call);
}

/*
 * Of a set that has become one queue: what is left in its other shards. A queue that is never empty
 * would keep them from their turn. Who was told of both, and takes that one, passes on the other.
 */
static int take_left_over(const struct shard *own, struct watch *watch,
                          const struct accept_call *call) {
    struct pollfd home = {.fd = call->fd, .events = POLLIN};
    bool is_told_of_many = watch && atomic_load(&watch->told_of_many);
    if (!set_is_one_queue(own->set) || !(is_told_of_many || worker_sees_slow(own->set)))
        return nothing();
    int fd = steal(own, watch, call);
    if (fd >= 0 && real.poll(&home, 1, 0) > 0)
        set_wake_waiters(own->set, call->fd);
    return fd;
}

HOT static int try_all(const struct shard *own, struct watch *watch,
                       const struct accept_call *call) {
    int fd = take_handed_over(own, call);
    if (fd < 0)
        fd = take_left_over(own, watch, call);
    if (fd >= 0)
        return fd;
    if (watch && set_is_one_queue(own->set) && turns_is_anothers(watch, call, own))
        return nothing();
    fd = take(own, home_of(own, watch), call);
    if (fd >= 0 && watch)
        note_home(own, watch, call->fd);
    if (fd >= 0 || errno != EAGAIN || (watch && is_served(watch)))
        return fd;
    fd = steal(own, watch, call);
    if (fd < 0 && errno == EAGAIN && watch)
        turns_count_empty(watch, own->set);
    return fd;
}

/* It cannot take what it was woken for. */
static bool is_exhausted(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/*
 * The kernel says so before it looks at the queue: with nothing there, workers that have all no
 * descriptors left would wake each other without end.
 */
static void pass_on_queued(const struct shard *own, const struct watch *watch, int own_fd) {
    struct pollfd queue = {.fd = own_fd, .events = POLLIN};
    int saved = errno;
    if (watch ? shards_leave_some(watch) : real.poll(&queue, 1, 0) != 0)
        set_pass_on(own->set, own_fd);
    errno = saved;
}

HOT static int accept_as(const struct shard *own, struct watch *watch,
                         const struct accept_call *call) {
    return own->set->count == 1 ? accept_from_one(own, watch, call) : try_all(own, watch, call);
}

/* With several shards a worker is one when it has a home. */
static bool is_worker(const struct watch *watch, const struct shard_set *set) {
    return watch && (set->count == 1 ? watch->begun : watch->has_home);
}

HOT static int accept_as_worker(const struct shard *own, struct watch *watch,
                                const struct accept_call *call) {
    int fd = accept_as(own, watch, call);
    if (fd >= 0 || errno == EAGAIN)
        turns_note_counted(watch);
    if (fd >= 0)
        watch_note_hesitation(watch, own->set);
    return fd;
}

int watch_accept_unseen(const struct shard *own, const struct accept_call *call, bool is_plain) {
    struct shard_set *set = own->set;
    int place = attendant_blocks(set) ? attendant_place(set) : NO_PLACE;
    attendant_sleeps(set, place, true);
    int fd = is_plain ? call->accept(call->fd, call) : accept_as(own, NULL, call);
    attendant_sleeps(set, place, false);
    if (fd >= 0)
        attendant_accepted(set, own->number, call->fd);
    return fd;
}

HOT int watch_accept(const struct shard *own, const struct accept_call *call) {
    struct watch *watch = watch_of(own);
    watch_accepts(own);
    bool is_seen = is_worker(watch, own->set);
    int fd = is_seen ? accept_as_worker(own, watch, call) : watch_accept_unseen(own, call, false);
    if (fd < 0 && is_exhausted(errno))
        pass_on_queued(own, is_seen ? watch : NULL, call->fd);
    return fd;
}
