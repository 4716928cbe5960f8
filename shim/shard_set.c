#include "shard_set.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "hidden.h"
#include "hot.h"
#include "log.h"
#include "real.h"
#include "socket_options.h"

int set_listen(struct shard_set *set, int shard) {
    if (atomic_load(&set->shared->shut) || set_goes_to_first(set) || set->is_servers) {
        errno = EINVAL;
        return -1;
    }
    if (shard && real.listen(set->fd[shard], atomic_load(&set->shared->backlog)) < 0)
        return -1;
    if (shard && set_goes_to_first(set)) /* meanwhile, when it was not in the group yet */
        set_choose(set, set->fd[shard]);
    return 0;
}

/* After a shutdown the group is a new one, without the choice that the old one had; shard 0 is
 * alone in it yet. */
void set_listen_again(struct shard_set *set, int own_fd, int backlog) {
    atomic_store(&set->shared->backlog, backlog);
    bool is_new = atomic_exchange(&set->shared->shut, 0);
    if (set->is_servers)
        return;
    if (is_new && set_goes_to_first(set))
        set_choose(set, own_fd);
    for (int i = 1; i < set->count; i++)
        if (set_is_listening(set, i)) {
            set_before_listen(set, set->fd[i]);
            real.listen(set->fd[i], backlog);
        }
}

void set_shutdown(const struct shard_set *set, int how) {
    if (how != SHUT_WR) { /* which means nothing to a socket that listens */
        atomic_store(&set->shared->shut, 1);
        if (set_empties_first(set)) /* its group is no more */
            atomic_store(&set->shared->gathers, GATHERS_NOT);
    }
    for (int i = 1; i < set->count; i++)
        if (set_is_listening(set, i))
            real.shutdown(set->fd[i], how);
}

void set_option(const struct shard_set *set, int level, int name, const void *value,
                socklen_t length) {
    for (int i = 1; i < set->count && !set->is_servers; i++)
        if (real.setsockopt(set->fd[i], level, name, value, length) < 0)
            log_line(LOG_DEBUG, "option %d of level %d on shard %d: %s", name, level, i,
                     log_errno(errno));
}

void set_add_queues(const struct shard_set *set, struct tcp_info *info) {
    for (int i = 1; i < set->count && !set->is_servers; i++) {
        struct tcp_info other = {0};
        socklen_t length = sizeof other;
        if (!set_is_listening(set, i) ||
            real.getsockopt(set->fd[i], IPPROTO_TCP, TCP_INFO, &other, &length) < 0)
            continue;
        info->tcpi_unacked += other.tcpi_unacked;
        info->tcpi_sacked += other.tcpi_sacked;
    }
}

bool set_accepts(const struct shard_set *set, int shard) {
    int accepts = 0;
    socklen_t length = sizeof accepts;
    if (set->fd[shard] < 0)
        return !set->is_servers;
    return real.getsockopt(set->fd[shard], SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) == 0 &&
           accepts;
}

HOT bool set_blocks(const struct shard_set *set, int shard, int fd) {
    _Atomic uint32_t *nonblocking = &set->shared->shards[shard].nonblocking;
    if (LIKELY(atomic_load_explicit(nonblocking, memory_order_relaxed)))
        return false;
    int flags = real.fcntl(fd, F_GETFL);
    if (flags < 0 || !(flags & O_NONBLOCK))
        return flags >= 0;
    atomic_store(nonblocking, 1);
    return false;
}

bool set_blocks_really(const struct shard_set *set, int shard, int fd) {
    int saved = errno;
    atomic_store(&set->shared->shards[shard].nonblocking, 0);
    bool blocks = set_blocks(set, shard, fd);
    errno = saved;
    return blocks;
}

/* By syscall(), which is no cancellation point: somebody may have a connection in hand. */
void set_kick(const struct shard_set *set) {
    if (set->kick_fd < 0)
        return;
    uint64_t one = 1;
    atomic_store(&set->shared->kicked_ms, (uint32_t)clock_coarse_ms() | 1U);
    atomic_fetch_add(&set->shared->kicks_started, 1);
    if (real.syscall(SYS_write, set->kick_fd, (long)&one, sizeof one, 0, 0, 0) < 0)
        log_line(LOG_DEBUG, "kick: %s", log_errno(errno));
    atomic_fetch_add(&set->shared->kicks_done, 1);
}

static bool is_listening(int fd) {
    return socket_int(fd, SOL_SOCKET, SO_ACCEPTCONN) != 0; /* refused an answer, it does */
}

/*
 * shutdown() for writing, which a socket that listens does not do, wakes all who wait for it,
 * EPOLLEXCLUSIVE or not (sk_state_change in the kernel's inet_shutdown); who finds nothing queued
 * there sleeps on, without a return.
 */
void set_wake_waiters(const struct shard_set *set, int fd) {
    if (!is_listening(fd))
        return;
    atomic_store_explicit(&set->shared->woken, 1, memory_order_relaxed);
    real.shutdown(fd, SHUT_WR);
}

/*
 * Should it have stopped to listen just then, it is shut down for writing, and so would be whatever
 * it accepts later. Disconnecting it, as HAProxy does to pause, takes that back.
 */
void set_before_listen(const struct shard_set *set, int fd) {
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    if (atomic_load(&set->shared->woken) && !is_listening(fd))
        real.connect(fd, &nobody, sizeof nobody);
}

/* One queue has no kick, which all its waits would cost something. */
void set_pass_on(const struct shard_set *set, int own_fd) {
    if (set->count > 1)
        set_kick(set);
    else if (own_fd >= 0)
        set_wake_waiters(set, own_fd);
}

void set_move_up(struct shard_set *set) {
    set->memory_fd = hidden_move(set->memory_fd);
    set->kick_fd = hidden_move(set->kick_fd);
    atomic_store(&set->shared->kick_fd, set->kick_fd);
    for (int i = 0; i < set->count; i++)
        set->fd[i] = hidden_move(set->fd[i]);
}

void set_close(struct shard_set *set) {
    for (int i = 0; i < set->count; i++)
        hidden_close(set->fd[i]);
    set->count = 1;
    set->is_servers = false;
    set->abandoned = set->unkept = (struct shard_bits){0};
    set->fd[0] = -1;
    hidden_close(set->kick_fd);
    hidden_close(set->memory_fd);
    set->kick_fd = set->memory_fd = -1;
    /* The memory stays mapped for the record's next set: another thread may be reading it now. */
}
