#include "watch_usual.h"

#include <errno.h>

#include "hot.h"
#include "stats.h"
#include "watch_current.h"
#include "watch_order.h"
#include "watch_serial.h"
#include "watch_shards.h"
#include "watch_stand_back.h"
#include "watch_turns.h"
#include "worker.h"
#include "worker_stuck.h"

/* The set is what it is in the usual case: nothing is left anywhere for whoever comes. */
HOT static bool is_set_usual(const struct shard_set *set) {
    return !atomic_load_explicit(&set->shared->handed, memory_order_relaxed) &&
           !worker_sees_slow(set) && !set_is_one_queue(set);
}

/* One that is registered exclusively was seen to accept. */
HOT static bool is_usual(const struct watch *watch, const struct shard *own) {
    return watch && watch->instance == watch_current && watch_is_of(watch, own) &&
           atomic_load_explicit(&watch->told, memory_order_relaxed) &&
           !atomic_load_explicit(&watch->told_of_many, memory_order_relaxed) &&
           watch_waits_for_home(watch) && (watch->given & EPOLLEXCLUSIVE) &&
           watch->home < own->set->count && is_set_usual(own->set);
}

HOT void usual_note(struct watch *watch, const struct shard_set *set, int home) {
    atomic_store_explicit(&watch->served, true, memory_order_relaxed);
    atomic_store_explicit(&watch->told, false, memory_order_relaxed);
    stats_count(set, watch->place, COUNT_HOME);
    stand_back_count_home(watch);
    worker_took_home(set, home);
    order_note_taken(set, home);
    if (set_is_one_queue(set) || worker_is_shared(set, home))
        turns_count_taken(watch, set, home);
}

HOT static void note_first(struct watch *watch, const struct shard_set *set, int home, int fd) {
    usual_note(watch, set, home);
    if (serial_is_looked_at())
        serial_note_taken(watch, fd);
    if (turns_note_counted(watch))
        watch_note_hesitation(watch, set);
}

/* The spares do not block: the server's own may, and then others are to decide. */
HOT int watch_accept_usual(const struct shard *own, struct accept_call *call) {
    struct watch *watch = watch_at(atomic_load_explicit(&own->set->hint, memory_order_relaxed));
    if (!is_usual(watch, own))
        return NOT_USUAL;
    int home = watch->home;
    if (home == own->number && set_blocks(own->set, home, call->fd))
        return NOT_USUAL;
    int saved = errno;
    int fd = call->accept(set_fd(own, home, call->fd), call);
    if (fd >= 0) {
        note_first(watch, own->set, home, fd);
        return fd;
    }
    call->is_home_empty = errno == EAGAIN;
    errno = saved;
    return NOT_USUAL;
}
