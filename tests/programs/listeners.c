/*
 * listeners: families, options, queues, and what happens at the end of a listener's life.
 */
#include "lab.h"

enum { WORKERS = 3 };

static pid_t workers[WORKERS];

/* Workers that all wait, so that each has what it is going to have. */
static void start_workers(int fd) {
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start_worker(fd, i);
    for (int i = 0; i < WORKERS; i++)
        until_waiting(workers[i]);
}

static void end_workers(void) {
    for (int i = 0; i < WORKERS; i++)
        end_worker(workers[i]);
}

static int served(int family, uint16_t port, int connections) {
    int count = 0;
    for (int i = 0; i < connections; i++)
        count += answer(dial_family(family, port)) >= 0;
    return count;
}

/* ---- families ---- */

static int any_address(int v6only) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    int fd = MUST(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0));
    MUST(set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only));
    MUST(bind(fd, (struct sockaddr *)&address, sizeof address));
    MUST(listen(fd, 100));
    return fd;
}

static void families(char **arguments) {
    const char *which = arguments[0] ? arguments[0] : "";
    int fd = !strcmp(which, "ip4")   ? listener(AF_INET, SOCK_NONBLOCK)
             : !strcmp(which, "ip6") ? listener(AF_INET6, SOCK_NONBLOCK)
                                     : any_address(!strcmp(which, "v6only"));
    start_workers(fd);
    say("over IPv4: %d of 20", served(AF_INET, port_of(fd), 20));
    say("over IPv6: %d of 20", served(AF_INET6, port_of(fd), 20));
    end_workers();
}

static void unix_stream(char **arguments) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = arguments[0] ? arguments[0] : "@unherd-lab";
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path)
        give_up("a path that long");
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    else
        unlink(path);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    int fd = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    MUST(bind(fd, (struct sockaddr *)&address, size));
    MUST(listen(fd, 100));
    start_workers(fd);
    int count = 0;
    for (int i = 0; i < 60; i++) {
        int client = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
        MUST(connect(client, (struct sockaddr *)&address, size));
        count += answer(client) >= 0;
    }
    say("over a local socket: %d of 60", count);
    end_workers();
}

/* ---- options ---- */

static const struct {
    const char *what;
    int level, name, value;
} options[] = {
    {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1},
    {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 20000},
    {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 30000},
    {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1},
    {"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 77},
    {"TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 7},
    {"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 5},
    {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 9000},
    {"TCP_NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384},
    {"IP_TOS", IPPROTO_IP, IP_TOS, 0x10},
    {"IP_TTL", IPPROTO_IP, IP_TTL, 33},
};

enum { OPTIONS = sizeof options / sizeof options[0], ROUNDS = 40 };

static void set_options(int fd) {
    for (int i = 0; i < OPTIONS; i++)
        MUST(set_int(fd, options[i].level, options[i].name, options[i].value));
}

/* What a worker found on the connections that it accepted. */
struct seen {
    _Atomic int connections;
    _Atomic int wrong[OPTIONS];
};

__attribute__((noreturn)) static void compare_for_ever(int fd, const int *wanted,
                                                       struct seen *seen) {
    int epfd = watching(fd, EPOLLIN);
    for (;;) {
        struct epoll_event event;
        epoll_wait(epfd, &event, 1, -1);
        int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (connection < 0)
            continue;
        for (int i = 0; i < OPTIONS; i++)
            seen->wrong[i] += get_int(connection, options[i].level, options[i].name) != wanted[i];
        seen->connections++;
        close(connection);
    }
}

/* Options set before or after listen(), or by a worker's parent when the workers wait already. */
static void inherited(char **arguments) {
    const char *when = arguments[0] ? arguments[0] : "";
    struct seen *seen = shared_memory(sizeof *seen);
    int *wanted = shared_memory(sizeof(int) * OPTIONS);
    int fd = bound(AF_INET, 0, SOCK_NONBLOCK);
    if (!strcmp(when, "before"))
        set_options(fd);
    MUST(listen(fd, 100));
    if (!strcmp(when, "after"))
        set_options(fd);
    for (int i = 0; i < WORKERS; i++)
        if ((workers[i] = fork_bound()) == 0)
            compare_for_ever(fd, wanted, seen);
    for (int i = 0; i < WORKERS; i++)
        until_waiting(workers[i]);
    if (!strcmp(when, "late"))
        set_options(fd);
    for (int i = 0; i < OPTIONS; i++)
        wanted[i] = get_int(fd, options[i].level, options[i].name);
    for (int i = 0; i < ROUNDS; i++)
        answer(dial(port_of(fd)));
    end_workers();
    say("connections: %d", seen->connections);
    for (int i = 0; i < OPTIONS; i++)
        say("%s: wrong on %d", options[i].what, seen->wrong[i]);
}

static void read_back(char **arguments) {
    (void)arguments;
    for (int asked = 0; asked < 2; asked++) {
        int fd = bound(AF_INET, 0, 0);
        MUST(set_int(fd, SOL_SOCKET, SO_REUSEPORT, asked));
        MUST(listen(fd, 10));
        say("SO_REUSEPORT %d: %d", asked, get_int(fd, SOL_SOCKET, SO_REUSEPORT));
        say("O_NONBLOCK: %d", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
        MUST(set_int(fd, SOL_SOCKET, SO_REUSEPORT, !asked));
        MUST(fcntl(fd, F_SETFL, O_NONBLOCK));
        say("then SO_REUSEPORT %d, O_NONBLOCK %d", get_int(fd, SOL_SOCKET, SO_REUSEPORT),
            (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
        char byte = 9;
        say("one byte of it: %s", outcome(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &byte, 1)));
        socklen_t length = 2;
        unsigned char two[4] = {7, 7, 7, 7};
        MUST(getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, two, &length));
        say("two bytes of it: %d %d %d, length %u", two[0], two[1], two[2], length);
        say("no value: %s", outcome(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, NULL, 4)));
    }
}

/* A spare must not send a connection that has not said anything to the worker. */
static void deferred(char **arguments) {
    (void)arguments;
    int fd = bound(AF_INET, 0, SOCK_NONBLOCK);
    MUST(set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5));
    MUST(listen(fd, 100));
    start_workers(fd);
    int clients[20];
    int early = 0;
    for (int i = 0; i < 20; i++)
        clients[i] = MUST(dial(port_of(fd)));
    for (int i = 0; i < 20; i++)
        early += poll(&(struct pollfd){.fd = clients[i], .events = POLLIN}, 1, 5) > 0;
    int late = 0;
    for (int i = 0; i < 20; i++) {
        MUST(write(clients[i], "x", 1));
        late += answer(clients[i]) >= 0;
    }
    say("answered before they spoke: %d, afterwards: %d", early, late);
    end_workers();
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {
        {"families", families},   {"unix", unix_stream},  {"inherited", inherited},
        {"read-back", read_back}, {"deferred", deferred},
    };
    return RUN_COMMAND(commands, argv);
}
