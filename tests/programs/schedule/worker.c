/* schedule, a worker: waits in its own way, serves, and obeys. */
#include "schedule.h"

#include <pthread.h>
#include <sys/select.h>

enum { TOLD = 1, ORDERED = 2 };

struct self {
    int number, channel, epfd;
    enum kind kind;
    enum mood mood;
    bool serves_all, is_thread;
};

bool worker_leaves_told;

static void report(const struct self *self) {
    struct report report = {.tid = (pid_t)syscall(SYS_gettid), .epfd = self->epfd};
    MUST(send(self->channel, &report, sizeof report, 0));
}

/* ---- the wait ---- */

static int wait_in_epoll(const struct self *self) {
    struct epoll_event events[4];
    int ready = 0;
    int count = epoll_wait(self->epfd, events, 4, -1);
    for (int i = 0; i < count; i++)
        ready |= events[i].data.u64 == (uint64_t)self->channel ? ORDERED : TOLD;
    return ready;
}

static int wait_in_poll(const struct self *self) {
    struct pollfd list[] = {{.fd = self->channel, .events = POLLIN},
                            {.fd = listener_fd, .events = POLLIN}};
    if (poll(list, 2, -1) <= 0)
        return 0;
    return (list[0].revents ? ORDERED : 0) | (list[1].revents ? TOLD : 0);
}

static int wait_in_select(const struct self *self) {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(self->channel, &readable);
    FD_SET(listener_fd, &readable);
    int end = (self->channel > listener_fd ? self->channel : listener_fd) + 1;
    if (select(end, &readable, NULL, NULL, NULL) <= 0)
        return 0;
    return (FD_ISSET(self->channel, &readable) ? ORDERED : 0) |
           (FD_ISSET(listener_fd, &readable) ? TOLD : 0);
}

static bool is_ordered(const struct self *self) {
    struct pollfd list = {.fd = self->channel, .events = POLLIN};
    return poll(&list, 1, 0) == 1;
}

static int wait_for_something(const struct self *self) {
    switch (self->kind) {
    case POLL:
        return wait_in_poll(self);
    case SELECT:
        return wait_in_select(self);
    case ACCEPT: /* the accept is the wait; a signal ends it when there is an order */
        return is_ordered(self) ? ORDERED : TOLD;
    default:
        return wait_in_epoll(self);
    }
}

/* ---- serving ---- */

/* The client's own four bytes, and who answers. False: there was no connection. */
static bool serve_one_of(const struct self *self) {
    unsigned char bytes[5];
    int connection = accept(listener_fd, NULL, NULL);
    if (connection < 0)
        return false;
    size_t size = 0;
    ssize_t got = 1;
    while (size < 4 && (got > 0 || errno == EINTR))
        if ((got = recv(connection, bytes + size, 4 - size, 0)) > 0)
            size += (size_t)got;
        else if (got == 0)
            break;
    bytes[4] = (unsigned char)self->number;
    if (size != 4 || write(connection, bytes, sizeof bytes) != sizeof bytes)
        say("worker %d could not answer: %s", self->number, strerror(errno));
    close(connection);
    return true;
}

static void serve_those(struct self *self) {
    while (serve_one_of(self) && (self->serves_all || self->kind == EDGE) && !listener_blocks)
        continue;
    if (self->mood == ONCE)
        self->mood = BUSY;
}

/* ---- orders ---- */

static void open_instance(struct self *self) {
    uint32_t events = self->kind == EDGE ? EPOLLIN | EPOLLET : EPOLLIN;
    self->epfd = watching(listener_fd, events);
    MUST(watch_for(self->epfd, self->channel, EPOLLIN, (uint64_t)self->channel));
}

static void be(struct self *self, enum what what) {
    self->mood = what == BE_BUSY ? BUSY : what == SERVE_ONCE ? ONCE : IDLE;
    self->serves_all = what == SERVE_ALL;
    if (what != BE_BUSY && has_instance(self->kind) && self->epfd < 0)
        open_instance(self);
}

static void close_instance(struct self *self) {
    if (self->epfd >= 0)
        close(self->epfd);
    self->epfd = -1;
    self->mood = BUSY;
}

static void *live_as_thread(void *argument);

static void host(const struct order *order) {
    pthread_t thread;
    struct order *copy = malloc(sizeof *copy);
    if (!copy)
        give_up("malloc");
    *copy = *order;
    if (pthread_create(&thread, NULL, live_as_thread, copy) != 0)
        give_up("pthread_create");
    pthread_detach(thread);
}

/* False: it has ended. */
static bool obey(struct self *self, const struct order *order) {
    uint32_t events = self->kind == EDGE ? EPOLLIN | EPOLLET : EPOLLIN;
    switch (order->what) {
    case DELETE:
        MUST(epoll_ctl(self->epfd, EPOLL_CTL_DEL, listener_fd, NULL));
        return true;
    case ADD:
        MUST(watch_for(self->epfd, listener_fd, events, (uint64_t)listener_fd));
        return true;
    case CLOSE:
        close_instance(self);
        return true;
    case LET_GO:
        self->mood = BUSY;
        close(listener_fd);
        return true;
    case HOST:
        host(order);
        return true;
    case END:
        if (!self->is_thread)
            exit(0);
        close_instance(self);
        return false;
    default:
        be(self, order->what);
        return true;
    }
}

static bool take_order(struct self *self) {
    struct order order;
    ssize_t size;
    while ((size = recv(self->channel, &order, sizeof order, 0)) < 0 && errno == EINTR)
        continue;
    if (size != sizeof order)
        give_up("an order");
    bool goes_on = obey(self, &order);
    report(self);
    return goes_on;
}

/* Whether the next order ends its waiting for the listener. */
static bool is_to_leave(const struct self *self) {
    struct order order;
    if (!worker_leaves_told ||
        recv(self->channel, &order, sizeof order, MSG_PEEK | MSG_DONTWAIT) != sizeof order)
        return false;
    return order.what == DELETE || order.what == CLOSE || order.what == LET_GO || order.what == END;
}

/* What it was told of goes before the order, unless it leaves: then it is for the others to find.
 */
static void live(struct self *self) {
    bool goes_on = true;
    report(self);
    while (goes_on) {
        int ready = self->mood == BUSY ? ORDERED : wait_for_something(self);
        if ((ready & TOLD) && !((ready & ORDERED) && is_to_leave(self)))
            serve_those(self);
        if (ready & ORDERED)
            goes_on = take_order(self);
    }
}

static void *live_as_thread(void *argument) {
    struct order order = *(struct order *)argument;
    free(argument);
    struct self self = {.number = order.number,
                        .channel = channels[order.number][1],
                        .epfd = -1,
                        .kind = order.kind,
                        .is_thread = true};
    live(&self);
    return NULL;
}

static void on_signal(int number) {
    (void)number;
}

void worker_live(int number, enum kind kind) {
    struct sigaction action = {.sa_handler = on_signal};
    MUST(sigaction(SIGUSR1, &action, NULL));
    struct self self = {.number = number, .channel = channels[number][1], .epfd = -1, .kind = kind};
    live(&self);
    exit(0);
}
