/*
 * watch stuck: the shards of owners that are stuck are watched by everybody, once one such owner
 * was met. To find them is a walk over all workers, and a look at all queues: nobody does it
 * before.
 */
#ifndef UNHERD_WATCH_STUCK_H
#define UNHERD_WATCH_STUCK_H

#include "watch_table.h"

/* Something was stolen from a shard whose owner was not there for long: all are told, if it has
 * one. */
void stuck_tell(const struct shard_set *set, int shard);

/*
 * The shards that the watch is to look after as well, none where nobody steals; *ours are this
 * process's own. One that is none of them any more is left as a shard is after turns: what waits
 * there goes first. Under the guard.
 */
void stuck_find(struct watch *watch, const struct shard_set *set, const struct shard_bits *ours,
                struct shard_bits *stuck);

/* A worker comes by: all are told if it finds such owners where it does not watch. errno is kept.
 */
void stuck_look_beside(const struct watch *watch, const struct shard_set *set);

/* Whether it is time to look for them: all were told, or some were seen a while ago. */
bool stuck_is_due(const struct watch *watch, const struct shard_set *set);

#endif
