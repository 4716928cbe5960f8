/* listener: what its files share; for listener*.c only. The pool is changed under the guard. */
#ifndef UNHERD_LISTENER_RECORD_H
#define UNHERD_LISTENER_RECORD_H

#include "listener.h"

/* A record that is not in use, or NULL. */
struct listener *listener_free(void);

/* It is now, by that number of the server's. */
void listener_hold(struct listener *listener, int fd);

/* One past the highest index that was ever used. */
int listener_end(void);

/* What the configuration says of any set. */
void listener_configure(struct shard_set *set);

/* NULL: there is nothing to do in this process. */
const struct config *listener_config(void);

/* The kernel's name of a socket, for as long as it lives; 0 when it is none. */
uint64_t listener_cookie(int fd);

#endif
