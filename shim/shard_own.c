/*
 * shard own: a server that shards by itself (nginx's reuseport, haproxy's shards, Apache's
 * buckets).
 *
 * Its own sockets for one address are the shards of one set. Whose is whose the server has said: a
 * worker's home is the socket that it waits for. A hidden copy of each lets the neighbours stand
 * behind its owner, and empty it when that is stuck, or was closed while others stay open: a server
 * that goes on with fewer workers would otherwise reset what is queued there.
 */
#include <errno.h>
#include <fcntl.h>

#include "hidden.h"
#include "real.h"
#include "shard_set.h"
#include "socket_options.h"

static int hidden_copy(int fd) {
    return hidden_take(real.fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

/* Before it was known that the server has more sockets, spares may have been made beside its first.
 */
static bool drop_spares(struct shard_set *set) {
    for (int i = 1; i < set->count; i++)
        if (set_is_listening(set, i)) {
            errno = EBUSY;
            return false;
        }
    int count = set->count;
    set->count = 1;
    for (int i = 1; i < count; i++)
        hidden_close(set->fd[i]);
    return true;
}

static bool begin(struct shard_set *set, int first_fd) {
    if (!drop_spares(set) || !set_make_kick(set))
        return false;
    set->fd[0] = hidden_copy(first_fd);
    set->is_servers = set->fd[0] >= 0;
    return set->is_servers;
}

int set_join(struct shard_set *set, int first_fd, int fd) {
    int shard = set->count;
    if (shard >= SHARDS_MAX)
        return errno = ENOSPC, -1;
    if (!set->is_servers && !begin(set, first_fd))
        return -1;
    shard = set->count;
    set->fd[shard] = hidden_copy(fd);
    if (set->fd[shard] < 0)
        return -1;
    atomic_store(&set->shared->shards[shard].state, SHARD_LISTENING);
    set->shared->count = (uint32_t)shard + 1;
    set->count = shard + 1; /* last: other threads look at the shards below it */
    return shard;
}

void set_abandon(struct shard_set *set, int shard) {
    bits_add(&set->abandoned, shard);
}

/* A registration that the server has made of fd before it listens would be lost; none does that. */
int set_revive(struct shard_set *set, int fd) {
    int shard = bits_next(&set->abandoned, 0);
    int flags = real.fcntl(fd, F_GETFD);
    int status = real.fcntl(fd, F_GETFL);
    if (shard < 0 || flags < 0 || status < 0 || !set_accepts(set, shard) ||
        socket_options_copy(fd, set->fd[shard]) < 0 ||
        real.dup3(set->fd[shard], fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0) < 0)
        return -1;
    real.fcntl(fd, F_SETFL, status);
    atomic_store(&set->shared->shards[shard].nonblocking, 0);
    bits_remove(&set->abandoned, shard);
    return shard;
}

void set_own_listens(const struct shard_set *set, int shard, bool listens) {
    uint32_t state = listens ? SHARD_LISTENING : SHARD_SPARE;
    if (atomic_exchange(&set->shared->shards[shard].state, state) == state)
        return;
    atomic_fetch_add(&set->shared->generation, 1);
    set_kick(set);
}
