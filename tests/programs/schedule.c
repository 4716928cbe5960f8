/*
 * schedule: random schedules of workers around one listener, each checked against what must hold
 * whenever nothing moves. The parts are in schedule/.
 *
 * usage: schedule KEY=NUMBER...
 *   seed=1         of the first schedule; the same seed makes the same steps
 *   schedules=1    how many, with the seeds that follow
 *   steps=40       in each
 *   stuck=8        so many workers at most wait no more and keep what they have; below 8, another
 *                  worker comes at once for one that is killed
 *   policy=0       1: the policy is set, as by unherd set; steal and rotate too
 *   abrupt=1       0: nobody becomes busy while connections come. A worker that was told of one in
 *                  a neighbour's queue may take another from its home, and others do not know of
 *                  the first until it waits again
 *   leaving=1      0: who ends its waiting takes first what it was told of
 *   trace=0        1: says the steps
 *
 * At a violation: the seed, the steps until then, the state; and it ends with 1.
 */
#include "schedule/schedule.h"

struct plan plan = {
    .seed = 1, .schedules = 1, .steps = 40, .stuck = WORKERS, .abrupt = 1, .leaving = 1};

struct totals *totals;

static uint64_t random_state;

/* ---- what is said ---- */

long long milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void note(const char *format, ...) {
    va_list list;
    va_start(list, format);
    size_t room = LOG_SIZE - totals->log_size;
    int size = vsnprintf(totals->log + totals->log_size, room, format, list);
    va_end(list);
    if (size > 0 && (size_t)size < room)
        totals->log_size += (size_t)size;
}

const char *const kinds[] = {"level", "edge", "poll", "select", "accept"};
static const char *const moods[] = {"busy", "idle", "once"};

static void print_worker(int number) {
    const struct worker *worker = &crew[number];
    if (worker->lives)
        printf("%d: %s %s, pid %d, thread %d, %s%s%s%s%s, last in system call %ld\n", number,
               kinds[worker->kind], worker->is_thread ? "thread" : "process", worker->pid,
               worker->tid, moods[worker->mood], worker->is_stopped ? ", stopped" : "",
               worker->is_open ? ", open" : "", worker->is_added ? ", added" : "",
               worker->is_deaf ? ", deaf" : "", sleeps_in(worker->tid));
}

void violation(const char *format, ...) {
    va_list list;
    va_start(list, format);
    printf("violation: ");
    vprintf(format, list);
    va_end(list);
    printf("\n%d connections wait\n", clients_waiting());
    for (int i = 0; i < WORKERS; i++)
        print_worker(i);
    if (listener_fd >= 0) {
        queues_print();
        holdings_print();
    }
    fflush(stdout);
    _exit(1);
}

/* ---- chance ---- */

/* splitmix64, the same everywhere. */
unsigned below(unsigned end) {
    uint64_t z = random_state += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return (unsigned)((z ^ (z >> 31)) % end);
}

/* ---- the quiet points ---- */

static void until_at_rest(void) {
    long long end = milliseconds() + PATIENCE_MS;
    while (!crew_is_at_rest()) {
        if (milliseconds() > end)
            violation("a worker does not come to rest");
        moment();
    }
}

static const char *what_is_wrong(void) {
    const char *wrong;
    queues_list(port_of(listener_fd));
    wrong = queues_check();
    if (!wrong)
        wrong = holdings_check_claims();
    if (!wrong)
        wrong = holdings_check_descriptors();
    return wrong;
}

/* What a thread gives back at its end comes a moment after its report. */
static void until_right(void) {
    long long end = milliseconds() + PATIENCE_MS;
    const char *wrong;
    while ((wrong = what_is_wrong())) {
        if (milliseconds() > end)
            violation("%s", wrong);
        moment();
    }
}

void quiet(void) {
    note("  quiet, %d watch\n", crew_count_watching());
    crew_collect();
    if (crew_count_watching() > 0)
        clients_settle();
    until_at_rest();
    until_right();
    if (queues_count() > totals->queues)
        totals->queues = queues_count();
}

/* ---- a schedule ---- */

static void run(int seed) {
    random_state = (uint64_t)seed;
    worker_leaves_told = plan.leaving;
    crew_open(below(4) == 0);
    note("a listener that %s\n", listener_blocks ? "blocks" : "does not block");
    holdings_begin();
    for (int i = 0; i < plan.steps; i++)
        steps_make_one();
    steps_finish();
    totals->schedules++;
}

static void run_in_child(int seed) {
    int status;
    totals->log_size = 0;
    memset(totals->log, 0, 1);
    pid_t pid = fork_bound();
    if (pid == 0) {
        run(seed);
        exit(0);
    }
    MUST(waitpid(pid, &status, 0));
    if (status || plan.trace)
        printf("seed %d, the steps:\n%s", seed, totals->log);
    if (status) {
        printf("seed=%d steps=%d stuck=%d abrupt=%d leaving=%d policy=%d: ended with status %#x\n",
               seed, plan.steps, plan.stuck, plan.abrupt, plan.leaving, plan.policy,
               (unsigned)status);
        exit(1);
    }
}

static void read_plan(char **arguments) {
    const struct {
        const char *name;
        int *value;
    } keys[] = {{"seed", &plan.seed},     {"schedules", &plan.schedules},
                {"steps", &plan.steps},   {"stuck", &plan.stuck},
                {"abrupt", &plan.abrupt}, {"leaving", &plan.leaving},
                {"policy", &plan.policy}, {"trace", &plan.trace}};
    for (; *arguments; arguments++)
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            size_t length = strlen(keys[i].name);
            if (!strncmp(*arguments, keys[i].name, length) && (*arguments)[length] == '=')
                *keys[i].value = atoi(*arguments + length + 1);
        }
}

/* The library's descriptors are told from ours by where they are, at the top of these. */
static void limit_descriptors(void) {
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 1024;
    MUST(setrlimit(RLIMIT_NOFILE, &limit));
}

int main(int argc, char **argv) {
    (void)argc;
    lab_start(0); /* each schedule has an alarm of its own */
    read_plan(argv + 1);
    limit_descriptors();
    totals = shared_memory(sizeof *totals);
    for (int i = 0; i < plan.schedules; i++)
        run_in_child(plan.seed + i);
    say("%ld schedules, %ld steps, %ld connections, %ld kills", totals->schedules, totals->steps,
        totals->connections, totals->kills);
    fprintf(stderr, "at most %d queues\n", totals->queues);
    return 0;
}
