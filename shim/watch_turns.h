/*
 * watch turns: whose turn it is at a queue that several workers wait for, and what is counted of an
 * accept.
 */
#ifndef UNHERD_WATCH_TURNS_H
#define UNHERD_WATCH_TURNS_H

#include "watch.h"
#include "watch_table.h"

/* A connection was taken from a shard that several sit at, or stolen: once that ends the worker's
 * turn, it goes to the end of the shard's queue of waiters. errno may change. */
void turns_count_taken(struct watch *watch, const struct shard_set *set, int shard);
void turns_count_stolen(struct watch *watch, const struct shard_set *set, int shard);

/* How many connections are one turn, where all workers took so many in so many milliseconds. */
uint32_t turns_for(uint64_t taken, uint64_t milliseconds, uint64_t workers);

/* Whether what is queued is another worker's, who has just been woken for it. */
bool turns_is_anothers(struct watch *watch, const struct accept_call *call,
                       const struct shard *own);

/* An accept has found nothing, or anything: what the statistics count of this wait. Whether that
 * was the first accept since the wait. */
void turns_count_empty(struct watch *watch, const struct shard_set *set);
bool turns_note_counted(struct watch *watch);

#endif
