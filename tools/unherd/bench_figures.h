/* bench figures: what each figure is called, and which way it is better. */
#ifndef UNHERD_BENCH_FIGURES_H
#define UNHERD_BENCH_FIGURES_H

#include "bench.h"

struct figure_row {
    const char *name;       /* in JSON */
    const char *label;      /* in the table */
    enum difference better; /* MORE, LESS, or NONE: neither */
};

extern const struct figure_row figure_table[FIGURES];

/* As many digits as mean anything; "-" for NAN. */
void figure_write(char *text, size_t size, double value);

/* The summaries of all variants that have rounds. */
void figures_summarize(struct bench *bench);

/* Of a variant, against stock. */
enum difference figure_against_stock(const struct bench *bench, enum variant variant,
                                     enum figure figure);

#endif
