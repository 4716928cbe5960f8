/*
 * own odd: servers that shard by themselves, and do with their sockets what few others do: wait for
 * them before they listen, copy them, shut one down, close one while a thread waits for it, let one
 * block and another not.
 */
#include "own.h"

#include <pthread.h>

enum { VISITS = 40 };

/* ---- in an epoll instance before it listens, as Asio has it ---- */

/* A connection is in one of two queues; of one of these an event tells. */
static int serve_either(int epfd, int told, int asked) {
    struct epoll_event event;
    int client = dial(port);
    int served = serve_one(asked, 1);
    while (!served && epoll_wait(epfd, &event, 1, 2000) == 1)
        served = serve_one(told, 1);
    served += answer(client) == 1;
    return served == 2;
}

static void early(char **arguments) {
    (void)arguments;
    int served = 0;
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    int first = one_more(SOCK_NONBLOCK);
    close(one_more(SOCK_NONBLOCK));
    int fd = another(SOCK_NONBLOCK);
    int copy = dup(fd);
    MUST(watch_for(epfd, fd, EPOLLIN | EPOLLET, 7));
    MUST(listen(fd, 100));
    for (int i = 0; i < VISITS; i++)
        served += serve_either(epfd, fd, first);
    say("served: %d, a copy made before listens: %d", served,
        get_int(copy, SOL_SOCKET, SO_ACCEPTCONN));
}

/* Nobody is told of a socket that is closed: what its data points to is freed. */
static void early_close(char **arguments) {
    (void)arguments;
    int told = 0;
    struct epoll_event event;
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    int first = one_more(SOCK_NONBLOCK);
    int fd = another(SOCK_NONBLOCK);
    int other = watching(first, EPOLLIN);
    epoll_wait(other, &event, 1, 0);
    MUST(watch_for(epfd, fd, EPOLLIN | EPOLLET, 7));
    MUST(listen(fd, 100));
    close(fd);
    for (int i = 0; i < VISITS; i++) {
        int client = dial(port);
        while (epoll_wait(epfd, &event, 1, 0) == 1)
            told++;
        serve_one(first, 1);
        close(client);
    }
    say("events of a closed socket: %d", told);
}

/* ---- one is closed while a thread waits for it and another ---- */

static int common;
static _Atomic pid_t waiter;

static void *serve_common(void *unused) {
    (void)unused;
    waiter = (pid_t)syscall(SYS_gettid);
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(common, &event, 1, -1) == 1)
            serve_one((int)event.data.u64, 1);
    }
    return NULL;
}

/* The thread is to notice although nothing ends its wait. */
static int close_one_of_two(void) {
    int pair[2];
    port = 0;
    for (int i = 0; i < 2; i++) {
        pair[i] = one_more(SOCK_NONBLOCK);
        MUST(watch_for(common, pair[i], EPOLLIN, (uint64_t)pair[i]));
    }
    int answered = ask_some(4);
    until_waiting(waiter);
    close(pair[0]);
    until_waiting(waiter);
    answered += ask_some(1);
    close(pair[1]);
    return answered;
}

static void closed_under(char **arguments) {
    (void)arguments;
    int answered = 0;
    pthread_t thread;
    common = epoll_create1(EPOLL_CLOEXEC);
    if (pthread_create(&thread, NULL, serve_common, NULL))
        give_up("pthread_create");
    while (!waiter)
        moment();
    enum { ROUNDS = 40 };
    for (int i = 0; i < ROUNDS && answered == 5 * i; i++)
        answered += close_one_of_two();
    say("answered: %d of %d", answered, 5 * ROUNDS);
}

/* ---- one is shut down, and others have the same data ---- */

/* What three waits bring; one that finds nothing says so with a 0. */
static void say_ends(int epfd, const char *whose) {
    uint32_t seen[3] = {0};
    for (int i = 0; i < 3; i++) {
        struct epoll_event events[4];
        int count = epoll_wait(epfd, events, 4, 300);
        for (int j = 0; j < count; j++)
            seen[i] |= events[j].events;
    }
    say("%s: %x %x %x", whose, seen[0], seen[1], seen[2]);
}

static void same_data(const char *whose, int which) {
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    int fds[3];
    port = 0;
    fds[2] = one_more(SOCK_NONBLOCK); /* another address */
    port = 0;
    for (int i = 0; i < 2; i++)
        fds[i] = one_more(SOCK_NONBLOCK);
    for (int i = 2; i >= 0; i--)
        MUST(watch_for(epfd, fds[i], EPOLLIN, 1));
    settle(epfd);
    MUST(shutdown(fds[which], SHUT_RDWR));
    say_ends(epfd, whose);
}

static void ends(char **arguments) {
    (void)arguments;
    same_data("the first", 0);
    same_data("the second", 1);
    same_data("another address", 2);
}

/* A child goes on with its parent's instance; what is shut down is none of its own. */
static void inherited_end(char **arguments) {
    (void)arguments;
    int first = one_more(SOCK_NONBLOCK);
    int other = watching(first, EPOLLIN);
    int epfd = watching(one_more(SOCK_NONBLOCK), EPOLLIN);
    settle(other);
    settle(epfd);
    MUST(shutdown(first, SHUT_RDWR));
    pid_t pid = fork_bound();
    if (pid == 0) {
        settle(epfd);
        say_ends(epfd, "the child's");
        _exit(0);
    }
    MUST(waitpid(pid, NULL, 0));
}

/* ---- descriptors ---- */

static void shut_and_closed(char **arguments) {
    (void)arguments;
    one_more(SOCK_NONBLOCK);
    int before = 0;
    for (int i = 0; i < 300; i++) {
        int fd = one_more(SOCK_NONBLOCK);
        MUST(shutdown(fd, SHUT_RDWR));
        close(fd);
        if (i == 0)
            before = open_descriptors();
    }
    say("descriptors more: %d, queues: %d", open_descriptors() - before, listening_on(port));
}

/* Whatever is left for the library, everybody who connects is served. */
static void few(char **arguments) {
    (void)arguments;
    int served = 0;
    for (rlim_t limit = 16; limit <= 64; limit += 4) {
        struct rlimit few_files = {.rlim_cur = limit, .rlim_max = 1024};
        MUST(setrlimit(RLIMIT_NOFILE, &few_files));
        port = 0;
        int fds[2];
        int epfd = epoll_create1(EPOLL_CLOEXEC);
        for (int i = 0; i < 2; i++) {
            fds[i] = one_more(SOCK_NONBLOCK);
            MUST(watch_for(epfd, fds[i], EPOLLIN, (uint64_t)fds[i]));
        }
        for (int i = 0; i < 20; i++) {
            struct epoll_event event;
            int client = dial(port);
            for (int done = 0; !done && epoll_wait(epfd, &event, 1, 2000) == 1;)
                done = serve_one((int)event.data.u64, 1);
            served += answer(client) == 1;
        }
        close(fds[0]);
        close(fds[1]);
        close(epfd);
    }
    say("served: %d of %d", served, 13 * 20);
}

/* ---- one blocks, the other does not ---- */

/* Whoever is told of a connection finds one: its own socket would block for ever. */
static void one_blocks(char **arguments) {
    (void)arguments;
    struct epoll_event event;
    int served = 0;
    int clients[VISITS];
    int quick = one_more(SOCK_NONBLOCK);
    int slow = one_more(0);
    int quick_epfd = watching(quick, EPOLLIN);
    int slow_epfd = watching(slow, EPOLLIN);
    settle(quick_epfd);
    settle(slow_epfd);
    for (int i = 0; i < VISITS; i++) {
        clients[i] = dial(port);
        while (epoll_wait(slow_epfd, &event, 1, 20) == 1)
            served += serve_one(slow, 1);
    }
    while (epoll_wait(quick_epfd, &event, 1, 100) == 1)
        served += serve_one(quick, 1);
    for (int i = 0; i < VISITS; i++)
        close(clients[i]);
    say("served: %d of %d", served, VISITS);
}

/* ---- each child opens one, beside the parent's that all have ---- */

__attribute__((noreturn)) static void serve_two(int inherited) {
    int own = one_more(SOCK_NONBLOCK);
    int epfd = watching(inherited, EPOLLIN);
    MUST(watch_for(epfd, own, EPOLLIN, (uint64_t)own));
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(epfd, &event, 1, -1) == 1)
            serve_one((int)event.data.u64, 1);
    }
}

static void families(char **arguments) {
    (void)arguments;
    pid_t pids[3];
    int answered = 0;
    int inherited = one_more(SOCK_NONBLOCK);
    for (int i = 0; i < 3; i++) {
        pids[i] = fork_bound();
        if (pids[i] == 0)
            serve_two(inherited);
        until_waiting(pids[i]);
    }
    for (int i = 0; i < VISITS; i++)
        answered += ask(port) == 1;
    say("queues: %d, answered: %d of %d", listening_on(port), answered, VISITS);
    for (int i = 0; i < 3; i++)
        end_worker(pids[i]);
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {
        {"early", early}, {"early-close", early_close},     {"closed-under", closed_under},
        {"ends", ends},   {"inherited-end", inherited_end}, {"shut-and-closed", shut_and_closed},
        {"few", few},     {"one-blocks", one_blocks},       {"families", families}};
    return RUN_COMMAND(commands, argv);
}
