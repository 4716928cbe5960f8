/* shared instance: a child goes on with its parent's epoll instance, whatever the parent closes. */
#include "lab.h"

enum { VISITS = 5 };

static int fd;
static int epfd;

static pid_t start_child(bool has_waited) {
    struct epoll_event event;
    fd = listener(AF_INET, SOCK_NONBLOCK);
    epfd = watching(fd, EPOLLIN);
    if (has_waited)
        epoll_wait(epfd, &event, 1, 0);
    pid_t pid = fork_bound();
    while (pid == 0)
        if (epoll_wait(epfd, &event, 1, -1) == 1)
            serve_one(fd, 1);
    until_waiting(pid);
    return pid;
}

/* Bounded, since whoever is not told does not answer. */
static int ask_child(uint16_t port) {
    int answered = 0;
    for (int i = 0; i < VISITS && answered == i; i++) {
        struct pollfd client = {.fd = dial(port), .events = POLLIN};
        answered += poll(&client, 1, 2000) == 1;
        close(client.fd);
    }
    return answered;
}

enum order { INSTANCE, INSTANCE_FIRST, LISTENER, LISTENER_FIRST };

static void parent_closes(const char *what, enum order order, bool has_waited) {
    pid_t pid = start_child(has_waited);
    uint16_t port = port_of(fd);
    if (order == LISTENER || order == LISTENER_FIRST)
        close(fd);
    if (order != LISTENER)
        close(epfd);
    if (order == INSTANCE_FIRST)
        close(fd);
    until_waiting(pid);
    say("%s: %d of %d", what, ask_child(port), VISITS);
    end_worker(pid);
    if (order == INSTANCE)
        close(fd);
    if (order == LISTENER)
        close(epfd);
}

static void closed(char **arguments) {
    (void)arguments;
    for (int has_waited = 0; has_waited < 2; has_waited++) {
        parent_closes("the instance", INSTANCE, has_waited);
        parent_closes("the instance, then the listener", INSTANCE_FIRST, has_waited);
        parent_closes("the listener", LISTENER, has_waited);
        parent_closes("the listener, then the instance", LISTENER_FIRST, has_waited);
    }
}

/* libc closes the listener by itself, which nobody sees, and its number becomes a connection's. */
static void replaced(char **arguments) {
    (void)arguments;
    struct epoll_event event;
    int other = listener(AF_INET, 0);
    int gone = listener(AF_INET, SOCK_NONBLOCK);
    epfd = watching(gone, EPOLLIN);
    MUST(epoll_wait(epfd, &event, 1, 0));
    pid_t child = fork_bound(); /* which has the instance, too */
    if (child == 0)
        for (;;)
            pause();
    int client = MUST(dial(port_of(other)));
    MUST(send(client, "x", 1, 0));
    FILE *file = fdopen(gone, "r");
    if (!file || fclose(file) != 0)
        give_up("fclose");
    say("the same number: %s", MUST(accept(other, NULL, NULL)) == gone ? "yes" : "no");
    say("reported: %d", epoll_wait(epfd, &event, 1, 20));
    end_worker(child);
    close(client);
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {{"closed", closed}, {"replaced", replaced}};
    return RUN_COMMAND(commands, argv);
}
