#include "bench_load.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../load/clock.h"
#include "../load/run.h"

enum { TIMEOUT_MS = 5000, ROOM = 1 << 16, MS_PER_S = 1000 };

bool load_knows_signal(const char *name) {
    return signals_know(name);
}

static const char *make_request(struct request *request, const struct bench_plan *plan) {
    bool has_name = *plan->address && strncmp(plan->address, "unix:", 5) != 0;
    if (!plan->is_plain)
        return request_get(request, has_name ? plan->address : "localhost", plan->path,
                           plan->keeps_alive);
    const char *problem = request_plain(request, plan->send ? plan->send : "");
    request->may_be_silent = plan->may_be_silent;
    return problem;
}

const char *load_check(const struct bench_plan *plan) {
    static char text[512];
    struct request request;
    struct target target = {.anywhere = plan->is_remote};
    const char *problem = *plan->address ? target_parse(&target, plan->address) : NULL;
    if (problem && strstr(problem, "loopback"))
        problem = "not a loopback address; --remote allows others";
    if (problem) {
        snprintf(text, sizeof text, "--url: %s: %s", plan->address, problem);
        return text;
    }
    problem = make_request(&request, plan);
    if (!problem)
        return NULL;
    snprintf(text, sizeof text, "%s: %s", plan->is_plain ? "--send" : "--url", problem);
    return text;
}

/* Addresses from where nothing has come for long: the ports of one last for a while only. */
static long connections_so_far;

static void make_plan(struct plan *plan, const struct bench *bench) {
    *plan = (struct plan){.parallel = bench->plan.connections,
                          .timeout = TIMEOUT_MS * NS_PER_MS,
                          .slow = NEVER,
                          .count = COUNT_MAX,
                          .first = connections_so_far};
    plan->target.anywhere = bench->plan.is_remote;
    target_parse(&plan->target, bench->address);
    plan->target.spread = !strncmp(bench->address, "127.", 4);
    make_request(&plan->request, &bench->plan);
}

static enum ending run_plan(struct plan *plan, struct tally *tally) {
    if (!tally_init(tally, ROOM))
        return RUN_FAILED;
    enum ending ending = load_run(plan, tally, &bench_stop);
    connections_so_far += tally->connections;
    tally_sort(tally);
    return ending;
}

bool load_probe(const struct bench *bench) {
    static struct plan plan;
    static struct tally tally;
    make_plan(&plan, bench);
    plan.count = plan.parallel = 1;
    run_plan(&plan, &tally);
    bool is_answered = tally.outcomes[ANSWERED] == 1;
    tally_free(&tally);
    return is_answered;
}

void load_warm(const struct bench *bench, double seconds) {
    static struct plan plan;
    static struct tally tally;
    make_plan(&plan, bench);
    plan.duration = (int64_t)(seconds * (double)NS_PER_S);
    run_plan(&plan, &tally);
    tally_free(&tally);
}

/* ---- the disturbances: at a quarter, at the half, and at three quarters ---- */

static void disturb(struct plan *plan, const struct bench_plan *asked,
                    const struct disturbance *disturbance) {
    char text[64];
    int quarter = (int)(asked->duration * MS_PER_S / 4);
    const char *problem = NULL;
    if (disturbance->stalled) {
        snprintf(text, sizeof text, "%d@%d+%d", (int)disturbance->stalled, quarter,
                 asked->stall_ms);
        problem = signals_add_stop(&plan->signals, text);
    }
    if (disturbance->killed && !problem) {
        snprintf(text, sizeof text, "KILL:%d@%d", (int)disturbance->killed, 2 * quarter);
        problem = signals_add(&plan->signals, text);
    }
    if (disturbance->reloaded && !problem) {
        snprintf(text, sizeof text, "%s:%d@%d", asked->reload, (int)disturbance->reloaded,
                 3 * quarter);
        problem = signals_add(&plan->signals, text);
    }
    if (problem)
        fprintf(stderr, "unherd bench: %s: %s\n", text, problem);
}

/* ---- what came of it ---- */

/* Thirty-two buckets for each doubling: 2 % wide. */
static size_t bucket_of(uint32_t us) {
    size_t bucket = us < 1 ? 0 : (size_t)(log2((double)us) * 32);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static void take_latencies(struct round *round, struct outcome_of *outcome,
                           const struct tally *tally) {
    static const double parts[] = {0.5, 0.9, 0.99, 0.999, 1};
    for (int i = 0; i < 5; i++)
        round->figure[P50 + i] = tally_percentile(tally, parts[i]) / 1000.0;
    for (long i = 0; i < tally->outcomes[ANSWERED]; i++)
        outcome->latency[bucket_of(tally->latencies[i])]++;
}

/* A worker that answered nothing shows only in that there are more of them than names. */
static void take_names(struct round *round, const struct tally *tally, size_t workers) {
    size_t count = (size_t)tally->worker_count;
    if (tally->named < tally->outcomes[ANSWERED] || count > SHARES_MAX)
        return;
    for (size_t i = 0; i < count; i++)
        round->share[i] = (double)tally->workers[i].answers;
    while (count < workers && count < SHARES_MAX)
        round->share[count++] = 0;
    round->share_count = count;
}

long load_measure(struct round *round, struct bench *bench, enum variant variant,
                  const struct disturbance *disturbance, size_t workers,
                  void (*tick)(void *context, int64_t passed), void *context) {
    static struct plan plan;
    static struct tally tally;
    make_plan(&plan, bench);
    plan.rate = bench->plan.rate;
    plan.duration = (int64_t)(bench->plan.duration * (double)NS_PER_S);
    if (plan.rate > 0)
        plan.count = (long)ceil(plan.rate * bench->plan.duration);
    plan.tick = tick;
    plan.context = context;
    disturb(&plan, &bench->plan, disturbance);
    enum ending ending = run_plan(&plan, &tally);
    long answers = ending == RUN_FAILED ? -1 : tally.outcomes[ANSWERED];
    if (answers > 0) {
        round->figure[RATE] = (double)answers / ((double)tally.took / (double)NS_PER_S);
        take_latencies(round, &bench->outcome[variant], &tally);
        take_names(round, &tally, workers);
    }
    round->figure[LOST] = (double)tally_lost(&tally);
    round->figure[NOT_OK] = (double)tally.not_ok;
    tally_free(&tally);
    return answers;
}
