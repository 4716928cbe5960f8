/*
 * passed by: of four workers in epoll one is busy for good, and one is busy from the first
 * connection that it takes until it is released. Three connections come at once; the other two
 * workers answer all that are left, whoever was woken for which.
 */
#include "lab.h"

#include <stdatomic.h>

enum { WORKERS = 4, FOR_GOOD = 0, FOR_A_WHILE = 1, AT_ONCE = 3 };

static int fd;
static _Atomic int *release;

__attribute__((noreturn)) static void work(int number) {
    struct epoll_event event;
    int epfd = watching(fd, EPOLLIN);
    for (;;) {
        if (epoll_wait(epfd, &event, 1, -1) != 1 || !serve_one(fd, number))
            continue;
        while (number == FOR_GOOD)
            pause();
        int before = *release;
        while (number == FOR_A_WHILE && *release == before)
            moment();
    }
}

static int dial_now(uint16_t port) {
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, AF_INET, port);
    int client = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (connect(client, (struct sockaddr *)&address, length) < 0 && errno != EINPROGRESS)
        give_up("connect");
    return client;
}

/* How many of them waited although two workers had nothing to do. */
static int ask_together(uint16_t port) {
    struct pollfd clients[AT_ONCE];
    int late = 0;
    for (int i = 0; i < AT_ONCE; i++)
        clients[i] = (struct pollfd){.fd = dial_now(port), .events = POLLIN};
    for (int i = 0; i < AT_ONCE; i++)
        late += poll(&clients[i], 1, 400) != 1;
    ++*release;
    for (int i = 0; i < AT_ONCE; i++)
        close(clients[i].fd);
    return late;
}

static void run(char **arguments) {
    pid_t pids[WORKERS];
    int rounds = atoi(arguments[0]);
    int late = 0;
    release = shared_memory(sizeof *release);
    fd = listener(AF_INET, SOCK_NONBLOCK);
    uint16_t port = port_of(fd);
    for (int i = 0; i < WORKERS; i++) {
        pids[i] = fork_bound();
        if (pids[i] == 0)
            work(i);
        until_waiting(pids[i]);
    }
    while (ask(port) != FOR_GOOD)
        ++*release;
    for (int i = 0; i < rounds; i++) {
        for (int j = 0; j < 100 && !is_waiting(pids[FOR_A_WHILE]); j++) {
            ++*release;
            moment();
        }
        late += ask_together(port);
    }
    say("%d", late);
    for (int i = 0; i < WORKERS; i++)
        end_worker(pids[i]);
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {{"run", run}};
    return RUN_COMMAND(commands, argv);
}
