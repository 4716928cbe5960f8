/*
 * watch order: of several shards where something is queued, which one a worker takes from.
 *
 * With a queue for each worker nobody knows who came first. But whoever looks at several queues
 * sees that somebody waits in those that it does not take from, and says so: the longer ago that is
 * the longer somebody waits there, and the longer the queue the more wait. To take where the
 * product is largest makes many queues wait almost like one, while home first makes some wait much
 * longer than others (tools/sim, --take).
 */
#ifndef UNHERD_WATCH_ORDER_H
#define UNHERD_WATCH_ORDER_H

#include <poll.h>
#include <stdbool.h>

#include "shard_set.h"

/* Shards and what poll() says of them. */
struct order {
    const struct pollfd *list;
    const int *shards;
    int count;
    /* The first is the worker's home, and remains first choice unless somebody is known to wait
     * elsewhere for 2 ms longer: less is not worth an accept at another's. */
    bool is_home_first;
};

/* The index of the one to take from, of those that are readable; 0 if none is. errno may change. */
int order_choose(const struct shard_set *set, const struct order *order);

/* A connection was taken from that shard, by whoever: the next one there may have come just now. */
void order_note_taken(const struct shard_set *set, int shard);

#endif
