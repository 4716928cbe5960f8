/*
 * waiters: a synchronous prefork server for the experiments, which waits as it is told to.
 *
 * Each worker waits, accepts one connection, reads its request, answers with its own pid, and
 * closes. So a request that takes long keeps everything else in that worker waiting, which is what
 * the experiments are about. GET /busy?ms=N takes N milliseconds.
 *
 * usage: waiters STYLE -p PORT -w WORKERS [-k]
 *   STYLE  accept     in accept() itself
 *          poll, select, epoll
 *          exclusive  epoll with EPOLLEXCLUSIVE, in the order that the kernel keeps
 *          reuseport  epoll, each worker at a socket of its own
 *   -k     connections are kept until the client closes them; epoll, exclusive and reuseport
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MAX = 1024, REQUEST_MAX = 4096, BUSY_MAX_MS = 60000 };

enum style { ACCEPT, POLL, SELECT, EPOLL, EXCLUSIVE, REUSEPORT, STYLES };

static const char *const style_names[STYLES] = {"accept", "poll",      "select",
                                                "epoll",  "exclusive", "reuseport"};

static enum style style = STYLES;
static bool keeps;
static long worker_count;
static long port;
static int instance;

static _Noreturn void refuse(const char *what, const char *problem) {
    fprintf(stderr, "waiters: %s: %s\n", what, problem);
    exit(2);
}

/* --- waiting --- */

static void watch(int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(instance, EPOLL_CTL_ADD, fd, &event) < 0)
        refuse("epoll_ctl", strerror(errno));
}

static int await_by_epoll(int listener) {
    struct epoll_event event;
    return epoll_wait(instance, &event, 1, -1) == 1 ? event.data.fd : listener;
}

/* Where the wait was interrupted accept() finds nothing, or waits itself. */
static int await(int listener) {
    fd_set watched;
    switch (style) {
    case ACCEPT:
        return listener;
    case POLL:
        poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, -1);
        return listener;
    case SELECT:
        FD_ZERO(&watched);
        FD_SET(listener, &watched);
        select(listener + 1, &watched, NULL, NULL, NULL);
        return listener;
    default:
        return await_by_epoll(listener);
    }
}

/* --- a connection --- */

static void take_as_long(const char *request) {
    double ms;
    if (sscanf(request, "GET /busy?ms=%lf", &ms) != 1 || !(ms > 0 && ms <= BUSY_MAX_MS))
        return;
    long ns = (long)(ms * 1e6);
    struct timespec left = {ns / 1000000000, ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        continue;
}

/* Whether a request came and was answered. What comes first is all of it, as it is sent here. */
static bool serve(int connection) {
    char request[REQUEST_MAX], answer[256];
    ssize_t length = recv(connection, request, sizeof request - 1, 0);
    if (length <= 0)
        return false;
    request[length] = '\0';
    take_as_long(request);
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 200 OK\r\nConnection: %s\r\nX-Worker: %d\r\n"
                        "Content-Length: 7\r\n\r\nserved\n",
                        keeps ? "keep-alive" : "close", (int)getpid());
    return send(connection, answer, (size_t)size, MSG_NOSIGNAL) == size;
}

static void take_one(int listener) {
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0)
        return;
    struct timeval patience = {.tv_sec = 5};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (keeps)
        watch(connection, EPOLLIN);
    else {
        serve(connection);
        close(connection);
    }
}

/* --- the processes --- */

static _Noreturn void work(int listener, int ready) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (style >= EPOLL) {
        instance = epoll_create1(EPOLL_CLOEXEC);
        watch(listener, style == EXCLUSIVE ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN);
    }
    close(ready);
    for (;;) {
        int fd = await(listener);
        if (fd == listener)
            take_one(listener);
        else if (!serve(fd))
            close(fd);
    }
}

static int open_listener(void) {
    int type = style == ACCEPT ? SOCK_STREAM : SOCK_STREAM | SOCK_NONBLOCK;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (style == REUSEPORT)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int));
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) < 0 || listen(fd, SOMAXCONN) < 0)
        refuse("-p", strerror(errno));
    return fd;
}

/* The sockets are all opened before the first worker is there, as nginx does it. */
static void start(pid_t *workers) {
    static int listeners[WORKERS_MAX];
    int ready[2];
    char nothing;
    if (pipe(ready) < 0)
        refuse("pipe", strerror(errno));
    for (int i = 0; i < worker_count; i++)
        listeners[i] = i == 0 || style == REUSEPORT ? open_listener() : listeners[0];
    for (int i = 0; i < worker_count; i++) {
        workers[i] = fork();
        if (workers[i] < 0)
            refuse("fork", strerror(errno));
        if (workers[i] == 0)
            work(listeners[i], ready[1]);
    }
    close(ready[1]);
    while (read(ready[0], &nothing, 1) < 0 && errno == EINTR) /* until the last has closed it */
        continue;
}

static long whole(const char *option, const char *words, long most) {
    char *end;
    long value = strtol(words, &end, 10);
    if (end == words || *end || value < 1 || value > most)
        refuse(option, "not a number that can be");
    return value;
}

static void read_arguments(int argc, char **argv) {
    for (int option; (option = getopt(argc, argv, "p:w:k")) != -1;) {
        if (option == 'p')
            port = whole("-p", optarg, UINT16_MAX);
        else if (option == 'w')
            worker_count = whole("-w", optarg, WORKERS_MAX);
        else if (option == 'k')
            keeps = true;
        else
            exit(2);
    }
    for (int i = 0; i < STYLES && optind == argc - 1; i++)
        if (strcmp(argv[optind], style_names[i]) == 0)
            style = (enum style)i;
    if (style == STYLES)
        refuse("STYLE", "not one of accept, poll, select, epoll, exclusive, reuseport");
    if (!port || !worker_count)
        refuse(port ? "-w" : "-p", "is missing");
    if (keeps && style < EPOLL)
        refuse("-k", "goes with epoll, exclusive and reuseport");
}

int main(int argc, char **argv) {
    static pid_t workers[WORKERS_MAX];
    sigset_t end;
    int signal;
    read_arguments(argc, argv);
    start(workers);
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGINT);
    sigprocmask(SIG_BLOCK, &end, NULL);
    printf("all wait\n");
    fflush(stdout);
    sigwait(&end, &signal);
    for (int i = 0; i < worker_count; i++)
        kill(workers[i], SIGKILL);
    while (wait(NULL) > 0)
        continue;
    return 0;
}
