/* bench load: what the generator of tools/load does for one round. */
#ifndef UNHERD_BENCH_LOAD_H
#define UNHERD_BENCH_LOAD_H

#include "bench.h"

bool load_knows_signal(const char *name);

/* NULL, or what is wrong with the address or the request, in words that name it. */
const char *load_check(const struct bench_plan *plan);

/* One request, to see whether the server answers. */
bool load_probe(const struct bench *bench);

/* So many seconds of load that nobody counts: workers are ready then as they are later on. */
void load_warm(const struct bench *bench, double seconds);

struct disturbance {
    pid_t stalled, killed; /* workers; 0: none */
    pid_t reloaded;
};

/* Fills in what the client sees; the shares too, where all answers name their worker, of at least
 * so many workers. The number of answers, or -1 with errno. */
long load_measure(struct round *round, struct bench *bench, enum variant variant,
                  const struct disturbance *disturbance, size_t workers,
                  void (*tick)(void *context, int64_t passed), void *context);

#endif
