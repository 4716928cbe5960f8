/* own: the sockets of a server that shards by itself, all of one address; for own_*.c. */
#ifndef OWN_H
#define OWN_H

#include "lab.h"

static uint16_t port;

/* Bound to the port of the first; it does not listen yet. */
static inline int another(int flags) {
    int fd = MUST(socket(AF_INET, SOCK_STREAM | flags, 0));
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, AF_INET, port);
    MUST(set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1));
    MUST(bind(fd, (struct sockaddr *)&address, length));
    port = port_of(fd);
    return fd;
}

static inline int one_more(int flags) {
    int fd = another(flags);
    MUST(listen(fd, 100));
    return fd;
}

/* Whoever is to watch neighbours has found them by now. */
static inline void settle(int epfd) {
    struct epoll_event event;
    for (int i = 0; i < 5; i++)
        epoll_wait(epfd, &event, 1, 10);
}

/* One after another; the first that is not answered is the last. */
static inline int ask_some(int count) {
    int answered = 0;
    while (answered < count && ask(port) == 1)
        answered++;
    return answered;
}

#endif
