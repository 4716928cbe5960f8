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

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {
        {"lowered", lowered}, {"raised", raised}, {"early", early}, {"used-up", used_up}};
    return RUN_COMMAND(commands, argv);
}
