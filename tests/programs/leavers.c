/*
 * leavers: workers in poll and accept that go without doing what they were woken for, or leave a
 * call in another way than by its return. Whoever stays takes every connection.
 */
#include "signals.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>

static int fd;
static uint16_t port;

static int polled(int milliseconds) {
    struct pollfd list = {.fd = fd, .events = POLLIN};
    return poll(&list, 1, milliseconds);
}

static int ask_all(int count) {
    int answered = 0;
    for (int i = 0; i < count; i++)
        answered += ask(port) == 1;
    return answered;
}

/* ---- woken, and gone ---- */

/* The first that is told of a connection ends; the other polls on, a short time each. */
__attribute__((noreturn)) static void go_or_serve(_Atomic int *told) {
    for (;;) {
        if (polled(100) > 0 && atomic_fetch_add(told, 1) == 0)
            _exit(0);
        serve_one(fd, 1);
    }
}

static void dies_woken(char **arguments) {
    (void)arguments;
    pid_t pids[2];
    _Atomic int *told = shared_memory(sizeof *told);
    fd = listener(AF_INET, SOCK_NONBLOCK);
    port = port_of(fd);
    for (int i = 0; i < 2; i++) {
        pids[i] = fork_bound();
        if (pids[i] == 0)
            go_or_serve(told);
        until_waiting(pids[i]);
    }
    say("answered: %d of 1", ask_all(1));
    for (int i = 0; i < 2; i++)
        end_worker(pids[i]);
}

/* ---- one list longer than the others' ---- */

__attribute__((noreturn)) static void serve_list(int other) {
    struct pollfd list[] = {{.fd = fd, .events = POLLIN}, {.fd = other, .events = POLLIN}};
    for (;;)
        if (poll(list, other < 0 ? 1 : 2, -1) > 0)
            serve_one(fd, 1);
}

/* The one that stays has a listener of its own in its list, first and alone. */
static void lists(char **arguments) {
    (void)arguments;
    pid_t pids[3];
    int other = listener(AF_INET, SOCK_NONBLOCK);
    fd = listener(AF_INET, SOCK_NONBLOCK);
    port = port_of(fd);
    for (int i = 0; i < 3; i++) {
        pids[i] = fork_bound();
        if (pids[i] == 0)
            serve_list(i ? -1 : other);
        until_waiting(pids[i]);
    }
    say("answered: %d of 10", ask_all(10));
    end_worker(pids[1]);
    end_worker(pids[2]);
    say("answered by the one that stays: %d of 20", ask_all(20));
    end_worker(pids[0]);
}

/* ---- threads ---- */

static void *serve_once(void *argument) {
    (void)argument;
    return serve_one(fd, 1) ? NULL : &fd;
}

static void *serve_all(void *argument) {
    (void)argument;
    while (serve_one(fd, 1))
        continue;
    return NULL;
}

/* Seven threads take one connection each and end; one stays. */
__attribute__((noreturn)) static void serve_in_threads(_Atomic int *ended) {
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, i ? serve_once : serve_all, NULL);
    for (int i = 1; i < 8; i++) {
        pthread_join(threads[i], NULL);
        atomic_fetch_add(ended, 1);
    }
    pthread_join(threads[0], NULL);
    _exit(0);
}

static void threads_end(char **arguments) {
    (void)arguments;
    _Atomic int *ended = shared_memory(sizeof *ended);
    fd = listener(AF_INET, 0);
    port = port_of(fd);
    pid_t server = fork_bound();
    if (server == 0)
        serve_in_threads(ended);
    for (int i = 0; i < 2000 && atomic_load(ended) < 7; i++)
        ask(port);
    say("ended: %d", atomic_load(ended));
    say("answered by the one that stays: %d of 40", ask_all(40));
    end_worker(server);
}

/* ---- jumps ---- */

static sigjmp_buf out;

static void jump(int number) {
    (void)number;
    siglongjmp(out, 1);
}

/* The old way to bound a wait: an alarm whose handler jumps out of it. */
static void jumps(char **arguments) {
    (void)arguments;
    volatile int before = 0;
    fd = listener(AF_INET, 0);
    struct sigaction action = {.sa_handler = jump};
    MUST(sigaction(SIGUSR1, &action, NULL));
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    for (volatile int i = 0; i < 20; i++) {
        sigprocmask(SIG_BLOCK, &mask, NULL); /* until there is somewhere to jump to */
        pid_t child = pester();
        if (!sigsetjmp(out, 1)) {
            sigprocmask(SIG_UNBLOCK, &mask, NULL);
            serve_one(fd, 1);
        }
        sigprocmask(SIG_BLOCK, &mask, NULL);
        end_worker(child);
        signal(SIGUSR1, SIG_IGN); /* what is still pending goes */
        MUST(sigaction(SIGUSR1, &action, NULL));
        sigprocmask(SIG_UNBLOCK, &mask, NULL);
        if (i == 4)
            before = open_descriptors();
    }
    say("descriptors left behind: %d", open_descriptors() - before);
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {
        {"dies-woken", dies_woken},
        {"lists", lists},
        {"threads-end", threads_end},
        {"jumps", jumps},
    };
    return RUN_COMMAND(commands, argv);
}
