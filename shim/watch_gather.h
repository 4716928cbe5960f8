/*
 * watch gather: one queue while most are at work.
 *
 * With a queue for each, whoever becomes free first is to take who came first, but nobody knows
 * which queue that is in. So once no more than a quarter of the workers wait, each of the others
 * with one connection and for some time, new ones go to shard 0, which all of them watch, and are
 * taken from there in their order by one call each. Who waits is woken for it as it is of one
 * queue. Whoever finds nothing, is going to sleep, and sees that more than half of them do has new
 * ones dealt out again: were it the first, a burst would change that all the time, and where there
 * are more workers than CPUs, one that was woken and has no CPU yet seems to wait.
 *
 * Only for servers that serve one connection at a time: of others nobody knows how soon they come,
 * and a queue for each spares them each other's locks. And never is anything lost by it: whoever is
 * wrong about the others makes them share a queue for a while, which all of them watch.
 */
#ifndef UNHERD_WATCH_GATHER_H
#define UNHERD_WATCH_GATHER_H

#include "hot.h"
#include "watch_table.h"

/* The worker has taken a connection that will keep it for some time. errno is kept. */
RARE void gather_begin(const struct watch *watch, const struct shard_set *set);

/* The worker was told of nothing, and is going to sleep: no set that the instance waits for gathers
 * any longer, and whoever waits is told of what the last ones have left. errno is kept. */
RARE void gather_end(struct instance *instance);

/* The same, but a set goes on gathering where no more than half of its workers wait, and this one
 * is woken for its shard 0. */
RARE void gather_end_if_many_wait(struct instance *instance);

/* The worker goes on without a wait, and until the next it is not among those whom the kernel asks
 * for each new connection whether they sleep; where it waits with poll() or select(), and nobody
 * else does so in its place. errno is kept. */
void gather_step_aside(struct watch *watch);

/* A worker leaves the set: those who are left may be at work for long, or be nobody. True: it was
 * gathered until now. */
bool gather_leave(const struct shard_set *set);

/* Whether somebody is to look at the shards beside the first: at what came before, or was on its
 * way. Once in a few milliseconds, or after gather_sweep_again(). */
bool gather_is_to_sweep(const struct shard_set *set);
void gather_sweep_again(const struct shard_set *set);

/* Where shard 0, as own_fd, is almost full, the others are to have some too. */
void gather_end_if_full(const struct shard_set *set, int own_fd);

#endif
