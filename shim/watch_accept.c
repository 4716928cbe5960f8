/*
 * watch accept: for whom a connection is taken, of a set of one or of several shards. Which of
 * several that is, is watch_take.c's to know.
 */
#include "watch.h"

#include <errno.h>
#include <poll.h>

#include "attendant.h"
#include "hot.h"
#include "real.h"
#include "watch_current.h"
#include "watch_gather.h"
#include "watch_held.h"
#include "watch_serial.h"
#include "watch_shards.h"
#include "watch_take.h"
#include "watch_turns.h"
#include "watch_usual.h"
#include "worker.h"

/* The watch that an accept by this thread belongs to, or NULL: it never waited in this process. */
HOT static struct watch *watch_of(const struct shard *own) {
    struct watch *hint = watch_at(atomic_load_explicit(&own->set->hint, memory_order_relaxed));
    struct instance *current = watch_current;
    if (LIKELY(hint) && !watch_is_of(hint, own))
        hint = NULL;
    if (LIKELY(hint && (!current || hint->instance == current)))
        return hint;
    struct watch *watch = current ? watch_find_shard(current, own) : NULL;
    return watch ? watch : hint;
}

HOT static int accept_from_one(const struct shard *own, struct watch *watch,
                               const struct accept_call *call) {
    if (watch && turns_is_anothers(watch, call, own))
        return nothing();
    int fd = call->accept(call->fd, call);
    if (!watch)
        return fd;
    atomic_store_explicit(&watch->told, false, memory_order_relaxed);
    if (LIKELY(fd >= 0)) {
        stats_count(own->set, watch->place, COUNT_HOME);
        turns_count_taken(watch, own->set, own->number);
    } else if (errno == EAGAIN)
        turns_count_empty(watch, own->set);
    return fd;
}

/*
 * Whoever is exhausted cannot take what it was woken for. The kernel says so before it looks at the
 * queue: with nothing there, workers that have all no descriptors left would wake each other
 * without end.
 */
RARE static void pass_on_queued(const struct shard *own, const struct watch *watch, int own_fd) {
    struct pollfd queue = {.fd = own_fd, .events = POLLIN};
    int saved = errno;
    if (watch ? shards_leave_some(watch) : real.poll(&queue, 1, 0) != 0)
        set_pass_on(own->set, own_fd);
    errno = saved;
}

HOT static int accept_as(const struct shard *own, struct watch *watch,
                         const struct accept_call *call) {
    if (LIKELY(own->set->count == 1)) /* of several it is watch_usual.c's, as a rule */
        return accept_from_one(own, watch, call);
    int fd = take_from_any(own, watch, call);
    if (fd >= 0 && watch && (serial_note_taken(watch, fd) || held_note_taken()) &&
        !set_gathers(own->set))
        gather_begin(watch, own->set);
    return fd;
}

/* With several shards a worker is one when it has a home. */
static bool is_worker(const struct watch *watch, const struct shard_set *set) {
    return LIKELY(watch) && (LIKELY(set->count == 1) ? watch->begun : watch->has_home);
}

HOT static int accept_as_worker(const struct shard *own, struct watch *watch,
                                const struct accept_call *call) {
    int fd = accept_as(own, watch, call);
    bool is_first = (fd >= 0 || errno == EAGAIN) && turns_note_counted(watch);
    if (LIKELY(fd >= 0 && is_first)) /* who goes on accepting without a wait does not hesitate */
        watch_note_hesitation(watch, own->set);
    return fd;
}

RARE int watch_accept_unseen(const struct shard *own, const struct accept_call *call,
                             bool is_plain) {
    struct shard_set *set = own->set;
    int place = attendant_blocks(set) ? attendant_place(set) : NO_PLACE;
    attendant_sleeps(set, place, true);
    int fd = is_plain ? call->accept(call->fd, call) : accept_as(own, NULL, call);
    attendant_sleeps(set, place, false);
    if (fd >= 0)
        attendant_accepted(set, own->number, call->fd);
    return fd;
}

HOT int watch_accept_usual(const struct shard *own, struct accept_call *call) {
    struct watch *watch = watch_of(own);
    return LIKELY(watch) ? usual_take(own, watch, call) : NOT_USUAL;
}

HOT int watch_accept(const struct shard *own, const struct accept_call *call) {
    struct watch *watch = watch_of(own);
    watch_accepts(own);
    bool is_seen = is_worker(watch, own->set);
    int fd = LIKELY(is_seen) ? accept_as_worker(own, watch, call)
                             : watch_accept_unseen(own, call, false);
    if (UNLIKELY(fd < 0) && is_exhausted(errno))
        pass_on_queued(own, is_seen ? watch : NULL, call->fd);
    return fd;
}
