#include "run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"

/* Beginning many that are overdue must not keep the answers of the others waiting. */
enum { STARTS_AT_ONCE = 64, EVENTS = 256 };

struct run {
    const struct plan *plan;
    struct tally *tally;
    int epoll, timer;
    int64_t start;
    int64_t armed; /* the time at which the timer fires, or NEVER */
    struct traffic traffic;
    struct connection coming; /* the next one; its gap is in seconds */
    double due;               /* it is, so many seconds after the start, if all come at random */
    long live;
    struct exchange *oldest, *newest;
    struct exchange *unused; /* linked by `newer` */
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

static _Noreturn void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- the exchanges under way --- */

static struct exchange *take_unused(struct run *r) {
    struct exchange *e = r->unused;
    if (e)
        r->unused = e->newer;
    else if (!(e = malloc(sizeof *e)))
        die("memory");
    return e;
}

static void link_newest(struct run *r, struct exchange *e) {
    e->newer = NULL;
    e->older = r->newest;
    *(r->newest ? &r->newest->newer : &r->oldest) = e;
    r->newest = e;
    r->live++;
}

static void unlink_exchange(struct run *r, struct exchange *e) {
    *(e->older ? &e->older->newer : &r->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &r->newest) = e->older;
    r->live--;
}

static void end(struct run *r, struct exchange *e) {
    r->tally->connected += e->fd >= 0 && e->sent > 0;
    if (e->fd >= 0)
        close(e->fd);
    unlink_exchange(r, e);
    e->newer = r->unused;
    r->unused = e;
}

static void lose(struct run *r, struct exchange *e, enum outcome outcome) {
    r->tally->outcomes[outcome]++;
    end(r, e);
}

static void draw_next(struct run *r) {
    r->coming = traffic_next(&r->traffic);
    r->due += r->coming.gap;
}

static void prepare_request(const struct run *r, struct exchange *e) {
    char path[64];
    double ms = r->plan->busy * r->coming.service;
    e->request = &r->plan->request;
    e->asked = (int64_t)(ms * (double)NS_PER_MS);
    if (r->plan->busy <= 0)
        return;
    snprintf(path, sizeof path, "/busy?ms=%.3f", ms);
    plan_request(&e->own, path);
    e->request = &e->own;
}

static void start_one(struct run *r, int64_t scheduled) {
    struct exchange *e = take_unused(r);
    prepare_request(r, e);
    draw_next(r);
    e->started = clock_now();
    e->scheduled = r->plan->rate > 0 ? scheduled : e->started;
    if (e->started - e->scheduled > r->tally->lag)
        r->tally->lag = e->started - e->scheduled;
    link_newest(r, e);
    long number = r->tally->connections++;
    enum outcome outcome = exchange_start(e, &r->plan->target, number);
    struct epoll_event event = {.events = (uint32_t)e->events, .data.ptr = e};
    if (outcome == UNDECIDED && epoll_ctl(r->epoll, EPOLL_CTL_ADD, e->fd, &event) < 0)
        outcome = NOT_STARTED;
    if (outcome != UNDECIDED)
        lose(r, e, outcome);
}

static void continue_one(struct run *r, struct exchange *e) {
    struct answer answer;
    int before = e->events;
    enum outcome outcome = exchange_continue(e, &answer);
    if (outcome == ANSWERED) {
        int64_t latency = clock_now() - e->scheduled - e->asked;
        tally_answer(r->tally, &answer, latency, latency > r->plan->slow);
        end(r, e);
    } else if (outcome != UNDECIDED) {
        lose(r, e, outcome);
    } else if (e->events != before) {
        struct epoll_event event = {.events = (uint32_t)e->events, .data.ptr = e};
        epoll_ctl(r->epoll, EPOLL_CTL_MOD, e->fd, &event);
    }
}

/* --- what is due, and when --- */

static bool all_begun(const struct run *r) {
    return r->tally->connections >= r->plan->count;
}

/* In a closed loop the next one is due as soon as there is a place for it. */
static int64_t next_start(const struct run *r) {
    if (all_begun(r))
        return NEVER;
    if (r->plan->rate > 0) {
        double due = r->plan->poisson ? r->due : (double)r->tally->connections / r->plan->rate;
        return r->start + (int64_t)(due * (double)NS_PER_S);
    }
    return r->live < r->plan->parallel ? r->start : NEVER;
}

static void start_due(struct run *r) {
    for (int i = 0; i < STARTS_AT_ONCE; i++) {
        int64_t due = next_start(r);
        if (due > clock_now())
            return;
        start_one(r, due);
    }
}

static int64_t next_timeout(const struct run *r) {
    return r->oldest ? r->oldest->started + r->plan->timeout : NEVER;
}

static void give_up_overdue(struct run *r) {
    int64_t now = clock_now();
    while (r->oldest && next_timeout(r) <= now)
        lose(r, r->oldest, TIMED_OUT);
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/*
 * A timer that fires too early is harmless, and costs less than setting it anew for every
 * connection. It is a timerfd, for epoll_wait's own timeout knows only milliseconds.
 */
static void arm(struct run *r, int64_t due) {
    if (due == NEVER || r->armed <= due)
        return;
    struct itimerspec when = {.it_value = {.tv_sec = due / NS_PER_S, .tv_nsec = due % NS_PER_S}};
    timerfd_settime(r->timer, TFD_TIMER_ABSTIME, &when, NULL);
    r->armed = due;
}

static void take_timer(struct run *r) {
    uint64_t times;
    if (read(r->timer, &times, sizeof times) > 0)
        r->armed = NEVER;
}

/* --- the loop --- */

static void prepare(struct run *r) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART: epoll_wait ends */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    r->armed = NEVER;
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (r->epoll < 0 || r->timer < 0 || epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->timer, &event) < 0)
        die("cannot begin");
    traffic_begin(&r->traffic, r->plan->rate > 0 ? 1 / r->plan->rate : 0, r->plan->service,
                  r->plan->seed);
    draw_next(r);
    r->start = clock_now();
}

static void loop(struct run *r, struct signals *signals) {
    struct epoll_event events[EVENTS];
    while (!interrupted && (!all_begun(r) || r->live > 0)) {
        int64_t next_signal = signals_send_due(signals, r->start);
        start_due(r);
        give_up_overdue(r);
        if (all_begun(r) && r->live == 0)
            return;
        arm(r, earlier(next_signal, earlier(next_start(r), next_timeout(r))));
        int n = epoll_wait(r->epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                continue_one(r, events[i].data.ptr);
            else
                take_timer(r);
        }
    }
}

static void release(struct run *r) {
    while (r->oldest)
        lose(r, r->oldest, UNANSWERED);
    for (struct exchange *e; (e = r->unused);) {
        r->unused = e->newer;
        free(e);
    }
    close(r->epoll);
    close(r->timer);
}

bool run(struct plan *plan, struct tally *tally) {
    struct run r = {.plan = plan, .tally = tally};
    prepare(&r);
    loop(&r, &plan->signals);
    signals_finish(&plan->signals);
    tally->took = clock_now() - r.start;
    release(&r);
    return !interrupted;
}
