/* bench: what is asked of unherd bench, and what comes of it; its parts share these. */
#ifndef UNHERD_BENCH_H
#define UNHERD_BENCH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench_spread.h"
#include "bench_variant.h"
#include "preload.h"

enum { ROUNDS_MAX = 50, ADDRESS_SIZE = 128, SHARES_MAX = 64, BUCKETS = 32 * 32 };

struct bench_plan {
    char address[ADDRESS_SIZE]; /* as load's target_parse reads it; empty: found by itself */
    char path[1024];
    const char *send; /* what a plain TCP connection begins with; NULL: it is HTTP */
    bool is_plain;
    bool may_be_silent; /* who closes without a byte has answered */
    bool keeps_alive;
    double rate; /* 0: in a closed loop */
    long connections;
    double duration; /* s */
    int stall_ms;    /* 0: none */
    bool kills;
    const char *reload; /* the signal's name, or NULL */
    int rounds;
    int wait_s; /* the longest that a server may take to listen */
    bool is_remote;
    bool is_wanted[VARIANTS];
    const char *native[NATIVES_MAX]; /* commands for a shell; NULL: none */
    const char *library_path;
    bool json;
    const char *plot;
    bool help;
    char **command;
    struct library library;
};

enum figure {
    RATE, /* per second */
    P50,  /* ms, and the next four */
    P90,
    P99,
    P999,
    SLOWEST,
    BUSIEST, /* share of the mean */
    IDLEST,
    WAKEUPS, /* per connection */
    CPU,     /* us per connection */
    STOLEN,
    LOST,
    NOT_OK,
    FIGURES
};

/* One round of one variant. */
struct round {
    double figure[FIGURES]; /* NAN: not known */
    double share[SHARES_MAX];
    size_t share_count;
};

struct outcome_of {
    struct round round[ROUNDS_MAX];
    size_t rounds;
    struct summary summary[FIGURES];
    char became[128];               /* of the listener under the library; or empty */
    unsigned long latency[BUCKETS]; /* of all rounds, for the distribution */
};

struct bench {
    struct bench_plan plan;
    char tool[PATH_MAX];        /* our own file */
    char address[ADDRESS_SIZE]; /* where the load goes */
    struct outcome_of outcome[VARIANTS];
    char advice[512]; /* the recommendation */
};

/* The signal that told us to end, or 0. */
extern volatile sig_atomic_t bench_stop;

/* False: told to end meanwhile. */
bool bench_pause(int milliseconds);

/* An exit status, or -1: go on. */
int bench_options(struct bench_plan *plan, int argc, char **argv);

#endif
