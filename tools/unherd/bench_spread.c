#include "bench_spread.h"

#include <math.h>
#include <stdlib.h>

enum { VALUES_MAX = 256, ENOUGH_TO_TRIM = 5 };

static const double LEAST_PART = 0.02;

static int by_size(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

struct summary summary_of(const double *value, size_t count) {
    double known[VALUES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count && n < VALUES_MAX; i++)
        if (!isnan(value[i]))
            known[n++] = value[i];
    if (n == 0)
        return (struct summary){0, NAN, NAN};
    qsort(known, n, sizeof *known, by_size);
    size_t trimmed = n >= ENOUGH_TO_TRIM;
    return (struct summary){n, (known[(n - 1) / 2] + known[n / 2]) / 2,
                            known[n - 1 - trimmed] - known[trimmed]};
}

enum difference difference_of(const struct summary *one, const struct summary *other) {
    if (one->count < 2 || other->count < 2)
        return NOT_KNOWN;
    double least = fmax(fmax(one->spread, other->spread), LEAST_PART * fabs(other->median));
    double apart = one->median - other->median;
    return fabs(apart) <= least ? NONE : apart > 0 ? MORE : LESS;
}
