/* bench spread: what several rounds say together, and whether two of such differ. */
#ifndef UNHERD_BENCH_SPREAD_H
#define UNHERD_BENCH_SPREAD_H

#include <stddef.h>

struct summary {
    size_t count; /* rounds that have the figure */
    double median;
    double spread; /* from the lowest to the highest; from five rounds on without these two */
};

enum difference {
    NOT_KNOWN, /* one round, or none: there is no spread */
    NONE,
    MORE,
    LESS
};

/* NAN is no value. */
struct summary summary_of(const double *value, size_t count);

/* Of one against another: none where the medians are no farther apart than the larger of the two
 * spreads, or than two hundredths of the other's. */
enum difference difference_of(const struct summary *one, const struct summary *other);

#endif
