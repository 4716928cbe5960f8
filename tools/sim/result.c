#include "result.h"

#include <stdio.h>
#include <stdlib.h>

const char *const figure_names[FIGURES] = {"mean", "stddev",  "p50",    "p90",   "p99",
                                           "p999", "longest", "waited", "stolen"};

static struct model model; /* large, and one at a time */

static double figure_of(enum figure figure) {
    const struct waits *waits = &model.waits;
    switch (figure) {
    case MEAN:
        return waits_mean(waits);
    case STDDEV:
        return waits_stddev(waits);
    case P50:
        return waits_percentile(waits, 0.5);
    case P90:
        return waits_percentile(waits, 0.9);
    case P99:
        return waits_percentile(waits, 0.99);
    case P999:
        return waits_percentile(waits, 0.999);
    case LONGEST:
        return waits->longest;
    case WAITED:
        return 1 - (double)waits->at_once / (double)waits->count;
    default:
        return (double)model.stolen / (double)model.taken;
    }
}

static int by_size(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

void result_of(struct result *result, const struct plan *plan) {
    static double figures[FIGURES][RUNS_MAX];
    for (int i = 0; i < plan->runs; i++) {
        run(&model, plan, plan->seed + (uint64_t)i);
        for (int figure = 0; figure < FIGURES; figure++)
            figures[figure][i] = figure_of((enum figure)figure);
        model_end(&model);
    }
    for (int figure = 0; figure < FIGURES; figure++) {
        double *values = figures[figure];
        qsort(values, (size_t)plan->runs, sizeof *values, by_size);
        result->median[figure] = (values[(plan->runs - 1) / 2] + values[plan->runs / 2]) / 2;
        result->low[figure] = values[plan->runs / 20];
        result->high[figure] = values[plan->runs - 1 - plan->runs / 20];
    }
}

void result_print(const struct result *result, const struct plan *plan) {
    printf("%s: %d workers, %d shards, stealing from %d, load %g, %s, %d x %ld connections\n\n",
           plan->policy, plan->workers, plan->shards, plan->steal, plan->load,
           service_name(plan->service), plan->runs, plan->connections);
    printf("%-10s %12s %12s %12s\n", "wait", plan->runs > 1 ? "median" : "", "from", "to");
    for (int i = 0; i < FIGURES; i++)
        printf("  %-8s %12.4f %12.4f %12.4f\n", figure_names[i], result->median[i], result->low[i],
               result->high[i]);
}

void result_print_csv(const struct result *result, const struct plan *plan) {
    printf("policy,workers,shards,steal,take,load,service,stall,stall_workers,patience,runs,"
           "connections");
    for (int i = 0; i < FIGURES; i++)
        printf(",%s,%s_low,%s_high", figure_names[i], figure_names[i], figure_names[i]);
    printf("\n%s,%d,%d,%d,%s,%g,%s,%g,%d,%g,%d,%ld", plan->policy, plan->workers, plan->shards,
           plan->steal, take_name(plan->take), plan->load, service_name(plan->service), plan->stall,
           plan->stall_workers, plan->patience, plan->runs, plan->connections);
    for (int i = 0; i < FIGURES; i++)
        printf(",%.6g,%.6g,%.6g", result->median[i], result->low[i], result->high[i]);
    printf("\n");
}

void result_print_tail(const struct plan *plan) {
    enum { STEP = BINS_PER_OCTAVE / 8 };
    run(&model, plan, plan->seed);
    for (int bin = BINS_PER_OCTAVE * 13 - 1; bin < BINS; bin += STEP) {
        double part = waits_longer_than(&model.waits, bin);
        if (part < 1e-5)
            break;
        printf("%.5g %.5g\n", waits_bound(bin), part);
    }
    model_end(&model);
}
