/*
 * watch take from: taking a connection from one shard, or from whichever of several has one, and
 * what is noted and passed on then. For watch_take.c only, which knows where to look.
 *
 * Each returns and sets errno as accept(2), and never waits: EAGAIN. watch: the worker that it is
 * for, or NULL.
 */
#ifndef UNHERD_WATCH_TAKE_FROM_H
#define UNHERD_WATCH_TAKE_FROM_H

#include "watch_choice.h"
#include "watch_take.h"

/* Whether nobody is there to be taken; a neighbour of the server's own may also be shut down or
 * closed at any moment. */
bool take_is_empty(int error);

/* Whether the wait has brought events of several shards; said once. */
bool take_was_told_of_many(struct watch *watch);

/* Whether it has slept, was told of a connection, and has not taken one yet. */
bool take_is_first_after_sleep(const struct watch *watch);

/* Home alone; what may be stranded elsewhere is looked at after it. */
int take_home(const struct shard *own, struct watch *watch, const struct accept_call *call);

/* Shard 0, while all share it as they are at work. */
int take_first(const struct shard *own, struct watch *watch, const struct accept_call *call);

/* From the first of those that were looked at where there is one, but begun with the one that goes
 * first. What the others have is passed on where it may be stranded. */
int take_from_choice(const struct shard *own, struct watch *watch, const struct accept_call *call,
                     struct choice *choice, bool is_home_first);

/* From whatever is within reach beside home. */
int take_from_neighbours(const struct shard *own, struct watch *watch,
                         const struct accept_call *call);

#endif
