/* fuzz: what the fuzzers share: their input, byte by byte, and what is open in this process. */
#ifndef UNHERD_FUZZ_H
#define UNHERD_FUZZ_H

#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "fd_table.h"
#include "open_list.h"
#include "real.h"

enum {
    FIRST = 200, /* below is what libFuzzer opens, and what fills the gaps between that */
    END = 1024   /* of all numbers: the limit that the fuzzers set */
};

#define MUST_BE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct input {
    const uint8_t *at;
    size_t left;
};

static inline unsigned next_byte(struct input *in) {
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

/* What a number stands for. All descriptors that are no file, socket or pipe have one inode. */
struct open_file {
    int is_open;
    int flags; /* FD_CLOEXEC */
    ino_t inode;
    dev_t device;
};

static inline struct open_file open_file(int fd) {
    struct stat status = {0};
    int flags = real.fcntl(fd, F_GETFD);
    if (flags < 0 || fstat(fd, &status) < 0)
        return (struct open_file){0};
    return (struct open_file){1, flags, status.st_ino, status.st_dev};
}

/* Of all numbers from FIRST on; one system call for those that are not open. */
static inline void open_files(struct open_file files[END]) {
    struct pollfd list[END - FIRST];
    MUST_BE(open_list(list, END - FIRST, FIRST) == END - FIRST);
    for (int fd = FIRST; fd < END; fd++) {
        files[fd] = (struct open_file){0};
        if (open_list_has(&list[fd - FIRST]))
            files[fd] = open_file(fd);
    }
}

static inline int is_same_file(const struct open_file *a, const struct open_file *b) {
    return a->is_open == b->is_open && a->inode == b->inode && a->device == b->device;
}

/*
 * The limit is low, so that all numbers can be looked at, and none is free below FIRST. At the
 * first input, when libFuzzer has opened all that it needs, such as the file that a merge is
 * written to.
 */
static inline void prepare_numbers(void) {
    static int is_done;
    struct rlimit limit;
    if (is_done++)
        return;
    MUST_BE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = END;
    MUST_BE(real.setrlimit(RLIMIT_NOFILE, &limit) == 0);
    real.close_range(FIRST, ~0U, 0); /* what was inherited */
    for (int fd = 0; fd < FIRST; fd++)
        if (real.fcntl(fd, F_GETFD) < 0)
            MUST_BE(open("/dev/null", O_RDONLY) >= 0);
}

static inline int bound_socket(int type, int reuseport, in_port_t port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
    MUST_BE(fd >= 0);
    MUST_BE(real.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &reuseport, sizeof reuseport) == 0);
    MUST_BE(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* Its close is a reset: a connection that ends in good order keeps its port for a minute, and there
 * are not that many. */
static inline void end_by_reset(int client) {
    const struct linger at_once = {.l_onoff = 1};
    real.setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static inline in_port_t port_of(int fd) {
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    if (real.getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return 0;
    return address.sin_family == AF_INET ? address.sin_port : 0;
}

#endif
