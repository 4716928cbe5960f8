/*
 * quiet: a server whose descriptor 2 is not what it was, and one whose calls can be counted.
 */
#include "lab.h"

#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/select.h>

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

/* Messages with control data that no descriptor is in, as servers of UDP send them. */
static void send_datagrams(int fd) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    union {
        char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
        struct cmsghdr head;
    } control = {.head = {CMSG_LEN(sizeof(struct in_pktinfo)), IPPROTO_IP, IP_PKTINFO}};
    char byte = 'x';
    struct iovec word = {&byte, 1};
    MUST(getsockname(fd, (struct sockaddr *)&address, &length));
    struct msghdr message = {.msg_name = &address,
                             .msg_namelen = length,
                             .msg_iov = &word,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct mmsghdr list[2] = {{.msg_hdr = message}, {.msg_hdr = message}};
    MUST(sendmsg(fd, &message, 0));
    MUST(sendmmsg(fd, list, 2, 0));
    MUST(recvmsg(fd, &message, MSG_DONTWAIT));
    message.msg_controllen = 0;
    MUST(recvmmsg(fd, list, 2, MSG_DONTWAIT, NULL));
}

static void use_sockets(void) {
    int other = bound(AF_INET, 0, SOCK_NONBLOCK);
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, AF_INET, port_of(other));
    MUST(set_int(other, SOL_SOCKET, SO_KEEPALIVE, 1));
    get_int(other, SOL_SOCKET, SO_KEEPALIVE);
    (void)connect(other, (struct sockaddr *)&address,
                  length); /* to itself: it need not come about */
    shutdown(other, SHUT_RDWR);
    accept(other, NULL, NULL);
    getpeername(other, (struct sockaddr *)&address, &length);
    close(other);
}

static void use_numbers(int fd) {
    struct epoll_event event;
    struct pollfd list = {.fd = fd, .events = POLLIN};
    fd_set in;
    int none = 0;
    FD_ZERO(&in);
    FD_SET(fd, &in);
    int epfd = watching(fd, EPOLLIN);
    epoll_wait(epfd, &event, 1, 0);
    epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL);
    poll(&list, 1, 0);
    select(fd + 1, &in, NULL, NULL, &(struct timeval){0});
    ioctl(fd, FIONBIO, &none);
    int copy = dup(fd);
    dup2(fd, copy);
    fcntl(copy, F_SETFL, O_NONBLOCK);
    syscall(SYS_close, copy);
    close(epfd);
}

/* While there is a listener that is waited for: calls on all sorts of other descriptors. */
static void foreign(char **arguments) {
    (void)arguments;
    struct epoll_event event;
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    int epfd = watching(fd, EPOLLIN);
    epoll_wait(epfd, &event, 1, 0);
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, AF_INET, 0);
    int datagrams = MUST(socket(AF_INET, SOCK_DGRAM, 0));
    MUST(bind(datagrams, (struct sockaddr *)&address, length));
    syscall(SYS_getppid);
    send_datagrams(datagrams);
    use_sockets();
    use_numbers(datagrams);
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
        {"reused", reused}, {"counted", counted}, {"foreign", foreign}, {"secure", secure}};
    return RUN_COMMAND(commands, argv);
}
