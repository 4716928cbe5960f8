#include "attendant.h"

#include <errno.h>

#include "clock.h"
#include "local.h"
#include "stats.h"

/* In shard_set.attendant, as one word, so that no thread sees half of a change: whose place it is,
 * whether its accept() sleeps, and the place's number plus one; 0 there: all were taken. */
enum { BLOCKS = 1 << 30, NUMBER = 0xffff };

static uint64_t word_of(const struct shard_set *set) {
    uint64_t word = atomic_load_explicit(&set->attendant, memory_order_relaxed);
    return (pid_t)(word >> 32) == local_pid() ? word : 0; /* else it is a parent's */
}

int attendant_place(const struct shard_set *set) {
    return (int)(word_of(set) & NUMBER) - 1;
}

bool attendant_blocks(const struct shard_set *set) {
    return word_of(set) & BLOCKS;
}

/* A vfork child would take its parent's word for its own. */
static void take_place(struct shard_set *set, int shard, int fd) {
    uint64_t before = atomic_load(&set->attendant);
    if (local_is_borrowed())
        return;
    int place = stats_join(set, NO_INSTANCE);
    uint64_t word = (uint64_t)local_pid() << 32 | (unsigned)(place + 1);
    if (set_blocks(set, shard, fd))
        word |= BLOCKS;
    stats_home(set, place, shard);
    if (!atomic_compare_exchange_strong(&set->attendant, &before, word))
        stats_leave(set, place); /* another thread was faster */
}

void attendant_accepted(struct shard_set *set, int shard, int fd) {
    int saved = errno;
    if (!word_of(set))
        take_place(set, shard, fd);
    errno = saved;
    int place = attendant_place(set);
    if (place == NO_PLACE)
        atomic_fetch_add_explicit(&set->shared->unattended, 1, memory_order_relaxed);
    else
        stats_count(set, place, COUNT_HOME);
}

void attendant_sleeps(const struct shard_set *set, int place, bool begins) {
    if (place == NO_PLACE || place != attendant_place(set)) /* it was given up meanwhile */
        return;
    struct shared_worker *worker = &set->shared->worker[place];
    atomic_fetch_add_explicit(&worker->is_in, begins ? 1 : UINT32_MAX, memory_order_relaxed);
    atomic_store_explicit(&worker->since_ms, clock_coarse_ms(), memory_order_relaxed);
}

void attendant_leaves(struct shard_set *set) {
    uint64_t word = atomic_exchange(&set->attendant, 0);
    if ((pid_t)(word >> 32) == local_pid() && !local_is_borrowed())
        stats_leave(set, (int)(word & NUMBER) - 1);
}
