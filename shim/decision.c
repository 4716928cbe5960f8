#include "decision.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>

#include "fd_table.h"
#include "listener_record.h"
#include "log.h"
#include "real.h"
#include "socket_options.h"

static bool is_stream(int fd, int family) {
    int protocol = socket_int(fd, SOL_SOCKET, SO_PROTOCOL);
    bool is_ip = family == AF_INET || family == AF_INET6;
    return socket_int(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM &&
           ((is_ip && protocol == IPPROTO_TCP) || family == AF_UNIX);
}

/* One address on two devices is two listeners (SO_BINDTODEVICE, socket(7)). */
static int device_of(int fd) {
    return socket_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX);
}

static bool has_address(int fd, const struct sockaddr *address, socklen_t length) {
    struct sockaddr_storage its = {0};
    socklen_t its_length = sizeof its;
    return real.getsockname(fd, (struct sockaddr *)&its, &its_length) == 0 &&
           its_length == length && !memcmp(&its, address, length);
}

/* One that is still what its record says; another descriptor of the same socket is none. */
static bool is_sibling(int fd, int other, const struct sockaddr *address, socklen_t length) {
    unsigned entry = fd_entry(other);
    if (fd_kind_of(entry) != FD_LISTENER || !has_address(other, address, length))
        return false;
    uint64_t cookie = socket_cookie(other);
    return cookie == listener_at(fd_index_of(entry))->cookie && cookie != socket_cookie(fd) &&
           device_of(other) == device_of(fd);
}

int decision_sibling(int fd) {
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    if (socket_int(fd, SOL_SOCKET, SO_REUSEPORT) != 1 ||
        real.getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return -1;
    for (int other = fd_next(0, FD_LIMIT - 1); other >= 0;
         other = fd_next((unsigned)other + 1, FD_LIMIT - 1))
        if (is_sibling(fd, other, (struct sockaddr *)&address, length))
            return other;
    return -1;
}

static void settle_on(struct decision *decision, enum mode mode, const char *why) {
    decision->mode = mode;
    decision->why = why;
}

static void fall_back(struct decision *decision, const char *why) {
    settle_on(decision, MODE_EXCLUSIVE, why);
    decision->falls_short = true;
}

void decision_make(struct decision *decision, const struct config *config, int fd,
                   const char *origin) {
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    *decision = (struct decision){.mode = MODE_OFF, .why = "not a stream socket", .sibling = -1};
    if (real.getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return;
    const struct sockaddr *name = (const struct sockaddr *)&address;
    address_format(name, length, decision->address, sizeof decision->address);
    if (!is_stream(fd, address.ss_family))
        return;
    enum mode asked = config_mode_for(config, name, length);
    if (asked == MODE_OFF)
        settle_on(decision, MODE_OFF, "UNHERD_MODE or UNHERD_LISTEN says so");
    else if (asked != MODE_EXCLUSIVE && (decision->sibling = decision_sibling(fd)) >= 0)
        settle_on(decision, MODE_REUSEPORT, "the server shards by itself");
    else if (asked != MODE_REUSEPORT)
        settle_on(decision, MODE_EXCLUSIVE, asked == MODE_AUTO ? "auto" : "as asked");
    else if (address.ss_family == AF_UNIX)
        fall_back(decision, "AF_UNIX has no SO_REUSEPORT");
    else if (origin)
        fall_back(decision, origin);
    else
        settle_on(decision, MODE_REUSEPORT, "as asked");
}

/* Each cause is a text of its own; there are fewer than places for them. */
static bool is_new_cause(const char *why) {
    static _Atomic(const char *) said[16];
    for (int i = 0; i < 16; i++) {
        const char *there = NULL;
        if (atomic_compare_exchange_strong(&said[i], &there, why))
            return true;
        if (there == why)
            return false;
    }
    return false;
}

/* What was asked for by name and could not be had whole is said at `warn`; of the same cause, once.
 */
void decision_say(const struct decision *decision, const struct shard *shard, int error) {
    bool is_warning = decision->falls_short && is_new_cause(decision->why);
    enum log_level level = is_warning ? LOG_WARN : LOG_INFO;
    const struct shard_set *set = shard ? shard->set : NULL;
    struct policy policy = set ? set_policy(set) : (struct policy){0};
    if (!set || decision->mode == MODE_OFF)
        log_line(level, "%s: left alone (%s)", decision->address, decision->why);
    else if (set->is_servers)
        log_line(level, "%s: the server's own shard %d, stealing from up to %u (%s)",
                 decision->address, shard->number, policy.steal, decision->why);
    else if (set->count > 1)
        log_line(level, "%s: reuseport, %d shards, stealing from %u (%s)", decision->address,
                 set->count,
                 policy.steal < (unsigned)set->count ? policy.steal : (unsigned)set->count - 1,
                 decision->why);
    else if (decision->mode == MODE_REUSEPORT && decision->falls_short)
        log_line(level, "%s: exclusive, rotated every %u (not sharded: %s: %s)", decision->address,
                 policy.rotate, decision->why, log_errno(error));
    else
        log_line(level, "%s: exclusive, rotated every %u (%s)", decision->address, policy.rotate,
                 decision->why);
}
