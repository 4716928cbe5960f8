/*
 * early: a preloaded library whose constructor may run before that of libunherd.so, and which uses
 * the calls that are hooked there. Built by start.bats.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

__attribute__((constructor)) static void begin(void) {
    struct epoll_event event = {.events = EPOLLIN};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int epfd = epoll_create1(0);
    int copy = dup(fd);
    int good = fd >= 0 && copy >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
    good = good && listen(fd, 5) == 0 && epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == 0;
    good = good && epoll_wait(epfd, &event, 1, 0) == 0 && accept(fd, NULL, NULL) == -1;
    good = good && (fcntl(fd, F_GETFL) & O_NONBLOCK) && close(copy) == 0;
    good = good && close(epfd) == 0 && close_range((unsigned)fd, (unsigned)fd, 0) == 0;
    if (getenv("EARLY_SAYS"))
        printf("early: %s\n", good ? "ok" : "wrong");
    fflush(stdout);
}
