/* wake: the workers of a set, out of the waits that they are in. */
#ifndef UNHERD_WAKE_H
#define UNHERD_WAKE_H

#include "memory.h"

/* By the set's eventfd, which pid has too. False with errno: ENOENT where the set has none. */
bool wake_workers(const struct memory *memory, pid_t pid);

#endif
