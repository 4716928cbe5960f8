/*
 * shard changes: the generation of a set, and what is known of it from one to the next.
 *
 * Without an accept mutex a worker watches a few neighbours, with one all shards; where there are
 * many of either, going from one to the other and back at every claim is most of what it costs when
 * a worker is replaced.
 */
#include "shard_set.h"

uint32_t set_generation(const struct shard_set *set) {
    return atomic_load(&set->shared->generation);
}

bool set_was_concurrent(const struct shard_set *set, uint32_t generation) {
    return atomic_load(&set->shared->concurrent) == generation;
}

bool set_is_concurrent(const struct shard_set *set) {
    return set_was_concurrent(set, set_generation(set));
}

bool set_note_concurrent(const struct shard_set *set, uint32_t generation) {
    return generation == set_generation(set) &&
           atomic_exchange(&set->shared->concurrent, generation) != generation;
}

uint32_t set_advance(const struct shard_set *set) {
    return atomic_fetch_add(&set->shared->generation, 1);
}

void set_stays_concurrent(const struct shard_set *set, uint32_t generation) {
    uint32_t before = generation;
    atomic_compare_exchange_strong(&set->shared->concurrent, &before, generation + 1);
}

void set_changed(const struct shard_set *set) {
    set_advance(set);
    set_kick(set);
}
