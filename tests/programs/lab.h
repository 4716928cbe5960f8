/*
 * lab: what the small servers of this directory share. Each program does what some real server
 * does, prints what it saw, and is run with and without the library: the output must be the same.
 *
 * Nothing here waits for ever: lab_start() sets an alarm that ends the program, and every child
 * dies with its parent.
 */
#ifndef LAB_H
#define LAB_H

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef __GLIBC__
#include "musl.h"
#endif

/* ---- saying and giving up ---- */

__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...) {
    va_list list;
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    putchar('\n');
    fflush(stdout);
}

__attribute__((noreturn)) static inline void give_up(const char *what) {
    printf("gave up at %s: %s\n", what, strerror(errno));
    fflush(stdout);
    exit(1);
}

#define MUST(call)                                                                                 \
    __extension__({                                                                                \
        __typeof__(call) must_result = (call);                                                     \
        if (must_result < 0)                                                                       \
            give_up(#call);                                                                        \
        must_result;                                                                               \
    })

/*
 * Whoever started us may have left descriptors open; they go, by a direct system call, so that what
 * is found open later is ours or the library's. Its log file would be among them.
 */
static inline void lab_start(unsigned seconds) {
    alarm(seconds);
    signal(SIGPIPE, SIG_IGN);
    if (!getenv("UNHERD_LOG_FILE"))
        syscall(SYS_close_range, 3, ~0U, 0);
}

/* "0", or the name of the errno that the call left. */
static inline const char *outcome(int result) {
    return result >= 0 ? "ok" : strerrorname_np(errno);
}

/* ---- sockets ---- */

/* Where the IPv4 sockets below are bound, and where they are dialled. */
static in_addr_t lab_host = INADDR_LOOPBACK;

/* From now on an address of 127.0.0.0/8 that no other running program has: whoever dials a port
 * whose listener is gone does not come to one of ours that happened to get its number. */
static inline void move_apart(void) {
    lab_host = (INADDR_LOOPBACK & ~0xffU) | 1U << 23 | (in_addr_t)getpid();
}

static inline socklen_t loopback(struct sockaddr_storage *address, int family, uint16_t port) {
    *address = (struct sockaddr_storage){.ss_family = (sa_family_t)family};
    if (family == AF_INET6) {
        struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)address;
        ip6->sin6_port = htons(port);
        ip6->sin6_addr = in6addr_loopback;
        return sizeof *ip6;
    }
    struct sockaddr_in *ip4 = (struct sockaddr_in *)address;
    ip4->sin_port = htons(port);
    ip4->sin_addr.s_addr = htonl(lab_host);
    return sizeof *ip4;
}

static inline int set_int(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value);
}

static inline int get_int(int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) < 0 ? -1 : value;
}

/* A bound socket that does not listen yet; port 0: any. */
static inline int bound(int family, uint16_t port, int flags) {
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, family, port);
    int fd = MUST(socket(family, SOCK_STREAM | flags, 0));
    MUST(set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1));
    MUST(bind(fd, (struct sockaddr *)&address, length));
    return fd;
}

static inline int listener(int family, int flags) {
    int fd = bound(family, 0, flags);
    MUST(listen(fd, 511));
    return fd;
}

static inline uint16_t port_of(int fd) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    MUST(getsockname(fd, (struct sockaddr *)&address, &length));
    return address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
                                         : ntohs(((struct sockaddr_in *)&address)->sin_port);
}

/* A connection with a bound on everything that it waits for; or -1 with errno. */
static inline int dial_family(int family, uint16_t port) {
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, family, port);
    int fd = MUST(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct timeval most = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    if (connect(fd, (struct sockaddr *)&address, length) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static inline int dial(uint16_t port) {
    return dial_family(AF_INET, port);
}

/* The one byte that a worker of these programs answers with; -1 when there is none. */
static inline int answer(int fd) {
    unsigned char byte;
    ssize_t size = fd < 0 ? -1 : read(fd, &byte, 1);
    if (fd >= 0)
        close(fd);
    return size == 1 ? byte : -1;
}

static inline int ask(uint16_t port) {
    return answer(dial(port));
}

/* Accepts one connection, answers, closes. False when there was none. */
static inline bool serve_one(int fd, int number) {
    int connection = accept(fd, NULL, NULL);
    if (connection < 0)
        return false;
    unsigned char byte = (unsigned char)number;
    if (write(connection, &byte, 1) < 0)
        say("the answer could not be written: %s", strerror(errno));
    close(connection);
    return true;
}

/* The listening sockets of that port, as the kernel lists them: before all others. */
static inline int listening_on(uint16_t port) {
    char line[256];
    int count = 0;
    unsigned local = 0;
    unsigned state = 0x0A;
    FILE *file = fopen("/proc/net/tcp", "re");
    if (!file || !fgets(line, sizeof line, file))
        give_up("/proc/net/tcp");
    while (state == 0x0A && fgets(line, sizeof line, file))
        if (sscanf(line, " %*d: %*x:%x %*x:%*x %x", &local, &state) == 2)
            count += state == 0x0A && local == port;
    fclose(file);
    return count;
}

static inline int open_descriptors(void) {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}

/* ---- epoll ---- */

static inline int watch_for(int epfd, int fd, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data.u64 = data};
    return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
}

static inline int watching(int fd, uint32_t events) {
    int epfd = MUST(epoll_create1(EPOLL_CLOEXEC));
    MUST(watch_for(epfd, fd, events, (uint64_t)fd));
    return epfd;
}

/* A worker as simple as they come, for ever: one connection for each event. */
__attribute__((noreturn)) static inline void serve_for_ever(int fd, int number) {
    int epfd = watching(fd, EPOLLIN);
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(epfd, &event, 1, -1) == 1)
            serve_one(fd, number);
    }
}

/* ---- processes ---- */

/* As fork(), but the child does not outlive its parent. */
static inline pid_t fork_bound(void) {
    fflush(stdout);
    pid_t parent = getpid();
    pid_t pid = MUST(fork());
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(60);
        if (getppid() != parent)
            _exit(1);
    }
    return pid;
}

static inline pid_t start_worker(int fd, int number) {
    pid_t pid = fork_bound();
    if (pid == 0)
        serve_for_ever(fd, number);
    return pid;
}

static inline void end_worker(pid_t pid) {
    kill(pid, SIGKILL);
    MUST(waitpid(pid, NULL, 0));
}

static inline void moment(void) {
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* Whether the kernel has the thread inside one of the epoll_wait, poll or select family. */
static inline bool is_waiting(pid_t tid) {
    char path[64];
    long number = -1;
    snprintf(path, sizeof path, "/proc/%d/syscall", (int)tid);
    FILE *file = fopen(path, "re");
    bool known = file && fscanf(file, "%ld", &number) == 1;
    if (file)
        fclose(file);
#ifdef SYS_epoll_wait
    if (known && (number == SYS_epoll_wait || number == SYS_poll || number == SYS_select))
        return true;
#endif
    return known && (number == SYS_epoll_pwait || number == SYS_epoll_pwait2 ||
                     number == SYS_ppoll || number == SYS_pselect6);
}

static inline void until_waiting(pid_t tid) {
    for (int i = 0; i < 5000 && !is_waiting(tid); i++)
        moment();
}

/* A number in a line of /proc/PID/status, or 0 when the process is gone. */
static inline long status_number(pid_t pid, const char *key) {
    char path[64];
    char line[256];
    long value = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key)))
            value = strtol(line + strlen(key), NULL, 10);
    if (file)
        fclose(file);
    return value;
}

/* Memory that forked processes share, zeroed. */
static inline void *shared_memory(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        give_up("mmap");
    return memory;
}

/* ---- the command line ---- */

struct command {
    const char *name;
    void (*run)(char **arguments);
};

static inline int run_command(const struct command *commands, int count, char **argv) {
    lab_start(60);
    for (int i = 0; i < count; i++)
        if (argv[1] && !strcmp(argv[1], commands[i].name)) {
            commands[i].run(argv + 2);
            return 0;
        }
    fprintf(stderr, "usage: %s COMMAND; the commands are:\n", argv[0]);
    for (int i = 0; i < count; i++)
        fprintf(stderr, "  %s\n", commands[i].name);
    return 2;
}

#define RUN_COMMAND(commands, argv)                                                                \
    run_command(commands, (int)(sizeof(commands) / sizeof(commands)[0]), argv)

#endif
