/*
 * sent: a listener goes to another process in a message, as systemd's file descriptor store or a
 * successor has it, and its workers go on. All of them are to have their part of what comes.
 */
#include "lab.h"

#include <sys/uio.h>

enum { WORKERS = 4, VISITS = 40 };

static int fd;
static uint16_t port;

/* Each connection keeps its worker busy for a while, so that no one of them can have all. */
__attribute__((noreturn)) static void serve_slowly(int number) {
    int epfd = watching(fd, EPOLLIN);
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(epfd, &event, 1, -1) == 1 && serve_one(fd, number))
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

static int busy_workers(void) {
    bool seen[WORKERS + 1] = {false};
    int clients[VISITS];
    int count = 0;
    for (int i = 0; i < VISITS; i++)
        clients[i] = dial(port);
    for (int i = 0; i < VISITS; i++) {
        int number = answer(clients[i]);
        if (number < 1 || number > WORKERS)
            return -1;
        count += !seen[number];
        seen[number] = true;
    }
    return count;
}

enum { WITH_SENDMSG, WITH_SENDMMSG, WITH_SYSCALL };

static int send_it(int way, int to) {
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr head;
    } control = {0};
    struct iovec word = {"x", 1};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &word,
                                          .msg_iovlen = 1,
                                          .msg_control = control.bytes,
                                          .msg_controllen = sizeof control.bytes}};
    control.head = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    if (way == WITH_SENDMSG)
        return (int)sendmsg(to, &message.msg_hdr, 0);
    if (way == WITH_SENDMMSG)
        return sendmmsg(to, &message, 1, 0);
    return (int)syscall(SYS_sendmsg, to, &message.msg_hdr, 0);
}

static void sent(const char *name, int way) {
    pid_t pids[WORKERS];
    int ends[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    fd = listener(AF_INET, SOCK_NONBLOCK);
    port = port_of(fd);
    for (int i = 0; i < WORKERS; i++) {
        pids[i] = fork_bound();
        if (pids[i] == 0)
            serve_slowly(i + 1);
        until_waiting(pids[i]);
    }
    int before = busy_workers();
    say("%s: %s", name, outcome(send_it(way, ends[0])));
    say("workers before: %d, after: %d", before, busy_workers());
    for (int i = 0; i < WORKERS; i++)
        end_worker(pids[i]);
    close(fd);
}

static void workers(char **arguments) {
    (void)arguments;
    sent("sendmsg", WITH_SENDMSG);
    sent("sendmmsg", WITH_SENDMMSG);
    sent("syscall", WITH_SYSCALL);
}

/* ---- a list of messages whose end is not there ---- */

static void list(char **arguments) {
    (void)arguments;
    int ends[2];
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    fd = listener(AF_INET, SOCK_NONBLOCK);
    MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        give_up("mmap");
    MUST(munmap(memory + page, page));
    struct iovec word = {"x", 1};
    struct mmsghdr *messages = (struct mmsghdr *)(memory + page) - 1;
    *messages = (struct mmsghdr){.msg_hdr = {.msg_iov = &word, .msg_iovlen = 1}};
    say("one of five: %d", (int)syscall(SYS_sendmmsg, ends[0], messages, 5, 0));
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {{"workers", workers}, {"list", list}};
    return RUN_COMMAND(commands, argv);
}
