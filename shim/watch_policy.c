/*
 * watch policy: the tool has changed what is to be done with a listener's connections, and each
 * worker follows at its next wait.
 */
#include "watch_shards.h"
#include "hot.h"
#include "watch_stand_back.h"
#include "worker.h"
#include "worker_stuck.h"

HOT bool watch_is_off(const struct watch *watch, const struct shard_set *set) {
    if (set_mode(set) != MODE_OFF)
        return false;
    /* A thread that stands for one in accept() is woken alone and in turn, as the kernel would. */
    return !watch->instance->is_own || !set_blocks(set, watch->own, watch->fd);
}

HOT static bool has_news(const struct watch *watch, const struct shard_set *set) {
    return UNLIKELY(set_policy_word(set) != watch->seen_policy) ||
           (atomic_load_explicit(&watch->is_partial, memory_order_relaxed) &&
            UNLIKELY(worker_stuck_news(set) != watch->seen_stuck)) ||
           UNLIKELY(stand_back_is_due(watch));
}

HOT bool watch_has_news(const struct instance *instance) {
    WATCHES_OF (watch, instance) {
        const struct shard_set *set = atomic_load_explicit(&watch->set, memory_order_relaxed);
        if (LIKELY(set && watch->begun) && UNLIKELY(has_news(watch, set)))
            return true;
    }
    return false;
}

/*
 * Where turns were taken its owner may stand anywhere in the line, and so it may in what each
 * worker registered anew: the thieves go behind it again.
 */
static void announce_first(const struct watch *watch, struct shard_set *set) {
    if (watch->has_home && watch->home == 0 && !watch->shares_home)
        worker_announce(set, 0);
}

void watch_follow(struct watch *watch, struct shard_set *set, uint32_t word) {
    bool was_one_queue = set_is_one_queue_by(set, watch->seen_policy);
    bool is_one_queue = set_is_one_queue_by(set, word);
    watch->seen_policy = word;
    watch->seen_generation = watch->tried_generation = 0; /* all is looked at again */
    if (was_one_queue && !is_one_queue) {
        watch->lets_go_late = true;
        announce_first(watch, set);
    }
    if (!watch_renew(watch, set))
        watch->seen_policy = ~word; /* later */
}
