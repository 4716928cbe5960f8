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
static bool has_used_spares(const struct shard_set *set) {
    for (int i = 1; i < set->count; i++)
        if (set_is_listening(set, i))
            return true;
    return false;
}

static void drop_spares(struct shard_set *set) {
    int count = set->count;
    set->count = 1;
    for (int i = 1; i < count; i++)
        hidden_close(set->fd[i]);
}

static int begin(struct shard_set *set, int first_fd) {
    if (has_used_spares(set))
        return errno = EBUSY, -1;
    return set_make_kick(set) ? hidden_copy(first_fd) : -1;
}

static void join(struct shard_set *set, int shard, int copy) {
    set->fd[shard] = copy;
    bits_remove(&set->unkept, shard);
    atomic_store(&set->shared->shards[shard].nonblocking, 0);
    atomic_store(&set->shared->shards[shard].state, SHARD_LISTENING);
    if (shard < set->count)
        return;
    set->shared->count = (uint32_t)shard + 1;
    set->count = shard + 1; /* last: other threads look at the shards below it */
}

/* Both copies first: a set that cannot have them stays as it was. */
bool set_join(struct shard_set *set, int shard, int first_fd, int fd) {
    bool is_second = !set->is_servers;
    int first = is_second ? begin(set, first_fd) : -1;
    int copy = is_second && first < 0 ? -1 : hidden_copy(fd);
    if (copy < 0) {
        int saved = errno;
        hidden_close(first);
        errno = saved;
        return false;
    }
    if (is_second) {
        drop_spares(set);
        set->fd[0] = first;
        set->is_servers = true;
        atomic_store(&set->shared->is_servers, 1);
    }
    join(set, shard, copy);
    return true;
}

void set_unkeep(struct shard_set *set, int shard) {
    bits_add(&set->unkept, shard);
}

enum { ABANDONED_MOST = 64 };

bool set_abandon(struct shard_set *set, int shard) {
    if (bits_has(&set->unkept, shard) || bits_count(&set->abandoned) >= ABANDONED_MOST ||
        !set_accepts(set, shard) || set_blocks(set, shard, set->fd[shard]))
        return false;
    bits_add(&set->abandoned, shard);
    return true;
}

void set_drop(struct shard_set *set, int shard) {
    int copy = set->fd[shard];
    set->fd[shard] = -1;
    bits_remove(&set->abandoned, shard);
    hidden_close(copy);
}

static int find_abandoned(const struct shard_set *set) {
    BITS_EACH (shard, &set->abandoned)
        if (set_accepts(set, shard))
            return shard;
    return -1;
}

/* Somebody is to be sent signals (F_SETOWN, fcntl(2)), which only the socket that he asked for
 * knows. */
static bool has_signals(int fd) {
    struct f_owner_ex owner = {0};
    return real.fcntl(fd, F_GETOWN_EX, &owner) < 0 || owner.pid;
}

int set_revive(struct shard_set *set, int fd) {
    int shard = find_abandoned(set);
    int flags = real.fcntl(fd, F_GETFD);
    int status = real.fcntl(fd, F_GETFL);
    if (shard < 0 || flags < 0 || status < 0 || has_signals(fd) ||
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
    if (listens) /* a child may have taken it out of an instance that it shares with its parent */
        atomic_fetch_add(&set->shared->shards[shard].epoch, 1);
    set_changed(set);
}
