/*
 * own ends: a server that shards by itself, some of whose sockets begin to block, are shut down or
 * change their numbers while their neighbours are at work: those notice nothing of it.
 */
#include "own.h"

#include <pthread.h>

enum { VISITS = 20 };

/* Two sockets, each with an instance that knows the other. */
struct pair {
    int fd[2];
    int epfd[2];
};

static void make_pair(struct pair *pair) {
    port = 0;
    for (int i = 0; i < 2; i++) {
        pair->fd[i] = one_more(SOCK_NONBLOCK);
        pair->epfd[i] = watching(pair->fd[i], EPOLLIN);
    }
    settle(pair->epfd[0]);
    settle(pair->epfd[1]);
}

/* ---- a neighbour blocks ---- */

/* How often the first is told, and finds nothing; connections of the second wait for its owner. */
static void say_in_vain(const struct pair *pair) {
    int in_vain = 0;
    for (int i = 0; i < VISITS; i++)
        dial(port);
    for (int i = 0; i < 3 * VISITS; i++) {
        struct epoll_event event;
        if (epoll_wait(pair->epfd[0], &event, 1, 5) == 1 && !serve_one(pair->fd[0], 1))
            in_vain++;
    }
    say("told in vain: %s", in_vain > VISITS ? "without end" : "hardly");
}

static void blocks(char **arguments) {
    (void)arguments;
    struct pair pair;
    make_pair(&pair);
    MUST(fcntl(pair.fd[1], F_SETFL, 0));
    settle(pair.epfd[0]);
    say_in_vain(&pair);
}

static void opened_anew(char **arguments) {
    (void)arguments;
    struct pair pair;
    make_pair(&pair);
    close(pair.epfd[1]);
    close(pair.fd[1]);
    settle(pair.epfd[0]);
    one_more(0);
    say_in_vain(&pair);
}

/* ---- a neighbour is shut down ---- */

static void told_then_shut(const char *what, uint32_t events) {
    struct pair pair = {0};
    struct epoll_event event;
    int waiting = 0;
    port = 0;
    for (int i = 0; i < 2; i++) {
        pair.fd[i] = one_more(SOCK_NONBLOCK);
        pair.epfd[i] = watching(pair.fd[i], events);
    }
    settle(pair.epfd[0]);
    settle(pair.epfd[1]);
    while (waiting < 50 && epoll_wait(pair.epfd[1], &event, 1, 0) < 1)
        waiting += dial(port) >= 0;
    MUST(shutdown(pair.fd[0], SHUT_RDWR));
    while (serve_one(pair.fd[1], 1))
        ;
    say("%s: accept ends with %s", what, outcome(-1));
}

static void shut(char **arguments) {
    (void)arguments;
    told_then_shut("level-triggered", EPOLLIN);
    told_then_shut("edge-triggered", EPOLLIN | EPOLLET);
}

/* Another process pauses a socket, as HAProxy's does, again and again. */
static void paused(char **arguments) {
    (void)arguments;
    struct pair pair;
    int ends = 0;
    make_pair(&pair);
    pid_t pid = fork_bound();
    if (pid == 0) {
        for (int i = 0; i < 5000; i++) {
            shutdown(pair.fd[0], SHUT_RD);
            listen(pair.fd[0], 100);
        }
        _exit(0);
    }
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        struct epoll_event event;
        if (epoll_wait(pair.epfd[1], &event, 1, 1) == 1)
            ends += (event.events & (EPOLLHUP | EPOLLERR)) != 0;
    }
    say("told of an end: %d", ends);
}

/* A child goes on with its parent's instance, and closes the neighbour that was shut down. */
static void ended_and_closed(char **arguments) {
    (void)arguments;
    struct pair pair;
    make_pair(&pair);
    MUST(shutdown(pair.fd[0], SHUT_RDWR));
    pid_t pid = fork_bound();
    if (pid == 0) {
        int ends = 0;
        close(pair.fd[0]);
        for (int i = 0; i < 20; i++) {
            struct epoll_event event;
            if (epoll_wait(pair.epfd[1], &event, 1, 10) == 1)
                ends += (event.events & (EPOLLHUP | EPOLLERR)) != 0;
        }
        say("the child is told of an end: %d", ends);
        _exit(0);
    }
    MUST(waitpid(pid, NULL, 0));
}

/* A child that shares an instance sees a pause; the neighbour listens again, and is closed later:
 * it is emptied from there all the same. */
static void paused_for_child(char **arguments) {
    (void)arguments;
    struct pair pair;
    struct epoll_event event;
    int answered = 0;
    make_pair(&pair);
    pid_t pid = fork_bound();
    if (pid == 0)
        close(pair.fd[1]);
    while (pid == 0)
        if (epoll_wait(pair.epfd[0], &event, 1, -1) == 1)
            serve_one(pair.fd[0], 1);
    until_waiting(pid);
    MUST(shutdown(pair.fd[1], SHUT_RD));
    until_waiting(pid);
    MUST(listen(pair.fd[1], 100));
    settle(pair.epfd[1]);
    settle(pair.epfd[0]);
    close(pair.fd[1]);
    close(pair.epfd[1]);
    for (int i = 0; i < VISITS && answered == i; i++) {
        int client = dial(port);
        struct pollfd entry = {.fd = client, .events = POLLIN};
        for (int j = 0; j < 100 && poll(&entry, 1, 0) == 0; j++)
            if (epoll_wait(pair.epfd[0], &event, 1, 10) == 1)
                serve_one(pair.fd[0], 1);
        answered += poll(&entry, 1, 0) == 1;
        close(client);
    }
    say("answered: %d of %d", answered, VISITS);
    end_worker(pid);
}

/* ---- the number of a socket that poll() waits for changes ---- */

static int busy_fd;
static _Atomic int step;

static void *wait_once(void *unused) {
    (void)unused;
    struct pollfd entry = {.fd = busy_fd, .events = POLLIN};
    while (step < 1)
        poll(&entry, 1, 10);
    step = 2;
    pause();
    return NULL;
}

static double processor_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int poll_and_serve(struct pollfd *entry, int times) {
    int served = 0;
    for (int i = 0; i < times; i++)
        if (poll(entry, 1, 50) == 1)
            served += serve_one(entry->fd, 1);
    return served;
}

/* The other's thread has waited, and is busy: those of its connections are for this one to take. */
static void moved(char **arguments) {
    (void)arguments;
    pthread_t thread;
    int first = one_more(SOCK_NONBLOCK);
    struct pollfd entry = {.fd = first, .events = POLLIN};
    busy_fd = one_more(SOCK_NONBLOCK);
    if (pthread_create(&thread, NULL, wait_once, NULL))
        give_up("pthread_create");
    poll_and_serve(&entry, 4);
    entry.fd = dup(first);
    close(first);
    poll_and_serve(&entry, 4);
    step = 1;
    while (step < 2)
        moment();
    int clients = 0;
    for (int i = 0; i < VISITS; i++)
        clients += dial(port) >= 0;
    double before = processor_seconds();
    int served = poll_and_serve(&entry, 40);
    say("served: %s, %s", served == clients ? "all" : "its own",
        processor_seconds() - before > 0.5 ? "without a rest" : "asleep between");
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {{"blocks", blocks},
                                              {"opened-anew", opened_anew},
                                              {"shut", shut},
                                              {"paused", paused},
                                              {"ended-and-closed", ended_and_closed},
                                              {"paused-for-child", paused_for_child},
                                              {"moved", moved}};
    return RUN_COMMAND(commands, argv);
}
