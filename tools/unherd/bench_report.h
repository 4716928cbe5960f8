/* bench report: what unherd bench prints. */
#ifndef UNHERD_BENCH_REPORT_H
#define UNHERD_BENCH_REPORT_H

#include <stdio.h>

#include "bench.h"

/* What the load was, in a line without its end. */
void bench_write_load(FILE *out, const struct bench *bench);

/* Writes the recommendation, with its reason, into bench->advice. */
void bench_advise(struct bench *bench);

void bench_table(const struct bench *bench);
void bench_json(const struct bench *bench);

/* False: the file cannot be written, or there is no gnuplot; it has been said. */
bool plot_prepare(const struct bench *bench);
bool plot_draw(const struct bench *bench);
void plot_abandon(void);

#endif
