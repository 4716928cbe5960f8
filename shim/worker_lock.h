/*
 * worker lock: classic record locks on the bytes of a set's memfd (fcntl(2), F_SETLK). The kernel
 * drops them when their process dies, however that comes. A process does not see its own.
 */
#ifndef UNHERD_WORKER_LOCK_H
#define UNHERD_WORKER_LOCK_H

#include <stdbool.h>

#include "shard_set.h"

/* False: another process has it. */
bool lock_try(const struct shard_set *set, int byte);

void lock_drop(const struct shard_set *set, int byte);

/* Whether another process has it. */
bool lock_is_elsewhere(const struct shard_set *set, int byte);

#endif
