/* bench progress: a bar on stderr while it runs, if that is a terminal. */
#ifndef UNHERD_BENCH_PROGRESS_H
#define UNHERD_BENCH_PROGRESS_H

#include "bench.h"

void progress_begin(const struct bench_plan *plan);

/* That round of that variant, and what part of it has passed. */
void progress_show(int number, enum variant variant, double part);

/* In the place of the bar, until it is shown again. */
void progress_say(const char *text);

void progress_clear(void);

#endif
