#include "worker_answers.h"

#include "clock.h"
#include "local.h"

enum { PART = 32 };

uint32_t answers_stamp(uint32_t changes, uint32_t milliseconds) {
    return changes << 16 | ((uint32_t)(clock_coarse_ms() / milliseconds) & 0xffffU);
}

static uint32_t part_of(const struct shard_bits *bits, int part) {
    return (uint32_t)(bits->word[part / 2] >> (part % 2 * PART));
}

/* Of the server's own shards some processes know more than others; and a filter may refuse what is
 * asked without killing anybody. */
static bool may_share(const struct shard_set *set) {
    return !set->is_servers && !local_is_confined();
}

/* Of memory that nobody has written yet the stamp is 0. */
bool answers_find(const struct shard_set *set, const struct shared_answer *answer, uint32_t stamp,
                  struct shard_bits *bits) {
    *bits = (struct shard_bits){0};
    if (!may_share(set))
        return false;
    for (int part = 0; part * PART < set->count; part++) {
        uint64_t word = atomic_load(&answer->word[part]);
        if (!stamp || word >> 32 != stamp)
            return false;
        bits->word[part / 2] |= (word & UINT32_MAX) << (part % 2 * PART);
    }
    return true;
}

/* Each word says of itself when it was found out, so that two may write them at once. */
void answers_leave(const struct shard_set *set, struct shared_answer *answer, uint32_t stamp,
                   const struct shard_bits *bits) {
    for (int part = 0; part * PART < set->count && may_share(set); part++)
        atomic_store(&answer->word[part], (uint64_t)stamp << 32 | part_of(bits, part));
}

void answers_forget(const struct shard_set *set, struct shared_answer *answer) {
    for (int part = 0; part * PART < set->count; part++)
        atomic_store(&answer->word[part], 0);
}
