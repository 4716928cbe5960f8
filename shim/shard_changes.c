/*
 * shard changes: the generation of a set, and what is known of it from one to the next.
 *
 * Without an accept mutex a worker watches a few neighbours, with one all shards; where there are
 * many of either, going from one to the other and back at every claim is most of what it costs when
 * a worker is replaced.
 *
 * In one word, which changes in one step: in which generation two were seen waiting at once, and
 * the pids of both, which are below 2^22 (PID_MAX_LIMIT in the kernel's include/linux/threads.h).
 */
#include "local.h"
#include "shard_set.h"

enum { PID_BITS = 22, GENERATION_BITS = 20 };

#define PID_MASK ((UINT64_C(1) << PID_BITS) - 1)
#define GENERATION_MASK ((UINT32_C(1) << GENERATION_BITS) - 1)

static uint64_t witnessed(uint32_t generation, uint64_t pids) {
    return (uint64_t)(generation & GENERATION_MASK) << (2 * PID_BITS) | pids;
}

static uint64_t both(uint32_t one, uint32_t other) {
    return (one & PID_MASK) << PID_BITS | (other & PID_MASK);
}

static uint64_t pids_of(uint64_t concurrent) {
    return concurrent & ((UINT64_C(1) << (2 * PID_BITS)) - 1);
}

static bool is_of(uint64_t concurrent, uint32_t generation) {
    return concurrent == witnessed(generation, pids_of(concurrent));
}

/* Not where a filter may kill whoever makes a call that the server has no use for. */
static bool lives(uint64_t pid) {
    return pid && !local_is_confined() && !local_is_gone((pid_t)pid);
}

static bool has_witnesses(uint64_t concurrent) {
    return lives(concurrent >> PID_BITS & PID_MASK) && lives(concurrent & PID_MASK);
}

uint32_t set_generation(const struct shard_set *set) {
    return atomic_load(&set->shared->generation);
}

bool set_is_concurrent(const struct shard_set *set) {
    return is_of(atomic_load(&set->shared->concurrent), set_generation(set));
}

bool set_note_concurrent(const struct shard_set *set, uint32_t generation, uint32_t one,
                         uint32_t other) {
    uint64_t before = atomic_load(&set->shared->concurrent);
    return !is_of(before, generation) && generation == set_generation(set) &&
           atomic_compare_exchange_strong(&set->shared->concurrent, &before,
                                          witnessed(generation, both(one, other)));
}

void set_dismiss_witness(const struct shard_set *set, uint32_t pid) {
    uint64_t before = atomic_load(&set->shared->concurrent);
    bool is_one = (before >> PID_BITS & PID_MASK) == pid || (before & PID_MASK) == pid;
    if (is_one)
        atomic_compare_exchange_strong(&set->shared->concurrent, &before,
                                       before & ~pids_of(before));
}

/* Of two at once the second may find what it knew of the first not there yet; then it is seen
 * anew. */
void set_changed(const struct shard_set *set) {
    uint32_t generation = atomic_fetch_add(&set->shared->generation, 1);
    uint64_t before = atomic_load(&set->shared->concurrent);
    if (is_of(before, generation) && has_witnesses(before))
        atomic_compare_exchange_strong(&set->shared->concurrent, &before,
                                       witnessed(generation + 1, pids_of(before)));
    set_kick(set);
}
