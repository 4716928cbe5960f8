/*
 * own: servers that shard by themselves, with several sockets for one address. Whoever is stuck,
 * shut down or gone, every connection is answered, and nobody is told of what is not there.
 */
#include "lab.h"

#include <pthread.h>

enum { SHARDS = 4, VISITS = 200 };

static int fds[SHARDS];
static uint16_t port;

static int one_more(int flags) {
    int fd = MUST(socket(AF_INET, SOCK_STREAM | flags, 0));
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, AF_INET, port);
    MUST(set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1));
    MUST(bind(fd, (struct sockaddr *)&address, length));
    if (!port)
        port = port_of(fd);
    return fd;
}

static void begin(int flags) {
    port = 0;
    for (int i = 0; i < SHARDS; i++) {
        fds[i] = one_more(flags);
        MUST(listen(fds[i], 100));
    }
}

static int ask_all(int count) {
    int answered = 0;
    for (int i = 0; i < count; i++)
        answered += ask(port) == 1;
    return answered;
}

static pid_t worker_at(int shard) {
    return start_worker(fds[shard], 1);
}

/* ---- one by one, with workers ---- */

/* Each socket has a worker; the owner of every second one is killed, and nobody takes its place. */
static void orphans(char **arguments) {
    (void)arguments;
    pid_t pids[SHARDS];
    begin(SOCK_NONBLOCK);
    for (int i = 0; i < SHARDS; i++)
        until_waiting(pids[i] = worker_at(i));
    say("all there: %d of %d", ask_all(VISITS), VISITS);
    end_worker(pids[1]);
    end_worker(pids[3]);
    say("two gone: %d of %d", ask_all(VISITS), VISITS);
    end_worker(pids[0]);
    end_worker(pids[2]);
}

/* ---- one instance for all ---- */

static int serve_with(int epfd, int count) {
    int served = 0;
    int clients[VISITS];
    for (int i = 0; i < count; i++)
        clients[i] = dial(port);
    for (struct epoll_event event; served < count && epoll_wait(epfd, &event, 1, 2000) == 1;)
        served += serve_one((int)event.data.u64, 1);
    for (int i = 0; i < count; i++)
        close(clients[i]);
    return served;
}

/* Events other than "readable", with nothing to accept: that happens to every member of a herd. */
static int nothing_from(int epfd) {
    struct epoll_event event;
    int count = 0;
    for (int i = 0; i < 3 && epoll_wait(epfd, &event, 1, 20) == 1; i++)
        count += event.events != EPOLLIN || serve_one((int)event.data.u64, 1);
    return count;
}

static void one_instance(char **arguments) {
    (void)arguments;
    begin(SOCK_NONBLOCK);
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < SHARDS; i++)
        MUST(watch_for(epfd, fds[i], EPOLLIN, (uint64_t)fds[i]));
    say("served: %d of 40, then events: %d", serve_with(epfd, 40), nothing_from(epfd));
    for (int i = 0; i < SHARDS; i++)
        close(fds[i]);
    say("all closed: %s", outcome(dial(port)));
    fds[0] = bound(AF_INET, port, 0);
    say("the address is free: %s", outcome(listen(fds[0], 5)));
    close(fds[0]);
}

/* ---- closed, and opened again ---- */

static void again(char **arguments) {
    (void)arguments;
    begin(SOCK_NONBLOCK | SOCK_CLOEXEC);
    pid_t pid = start_worker(fds[0], 1);
    for (int i = 1; i < SHARDS; i++)
        close(fds[i]);
    until_waiting(pid);
    fds[1] = one_more(0);
    MUST(set_int(fds[1], IPPROTO_TCP, TCP_DEFER_ACCEPT, 0));
    MUST(set_int(fds[1], SOL_SOCKET, SO_KEEPALIVE, 1));
    say("listen: %s", outcome(listen(fds[1], 7)));
    say("flags: %d, status: %d, keepalive: %d, reuseport: %d", fcntl(fds[1], F_GETFD),
        fcntl(fds[1], F_GETFL), get_int(fds[1], SOL_SOCKET, SO_KEEPALIVE),
        get_int(fds[1], SOL_SOCKET, SO_REUSEPORT));
    MUST(fcntl(fds[1], F_SETFL, O_NONBLOCK));
    pid_t other = start_worker(fds[1], 1);
    until_waiting(other);
    say("answered: %d of %d", ask_all(VISITS), VISITS);
    end_worker(pid);
    end_worker(other);
}

/* All of them, a hundred times; and all but one, a hundred times. */
static void cycles(char **arguments) {
    (void)arguments;
    begin(SOCK_NONBLOCK);
    int before = open_descriptors();
    for (int i = 0; i < 100; i++) {
        for (int j = 0; j < SHARDS; j++)
            close(fds[j]);
        begin(SOCK_NONBLOCK);
    }
    say("descriptors more: %d", open_descriptors() - before);
    for (int i = 0; i < 100; i++)
        for (int j = 1; j < SHARDS; j++) {
            close(fds[j]);
            fds[j] = one_more(SOCK_NONBLOCK);
            MUST(listen(fds[j], 100));
        }
    say("descriptors more: %d, queues: %d", open_descriptors() - before, listening_on(port));
}

/* ---- shut down, and listened on again ---- */

static void paused(char **arguments) {
    (void)arguments;
    begin(SOCK_NONBLOCK);
    int mine = watching(fds[0], EPOLLIN);
    int paused_one = watching(fds[1], EPOLLIN);
    say("before: %d and %d", nothing_from(mine), nothing_from(paused_one));
    MUST(shutdown(fds[1], SHUT_RDWR));
    say("one is shut down, its owner is told: %s", nothing_from(paused_one) ? "yes" : "no");
    say("and for its neighbour: %d %d", nothing_from(mine), nothing_from(mine));
    close(paused_one);
    say("listen: %s", outcome(listen(fds[1], 100)));
    paused_one = watching(fds[1], EPOLLIN);
    say("after: %d and %d", nothing_from(mine), nothing_from(paused_one));
}

/* ---- sockets that block ---- */

/* Told by poll, it blocks in accept, for as long as there is nothing: nobody may be faster. */
__attribute__((noreturn)) static void poll_and_block(int fd) {
    struct pollfd list = {.fd = fd, .events = POLLIN};
    for (;;)
        if (poll(&list, 1, -1) > 0)
            serve_one(fd, 1);
}

static void blocking(char **arguments) {
    (void)arguments;
    pid_t pids[SHARDS];
    begin(0);
    for (int i = 0; i < SHARDS; i++) {
        pids[i] = fork_bound();
        if (pids[i] == 0)
            poll_and_block(fds[i]);
        until_waiting(pids[i]);
    }
    say("answered: %d of %d", ask_all(VISITS), VISITS);
    for (int i = 0; i < SHARDS; i++)
        end_worker(pids[i]);
}

/* ---- threads that open their own, all at once ---- */

static pthread_barrier_t together;

static void *open_and_serve(void *unused) {
    (void)unused;
    int fd = one_more(SOCK_NONBLOCK);
    pthread_barrier_wait(&together);
    MUST(listen(fd, 100));
    serve_for_ever(fd, 1);
    return NULL;
}

static void racing(char **arguments) {
    (void)arguments;
    enum { THREADS = 8 };
    pthread_t thread;
    fds[0] = one_more(SOCK_NONBLOCK);
    pthread_barrier_init(&together, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread, NULL, open_and_serve, NULL))
            give_up("pthread_create");
    for (int i = 0; i < 5000 && listening_on(port) < THREADS; i++)
        moment();
    say("queues: %d, answered: %d of %d", listening_on(port), ask_all(VISITS), VISITS);
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {
        {"orphans", orphans}, {"one-instance", one_instance}, {"again", again},  {"cycles", cycles},
        {"paused", paused},   {"blocking", blocking},         {"racing", racing}};
    return RUN_COMMAND(commands, argv);
}
