/* bench port: who has a port, whoever started it. */
#ifndef UNHERD_BENCH_PORT_H
#define UNHERD_BENCH_PORT_H

#include <stdbool.h>
#include <sys/types.h>

#include "listening.h"

/* 0: it is of AF_UNIX. */
unsigned port_of(const char *address);

/* The same port, at whatever address, or the same path. */
bool port_is_at(const struct listening *one, const char *address);

/* The process that listens there, -1 where that cannot be seen, 0: nobody. */
pid_t port_taken_by(const char *address);

/* Nobody listens there, but connections that were closed keep others from it. */
bool port_lingers(const char *address);

#endif
