/*
 * real: the next definition of each hooked call, through libdl, so that other preloaded libraries
 * keep working behind us. Every part of the library that needs one of these calls goes through
 * `real`, never through the symbol: that would be our own hook.
 *
 * Each member can be called at any time, even by another library's constructor that runs before
 * ours: until real_find() has run it is a stub that runs it first. A call that this libc lacks
 * fails with ENOSYS.
 */
#ifndef UNHERD_REAL_H
#define UNHERD_REAL_H

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

#include "calls.h"
#include "libc.h"

struct real_calls {
#define REAL_CALL(result, name, parameters, arguments) result(*name) parameters;
#define REAL_NIL(name, parameters, arguments) void(*name) parameters;
#define REAL_VAR(result, name, selector) result (*name)(int, selector, ...);
    UNHERD_CALLS(REAL_CALL, REAL_NIL, REAL_VAR)
#undef REAL_CALL
#undef REAL_NIL
#undef REAL_VAR
};

extern struct real_calls real;

/* Finds every call; idempotent, and harmless when two threads do it at once. */
void real_find(void);

#endif
