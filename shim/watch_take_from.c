#include "watch_take_from.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>

#include "hot.h"
#include "real.h"
#include "watch_current.h"
#include "watch_order.h"
#include "watch_serial.h"
#include "watch_stand_back.h"
#include "watch_stuck.h"
#include "watch_turns.h"
#include "watch_usual.h"
#include "worker.h"
#include "worker_short.h"
#include "worker_stuck.h"

/*
 * From the server's own socket although it blocks: only while no other worker does the same, who
 * could take what this one has seen and leave it to sleep in the kernel, deaf to its home. Refused
 * is as good as empty: the other takes it.
 */
RARE static int take_from_blocking(struct shard_set *set, const struct accept_call *call) {
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

HOT static void note_stolen(struct watch *watch, const struct shard_set *set, int shard) {
    atomic_store_explicit(&watch->served, true, memory_order_relaxed);
    stats_count(set, watch->place, COUNT_STOLEN);
    stand_back_count_stolen(watch);
    turns_count_stolen(watch, set, shard);
    if (set_is_one_queue(set)) /* it is nobody's to take from */
        return;
    atomic_store_explicit(&watch->told, false, memory_order_relaxed);
    serial_note_at_home(watch, set);
    order_note_taken(set, shard);
    bool is_shared = worker_is_shared(set, watch->home);
    if (UNLIKELY(is_shared) && set_steal(set))
        worker_note_theft(set, shard);
    if (worker_took_stolen(set, shard) && set_steal(set) &&
        (is_shared || atomic_load_explicit(&watch->is_partial, memory_order_relaxed)))
        stuck_tell(set, shard);
}

HOT bool take_was_told_of_many(struct watch *watch) {
    bool was_told = atomic_load_explicit(&watch->told_of_many, memory_order_relaxed);
    if (was_told)
        atomic_store_explicit(&watch->told_of_many, false, memory_order_relaxed);
    return was_told;
}

/*
 * A worker that was woken for one shard may take from another, its home first, and then be busy for
 * long; and who was woken for that other one finds nothing there, and sleeps on. So what is left at
 * the shards that it could have taken from is passed on to whoever waits for them; but only where
 * several were reported at once, or some owner has left its own to others; and seldom where the
 * owner comes to it soon, for all who wait for that shard wake.
 */
HOT static bool may_strand(struct watch *watch, const struct shard_set *set) {
    return take_was_told_of_many(watch) ||
           (worker_sees_slow(set) && serial_is_to_pass_on(watch, set));
}

HOT bool take_is_first_after_sleep(const struct watch *watch) {
    return watch && atomic_load_explicit(&watch->told, memory_order_relaxed) &&
           choice_is_after_sleep(watch);
}

HOT static void note_home(struct watch *watch, const struct shard_set *set, int home) {
    serial_note_at_home(watch, set);
    usual_note(watch, set, home);
}

/* From the shard that all share while most are at work. */
static void note_gathered(struct watch *watch, const struct shard_set *set) {
    atomic_store_explicit(&watch->served, true, memory_order_relaxed);
    atomic_store_explicit(&watch->told, false, memory_order_relaxed);
    stats_count(set, watch->place, COUNT_HOME);
    serial_note_at_home(watch, set);
    order_note_taken(set, 0);
}

bool take_is_empty(int error) {
    return error == EAGAIN || error == EINVAL || error == EBADF || error == ENOTSOCK;
}

HOT int take_from_choice(const struct shard *own, struct watch *watch,
                         const struct accept_call *call, struct choice *choice,
                         bool is_home_first) {
    const struct shard_set *set = own->set;
    bool is_after_sleep = take_is_first_after_sleep(watch);
    struct order order = {choice->list, choice->shards, choice->count, is_home_first};
    int first = watch && choice->ready > 1 ? order_choose(set, &order) : 0;
    for (int step = 0; step < choice->count && choice->ready; step++) {
        int i = (first + step) % choice->count;
        if (choice->ready > 0 && !choice->list[i].revents)
            continue;
        int fd = take(own, choice->shards[i], call);
        choice->list[i].revents = 0;
        if (fd < 0 && take_is_empty(errno))
            continue;
        if (fd >= 0 && watch && choice->shards[i] == choice_home(own, watch))
            note_home(watch, set, choice->shards[i]);
        else if (fd >= 0 && watch)
            note_stolen(watch, set, choice->shards[i]);
        if (fd >= 0 && watch && choice->ready > 1 &&
            (is_home_first || may_strand(watch, set) || is_after_sleep))
            choice_pass_on(set, choice);
        return fd;
    }
    return nothing();
}

HOT int take_from_neighbours(const struct shard *own, struct watch *watch,
                             const struct accept_call *call) {
    struct choice choice;
    choice_look(own, watch, call->fd, false, &choice);
    return take_from_choice(own, watch, call, &choice, false);
}

HOT int take_home(const struct shard *own, struct watch *watch, const struct accept_call *call) {
    int home = choice_home(own, watch);
    bool is_after_sleep = take_is_first_after_sleep(watch);
    int fd = call->empty_home == home + 1 ? nothing() : take(own, home, call);
    if (fd < 0 || !watch)
        return fd;
    note_home(watch, own->set, home);
    if (may_strand(watch, own->set))
        choice_leave(own, watch, call->fd);
    else if (is_after_sleep)
        choice_leave_after_sleep(own, watch, call->fd);
    return fd;
}

int take_first(const struct shard *own, struct watch *watch, const struct accept_call *call) {
    bool is_after_sleep = take_is_first_after_sleep(watch);
    int fd = take(own, 0, call);
    if (fd < 0)
        return fd;
    note_gathered(watch, own->set);
    if (is_after_sleep && watch->home) /* those who sleep take turns */
        turns_count_stolen(watch, own->set, 0);
    return fd;
}
