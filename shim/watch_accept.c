/*
 * watch accept: from which shard a connection is taken.
 *
 * The event does not say which shard it came from, since epoll_data is the server's. Home is tried
 * first: with its owner idle that is the one, and the accept is the only system call. Only where
 * home is empty are the neighbours' shards looked at.
 */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "fd_table.h"
#include "local.h"
#include "real.h"
#include "watch_current.h"
#include "watch_shards.h"
#include "worker.h"

/* The watch that an accept by this thread belongs to, or NULL: it never waited in this process. */
static struct watch *watch_of(struct shard_set *set) {
    struct watch *hint = watch_at(atomic_load_explicit(&set->hint, memory_order_relaxed));
    struct instance *current = watch_current;
    if (hint && atomic_load(&hint->set) == set && (!current || hint->instance == current))
        return hint;
    struct watch *watch = current ? watch_find_set(current, set) : NULL;
    if (watch)
        return watch;
    return hint && atomic_load(&hint->set) == set ? hint : NULL;
}

static int nothing(void) {
    errno = EAGAIN;
    return -1;
}

/* Never blocks: shard 0 is the server's own socket, which may, and the connection may be elsewhere.
 */
static int take(const struct shard_set *set, int shard, const struct accept_call *call) {
    struct pollfd own = {.fd = call->fd, .events = POLLIN};
    if (shard == 0 && call->blocks && real.poll(&own, 1, 0) == 0)
        return nothing();
    return call->accept(set_fd(set, shard, call->fd), call);
}

/*
 * To the end of the shard's queue of waiters, and at once, not before the next wait: whoever is not
 * woken for the next connection must not be told of it either, when it comes round to wait while
 * the one that was woken is still on its way. Once for each wait; a loop of accepts leaves the
 * rest to the next one, and so does a handler that came while the guard was held.
 */
static void rotate(struct watch *watch, const struct shard_set *set, int shard) {
    struct instance *instance = watch->instance;
    uint32_t wait = atomic_load_explicit(&instance->waits, memory_order_relaxed);
    bool is_first = atomic_exchange(&watch->rotated_in, wait) != wait;
    if (is_first && instance_is_mine(instance) && guard_enter()) {
        if (atomic_load(&watch->set) == set) /* another thread may have ended it */
            shards_rotate(watch, shard);
        guard_leave();
        return;
    }
    atomic_fetch_or(&watch->to_rotate[shard / 64], UINT64_C(1) << (shard % 64));
    atomic_store(&instance->work, true);
}

/* A shared queue, once enough was taken from it. */
static void count_taken(struct watch *watch, const struct shard_set *set, int shard) {
    if (!set->rotate || atomic_load_explicit(&set->shared->workers, memory_order_relaxed) < 2)
        return;
    if (atomic_fetch_add_explicit(&watch->taken, 1, memory_order_relaxed) + 1 < set->rotate)
        return;
    atomic_store_explicit(&watch->taken, 0, memory_order_relaxed);
    rotate(watch, set, shard);
}

/* Whether the kernel has told the instance of connections, asked without a wait. */
static bool is_told_now(const struct watch *watch) {
    struct epoll_event events[16];
    int count = real.epoll_wait(watch->instance->epfd, events, 16, 0);
    for (int i = 0; i < count; i++)
        if (events[i].data.u64 == atomic_load(&watch->data))
            return true;
    return false;
}

/*
 * Servers that wait with poll or select try accept before they wait (gunicorn, unicorn), and would
 * snatch the connection for which another worker has just been woken. One of which this worker was
 * not told is that worker's: there is nothing to be had. A worker that was passed over, because it
 * was busy, was told too.
 */
static bool is_anothers(struct watch *watch, const struct accept_call *call,
                        const struct shard_set *set) {
    if (!watch->instance->is_own || !instance_is_mine(watch->instance))
        return false;
    if (atomic_load(&watch->told) || set_blocks(set, call->fd))
        return false;
    return !is_told_now(watch);
}

static int accept_from_one(struct shard_set *set, struct watch *watch,
                           const struct accept_call *call) {
    if (watch && is_anothers(watch, call, set))
        return nothing();
    int fd = call->accept(call->fd, call);
    if (watch)
        atomic_store_explicit(&watch->told, false, memory_order_relaxed);
    if (fd >= 0 && watch)
        count_taken(watch, set, 0);
    return fd;
}

static void note_home(struct watch *watch, const struct shard_set *set) {
    atomic_store_explicit(&watch->served, true, memory_order_relaxed);
    atomic_fetch_add_explicit(&set->shared->shards[watch->home].home, 1, memory_order_relaxed);
    worker_took_home(set, watch->home);
    if (worker_is_shared(set, watch->home))
        count_taken(watch, set, watch->home);
}

static void note_stolen(struct watch *watch, const struct shard_set *set, int shard) {
    atomic_store_explicit(&watch->served, true, memory_order_relaxed);
    atomic_fetch_add_explicit(&set->shared->shards[watch->home].stolen, 1, memory_order_relaxed);
    rotate(watch, set, shard);
    if (set->steal && atomic_load_explicit(&watch->is_partial, memory_order_relaxed) &&
        worker_took_stolen(set, shard)) {
        atomic_store(&watch->wide, true);
        atomic_store(&watch->instance->work, true);
    }
}

/* Whom an accept is for: a worker; or nobody that waits here, who then may take from every shard.
 */
static int home_of(const struct watch *watch) {
    return watch ? watch->home : 0;
}

static void reach_of(const struct shard_set *set, const struct watch *watch,
                     struct shard_bits *reach) {
    if (!watch)
        worker_listening(set, reach);
    else
        *reach = atomic_load(&watch->armed) ? watch->registered : watch->reach;
}

/* The shards within reach beside home, next neighbour first; returns how many. */
static int list_neighbours(const struct shard_set *set, const struct watch *watch, int own_fd,
                           struct pollfd *list, int *shards) {
    struct shard_bits reach;
    reach_of(set, watch, &reach);
    int count = 0;
    for (int step = 1; step < set->count; step++) {
        int shard = (home_of(watch) + step) % set->count;
        if (!bits_has(&reach, shard))
            continue;
        shards[count] = shard;
        list[count++] = (struct pollfd){.fd = set_fd(set, shard, own_fd), .events = POLLIN};
    }
    return count;
}

static int steal(struct shard_set *set, struct watch *watch, const struct accept_call *call) {
    struct pollfd list[SHARDS_MAX];
    int shards[SHARDS_MAX];
    int count = list_neighbours(set, watch, call->fd, list, shards);
    if (count == 0 || real.poll(list, (nfds_t)count, 0) <= 0)
        return nothing();
    for (int i = 0; i < count; i++) {
        if (!list[i].revents)
            continue;
        int fd = take(set, shards[i], call);
        if (fd >= 0 && watch)
            note_stolen(watch, set, shards[i]);
        if (fd >= 0 || errno != EAGAIN)
            return fd;
    }
    return nothing();
}

/*
 * Whoever has had a connection since its wait leaves the neighbours' shards alone: level-triggered,
 * what waits there is reported again, and its owner may well take it first. A server that accepts
 * until EAGAIN would otherwise empty everybody's queue each time it comes round. Edge-triggered,
 * nothing is reported twice: then all are looked at.
 */
static bool is_served(const struct watch *watch) {
    return !(watch->asked & EPOLLET) && atomic_load_explicit(&watch->served, memory_order_relaxed);
}

static int try_all(struct shard_set *set, struct watch *watch, const struct accept_call *call) {
    int fd = take(set, home_of(watch), call);
    if (fd >= 0 && watch)
        note_home(watch, set);
    if (fd >= 0 || errno != EAGAIN || (watch && is_served(watch)))
        return fd;
    fd = steal(set, watch, call);
    if (fd < 0 && errno == EAGAIN && watch)
        atomic_fetch_add_explicit(&set->shared->shards[watch->home].empty, 1, memory_order_relaxed);
    return fd;
}

/* Raised by what a thread does itself, and so never while it waits; crash reporters handle them. */
static bool is_fault(int number) {
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
           number == SIGTRAP || number == SIGSYS;
}

/*
 * poll() is never restarted, but accept() without a time limit is, after a handler with SA_RESTART.
 * Which handler ran cannot be known, so all that there are have to say it.
 */
static bool handlers_restart(void) {
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        bool is_handled = !is_fault(number) && sigaction(number, NULL, &action) == 0 &&
                          action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
        if (is_handled && !(action.sa_flags & SA_RESTART))
            return false;
    }
    return true;
}

/* Our shards never block; a listener that does waits here, as long as its SO_RCVTIMEO says. */
static bool wait_for_any(struct shard_set *set, struct watch *watch, int own_fd) {
    struct pollfd list[SHARDS_MAX];
    int shards[SHARDS_MAX];
    int count = list_neighbours(set, watch, own_fd, list, shards);
    if (count < SHARDS_MAX)
        list[count++] =
            (struct pollfd){.fd = set_fd(set, home_of(watch), own_fd), .events = POLLIN};
    struct timeval most = {0};
    socklen_t length = sizeof most;
    real.getsockopt(own_fd, SOL_SOCKET, SO_RCVTIMEO, &most, &length);
    int timeout = (int)(most.tv_sec * 1000 + most.tv_usec / 1000);
    int ready = real.poll(list, (nfds_t)count, timeout > 0 ? timeout : -1);
    if (ready < 0 && errno == EINTR && timeout <= 0)
        return handlers_restart() || (errno = EINTR, false);
    if (ready == 0)
        errno = EAGAIN;
    return ready > 0;
}

/* Without a worker on any of the spares the kernel's own accept does it all. */
static bool is_one_queue(const struct shard_set *set, const struct watch *watch) {
    struct shard_bits listening;
    if (set->count == 1 || watch)
        return set->count == 1;
    worker_listening(set, &listening);
    return bits_next(&listening, 1) < 0;
}

/* Asked once, at the start, as the kernel does; meanwhile the number may become something else's.
 */
static bool is_blocking(const struct shard_set *set, int own_fd) {
    return set_blocks(set, own_fd) && fd_kind_of(fd_entry(own_fd)) == FD_LISTENER;
}

static int accept_from_all(struct shard_set *set, struct watch *watch, struct accept_call call) {
    call.blocks = is_blocking(set, call.fd);
    int fd;
    while ((fd = try_all(set, watch, &call)) < 0 && errno == EAGAIN && call.blocks) {
        if (!wait_for_any(set, watch, call.fd))
            return -1;
        if (watch)
            atomic_store(&watch->served, false); /* this wait was one of its own */
    }
    return fd;
}

int watch_accept(struct shard_set *set, const struct accept_call *call) {
    struct watch *watch = watch_of(set);
    if (watch && !watch->begun)
        watch = NULL;
    return is_one_queue(set, watch) ? accept_from_one(set, watch, call)
                                    : accept_from_all(set, watch, *call);
}
