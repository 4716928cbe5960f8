#include "plan.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/argument.h"
#include "clock.h"

static const char help[] =
    "load: HTTP requests, one to a connection if not said otherwise, and what became of each\n"
    "\n"
    "usage: load --connect TARGET --rate R --duration S [OPTION...]\n"
    "       load --connect TARGET --count N [--parallel C] [OPTION...]\n"
    "\n"
    "  --connect TARGET      127.0.0.1:PORT, [::1]:PORT or unix:/path; loopback only\n"
    "  --rate R              R connections a second, each begun at its time whatever became of\n"
    "  --duration S          the earlier ones, for S seconds; latency counts from that time on\n"
    "  --count N             N connections, the next one begun when one has ended\n"
    "  --parallel C          C of them at once (1)\n"
    "  --poisson             with --rate: R a second on average, each at a random time\n"
    "  --path PATH           what to GET (/)\n"
    "  --busy MS[,KIND]      GET /busy?ms=N, N at random, MS on average: exp, det (all alike),\n"
    "                        heavy (1 % a hundred times longer) or pareto (exp); latency is\n"
    "                        then what it took beyond that\n"
    "  --seed N              of what is random (1)\n"
    "  --timeout MS          give a connection up after so long (5000)\n"
    "  --slower-than MS      count the answers that took longer\n"
    "  --stop PID@MS+MS      SIGSTOP that process so long after the start, SIGCONT so much later\n"
    "  --signal NAME:PID@MS  send it a signal: HUP, KILL, ...; may be repeated, like --stop\n"
    "  --with-ack            send the request with the handshake's last packet, so that a worker\n"
    "                        that takes the connection need not wake again for the request\n"
    "  --keep-alive          requests one after another over the same connections, C of them\n"
    "  --tsv                 a line for each figure: its name, a tab, its value\n"
    "\n"
    "lost = refused + reset + timeout + unanswered. Percentiles are exact, over the answers.\n"
    "Exit: 0, or 1 when nothing could connect or it was interrupted, or 2 for a wrong argument.\n"
    "\n"
    "examples:\n"
    "  load --connect 127.0.0.1:8080 --count 2000\n"
    "  load --connect 127.0.0.1:8080 --rate 2000 --duration 2 --stop 4711@750+500\n"
    "  load --connect 127.0.0.1:8080 --rate 300 --duration 9 --poisson --busy 10,heavy\n";

static void check(const char *option, const char *problem) {
    if (problem)
        refuse(option, problem);
}

struct asked {
    double duration;
    const char *path; /* NULL: none was asked for */
    bool with_ack;
    bool keep;
};

enum { CONNECT = 1, RATE, DURATION, COUNT, PARALLEL, GET_PATH, TIMEOUT, SLOWER, STOP, SIGNAL };
enum { TSV = SIGNAL + 1, WITH_ACK, KEEP, POISSON, BUSY, SEED, HELP };

static const struct option options[] = {
    {"connect", required_argument, NULL, CONNECT},
    {"rate", required_argument, NULL, RATE},
    {"duration", required_argument, NULL, DURATION},
    {"count", required_argument, NULL, COUNT},
    {"parallel", required_argument, NULL, PARALLEL},
    {"path", required_argument, NULL, GET_PATH},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"slower-than", required_argument, NULL, SLOWER},
    {"stop", required_argument, NULL, STOP},
    {"signal", required_argument, NULL, SIGNAL},
    {"with-ack", no_argument, NULL, WITH_ACK},
    {"keep-alive", no_argument, NULL, KEEP},
    {"poisson", no_argument, NULL, POISSON},
    {"busy", required_argument, NULL, BUSY},
    {"seed", required_argument, NULL, SEED},
    {"tsv", no_argument, NULL, TSV},
    {"help", no_argument, NULL, HELP},
    {0},
};

static int64_t milliseconds(const char *option, const char *text) {
    return (int64_t)(number(option, text, 0.001, DURATION_MAX_S * 1000.0) * (double)NS_PER_MS);
}

/* Long ones are rare, and the server bounds them. */
static void take_busy(struct plan *plan, const char *value) {
    char mean[32] = "";
    const char *comma = strchrnul(value, ',');
    if (comma - value < (int)sizeof mean)
        memcpy(mean, value, (size_t)(comma - value));
    plan->busy = number("--busy", mean, 0.001, 1000);
    if (*comma && !service_parse(&plan->service, comma + 1))
        refuse("--busy", "behind the comma goes " SERVICE_NAMES);
}

static void take(struct plan *plan, struct asked *asked, int option, const char *value) {
    switch (option) {
    case CONNECT:
        plan->target_name = value;
        check("--connect", target_parse(&plan->target, value));
        return;
    case RATE:
        plan->rate = number("--rate", value, 0.001, COUNT_MAX);
        return;
    case DURATION:
        asked->duration = number("--duration", value, 0.001, DURATION_MAX_S);
        return;
    case COUNT:
        plan->count = whole("--count", value, 1, COUNT_MAX);
        return;
    case PARALLEL:
        plan->parallel = whole("--parallel", value, 1, PARALLEL_MAX);
        return;
    case GET_PATH:
        asked->path = value;
        return;
    case TIMEOUT:
        plan->timeout = milliseconds("--timeout", value);
        return;
    case SLOWER:
        plan->slow = milliseconds("--slower-than", value);
        return;
    case STOP:
        check("--stop", signals_add_stop(&plan->signals, value));
        return;
    case SIGNAL:
        check("--signal", signals_add(&plan->signals, value));
        return;
    case POISSON:
        plan->poisson = true;
        return;
    case BUSY:
        take_busy(plan, value);
        return;
    case SEED:
        plan->seed = (uint64_t)whole("--seed", value, 0, 1e15);
        return;
    case TSV:
        plan->tsv = true;
        return;
    case WITH_ACK:
        asked->with_ack = true;
        return;
    case KEEP:
        asked->keep = true;
        return;
    case HELP:
        fputs(help, stdout);
        exit(0);
    default:
        exit(2); /* getopt has named it */
    }
}

static void finish(struct plan *plan, const struct asked *asked) {
    if (!plan->target_name)
        refuse("--connect", "is missing");
    if (plan->rate > 0) {
        if (plan->count || (plan->parallel && !asked->keep))
            refuse("--rate", "goes with --duration, not with --count or --parallel");
        if (asked->duration <= 0)
            refuse("--duration", "is missing");
        double count = round(plan->rate * asked->duration);
        if (count < 1 || count > COUNT_MAX)
            refuse("--rate", "times --duration must make 1 to 10000000 connections");
        plan->count = (long)count;
    } else if (asked->duration > 0) {
        refuse("--duration", "goes with --rate");
    } else if (plan->poisson) {
        refuse("--poisson", "goes with --rate");
    }
    if (plan->busy > 0 && asked->path)
        refuse("--busy", "has a path of its own, and does not go with --path");
    if (!plan->count)
        refuse("--count", "is missing, or --rate and --duration");
    if (!plan->parallel)
        plan->parallel = 1;
    plan->target.spread = plan->count > 16384;
    plan->target.with_ack = asked->with_ack;
    const char *path = asked->path ? asked->path : "/";
    check("--path", request_get(&plan->request, "localhost", path, asked->keep));
}

void plan_parse(struct plan *plan, int argc, char **argv) {
    struct asked asked = {0};
    memset(plan, 0, sizeof *plan);
    plan->timeout = 5 * NS_PER_S;
    plan->slow = NEVER;
    plan->seed = 1;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        take(plan, &asked, option, optarg);
    if (optind < argc)
        refuse(argv[optind], "not an option");
    finish(plan, &asked);
}
