/*
 * waits: how long the connections waited. Counted in bins whose bounds are 0.14 % apart, which is
 * finer than any run is exact, takes the same room for any number of them and needs no sorting.
 */
#ifndef SIM_WAITS_H
#define SIM_WAITS_H

#include <stdint.h>

/* From 2^-20 to 2^30 mean service times; what is less counts as no wait. */
enum { BINS_PER_OCTAVE = 512, LOWEST_OCTAVE = -20, OCTAVES = 50 };
enum { BINS = BINS_PER_OCTAVE * OCTAVES };

struct waits {
    uint64_t bins[BINS];
    uint64_t at_once; /* no wait */
    uint64_t count;
    double sum, squares, longest;
};

void waits_add(struct waits *waits, double wait);

/* There must be some. */
double waits_mean(const struct waits *waits);
double waits_stddev(const struct waits *waits);
double waits_percentile(const struct waits *waits, double part);

/* The bins' upper bounds, and the part that waited longer. */
double waits_bound(int bin);
double waits_longer_than(const struct waits *waits, int bin);

#endif
