/*
 * random: numbers that repeat exactly, on every machine, from a seed. The generator is of the
 * xoshiro kind (four words, xor, shift and rotate; the result scrambled by a multiplication), whose
 * period no run comes near. Streams of one seed have nothing to do with each other.
 */
#ifndef COMMON_RANDOM_H
#define COMMON_RANDOM_H

#include <math.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_seed(struct random *random, uint64_t seed, uint64_t stream);

static inline uint64_t rotated(uint64_t word, int by) {
    return word << by | word >> (64 - by);
}

static inline uint64_t random_bits(struct random *random) {
    uint64_t *s = random->state;
    uint64_t result = rotated(s[1] * 5, 7) * 9;
    uint64_t carried = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= carried;
    s[3] = rotated(s[3], 45);
    return result;
}

/* Above 0, for its logarithm is taken, and at most 1. */
static inline double random_unit(struct random *random) {
    return (double)((random_bits(random) >> 11) + 1) * 0x1p-53;
}

static inline int random_below(struct random *random, int limit) {
    return (int)((random_bits(random) >> 32) * (uint64_t)limit >> 32);
}

/* Its mean is 1. */
static inline double random_exponential(struct random *random) {
    return -log(random_unit(random));
}

#endif
