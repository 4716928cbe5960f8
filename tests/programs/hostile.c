/*
 * hostile: what surrounds the server is not as it should be: pointers that point nowhere, a stderr
 * that nobody reads, a worker that was broken into, another network namespace.
 */
#include "lab.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

enum { WORKERS = 3, VISITS = 20, WORKERS_MOST = 8 };

static int fd;
static uint16_t port;
static pid_t workers[WORKERS_MOST];
static int worker_count;

static void add_worker(void) {
    workers[worker_count] = start_worker(fd, worker_count);
    until_waiting(workers[worker_count++]);
}

static void start_workers(void) {
    port = port_of(fd);
    while (worker_count < WORKERS)
        add_worker();
}

static void end_workers(void) {
    while (worker_count > 0)
        end_worker(workers[--worker_count]);
}

static int served(void) {
    int count = 0;
    for (int i = 0; i < VISITS; i++)
        count += ask(port) >= 0;
    return count;
}

/* ---- pointers ---- */

static void pointers(char **arguments) {
    (void)arguments;
    void *volatile nowhere = (void *)1; /* the compiler must not know */
    int value = 0;
    socklen_t length = sizeof value;
    fd = listener(AF_INET, SOCK_NONBLOCK);
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    say("ADD: %s", outcome(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, nowhere)));
    MUST(watch_for(epfd, fd, EPOLLIN, 7));
    say("MOD: %s", outcome(epoll_ctl(epfd, EPOLL_CTL_MOD, fd, nowhere)));
    int client = MUST(dial(port_of(fd)));
    say("wait: %s", outcome(epoll_wait(epfd, nowhere, 1, 0)));
    say("set: %s", outcome(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, nowhere, 4)));
    say("set: %s", outcome(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, nowhere, 4)));
    say("get: %s", outcome(getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, nowhere, &length)));
    say("get: %s", outcome(getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, nowhere)));
    say("get: %s", outcome(getsockopt(fd, IPPROTO_TCP, TCP_INFO, nowhere, &length)));
    say("DEL: %s", outcome(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, nowhere)));
    close(client);
    close(epfd);
    close(accept(fd, NULL, NULL));
    start_workers();
    say("served %d of %d", served(), VISITS);
    end_workers();
}

/* Numbers that a call before has answered with: nothing may be looked up by them. */
static void negative(char **arguments) {
    (void)arguments;
    static const int numbers[] = {-1, -100, INT32_MIN};
    struct epoll_event event = {.events = EPOLLIN};
    int epfd = watching(listener(AF_INET, SOCK_NONBLOCK), EPOLLIN);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        int none = numbers[i];
        say("listen: %s", outcome(listen(none, 5)));
        say("accept: %s", outcome(accept(none, NULL, NULL)));
        say("set: %s", outcome(set_int(none, SOL_SOCKET, SO_REUSEPORT, 1)));
        say("ADD: %s", outcome(epoll_ctl(epfd, EPOLL_CTL_ADD, none, &event)));
        say("DEL: %s", outcome(epoll_ctl(none, EPOLL_CTL_DEL, epfd, &event)));
        say("wait: %s", outcome(epoll_wait(none, &event, 1, 0)));
        say("copy: %s", outcome(dup2(epfd, none)));
        say("close: %s", outcome(close(none)));
    }
}

/* ---- stderr is a pipe ---- */

/* A signal that the server has blocked must not wait for it, either, when it is not its own. */
static void serve_and_say(char **arguments) {
    (void)arguments;
    sigset_t pipe_signal;
    sigset_t pending;
    signal(SIGPIPE, SIG_DFL);
    fd = listener(AF_INET, SOCK_NONBLOCK);
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    MUST(sigprocmask(SIG_BLOCK, &pipe_signal, NULL));
    close(listener(AF_INET, SOCK_NONBLOCK));
    MUST(sigpending(&pending));
    say("SIGPIPE is pending: %s", sigismember(&pending, SIGPIPE) ? "yes" : "no");
    MUST(sigprocmask(SIG_UNBLOCK, &pipe_signal, NULL));
    start_workers();
    say("served %d of %d", served(), VISITS);
    end_workers();
}

static void fill(int pipe_end) {
    char byte = 0;
    MUST(fcntl(pipe_end, F_SETPIPE_SZ, 4096));
    MUST(fcntl(pipe_end, F_SETFL, O_WRONLY | O_NONBLOCK));
    while (write(pipe_end, &byte, 1) == 1)
        continue;
    MUST(fcntl(pipe_end, F_SETFL, O_WRONLY));
}

/* Its reader is gone, or is there (as stdin) and does not read. What stderr is, is found by exec.
 */
static void stderr_is(char **arguments) {
    int ends[2];
    MUST(pipe(ends));
    bool is_full = !strcmp(arguments[0], "full");
    if (is_full)
        fill(ends[1]);
    MUST(dup2(is_full ? ends[0] : open("/dev/null", O_RDONLY), STDIN_FILENO));
    MUST(dup2(ends[1], STDERR_FILENO));
    close(ends[0]);
    close(ends[1]);
    execl("/proc/self/exe", "hostile", "serve", (char *)NULL);
    give_up("exec");
}

/* ---- a worker that was broken into ---- */

struct area {
    char *from;
    size_t size;
};

/* What this process shares with the other workers, and is not ours: none without the library. */
static struct area shared_area(void) {
    char line[512];
    unsigned long from = 0;
    unsigned long to = 0;
    FILE *file = fopen("/proc/self/maps", "re");
    while (file && fgets(line, sizeof line, file) && !to)
        if (strstr(line, "/memfd:unherd") && sscanf(line, "%lx-%lx", &from, &to) != 2)
            give_up("maps");
    if (file)
        fclose(file);
    return (struct area){(char *)from, to - from};
}

/* "states": in the first word of each shard stands that it listens. "noise": everywhere anything.
 */
static void scribble(const char *what, struct area area) {
    uint32_t *words = (uint32_t *)(void *)area.from;
    for (size_t i = 16; i < area.size / sizeof *words; i++) /* what it is and its size stay */
        if (strcmp(what, "states") != 0)
            words[i] = (uint32_t)random();
        else if (i >= 32 && i % 32 == 0)
            words[i] = 1;
}

static pid_t start_scribbler(const char *what) {
    pid_t pid = fork_bound();
    if (pid)
        return pid;
    struct area area = shared_area();
    for (int i = 0; area.size && i < 20; i++) {
        scribble(what, area);
        moment();
    }
    _exit(0);
}

/* A worker that runs in circles is never found asleep; looked for at more than one moment. */
static int at_rest(void) {
    int count = 0;
    for (int i = 0; i < worker_count; i++) {
        int found = 0;
        for (int look = 0; look < 20; look++, moment())
            found += is_waiting(workers[i]);
        count += found >= 5;
    }
    return count;
}

static void scribbled(char **arguments) {
    fd = listener(AF_INET, SOCK_NONBLOCK);
    for (int round = 0; round < atoi(arguments[1]); round++) {
        srandom((unsigned)round);
        start_workers();
        pid_t scribbler = start_scribbler(arguments[0]);
        say("served meanwhile: %d of %d", served(), VISITS);
        MUST(waitpid(scribbler, NULL, 0));
        add_worker();
        say("served afterwards: %d of %d", served(), VISITS);
        end_worker(workers[0]);
        workers[0] = workers[--worker_count];
        add_worker();
        say("served with new workers: %d of %d", served(), VISITS);
        say("at rest: %d of %d", at_rest(), worker_count);
        end_workers();
    }
}

/* ---- another network namespace ---- */

static void raise_loopback(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int any = MUST(socket(AF_INET, SOCK_DGRAM, 0));
    MUST(ioctl(any, SIOCSIFFLAGS, &request));
    close(any);
}

/* As haproxy's `namespace`: the socket is made over there, bound and listened on over here. */
static void elsewhere(char **arguments) {
    (void)arguments;
    int home = MUST(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    MUST(unshare(CLONE_NEWNET));
    int there = MUST(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    raise_loopback();
    fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    MUST(setns(home, CLONE_NEWNET));
    int here = bound(AF_INET, 0, 0); /* a port that is in nobody's way here, and stays free */
    port = port_of(here);
    close(here);
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, AF_INET, port);
    MUST(bind(fd, (struct sockaddr *)&address, length));
    MUST(listen(fd, 64));
    start_workers();
    say("served here: %d of %d", served(), VISITS);
    say("the address is free here: %s", outcome(listen(bound(AF_INET, port, 0), 5)));
    MUST(setns(there, CLONE_NEWNET));
    say("served there: %d of %d", served(), VISITS);
    end_workers();
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {{"pointers", pointers},   {"negative", negative},
                                              {"stderr", stderr_is},    {"serve", serve_and_say},
                                              {"scribbled", scribbled}, {"elsewhere", elsewhere}};
    return RUN_COMMAND(commands, argv);
}
