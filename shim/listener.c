#include "listener_record.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "decision.h"
#include "local.h"
#include "log.h"
#include "real.h"
#include "socket_options.h"
#include "watch.h"

enum { LISTENER_LIMIT = 512 };

static struct listener listeners[LISTENER_LIMIT];
static struct shard_set sets[LISTENER_LIMIT];
static _Atomic int listeners_used; /* one past the highest that was ever used */
static const struct config *config;

void listener_start(const struct config *from) {
    config = from;
}

bool listener_is_wanted(void) {
    return config;
}

struct listener *listener_at(unsigned index) {
    return &listeners[index % LISTENER_LIMIT];
}

uint64_t listener_cookie(int fd) {
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    return real.getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0 ? 0 : cookie;
}

bool listener_is_real(int fd) {
    unsigned entry = fd_entry(fd);
    if (fd_kind_of(entry) != FD_LISTENER)
        return false;
    if (listener_cookie(fd) == listener_at(fd_index_of(entry))->cookie)
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

void listener_configure(struct shard_set *set) {
    set->users = 1;
    set->steal = config->steal;
    set->rotate = config->rotate;
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
    listener_configure(set);
    listener->shard = (struct shard){set, 0};
    return true;
}

static struct listener *make(int fd, struct decision *decision, int backlog) {
    static atomic_bool said_full;
    struct listener *listener = listener_free();
    if (!listener) {
        log_line(once(&said_full), "%s: left alone (too many listeners)", decision->address);
        return NULL;
    }
    listener->cookie = listener_cookie(fd);
    listener->reuseport = socket_int(fd, SOL_SOCKET, SO_REUSEPORT) == 1;
    if (!listener_join(listener, fd, decision) && !make_set(listener, fd, decision, backlog))
        return NULL;
    decision_say(decision, &listener->shard, errno);
    return listener;
}

/* Of a socket that listens: tcp_info's word for it (tcp(7), TCP_INFO). */
static int backlog_of(int fd) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    return real.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0 ? SOMAXCONN
                                                                          : (int)info.tcpi_sacked;
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
    if (listener && origin) /* so that this worker takes turns with those of other processes */
        atomic_store(&listener->shard.set->shared->workers, 1);
}

/* Decided under the guard: of two threads that listen at once, the second sees the first's. */
static void adopt(int fd, int backlog, const char *origin, bool is_found) {
    if (!guard_enter())
        return;
    decide(fd, backlog, origin, is_found);
    guard_leave();
}

/*
 * Sockets that this image had from its start, or received from another process: one bit each. A
 * stale bit, of a number that means something else by now, costs no more than a needless turn.
 */
enum { FOREIGN_END = 1024 };
static _Atomic uint64_t foreign[FOREIGN_END / 64];

static const char *origin_of(int fd) {
    if (socket_int(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1)
        return "it was listening before this process had it";
    if (fd >= 0 && fd < FOREIGN_END && (atomic_load(&foreign[fd / 64]) >> (fd % 64) & 1))
        return "it came from another process";
    return NULL;
}

static struct listener *find(uint64_t cookie) {
    for (int i = 0; cookie && i < listeners_used; i++)
        if (listeners[i].references && listeners[i].cookie == cookie)
            return &listeners[i];
    return NULL;
}

/* Whether fd is one of ours, or another descriptor of one, which came over a socket or was made
 * behind our back. */
static bool is_known(int fd) {
    if (listener_is_real(fd))
        return true;
    if (!listeners_used || fd_entry(fd) != FD_OTHER || local_is_borrowed() || !guard_enter())
        return false;
    struct listener *listener = find(listener_cookie(fd));
    if (listener && fd_entry(fd) == FD_OTHER) /* else another thread has just done it */
        listener_hold(listener, fd);
    guard_leave();
    return listener;
}

void listener_found(int fd, bool is_heir) {
    int accepts = config && fd >= 0 ? socket_int(fd, SOL_SOCKET, SO_ACCEPTCONN) : -1;
    if (accepts < 0 || local_is_borrowed() || is_known(fd))
        return;
    if (!accepts && !is_heir && fd < FOREIGN_END)
        atomic_fetch_or(&foreign[fd / 64], UINT64_C(1) << (fd % 64));
    if (accepts && fd_entry(fd) == FD_OTHER && local_start())
        adopt(fd, backlog_of(fd), is_heir ? NULL : origin_of(fd), true);
}

static void listened_again(int fd, int backlog) {
    const struct shard *shard = &listener_at(fd_index_of(fd_entry(fd)))->shard;
    set_listen_again(shard->set, fd, backlog);
    if (shard->set->is_servers)
        set_own_listens(shard->set, shard->number, true);
}

int listener_listen(int fd, int backlog) {
    bool is_ours = config && (is_known(fd) || listener_revive(fd));
    const char *origin = !is_ours && config ? origin_of(fd) : NULL;
    int result = real.listen(fd, backlog);
    if (result < 0 || !config)
        return result;
    int saved = errno;
    complain_once();
    if (!local_start())
        log_line(LOG_WARN, "nothing is done: MADV_WIPEONFORK: %s", log_errno(errno));
    else if (is_ours)
        listened_again(fd, backlog);
    else if (!local_is_borrowed())
        adopt(fd, backlog, origin, false);
    errno = saved;
    return result;
}

/* ---- numbers that come and go ---- */

static void leave_set(const struct shard *shard) {
    if (--shard->set->users)
        set_abandon(shard->set, shard->number);
    else
        set_close(shard->set);
}

static void release(struct listener *listener, int fd) {
    if (!guard_enter()) {
        atomic_fetch_add(&listener->orphaned, 1);
        return;
    }
    bool last = --listener->references <= atomic_load(&listener->orphaned);
    watch_listener_closing(&listener->shard, fd, last);
    if (last) {
        leave_set(&listener->shard);
        listener->references = 0;
        atomic_store(&listener->orphaned, 0);
    }
    guard_leave();
}

void listener_closing(int fd) {
    unsigned entry = fd_entry(fd);
    if (local_is_borrowed())
        return;
    int saved = errno;
    fd_clear(fd); /* before the close: another thread may be given the number at once */
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
    for (int i = 0; i < listeners_used; i++)
        if (listeners[i].references && !watch_has(listeners[i].shard.set) && guard_enter()) {
            set_move_up(listeners[i].shard.set);
            guard_leave();
        }
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
