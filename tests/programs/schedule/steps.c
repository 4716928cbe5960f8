/* schedule, the steps: whether one is possible for a worker, and what is done. */
#include "schedule.h"

/*
 * With a listener that blocks, who waits for edges would sleep in its last accept; and who waits in
 * epoll and finds nothing waits in accept too, for the library a second worker, and stuck as soon
 * as the first waits again.
 */
static enum kind any_kind(void) {
    static const enum kind for_blocking[] = {LEVEL, POLL, SELECT, ACCEPT, ACCEPT, ACCEPT};
    static const enum kind for_others[] = {LEVEL, LEVEL, EDGE, EDGE, POLL, SELECT};
    unsigned any = below(6);
    if (listener_blocks && plan.stuck < WORKERS && any == 0)
        any++;
    return listener_blocks ? for_blocking[any] : for_others[any];
}

static bool takes_orders(const struct worker *worker) {
    return worker->lives && !worker->is_stopped;
}

/* Nobody was told of a connection that is still to be taken, once it is quiet. */
static bool can_be_settled(void) {
    return clients_waiting() == 0 || crew_count_watching() > 0;
}

static bool may_stick(int more) {
    return crew_count_stuck() + more <= plan.stuck;
}

static int count_watching_in(pid_t pid) {
    int count = 0;
    for (int i = 0; i < WORKERS; i++)
        count += crew_watches(&crew[i]) && crew[i].pid == pid;
    return count;
}

static bool is_free(const struct worker *worker) {
    return !worker->lives;
}

static void start(int number) {
    enum kind kind = any_kind();
    enum what what = below(2) ? SERVE_ONE : SERVE_ALL;
    note("%d start %s, serve %s\n", number, kinds[kind], what == SERVE_ONE ? "one" : "all");
    crew_start(number, kind);
    crew_order(number, what);
}

static bool is_host(const struct worker *worker) {
    bool any = false;
    for (int i = 0; i < WORKERS; i++)
        any |= is_free(&crew[i]);
    return any && takes_orders(worker) && !worker->is_deaf && !worker->is_thread;
}

static void host(int number) {
    enum kind kind = any_kind();
    int guest = 0;
    while (!is_free(&crew[guest]))
        guest++;
    note("%d host %d %s\n", number, guest, kinds[kind]);
    crew_host(guest, number, kind);
    crew_order(guest, SERVE_ONE);
}

static bool can_serve(const struct worker *worker) {
    return takes_orders(worker) && (!worker->is_open || worker->is_added) && !worker->is_deaf;
}

static void serve(int number) {
    enum what what = below(2) ? SERVE_ONE : SERVE_ALL;
    note("%d serve %s\n", number, what == SERVE_ONE ? "one" : "all");
    crew_order(number, what);
}

static bool can_serve_once(const struct worker *worker) {
    return plan.abrupt && can_serve(worker) && may_stick(crew_watches(worker) || !worker->holds);
}

static void serve_once(int number) {
    note("%d serve once\n", number);
    crew_order(number, SERVE_ONCE);
}

static bool can_be_busy(const struct worker *worker) {
    return takes_orders(worker) && worker->mood != BUSY && may_stick(crew_watches(worker));
}

static void be_busy(int number) {
    if (!plan.abrupt)
        quiet();
    note("%d busy\n", number);
    crew_order(number, BE_BUSY);
    if (!plan.abrupt)
        crew_collect();
}

static bool can_delete(const struct worker *worker) {
    return takes_orders(worker) && worker->is_added && !worker->is_deaf;
}

static void delete (int number) {
    note("%d delete\n", number);
    crew_order(number, DELETE);
}

static bool can_add(const struct worker *worker) {
    return takes_orders(worker) && worker->is_open && !worker->is_added && !worker->is_deaf;
}

static void add(int number) {
    note("%d add\n", number);
    crew_order(number, ADD);
}

static bool can_close(const struct worker *worker) {
    return takes_orders(worker) && worker->is_open;
}

static void close_instance(int number) {
    note("%d close\n", number);
    crew_order(number, CLOSE);
}

static bool can_let_go(const struct worker *worker) {
    return takes_orders(worker) && !worker->is_deaf && crew_size_of(worker->pid) == 1;
}

static void let_go(int number) {
    note("%d let go\n", number);
    crew_order(number, LET_GO);
}

static bool can_stop(const struct worker *worker) {
    int here = count_watching_in(worker->pid);
    return takes_orders(worker) && crew_count_watching() > here && may_stick(here);
}

static void stop(int number) {
    quiet();
    note("%d stop\n", number);
    crew_stop(crew[number].pid);
}

static bool can_continue(const struct worker *worker) {
    return worker->lives && worker->is_stopped;
}

static void go_on(int number) {
    note("%d continue\n", number);
    crew_continue(crew[number].pid);
}

/* A process ends with all its threads, of which each might have a connection. */
static bool can_end(const struct worker *worker) {
    bool is_alone = worker->is_thread || crew_size_of(worker->pid) == 1;
    return takes_orders(worker) && (is_alone || can_be_settled());
}

static void end(int number) {
    pid_t pid = crew[number].pid;
    if (!crew[number].is_thread && crew_size_of(pid) > 1)
        quiet();
    note("%d end\n", number);
    if (crew[number].is_thread)
        crew_order(number, END);
    else
        crew_end(pid, false);
}

static bool can_be_killed(const struct worker *worker) {
    return worker->lives && can_be_settled();
}

static void be_killed(int number) {
    quiet();
    note("%d kill\n", number);
    crew_end(crew[number].pid, true);
    totals->kills++;
    if (plan.stuck == WORKERS)
        return;
    start(number); /* nobody says that a worker was killed; the next one that claims does */
    quiet();
}

static bool is_any(const struct worker *worker) {
    (void)worker;
    return true;
}

static void come(int number) {
    (void)number;
    int count = 1 + (int)below(5);
    note("connect %d\n", count);
    clients_connect(count);
    totals->connections += count;
}

/* With so many stuck there is a thief for each queue all the same. */
static unsigned any_steal(void) {
    return (unsigned)(plan.stuck < WORKERS ? plan.stuck : 2 * WORKERS) + below(3);
}

static void set_policy(int number) {
    static const enum mode modes[] = {MODE_EXCLUSIVE, MODE_REUSEPORT, MODE_OFF};
    struct policy policy = {modes[below(3)], any_steal(), below(3)};
    bool kicks = below(2);
    (void)number;
    note("set mode %d, steal %u, rotate %u%s\n", policy.mode, policy.steal, policy.rotate,
         kicks ? ", and kick" : "");
    holdings_set_policy(policy, kicks);
}

static const struct step {
    unsigned weight;
    bool (*is_possible)(const struct worker *worker);
    void (*make)(int number);
} steps[] = {
    {12, is_free, start},
    {4, is_host, host},
    {16, can_serve, serve},
    {4, can_serve_once, serve_once},
    {7, can_be_busy, be_busy},
    {4, can_delete, delete},
    {6, can_add, add},
    {3, can_close, close_instance},
    {1, can_let_go, let_go},
    {4, can_stop, stop},
    {8, can_continue, go_on},
    {3, can_end, end},
    {3, can_be_killed, be_killed},
    {25, is_any, come},
    {8, is_any, set_policy}, /* only where the plan has it */
};

static const struct step *any_step(void) {
    size_t count = sizeof steps / sizeof steps[0] - !plan.policy;
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += steps[i].weight;
    unsigned left = below(sum);
    const struct step *step = steps;
    while (left >= step->weight)
        left -= step++->weight;
    return step;
}

/* One of them, that connections come, is always possible. */
void steps_make_one(void) {
    const struct step *step;
    int number;
    do {
        step = any_step();
        number = (int)below(WORKERS);
    } while (!step->is_possible(&crew[number]));
    step->make(number);
    totals->steps++;
    if (below(2))
        quiet();
}

/* Somebody watches, or what is still queued would have no answer. */
static void have_one_watch(void) {
    for (int i = 0; i < WORKERS && !crew_count_watching(); i++) {
        if (is_free(&crew[i]))
            start(i);
        if (can_add(&crew[i]))
            add(i);
        if (can_serve(&crew[i]))
            serve(i);
    }
    if (!crew_count_watching()) { /* all have let go of the listener */
        end(0);
        start(0);
    }
}

void steps_finish(void) {
    for (int i = 0; i < WORKERS; i++)
        if (can_continue(&crew[i]))
            go_on(i);
    have_one_watch();
    quiet();
    for (int i = 0; i < WORKERS; i++)
        if (crew[i].lives && !crew[i].is_thread)
            crew_end(crew[i].pid, below(2));
    quiet();
    holdings_end();
}
