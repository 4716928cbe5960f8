/*
 * model: workers and shards, and who takes what from where; what the library and the kernel do,
 * without the time they need for it.
 *
 * A connection comes into a shard. The kernel walks those who watch the shard, in the order in
 * which they registered, its owner first, and wakes the first that is idle: it takes the connection
 * at once. When all are busy the connection waits. A worker that becomes free looks at home and at
 * the shards that it watches as a thief, and where several are not empty it chooses as the library
 * does, or by what else the plan says (order). Where the plan has it so, who comes while all are
 * busy waits in one more queue, and is taken when the shards are empty. Whoever stole, or shares
 * its home with others, goes to the end of the line. When a thief meets an owner that was not there
 * for long, all are told, and whoever begins to wait watches the shards of such owners too.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "fifo.h"
#include "heap.h"
#include "plan.h"
#include "waits.h"

struct worker {
    int home;
    int reach;                          /* it watches no shard that is further after its home */
    uint64_t watches[WORKERS_MAX / 64]; /* beside home, by shard */
    bool is_busy;
    double busy_since;
    double looked;   /* when it last looked who is stuck */
    bool sees_stuck; /* some were, and it looks again */
    double owed;     /* it was stuck for so long while it was busy, and will need that much more */
};

struct shard {
    struct fifo fifo;
    int owners; /* more than one where there are fewer shards than workers */
    int watchers;
    int present;         /* waiting here, or taken from here and in work */
    double last_take;    /* by whomever */
    double pending;      /* since when it is not empty; undefined when it is */
    double known;        /* since when somebody is known to wait; -1: nobody is */
    double stolen_since; /* and its owner was not there since then; -1: that is not so */
};

struct model {
    const struct plan *plan;
    struct worker worker[WORKERS_MAX];
    struct shard shard[WORKERS_MAX];
    int *watchers; /* for each shard a row of its workers, in the order in which they are woken */
    int served[WORKERS_MAX]; /* from which shard a worker has what it works on, -1: from none */
    struct fifo gathered;    /* FROM_GATHERED: came while all were busy */
    struct pool pool;
    struct heap heap; /* of the busy workers */
    int busy;
    long waiting;
    double met_stuck;   /* when a stuck owner was last met, and all were told */
    long taken, stolen; /* of those that count */
    struct waits waits;
};

static inline bool does_watch(const struct model *model, int worker, int shard) {
    return model->worker[worker].watches[shard / 64] >> (shard % 64) & 1;
}

static inline int shard_after(const struct model *model, int home, int step) {
    return (home + step) % model->plan->shards;
}

void model_begin(struct model *model, const struct plan *plan);
void model_end(struct model *model);

void model_arrive(struct model *model, double now, int shard, double service, bool counts);

/* When the next worker is done, or infinity; and it is. */
double model_next(const struct model *model);
void model_finish_next(struct model *model);

/* A worker stands still from now on, idle or in the midst of its work. */
void model_stall(struct model *model, double now, int worker, double length);

#endif
