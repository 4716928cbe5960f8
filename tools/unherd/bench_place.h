/* bench place: where the server that was started listens, and which of its processes are workers.
 */
#ifndef UNHERD_BENCH_PLACE_H
#define UNHERD_BENCH_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bench.h"

enum { FAMILY_MAX = 1024 };

struct family {
    pid_t pid[FAMILY_MAX];
    size_t count;
};

/* All that descends from the keeper. */
void family_read(struct family *family, pid_t keeper);

/* Where it listens, best for a load first: TCP before AF_UNIX, IPv4 before IPv6, a low port before
 * a high one. False: nowhere yet. */
bool place_find(char address[ADDRESS_SIZE], pid_t keeper);

/* Does the server listen at that address, or at all addresses with its port? */
bool place_is_listened_on(const char *address, pid_t keeper);

/* The address for a client on this machine: 0.0.0.0 becomes 127.0.0.1. */
void place_for_client(char address[ADDRESS_SIZE]);

/* The processes that have the address's sockets open and no child that has them too. */
void place_workers(struct family *workers, const char *address, pid_t keeper);

/* The topmost process that has them, or 0. */
pid_t place_master(const char *address, pid_t keeper);

#endif
