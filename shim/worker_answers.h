/*
 * worker answers: what one worker has found out about all shards of a set, left for the others.
 *
 * When claims change, or an owner is stuck, all workers look at once, and each would ask the kernel
 * about each shard: with 256 of both that are 65536 questions, and each takes the longer the more
 * shards the kernel has to search.
 */
#ifndef UNHERD_WORKER_ANSWERS_H
#define UNHERD_WORKER_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include "shard_bits.h"
#include "shard_set.h"

/* Of this moment, which ends after at most so many ms, and sooner when `changes` does: so long an
 * answer is good. The same comes again after 65536 such times and a multiple of 65536 changes. */
uint32_t answers_stamp(uint32_t changes, uint32_t milliseconds);

/* In shared memory, 32 shards in each word, beside the stamp. */
struct shared_answer;

/* False: whoever asks has to find out; of the server's own shards always. */
bool answers_find(const struct shard_set *set, const struct shared_answer *answer, uint32_t stamp,
                  struct shard_bits *bits);

/* The stamp is to be of before it was found out. */
void answers_leave(const struct shard_set *set, struct shared_answer *answer, uint32_t stamp,
                   const struct shard_bits *bits);

/* It is none any more. */
void answers_forget(const struct shard_set *set, struct shared_answer *answer);

#endif
