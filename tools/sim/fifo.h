/* fifo: the connections that wait in the shards, each shard's in the order in which they came. */
#ifndef SIM_FIFO_H
#define SIM_FIFO_H

#include <stdbool.h>

struct waiting {
    double since;
    double service;
    int next;
    bool counts; /* not one of the first, which find the system empty */
};

struct fifo {
    int first, last; /* undefined when length is 0 */
    int length;
};

/* Room for all that wait, wherever. */
struct pool {
    struct waiting *list;
    int size;
    int unused; /* linked by `next`, -1 at the end */
};

void fifo_add(struct pool *pool, struct fifo *fifo, struct waiting waiting);
struct waiting fifo_take(struct pool *pool, struct fifo *fifo); /* there must be one */

#endif
