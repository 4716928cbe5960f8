/*
 * fuzz shared: a worker that was broken into. Between the server's calls, or while they run,
 * anything is written to the memory that the workers share. The calls of the others may then be
 * unfair, but must end, hit nothing but their own sockets and memory, and report nothing but the
 * server's own. The workers are several epoll instances of this process; nothing ever waits.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "fuzz.h"
#include "listener_record.h"
#include "poller.h"
#include "scribble.h"
#include "watch.h"
#include "watch_table.h"

enum {
    NUMBERS = 12, /* that the sequence picks from; it may be given more */
    WORKERS = 2,  /* from FIRST + 1, at its start */
    CLIENTS = 600,
    HIDDEN = END - END / 8, /* the library's own are above */
    CALLS_MOST = 48,
    TURNS_MOST = 64,
    EVENTS = 8
};

/* What stands in the server's data beside the number. */
#define MARK (UINT64_C(0x5ca1ab1e) << 32)

static struct config config;
static struct open_file expected[END];
static uint8_t is_bound[END]; /* by the server; listen() on anything else would find it a port */
static int clients;
static int is_first_there; /* FIRST, since it began to listen: not closed, nor shut down */

/* ---- the server's numbers ---- */

static int lowest_free(void) {
    int fd = FIRST;
    while (expected[fd].is_open)
        fd++;
    return fd;
}

/* A call has returned a number: the one that the kernel would have given without us. */
static int made(int fd) {
    if (fd < 0)
        return fd;
    MUST_BE(fd == lowest_free());
    expected[fd] = open_file(fd);
    MUST_BE(expected[fd].is_open && fd_kind_of(fd_entry(fd)) != FD_HIDDEN);
    return fd;
}

static void check_number(int fd) {
    struct open_file now = open_file(fd);
    if (!is_same_file(&now, &expected[fd]))
        fprintf(stderr, "number %d: %sopen, was %sopen\n", fd, now.is_open ? "" : "not ",
                expected[fd].is_open ? "" : "not ");
    MUST_BE(is_same_file(&now, &expected[fd]));
}

static int number(struct input *in) {
    return FIRST + (int)(next_byte(in) % NUMBERS);
}

static int option(int fd, int name) {
    int value = 0;
    socklen_t length = sizeof value;
    return real.getsockopt(fd, SOL_SOCKET, name, &value, &length) < 0 ? -1 : value;
}

static struct shard_set *set_of(int fd) {
    unsigned entry = fd_entry(fd);
    return fd_kind_of(entry) == FD_LISTENER ? listener_at(fd_index_of(entry))->shard.set : NULL;
}

/* ---- what is written, by whoever has the memory ---- */

static void write_word(struct input *in) {
    scribble_word(set_of(number(in)), in);
}

static void write_shard(struct input *in) {
    scribble_shard(set_of(number(in)), in);
}

static void write_all(struct input *in) {
    scribble_all(set_of(number(in)), in);
}

/* Not nonsense, for once: a policy as the tool sets it. */
static void write_policy(struct input *in) {
    const struct shard_set *set = set_of(number(in));
    unsigned what = next_byte(in);
    struct policy policy = {(enum mode)(what % 4), what / 4 % 4, what / 16 % 3};
    if (set)
        atomic_store(&set->shared->policy, policy_word(policy));
}

/* ---- the calls ---- */

static void call_socket(struct input *in) {
    int reuseport = (int)(next_byte(in) % 2);
    is_bound[made(bound_socket(SOCK_STREAM, reuseport, 0))] = 1;
}

/* One more for the address of another, as servers that shard by themselves have. */
static void call_sibling(struct input *in) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = port_of(number(in)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = made(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
        is_bound[fd] = 1;
    if (is_bound[fd])
        listen(fd, 8);
    expected[fd] = open_file(fd); /* it may be one that was closed before, with its queue */
}

static void call_listen(struct input *in) {
    int fd = number(in);
    if (!is_bound[fd])
        return;
    listen(fd, (int)(next_byte(in) % 8));
    expected[fd] = open_file(fd);
}

static void call_instance(struct input *in) {
    (void)in;
    made(epoll_create1(0));
}

static void call_ctl(struct input *in) {
    static const uint32_t wanted[] = {EPOLLIN,
                                      EPOLLIN | EPOLLET,
                                      EPOLLIN | EPOLLONESHOT,
                                      EPOLLIN | EPOLLRDHUP,
                                      EPOLLIN | EPOLLEXCLUSIVE,
                                      0};
    static const int ops[] = {EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD};
    unsigned how = next_byte(in);
    int epfd = number(in);
    int fd = number(in);
    struct epoll_event event = {.events = wanted[how / 4 % 6], .data.u64 = MARK | (unsigned)fd};
    if (fd_kind_of(fd_entry(fd)) != FD_INSTANCE) /* one in another may be a ring */
        epoll_ctl(epfd, ops[how % 4], fd, &event);
}

/* Returns how many events there were of the first listener. That one cannot be at its end. */
static int wait_for(int epfd) {
    struct epoll_event events[EVENTS];
    int of_first = 0;
    int count = epoll_wait(epfd, events, EVENTS, 0);
    MUST_BE(count <= EVENTS);
    for (int i = 0; i < count; i++) {
        int is_first = events[i].data.u64 == (MARK | FIRST);
        MUST_BE((events[i].data.u64 & ~UINT64_C(0x3ff)) == MARK);
        MUST_BE(!is_first || !is_first_there || !(events[i].events & (EPOLLHUP | EPOLLERR)));
        of_first += is_first;
    }
    return of_first;
}

/* One more, which finds its home at once. */
static void call_worker(struct input *in) {
    int fd = number(in);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = MARK | (unsigned)fd};
    int epfd = made(epoll_create1(0));
    epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
    wait_for(epfd);
}

static void call_wait(struct input *in) {
    wait_for(number(in));
}

static int accept_from(int fd) {
    int connection = made(accept4(fd, NULL, NULL, SOCK_NONBLOCK));
    if (connection >= 0)
        MUST_BE(option(connection, SO_ACCEPTCONN) == 0 && fd_entry(connection) == FD_OTHER);
    return connection;
}

static void call_accept(struct input *in) {
    accept_from(number(in));
}

/* From far above, so that it takes none of the numbers. */
static void dial(int fd) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = port_of(fd), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int low = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int client = real.fcntl(low, F_DUPFD, CLIENTS);
    real.close(low);
    end_by_reset(client);
    if (address.sin_port)
        real.connect(client, (struct sockaddr *)&address, sizeof address);
    clients++;
}

static void call_dial(struct input *in) {
    dial(number(in));
}

static void call_close(struct input *in) {
    int fd = number(in);
    check_number(fd);
    is_first_there &= fd != FIRST;
    close(fd);
    expected[fd] = (struct open_file){0};
    is_bound[fd] = 0;
}

static void call_dup(struct input *in) {
    int fd = number(in);
    int copy = made(dup(fd));
    if (copy >= 0)
        is_bound[copy] = is_bound[fd];
}

static void call_shutdown(struct input *in) {
    int fd = number(in);
    shutdown(fd, (int)(next_byte(in) % 3));
    is_first_there = 0; /* perhaps by another number */
}

static void call_poll(struct input *in) {
    struct pollfd list[3];
    for (int i = 0; i < 3; i++)
        list[i] = (struct pollfd){.fd = number(in), .events = POLLIN};
    int count = poll(list, 3, 0);
    for (int i = 0; i < 3; i++)
        count -= list[i].revents != 0;
    MUST_BE(count == 0);
}

static void call_select(struct input *in) {
    fd_set set;
    FD_ZERO(&set);
    int fd = number(in);
    FD_SET(fd, &set);
    int count = select(fd + 1, &set, NULL, NULL, &(struct timeval){0});
    MUST_BE(count <= 0 || FD_ISSET(fd, &set));
}

static void call_option(struct input *in) {
    static const int names[] = {SO_REUSEPORT, SO_KEEPALIVE, SO_RCVBUF};
    int fd = number(in);
    int name = names[next_byte(in) % 3];
    int on = (int)(next_byte(in) % 2);
    socklen_t length = sizeof on;
    setsockopt(fd, SOL_SOCKET, name, &on, sizeof on);
    getsockopt(fd, SOL_SOCKET, name, &on, &length);
}

static void call_flags(struct input *in) {
    fcntl(number(in), F_SETFL, O_NONBLOCK);
}

/* To another process, it seems. With connections queued it would wait for their end. */
static void call_send(struct input *in) {
    int ends[2];
    char place[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr message = {.msg_control = place, .msg_controllen = sizeof place};
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    int fd = number(in);
    if (clients || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) < 0)
        return;
    *part = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(part), &fd, sizeof fd);
    sendmsg(ends[0], &message, 0);
    close(ends[0]);
    close(ends[1]);
}

/* With FUZZ_TRACE in the environment each is told, for whoever reads an input that failed. */
static void make(struct input *in) {
#define CALL(name)                                                                                 \
    { #name, name }
    static const struct {
        const char *name;
        void (*make)(struct input *);
    } calls[] = {CALL(write_word),  CALL(write_word),    CALL(write_shard), CALL(write_shard),
                 CALL(write_all),   CALL(call_wait),     CALL(call_wait),   CALL(call_wait),
                 CALL(call_accept), CALL(call_accept),   CALL(call_dial),   CALL(call_dial),
                 CALL(call_ctl),    CALL(call_ctl),      CALL(call_close),  CALL(call_listen),
                 CALL(call_socket), CALL(call_sibling),  CALL(call_worker), CALL(call_dup),
                 CALL(call_poll),   CALL(call_shutdown), CALL(call_option), CALL(call_flags),
                 CALL(call_select), CALL(write_policy),  CALL(call_send),   CALL(call_instance)};
#undef CALL
    unsigned which = next_byte(in) % (sizeof calls / sizeof calls[0]);
    if (getenv("FUZZ_TRACE"))
        fprintf(stderr, "%s %02x %02x %02x\n", calls[which].name, in->left ? in->at[0] : 0,
                in->left > 1 ? in->at[1] : 0, in->left > 2 ? in->at[2] : 0);
    calls[which].make(in);
}

/* ---- a sequence ---- */

/* A listener, and workers that have waited for it and are told of what comes. */
static void start_server(unsigned flags) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = MARK | FIRST};
    config.mode = flags & 1 ? MODE_AUTO : MODE_REUSEPORT;
    config.shards = 1 + (flags >> 1 & 7);
    config.steal = flags >> 4 & 3;
    int told = 0;
    is_bound[made(bound_socket(SOCK_STREAM, (int)(flags & 1), 0))] = 1;
    MUST_BE(listen(FIRST, 8) == 0);
    for (int i = 1; i <= WORKERS; i++) {
        made(epoll_create1(0));
        MUST_BE(epoll_ctl(FIRST + i, EPOLL_CTL_ADD, FIRST, &event) == 0);
        wait_for(FIRST + i);
    }
    dial(FIRST);
    for (int i = 1; i <= WORKERS && !told; i++)
        told = wait_for(FIRST + i);
    MUST_BE(told == 1);
    MUST_BE(accept_from(FIRST) >= 0);
    clients = 0;
    is_first_there = 1;
}

/* A worker that takes whatever it is told of comes to rest. */
static void check_rest(int epfd) {
    int turns = 0;
    while (wait_for(epfd) && turns++ < TURNS_MOST)
        while (accept_from(FIRST) >= 0)
            continue;
    MUST_BE(turns < TURNS_MOST);
}

static void end_server(void) {
    for (int fd = FIRST; fd < CLIENTS; fd++) {
        check_number(fd);
        if (expected[fd].is_open)
            close(fd);
        expected[fd] = (struct open_file){0};
    }
    is_first_there = 0;
    real.close_range(CLIENTS, HIDDEN - 1, 0);
}

/* In a thread of its own, with whose end the library gives up what it has for it. */
static void *run(void *argument) {
    struct input *in = argument;
    struct scribbler scribbler;
    unsigned flags = next_byte(in);
    int is_threaded = flags >> 6 == 3;
    memset(expected, 0, sizeof expected);
    memset(is_bound, 0, sizeof is_bound);
    start_server(flags);
    if (is_threaded)
        scribbler_start(&scribbler, set_of(FIRST), next_byte(in));
    for (int i = 0; in->left && i < CALLS_MOST; i++)
        make(in);
    if (is_threaded && flags & 8) /* while it goes on */
        end_server();
    if (is_threaded)
        scribbler_stop(&scribbler);
    for (int i = 1; i <= WORKERS && is_first_there; i++)
        check_rest(FIRST + i);
    end_server();
    return NULL;
}

static void check_nothing_is_left(void) {
    static struct open_file now[END];
    open_files(now);
    for (int fd = FIRST; fd < END; fd++)
        MUST_BE(!now[fd].is_open);
    MUST_BE(fd_next(0, FD_LIMIT - 1) < 0 && !listener_any());
    for (int i = 0; i < watch_end(); i++)
        MUST_BE(!atomic_load(&watch_at(i)->set));
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    real_find();
    config_read(&config, (char *const[]){"UNHERD_LOG=off", NULL}, 1);
    listener_start(&config);
    poller_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    pthread_t thread;
    prepare_numbers();
    MUST_BE(pthread_create(&thread, NULL, run, &in) == 0);
    MUST_BE(pthread_join(thread, NULL) == 0);
    check_nothing_is_left();
    return 0;
}
