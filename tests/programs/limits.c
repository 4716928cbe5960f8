/*
 * limits: RLIMIT_NOFILE lowered and raised by the server at run time, as memcached and nginx do.
 */
#include "lab.h"

static int fd;

static void set_limit(rlim_t most) {
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = most;
    MUST(setrlimit(RLIMIT_NOFILE, &limit));
}

static void serve_and_say(void) {
    pid_t workers[3];
    for (int i = 0; i < 3; i++)
        workers[i] = start_worker(fd, i);
    for (int i = 0; i < 3; i++)
        until_waiting(workers[i]);
    int count = 0;
    for (int i = 0; i < 40; i++)
        count += ask(port_of(fd)) >= 0;
    say("served %d of 40", count);
    for (int i = 0; i < 3; i++)
        end_worker(workers[i]);
}

/* As many as there are numbers for; how many, and whether none was left out. */
static void fill(int below) {
    int count = 0;
    int highest = -1;
    for (int next; count < below && (next = dup(0)) >= 0; count++)
        highest = next;
    say("%d more descriptors, the highest %d", count, highest);
    for (int i = highest; i > fd && count > 0; i--, count--)
        close(i);
}

static void lowered(char **arguments) {
    (void)arguments;
    fd = listener(AF_INET, SOCK_NONBLOCK);
    set_limit(24);
    serve_and_say();
    fill(15);
    say("beyond the limit: %s", outcome(dup2(0, 30)));
}

/* The server's numbers grow into what the limit was: nothing of ours may be in the way. */
static void raised(char **arguments) {
    (void)arguments;
    set_limit(64);
    fd = listener(AF_INET, SOCK_NONBLOCK);
    set_limit(512);
    fill(300);
    serve_and_say();
    struct rlimit limit = {.rlim_cur = 1024, .rlim_max = 1024};
    MUST(prlimit(0, RLIMIT_NOFILE, &limit, NULL));
    fill(700);
    serve_and_say();
}

/* Before there is any listener. */
static void early(char **arguments) {
    (void)arguments;
    set_limit(100);
    set_limit(200);
    fd = listener(AF_INET, SOCK_NONBLOCK);
    serve_and_say();
}

/* Nothing is left: listen() works all the same, and so does what follows. */
static void used_up(char **arguments) {
    (void)arguments;
    set_limit(64);
    int others = 0;
    fd = bound(AF_INET, 0, SOCK_NONBLOCK);
    while (dup(0) >= 0)
        others++;
    say("%d others, listen: %s", others, outcome(listen(fd, 10)));
    for (int i = 40; i < 64; i++)
        close(i);
    serve_and_say();
}

/* ---- no descriptor left for what comes ---- */

enum { TRIES_MOST = 300 };

/* Takes what comes, until there is nothing; after the first one there is no number left. */
__attribute__((noreturn)) static void work_to_the_limit(_Atomic int *tries) {
    int epfd = watching(fd, EPOLLIN);
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(epfd, &event, 1, -1) < 1)
            continue;
        while (accept(fd, NULL, NULL) >= 0)
            while (dup(0) >= 0)
                ;
        ++*tries;
    }
}

static bool are_taken(void) {
    struct tcp_info info = {.tcpi_unacked = 1};
    for (int i = 0; i < 5000 && info.tcpi_unacked; i++) {
        socklen_t length = sizeof info;
        moment();
        MUST(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
    }
    return !info.tcpi_unacked;
}

/* Nothing is queued and nobody could take it: then nobody is woken, again and again. */
static void exhausted(char **arguments) {
    (void)arguments;
    _Atomic int *tries = shared_memory(sizeof *tries);
    pid_t workers[3];
    set_limit(64);
    fd = listener(AF_INET, SOCK_NONBLOCK);
    for (int i = 0; i < 3; i++) {
        if ((workers[i] = fork_bound()) == 0)
            work_to_the_limit(tries);
        until_waiting(workers[i]);
    }
    for (int i = 0; i < 3; i++)
        MUST(dial(port_of(fd)));
    say("taken: %s", are_taken() ? "all" : "not all");
    for (int i = 0; i < 100; i++) /* until the last of them has come round */
        moment();
    int before = *tries;
    for (int i = 0; i < 200 && *tries < before + TRIES_MOST; i++)
        moment();
    say("accept is tried without end: %s", *tries < before + TRIES_MOST ? "no" : "yes");
    for (int i = 0; i < 3; i++)
        end_worker(workers[i]);
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {{"lowered", lowered},
                                              {"raised", raised},
                                              {"early", early},
                                              {"used-up", used_up},
                                              {"exhausted", exhausted}};
    return RUN_COMMAND(commands, argv);
}
