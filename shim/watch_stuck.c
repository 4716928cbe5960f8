#include "watch_stuck.h"

#include <errno.h>
#include <pthread.h>

#include "clock.h"
#include "hot.h"
#include "local.h"
#include "watch_shards.h"
#include "worker.h"
#include "worker_answers.h"
#include "worker_orphans.h"
#include "worker_stuck.h"

void stuck_tell(const struct shard_set *set, int shard) {
    struct shard_bits ours;
    int saved = errno;
    if (!guard_enter())
        return;
    shards_of_process(set, &ours);
    if (worker_is_orphan(set, shard, &ours))
        worker_lost(set, shard);
    else
        worker_tell_stuck(set);
    guard_leave();
    errno = saved;
}

/* Somebody looks all the time, when it is for him to look again; and of one that was stopped in its
 * wait it is seen only once somebody waits for it. */
enum { FRESH_MS = 16 };

/* Which owners are is the same for all. */
static void find_all(const struct watch *watch, const struct shard_set *set, uint32_t news,
                     struct shard_bits *stuck) {
    struct shared_answer *answer = &set->shared->stuck;
    struct shard_bits listening;
    struct shard_bits queued;
    uint32_t stamp = answers_stamp(news, FRESH_MS);
    if (answers_find(set, answer, stamp, stuck))
        return;
    worker_listening(set, &listening);
    shards_find_queued(watch, &listening, &queued);
    worker_stuck(set, &queued, stuck);
    answers_leave(set, answer, stamp, stuck);
}

void stuck_find(struct watch *watch, const struct shard_set *set, const struct shard_bits *ours,
                struct shard_bits *stuck) {
    struct shard_bits orphans = {0};
    uint32_t news = worker_stuck_news(set);
    bool is_due = news != watch->seen_stuck || watch->sees_stuck;
    *stuck = (struct shard_bits){0};
    watch->seen_stuck = news;
    watch->sees_stuck = false;
    if (!set_steal(set) || !is_due)
        return;
    find_all(watch, set, news, stuck);
    if (bits_count(stuck))
        worker_orphans(set, ours, &orphans);
    BITS_EACH (shard, &orphans)
        bits_remove(stuck, shard);
    watch->looked_ms = clock_coarse_ms();
    watch->sees_stuck = bits_count(stuck);
    watch->lets_go_late = true;
    if (watch->sees_stuck)
        atomic_store(&watch->instance->work, WORK);
}

/* Who waits there for long beside what is queued was stopped; but it may have been queued just
 * now: then all have looked in vain. What it watches itself it may have been woken for. */
RARE void stuck_look_beside(const struct watch *watch, const struct shard_set *set) {
    struct shard_bits listening;
    struct shard_bits queued;
    struct shard_bits stuck;
    int saved = errno;
    int cancel;
    worker_listening(set, &listening);
    BITS_EACH (shard, &watch->registered)
        bits_remove(&listening, shard);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel); /* the wait has brought something */
    bool is_any = shards_find_queued(watch, &listening, &queued);
    pthread_setcancelstate(cancel, NULL);
    errno = saved;
    if (!is_any)
        return;
    worker_stuck(set, &queued, &stuck);
    BITS_EACH (shard, &queued)
        if (bits_has(&stuck, shard)) {
            stuck_tell(set, shard);
            return;
        }
}

bool stuck_is_due(const struct watch *watch, const struct shard_set *set) {
    if (worker_stuck_news(set) != watch->seen_stuck)
        return true;
    if (!watch->sees_stuck)
        return false;
    atomic_store(&watch->instance->work, WORK);
    return clock_coarse_ms() - watch->looked_ms >= worker_stuck_interval(set);
}
