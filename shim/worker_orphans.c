#include "worker_orphans.h"

#include "clock.h"
#include "worker_lock.h"

/*
 * The kernel is asked with a call for each shard, and the longer it has to look the more there are.
 * When claims change all workers ask at once, and that would be as many calls as there are shards
 * for each of them. So who has asked leaves word for the others: of 32 shards at a time, in one
 * word, of which the other half says when that was.
 */
enum { PART = 32, FRESH_MS = 32 };

/* Of this moment, as told by the claims and by the clock. The same comes again after half an hour,
 * or 65536 changes. */
static uint32_t stamp_of(const struct shard_set *set) {
    return set_generation(set) << 16 | ((uint32_t)(clock_coarse_ms() / FRESH_MS) & 0xffffU);
}

bool worker_is_orphan(const struct shard_set *set, int shard, const struct shard_bits *ours) {
    return !bits_has(ours, shard) && !lock_is_elsewhere(set, shard);
}

static uint32_t ask(const struct shard_set *set, const struct shard_bits *ours, int first) {
    uint32_t orphans = 0;
    for (int i = 0; i < PART && first + i < set->count; i++)
        if (set_is_listening(set, first + i) && worker_is_orphan(set, first + i, ours))
            orphans |= UINT32_C(1) << i;
    return orphans;
}

/* The claims are looked at, for the stamp, before the kernel is asked: what changes meanwhile is
 * asked for anew. */
static uint32_t ask_once(const struct shard_set *set, const struct shard_bits *ours, int part) {
    _Atomic uint64_t *word = &set->shared->orphans[part];
    uint64_t stamp = (uint64_t)stamp_of(set) << 32;
    uint64_t known = atomic_load(word);
    if (known >> 32 == stamp >> 32 && stamp)
        return (uint32_t)known;
    uint32_t orphans = ask(set, ours, part * PART);
    atomic_store(word, stamp | orphans);
    return orphans;
}

void worker_orphans(const struct shard_set *set, const struct shard_bits *ours,
                    struct shard_bits *orphans) {
    *orphans = (struct shard_bits){0};
    for (int part = 0; part * PART < set->count; part++) {
        uint64_t found = ask_once(set, ours, part);
        orphans->word[part / 2] |= found << (part % 2 * PART);
    }
    for (int i = 0; i < SHARDS_MAX / 64; i++)
        orphans->word[i] &= ~ours->word[i];
}
