/*
 * quiet: a server whose descriptor 2 is not what it was, and one whose calls can be counted.
 */
#include "lab.h"

#include <sys/auxv.h>

/* A daemon: stderr is closed, and the next connection gets its number. */
static void reused(char **arguments) {
    (void)arguments;
    int ends[2];
    MUST(close(2));
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
    say("the socket at stderr's number: %s", ends[0] == 2 || ends[1] == 2 ? "yes" : "no");
    int other = ends[0] == 2 ? ends[1] : ends[0];
    struct epoll_event event;
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    int epfd = watching(fd, EPOLLIN);
    MUST(epoll_wait(epfd, &event, 1, 0));
    char text[256];
    say("read from it: %s", outcome((int)read(other, text, sizeof text)));
    close(fd);
    MUST(close(2));
    MUST(open("/dev/null", O_WRONLY));
    fd = listener(AF_INET, SOCK_NONBLOCK);
    say("listening: %d", get_int(fd, SOL_SOCKET, SO_ACCEPTCONN));
}

/*
 * A server's whole life in a fixed number of calls; between two marks that a tracer can find, which
 * are calls of no other effect.
 */
static void counted(char **arguments) {
    (void)arguments;
    struct epoll_event event;
    syscall(SYS_getppid);
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    int epfd = watching(fd, EPOLLIN);
    uint16_t port = port_of(fd);
    for (int i = 0; i < 10; i++) {
        int client = MUST(dial(port));
        MUST(epoll_wait(epfd, &event, 1, 1000));
        serve_one(fd, 1);
        close(client);
    }
    int copy = MUST(dup2(fd, 20));
    MUST(fcntl(copy, F_SETFD, FD_CLOEXEC));
    close(copy);
    close(epfd);
    close(fd);
    syscall(SYS_getppid);
    say("done");
}

/* Whether the kernel has told this program that it runs with somebody else's rights. */
static void secure(char **arguments) {
    (void)arguments;
    struct epoll_event event;
    say("secure: %lu", getauxval(AT_SECURE));
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    int epfd = watching(fd, EPOLLIN);
    say("waited: %d", epoll_wait(epfd, &event, 1, 0));
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {
        {"reused", reused}, {"counted", counted}, {"secure", secure}};
    return RUN_COMMAND(commands, argv);
}
