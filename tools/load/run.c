#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"

/* Beginning many that are overdue must not keep the answers of the others waiting. */
enum { STARTS_AT_ONCE = 64, EVENTS = 256 };

static const int64_t TICK = 100 * NS_PER_MS;

/* Linked by `older` and `newer`. */
struct list {
    struct exchange *oldest, *newest;
    long count;
};

struct run {
    struct plan *plan;
    struct tally *tally;
    int epoll, timer;
    int problem; /* an errno that ends the run */
    int64_t start;
    int64_t armed; /* the time at which the timer fires, or NEVER */
    struct traffic traffic;
    struct connection coming; /* the next one; its gap is in seconds */
    double due;               /* it is, so many seconds after the start, if all come at random */
    int64_t next_tick;
    struct list live;
    struct list idle;        /* connections that are kept */
    struct exchange *unused; /* linked by `newer` */
};

/* --- the exchanges --- */

static void append(struct list *list, struct exchange *e) {
    e->newer = NULL;
    e->older = list->newest;
    *(list->newest ? &list->newest->newer : &list->oldest) = e;
    list->newest = e;
    list->count++;
}

static void take_out(struct list *list, struct exchange *e) {
    *(e->older ? &e->older->newer : &list->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &list->newest) = e->older;
    list->count--;
}

static struct exchange *take_unused(struct run *r) {
    struct exchange *e = r->unused;
    if (e)
        r->unused = e->newer;
    else if (!(e = malloc(sizeof *e)))
        r->problem = errno;
    return e;
}

/* It is in neither list any more. */
static void drop(struct run *r, struct exchange *e) {
    if (e->fd >= 0)
        close(e->fd);
    e->newer = r->unused;
    r->unused = e;
}

static void end(struct run *r, struct exchange *e) {
    r->tally->connected += e->fd >= 0 && (e->sent > 0 || e->received > 0);
    take_out(&r->live, e);
    drop(r, e);
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
    request_get(&e->own, "localhost", path, r->plan->request.keeps);
    e->request = &e->own;
}

static void watch(struct run *r, struct exchange *e, int operation) {
    struct epoll_event event = {.events = (uint32_t)e->events, .data.ptr = e};
    if (epoll_ctl(r->epoll, operation, e->fd, &event) < 0)
        lose(r, e, NOT_STARTED);
}

static void connect_one(struct run *r, struct exchange *e, long number) {
    enum outcome outcome = exchange_start(e, &r->plan->target, number);
    if (outcome == UNDECIDED)
        watch(r, e, EPOLL_CTL_ADD);
    else
        lose(r, e, outcome);
}

/* The server had closed the connection that was kept: the request goes over another one. */
static void connect_anew(struct run *r, struct exchange *e) {
    close(e->fd);
    connect_one(r, e, r->plan->first + r->tally->connections);
}

static void request_again(struct run *r, struct exchange *e) {
    int before = e->events;
    if (exchange_again(e) == STALE)
        connect_anew(r, e);
    else if (e->events != before)
        watch(r, e, EPOLL_CTL_MOD);
}

static void start_one(struct run *r, int64_t scheduled) {
    struct exchange *e = r->idle.oldest;
    bool is_kept = e;
    if (is_kept)
        take_out(&r->idle, e);
    else if (!(e = take_unused(r)))
        return;
    prepare_request(r, e);
    draw_next(r);
    e->started = clock_now();
    e->scheduled = r->plan->rate > 0 ? scheduled : e->started;
    if (e->started - e->scheduled > r->tally->lag)
        r->tally->lag = e->started - e->scheduled;
    append(&r->live, e);
    long number = r->plan->first + r->tally->connections++;
    if (is_kept)
        request_again(r, e);
    else
        connect_one(r, e, number);
}

static void take_answer(struct run *r, struct exchange *e, const struct answer *answer) {
    int64_t latency = clock_now() - e->scheduled - e->asked;
    if (!tally_answer(r->tally, answer, latency, latency > r->plan->slow))
        r->problem = ENOMEM;
    if (!exchange_can_go_on(e)) {
        end(r, e);
        return;
    }
    r->tally->connected++;
    take_out(&r->live, e);
    append(&r->idle, e);
    e->is_idle = true;
}

static void continue_one(struct run *r, struct exchange *e) {
    struct answer answer;
    if (e->is_idle) { /* nothing but its end can come */
        take_out(&r->idle, e);
        drop(r, e);
        return;
    }
    int before = e->events;
    enum outcome outcome = exchange_continue(e, &answer);
    if (outcome == ANSWERED)
        take_answer(r, e, &answer);
    else if (outcome == STALE)
        connect_anew(r, e);
    else if (outcome != UNDECIDED)
        lose(r, e, outcome);
    else if (e->events != before)
        watch(r, e, EPOLL_CTL_MOD);
}

/* --- what is due, and when --- */

static bool all_begun(const struct run *r) {
    return r->tally->connections >= r->plan->count ||
           (r->plan->duration && r->plan->rate <= 0 && clock_now() >= r->start + r->plan->duration);
}

/* In a closed loop the next one is due as soon as there is a place for it; where connections are
 * kept there are only so many places, and what is due waits for one. */
static int64_t next_start(const struct run *r) {
    const struct plan *plan = r->plan;
    bool has_place = r->live.count < plan->parallel;
    if (all_begun(r) || (!has_place && (plan->rate <= 0 || plan->request.keeps)))
        return NEVER;
    if (plan->rate > 0) {
        double due = plan->poisson ? r->due : (double)r->tally->connections / plan->rate;
        return r->start + (int64_t)(due * (double)NS_PER_S);
    }
    return r->start;
}

static void start_due(struct run *r) {
    for (int i = 0; i < STARTS_AT_ONCE && !r->problem; i++) {
        int64_t due = next_start(r);
        if (due > clock_now())
            return;
        start_one(r, due);
    }
}

static int64_t next_timeout(const struct run *r) {
    return r->live.oldest ? r->live.oldest->started + r->plan->timeout : NEVER;
}

static void give_up_overdue(struct run *r) {
    int64_t now = clock_now();
    while (r->live.oldest && next_timeout(r) <= now)
        lose(r, r->live.oldest, TIMED_OUT);
}

static void tick(struct run *r) {
    int64_t now = clock_now();
    if (!r->plan->tick || now < r->next_tick)
        return;
    r->plan->tick(r->plan->context, now - r->start);
    r->next_tick = clock_now() + TICK;
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

static bool prepare(struct run *r) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    r->armed = NEVER;
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    traffic_begin(&r->traffic, r->plan->rate > 0 ? 1 / r->plan->rate : 0, r->plan->service,
                  r->plan->seed);
    draw_next(r);
    r->start = clock_now();
    r->next_tick = r->plan->tick ? r->start : NEVER;
    if (r->epoll >= 0 && r->timer >= 0 && !epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->timer, &event))
        return true;
    r->problem = errno;
    return false;
}

static void wait_and_continue(struct run *r) {
    struct epoll_event events[EVENTS];
    int n = epoll_wait(r->epoll, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr)
            continue_one(r, events[i].data.ptr);
        else
            take_timer(r);
    }
}

static void loop(struct run *r, const volatile sig_atomic_t *stop) {
    while (!*stop && !r->problem) {
        int64_t next_signal = signals_send_due(&r->plan->signals, r->start);
        start_due(r);
        give_up_overdue(r);
        tick(r);
        if (all_begun(r) && r->live.count == 0)
            return;
        int64_t next = earlier(next_start(r), next_timeout(r));
        arm(r, earlier(earlier(next_signal, r->next_tick), next));
        wait_and_continue(r);
    }
}

static void release(struct run *r) {
    while (r->live.oldest)
        lose(r, r->live.oldest, UNANSWERED);
    for (struct exchange *e; (e = r->idle.oldest);) {
        take_out(&r->idle, e);
        drop(r, e);
    }
    for (struct exchange *e; (e = r->unused);) {
        r->unused = e->newer;
        free(e);
    }
    if (r->epoll >= 0)
        close(r->epoll);
    if (r->timer >= 0)
        close(r->timer);
}

enum ending load_run(struct plan *plan, struct tally *tally, const volatile sig_atomic_t *stop) {
    struct run r = {.plan = plan, .tally = tally};
    if (prepare(&r))
        loop(&r, stop);
    signals_finish(&plan->signals);
    tally->took = clock_now() - r.start;
    release(&r);
    errno = r.problem;
    return r.problem ? RUN_FAILED : *stop ? RUN_INTERRUPTED : RUN_WHOLE;
}
