/*
 * own gone: a server that shards by itself closes some of its sockets. The library keeps those for
 * the neighbours to empty, but only where somebody does, and nobody is told of one that is closed.
 */
#include "own.h"

#include <pthread.h>
#include <stdatomic.h>

enum { VISITS = 40 };

static int start_thread(void *(*run)(void *), void *argument, pthread_t *thread) {
    return pthread_create(thread, NULL, run, argument) ? -1 : 0;
}

/* ---- one of two is closed, and one of them blocks ---- */

enum way { EPOLL, POLL, ACCEPT };

struct server {
    enum way way;
    int fd;
    _Atomic pid_t tid;
    atomic_bool ends;
    pthread_t thread;
};

static int wait_for(const struct server *server, int epfd) {
    struct epoll_event event;
    struct pollfd entry = {.fd = server->fd, .events = POLLIN};
    if (server->way == EPOLL)
        return epoll_wait(epfd, &event, 1, 20);
    return server->way == POLL ? poll(&entry, 1, 20) : 1;
}

static void *serve(void *argument) {
    struct server *server = argument;
    server->tid = (pid_t)syscall(SYS_gettid);
    int epfd = server->way == EPOLL ? watching(server->fd, EPOLLIN) : -1;
    while (!server->ends)
        if (wait_for(server, epfd) == 1 && !server->ends)
            serve_one(server->fd, 1);
    if (epfd >= 0)
        close(epfd);
    return NULL;
}

static void start(struct server *server, enum way way, int flags) {
    *server = (struct server){.way = way, .fd = one_more(flags)};
    MUST(start_thread(serve, server, &server->thread));
}

static void one_closed(const char *what, enum way way, int flags, int closed_flags) {
    struct server stays;
    struct server goes;
    port = 0;
    start(&stays, way, flags);
    start(&goes, EPOLL, closed_flags);
    int before = ask_some(20);
    goes.ends = true;
    pthread_join(goes.thread, NULL);
    close(goes.fd);
    say("%s: %d of 20, then %d of %d", what, before, ask_some(VISITS), VISITS);
    stays.ends = true;
    if (way == ACCEPT) /* it is in accept, of which the end of the process is the end */
        return;
    pthread_join(stays.thread, NULL);
    close(stays.fd);
}

static void blocks(char **arguments) {
    (void)arguments;
    one_closed("both block", EPOLL, 0, 0);
    one_closed("both block, poll", POLL, 0, 0);
    one_closed("the closed one blocks", EPOLL, SOCK_NONBLOCK, 0);
    one_closed("the other blocks", EPOLL, 0, SOCK_NONBLOCK);
    one_closed("neither blocks", EPOLL, SOCK_NONBLOCK, SOCK_NONBLOCK);
    one_closed("neither blocks, poll", POLL, SOCK_NONBLOCK, SOCK_NONBLOCK);
    static struct server last;
    port = 0;
    start(&last, ACCEPT, 0);
    close(one_more(SOCK_NONBLOCK));
    say("accept: %d of %d", ask_some(VISITS), VISITS);
    exit(0);
}

/* ---- one is closed, and then nobody empties it any more ---- */

static void begins_to_block(char **arguments) {
    (void)arguments;
    static struct server stays;
    start(&stays, EPOLL, SOCK_NONBLOCK);
    int gone = one_more(SOCK_NONBLOCK);
    while (!stays.tid)
        moment();
    until_waiting(stays.tid);
    close(gone);
    int before = ask_some(20);
    MUST(fcntl(stays.fd, F_SETFL, 0));
    say("before: %d of 20, blocking: %d of %d", before, ask_some(VISITS), VISITS);
    exit(0);
}

static void stops_to_wait(char **arguments) {
    (void)arguments;
    static struct server stays = {.way = ACCEPT};
    stays.fd = one_more(SOCK_NONBLOCK);
    int gone = one_more(SOCK_NONBLOCK);
    int epfd = watching(stays.fd, EPOLLIN);
    settle(epfd);
    close(gone);
    close(epfd);
    MUST(fcntl(stays.fd, F_SETFL, 0));
    MUST(start_thread(serve, &stays, &stays.thread));
    say("in accept: %d of %d", ask_some(VISITS), VISITS);
    exit(0);
}

/* ---- who is told ---- */

enum { CLOSED = 1000, OPEN };

/* Of so many connections each is served by the socket that is open, and the other never named. */
static void serve_open(int epfd, int fd) {
    int stale = 0;
    int served = 0;
    for (int i = 0; i < VISITS; i++) {
        struct epoll_event event;
        int client = dial(port);
        while (epoll_wait(epfd, &event, 1, 5) == 1 && stale < VISITS)
            if (event.data.u64 == CLOSED)
                stale++;
            else
                served += serve_one(fd, 1);
        close(client);
    }
    say("events of a closed socket: %d, served: %d of %d", stale, served, VISITS);
}

static int watch_pair(int *closed, int *open) {
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    *closed = one_more(SOCK_NONBLOCK);
    *open = one_more(SOCK_NONBLOCK);
    MUST(watch_for(epfd, *closed, EPOLLIN, CLOSED));
    MUST(watch_for(epfd, *open, EPOLLIN, OPEN));
    settle(epfd);
    return epfd;
}

/* The number under which it was registered goes first: what is registered is out of reach then. */
static void copied(char **arguments) {
    (void)arguments;
    int closed;
    int open;
    int epfd = watch_pair(&closed, &open);
    int copy = dup(closed);
    close(closed);
    close(copy);
    serve_open(epfd, open);
}

/* A daemon goes on with the instance of the parent, who has ended; whoever reads what is said waits
 * for it. */
static void daemonized(char **arguments) {
    (void)arguments;
    int closed;
    int open;
    int epfd = watch_pair(&closed, &open);
    fflush(stdout);
    pid_t parent = getpid();
    if (MUST(fork()) > 0)
        _exit(0);
    alarm(30);
    while (getppid() == parent)
        moment();
    close(closed);
    serve_open(epfd, open);
    _exit(0);
}

/* ---- a new socket could take the closed one's place ---- */

static int bound_after_one_closed(void) {
    int open = one_more(SOCK_NONBLOCK);
    int closed = one_more(SOCK_NONBLOCK);
    settle(watching(open, EPOLLIN));
    close(closed);
    return another(SOCK_NONBLOCK);
}

/* Its child has the socket too, and waits for connections there. */
static void shared(char **arguments) {
    (void)arguments;
    int fd = bound_after_one_closed();
    int begin[2];
    MUST(pipe(begin));
    pid_t pid = fork_bound();
    if (pid == 0) {
        char byte;
        close(begin[1]);
        while (read(begin[0], &byte, 1) > 0)
            ;
        say("the child's listens: %d", get_int(fd, SOL_SOCKET, SO_ACCEPTCONN));
        _exit(0);
    }
    MUST(listen(fd, 100));
    close(begin[1]);
    MUST(waitpid(pid, NULL, 0));
}

static volatile sig_atomic_t signals;

static void count_signal(int number) {
    (void)number;
    signals++;
}

/* A signal for each connection was asked for before it listens. */
static void signalled(char **arguments) {
    (void)arguments;
    int fd = bound_after_one_closed();
    signal(SIGIO, count_signal);
    MUST(fcntl(fd, F_SETOWN, getpid()));
    MUST(fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC));
    MUST(listen(fd, 100));
    for (int i = 0; i < VISITS && !signals; i++)
        close(dial(port));
    say("signalled: %s, owner: %s", signals ? "yes" : "no",
        fcntl(fd, F_GETOWN) == getpid() ? "this process" : "another");
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {
        {"blocks", blocks},      {"begins-to-block", begins_to_block},
        {"copied", copied},      {"stops-to-wait", stops_to_wait},
        {"shared", shared},      {"daemonized", daemonized},
        {"signalled", signalled}};
    return RUN_COMMAND(commands, argv);
}
