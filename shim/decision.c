#include "decision.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>

#include "fd_table.h"
#include "log.h"
#include "real.h"
#include "socket_options.h"

static bool is_stream(int fd, int family) {
    int protocol = socket_int(fd, SOL_SOCKET, SO_PROTOCOL);
    bool is_ip = family == AF_INET || family == AF_INET6;
    return socket_int(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM &&
           ((is_ip && protocol == IPPROTO_TCP) || family == AF_UNIX);
}

/* Another listener of this process at the same address: then the server shards by itself. */
static bool is_sharded_by_server(int fd, const struct sockaddr *address, socklen_t length) {
    if (socket_int(fd, SOL_SOCKET, SO_REUSEPORT) != 1)
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

void decision_make(struct decision *decision, const struct config *config, int fd,
                   const char *origin) {
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
void decision_say(const struct decision *decision, const struct shard_set *set, int error) {
    bool is_warning = decision->falls_short && is_new_cause(decision->why);
    enum log_level level = is_warning ? LOG_WARN : LOG_INFO;
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
