#include "order.h"

#include <math.h>

/* The library's 2 ms and 1 ms, where requests take 10 ms on average. */
static const double WORTH_IT = 0.2, JUST_NOW = 0.1;

/* Those that come into question, home first where it does, else the next one. */
struct ready {
    int shards[WORKERS_MAX];
    int count;
    bool has_home;
};

static void look(struct ready *ready, const struct model *model, int worker, int most) {
    const struct worker *free_one = &model->worker[worker];
    ready->count = 0;
    for (int step = 0; step <= free_one->reach && ready->count < most; step++) {
        int shard = shard_after(model, free_one->home, step);
        if (model->shard[shard].fifo.length && does_watch(model, worker, shard))
            ready->shards[ready->count++] = shard;
    }
    ready->has_home = ready->count && ready->shards[0] == free_one->home;
}

static void note_known(struct model *model, double now, const struct ready *ready) {
    for (int i = 0; i < ready->count; i++)
        if (model->shard[ready->shards[i]].known < 0)
            model->shard[ready->shards[i]].known = now;
}

/* Home stays first choice unless somebody is known to wait that much longer elsewhere. */
static void leave_to_owners(struct ready *ready, const struct model *model) {
    int count = 1;
    double latest = model->shard[ready->shards[0]].known - WORTH_IT;
    for (int i = 1; i < ready->count; i++)
        if (model->shard[ready->shards[i]].known <= latest)
            ready->shards[count++] = ready->shards[i];
    ready->count = count;
}

/* The shard with the least is taken from, the first of those that are equal. */
static double rank(const struct model *model, double now, int index) {
    const struct shard *shard = &model->shard[index];
    switch (model->plan->take) {
    case FROM_KNOWN:
    case FROM_GATHERED:
        return -(now - shard->known + JUST_NOW) * shard->fifo.length;
    case FROM_LONGEST:
        return -shard->fifo.length;
    case FROM_UNTAKEN:
        return shard->last_take;
    case FROM_PENDING:
        return fmax(shard->last_take, shard->pending);
    case FROM_OLDEST:
        return model->pool.list[shard->fifo.first].since;
    default:
        return 0;
    }
}

static int least(const struct ready *ready, const struct model *model, double now) {
    int best = ready->shards[0];
    double best_rank = rank(model, now, best);
    for (int i = 1; i < ready->count; i++) {
        double its = rank(model, now, ready->shards[i]);
        if (its < best_rank) {
            best = ready->shards[i];
            best_rank = its;
        }
    }
    return best;
}

int order_choose(struct model *model, double now, int worker) {
    enum take take = model->plan->take;
    struct ready ready;
    if (!model->waiting)
        return -1;
    look(&ready, model, worker, take == FROM_HOME ? 1 : WORKERS_MAX);
    if (ready.count < 2)
        return ready.count ? ready.shards[0] : -1;
    if (take == FROM_KNOWN || take == FROM_GATHERED) {
        note_known(model, now, &ready);
        if (ready.has_home)
            leave_to_owners(&ready, model);
    }
    return least(&ready, model, now);
}
