/*
 * fuzz calls: random sequences of the hooked calls, made twice in one process: by way of the
 * library, and straight to the kernel. Every result, errno, event and descriptor number must be the
 * same. In `exclusive`, where the library promises exactly that; connections are made between the
 * calls, and nothing ever waits.
 *
 * With FUZZ_MODE=reuseport in the environment, in that mode: where a server may be told of its
 * listener in vain, as a member of a herd is, and may have to ask twice for a connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listener.h"
#include "poller.h"
#include "real.h"

enum {
    FIRST = 200, /* the numbers that the sequence uses begin here */
    NUMBERS = 8, /* and are so many */
    CLIENTS = 600,
    CALLS_MOST = 48,
    EVENTS = 16,
    POLLED = 4
};

static int is_sharded; /* the mode is reuseport */

/* One of the two ways to make a call. */
struct api {
    int (*socket)(int, int, int);
    int (*listen)(int, int);
    int (*accept4)(int, struct sockaddr *, socklen_t *, int);
    int (*shutdown)(int, int);
    int (*getsockopt)(int, int, int, void *, socklen_t *);
    int (*setsockopt)(int, int, int, const void *, socklen_t);
    int (*epoll_create1)(int);
    int (*epoll_ctl)(int, int, int, struct epoll_event *);
    int (*epoll_wait)(int, struct epoll_event *, int, int);
    int (*poll)(struct pollfd *, nfds_t, int);
    int (*select)(int, fd_set *, fd_set *, fd_set *, struct timeval *);
    int (*close)(int);
    int (*close_range)(unsigned, unsigned, int);
    int (*dup)(int);
    int (*dup2)(int, int);
    int (*dup3)(int, int, int);
    int (*fcntl)(int, int, ...);
};

/* What a call came to. */
struct outcome {
    int call;
    uint8_t used[16];
    int result;
    int error;
    struct {
        uint32_t events;
        uint64_t data;
    } event[EVENTS];
};

struct input {
    const uint8_t *at;
    size_t left;
};

/* The bytes that the call which is being made has used, for the report. */
static uint8_t used[16];
static int used_count;

static unsigned next_byte(struct input *in) {
    if (!in->left)
        return 0;
    in->left--;
    used[used_count++ % 16] = *in->at;
    return *in->at++;
}

static int number(struct input *in) {
    return FIRST + (int)(next_byte(in) % NUMBERS);
}

/* ---- the calls ---- */

static const uint32_t wanted_events[] = {EPOLLIN,
                                         EPOLLIN | EPOLLET,
                                         EPOLLIN | EPOLLONESHOT,
                                         EPOLLIN | EPOLLRDHUP | EPOLLPRI,
                                         EPOLLOUT,
                                         EPOLLIN | EPOLLEXCLUSIVE,
                                         0,
                                         EPOLLIN | EPOLLRDNORM};

static int is_instance(int fd) {
    return real.epoll_ctl(fd, EPOLL_CTL_DEL, 0, NULL) < 0 && errno == EPERM;
}

/* A DEL is done at the next wait; whoever polls the instance itself may be told once in vain. */
static int number_to_poll(struct input *in) {
    int fd = number(in);
    return is_instance(fd) ? FIRST - 1 : fd;
}

static int call_ctl(const struct api *api, struct input *in) {
    static const int ops[] = {EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL};
    int op = ops[next_byte(in) % 4];
    int epfd = number(in);
    int fd = number_to_poll(in);
    /* Events of one listener are merged, and known by its data: that is the listener's alone here.
     */
    struct epoll_event event = {.events = wanted_events[next_byte(in) % 8],
                                .data.u64 = (uint64_t)fd << 8 | next_byte(in) % 2};
    return api->epoll_ctl(epfd, op, fd, &event);
}

static int by_data(const void *a, const void *b) {
    const struct epoll_event *left = a;
    const struct epoll_event *right = b;
    if (left->data.u64 != right->data.u64)
        return left->data.u64 < right->data.u64 ? -1 : 1;
    return left->events < right->events ? -1 : left->events > right->events;
}

/* All that is ready, since in which order is nobody's promise. */
static int call_wait(const struct api *api, struct input *in, struct outcome *out) {
    struct epoll_event events[EVENTS];
    int count = api->epoll_wait(number(in), events, EVENTS, 0);
    if (count > 0)
        qsort(events, (size_t)count, sizeof events[0], by_data);
    for (int i = 0; i < count; i++) {
        out->event[i].events = events[i].events;
        out->event[i].data = events[i].data.u64;
    }
    return count;
}

static int call_poll(const struct api *api, struct input *in, struct outcome *out) {
    static const short wanted[] = {POLLIN, POLLIN | POLLOUT, POLLPRI, 0};
    struct pollfd list[POLLED];
    for (int i = 0; i < POLLED; i++)
        list[i] = (struct pollfd){.fd = number_to_poll(in), .events = wanted[next_byte(in) % 4]};
    int count = api->poll(list, POLLED, 0);
    for (int i = 0; i < POLLED; i++)
        out->event[i].events = (uint16_t)list[i].revents;
    return count;
}

static int call_select(const struct api *api, struct input *in, struct outcome *out) {
    fd_set set;
    FD_ZERO(&set);
    for (int i = 0; i < 3; i++)
        FD_SET(number_to_poll(in), &set);
    int count = api->select(FIRST + NUMBERS, &set, NULL, NULL, &(struct timeval){0});
    for (int i = 0; i < NUMBERS; i++) /* in the place of the events: which are readable */
        out->event[0].events |= (uint32_t) !!FD_ISSET(FIRST + i, &set) << i;
    return count;
}

/* A copy that was made before listen(), or of an instance before it watches a listener, is not
 * known to the library. */
static int may_copy(int fd) {
    int accepts = 1;
    socklen_t length = sizeof accepts;
    if (is_instance(fd))
        return 0;
    return real.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) < 0 || accepts;
}

/* A connection inherits the options of its listener, ours among them. */
static int is_connection(int fd) {
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    return getpeername(fd, (struct sockaddr *)&peer, &length) == 0;
}

static int call_copy(const struct api *api, struct input *in, int call) {
    int fd = number(in);
    int target = number(in);
    if (!may_copy(fd))
        return 0;
    if (call == 17)
        return api->dup(fd);
    return call == 18 ? api->dup2(fd, target) : api->dup3(fd, target, O_CLOEXEC);
}

static int call_fcntl(const struct api *api, struct input *in) {
    int fd = number(in);
    switch (next_byte(in) % 6) {
    case 0:
        return api->fcntl(fd, F_GETFL);
    case 1:
        return api->fcntl(fd, F_SETFL, O_NONBLOCK);
    case 2:
        return api->fcntl(fd, F_GETFD);
    case 3:
        return api->fcntl(fd, F_SETFD, FD_CLOEXEC);
    case 4:
        return may_copy(fd) ? api->fcntl(fd, F_DUPFD, number(in)) : 0;
    default:
        return may_copy(fd) ? api->fcntl(fd, F_DUPFD_CLOEXEC, number(in)) : 0;
    }
}

static int call_option(const struct api *api, struct input *in) {
    static const int names[] = {SO_REUSEPORT, SO_ACCEPTCONN, SO_TYPE, SO_KEEPALIVE};
    int value = (int)(next_byte(in) % 2);
    int fd = number(in);
    int name = names[next_byte(in) % 4];
    socklen_t length = sizeof value;
    if (is_sharded && is_connection(fd))
        name = SO_KEEPALIVE;
    if (next_byte(in) % 2)
        return api->setsockopt(fd, SOL_SOCKET, name, &value, length);
    int result = api->getsockopt(fd, SOL_SOCKET, name, &value, &length);
    return result < 0 ? result : value;
}

static int call_bind(int fd) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return bind(fd, (struct sockaddr *)&address, sizeof address);
}

/* From far above, so that it takes none of the numbers. */
static int dial(int fd) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    if (real.getsockname(fd, (struct sockaddr *)&address, &length) < 0 ||
        length != sizeof address || address.sin_family != AF_INET || !address.sin_port)
        return -1;
    int low = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int client = real.fcntl(low, F_DUPFD, CLIENTS);
    real.close(low);
    /* Its close is a reset: one that ends in good order keeps its port for a minute. */
    real.setsockopt(client, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
                    sizeof(struct linger));
    real.connect(client, (struct sockaddr *)&address, length);
    return 0;
}

/* Whoever has had a connection leaves the neighbours' to their owners, until it asks again. */
static int call_accept(const struct api *api, struct input *in, int flags) {
    int fd = number(in);
    int connection = api->accept4(fd, NULL, NULL, flags);
    if (connection < 0 && errno == EAGAIN && is_sharded)
        connection = api->accept4(fd, NULL, NULL, flags);
    return connection;
}

static int make(const struct api *api, struct input *in, struct outcome *out) {
    switch (out->call) {
    case 0:
        return api->socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    case 1:
        return call_bind(number(in));
    case 2:
    case 3:
        return api->listen(number(in), is_sharded ? CALLS_MOST : 8);
    case 4:
        return api->epoll_create1(0);
    case 5:
    case 6:
    case 7:
        return call_ctl(api, in);
    case 8:
    case 9:
        return call_wait(api, in, out);
    case 10:
        return call_accept(api, in, SOCK_NONBLOCK);
    case 11:
        return call_accept(api, in, SOCK_NONBLOCK | SOCK_CLOEXEC);
    case 12:
        return dial(number(in));
    case 13:
        return dial(number(in));
    case 14:
        return call_poll(api, in, out);
    case 15:
        return call_select(api, in, out);
    case 16:
        return api->close(number(in));
    case 17:
    case 18:
    case 19:
        return call_copy(api, in, out->call);
    case 20:
        return call_fcntl(api, in);
    case 21:
        return call_option(api, in);
    case 22:
        return api->shutdown(number(in), (int)(next_byte(in) % 3));
    default:
        return api->close_range((unsigned)number(in), (unsigned)number(in), 0);
    }
}

/* ---- the two runs ---- */

static void clean_up(const struct api *api) {
    for (int fd = FIRST; fd < FIRST + 64; fd++)
        api->close(fd);
    real.close_range(CLIENTS, CLIENTS + 2 * CALLS_MOST, 0);
}

static int run(const struct api *api, struct input in, struct outcome *outcomes) {
    int count = 0;
    while (in.left && count < CALLS_MOST) {
        struct outcome *out = &outcomes[count++];
        *out = (struct outcome){.call = (int)(next_byte(&in) % 24)};
        errno = 0;
        used_count = 0;
        memset(used, 0, sizeof used);
        out->result = make(api, &in, out);
        memcpy(out->used, used, sizeof used);
        out->error = out->result < 0 ? errno : 0;
    }
    clean_up(api);
    return count;
}

static int has_event(const struct outcome *outcome, uint64_t data, uint32_t events) {
    for (int i = 0; i < outcome->result; i++)
        if (outcome->event[i].data == data)
            return (outcome->event[i].events & events) == events;
    return events == 0;
}

/* What the kernel reports, and besides a listener at the most, which may have been kicked. */
static int is_same_wait(const struct outcome *ours, const struct outcome *kernels) {
    for (int i = 0; i < kernels->result; i++)
        if (!has_event(ours, kernels->event[i].data, kernels->event[i].events))
            return 0;
    for (int i = 0; i < ours->result; i++)
        if (!has_event(kernels, ours->event[i].data,
                       ours->event[i].events & ~(uint32_t)(EPOLLIN | EPOLLRDNORM)))
            return 0;
    return ours->error == kernels->error;
}

static int is_same(const struct outcome *ours, const struct outcome *kernels) {
    if (is_sharded && (ours->call == 8 || ours->call == 9))
        return is_same_wait(ours, kernels);
    if (ours->call != kernels->call || ours->result != kernels->result ||
        ours->error != kernels->error)
        return 0;
    for (int i = 0; i < EVENTS; i++)
        if (ours->event[i].events != kernels->event[i].events ||
            ours->event[i].data != kernels->event[i].data)
            return 0;
    return 1;
}

static void report(const struct outcome *ours, const struct outcome *kernels, int count) {
    for (int i = 0; i < count; i++)
        fprintf(stderr,
                "%2d: call %2d %02x %02x %02x %02x: %d (%s), kernel %d (%s); events %x %x, kernel "
                "%x %x%s\n",
                i, ours[i].call, ours[i].used[0], ours[i].used[1], ours[i].used[2], ours[i].used[3],
                ours[i].result, strerror(ours[i].error), kernels[i].result,
                strerror(kernels[i].error), ours[i].event[0].events, ours[i].event[1].events,
                kernels[i].event[0].events, kernels[i].event[1].events,
                is_same(&ours[i], &kernels[i]) ? "" : " <--");
    abort();
}

/* What libFuzzer opens is below FIRST: all of it is open at the first input. */
static void take_low_numbers(void) {
    static int is_done;
    if (is_done++)
        return;
    for (int fd = 0; fd < FIRST; fd++)
        if (real.fcntl(fd, F_GETFD) < 0)
            open("/dev/null", O_RDONLY);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static struct config config;
    (void)argc;
    (void)argv;
    real_find();
    const char *mode = getenv("FUZZ_MODE");
    is_sharded = mode && !strcmp(mode, "reuseport");
    config_read(&config,
                (char *const[]){is_sharded ? "UNHERD_MODE=reuseport" : "UNHERD_MODE=exclusive",
                                "UNHERD_SHARDS=4", "UNHERD_LOG=off", NULL},
                1);
    listener_start(&config);
    poller_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct outcome ours[CALLS_MOST];
    static struct outcome kernels[CALLS_MOST];
    const struct api library = {socket,     listen,        accept4,     shutdown,   getsockopt,
                                setsockopt, epoll_create1, epoll_ctl,   epoll_wait, poll,
                                select,     close,         close_range, dup,        dup2,
                                dup3,       fcntl};
    const struct api kernel = {
        socket,          real.listen,        real.accept4,     real.shutdown,   real.getsockopt,
        real.setsockopt, real.epoll_create1, real.epoll_ctl,   real.epoll_wait, real.poll,
        real.select,     real.close,         real.close_range, real.dup,        real.dup2,
        real.dup3,       real.fcntl};
    struct input in = {data, size};
    take_low_numbers();
    int count = run(&library, in, ours);
    run(&kernel, in, kernels);
    for (int i = 0; i < count; i++)
        if (!is_same(&ours[i], &kernels[i]))
            report(ours, kernels, count);
    return 0;
}
