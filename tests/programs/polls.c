/*
 * polls: what a server sees of poll and select on a set with a listener in it: results, errors,
 * limits, signals. A second process waits for the same listener, so that the library takes part.
 */
#include "signals.h"

#include <sys/select.h>

static int fd;
static uint16_t port;

/* The other one has polled once, and then does nothing. */
static void begin(void) {
    fd = listener(AF_INET, SOCK_NONBLOCK);
    port = port_of(fd);
    pid_t other = fork_bound();
    if (other == 0) {
        struct pollfd list = {.fd = fd, .events = POLLIN};
        poll(&list, 1, 0);
        _exit(0);
    }
    MUST(waitpid(other, NULL, 0));
    struct pollfd list = {.fd = fd, .events = POLLIN};
    MUST(poll(&list, 1, 0));
    MUST(poll(&list, 1, 0));
}

static void say_list(const char *what, int count, const struct pollfd *list, int length) {
    printf("%s: %s %d:", what, count < 0 ? strerrorname_np(errno) : "ok", count);
    for (int i = 0; i < length; i++)
        printf(" %x", (unsigned)(unsigned short)list[i].revents);
    say("%s", "");
}

/* ---- poll ---- */

static void revents(char **arguments) {
    (void)arguments;
    int ends[2];
    begin();
    MUST(pipe(ends));
    int file = MUST(open("/proc/self/exe", O_RDONLY));
    struct pollfd list[] = {{fd, POLLIN, -1},
                            {ends[0], POLLIN, -1},
                            {-7, POLLIN, -1},
                            {fd, POLLRDNORM, -1},
                            {fd, 0, -1},
                            {ends[1], 0, -1},
                            {fd, POLLIN | POLLPRI | POLLOUT | POLLRDHUP, -1}};
    int length = (int)(sizeof list / sizeof list[0]);
    say_list("nothing", poll(list, (nfds_t)length, 0), list, length);
    say_list("nothing for 20 ms", poll(list, (nfds_t)length, 20), list, length);
    int client = MUST(dial(port));
    say_list("a connection", poll(list, (nfds_t)length, 5000), list, length);
    say_list("still there", poll(list, (nfds_t)length, 0), list, length);
    MUST(write(ends[1], "x", 1));
    say_list("both", poll(list, (nfds_t)length, 5000), list, length);
    serve_one(fd, 1);
    say_list("the pipe", poll(list, (nfds_t)length, -1), list, length);
    struct pollfd ready[] = {{fd, POLLIN, 0}, {file, POLLIN, 0}};
    say_list("a file", poll(ready, 2, -1), ready, 2);
    ready[1].fd = 900;
    say_list("not open", poll(ready, 2, -1), ready, 2);
    close(client);
    MUST(shutdown(fd, SHUT_RD));
    list[1].fd = -1;
    say_list("shut down", poll(list, (nfds_t)length, 1000), list, length);
}

/* More descriptors than are watched one by one. */
static void many(char **arguments) {
    (void)arguments;
    struct pollfd list[120];
    begin();
    for (int i = 0; i < 119; i++) {
        int ends[2];
        MUST(pipe(ends));
        list[i] = (struct pollfd){ends[i % 2], POLLIN, 0};
    }
    list[119] = (struct pollfd){fd, POLLIN, 0};
    say("nothing: %d", poll(list, 120, 30));
    int client = MUST(dial(port));
    say("a connection: %d %x", poll(list, 120, 5000), (unsigned)list[119].revents);
    serve_one(fd, 1);
    say("taken: %d %x", poll(list, 120, 0), (unsigned)list[119].revents);
    close(client);
}

/* Numbers are opened, closed and opened as something else between two calls. */
static void changing(char **arguments) {
    (void)arguments;
    int found = 0;
    begin();
    for (int round = 0; round < 200; round++) {
        int ends[2];
        if (round % 2)
            MUST(pipe(ends));
        else
            MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
        struct pollfd list[] = {{ends[0], POLLIN, 0}, {fd, POLLIN, 0}};
        found += poll(list, 2, round % 3);
        MUST(write(ends[1], "x", 1));
        found += poll(list, 2, 5000) == 1 && list[0].revents == POLLIN;
        close(ends[0]);
        close(ends[1]);
    }
    say("found %d", found);
}

/* ---- select ---- */

static void say_set(const char *what, int count, const fd_set *set) {
    say("%s: %s %d: %d", what, count < 0 ? strerrorname_np(errno) : "ok", count,
        set && FD_ISSET(fd, set));
}

static void sets(char **arguments) {
    (void)arguments;
    int ends[2];
    fd_set in, out;
    begin();
    MUST(pipe(ends));
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(fd, &in);
    FD_SET(ends[0], &in);
    FD_SET(ends[1], &out);
    int end = ends[1] + 1;
    fd_set wanted = in;
    struct timeval limit = {.tv_usec = 1000};
    say_set("a pipe that is writable", select(end, &in, &out, NULL, &limit), &in);
    say("writable: %d", FD_ISSET(ends[1], &out));
    in = wanted;
    say_set("nothing", select(end, &in, NULL, NULL, &limit), &in);
    say("left: %ld.%06ld", (long)limit.tv_sec, (long)limit.tv_usec);
    int client = MUST(dial(port));
    in = wanted;
    limit = (struct timeval){.tv_sec = 50};
    say_set("a connection", select(end, &in, NULL, NULL, &limit), &in);
    say("left: %s", limit.tv_sec >= 40 && limit.tv_sec < 50 ? "most of it" : "something else");
    in = wanted;
    say_set("still there", pselect(end, &in, NULL, NULL, NULL, NULL), &in);
    serve_one(fd, 1);
    close(client);
    in = wanted;
    close(ends[0]);
    say_set("not open", select(end, &in, NULL, NULL, NULL), &in);
    limit.tv_usec = -1;
    say_set("a wrong time", select(end, &in, NULL, NULL, &limit), &in);
}

/* A limit that is written in microseconds alone, however many; another worker has a queue, and is
 * stuck. */
static void only_microseconds(char **arguments) {
    (void)arguments;
    int found = 0;
    int ends[2];
    char byte;
    begin();
    MUST(pipe(ends));
    pid_t other = fork_bound();
    if (other == 0) {
        struct pollfd list = {.fd = fd, .events = POLLIN};
        poll(&list, 1, 0);
        MUST(write(ends[1], "x", 1));
        for (;;)
            pause();
    }
    MUST(read(ends[0], &byte, 1));
    for (int i = 0; i < 20; i++) {
        fd_set in;
        FD_ZERO(&in);
        FD_SET(fd, &in);
        struct timeval limit = {.tv_usec = 1200000};
        int client = MUST(dial(port));
        found += select(fd + 1, &in, NULL, NULL, &limit) == 1 && serve_one(fd, 1);
        close(client);
    }
    say("found %d of 20", found);
    end_worker(other);
}

/* A listener whose number does not fit an fd_set, but the set of somebody who made a longer one. */
static void high(char **arguments) {
    (void)arguments;
    struct rlimit limit = {4096, 4096};
    MUST(setrlimit(RLIMIT_NOFILE, &limit));
    begin();
    unsigned long words[4096 / (8 * sizeof(long))];
    unsigned width = 8 * sizeof(long);
    int copy = MUST(fcntl(fd, F_DUPFD, 1500));
    int client = MUST(dial(port));
    memset(words, 0, sizeof words);
    words[(unsigned)copy / width] |= 1UL << ((unsigned)copy % width);
    int count = select(copy + 1, (fd_set *)(void *)words, NULL, NULL, NULL);
    say("found: %d, %d", count,
        (int)(words[(unsigned)copy / width] >> ((unsigned)copy % width) & 1));
    close(client);
}

/* ---- limits and signals ---- */

static int wait_for(int how, int milliseconds, const sigset_t *mask) {
    struct pollfd list = {.fd = fd, .events = POLLIN};
    fd_set in;
    FD_ZERO(&in);
    FD_SET(fd, &in);
    struct timeval limit = {milliseconds / 1000, milliseconds % 1000 * 1000L};
    struct timespec time = {limit.tv_sec, limit.tv_usec * 1000};
    bool is_limited = milliseconds >= 0;
    switch (how) {
    case 0:
        return poll(&list, 1, milliseconds);
    case 1:
        return ppoll(&list, 1, is_limited ? &time : NULL, mask);
    case 2:
        return select(fd + 1, &in, NULL, NULL, is_limited ? &limit : NULL);
    default:
        return pselect(fd + 1, &in, NULL, NULL, is_limited ? &time : NULL, mask);
    }
}

static void limits(char **arguments) {
    (void)arguments;
    sigset_t all, none;
    begin();
    sigfillset(&all);
    sigemptyset(&none);
    for (int how = 0; how < 4; how++) {
        long long start = microseconds();
        int count = wait_for(how, 50, NULL);
        say("50 ms: %d, %s", count, microseconds() - start >= 50000 ? "not early" : "early");
        handle(SA_RESTART);
        pid_t child = pester();
        say("interrupted: %s", outcome(wait_for(how, -1, NULL)));
        if (how % 2)
            say("kept out: %s", outcome(wait_for(how, 30, &all)));
        end_worker(child);
        if (how % 2 == 0)
            continue;
        sigprocmask(SIG_BLOCK, &all, NULL);
        raise(SIGUSR1);
        say("let in: %s", outcome(wait_for(how, 5000, &none)));
        raise(SIGUSR1);
        say("let in by a look: %s", outcome(wait_for(how, 0, &none)));
        sigprocmask(SIG_SETMASK, &none, NULL);
    }
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {
        {"revents", revents},
        {"many", many},
        {"changing", changing},
        {"sets", sets},
        {"high", high},
        {"limits", limits},
        {"only-microseconds", only_microseconds},
    };
    return RUN_COMMAND(commands, argv);
}
