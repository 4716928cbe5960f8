#include "worker_orphans.h"

#include "worker_answers.h"
#include "worker_lock.h"

/* Whoever was killed since is missed for as long. */
enum { FRESH_MS = 100 };

bool worker_is_orphan(const struct shard_set *set, int shard, const struct shard_bits *ours) {
    return !bits_has(ours, shard) && !lock_is_elsewhere(set, shard);
}

static void ask(const struct shard_set *set, const struct shard_bits *ours,
                struct shard_bits *orphans) {
    *orphans = (struct shard_bits){0};
    for (int i = 0; i < set->count; i++)
        if (set_is_listening(set, i) && worker_is_orphan(set, i, ours))
            bits_add(orphans, i);
}

void worker_orphans(const struct shard_set *set, const struct shard_bits *ours,
                    struct shard_bits *orphans) {
    struct shared_answer *answer = &set->shared->orphans;
    uint32_t stamp = answers_stamp(set_generation(set), FRESH_MS);
    if (!answers_find(set, answer, stamp, orphans)) {
        ask(set, ours, orphans);
        answers_leave(set, answer, stamp, orphans);
    }
    BITS_EACH (shard, ours)
        bits_remove(orphans, shard);
}
