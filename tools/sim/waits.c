#include "waits.h"

#include <math.h>

static int bin_of(double wait) {
    double bin = floor((log2(wait) - LOWEST_OCTAVE) * BINS_PER_OCTAVE);
    return bin < 0 ? -1 : bin < BINS ? (int)bin : BINS - 1;
}

void waits_add(struct waits *waits, double wait) {
    int bin = wait > 0 ? bin_of(wait) : -1;
    if (bin < 0)
        waits->at_once++;
    else
        waits->bins[bin]++;
    waits->count++;
    waits->sum += wait;
    waits->squares += wait * wait;
    if (wait > waits->longest)
        waits->longest = wait;
}

double waits_mean(const struct waits *waits) {
    return waits->sum / (double)waits->count;
}

double waits_stddev(const struct waits *waits) {
    double mean = waits_mean(waits);
    return sqrt(fmax(waits->squares / (double)waits->count - mean * mean, 0));
}

double waits_bound(int bin) {
    return exp2((double)(bin + 1) / BINS_PER_OCTAVE + LOWEST_OCTAVE);
}

/* In the middle of its bin. */
double waits_percentile(const struct waits *waits, double part) {
    uint64_t rank = (uint64_t)ceil(part * (double)waits->count);
    uint64_t seen = waits->at_once;
    if (seen >= rank)
        return 0;
    for (int bin = 0; bin < BINS; bin++) {
        seen += waits->bins[bin];
        if (seen >= rank)
            return waits_bound(bin) * exp2(-0.5 / BINS_PER_OCTAVE);
    }
    return waits->longest;
}

double waits_longer_than(const struct waits *waits, int bin) {
    uint64_t longer = 0;
    for (int i = bin + 1; i < BINS; i++)
        longer += waits->bins[i];
    return (double)longer / (double)waits->count;
}
