/*
 * waits: how long a wait lasts, and what interrupts it. No time is measured but that of a wait
 * which must not end early.
 */
#include "signals.h"

static int fd;
static uint16_t port;
static int epfd;

/* A server that has waited once: what follows is its steady state. */
static void begin(void) {
    struct epoll_event event;
    fd = listener(AF_INET, SOCK_NONBLOCK);
    port = port_of(fd);
    epfd = watching(fd, EPOLLIN);
    MUST(epoll_wait(epfd, &event, 1, 0));
}

enum how { WAIT, PWAIT, PWAIT2 };

static int wait_for(enum how how, long nanoseconds, const sigset_t *mask) {
    struct epoll_event events[4];
    struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    int milliseconds = nanoseconds < 0 ? -1 : (int)(nanoseconds / 1000000);
    if (how == WAIT)
        return epoll_wait(epfd, events, 4, milliseconds);
    if (how == PWAIT)
        return epoll_pwait(epfd, events, 4, milliseconds, mask);
    return epoll_pwait2(epfd, events, 4, nanoseconds < 0 ? NULL : &time, mask);
}

/* ---- timeouts ---- */

static void timeouts(char **arguments) {
    (void)arguments;
    begin();
    for (enum how how = WAIT; how <= PWAIT2; how++) {
        say("at once: %d", wait_for(how, 0, NULL));
        long long start = microseconds();
        int count = wait_for(how, 50000000, NULL);
        say("50 ms: %d, %s", count, microseconds() - start >= 50000 ? "not early" : "early");
        int client = MUST(dial(port));
        say("with a connection: %d, %d", wait_for(how, 5000000000, NULL), wait_for(how, 0, NULL));
        serve_one(fd, 1);
        close(client);
    }
    long long start = microseconds();
    int none = wait_for(PWAIT2, 1500000, NULL);
    say("1.5 ms: %d, %s", none, microseconds() - start >= 1500 ? "not early" : "early");
    say("a nanosecond: %d", wait_for(PWAIT2, 1, NULL));
}

/* One that is told of connections which others take, or of none: it tries, and waits on. */
static void wait_beside_others(void) {
    struct epoll_event event = {0};
    int own = watching(fd, EPOLLIN);
    long long end = microseconds() + 400000;
    int strange = 0;
    for (long long left = 400000; left > 0; left = end - microseconds()) {
        int count = epoll_wait(own, &event, 1, (int)(left / 1000) + 1);
        if (count == 0 && microseconds() < end)
            strange++;
        if (count == 1)
            strange += event.events != EPOLLIN || event.data.u64 != (uint64_t)fd ||
                       accept(fd, NULL, NULL) != -1 || errno != EAGAIN;
    }
    say("strange: %d", strange);
}

/* Others come and go meanwhile. */
static void undisturbed(char **arguments) {
    (void)arguments;
    begin();
    pid_t waiter = fork_bound();
    if (waiter == 0) {
        wait_beside_others();
        _exit(0);
    }
    for (int i = 0; i < 12; i++) {
        pid_t other = start_worker(fd, i);
        until_waiting(other);
        end_worker(other);
    }
    MUST(waitpid(waiter, NULL, 0));
}

static void errors(char **arguments) {
    (void)arguments;
    begin();
    struct epoll_event events[4];
    say("no room: %s", outcome(epoll_wait(epfd, events, 0, 0)));
    volatile int less_than_none = -1; /* the compiler would know better */
    say("less than none: %s", outcome(epoll_wait(epfd, events, less_than_none, 0)));
    struct timespec wrong = {0, 2000000000};
    say("a wrong time: %s", outcome(epoll_pwait2(epfd, events, 4, &wrong, NULL)));
    int client = MUST(dial(port));
    struct epoll_event *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say("nowhere to put it: %s", outcome(epoll_wait(epfd, nowhere, 1, 1000)));
    say("not an instance: %s", outcome(epoll_wait(fd, events, 4, 0)));
    say("not open: %s", outcome(epoll_wait(999, events, 4, 0)));
    say("not open, ADD: %s", outcome(watch_for(999, fd, EPOLLIN, 1)));
    say("not an instance, ADD: %s", outcome(watch_for(client, fd, EPOLLIN, 1)));
    say("itself, ADD: %s", outcome(watch_for(epfd, epfd, EPOLLIN, 1)));
}

/* ---- maxevents ---- */

static void one_at_a_time(char **arguments) {
    (void)arguments;
    int fds[3];
    int found[3] = {0};
    epfd = MUST(epoll_create1(0));
    for (int i = 0; i < 3; i++) {
        fds[i] = listener(AF_INET, SOCK_NONBLOCK);
        MUST(watch_for(epfd, fds[i], EPOLLIN, (uint64_t)i));
    }
    struct epoll_event event;
    say("nothing yet: %d", epoll_wait(epfd, &event, 1, 20));
    for (int i = 0; i < 30; i++) {
        int client = MUST(dial(port_of(fds[i % 3])));
        if (epoll_wait(epfd, &event, 1, 5000) == 1 && event.events == EPOLLIN)
            found[event.data.u64] += serve_one(fds[event.data.u64], 1);
        close(client);
    }
    say("found %d %d %d", found[0], found[1], found[2]);
}

/* ---- signals ---- */

static void interrupted(char **arguments) {
    (void)arguments;
    begin();
    for (int restart = 0; restart < 2; restart++) {
        handle(restart ? SA_RESTART : 0);
        pid_t child = pester();
        for (enum how how = WAIT; how <= PWAIT2; how++) {
            say("for ever: %s", outcome(wait_for(how, -1, NULL)));
            say("for a while: %s", outcome(wait_for(how, 20000000000, NULL)));
        }
        end_worker(child);
    }
}

/* The mask of epoll_pwait holds during the wait, and only then. */
static void masked(char **arguments) {
    (void)arguments;
    begin();
    handle(0);
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    for (enum how how = PWAIT; how <= PWAIT2; how++) {
        sigprocmask(SIG_BLOCK, &all, NULL);
        raise(SIGUSR1);
        say("let in by the mask: %s", outcome(wait_for(how, 5000000000, &none)));
        sigprocmask(SIG_SETMASK, &none, NULL);
        pid_t child = pester();
        say("kept out by the mask: %s", outcome(wait_for(how, 50000000, &all)));
        end_worker(child);
    }
    say("handled: %s", signals > 0 ? "yes" : "no");
}

/* ---- a listener that blocks ---- */

static void blocking(char **arguments) {
    (void)arguments;
    begin();
    MUST(fcntl(fd, F_SETFL, 0));
    struct timeval most = {.tv_usec = 30000};
    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most));
    long long start = microseconds();
    int result = accept(fd, NULL, NULL);
    say("accept: %s, %s", outcome(result), microseconds() - start >= 30000 ? "not early" : "early");
    most.tv_usec = 300;
    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most));
    say("a short one: %s", outcome(accept(fd, NULL, NULL)));
    most.tv_usec = 0;
    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most));
    handle(0);
    pid_t child = pester();
    say("interrupted: %s", outcome(accept(fd, NULL, NULL)));
    handle(SA_RESTART);
    pid_t client = fork_bound();
    if (client == 0) {
        for (int i = 0; i < 50; i++)
            moment();
        _exit(ask(port) == 1 ? 0 : 1);
    }
    say("restarted: %s", serve_one(fd, 1) ? "ok" : strerrorname_np(errno));
    end_worker(child);
    int status = 0;
    MUST(waitpid(client, &status, 0));
    say("answered: %s", status == 0 ? "yes" : "no");
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {
        {"timeouts", timeouts},           {"undisturbed", undisturbed}, {"errors", errors},
        {"one-at-a-time", one_at_a_time}, {"interrupted", interrupted}, {"masked", masked},
        {"blocking", blocking},
    };
    return RUN_COMMAND(commands, argv);
}
