/*
 * elsewhere: whether this process has a socket in places that the library does not see through.
 *
 * Only a socket of a server that shards by itself is asked about: what the library does with such a
 * one beyond the server's own doing, keeping it open or putting another in its place, would be
 * noticed there.
 */
#ifndef UNHERD_ELSEWHERE_H
#define UNHERD_ELSEWHERE_H

#include <stdbool.h>

#include "shard_set.h"

/*
 * Under another number, copied before it listened, or in an epoll instance that it was added to
 * before. own: its shard, if it is one already, whose watches are not meant; or NULL. In doubt,
 * yes. Numbers above 1023 are not looked at: what a server makes before it listens has low ones.
 */
bool elsewhere(int fd, const struct shard *own);

#endif
