/*
 * handed: threads that wait, each with an instance of its own, hand what they are told to other
 * threads, which accept and never wait themselves; and instances that several threads or processes
 * wait on.
 */
#include "lab.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

enum { WAITERS = 12, VISITS = 300 };

static int fd;
static int orders[2];
static sem_t done;

static void *wait_and_hand(void *number) {
    int epfd = watching(fd, EPOLLIN);
    (void)number;
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(epfd, &event, 1, -1) != 1)
            continue;
        MUST((int)write(orders[1], "x", 1));
        sem_wait(&done);
    }
    return NULL;
}

static void *accept_what_is_handed(void *unused) {
    char order;
    (void)unused;
    while (read(orders[0], &order, 1) == 1) {
        serve_one(fd, 1);
        sem_post(&done);
    }
    return NULL;
}

static pthread_t thread_of(void *(*run)(void *), void *argument) {
    pthread_t made;
    if (pthread_create(&made, NULL, run, argument))
        give_up("pthread_create");
    return made;
}

static pthread_t thread(void *(*run)(void *)) {
    return thread_of(run, NULL);
}

/* One acceptor for all: whichever queue it is, it has to find the connection that was told of. */
static void one_acceptor(char **arguments) {
    (void)arguments;
    int answered = 0;
    fd = listener(AF_INET, SOCK_NONBLOCK);
    MUST(pipe(orders));
    sem_init(&done, 0, 0);
    for (int i = 0; i < WAITERS; i++)
        thread(wait_and_hand);
    thread(accept_what_is_handed);
    for (int i = 0; i < VISITS; i++)
        answered += ask(port_of(fd)) == 1;
    say("answered %d of %d", answered, VISITS);
}

/* ---- threads that come and go ---- */

static int shared_epfd = -1;

/* Ten connections with an instance of its own, or the one that all share; then it ends. */
static void *serve_ten(void *unused) {
    int epfd = shared_epfd < 0 ? watching(fd, EPOLLIN) : shared_epfd;
    (void)unused;
    for (int served = 0; served < 10;) {
        struct epoll_event event;
        if (epoll_wait(epfd, &event, 1, -1) == 1)
            served += serve_one(fd, 1);
    }
    if (shared_epfd < 0)
        close(epfd);
    return NULL;
}

/* As many threads as there are tens of connections, four at a time. */
static void serve_in_tens(void) {
    int answered = 0;
    pthread_t threads[4];
    uint16_t port = port_of(fd);
    for (int i = 0; i < 4; i++)
        threads[i] = thread(serve_ten);
    for (int round = 0; round < VISITS / 40; round++) {
        for (int i = 0; i < 40; i++)
            answered += ask(port) == 1;
        for (int i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
            threads[i] = thread(serve_ten);
        }
    }
    say("answered %d of %d", answered, VISITS / 40 * 40);
}

static void come_and_go(char **arguments) {
    (void)arguments;
    fd = listener(AF_INET, SOCK_NONBLOCK);
    serve_in_tens();
}

static void share_an_instance(char **arguments) {
    (void)arguments;
    fd = listener(AF_INET, SOCK_NONBLOCK);
    shared_epfd = watching(fd, EPOLLIN);
    serve_in_tens();
}

/* ---- another thread registers anew what they wait for ---- */

enum { SLEEPERS = 3, ROUNDS = 40 };

static int instances[SLEEPERS];
static _Atomic pid_t sleepers[SLEEPERS];

static void *sleep_and_serve(void *number) {
    long i = (long)number;
    atomic_store(&sleepers[i], gettid());
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(instances[i], &event, 1, -1) == 1)
            serve_one(fd, 1);
    }
    return NULL;
}

static void register_anew(int epfd) {
    struct epoll_event event = {.events = EPOLLIN};
    MUST(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL));
    MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event));
}

/* They sleep on, and are told all the same. */
static void registered_anew(char **arguments) {
    (void)arguments;
    int answered = 0;
    fd = listener(AF_INET, SOCK_NONBLOCK);
    for (long i = 0; i < SLEEPERS; i++) {
        instances[i] = watching(fd, EPOLLIN);
        thread_of(sleep_and_serve, (void *)i);
    }
    for (int i = 0; i < SLEEPERS; i++) {
        while (!atomic_load(&sleepers[i]))
            sched_yield();
        until_waiting(sleepers[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SLEEPERS; i++)
            register_anew(instances[i]);
        answered += ask(port_of(fd)) == 1;
    }
    say("answered %d of %d", answered, ROUNDS);
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {{"one-acceptor", one_acceptor},
                                              {"come-and-go", come_and_go},
                                              {"share-an-instance", share_an_instance},
                                              {"registered-anew", registered_anew}};
    return RUN_COMMAND(commands, argv);
}
