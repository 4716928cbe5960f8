/*
 * worker short: whether those who sit together at a home are enough for what comes there.
 *
 * While one of them waits nobody else is needed, and thieves are dear there: whose turn is over
 * goes to the end of the line, behind the thieves, so that these are woken although the others
 * wait. So two watch each home from elsewhere, until some home is short: the last of those who sit
 * there went to work, and may stay there. Then all watch as many neighbours as they may, for ten
 * seconds at least.
 *
 * With little to do that is told at once, before the server has its request: nobody may come by for
 * a long time. With thousands of connections a second, each served in no time, the last goes to
 * work every now and then, and after a kick, which wakes all; there it has to stay away for a
 * while, and whoever comes by looks.
 */
#ifndef UNHERD_WORKER_SHORT_H
#define UNHERD_WORKER_SHORT_H

#include <stdbool.h>

#include "hot.h"
#include "shard_set.h"

/* Whether homes were seen to be short lately. */
bool worker_is_short(const struct shard_set *set);

/* Whether any home is shared: else nothing of this matters. */
static inline bool worker_shares_homes(const struct shard_set *set) {
    return atomic_load_explicit(&set->shared->sharing, memory_order_relaxed);
}

/* One that sits at that home begins to wait for what comes there; and waits no more. True: nor does
 * any other. */
void worker_sits_down(const struct shard_set *set, int home);
bool worker_gets_up(const struct shard_set *set, int home);

/* So it is, now by clock_coarse_ms(). errno is kept. */
void worker_note_empty(const struct shard_set *set, int home, uint64_t now);

/* Looks at the homes that were left by all some time ago, if there are any. errno is kept. */
void worker_look_at_homes(const struct shard_set *set, uint64_t now);

static inline void worker_comes_by(const struct shard_set *set, uint64_t now) {
    if (UNLIKELY(atomic_load_explicit(&set->shared->doubt_ms, memory_order_relaxed)))
        worker_look_at_homes(set, now);
}

/* Whether whoever comes by now is to look at all homes: those who sit at one may be stopped in
 * their waits, all of them, and the two thieves too, and nobody would ever see that. One does,
 * every 100 ms, while homes are not short. */
bool worker_is_to_look_beside(const struct shard_set *set, uint64_t now);

/* Somebody whose home is shared took a connection from `shard`, another's: whether nobody waits
 * there, by other evidence, for the count above has those that were killed. And if none was short
 * for long, that ends. errno is kept. */
void worker_note_theft(const struct shard_set *set, int shard);

/* Whether the worker that has that place is the second at its home: it is, if nobody is. */
bool worker_is_second(const struct shard_set *set, int home, int place);
void worker_is_second_no_more(const struct shard_set *set, int home, int place);

#endif
