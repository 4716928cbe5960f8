/*
 * stubborn: a server for a machine on which any system call may fail once. What it calls itself it
 * repeats when it is refused, so that whatever goes wrong with the library in it is the library's.
 *
 * usage: stubborn epoll|edge|poll|select|accept|threads
 *
 * Three workers. Says "PORT MASTER PID PID PID" when all of them are about to wait, and again
 * after SIGHUP, which replaces the first of them. SIGTERM ends it: with 0 if every worker ended so.
 */
#include "lab.h"

#include <pthread.h>
#include <sys/select.h>

enum { WORKERS = 3, TRIES = 3 };

#define INSIST(call)                                                                               \
    __extension__({                                                                                \
        __typeof__(call) insist_result = (call);                                                   \
        for (int tries = 1; insist_result < 0 && tries < TRIES; tries++)                           \
            insist_result = (call);                                                                \
        if (insist_result < 0)                                                                     \
            give_up(#call);                                                                        \
        insist_result;                                                                             \
    })

static const char *style;
static int fd;
static pid_t pids[WORKERS];
static volatile sig_atomic_t is_leaving;

static bool is_style(const char *name) {
    return !strcmp(style, name);
}

static void on_term(int number) {
    (void)number;
    is_leaving = true;
}

/* ---- a worker ---- */

static bool wait_for_one(int epfd) {
    struct epoll_event event;
    struct pollfd one = {.fd = fd, .events = POLLIN};
    fd_set readable;
    if (is_style("poll"))
        return poll(&one, 1, -1) == 1;
    if (!is_style("select"))
        return epoll_wait(epfd, &event, 1, -1) == 1;
    FD_ZERO(&readable);
    FD_SET(fd, &readable);
    return select(fd + 1, &readable, NULL, NULL, NULL) == 1;
}

static bool serve_insistently(void) {
    int connection = accept(fd, NULL, NULL);
    if (connection < 0)
        return false;
    INSIST(write(connection, "y", 1));
    close(connection);
    return true;
}

static void *serve(void *argument) {
    int epfd = -1;
    uint32_t events = EPOLLIN | (is_style("edge") ? EPOLLET : 0U);
    if (!is_style("poll") && !is_style("select") && !is_style("accept")) {
        epfd = INSIST(epoll_create1(EPOLL_CLOEXEC));
        INSIST(watch_for(epfd, fd, events, 0));
    }
    close((int)(intptr_t)argument);
    while (!is_leaving) {
        if (is_style("accept"))
            serve_insistently();
        else if (wait_for_one(epfd))
            while (serve_insistently() && is_style("edge"))
                continue;
    }
    if (epfd >= 0)
        close(epfd);
    return NULL;
}

static void start_thread(pthread_t *thread, int ready) {
    int copy = INSIST(fcntl(ready, F_DUPFD_CLOEXEC, 0));
    for (int tries = 0; pthread_create(thread, NULL, serve, (void *)(intptr_t)copy); tries++)
        if (tries == TRIES)
            give_up("pthread_create");
}

__attribute__((noreturn)) static void work(int ready) {
    pthread_t second = 0;
    struct sigaction action = {.sa_handler = on_term};
    INSIST(sigaction(SIGTERM, &action, NULL));
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (is_style("threads"))
        start_thread(&second, ready);
    serve((void *)(intptr_t)ready);
    while (is_style("threads") && pthread_tryjoin_np(second, NULL) != 0) {
        /* It has a handler. NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread) */
        pthread_kill(second, SIGTERM);
        moment();
    }
    close(fd);
    _exit(0);
}

/* ---- the master ---- */

static void start(int number, const int *ready) {
    pid_t parent = getpid();
    pids[number] = INSIST(fork());
    if (pids[number])
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    close(ready[0]);
    work(ready[1]);
}

static void start_some(int count) {
    int ready[2];
    char nothing;
    INSIST(pipe(ready));
    for (int i = 0; i < count; i++)
        start(i, ready);
    close(ready[1]);
    while (read(ready[0], &nothing, 1) < 0)
        continue;
    close(ready[0]);
    char line[96];
    struct sockaddr_in address = {0};
    INSIST(getsockname(fd, (struct sockaddr *)&address, &(socklen_t){sizeof address}));
    int size = snprintf(line, sizeof line, "%d %d %d %d %d\n", ntohs(address.sin_port),
                        (int)getpid(), (int)pids[0], (int)pids[1], (int)pids[2]);
    INSIST(write(STDOUT_FILENO, line, (size_t)size));
}

/* Told again and again: a signal that comes between a look at is_leaving and a wait ends nothing.
 */
static bool ends_well(int number) {
    int status = -1;
    while (kill(pids[number], SIGTERM) == 0 && waitpid(pids[number], &status, WNOHANG) == 0)
        moment();
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int end_all(void) {
    bool is_well = true;
    for (int i = 0; i < WORKERS; i++)
        is_well &= ends_well(i);
    close(fd);
    return is_well ? 0 : 1;
}

static void open_listener(void) {
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, AF_INET, 0);
    fd = INSIST(socket(AF_INET, SOCK_STREAM | (is_style("accept") ? 0 : SOCK_NONBLOCK), 0));
    INSIST(bind(fd, (struct sockaddr *)&address, length));
    INSIST(listen(fd, 511));
    INSIST(set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1)); /* after listen(): for every queue */
}

/* As a server does that finds how many connections it may have: the hidden descriptors move. */
static void raise_limit(void) {
    struct rlimit limit = {512, 4096};
    INSIST(setrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 1024;
    INSIST(setrlimit(RLIMIT_NOFILE, &limit));
}

int main(int argc, char **argv) {
    sigset_t awaited;
    int number = 0;
    style = argc == 2 ? argv[1] : "epoll";
    lab_start(60);
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGTERM);
    sigaddset(&awaited, SIGHUP);
    sigprocmask(SIG_BLOCK, &awaited, NULL);
    open_listener();
    raise_limit();
    for (int count = WORKERS; number != SIGTERM; count = 1) {
        start_some(count);
        while (sigwait(&awaited, &number) != 0)
            continue;
        if (number == SIGHUP && !ends_well(0))
            give_up("worker 0's end");
    }
    return end_all();
}
