/* listener: what its files share; for listener*.c only. The pool is changed under the guard. */
#ifndef UNHERD_LISTENER_RECORD_H
#define UNHERD_LISTENER_RECORD_H

#include "listener.h"

/* A record that is not in use, or NULL. */
struct listener *listener_free(void);

/* The same for a set. */
struct shard_set *listener_free_set(void);

/* It is now, by that number of the server's. */
void listener_hold(struct listener *listener, int fd);

/* Which shard it is; another thread may be looking at the record. */
static inline void listener_be_shard(struct listener *listener, struct shard_set *set, int number) {
    atomic_store(&listener->shard.set, set);
    atomic_store(&listener->shard.number, number);
}

/* One past the highest index that was ever used. */
int listener_end(void);

/* Whether fd is one of ours, or another descriptor of one, which came over a socket or was made
 * behind our back. */
bool listener_is_known(int fd);

/* Why there may be workers in other processes that know nothing of shards made here; or NULL. */
const char *listener_origin(int fd);

/* fd has begun to listen, or is found listening: what is to be done with it is decided, and done.
 */
void listener_adopt(int fd, int backlog, const char *origin, bool is_found);

/* NULL: there is nothing to do in this process. */
const struct config *listener_config(void);

/* ---- a server that shards by itself ---- */

struct decision;

/* fd becomes a shard of its sibling's set, if it has one. Under the guard. */
bool listener_join(struct listener *listener, int fd, struct decision *decision);

/* fd, which is about to listen, takes the place of a shard that the server has closed. */
bool listener_revive(int fd);

/* A listener of this process's is no shard of its set any more. Under the guard. */
void listener_leave_set(const struct shard *shard);

#endif
