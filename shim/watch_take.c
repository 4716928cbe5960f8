/*
 * watch take: from which shard of several a connection is taken.
 *
 * The event does not say which shard it came from, since epoll_data is the server's. Home is tried
 * first: with its owner idle that is the one, and the accept is the only system call. Where home is
 * empty, or several shards were reported, the neighbours' are looked at.
 */
#include "watch_take.h"

#include <errno.h>
#include <poll.h>

#include "hot.h"
#include "real.h"
#include "watch_choice.h"
#include "watch_current.h"
#include "watch_gather.h"
#include "watch_serial.h"
#include "watch_take_from.h"
#include "watch_turns.h"
#include "worker.h"
#include "worker_stuck.h"

/* Told of several: not home first, but whoever waits for longest. */
static int take_in_order(const struct shard *own, struct watch *watch,
                         const struct accept_call *call) {
    struct choice choice;
    choice_look(own, watch, call->fd, true, &choice);
    int fd = take_from_choice(own, watch, call, &choice, true);
    if (fd < 0 && errno == EAGAIN)
        turns_count_empty(watch, own->set);
    return fd;
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
    return take_from_neighbours(own, NULL, call);
}

/* It may have been woken alone for what is in the first shard, and took another. */
static void leave_first(const struct shard *own, int own_fd) {
    struct pollfd first = {.fd = own_fd, .events = POLLIN};
    if (real.poll(&first, 1, 0) > 0)
        set_wake_waiters(own->set, own_fd);
}

/*
 * Of a set that has become one queue: what is left in its other shards. A queue that is never empty
 * would keep them from their turn. Who was told of both, and takes that one, passes on the other.
 */
static int take_left_over(const struct shard *own, struct watch *watch,
                          const struct accept_call *call) {
    bool is_told_of_many = watch && atomic_load(&watch->told_of_many);
    if (!set_is_one_queue(own->set) || !(is_told_of_many || worker_sees_slow(own->set)))
        return nothing();
    int fd = take_from_neighbours(own, watch, call);
    if (fd >= 0)
        leave_first(own, call->fd);
    return fd;
}

static bool is_one_of_all(const struct watch *watch, const struct shard_set *set) {
    return watch_waits_for_home(watch) && !set_is_one_queue(set);
}

/* What waits beside the first shard came before what is in that, as a rule; but not where that was
 * almost full, and is to be emptied. */
static int sweep(const struct shard *own, struct watch *watch, const struct accept_call *call) {
    struct choice choice;
    bool is_told_of_many = take_was_told_of_many(watch);
    bool is_after_sleep = take_is_first_after_sleep(watch);
    if (!set_gathers(own->set) || !(is_told_of_many || gather_is_to_sweep(own->set)))
        return nothing();
    gather_end_if_full(own->set, call->fd);
    if (!set_gathers(own->set))
        return nothing();
    choice_look_beside(own, 0, call->fd, &choice);
    if (choice.ready > 1)
        gather_sweep_again(own->set);
    int fd = take_from_choice(own, watch, call, &choice, false);
    if (fd >= 0 && is_after_sleep)
        leave_first(own, call->fd);
    return fd;
}

/* Where it is empty, what was to be emptied is. */
static int take_first_or_any(const struct shard *own, struct watch *watch,
                             const struct accept_call *call, bool looks_beside) {
    int fd = take_first(own, watch, call);
    if (fd >= 0 || errno != EAGAIN)
        return fd;
    set_drain(own->set, false);
    if (choice_home(own, watch))
        fd = take_home(own, watch, call);
    return fd >= 0 || errno != EAGAIN || !looks_beside ? fd
                                                       : take_from_neighbours(own, watch, call);
}

static int take_first_of_all(const struct shard *own, struct watch *watch,
                             const struct accept_call *call, bool looks_beside) {
    int fd = sweep(own, watch, call);
    return fd < 0 && take_is_empty(errno) ? take_first_or_any(own, watch, call, looks_beside) : fd;
}

/* Without a wait between: what all share it tries each time, which costs less than a wait. */
static int take_one_more(const struct shard *own, struct watch *watch,
                         const struct accept_call *call) {
    if (!serial_goes_on(watch))
        return take_home(own, watch, call);
    bool looks_beside = serial_is_to_look();
    int fd = take_first_of_all(own, watch, call, looks_beside);
    if (looks_beside || fd >= 0)
        serial_note_looked(fd >= 0);
    if (fd >= 0 && serial_goes_on_for_long())
        gather_step_aside(watch);
    return fd;
}

/* Many are at work, and what is new is in the first shard: whoever comes takes that. */
static int take_gathered(const struct shard *own, struct watch *watch,
                         const struct accept_call *call) {
    if (is_served(watch))
        return take_one_more(own, watch, call);
    int fd = take_first_of_all(own, watch, call, true);
    if (fd < 0 && errno == EAGAIN)
        turns_count_empty(watch, own->set);
    return fd;
}

/* Home, or failing that a neighbour's. */
HOT static int take_as_usual(const struct shard *own, struct watch *watch,
                             const struct accept_call *call) {
    int fd = take_home(own, watch, call);
    if (fd >= 0 || errno != EAGAIN)
        return fd;
    bool is_first = !watch || !is_served(watch);
    if (!is_first && !serial_may_look(watch))
        return fd;
    fd = take_from_neighbours(own, watch, call);
    if (!is_first)
        serial_note_looked(fd >= 0);
    else if (fd < 0 && errno == EAGAIN && watch)
        turns_count_empty(watch, own->set);
    return fd;
}

HOT int take_from_any(const struct shard *own, struct watch *watch,
                      const struct accept_call *call) {
    int fd = take_handed_over(own, call);
    if (fd < 0)
        fd = take_left_over(own, watch, call);
    if (fd >= 0)
        return fd;
    if (watch && set_is_one_queue(own->set) && turns_is_anothers(watch, call, own))
        return nothing();
    if (watch && set_empties_first(own->set) && is_one_of_all(watch, own->set))
        return take_gathered(own, watch, call);
    if (watch && !set_is_one_queue(own->set) && take_was_told_of_many(watch))
        return take_in_order(own, watch, call);
    return take_as_usual(own, watch, call);
}
