/*
 * herd: workers around one listener, each kind of them, and clients that count the answers.
 *
 * usage: herd STYLE KEY=NUMBER...
 *   workers=4      how many
 *   visits=400     connections
 *   warm=0         connections before these, which are not counted
 *   burst=1        so many at a time
 *   slow=0         worker 0 takes so many milliseconds for each
 *   signal=0       sent to worker 0 in the middle; SIGTERM means that it leaves in good order
 *   stuck=1        to so many workers, neighbours
 *   again=0        1: new workers in their place afterwards
 *   pause=0        1: the clients start at odd moments
 *
 * Says how many were answered; to stderr, by which worker, and how many times workers were woken.
 */
#include "lab.h"

#include <poll.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/select.h>

enum { WORKERS_MOST = 64, BURST_MOST = 256 };

static struct {
    int workers, visits, warm, burst, slow, signal, stuck, again, pause;
} plan = {.workers = 4, .visits = 400, .burst = 1, .stuck = 1};

enum wait { EPOLL, POLL, PPOLL, SELECT, PSELECT };

struct style {
    const char *name;
    uint32_t events;
    enum wait wait;   /* in what; beside a pipe, if not in epoll */
    bool early;       /* accepts before it waits */
    bool until_empty; /* accepts until EAGAIN */
    bool rearms;      /* MOD after each event */
    bool re_adds;     /* DEL and ADD now and then */
    bool mutex;       /* flock around the wait and the accept */
    bool shared;      /* one instance, made before the fork */
    bool threads;     /* two threads with an instance each, in every worker */
    bool blocking;    /* accept() alone */
};

static const struct style styles[] = {
    {.name = "level", .events = EPOLLIN},
    {.name = "loop", .events = EPOLLIN, .until_empty = true},
    {.name = "edge", .events = EPOLLIN | EPOLLET, .until_empty = true},
    {.name = "oneshot", .events = EPOLLIN | EPOLLONESHOT, .rearms = true},
    {.name = "rdhup", .events = EPOLLIN | EPOLLRDHUP | EPOLLPRI},
    {.name = "exclusive", .events = EPOLLIN | EPOLLEXCLUSIVE},
    {.name = "re-add", .events = EPOLLIN, .re_adds = true},
    {.name = "mutex", .events = EPOLLIN, .mutex = true},
    {.name = "shared", .events = EPOLLIN, .shared = true},
    {.name = "shared-oneshot", .events = EPOLLIN | EPOLLONESHOT, .shared = true, .rearms = true},
    {.name = "threads", .events = EPOLLIN, .threads = true},
    {.name = "accept", .blocking = true},
    {.name = "poll", .wait = POLL},
    {.name = "poll-loop", .wait = POLL, .until_empty = true},
    {.name = "poll-early", .wait = POLL, .early = true},
    {.name = "poll-threads", .wait = POLL, .threads = true},
    {.name = "poll-mutex", .wait = POLL, .mutex = true},
    {.name = "ppoll", .wait = PPOLL},
    {.name = "select", .wait = SELECT},
    {.name = "select-early", .wait = SELECT, .early = true, .until_empty = true},
    {.name = "pselect", .wait = PSELECT},
};

static const struct style *style;
static int fd;
static int shared_epfd = -1;
static char lock_path[] = "/tmp/unherd-lab-XXXXXX";
static pid_t pids[WORKERS_MOST];
static int answers[WORKERS_MOST];
static _Atomic bool is_leaving;
static long woken;

/* ---- a worker ---- */

static void serve_some(int number) {
    while (serve_one(fd, number)) {
        if (number == 0 && plan.slow)
            usleep((useconds_t)plan.slow * 1000);
        if (!style->until_empty)
            return;
    }
}

static void rearm(int epfd, unsigned round) {
    struct epoll_event event = {.events = style->events, .data.u64 = (uint64_t)fd};
    if (style->rearms)
        MUST(epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &event));
    if (!style->re_adds || round % 3)
        return;
    MUST(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, &event));
    if (round % 2) /* half of them come back only after a wait without it */
        epoll_wait(epfd, &event, 1, 1);
    MUST(watch_for(epfd, fd, style->events, (uint64_t)fd));
}

static bool wait_in_epoll(int epfd) {
    struct epoll_event event;
    return epoll_wait(epfd, &event, 1, -1) == 1 && event.data.u64 == (uint64_t)fd;
}

static bool wait_in_poll(int other) {
    struct pollfd list[] = {{.fd = other, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    int count = style->wait == POLL ? poll(list, 2, 60000) : ppoll(list, 2, NULL, NULL);
    return count == 1 && list[1].revents == POLLIN;
}

static bool wait_in_select(int other) {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(other, &readable);
    FD_SET(fd, &readable);
    int end = (other > fd ? other : fd) + 1;
    struct timeval limit = {.tv_sec = 60};
    int count = style->wait == SELECT ? select(end, &readable, NULL, NULL, &limit)
                                      : pselect(end, &readable, NULL, NULL, NULL, NULL);
    return count == 1 && FD_ISSET(fd, &readable) && !FD_ISSET(other, &readable);
}

static bool is_readable(int waiter) {
    if (style->wait == EPOLL)
        return wait_in_epoll(waiter);
    return style->wait <= PPOLL ? wait_in_poll(waiter) : wait_in_select(waiter);
}

static void turn(int epfd, int number, int lock, unsigned round) {
    if (lock >= 0)
        MUST(flock(lock, LOCK_EX));
    if (style->early)
        serve_some(number);
    if (is_readable(epfd))
        serve_some(number);
    if (lock >= 0)
        MUST(flock(lock, LOCK_UN));
    rearm(epfd, round);
}

static void *serve(void *argument) {
    int number = (int)(intptr_t)argument;
    int ends[2];
    MUST(pipe(ends));
    int epfd = style->shared ? shared_epfd : style->wait ? ends[0] : watching(fd, style->events);
    int lock = style->mutex ? MUST(open(lock_path, O_RDWR | O_CLOEXEC)) : -1;
    for (unsigned round = 1; !is_leaving; round++)
        turn(epfd, number, lock, round);
    close(epfd);
    close(fd);
    return NULL;
}

static void on_term(int number) {
    (void)number;
    is_leaving = true;
}

__attribute__((noreturn)) static void work(int number) {
    struct sigaction action = {.sa_handler = on_term};
    MUST(sigaction(SIGTERM, &action, NULL));
    while (style->blocking)
        serve_some(number);
    pthread_t second;
    if (style->threads)
        pthread_create(&second, NULL, serve, (void *)(intptr_t)number);
    serve((void *)(intptr_t)number);
    exit(0);
}

static void start(int number) {
    pids[number] = fork_bound();
    if (pids[number] == 0)
        work(number);
    if (!style->mutex && !style->blocking)
        until_waiting(pids[number]);
}

/* ---- the clients ---- */

static int visit(uint16_t port, int count) {
    int clients[BURST_MOST];
    int answered = 0;
    for (int i = 0; i < count; i++)
        clients[i] = dial(port);
    for (int i = 0; i < count; i++) {
        int number = answer(clients[i]);
        if (number >= 0 && number < WORKERS_MOST)
            answers[number]++;
        answered += number >= 0;
    }
    return answered;
}

static void odd_moment(int round) {
    static unsigned state = 12345;
    state = state * 1103515245U + 12345U;
    if (plan.pause && round % 7 == 0)
        usleep(state >> 16 & 2047);
}

static int visit_all(int visits) {
    uint16_t port = port_of(fd);
    int answered = 0;
    for (int done = 0; done < visits; done += plan.burst) {
        int left = visits - done;
        odd_moment(done);
        answered += visit(port, left < plan.burst ? left : plan.burst);
    }
    return answered;
}

/* ---- the plan ---- */

static void read_plan(char **arguments) {
    const struct {
        const char *name;
        int *value;
    } keys[] = {{"workers", &plan.workers}, {"visits", &plan.visits}, {"burst", &plan.burst},
                {"slow", &plan.slow},       {"signal", &plan.signal}, {"stuck", &plan.stuck},
                {"again", &plan.again},     {"pause", &plan.pause},   {"warm", &plan.warm}};
    for (; *arguments; arguments++)
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            size_t length = strlen(keys[i].name);
            if (!strncmp(*arguments, keys[i].name, length) && (*arguments)[length] == '=')
                *keys[i].value = atoi(*arguments + length + 1);
        }
    if (plan.workers > WORKERS_MOST || plan.stuck > plan.workers || plan.burst > BURST_MOST)
        give_up("so many");
}

static void in_the_middle(void) {
    int count = plan.signal ? plan.stuck : 0;
    for (int i = 0; i < count; i++)
        kill(pids[i], plan.signal);
    for (int i = 0; i < count; i++)
        MUST(waitpid(pids[i], NULL, plan.signal == SIGSTOP ? WUNTRACED : 0));
    for (int i = 0; i < count && plan.again; i++)
        start(i);
}

/* Voluntary context switches of all workers' first threads: each wake-up is one. */
static long count_switches(void) {
    long sum = 0;
    for (int i = 0; i < plan.workers; i++)
        sum += status_number(pids[i], "voluntary_ctxt_switches:");
    return sum;
}

static void end_all(void) {
    for (int i = 0; i < plan.workers; i++)
        kill(pids[i], SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    unlink(lock_path);
}

static void report(int answered) {
    int served = 0;
    int most = 0;
    for (int i = 0; i < plan.workers; i++) {
        fprintf(stderr, "%d ", answers[i]);
        served += answers[i] > 0;
        most = answers[i] > most ? answers[i] : most;
    }
    fprintf(stderr, "\nserving %d, most %d, woken %ld\n", served, most, woken);
    say("answered %d of %d", answered, plan.visits);
}

int main(int argc, char **argv) {
    lab_start(80);
    for (size_t i = 0; argc > 1 && i < sizeof styles / sizeof styles[0]; i++)
        if (!strcmp(argv[1], styles[i].name))
            style = &styles[i];
    if (!style)
        give_up("a style of that name");
    read_plan(argv + 2);
    fd = listener(AF_INET, style->blocking ? 0 : SOCK_NONBLOCK);
    MUST(mkstemp(lock_path));
    if (style->shared)
        shared_epfd = watching(fd, style->events);
    for (int i = 0; i < plan.workers; i++)
        start(i);
    visit_all(plan.warm);
    memset(answers, 0, sizeof answers);
    long before = count_switches();
    int answered = visit_all(plan.visits / 2);
    in_the_middle();
    answered += visit_all(plan.visits - plan.visits / 2);
    woken = plan.signal ? -1 : count_switches() - before;
    end_all();
    report(answered);
    return 0;
}
