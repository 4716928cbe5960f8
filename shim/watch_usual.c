#include "watch_usual.h"

#include <errno.h>

#include "hot.h"
#include "stats.h"
#include "watch_choice.h"
#include "watch_current.h"
#include "watch_gather.h"
#include "watch_held.h"
#include "watch_order.h"
#include "watch_serial.h"
#include "watch_shards.h"
#include "watch_stand_back.h"
#include "watch_take.h"
#include "watch_turns.h"
#include "worker.h"
#include "worker_stuck.h"

/* The set is what it is in the usual case: nothing is left anywhere for whoever comes. */
HOT static bool is_set_usual(const struct shard_set *set) {
    return !atomic_load_explicit(&set->shared->handed, memory_order_relaxed) &&
           !worker_sees_slow(set) && !set_is_one_queue(set) && !set_empties_first(set);
}

/* One that is woken alone has proven already that it accepts, or the server wants it so. */
HOT static bool is_usual(const struct watch *watch, const struct shard *own) {
    return LIKELY(watch->instance == watch_current && watch_is_of(watch, own) &&
                  atomic_load_explicit(&watch->told, memory_order_relaxed) &&
                  !atomic_load_explicit(&watch->told_of_many, memory_order_relaxed) &&
                  watch_waits_for_home(watch) && (watch->given & EPOLLEXCLUSIVE) &&
                  is_set_usual(own->set));
}

HOT void usual_note(struct watch *watch, const struct shard_set *set, int home) {
    atomic_store_explicit(&watch->served, true, memory_order_relaxed);
    atomic_store_explicit(&watch->told, false, memory_order_relaxed);
    stats_count(set, watch->place, COUNT_HOME);
    stand_back_count_home(watch);
    worker_took_home(set, home);
    order_note_taken(set, home);
    if (set_is_one_queue(set) || UNLIKELY(worker_is_shared(set, home)))
        turns_count_taken(watch, set, home);
}

HOT static void note_first(struct watch *watch, const struct shard_set *set, int home, int fd) {
    usual_note(watch, set, home);
    if (UNLIKELY(serial_note_taken(watch, fd) || held_note_taken()))
        gather_begin(watch, set);
    if (LIKELY(turns_note_counted(watch)))
        watch_note_hesitation(watch, set);
}

/* Spares do not block; the server's own may, and what is to be done then is for others. */
HOT static bool may_take(const struct shard *own, int home, const struct accept_call *call) {
    return LIKELY(home < own->set->count) &&
           !(home == own->number && UNLIKELY(set_blocks(own->set, home, call->fd)));
}

WHOLE HOT int usual_take(const struct shard *own, struct watch *watch, struct accept_call *call) {
    int home = watch->home; /* once: another thread may end it */
    if (UNLIKELY(!is_usual(watch, own) || !may_take(own, home, call)))
        return NOT_USUAL;
    int saved = errno;
    int fd = call->accept(set_fd(own, home, call->fd), call);
    if (LIKELY(fd >= 0)) {
        note_first(watch, own->set, home, fd);
        if (UNLIKELY(choice_is_after_sleep(watch))) {
            choice_leave_after_sleep(own, watch, call->fd);
            errno = saved;
        }
    } else if (errno == EAGAIN || is_exhausted(errno)) {
        call->empty_home = errno == EAGAIN ? home + 1 : 0;
        errno = saved;
        return NOT_USUAL;
    }
    return fd;
}
