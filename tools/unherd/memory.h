/*
 * memory: the shared memory of a set, by the descriptor of a process that has it. Who may trace the
 * process may open that (ptrace(2), the checks of /proc), to read and to write.
 */
#ifndef UNHERD_MEMORY_H
#define UNHERD_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared.h"

struct memory {
    uint64_t inode; /* two processes that have the same have the same set */
    struct shared *shared;
};

/* False with errno; ESTALE: it is of another version of the library. */
bool memory_open(struct memory *memory, pid_t pid, int number, bool writes);
void memory_close(struct memory *memory);

/* Whether it is what a descriptor is, by what /proc says of that. */
bool memory_is_named(const char *target);

#endif
