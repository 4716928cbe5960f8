#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "bench_load.h"
#include "command.h"
#include "program.h"

enum {
    URL = 256,
    SEND,
    NO_ANSWER,
    KEEP_ALIVE,
    RATE_OPTION,
    CONNECTIONS,
    DURATION,
    ROUNDS,
    MODES,
    NATIVE_OPTION,
    STALL,
    KILL,
    RELOAD,
    WAIT,
    REMOTE,
    JSON,
    PLOT,
    LIBRARY
};

static const struct option list[] = {{"url", required_argument, NULL, URL},
                                     {"send", required_argument, NULL, SEND},
                                     {"no-answer", no_argument, NULL, NO_ANSWER},
                                     {"keep-alive", no_argument, NULL, KEEP_ALIVE},
                                     {"rate", required_argument, NULL, RATE_OPTION},
                                     {"connections", required_argument, NULL, CONNECTIONS},
                                     {"duration", required_argument, NULL, DURATION},
                                     {"rounds", required_argument, NULL, ROUNDS},
                                     {"modes", required_argument, NULL, MODES},
                                     {"native", required_argument, NULL, NATIVE_OPTION},
                                     {"stall", required_argument, NULL, STALL},
                                     {"kill", no_argument, NULL, KILL},
                                     {"reload", required_argument, NULL, RELOAD},
                                     {"wait", required_argument, NULL, WAIT},
                                     {"remote", no_argument, NULL, REMOTE},
                                     {"json", no_argument, NULL, JSON},
                                     {"plot", required_argument, NULL, PLOT},
                                     {"library", required_argument, NULL, LIBRARY},
                                     {"help", no_argument, NULL, 'h'},
                                     {NULL, 0, NULL, 0}};

static bool read_number(double *to, const char *option, const char *text, double min, double max) {
    char *end;
    *to = strtod(text, &end);
    if (end != text && !*end && *to >= min && *to <= max)
        return true;
    complain(&bench_command, "--%s %s: not a number from %.10g to %.10g", option, text, min, max);
    return false;
}

static bool read_whole(int *to, const char *option, const char *text, int min, int max) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    *to = (int)value;
    if (end != text && !*end && !errno && value >= min && value <= max)
        return true;
    complain(&bench_command, "--%s %s: not a whole number from %d to %d", option, text, min, max);
    return false;
}

static bool refuse_url(const char *text, const char *why) {
    complain(&bench_command, "--url %s: %s", text, why);
    return false;
}

/* http://HOST:PORT/PATH, tcp://HOST:PORT, unix:/PATH, and without an address /PATH and tcp: */
static bool read_url(struct bench_plan *plan, const char *text) {
    const char *at = text;
    if (!strncmp(text, "unix:", 5)) {
        snprintf(plan->address, sizeof plan->address, "%s", text);
        return strlen(text) < 108 || refuse_url(text, "the path is too long");
    }
    if (!strcmp(text, "tcp:")) {
        plan->is_plain = true;
        return true;
    }
    if (!strncmp(at, "http://", 7)) {
        at += 7;
    } else if (!strncmp(at, "tcp://", 6)) {
        at += 6;
        plan->is_plain = true;
    } else if (*at != '/') {
        return refuse_url(text,
                          "not http://HOST:PORT/PATH, tcp://HOST:PORT, unix:/PATH, /PATH or tcp:");
    }
    size_t length = strcspn(at, "/");
    const char *path = at + length;
    if (strlen(path) >= sizeof plan->path || length >= sizeof plan->address - 8)
        return refuse_url(text, "too long");
    if (*path && plan->is_plain)
        return refuse_url(text, "a tcp address has no path");
    if (*path)
        snprintf(plan->path, sizeof plan->path, "%s", path);
    bool is_local = !strncmp(at, "localhost", 9) && (at[9] == ':' || at[9] == '/' || !at[9]);
    const char *host = is_local ? "127.0.0.1" : "";
    const char *rest = is_local ? at + 9 : at;
    int rest_length = (int)(length - (size_t)(rest - at));
    bool has_port = rest_length && memchr(rest, ':', (size_t)rest_length) && path[-1] != ']';
    if (length)
        snprintf(plan->address, sizeof plan->address, "%s%.*s%s", host, rest_length, rest,
                 has_port ? "" : ":80");
    return true;
}

static bool read_reload(struct bench_plan *plan, const char *text) {
    plan->reload = !strncmp(text, "SIG", 3) ? text + 3 : text;
    if (load_knows_signal(plan->reload))
        return true;
    complain(&bench_command, "--reload %s: not one of HUP INT QUIT TERM USR1 USR2 WINCH", text);
    return false;
}

static bool complain_of(int option, const char *word) {
    char letter[] = {'-', (char)optopt, '\0'};
    if (optopt > 0 && optopt < 256)
        word = letter;
    if (option == ':')
        complain(&bench_command, "%s needs a value", word);
    else
        complain(&bench_command, "%s: not understood; see unherd help bench", word);
    return false;
}

static bool take_load_option(struct bench_plan *plan, int option) {
    double value;
    switch (option) {
    case URL:
        return read_url(plan, optarg);
    case SEND:
        plan->send = optarg;
        return true;
    case NO_ANSWER:
        return plan->may_be_silent = true;
    case KEEP_ALIVE:
        return plan->keeps_alive = true;
    case RATE_OPTION:
        return read_number(&plan->rate, "rate", optarg, 0.1, 1e6);
    case CONNECTIONS:
        if (!read_number(&value, "connections", optarg, 1, 10000))
            return false;
        plan->connections = (long)value;
        return true;
    case DURATION:
        return read_number(&plan->duration, "duration", optarg, 0.1, 600);
    case STALL:
        return read_whole(&plan->stall_ms, "stall", optarg, 1, 60000);
    case KILL:
        return plan->kills = true;
    case RELOAD:
        return read_reload(plan, optarg);
    case REMOTE:
        return plan->is_remote = true;
    default:
        return false;
    }
}

static bool take_option(struct bench_plan *plan, int option, const char *word) {
    switch (option) {
    case '?':
    case ':':
        return complain_of(option, word);
    case ROUNDS:
        return read_whole(&plan->rounds, "rounds", optarg, 1, ROUNDS_MAX);
    case MODES:
        return variants_take_modes(plan, optarg);
    case NATIVE_OPTION:
        return variants_take_native(plan, optarg);
    case WAIT:
        return read_whole(&plan->wait_s, "wait", optarg, 1, 600);
    case JSON:
        return plan->json = true;
    case PLOT:
        plan->plot = optarg;
        return true;
    case LIBRARY:
        plan->library_path = optarg;
        return true;
    case 'h':
        return plan->help = true;
    default:
        return take_load_option(plan, option);
    }
}

/* What does not go together. NULL: all does. */
static const char *contradiction(const struct bench_plan *plan) {
    if (plan->is_plain && plan->keeps_alive)
        return "--keep-alive goes with HTTP, not with a tcp address";
    if (plan->send && !plan->is_plain)
        return "--send goes with --url tcp: or tcp://HOST:PORT";
    if (plan->may_be_silent && !plan->is_plain)
        return "--no-answer goes with --url tcp: or tcp://HOST:PORT";
    if (plan->rate > 0 && plan->connections && !plan->keeps_alive)
        return "--rate goes with --connections only with --keep-alive: on schedule nobody waits";
    if (plan->rate * plan->duration > 1e7)
        return "--rate times --duration is more than ten million connections";
    if (plan->stall_ms > plan->duration * 500)
        return "--stall is longer than half of --duration";
    if (!*plan->command)
        return "no command given; see unherd help bench";
    return NULL;
}

static int check_program(struct bench_plan *plan) {
    static struct program program;
    static char reason[2 * PATH_MAX];
    const char *preload = getenv("LD_PRELOAD");
    if (!library_find(&plan->library, plan->library_path, reason, sizeof reason)) {
        complain(&bench_command, "%s", reason);
        return STATUS_OURS;
    }
    if (preload && strstr(preload, "libunherd.so")) {
        complain(&bench_command, "LD_PRELOAD=%s is set: stock would not be stock", preload);
        return STATUS_USAGE;
    }
    program_find(&program, *plan->command, &plan->library.facts);
    if (program.status != STATUS_OK)
        complain(&bench_command, "%s", program.reason);
    return program.status == STATUS_OK ? -1 : program.status;
}

static void set_defaults(struct bench_plan *plan) {
    *plan = (struct bench_plan){.path = "/", .duration = 2, .rounds = 5, .wait_s = 10};
    for (int i = 0; i < NATIVE; i++)
        plan->is_wanted[i] = true;
}

int bench_options(struct bench_plan *plan, int argc, char **argv) {
    int option;
    set_defaults(plan);
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:h", list, NULL)) != -1)
        if (!take_option(plan, option, argv[optind - 1]))
            return STATUS_USAGE;
    plan->command = argv + optind;
    if (plan->help)
        return -1;
    const char *problem = contradiction(plan);
    if (!problem)
        problem = load_check(plan);
    if (problem) {
        complain(&bench_command, "%s", problem);
        return STATUS_USAGE;
    }
    if (!plan->connections)
        plan->connections = 16;
    return check_program(plan);
}
