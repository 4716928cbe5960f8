#include "listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "address.h"
#include "local.h"
#include "log.h"
#include "real.h"
#include "watch.h"

enum { LISTENER_LIMIT = 512 };

static struct listener listeners[LISTENER_LIMIT];
static int listeners_used; /* one past the highest that was ever used */
static const struct config *config;

void listener_start(const struct config *from) {
    config = from;
}

struct listener *listener_at(unsigned index) {
    return &listeners[index % LISTENER_LIMIT];
}

static int option_of(int fd, int level, int name) {
    int value = 0;
    socklen_t length = sizeof value;
    return real.getsockopt(fd, level, name, &value, &length) < 0 ? -1 : value;
}

static uint64_t cookie_of(int fd) {
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    return real.getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0 ? 0 : cookie;
}

bool listener_is_real(int fd) {
    unsigned entry = fd_entry(fd);
    if (fd_kind_of(entry) != FD_LISTENER)
        return false;
    if (cookie_of(fd) == listener_at(fd_index_of(entry))->cookie)
        return true;
    listener_closing(fd);
    return false;
}

/* ---- what is to become of it ---- */

struct decision {
    enum mode mode;   /* MODE_EXCLUSIVE, MODE_REUSEPORT or MODE_OFF */
    const char *why;  /* in a few words */
    bool falls_short; /* of what was asked for */
    char address[ADDRESS_SIZE];
};

static bool is_stream(int fd, int family) {
    int protocol = option_of(fd, SOL_SOCKET, SO_PROTOCOL);
    bool is_ip = family == AF_INET || family == AF_INET6;
    return option_of(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM &&
           ((is_ip && protocol == IPPROTO_TCP) || family == AF_UNIX);
}

/* Another listener of this process at the same address: then the server shards by itself. */
static bool is_sharded_by_server(int fd, const struct sockaddr *address, socklen_t length) {
    if (option_of(fd, SOL_SOCKET, SO_REUSEPORT) != 1)
        return false;
    for (int other = fd_next(0, FD_LIMIT - 1); other >= 0;
         other = fd_next((unsigned)other + 1, FD_LIMIT - 1)) {
        struct sockaddr_storage its;
        socklen_t its_length = sizeof its;
        if (fd_kind_of(fd_entry(other)) == FD_LISTENER &&
            real.getsockname(other, (struct sockaddr *)&its, &its_length) == 0 &&
            its_length == length && !memcmp(&its, address, length))
            return true;
    }
    return false;
}

static void settle_on(struct decision *decision, enum mode mode, const char *why) {
    decision->mode = mode;
    decision->why = why;
}

static void fall_back(struct decision *decision, const char *why) {
    settle_on(decision, MODE_EXCLUSIVE, why);
    decision->falls_short = true;
}

static void decide(struct decision *decision, int fd, bool was_listening) {
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    *decision = (struct decision){.mode = MODE_OFF, .why = "not a stream socket"};
    if (real.getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return;
    const struct sockaddr *name = (const struct sockaddr *)&address;
    address_format(name, length, decision->address, sizeof decision->address);
    if (!is_stream(fd, address.ss_family))
        return;
    enum mode asked = config_mode_for(config, name, length);
    if (asked == MODE_OFF)
        settle_on(decision, MODE_OFF, "UNHERD_MODE or UNHERD_LISTEN says so");
    else if (is_sharded_by_server(fd, name, length))
        settle_on(decision, MODE_OFF, "the server shards it by itself");
    else if (asked != MODE_REUSEPORT)
        settle_on(decision, MODE_EXCLUSIVE, asked == MODE_AUTO ? "auto" : "as asked");
    else if (address.ss_family == AF_UNIX)
        fall_back(decision, "AF_UNIX has no SO_REUSEPORT");
    else if (was_listening)
        fall_back(decision, "it was listening before this process had it");
    else
        settle_on(decision, MODE_REUSEPORT, "as asked");
}

/* What was asked for by name and could not be had whole is said at `warn`; of the same cause, once.
 */
static void say(const struct decision *decision, const struct shard_set *set, int error) {
    static _Atomic(const char *) said;
    bool is_new = decision->falls_short && atomic_exchange(&said, decision->why) != decision->why;
    enum log_level level = is_new ? LOG_WARN : LOG_INFO;
    if (decision->mode == MODE_OFF)
        log_line(level, "%s: left alone (%s)", decision->address, decision->why);
    else if (set->count > 1)
        log_line(level, "%s: reuseport, %d shards, stealing from %d (%s)", decision->address,
                 set->count, (int)set->steal, decision->why);
    else if (decision->mode == MODE_REUSEPORT && decision->falls_short)
        log_line(level, "%s: exclusive, rotated every %u (not sharded: %s: %s)", decision->address,
                 set->rotate, decision->why, log_errno(error));
    else
        log_line(level, "%s: exclusive, rotated every %u (%s)", decision->address, set->rotate,
                 decision->why);
}

/* ---- adoption ---- */

/* The first time at `warn`, after that only for who asks: a server may have a thousand listeners.
 */
static enum log_level once(atomic_bool *said) {
    return atomic_exchange(said, true) ? LOG_DEBUG : LOG_WARN;
}

static struct listener *make(int fd, struct decision *decision, int backlog) {
    static atomic_bool said_full;
    static atomic_bool said_refused;
    struct listener *listener = NULL;
    for (int i = 0; i < LISTENER_LIMIT && !listener; i++)
        if (!listeners[i].references)
            listener = &listeners[i];
    if (!listener) {
        log_line(once(&said_full), "%s: left alone (too many listeners)", decision->address);
        return NULL;
    }
    const char *shortfall = NULL;
    int wanted = decision->mode == MODE_REUSEPORT ? (int)config->shards : 1;
    listener->cookie = cookie_of(fd);
    listener->reuseport = option_of(fd, SOL_SOCKET, SO_REUSEPORT) == 1;
    errno = 0;
    if (!set_make(&listener->set, fd, wanted, backlog, &shortfall)) {
        log_line(once(&said_refused), "%s: left alone (%s: %s)", decision->address, shortfall,
                 log_errno(errno));
        return NULL;
    }
    if (shortfall)
        decision->why = shortfall, decision->falls_short = true;
    unsigned most = (unsigned)listener->set.count - 1;
    listener->set.steal = config->steal < most ? config->steal : most;
    listener->set.rotate = config->rotate;
    say(decision, &listener->set, errno);
    return listener;
}

static void complain_once(void) {
    static atomic_bool said;
    if (atomic_exchange(&said, true))
        return;
    for (unsigned i = 0; i < config->complaint_count; i++)
        log_line(LOG_WARN, "%s", config->complaints[i]);
}

static void adopt(int fd, int backlog, bool was_listening) {
    struct decision decision;
    decide(&decision, fd, was_listening);
    if (decision.mode == MODE_OFF) {
        say(&decision, NULL, 0);
        return;
    }
    if (!guard_enter())
        return;
    struct listener *listener = NULL;
    if (fd_entry(fd) == FD_OTHER) /* else another thread has just done it */
        listener = make(fd, &decision, backlog);
    if (listener) {
        int index = (int)(listener - listeners);
        listener->references = 1;
        listeners_used = index < listeners_used ? listeners_used : index + 1;
        fd_set_entry(fd, FD_LISTENER, (unsigned)index);
    }
    guard_leave();
}

int listener_listen(int fd, int backlog) {
    bool is_known = listener_is_real(fd);
    bool was_listening = !is_known && config && option_of(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1;
    int result = real.listen(fd, backlog);
    if (result < 0 || !config)
        return result;
    int saved = errno;
    complain_once();
    if (!local_start())
        log_line(LOG_WARN, "nothing is done: MADV_WIPEONFORK: %s", log_errno(errno));
    else if (is_known)
        set_listen_again(&listener_at(fd_index_of(fd_entry(fd)))->set, backlog);
    else if (!local_is_borrowed())
        adopt(fd, backlog, was_listening);
    errno = saved;
    return result;
}

/* ---- numbers that come and go ---- */

static void release(struct listener *listener, int fd) {
    if (!guard_enter()) {
        atomic_fetch_add(&listener->orphaned, 1);
        return;
    }
    bool last = --listener->references <= atomic_load(&listener->orphaned);
    watch_listener_closing(&listener->set, fd, last);
    if (last) {
        set_close(&listener->set);
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
        if (listeners[i].references && !watch_has(&listeners[i].set) && guard_enter()) {
            set_move_up(&listeners[i].set);
            guard_leave();
        }
}
