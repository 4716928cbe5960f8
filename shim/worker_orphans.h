/* worker orphans: shards that listen, and have no owner. */
#ifndef UNHERD_WORKER_ORPHANS_H
#define UNHERD_WORKER_ORPHANS_H

#include <stdbool.h>

#include "shard_bits.h"
#include "shard_set.h"

/* Whether a shard has no owner: neither in this process, which has *ours, nor in another. Asks the
 * kernel. */
bool worker_is_orphan(const struct shard_set *set, int shard, const struct shard_bits *ours);

/* All of those that listen. Who was killed less than 100 ms ago may be missed. */
void worker_orphans(const struct shard_set *set, const struct shard_bits *ours,
                    struct shard_bits *orphans);

#endif
