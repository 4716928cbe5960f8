/*
 * attendant: who accepts without a wait that the watch part sees: in accept() itself, or alone with
 * its listener. All such threads of a process have one place in the statistics, from the first
 * connection on until the process begins to wait in another way.
 */
#ifndef UNHERD_ATTENDANT_H
#define UNHERD_ATTENDANT_H

#include "shard_set.h"

/* It has accepted from that shard, by that number. */
void attendant_accepted(struct shard_set *set, int shard, int fd);

/* Its place; NO_PLACE where it has accepted nothing yet. */
int attendant_place(const struct shard_set *set);

/* Whether the accept() of such a place sleeps. */
bool attendant_blocks(const struct shard_set *set);

/* A thread of it begins a sleep in the kernel, or has ended one. */
void attendant_sleeps(const struct shard_set *set, int place, bool begins);

/* It waits from now on as workers do, or it ends. */
void attendant_leaves(struct shard_set *set);

#endif
