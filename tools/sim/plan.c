#include "plan.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/argument.h"

static const char help[] =
    "sim: how long connections wait for a worker, with one queue or many, stealing or not\n"
    "\n"
    "usage: sim [--policy POLICY] [--workers N] [--load R] [--service KIND] [OPTION...]\n"
    "       sim --check\n"
    "\n"
    "All times are in mean service times. Connections come at random (Poisson).\n"
    "\n"
    "  --policy POLICY     single     one queue for all (unherd's exclusive mode)\n"
    "                      reuseport  a queue for each worker, chosen by hash (STEAL=0)\n"
    "                      steal      the same, emptied by its neighbours (reuseport mode; "
    "default)\n"
    "                      least      a queue for each, the shortest is chosen\n"
    "                      two        a queue for each, the shorter of two at random\n"
    "                      robin      a queue for each, in turn\n"
    "  --workers N         1 to 1024 (4)\n"
    "  --load R            busy part of all workers, 0.001 to 0.999 (0.8)\n"
    "  --service KIND      exp; det: all alike; heavy: 1 % take a hundred times longer;\n"
    "                      pareto: exponent 1.5 (exp)\n"
    "  --overhead T        each takes T longer, in mean service times (0)\n"
    "  --steal K           shards that each worker watches beside its home (steal: 15, else 0)\n"
    "  --take WHICH        where a worker that becomes free has several queues to take from:\n"
    "                      known    as the library does (default): the largest length times (T +\n"
    "                               0.1), T since somebody was first seen to wait there after\n"
    "                               its last take; its own, unless T elsewhere is 0.2 more\n"
    "                      home     its own, else the next one's\n"
    "                      longest  where the most wait\n"
    "                      untaken  from which the last one was taken the longest ago\n"
    "                      pending  neither empty nor taken from for the longest\n"
    "                      oldest   whose first one has waited the longest\n"
    "                      gather   as known; but whoever comes while all are busy waits in one\n"
    "                               queue, which all take from when theirs are empty: what the\n"
    "                               library does where each connection keeps a worker for long\n"
    "  --shards N          queues, for the policies that have several (as many as workers)\n"
    "  --patience T        where a thief meets an owner which was not there for T, all watch the\n"
    "                      shards of such owners; 0: nobody does (0)\n"
    "  --stall T           now and then a worker is stuck for T (0: never)\n"
    "  --stall-every T     mean time from one to the next (10 times --stall)\n"
    "  --stall-workers N   neighbours that are stuck together (1)\n"
    "  --connections N     100 to 100000000; the first fifth of them is not counted (1000000)\n"
    "  --runs N            so many runs: their median, and between which two figures nine\n"
    "                      tenths of them lie (1)\n"
    "  --seed N            of the first run, the next one's is one higher (1)\n"
    "  --replay            all runs with the connections of the first, which count from the very\n"
    "                      first on: those of \"load --poisson --busy\" with the same seed\n"
    "  --csv               a line of names and one of figures\n"
    "  --tail              lines of a wait and the part of the connections that waited longer\n"
    "  --check             compare with what theory knows, each within 2 %; with --runs, on that "
    "many\n"
    "                      times the connections, so that chance has less of a say\n"
    "\n"
    "Exit: 0, or 1 when a check fails, or 2 for a wrong argument.\n"
    "\n"
    "examples:\n"
    "  sim --policy reuseport --workers 64 --service heavy\n"
    "  sim --workers 64 --service heavy --steal 4\n"
    "  sim --workers 16 --stall 100 --tail\n";

enum { POLICY = 1, WORKERS, LOAD, SERVICE, OVERHEAD, STEAL, TAKE, SHARDS, PATIENCE, STALL };
enum { STALL_EVERY = STALL + 1, STALL_WORKERS, CONNECTIONS, RUNS, SEED, REPLAY, CSV, TAIL };
enum { CHECK = TAIL + 1, HELP };

static const struct option options[] = {
    {"policy", required_argument, NULL, POLICY},
    {"workers", required_argument, NULL, WORKERS},
    {"load", required_argument, NULL, LOAD},
    {"service", required_argument, NULL, SERVICE},
    {"overhead", required_argument, NULL, OVERHEAD},
    {"steal", required_argument, NULL, STEAL},
    {"take", required_argument, NULL, TAKE},
    {"shards", required_argument, NULL, SHARDS},
    {"patience", required_argument, NULL, PATIENCE},
    {"stall", required_argument, NULL, STALL},
    {"stall-every", required_argument, NULL, STALL_EVERY},
    {"stall-workers", required_argument, NULL, STALL_WORKERS},
    {"connections", required_argument, NULL, CONNECTIONS},
    {"runs", required_argument, NULL, RUNS},
    {"seed", required_argument, NULL, SEED},
    {"replay", no_argument, NULL, REPLAY},
    {"csv", no_argument, NULL, CSV},
    {"tail", no_argument, NULL, TAIL},
    {"check", no_argument, NULL, CHECK},
    {"help", no_argument, NULL, HELP},
    {0},
};

static const struct {
    const char *name;
    enum choice choice;
    int shards; /* 0: one for each worker */
    int steal;
} policies[] = {
    {"single", BY_HASH, 1, 0}, {"reuseport", BY_HASH, 0, 0}, {"steal", BY_HASH, 0, 15},
    {"least", LEAST, 0, 0},    {"two", TWO, 0, 0},           {"robin", ROBIN, 0, 0},
};

enum { POLICIES = sizeof policies / sizeof *policies, UNSET = -1 };

static const char *const takes[] = {"known",   "home",   "longest", "untaken",
                                    "pending", "oldest", "gather"};

enum { TAKES = sizeof takes / sizeof *takes };

static const double TIME_MAX = 1e9;

static int policy_index(const char *name) {
    for (int i = 0; i < POLICIES; i++)
        if (strcmp(policies[i].name, name) == 0)
            return i;
    return UNSET;
}

const char *take_name(enum take take) {
    return takes[take];
}

static enum take take_parse(const char *name) {
    for (int i = 0; i < TAKES; i++)
        if (strcmp(takes[i], name) == 0)
            return (enum take)i;
    refuse("--take", "not known, home, longest, untaken, pending, oldest or gather");
}

/* More thieves than there are other shards are no more than all of them. */
static void finish(struct plan *plan) {
    int policy = policy_index(plan->policy);
    plan->policy = policies[policy].name;
    plan->choice = policies[policy].choice;
    if (plan->shards == UNSET)
        plan->shards = policies[policy].shards ? policies[policy].shards : plan->workers;
    if (plan->steal == UNSET)
        plan->steal = policies[policy].steal;
    if (plan->steal >= plan->shards)
        plan->steal = plan->shards - 1;
    if (plan->stall_every == UNSET)
        plan->stall_every = 10 * plan->stall;
}

static const struct plan defaults = {
    .policy = "steal",
    .workers = 4,
    .shards = UNSET,
    .steal = UNSET,
    .take = FROM_KNOWN,
    .load = 0.8,
    .connections = 1000000,
    .seed = 1,
    .runs = 1,
    .stall_every = UNSET,
    .stall_workers = 1,
};

struct plan plan_of(const char *policy, int workers, double load, enum service service) {
    struct plan plan = defaults;
    plan.policy = policy;
    plan.workers = workers;
    plan.load = load;
    plan.service = service;
    finish(&plan);
    return plan;
}

static void take_stall(struct plan *plan, int option, const char *value) {
    if (option == STALL)
        plan->stall = number("--stall", value, 0, TIME_MAX);
    else if (option == STALL_EVERY)
        plan->stall_every = number("--stall-every", value, 0.001, TIME_MAX);
    else
        plan->stall_workers = (int)whole("--stall-workers", value, 1, WORKERS_MAX);
}

static void take_run(struct plan *plan, int option, const char *value) {
    if (option == CONNECTIONS)
        plan->connections = whole("--connections", value, 100, CONNECTIONS_MAX);
    else if (option == RUNS)
        plan->runs = (int)whole("--runs", value, 1, RUNS_MAX);
    else
        plan->seed = (uint64_t)whole("--seed", value, 0, 1e15);
}

static void take(struct plan *plan, int option, const char *value) {
    switch (option) {
    case POLICY:
        plan->policy = value;
        if (policy_index(value) == UNSET)
            refuse("--policy", "not single, reuseport, steal, least, two or robin");
        return;
    case WORKERS:
        plan->workers = (int)whole("--workers", value, 1, WORKERS_MAX);
        return;
    case LOAD:
        plan->load = number("--load", value, 0.001, 0.999);
        return;
    case SERVICE:
        if (!service_parse(&plan->service, value))
            refuse("--service", "not " SERVICE_NAMES);
        return;
    case OVERHEAD:
        plan->overhead = number("--overhead", value, 0, TIME_MAX);
        return;
    case STEAL:
        plan->steal = (int)whole("--steal", value, 0, WORKERS_MAX);
        return;
    case TAKE:
        plan->take = take_parse(value);
        return;
    case SHARDS:
        plan->shards = (int)whole("--shards", value, 1, WORKERS_MAX);
        return;
    case PATIENCE:
        plan->patience = number("--patience", value, 0, TIME_MAX);
        return;
    case REPLAY:
        plan->replay = true;
        return;
    case CSV:
        plan->csv = true;
        return;
    case TAIL:
        plan->tail = true;
        return;
    case CHECK:
        plan->check = true;
        return;
    case HELP:
        fputs(help, stdout);
        exit(0);
    default:
        exit(2); /* getopt has named it */
    }
}

static bool is_of_stalls(int option) {
    return option == STALL || option == STALL_EVERY || option == STALL_WORKERS;
}

static bool is_of_runs(int option) {
    return option == CONNECTIONS || option == RUNS || option == SEED;
}

static void refuse_together(const struct plan *plan) {
    if (plan->shards > plan->workers)
        refuse("--shards", "more than --workers");
    if (plan->stall_workers > plan->workers)
        refuse("--stall-workers", "more than --workers");
    if (plan->shards < plan->workers && plan->choice != BY_HASH)
        refuse("--shards", "this policy has a queue for each worker");
    if (plan->shards > 1 && strcmp(plan->policy, "single") == 0)
        refuse("--shards", "this policy has one queue");
    if (plan->check && plan->runs > 20)
        refuse("--runs", "at most 20 with --check");
    if (plan->csv && plan->tail)
        refuse("--tail", "does not go with --csv");
}

void plan_parse(struct plan *plan, int argc, char **argv) {
    *plan = defaults;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (is_of_stalls(option))
            take_stall(plan, option, optarg);
        else if (is_of_runs(option))
            take_run(plan, option, optarg);
        else
            take(plan, option, optarg);
    }
    if (optind < argc)
        refuse(argv[optind], "not an option");
    finish(plan);
    refuse_together(plan);
}
