/* bench round: one start of the server, from the start to its end. */
#ifndef UNHERD_BENCH_ROUND_H
#define UNHERD_BENCH_ROUND_H

#include "bench.h"

/* An exit status, or -1: go on. What went wrong has been said. */
int round_run(struct bench *bench, enum variant variant, int number);

#endif
