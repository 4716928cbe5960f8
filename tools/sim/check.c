#include "check.h"

#include <math.h>
#include <stdio.h>

#include "result.h"
#include "theory.h"

#define TOLERANCE 0.02

static uint64_t seed;
static long times; /* as many connections as a quick check has */

static bool compare(const char *what, double simulated, double known) {
    double error = simulated / known - 1;
    bool holds = fabs(error) <= TOLERANCE; /* not for one that is not a number */
    printf("%-3s %-52s %9.4f %9.4f %+6.2f %%\n", holds ? "ok" : "BAD", what, simulated, known,
           100 * error);
    return holds;
}

static struct result simulate(struct plan plan, long connections) {
    struct result result;
    plan.connections = times * connections;
    plan.seed = seed;
    result_of(&result, &plan);
    return result;
}

static bool check_single_worker(void) {
    struct result half = simulate(plan_of("reuseport", 16, 0.5, EXPONENTIAL), 2000000);
    struct result busy = simulate(plan_of("reuseport", 16, 0.7, EXPONENTIAL), 4000000);
    struct result alike = simulate(plan_of("reuseport", 16, 0.7, DETERMINISTIC), 2000000);
    struct result heavy = simulate(plan_of("reuseport", 16, 0.2, HEAVY), 4000000);
    bool holds = compare("reuseport, load 0.5, exp: mean (M/M/1)", half.median[MEAN],
                         erlang_mean_wait(1, 0.5));
    holds &= compare("reuseport, load 0.5, exp: p99 (M/M/1)", half.median[P99],
                     erlang_percentile(1, 0.5, 0.99));
    holds &= compare("reuseport, load 0.7, exp: mean (M/M/1)", busy.median[MEAN],
                     erlang_mean_wait(1, 0.7));
    holds &= compare("reuseport, load 0.7, exp: p99 (M/M/1)", busy.median[P99],
                     erlang_percentile(1, 0.7, 0.99));
    holds &= compare("reuseport, load 0.7, det: mean (M/D/1)", alike.median[MEAN],
                     khinchine_mean_wait(0.7, service_second_moment(DETERMINISTIC)));
    holds &= compare("reuseport, load 0.2, heavy: mean (M/G/1)", heavy.median[MEAN],
                     khinchine_mean_wait(0.2, service_second_moment(HEAVY)));
    return holds;
}

static bool check_single_queue(void) {
    struct result few = simulate(plan_of("single", 4, 0.7, EXPONENTIAL), 3000000);
    struct result many = simulate(plan_of("single", 8, 0.8, EXPONENTIAL), 4000000);
    bool holds = compare("single, 4 workers, load 0.7, exp: mean (M/M/c)", few.median[MEAN],
                         erlang_mean_wait(4, 0.7));
    holds &= compare("single, 4 workers, load 0.7, exp: p99 (M/M/c)", few.median[P99],
                     erlang_percentile(4, 0.7, 0.99));
    holds &= compare("single, 8 workers, load 0.8, exp: mean (M/M/c)", many.median[MEAN],
                     erlang_mean_wait(8, 0.8));
    return holds;
}

/* With thieves for everything no worker is idle while somebody waits, as with one queue: the mean
 * is the same then, in whatever order they are served. */
static bool check_stealing(void) {
    struct plan all = plan_of("steal", 8, 0.7, EXPONENTIAL);
    struct plan shared = plan_of("steal", 8, 0.7, EXPONENTIAL);
    struct plan some = plan_of("steal", 3, 0.7, EXPONENTIAL);
    shared.shards = 4;
    shared.steal = 3;
    some.steal = 1;
    some.take = FROM_HOME; /* as the chain has it */
    bool holds = compare("steal 7, 8 workers, load 0.7, exp: mean (M/M/c)",
                         simulate(all, 2000000).median[MEAN], erlang_mean_wait(8, 0.7));
    holds &= compare("steal 3, 8 workers, 4 shards, load 0.7: mean (M/M/c)",
                     simulate(shared, 2000000).median[MEAN], erlang_mean_wait(8, 0.7));
    holds &= compare("steal 1, 3 workers, load 0.7, exp: mean (chain)",
                     simulate(some, 2000000).median[MEAN], chain_mean_wait(0.7));
    return holds;
}

static bool check_others(void) {
    struct plan stalled = plan_of("reuseport", 1, 0.5, EXPONENTIAL);
    stalled.stall = 10;
    stalled.stall_every = 100;
    bool holds = compare("robin, 4 workers, load 0.7, exp: mean (E4/M/1)",
                         simulate(plan_of("robin", 4, 0.7, EXPONENTIAL), 2000000).median[MEAN],
                         robin_mean_wait(4, 0.7));
    holds &= compare("two, 1024 workers, load 0.8, exp: mean (no end)",
                     simulate(plan_of("two", 1024, 0.8, EXPONENTIAL), 2000000).median[MEAN],
                     two_mean_wait(0.8));
    holds &= compare("1 worker, stuck 10 in 100, load 0.5, exp: mean",
                     simulate(stalled, 3000000).median[MEAN], stalled_mean_wait(0.5, 10, 100));
    return holds;
}

bool check_all(const struct plan *plan) {
    seed = plan->seed;
    times = plan->runs;
    printf("%-56s %9s %9s\n", "", "simulated", "theory");
    bool holds = check_single_worker();
    holds &= check_single_queue();
    holds &= check_stealing();
    holds &= check_others();
    return holds;
}
