/* lab: sockets, sets and children for the unit tests of what needs them. Included after cmocka.h.
 */
#ifndef UNIT_LAB_H
#define UNIT_LAB_H

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shard_set.h"

static inline int bound_socket(int family, int port) {
    struct sockaddr_in ip4 = {.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 ip6 = {
        .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = in6addr_loopback};
    bool is_ip6 = family == AF_INET6;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    const struct sockaddr *address = is_ip6 ? (const void *)&ip6 : (const void *)&ip4;
    if (bind(fd, address, is_ip6 ? sizeof ip6 : sizeof ip4) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static inline int listening_socket(void) {
    int fd = bound_socket(AF_INET, 0);
    assert_true(fd >= 0);
    assert_return_code(listen(fd, 64), errno);
    return fd;
}

static inline int port_of_socket(int fd) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    assert_return_code(getsockname(fd, (struct sockaddr *)&address, &length), errno);
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

/* The policy of a new set, as the variables have it. */
static inline void begin_stealing(const struct shard_set *set, unsigned steal) {
    set_begin_policy(set, (struct policy){.mode = MODE_AUTO, .steal = steal, .rotate = 1});
}

/* A connection to that listener; -1 with errno when it is refused. */
static inline int visitor(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static inline int int_option(int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) < 0 ? -1 : value;
}

static inline int open_descriptors(void) {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static inline void *shared_page(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    return page;
}

/* A child that runs `body` and then holds on to what it has until it is ended. */
struct child {
    pid_t pid;
    int said; /* its body's result, once it is there */
};

static inline struct child start_child(int (*body)(void *), void *argument) {
    int ends[2];
    struct child child = {.said = -1};
    assert_return_code(pipe2(ends, O_CLOEXEC), errno);
    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(60);
        int result = body(argument);
        if (write(ends[1], &result, sizeof result) != sizeof result)
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &child.said, sizeof child.said), sizeof child.said);
    close(ends[0]);
    return child;
}

static inline void end_child(struct child child) {
    kill(child.pid, SIGKILL);
    waitpid(child.pid, NULL, 0);
}

/* As if two had been seen to wait at once. */
static inline void see_two_wait(const struct shard_set *set) {
    set_note_concurrent(set, set_generation(set));
}

#endif
