/*
 * watch usual: what most connections are. A worker has waited, one shard alone brought an event,
 * and it takes one from its home: then nothing has to be asked of all that a set of several shards
 * may be about. For watch_*.c only.
 */
#ifndef UNHERD_WATCH_USUAL_H
#define UNHERD_WATCH_USUAL_H

#include "watch.h"
#include "watch_table.h"

/* As watch_accept_usual(). */
int usual_take(const struct shard *own, struct watch *watch, struct accept_call *call);

/* The worker has taken a connection from its home. */
void usual_note(struct watch *watch, const struct shard_set *set, int home);

#endif
