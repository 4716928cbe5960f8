/* scribble: what a worker that was broken into writes to the memory that the workers share. */
#ifndef UNHERD_SCRIBBLE_H
#define UNHERD_SCRIBBLE_H

#include <pthread.h>

#include "fuzz.h"
#include "shard_set.h"

/* Each reads from the input what is written, and where; a set of NULL: nowhere. */
void scribble_word(struct shard_set *set, struct input *in);
void scribble_shard(struct shard_set *set, struct input *in);
void scribble_all(struct shard_set *set, struct input *in);

/* A thread that writes until it is stopped. The memory of a set stays where it is when that ends.
 */
struct scribbler {
    pthread_t thread;
    struct shard_set *set;
    uint32_t state;
    _Atomic int ends;
};

void scribbler_start(struct scribbler *scribbler, struct shard_set *set, uint32_t seed);
void scribbler_stop(struct scribbler *scribbler);

#endif
