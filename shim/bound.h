/*
 * bound: which sockets are known to be this process's alone, while they are bound and do not listen
 * yet.
 *
 * Only once a server that shards by itself has closed a socket does it matter: that one may take
 * the place of another, unless somebody else has the other too and would be left with it.
 */
#ifndef UNHERD_BOUND_H
#define UNHERD_BOUND_H

#include <stdbool.h>

/* From now on it matters. */
void bound_begin(void);

/* The server has bound fd. */
void bound_note(int fd);

/* It is being sent to another process. */
void bound_forget(int fd);

/* Whether fd was bound by this process, which has neither forked nor sent it anywhere since. In
 * doubt, no. */
bool bound_is_alone(int fd);

#endif
