/* schedule, the crew: the master's view of its workers, and its orders to them. */
#include "schedule.h"

struct worker crew[WORKERS];
int channels[WORKERS][2];
int listener_fd;
bool listener_blocks;

#define EACH_OF(worker, process)                                                                   \
    for (struct worker *worker = crew; worker < crew + WORKERS; worker++)                          \
        if (worker->lives && worker->pid == (process))

/* The channels are made before all workers, since threads get theirs in a process that is there
 * already. */
void crew_open(bool blocks) {
    listener_blocks = blocks;
    for (int i = 0; i < WORKERS; i++)
        MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channels[i]));
    listener_fd = listener(AF_INET, blocks ? 0 : SOCK_NONBLOCK);
}

/* ---- what they are doing ---- */

long sleeps_in(pid_t tid) {
    char path[64];
    long number = -1;
    snprintf(path, sizeof path, "/proc/%d/syscall", (int)tid);
    FILE *file = fopen(path, "re");
    if (!file || fscanf(file, "%ld", &number) != 1)
        number = -1;
    if (file)
        fclose(file);
    return number;
}

/* Between two orders, or between two connections. */
static bool is_at_rest(const struct worker *worker) {
    long number = sleeps_in(worker->tid);
#ifdef SYS_epoll_wait
    if (number == SYS_epoll_wait || number == SYS_poll || number == SYS_select)
        return true;
#endif
    return number == SYS_epoll_pwait || number == SYS_epoll_pwait2 || number == SYS_ppoll ||
           number == SYS_pselect6 || number == SYS_accept || number == SYS_accept4 ||
           number == SYS_recvfrom || number == SYS_restart_syscall;
}

/* Seen twice: one that was seen asleep may have been woken by another that was not, yet. */
bool crew_is_at_rest(void) {
    for (int i = 0; i < 2 * WORKERS; i++) {
        const struct worker *worker = &crew[i % WORKERS];
        if (worker->lives && !worker->is_stopped && !is_at_rest(worker))
            return false;
    }
    return true;
}

bool crew_can_watch(const struct worker *worker) {
    return !worker->is_deaf && (!has_instance(worker->kind) || worker->is_added);
}

bool crew_watches(const struct worker *worker) {
    return worker->lives && !worker->is_stopped && worker->mood == IDLE && crew_can_watch(worker);
}

int crew_count_watching(void) {
    int count = 0;
    for (int i = 0; i < WORKERS; i++)
        count += crew_watches(&crew[i]);
    return count;
}

int crew_count_stuck(void) {
    int count = 0;
    for (int i = 0; i < WORKERS; i++)
        count += crew[i].lives && crew[i].holds && !crew_watches(&crew[i]);
    return count;
}

int crew_size_of(pid_t pid) {
    int count = 0;
    EACH_OF(worker, pid)
    count++;
    return count;
}

/* ---- orders ---- */

/* A thread that blocks in accept hears of an order by a signal, and one may come just before the
 * call. */
static void collect(int number) {
    struct worker *worker = &crew[number];
    struct pollfd list = {.fd = channels[number][0], .events = POLLIN};
    struct report report;
    long long end = milliseconds() + PATIENCE_MS;
    while (worker->is_pending) {
        if (poll(&list, 1, listener_blocks && worker->tid ? 1 : PATIENCE_MS) == 1) {
            MUST(recv(channels[number][0], &report, sizeof report, 0));
            worker->is_pending = false;
            worker->tid = report.tid;
            worker->epfd = report.epfd;
        } else if (milliseconds() > end)
            violation("worker %d does not obey", number);
        else if (worker->tid)
            syscall(SYS_tgkill, worker->pid, worker->tid, SIGUSR1);
    }
}

void crew_collect(void) {
    for (int i = 0; i < WORKERS; i++)
        if (crew[i].lives)
            collect(i);
}

static void give(int number, struct order order) {
    collect(number);
    MUST(send(channels[number][0], &order, sizeof order, 0));
    crew[number].is_pending = true;
}

static void enlist(int number, pid_t pid, enum kind kind) {
    crew[number] =
        (struct worker){.lives = true, .is_pending = true, .kind = kind, .pid = pid, .epfd = -1};
}

void crew_start(int number, enum kind kind) {
    pid_t pid = fork_bound();
    if (pid == 0) {
        clients_forget();
        worker_live(number, kind);
    }
    enlist(number, pid, kind);
}

void crew_host(int number, int host, enum kind kind) {
    give(host, (struct order){.what = HOST, .number = number, .kind = kind});
    collect(host); /* who may be in accept; the guest says nothing until then */
    enlist(number, crew[host].pid, kind);
    crew[number].is_thread = true;
}

static void expect_mood(struct worker *worker, enum mood mood) {
    worker->mood = mood;
    if (mood == BUSY || !has_instance(worker->kind) || worker->is_open)
        return;
    worker->is_open = worker->is_added = true;
}

/* What the order makes of the worker, as far as its master knows. */
static void expect(struct worker *worker, enum what what) {
    if (what == DELETE || what == ADD)
        worker->is_added = what == ADD;
    else if (what == SERVE_ONE || what == SERVE_ALL || what == SERVE_ONCE)
        expect_mood(worker, what == SERVE_ONCE ? ONCE : IDLE);
    else
        expect_mood(worker, BUSY);
    if (what == CLOSE)
        worker->is_open = worker->is_added = worker->holds = false;
    if (what == LET_GO)
        worker->is_deaf = true, worker->has_waited = worker->holds = false;
    if (worker->mood == IDLE) /* a wait without the listener gives back what it held */
        worker->holds = crew_can_watch(worker);
    else if (worker->mood == ONCE)
        worker->holds |= crew_can_watch(worker);
    worker->has_waited |= worker->holds;
}

void crew_order(int number, enum what what) {
    struct worker *worker = &crew[number];
    give(number, (struct order){.what = what});
    if (what == END) {
        collect(number);
        worker->lives = false;
    } else
        expect(worker, what);
}

/* ---- processes ---- */

static void signal_and_wait(pid_t pid, int number, int options) {
    kill(pid, number);
    MUST(waitpid(pid, NULL, options));
}

static void mark_stopped(pid_t pid, bool is_stopped) {
    EACH_OF(worker, pid)
    worker->is_stopped = is_stopped;
}

void crew_stop(pid_t pid) {
    signal_and_wait(pid, SIGSTOP, WUNTRACED);
    mark_stopped(pid, true);
}

void crew_continue(pid_t pid) {
    signal_and_wait(pid, SIGCONT, WCONTINUED);
    mark_stopped(pid, false);
}

static void order_end(pid_t pid) {
    EACH_OF(worker, pid)
    if (!worker->is_thread) {
        int number = (int)(worker - crew);
        give(number, (struct order){.what = END});
        while (waitpid(pid, NULL, listener_blocks ? WNOHANG : 0) == 0) {
            syscall(SYS_tgkill, pid, worker->tid, SIGUSR1); /* it may be in accept */
            moment();
        }
        return;
    }
}

void crew_end(pid_t pid, bool is_kill) {
    if (is_kill)
        signal_and_wait(pid, SIGKILL, 0);
    else
        order_end(pid);
    EACH_OF(worker, pid)
    worker->lives = false;
}
