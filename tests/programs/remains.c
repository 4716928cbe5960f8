/*
 * remains: what is registered in an epoll instance when something else there is gone: the other of
 * a listener's two numbers, or a registration that the server deleted before it made a process.
 */
#include "lab.h"

static int fd;
static uint16_t port;

static void begin(void) {
    fd = listener(AF_INET, SOCK_NONBLOCK);
    port = port_of(fd);
}

/* So many clients come; how many connections the instance brings until it has no more. */
static void visits(int epfd, int count, const char *when) {
    int clients[40];
    int served = 0;
    struct epoll_event event;
    for (int i = 0; i < count; i++)
        clients[i] = MUST(dial(port));
    while (epoll_wait(epfd, &event, 1, 100) > 0)
        served += serve_one(fd, 0);
    say("%s: %d of %d", when, served, count);
    for (int i = 0; i < count; i++)
        close(clients[i]);
}

/* Two numbers of one listener in one instance; one of them is disarmed, deleted, added again. */
static void numbers(char **arguments) {
    (void)arguments;
    begin();
    struct epoll_event once = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};
    int copy = MUST(dup(fd));
    int epfd = watching(fd, EPOLLIN);
    MUST(watch_for(epfd, copy, EPOLLIN, (uint64_t)copy));
    visits(epfd, 10, "both");
    MUST(epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &once));
    visits(epfd, 40, "one of them once");
    MUST(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL));
    visits(epfd, 40, "the other");
    MUST(watch_for(epfd, fd, EPOLLIN, (uint64_t)fd));
    MUST(epoll_ctl(epfd, EPOLL_CTL_DEL, copy, NULL));
    visits(epfd, 40, "the first");
}

/* ---- deleted, and then made another process or image ---- */

/* In an instance where the listener was deleted: nothing is told of it, and it can be added. */
static void look_at(int epfd) {
    struct epoll_event event = {0};
    int client = MUST(dial(port));
    int count = epoll_wait(epfd, &event, 1, 50);
    say("told: %d", count);
    say("ADD: %s", outcome(watch_for(epfd, fd, EPOLLIN, 7)));
    count = epoll_wait(epfd, &event, 1, 5000);
    say("told: %d, data %d", count, (int)event.data.u64);
    close(client);
}

static int with_deleted(void) {
    struct epoll_event event;
    int epfd = MUST(epoll_create1(0));
    MUST(watch_for(epfd, fd, EPOLLIN, 1));
    MUST(epoll_wait(epfd, &event, 1, 0));
    MUST(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL));
    return epfd;
}

static void by_fork(char **arguments) {
    (void)arguments;
    begin();
    int epfd = with_deleted();
    pid_t pid = fork_bound();
    if (pid == 0) {
        look_at(epfd);
        _exit(0);
    }
    MUST(waitpid(pid, NULL, 0));
}

static void by_exec(char **arguments) {
    char numbers[2][16];
    if (arguments[0]) {
        fd = atoi(arguments[1]);
        port = port_of(fd);
        look_at(atoi(arguments[0]));
        return;
    }
    begin();
    snprintf(numbers[0], sizeof numbers[0], "%d", with_deleted());
    snprintf(numbers[1], sizeof numbers[1], "%d", fd);
    fflush(stdout);
    execl("/proc/self/exe", "remains", "after-exec", numbers[0], numbers[1], (char *)NULL);
    give_up("exec");
}

int main(int argc, char **argv) {
    static const struct command commands[] = {
        {"numbers", numbers}, {"fork", by_fork}, {"exec", by_exec}};
    if (argc == 4 && !strcmp(argv[1], "after-exec")) {
        by_exec(argv + 2);
        return 0;
    }
    return RUN_COMMAND(commands, argv);
}
