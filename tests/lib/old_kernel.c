/* A kernel before 4.5, behind the library: epoll_ctl() knows no EPOLLEXCLUSIVE. */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event) {
    int (*next)(int, int, int, struct epoll_event *);
    void *found = dlsym(RTLD_NEXT, "epoll_ctl");
    memcpy(&next, &found, sizeof next);
    if (op == EPOLL_CTL_ADD && event && event->events & EPOLLEXCLUSIVE) {
        errno = EINVAL;
        return -1;
    }
    return next(epfd, op, fd, event);
}
