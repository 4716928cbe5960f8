/* What is to be simulated, as the command line or a check asks for it. Times are in mean service
 * times, since nothing but their ratio matters. */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/traffic.h"

enum { WORKERS_MAX = 1024, CONNECTIONS_MAX = 100000000, RUNS_MAX = 1000 };

/* Into which shard a connection goes. */
enum choice {
    BY_HASH, /* any, all alike: what the kernel's hash of the addresses comes to */
    LEAST,   /* the one with the fewest connections, queued or in work */
    TWO,     /* the better of two at random */
    ROBIN    /* in turn */
};

/* From which shard a free worker takes, where connections wait in several that it watches. */
enum take {
    FROM_KNOWN, /* where somebody is known to wait, the longer and the more of them: the library */
    FROM_HOME,  /* else from the next one */
    FROM_LONGEST, /* where the most wait */
    FROM_UNTAKEN, /* from which the last one was taken the longest ago */
    FROM_PENDING, /* which has not been empty, nor taken from, for the longest */
    FROM_OLDEST,  /* whose first has waited the longest: with thieves for everything, one queue */
    FROM_GATHERED /* the library, for workers that serve one connection at a time: who comes while
                     all are busy waits in one queue */
};

struct plan {
    const char *policy;
    enum choice choice;
    int workers;
    int shards; /* queues: 1 is the shared queue; fewer than workers, some share their home */
    int steal;  /* the next shards after its home that each worker watches as a thief */
    enum take take;
    double load; /* connections for each worker in a mean service time */
    enum service service;
    double overhead; /* that each service takes longer */
    long connections;
    uint64_t seed;
    int runs;           /* each with the next seed */
    double stall;       /* how long a stuck worker is stuck; 0: none ever is */
    double stall_every; /* the mean between two, at random */
    int stall_workers;  /* neighbours that are stuck together */
    double patience;    /* an owner that was not there for so long is stuck; 0: none ever is */
    bool replay; /* the same connections in every run, and all of them count: the generator's */
    bool csv, tail, check;
};

/* Leaves the program when there is nothing to run: a wrong argument (2), or --help (0). */
void plan_parse(struct plan *plan, int argc, char **argv);

const char *take_name(enum take take);

/* The policy of that name, with all else as it is by default; a check goes on from there. */
struct plan plan_of(const char *policy, int workers, double load, enum service service);

#endif
