/*
 * shard_bits: a set of shard numbers, 0 to SHARDS_MAX-1, as four words. One thread at a time
 * changes a set, under the guard where it is shared; others may read it meanwhile, and see each
 * word as it was or as it is.
 */
#ifndef UNHERD_SHARD_BITS_H
#define UNHERD_SHARD_BITS_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

struct shard_bits {
    uint64_t word[SHARDS_MAX / 64];
};

static inline bool bits_has(const struct shard_bits *bits, int shard) {
    return __atomic_load_n(&bits->word[shard / 64], __ATOMIC_RELAXED) >> (shard % 64) & 1;
}

static inline void bits_add(struct shard_bits *bits, int shard) {
    uint64_t *word = &bits->word[shard / 64];
    __atomic_store_n(word, *word | UINT64_C(1) << (shard % 64), __ATOMIC_RELAXED);
}

static inline void bits_remove(struct shard_bits *bits, int shard) {
    uint64_t *word = &bits->word[shard / 64];
    __atomic_store_n(word, *word & ~(UINT64_C(1) << (shard % 64)), __ATOMIC_RELAXED);
}

static inline void bits_copy(struct shard_bits *to, const struct shard_bits *from) {
    for (int i = 0; i < SHARDS_MAX / 64; i++)
        __atomic_store_n(&to->word[i], __atomic_load_n(&from->word[i], __ATOMIC_RELAXED),
                         __ATOMIC_RELAXED);
}

/* Adds the members of `from`, of its first so many words. */
static inline void bits_join(struct shard_bits *to, const struct shard_bits *from, int words) {
    for (int i = 0; i < words; i++)
        to->word[i] |= __atomic_load_n(&from->word[i], __ATOMIC_RELAXED);
}

static inline int bits_count(const struct shard_bits *bits) {
    int count = 0;
    for (int i = 0; i < SHARDS_MAX / 64; i++)
        count += __builtin_popcountll(__atomic_load_n(&bits->word[i], __ATOMIC_RELAXED));
    return count;
}

/* The lowest member that is at least `from`, or -1. */
static inline int bits_next(const struct shard_bits *bits, int from) {
    for (int i = from; i < SHARDS_MAX; i = (i / 64 + 1) * 64) {
        uint64_t rest = __atomic_load_n(&bits->word[i / 64], __ATOMIC_RELAXED) >> (i % 64);
        if (rest)
            return i + __builtin_ctzll(rest);
    }
    return -1;
}

#define BITS_EACH(shard, bits)                                                                     \
    for (int shard = bits_next((bits), 0); shard >= 0; shard = bits_next((bits), shard + 1))

#endif
