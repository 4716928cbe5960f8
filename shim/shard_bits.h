/* shard_bits: a set of shard numbers, 0 to SHARDS_MAX-1, as four words. */
#ifndef UNHERD_SHARD_BITS_H
#define UNHERD_SHARD_BITS_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

struct shard_bits {
    uint64_t word[SHARDS_MAX / 64];
};

static inline bool bits_has(const struct shard_bits *bits, int shard) {
    return bits->word[shard / 64] >> (shard % 64) & 1;
}

static inline void bits_add(struct shard_bits *bits, int shard) {
    bits->word[shard / 64] |= UINT64_C(1) << (shard % 64);
}

static inline void bits_remove(struct shard_bits *bits, int shard) {
    bits->word[shard / 64] &= ~(UINT64_C(1) << (shard % 64));
}

static inline int bits_count(const struct shard_bits *bits) {
    int count = 0;
    for (int i = 0; i < SHARDS_MAX / 64; i++)
        count += __builtin_popcountll(bits->word[i]);
    return count;
}

/* The lowest member that is at least `from`, or -1. */
static inline int bits_next(const struct shard_bits *bits, int from) {
    for (int i = from; i < SHARDS_MAX; i = (i / 64 + 1) * 64) {
        uint64_t rest = bits->word[i / 64] >> (i % 64);
        if (rest)
            return i + __builtin_ctzll(rest);
    }
    return -1;
}

#define BITS_EACH(shard, bits)                                                                     \
    for (int shard = bits_next((bits), 0); shard >= 0; shard = bits_next((bits), shard + 1))

#endif
