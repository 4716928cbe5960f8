/* watch grow: the server has one socket more for an address at which it waits already. */
#include "local.h"
#include "watch.h"
#include "watch_shards.h"

/* Somebody may be waiting just now: the events are looked at before a kick can come. */
static void grow(struct watch *watch) {
    watch->is_filtered = true;
    instance_refilter(watch->instance);
    shards_settle(watch);
}

void watch_set_grew(struct shard_set *set) {
    for (int i = 0; i < watch_end(); i++) {
        struct watch *watch = watch_at(i);
        if (atomic_load(&watch->set) == set && instance_is_mine(watch->instance))
            grow(watch);
    }
}
