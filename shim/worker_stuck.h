/*
 * worker stuck: which owners have left their shard to others, and for how long. An owner that only
 * has much to do comes back to its shard between two requests; one that is stuck does not.
 */
#ifndef UNHERD_WORKER_STUCK_H
#define UNHERD_WORKER_STUCK_H

#include <stdbool.h>

#include "hot.h"
#include "shard_bits.h"
#include "shard_set.h"

/* The owner of `shard` has taken a connection from it. */
void worker_took_home(const struct shard_set *set, int shard);

/* It begins to wait for what comes there, or another thread does still. */
void worker_is_there(const struct shard_set *set, int shard);

/* It waits no more, nor does another thread of its instance; now by clock_coarse_ms(). */
void worker_goes_to_work(const struct shard_set *set, int shard, uint64_t now);

/* It gave the shard back: nobody is away from it, nor there for it. */
void worker_is_gone(const struct shard_set *set, int shard);
bool worker_was_given_back(const struct shard_set *set, int shard);

/* Whether it is woken before all others for what comes to its shard, as far as anybody knows: it is
 * in its wait, nobody has taken from the shard since it began that, and nobody sits there too. */
bool worker_is_first_in_line(const struct shard_set *set, int shard);

/*
 * Whether several shards have owners, and no more than a quarter of them wait, nor many; and
 * whether many do, which are more than half, not counting those at work for a second: they may be
 * dead. As far as anybody knows: of one that is stuck in its wait it is thought that it does not,
 * where others take from its shard, and of one beside whom others sit that it does.
 */
bool worker_few_wait(const struct shard_set *set);
bool worker_many_wait(const struct shard_set *set);

/* Whether somebody may tell the kernel to gather new connections: not often. */
bool worker_may_gather(const struct shard_set *set);

/* Whether somebody may look what is left, as the kernel has to be asked for that: not often. */
bool worker_may_look(const struct shard_set *set);

/* The same while owners are seen that are slow: more often. */
bool worker_may_look_for_slow(const struct shard_set *set);

/* Whether it waits, and so was woken for what is queued, or went to work a moment ago: it will
 * see that itself. */
bool worker_comes_soon(const struct shard_set *set, int shard);

/* Whether what is queued there is to be passed on to all who wait for the shard: when it does not
 * come soon; and else too, but less often. */
bool worker_passes_on(const struct shard_set *set, int shard);

/* Somebody else took a connection from `shard`. True: others have for so long, while its owner, if
 * it has one, was not there, that all are to look who is stuck, and they were not told just now. */
bool worker_took_stolen(const struct shard_set *set, int shard);

/* All are to look who is stuck. */
void worker_tell_stuck(const struct shard_set *set);

/* Changes when all were told. */
uint32_t worker_stuck_news(const struct shard_set *set);

/* How often, in ms, a worker that has seen stuck owners looks which ones are, and how often at the
 * most all are told: the more seldom the more shards, for a look asks the kernel about each. */
uint32_t worker_stuck_interval(const struct shard_set *set);

/* Whether `slow_ms`, which is not 0, is of lately; if not, it is forgotten. */
bool worker_still_sees_slow(const struct shard_set *set);

/* Whether an owner was seen lately that left its shard to others for some time. */
static inline bool worker_sees_slow(const struct shard_set *set) {
    return UNLIKELY(atomic_load_explicit(&set->shared->slow_ms, memory_order_relaxed)) &&
           worker_still_sees_slow(set);
}

/*
 * The shards whose owners are stuck, or gone: others take from it, or it was last seen going to
 * work, and it was not there since, for 100 ms. One that was stopped while it waited looks idle: it
 * is stuck if something is queued for it. *queued is where that is so.
 */
void worker_stuck(const struct shard_set *set, const struct shard_bits *queued,
                  struct shard_bits *stuck);

/* The same for who stands back, and looks often: not there for 50 ms. */
void worker_away(const struct shard_set *set, const struct shard_bits *queued,
                 struct shard_bits *away);

#endif
