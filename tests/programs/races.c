/*
 * races: threads that are cancelled inside of a call, or use one number at the same time.
 */
#include "lab.h"

#include <pthread.h>

/* A new listener of this process works: its connections are answered. Says how many of 20. */
static void serve_and_say(void) {
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    int epfd = watching(fd, EPOLLIN);
    int served = 0;
    for (int i = 0; i < 20; i++) {
        struct epoll_event event;
        int client = MUST(dial(port_of(fd)));
        if (epoll_wait(epfd, &event, 1, 5000) == 1 && serve_one(fd, i))
            served += answer(client) == i;
    }
    say("served afterwards: %d of 20", served);
    close(epfd);
    close(fd);
}

/* ---- a thread is cancelled ---- */

static int shared_fd;
static const char *where;

static void in_the_call(int epfd, int new_fd) {
    struct epoll_event event = {.events = EPOLLIN};
    if (!strcmp(where, "wait"))
        epoll_wait(epfd, &event, 1, -1);
    else if (!strcmp(where, "ctl"))
        epoll_ctl(epfd, EPOLL_CTL_DEL, shared_fd, &event);
    else if (!strcmp(where, "accept"))
        accept(shared_fd, NULL, NULL);
    else if (!strcmp(where, "listen"))
        listen(new_fd, 5);
    else
        close(shared_fd);
    pthread_testcancel(); /* listen() and epoll_ctl() are no places to be cancelled at */
}

/* It has been cancelled before it comes to the call, and is told of it there. */
static void *cancelled(void *may_go_on) {
    struct epoll_event event;
    int epfd = watching(shared_fd, EPOLLIN);
    int new_fd = bound(AF_INET, 0, SOCK_NONBLOCK);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    if (!strcmp(where, "accept") && dial(port_of(shared_fd)) >= 0)
        epoll_wait(epfd, &event, 1, 5000);
    pthread_barrier_wait(may_go_on);
    pthread_barrier_wait(may_go_on);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    in_the_call(epfd, new_fd);
    return NULL;
}

static void cancel(char **arguments) {
    alarm(20);
    where = arguments[0];
    shared_fd = listener(AF_INET, SOCK_NONBLOCK);
    pthread_t thread;
    pthread_barrier_t may_go_on;
    void *result = NULL;
    pthread_barrier_init(&may_go_on, NULL, 2);
    pthread_create(&thread, NULL, cancelled, &may_go_on);
    pthread_barrier_wait(&may_go_on);
    pthread_cancel(thread);
    pthread_barrier_wait(&may_go_on);
    pthread_join(thread, &result);
    say("%s: %s", where, result == PTHREAD_CANCELED ? "cancelled" : "went on");
    serve_and_say();
}

/* ---- two threads listen on one number ---- */

enum { ROUNDS = 1000, COMINGS = 20000, INSTANCES = 3 };

static void *listen_too(void *barrier) {
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(barrier);
        MUST(listen(shared_fd, 5));
        pthread_barrier_wait(barrier);
    }
    return NULL;
}

/* After all that: how many queues three that wait have between them. */
static void count_queues(void) {
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    for (int i = 0; i < INSTANCES; i++) {
        struct epoll_event event;
        MUST(epoll_wait(watching(fd, EPOLLIN), &event, 1, 0));
    }
    say("queues: %d", listening_on(port_of(fd)));
}

static void listen_twice(char **arguments) {
    (void)arguments;
    pthread_t thread;
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, listen_too, &barrier);
    for (int i = 0; i < ROUNDS; i++) {
        shared_fd = bound(AF_INET, 0, SOCK_NONBLOCK);
        pthread_barrier_wait(&barrier);
        MUST(listen(shared_fd, 5));
        pthread_barrier_wait(&barrier);
        close(shared_fd);
    }
    pthread_join(thread, NULL);
    count_queues();
    serve_and_say();
}

/* ---- listeners come and go under the same numbers, while other threads use them ---- */

static _Atomic int now_fd;
static _Atomic int now_epfd;
static _Atomic bool is_over;

static void accept_and_close(int fd) {
    int connection = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection >= 0)
        close(connection);
}

/* Whatever a server does with a listener, on a number that may be another's by now. */
static void *meddle(void *unused) {
    (void)unused;
    for (unsigned i = 0; !is_over; i++) {
        struct epoll_event event = {.events = EPOLLIN};
        int fd = now_fd;
        if (i % 16 < 3)
            epoll_ctl(now_epfd, (int)(i % 16) + EPOLL_CTL_ADD, fd, &event);
        else if (i % 6400 == 3)
            listen(fd, 5);
        else if (i % 2)
            fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
        else
            accept_and_close(fd);
    }
    return NULL;
}

/* Never asleep, so that on two processors each step of this meets each step of the others. */
static void come_and_go(unsigned round) {
    struct sockaddr_storage address;
    struct epoll_event event;
    socklen_t length = loopback(&address, AF_INET, 0);
    int fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (bind(fd, (struct sockaddr *)&address, length) < 0) {
        close(fd); /* somebody listens on it already: it had the last one's number */
        return;
    }
    MUST(listen(fd, 64));
    now_fd = fd;
    now_epfd = MUST(epoll_create1(EPOLL_CLOEXEC));
    watch_for(now_epfd, fd, EPOLLIN, 1); /* somebody may have done that already */
    for (unsigned i = 0; i < round % 8; i++)
        epoll_wait(now_epfd, &event, 1, 0);
    int copy = round % 4 ? -1 : dup(fd);
    close(round % 2 ? fd : now_epfd);
    close(round % 2 ? now_epfd : fd);
    close(copy);
}

static void reopen(char **arguments) {
    (void)arguments;
    pthread_t threads[2];
    now_fd = now_epfd = -1;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, meddle, NULL);
    for (unsigned i = 0; i < COMINGS; i++)
        come_and_go(i);
    is_over = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    say("came through");
    serve_and_say();
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {
        {"cancel", cancel}, {"listen-twice", listen_twice}, {"reopen", reopen}};
    return RUN_COMMAND(commands, argv);
}
