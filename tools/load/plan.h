/* What the command line asks for. */
#ifndef LOAD_PLAN_H
#define LOAD_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/traffic.h"
#include "exchange.h"
#include "request.h"
#include "signals.h"
#include "target.h"

enum { COUNT_MAX = 10000000, DURATION_MAX_S = 600, PARALLEL_MAX = 100000 };

struct plan {
    struct target target;
    const char *target_name;
    struct request request; /* of all, unless they ask to be busy */
    double busy;            /* ms on average; 0: they do not */
    enum service service;
    bool poisson; /* at random, not evenly */
    uint64_t seed;
    long count;
    double rate;      /* connections a second, on schedule; 0: in a closed loop */
    long parallel;    /* so many at once, in a closed loop, and of those that are kept */
    int64_t duration; /* ns; begin nothing after so long; 0: until all of them have begun */
    long first;       /* the number of the first connection, for its address */
    int64_t timeout;  /* ns */
    int64_t slow;     /* ns; NEVER when it was not asked for */
    bool tsv;
    struct signals signals;
    /* Called some ten times a second; what has passed, in ns. May be NULL. */
    void (*tick)(void *context, int64_t passed);
    void *context;
};

/* Leaves the program when there is nothing to run: a wrong argument (2), or --help (0). */
void plan_parse(struct plan *plan, int argc, char **argv);

#endif
