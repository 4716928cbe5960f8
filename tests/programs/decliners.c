/*
 * decliners: a worker is told of a connection and does not take it, or not soon; another one, who
 * waits too, does.
 */
#include "lab.h"

#include <stdatomic.h>

enum { ROUNDS = 100, MAY_BE_LEFT = 3 };

static int fd;
static _Atomic int *told;    /* how often the decliner was */
static _Atomic int *release; /* raised: whoever hesitates goes on */

static void exhausted(void) {
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit));
    struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    MUST(setrlimit(RLIMIT_NOFILE, &none));
    serve_one(fd, 1);
    moment();
    MUST(setrlimit(RLIMIT_NOFILE, &limit));
}

static void hesitates(void) {
    int before = *release;
    while (*release == before)
        moment();
    serve_one(fd, 1);
}

__attribute__((noreturn)) static void decline_in_epoll(uint32_t events, void (*declines)(void)) {
    struct epoll_event event;
    int epfd = watching(fd, events);
    serve_one(fd, 1); /* it is one that accepts, as a rule */
    for (;;)
        if (epoll_wait(epfd, &event, 1, -1) == 1) {
            ++*told;
            declines();
        }
}

/* It waits to do something else when connections come, as php-fpm's master does. */
__attribute__((noreturn)) static void monitor_in_epoll(uint32_t events) {
    struct epoll_event event;
    int epfd = watching(fd, events);
    for (;;) {
        *told += epoll_wait(epfd, &event, 1, -1) == 1;
        moment();
    }
}

__attribute__((noreturn)) static void monitor_in_poll(void) {
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    for (;;) {
        *told += poll(&entry, 1, -1) == 1;
        moment();
    }
}

__attribute__((noreturn)) static void decline(const char *how) {
    if (!strcmp(how, "monitor"))
        monitor_in_epoll(EPOLLIN);
    if (!strcmp(how, "monitor-edge"))
        monitor_in_epoll(EPOLLIN | EPOLLET);
    if (!strcmp(how, "monitor-poll"))
        monitor_in_poll();
    decline_in_epoll(EPOLLIN, strcmp(how, "exhausted") ? hesitates : exhausted);
}

/* Bounded, and whoever hesitates goes on afterwards: 1 if it was left to that, and more than may be
 * if nobody answers at all. */
static int ask_once(uint16_t port) {
    struct pollfd client = {.fd = dial(port), .events = POLLIN};
    int left = poll(&client, 1, 500) != 1;
    ++*release;
    if (left && poll(&client, 1, 2000) != 1)
        left = ROUNDS;
    close(client.fd);
    return left;
}

/* Of whoever hesitates it is known after two that were left to it; and one may fall into the moment
 * in which a worker's place among the others changes. */
static void run(char **arguments) {
    told = shared_memory(4096);
    release = told + 1;
    fd = listener(AF_INET, SOCK_NONBLOCK);
    uint16_t port = port_of(fd);
    pid_t decliner = fork_bound();
    if (decliner == 0)
        decline(arguments[0]);
    until_waiting(decliner);
    pid_t server = start_worker(fd, 2);
    until_waiting(server);
    int left = 0;
    int since_told = 0;
    for (int i = 0; i < 4 * ROUNDS && since_told < ROUNDS && left <= MAY_BE_LEFT; i++) {
        since_told += *told > 0;
        until_waiting(server);
        left += ask_once(port);
    }
    say("told: %s, answered by another: %s", *told ? "yes" : "never",
        left <= MAY_BE_LEFT ? "as good as all" : "not all");
    end_worker(decliner);
    end_worker(server);
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {{"run", run}};
    return RUN_COMMAND(commands, argv);
}
