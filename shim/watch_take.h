/* watch take: from which shard of several a connection is taken. For watch_*.c only. */
#ifndef UNHERD_WATCH_TAKE_H
#define UNHERD_WATCH_TAKE_H

#include <errno.h>

#include "watch.h"
#include "watch_table.h"

/* What an accept that finds no connection returns. */
static inline int nothing(void) {
    errno = EAGAIN;
    return -1;
}

/* What accept cannot take although it may be there, for want of descriptors or memory. */
static inline bool is_exhausted(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/*
 * Of a set of several shards: home, or where a connection has probably waited longer, or whatever
 * is within reach. For a worker, which is counted and rotated, or NULL. It never waits: EAGAIN.
 * Returns and sets errno as accept(2).
 */
int take_from_any(const struct shard *own, struct watch *watch, const struct accept_call *call);

#endif
