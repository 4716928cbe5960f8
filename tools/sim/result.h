/* result: the figures of several runs of one plan, each the median of all. */
#ifndef SIM_RESULT_H
#define SIM_RESULT_H

#include "plan.h"
#include "run.h"

enum figure { MEAN, STDDEV, P50, P90, P99, P999, LONGEST, WAITED, STOLEN, FIGURES };

struct result {
    double median[FIGURES];
    double low[FIGURES]; /* nine tenths of the runs lie between these */
    double high[FIGURES];
};

extern const char *const figure_names[FIGURES];

void result_of(struct result *result, const struct plan *plan);

void result_print(const struct result *result, const struct plan *plan);
void result_print_csv(const struct result *result, const struct plan *plan);

/* One run's waits: how many were longer than what, down to the last hundred thousandth. */
void result_print_tail(const struct plan *plan);

#endif
