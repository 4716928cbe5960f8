/*
 * astray: servers that leave the beaten track: they give epoll up, close by number, have listeners
 * and epoll instances by the hundred.
 */
#include "lab.h"

enum { VISITS = 40, INSTANCES = 4, CROWD = 600, HEADMOST = 512, MANY = 700 };

static int fd;
static uint16_t port;
static int instances[CROWD];

/* So many instances that have all waited once, as a worker does. */
static void begin(int count) {
    fd = listener(AF_INET, SOCK_NONBLOCK);
    port = port_of(fd);
    for (int i = 0; i < count; i++) {
        struct epoll_event event;
        instances[i] = watching(fd, EPOLLIN);
        MUST(epoll_wait(instances[i], &event, 1, 0));
    }
}

static void make_room(rlim_t descriptors) {
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_cur < descriptors)
        limit.rlim_cur = descriptors;
    MUST(setrlimit(RLIMIT_NOFILE, &limit));
}

/* ---- connections, and who accepts them ---- */

/* Accepts by trying, in bounded time, until all who called have been answered. */
static int served_by_trying(void) {
    int clients[VISITS];
    int served = 0;
    for (int i = 0; i < VISITS; i++)
        clients[i] = dial(port);
    for (int tries = 0; served < VISITS && tries < 2000; tries++)
        if (serve_one(fd, 1))
            served++;
        else
            moment();
    for (int i = 0; i < VISITS; i++)
        close(clients[i]);
    return served;
}

/* The instances wait in turn, those from the first to the last. */
static int served_by_waiting(int first, int last) {
    int clients[VISITS];
    int served = 0;
    for (int i = 0; i < VISITS; i++)
        clients[i] = dial(port);
    for (int tries = 0; served < VISITS && tries < 500; tries++) {
        for (int i = first; i <= last; i++) {
            struct epoll_event event;
            if (epoll_wait(instances[i], &event, 1, 0) == 1)
                served += serve_one(fd, 1);
        }
        moment();
    }
    for (int i = 0; i < VISITS; i++)
        close(clients[i]);
    return served;
}

/* ---- the server goes on without epoll ---- */

static void close_instance(int epfd) {
    close(epfd);
}

static void deregister(int epfd) {
    struct epoll_event event;
    MUST(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL));
    epoll_wait(epfd, &event, 1, 0); /* it waits for something else */
}

static void keep(int epfd) {
    (void)epfd;
}

static void gives_up(char **arguments) {
    void (*end)(int epfd) = keep;
    if (!strcmp(arguments[0], "close"))
        end = close_instance;
    if (!strcmp(arguments[0], "delete"))
        end = deregister;
    begin(INSTANCES);
    for (int i = 0; i < INSTANCES; i++)
        end(instances[i]);
    say("accepted without epoll: %d of %d", served_by_trying(), VISITS);
}

/* The workers leave in good order or die, and the master, who never used epoll, does their work. */
static void alone(char **arguments) {
    (void)arguments;
    begin(0);
    for (int i = 0; i < INSTANCES; i++) {
        pid_t pid = start_worker(fd, i);
        until_waiting(pid);
        instances[i] = pid;
    }
    for (int i = 0; i < INSTANCES; i++)
        end_worker(instances[i]);
    say("accepted by the master: %d of %d", served_by_trying(), VISITS);
}

/* ---- the listener is closed by a direct system call, as libuv does ---- */

static int connected(void) {
    int count = 0;
    for (int i = 0; i < VISITS; i++) {
        int client = dial(port);
        count += client >= 0;
        close(client);
    }
    return count;
}

static void by_number(char **arguments) {
    (void)arguments;
    begin(INSTANCES);
    int copy = MUST(dup(fd));
    say("close: %s", outcome((int)syscall(SYS_close, fd)));
    fd = copy;
    say("a copy is left, served: %d of %d", served_by_waiting(0, INSTANCES - 1), VISITS);
    say("close: %s", outcome((int)syscall(SYS_close, fd)));
    say("close again: %s", outcome((int)syscall(SYS_close, fd)));
    for (int i = 0; i < 2; i++)
        MUST(open("/dev/null", O_RDONLY)); /* the numbers are others' now */
    say("nobody listens, connected: %d of %d", connected(), VISITS);
    int again = bound(AF_INET, port, 0);
    say("the same address again: %s", outcome(listen(again, 5)));
}

/* What newer libuv does before it listens; the size is of the kernel's struct io_uring_params. */
static void ring(char **arguments) {
    (void)arguments;
    char parameters[120] = {0};
    say("io_uring_setup: %s", outcome((int)syscall(SYS_io_uring_setup, 8, parameters)));
}

/* ---- by the hundred ---- */

/* Only those that came last go on waiting, each in its turn. */
static void crowd(char **arguments) {
    (void)arguments;
    make_room(CROWD + 200);
    begin(CROWD);
    int served = served_by_waiting(HEADMOST, CROWD - 1);
    say("served by the last of %d instances: %d of %d", CROWD, served, VISITS);
}

/* What came instead of the listener's own visitor; after it nothing is in its place any more. */
static bool is_out_of_place(int number, int count, const struct epoll_event *event) {
    if (count == 1 && event->data.u64 == (uint64_t)number)
        return false;
    if (count == 1)
        say("at listener %d: an event of listener %d", number, (int)event->data.u64);
    else
        say("at listener %d: %s", number, count < 0 ? strerror(errno) : "nothing");
    return true;
}

/* So many addresses that somebody's late visit to one that is gone might well meet one of them. */
static void listeners(char **arguments) {
    (void)arguments;
    static int fds[MANY];
    move_apart();
    make_room(MANY + 300);
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    int served = 0;
    for (int i = 0; i < MANY; i++) {
        fds[i] = listener(AF_INET, SOCK_NONBLOCK);
        MUST(watch_for(epfd, fds[i], EPOLLIN, (uint64_t)i));
    }
    for (int i = 0; i < MANY; i++) {
        struct epoll_event event;
        int client = MUST(dial(port_of(fds[i])));
        if (is_out_of_place(i, epoll_wait(epfd, &event, 1, 5000), &event))
            break;
        served += serve_one(fds[i], 1) && answer(client) == 1;
    }
    say("served by %d of %d listeners", served, MANY);
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {{"gives-up", gives_up},   {"alone", alone},
                                              {"by-number", by_number}, {"ring", ring},
                                              {"crowd", crowd},         {"listeners", listeners}};
    return RUN_COMMAND(commands, argv);
}
