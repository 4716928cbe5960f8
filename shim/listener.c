#include "listener_record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "attendant.h"
#include "decision.h"
#include "hot.h"
#include "local.h"
#include "log.h"
#include "real.h"
#include "socket_options.h"
#include "stats.h"
#include "watch.h"
#include "worker.h"

enum { LISTENER_LIMIT = 512 };

static struct listener listeners[LISTENER_LIMIT];
static struct shard_set sets[LISTENER_LIMIT];
static _Atomic int listeners_used; /* one past the highest that was ever used */
static const struct config *config;

void listener_start(const struct config *from) {
    config = from;
}

bool listener_is_wanted(void) {
    return config && !config_is_off(config);
}

HOT struct listener *listener_at(unsigned index) {
    return &listeners[index % LISTENER_LIMIT];
}

bool listener_is_real(int fd) {
    unsigned entry = fd_entry(fd);
    if (fd_kind_of(entry) != FD_LISTENER)
        return false;
    uint64_t cookie = listener_at(fd_index_of(entry))->cookie;
    if (socket_is_still(fd, &cookie))
        return true;
    listener_closing(fd);
    return false;
}

/* ---- adoption ---- */

/* The first time at `warn`, after that only for who asks: a server may have a thousand listeners.
 */
static enum log_level once(atomic_bool *said) {
    return atomic_exchange(said, true) ? LOG_DEBUG : LOG_WARN;
}

struct listener *listener_free(void) {
    for (int i = 0; i < LISTENER_LIMIT; i++)
        if (!listeners[i].references)
            return &listeners[i];
    return NULL;
}

struct shard_set *listener_free_set(void) {
    for (int i = 0; i < LISTENER_LIMIT; i++)
        if (!sets[i].users)
            return &sets[i];
    return NULL; /* never, where a listener is free: each uses one at most */
}

void listener_hold(struct listener *listener, int fd) {
    int index = (int)(listener - listeners);
    listener->references++;
    listeners_used = index < listeners_used ? listeners_used : index + 1;
    fd_set_entry(fd, FD_LISTENER, (unsigned)index);
}

/* A set of its own for a socket that listens. */
static bool make_set(struct listener *listener, int fd, struct decision *decision, int backlog) {
    static atomic_bool said_refused;
    const char *shortfall = "too many listeners";
    int wanted = decision->mode == MODE_REUSEPORT ? (int)config->shards : 1;
    struct shard_set *set = listener_free_set();
    errno = 0;
    if (!set || !set_make(set, fd, wanted, backlog, &shortfall)) {
        log_line(once(&said_refused), "%s: left alone (%s: %s)", decision->address, shortfall,
                 log_errno(errno));
        return false;
    }
    if (shortfall)
        decision->why = shortfall, decision->falls_short = true;
    set->users = 1;
    set_begin_policy(set, (struct policy){MODE_AUTO, config->steal, config->rotate});
    listener_be_shard(listener, set, 0);
    worker_may_add(set); /* now, and as long as this process lives */
    return true;
}

static void describe(const struct shard *shard, int fd, const struct decision *decision) {
    const struct shard_set *set = shard->set;
    stats_describe(set, decision->mode, decision->address, decision->why);
    stats_shard(set, shard->number, fd);
    for (int i = 1; i < set->count && !set->is_servers; i++)
        stats_shard(set, i, set->fd[i]);
    if (decision->falls_short)
        stats_fall_back(set, FALLBACK_NOT_SHARDED);
}

static struct listener *make(int fd, struct decision *decision, int backlog) {
    static atomic_bool said_full;
    struct listener *listener = listener_free();
    if (!listener) {
        log_line(once(&said_full), "%s: left alone (too many listeners)", decision->address);
        return NULL;
    }
    listener->cookie = socket_cookie(fd);
    listener->reuseport = socket_int(fd, SOL_SOCKET, SO_REUSEPORT) == 1;
    if (!listener_join(listener, fd, decision) && !make_set(listener, fd, decision, backlog))
        return NULL;
    decision_say(decision, &listener->shard, errno);
    describe(&listener->shard, fd, decision);
    return listener;
}

static void complain_once(void) {
    static atomic_bool said;
    if (atomic_exchange(&said, true))
        return;
    for (unsigned i = 0; i < config->complaint_count; i++)
        log_line(LOG_WARN, "%s", config->complaints[i]);
}

static void decide(int fd, int backlog, const char *origin, bool is_found) {
    struct decision decision;
    struct listener *listener = NULL;
    decision_make(&decision, config, fd, origin);
    if (is_found) /* any program that a server starts finds its listeners: not a word of warning */
        decision.falls_short = false;
    if (decision.mode == MODE_OFF)
        decision_say(&decision, NULL, 0);
    else if (fd_entry(fd) == FD_OTHER) /* else another thread has just done it */
        listener = make(fd, &decision, backlog);
    if (listener)
        listener_hold(listener, fd);
    if (listener && origin && listener->shard.set->users == 1) {
        /* so that this worker takes turns with those of other processes */
        atomic_store(&listener->shard.set->shared->workers, 1);
        atomic_store(&listener->shard.set->shared->is_apart, 1);
    }
}

/* Decided under the guard: of two threads that listen at once, the second sees the first's. */
void listener_adopt(int fd, int backlog, const char *origin, bool is_found) {
    if (!guard_enter())
        return;
    decide(fd, backlog, origin, is_found);
    guard_leave();
}

static void listened_again(int fd, int backlog) {
    unsigned entry = fd_entry(fd);
    if (fd_kind_of(entry) != FD_LISTENER) /* another thread has closed it meanwhile */
        return;
    const struct shard *shard = &listener_at(fd_index_of(entry))->shard;
    set_listen_again(shard->set, fd, backlog);
    if (shard->set->is_servers)
        set_own_listens(shard->set, shard->number, true);
}

int listener_listen(int fd, int backlog) {
    int saved = errno;
    bool is_ours = config && (listener_is_known(fd) || listener_revive(fd));
    const char *origin = !is_ours && config ? listener_origin(fd) : NULL;
    unsigned entry = fd_entry(fd);
    if (is_ours && fd_kind_of(entry) == FD_LISTENER)
        set_before_listen(listener_at(fd_index_of(entry))->shard.set, fd);
    errno = saved;
    int result = real.listen(fd, backlog);
    if (result < 0 || !config)
        return result;
    saved = errno;
    complain_once();
    if (!local_start())
        log_line(LOG_WARN, "nothing is done: MADV_WIPEONFORK: %s", log_errno(errno));
    else if (is_ours)
        listened_again(fd, backlog);
    else if (!local_is_borrowed())
        listener_adopt(fd, backlog, origin, false);
    errno = saved;
    return result;
}

void listener_shut_down(const struct listener *listener, int how) {
    const struct shard *shard = &listener->shard;
    if (!shard->set->is_servers)
        set_shutdown(shard->set, how);
    else if (how != SHUT_WR) /* which means nothing to a socket that listens */
        set_own_listens(shard->set, shard->number, false);
}

/* All processes share the description's flags: whether it blocks is asked of the kernel again. A
 * worker whose own shard blocks stays away from the neighbours', and they from it. */
void listener_flags_changed(const struct listener *listener, int fd) {
    const struct shard *shard = &listener->shard;
    struct shard_set *set = shard->set;
    bool was_nonblocking = atomic_exchange(&set->shared->shards[shard->number].nonblocking, 0);
    if (!set->is_servers || set_blocks(set, shard->number, fd) != was_nonblocking)
        return;
    set_changed(set);
    if (local_is_borrowed() || !guard_enter())
        return;
    watch_drop_unemptied(set);
    guard_leave();
}

/* ---- numbers that come and go ---- */

static void end_listener(struct listener *listener, int fd) {
    watch_listener_closing(&listener->shard, fd, true);
    listener_leave_set(&listener->shard);
    listener->references = 0;
    atomic_store(&listener->orphaned, 0);
}

/* A signal's handler has closed numbers while its own thread was at work here. The instances first,
 * since their numbers are gone. */
void listener_end_orphaned(void) {
    if (!guard_enter())
        return;
    watch_end_orphaned();
    for (int i = 0; i < listeners_used; i++)
        if (listeners[i].references &&
            listeners[i].references <= atomic_load(&listeners[i].orphaned))
            end_listener(&listeners[i], -1);
    guard_leave();
}

static void release(struct listener *listener, int fd) {
    if (!guard_enter()) {
        atomic_fetch_add(&listener->orphaned, 1);
        return;
    }
    if (--listener->references <= atomic_load(&listener->orphaned))
        end_listener(listener, fd);
    else
        watch_listener_closing(&listener->shard, fd, false);
    guard_leave();
}

void listener_closing(int fd) {
    unsigned entry = fd_entry(fd);
    if (fd_kind_of(entry) != FD_LISTENER || local_is_borrowed())
        return;
    int saved = errno;
    /* Before the close: another thread may be given the number at once. Or has found it closed. */
    if (fd_clear_if(fd, entry))
        release(listener_at(fd_index_of(entry)), fd);
    errno = saved;
}

void listener_copied(int fd, int copy) {
    unsigned entry = fd_entry(fd);
    if (local_is_borrowed() || !guard_enter())
        return;
    listener_at(fd_index_of(entry))->references++;
    fd_set_entry(copy, FD_LISTENER, fd_index_of(entry));
    guard_leave();
}

void listener_move_up(void) {
    for (int i = 0; i < listeners_used; i++) /* each listener has at most one set, by then */
        if (sets[i].users && guard_enter()) {
            if (!watch_has(&sets[i])) {
                set_move_up(&sets[i]);
                worker_may_add(&sets[i]); /* its lock went with the memory's old descriptor */
            }
            guard_leave();
        }
}

void listener_process_ends(void) {
    if (!listener_any())
        return;
    watch_process_ends();
    for (int i = 0; i < listeners_used; i++)
        if (sets[i].users)
            attendant_leaves(&sets[i]);
}

void listener_finish_deleted(void) {
    if (listener_any())
        watch_finish_deleted();
}

int listener_end(void) {
    return listeners_used;
}

bool listener_any(void) {
    for (int i = 0; i < listeners_used; i++)
        if (listeners[i].references)
            return true;
    return false;
}

const struct config *listener_config(void) {
    return config;
}
