#include "bench_round.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../load/clock.h"
#include "bench_account.h"
#include "bench_keeper.h"
#include "bench_load.h"
#include "bench_place.h"
#include "bench_port.h"
#include "bench_progress.h"
#include "bench_share.h"
#include "command.h"

enum {
    LOOK_MS = 20,
    SECOND_LOOK_MS = 100,
    QUIET_MS = 200,
    PORT_MS = 65000,
    AGAIN_MS = 1000,
    WORDS_MAX = 1024
};

static const double WARM_S = 0.2;
static const double QUIET_PART = 0.1; /* of one CPU */

struct run {
    struct bench *bench;
    enum variant variant;
    int number;
    struct keeper keeper;
    struct account account;
    bool looks_often; /* processes will end in the middle */
};

/* ---- starting ---- */

/* Under the library by unherd run, so that nothing differs from what a user would start. */
static void make_command(char *words[WORDS_MAX], const struct bench *bench, enum variant variant) {
    static const char *const modes[] = {
        [EXCLUSIVE] = "exclusive", [REUSEPORT] = "reuseport", [NO_STEALING] = "reuseport"};
    const struct bench_plan *plan = &bench->plan;
    size_t n = 0;
    if (variant >= NATIVE) {
        const char *const shell[] = {"/bin/sh", "-c", plan->native[variant - NATIVE], NULL};
        memcpy(words, shell, sizeof shell);
        return;
    }
    if (variant != STOCK) {
        const char *const ours[] = {bench->tool,        "run",    "--library",
                                    plan->library.path, "--mode", modes[variant]};
        memcpy(words, ours, sizeof ours);
        n = sizeof ours / sizeof *ours;
        if (variant == NO_STEALING) {
            words[n++] = "--steal";
            words[n++] = "0";
        }
        words[n++] = "--";
    }
    for (size_t i = 0; plan->command[i] && n < WORDS_MAX - 1; i++)
        words[n++] = plan->command[i];
    words[n] = NULL;
}

/* Beside exit statuses and -1. */
enum { DIED = -2 };

static int say_death(struct run *run) {
    progress_clear();
    complain(&bench_command, "%s: the server ended with status %d before it %s",
             variant_name(run->variant), run->keeper.status,
             *run->bench->address ? "answered" : "listened");
    keeper_last_words(&run->keeper, stderr);
    return STATUS_OURS;
}

static int say_silence(struct run *run, const char *what) {
    progress_clear();
    complain(&bench_command, "%s: the server does not %s within %d s (--wait)",
             variant_name(run->variant), what, run->bench->plan.wait_s);
    keeper_last_words(&run->keeper, stderr);
    return STATUS_OURS;
}

/*
 * Where it is loaded is where it was found the first time: a comparison needs one address. A server
 * that has just begun to listen may open a better place in a moment.
 */
static bool find_place(struct run *run) {
    struct bench *bench = run->bench;
    char found[ADDRESS_SIZE];
    if (*bench->address)
        return place_is_listened_on(bench->address, run->keeper.pid);
    if (!place_find(found, run->keeper.pid))
        return false;
    bench_pause(SECOND_LOOK_MS);
    if (!place_find(found, run->keeper.pid))
        return false;
    place_for_client(found);
    snprintf(bench->address, sizeof bench->address, "%s", found);
    return true;
}

static bool is_loopback(const char *address) {
    return !strncmp(address, "127.", 4) || !strncmp(address, "[::1]", 5) ||
           !strncmp(address, "unix:", 5);
}

static int wait_for_place(struct run *run, int64_t end) {
    bool is_found = false;
    while (!is_found) {
        if (!keeper_is_alive(&run->keeper))
            return DIED;
        if (clock_now() > end)
            return say_silence(run, *run->bench->address ? "listen there" : "listen");
        if (!bench_pause(LOOK_MS))
            return STATUS_OURS;
        is_found = find_place(run);
    }
    if (is_loopback(run->bench->address) || run->bench->plan.is_remote)
        return -1;
    complain(&bench_command, "the server listens on %s, which is not loopback; say --remote",
             run->bench->address);
    return STATUS_USAGE;
}

static int wait_for_answer(struct run *run, int64_t end) {
    while (!load_probe(run->bench)) {
        if (bench_stop)
            return STATUS_OURS;
        if (!keeper_is_alive(&run->keeper))
            return DIED;
        if (clock_now() > end)
            return say_silence(run, "answer");
        if (!bench_pause(LOOK_MS))
            return STATUS_OURS;
    }
    return -1;
}

/* Workers that are still being started would be measured with the load. */
static void wait_for_quiet(struct run *run, int64_t end) {
    static struct family before, now;
    bool is_quiet = false;
    family_read(&before, run->keeper.pid);
    while (!is_quiet && !bench_stop && clock_now() < end) {
        struct account account = {0};
        account_look(&account, run->keeper.pid);
        if (bench_pause(QUIET_MS))
            account_look(&account, run->keeper.pid);
        family_read(&now, run->keeper.pid);
        is_quiet = now.count == before.count &&
                   (double)account_cpu(&account) < QUIET_PART * QUIET_MS * (double)NS_PER_MS;
        before = now;
        account_free(&account);
    }
}

static int start(struct run *run) {
    char *words[WORDS_MAX];
    int64_t end = clock_now() + run->bench->plan.wait_s * NS_PER_S;
    make_command(words, run->bench, run->variant);
    if (!keeper_start(&run->keeper, words)) {
        complain(&bench_command, "%s", strerror(errno));
        return STATUS_OURS;
    }
    int status = wait_for_place(run, end);
    if (status == -1)
        status = wait_for_answer(run, end);
    if (status == -1)
        wait_for_quiet(run, end);
    return status == -1 && bench_stop ? STATUS_OURS : status;
}

/* ---- measuring ---- */

static int choose(struct run *run, struct disturbance *disturbance, const struct family *workers) {
    const struct bench_plan *plan = &run->bench->plan;
    if (plan->reload)
        disturbance->reloaded = place_master(run->bench->address, run->keeper.pid);
    if (!plan->stall_ms && !plan->kills)
        return -1;
    if (workers->count < 2) {
        progress_clear();
        complain(&bench_command,
                 "%s: the server has no two processes that listen: to %s its only "
                 "worker is no comparison",
                 variant_name(run->variant), plan->kills ? "kill" : "stop");
        return STATUS_USAGE;
    }
    /* Another one in each round: some have more to do than others. */
    size_t first = (size_t)run->number % workers->count;
    if (plan->stall_ms)
        disturbance->stalled = workers->pid[first];
    if (plan->kills)
        disturbance->killed = workers->pid[(first + 1) % workers->count];
    return -1;
}

static void on_tick(void *context, int64_t passed) {
    struct run *run = context;
    const struct bench_plan *plan = &run->bench->plan;
    double part = (double)passed / (plan->duration * (double)NS_PER_S);
    keeper_trim(&run->keeper);
    if (run->looks_often)
        account_look(&run->account, run->keeper.pid);
    progress_show(run->number, run->variant, part < 1 ? part : 1);
}

static void fill_server_side(struct run *run, struct round *round, long answers,
                             const struct share_look *before, const struct share_look *after) {
    round->figure[WAKEUPS] = (double)account_switches(&run->account) / (double)answers;
    round->figure[CPU] = (double)account_cpu(&run->account) / 1000 / (double)answers;
    struct outcome_of *outcome = &run->bench->outcome[run->variant];
    if (before->is_there)
        snprintf(outcome->became, sizeof outcome->became, "%s", before->became);
    if (!after->is_there) /* it is gone, perhaps by a signal that we were told to send */
        return;
    round->figure[STOLEN] = (double)after->stolen - (double)before->stolen;
    if (!round->share_count)
        round->share_count = share_between(round->share, SHARES_MAX, before, after);
}

/* As parts of the mean, the busiest first. */
static void put_in_order(struct round *round) {
    double sum = 0;
    for (size_t i = 0; i < round->share_count; i++)
        sum += round->share[i];
    if (sum <= 0 || round->share_count < 2) {
        round->share_count = 0;
        return;
    }
    for (size_t i = 0; i < round->share_count; i++) {
        double share = round->share[i] * (double)round->share_count / sum;
        size_t at = i;
        for (; at > 0 && round->share[at - 1] < share; at--)
            round->share[at] = round->share[at - 1];
        round->share[at] = share;
    }
    round->figure[BUSIEST] = round->share[0];
    round->figure[IDLEST] = round->share[round->share_count - 1];
}

static int measure(struct run *run, struct round *round) {
    static struct family workers;
    static struct share_look before, after;
    struct disturbance disturbance = {0};
    struct bench *bench = run->bench;
    load_warm(bench, WARM_S);
    place_workers(&workers, bench->address, run->keeper.pid);
    int status = choose(run, &disturbance, &workers);
    if (status >= 0)
        return status;
    run->looks_often = disturbance.killed || disturbance.reloaded;
    share_read(&before, bench->address, run->keeper.pid);
    account_look(&run->account, run->keeper.pid);
    long answers =
        load_measure(round, bench, run->variant, &disturbance, workers.count, on_tick, run);
    int problem = errno;
    account_look(&run->account, run->keeper.pid);
    share_read(&after, bench->address, run->keeper.pid);
    if (answers < 0) {
        complain(&bench_command, "%s", strerror(problem));
        return STATUS_OURS;
    }
    if (answers > 0) {
        fill_server_side(run, round, answers, &before, &after);
        put_in_order(round);
    }
    return bench_stop ? STATUS_OURS : -1;
}

/* ---- a round ---- */

/* A server without SO_REUSEADDR cannot start while connections of the round before linger. */
static int start_patiently(struct run *run) {
    int64_t end = clock_now() + PORT_MS * NS_PER_MS;
    int status;
    while ((status = start(run)) == DIED) {
        if (!*run->bench->address || !port_lingers(run->bench->address) || clock_now() > end)
            return say_death(run);
        keeper_end(&run->keeper);
        progress_say("waits until the connections of the round before have gone");
        if (!bench_pause(AGAIN_MS))
            return STATUS_OURS;
    }
    return status;
}

static int wait_for_port(const struct run *run) {
    const char *address = run->bench->address;
    if (!*address)
        return -1;
    int64_t end = clock_now() + run->bench->plan.wait_s * NS_PER_S;
    for (pid_t pid; (pid = port_taken_by(address));) {
        if (clock_now() > end) {
            complain(&bench_command, "%s is taken already, by process %d", address, (int)pid);
            return STATUS_OURS;
        }
        if (!bench_pause(LOOK_MS))
            return STATUS_OURS;
    }
    return -1;
}

int round_run(struct bench *bench, enum variant variant, int number) {
    struct run run = {.bench = bench, .variant = variant, .number = number};
    struct outcome_of *outcome = &bench->outcome[variant];
    struct round *round = &outcome->round[outcome->rounds];
    for (int i = 0; i < FIGURES; i++)
        round->figure[i] = NAN;
    progress_show(number, variant, 0);
    int status = wait_for_port(&run);
    if (status < 0)
        status = start_patiently(&run);
    if (status < 0)
        status = measure(&run, round);
    keeper_end(&run.keeper);
    account_free(&run.account);
    outcome->rounds += status < 0;
    return status;
}
