#include "model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"

static int *row_of(const struct model *model, int shard) {
    return model->watchers + (size_t)shard * (size_t)model->plan->workers;
}

static void add_watcher(struct model *model, int shard, int worker) {
    row_of(model, shard)[model->shard[shard].watchers++] = worker;
    model->worker[worker].watches[shard / 64] |= UINT64_C(1) << (shard % 64);
}

/* Owners first; then for each shard its nearest thief, the one just before it in the ring. */
static void register_all(struct model *model) {
    const struct plan *plan = model->plan;
    for (int i = 0; i < plan->workers; i++) {
        model->worker[i].home = i % plan->shards;
        model->worker[i].reach = plan->steal;
        model->shard[model->worker[i].home].owners++;
        add_watcher(model, model->worker[i].home, i);
    }
    for (int step = 1; step <= plan->steal; step++)
        for (int i = 0; i < plan->workers; i++)
            add_watcher(model, shard_after(model, model->worker[i].home, step), i);
}

void model_begin(struct model *model, const struct plan *plan) {
    memset(model, 0, sizeof *model);
    model->plan = plan;
    model->watchers = calloc((size_t)plan->shards * (size_t)plan->workers, sizeof(int));
    if (!model->watchers) {
        fprintf(stderr, "sim: no memory for %d shards\n", plan->shards);
        exit(1);
    }
    for (int i = 0; i < plan->shards; i++)
        model->shard[i].stolen_since = model->shard[i].known = -1;
    register_all(model);
}

void model_end(struct model *model) {
    free(model->watchers);
    free(model->pool.list);
}

/* --- who is woken --- */

static int find_idle(const struct model *model, int shard) {
    const int *row = row_of(model, shard);
    if (model->busy == model->plan->workers)
        return -1;
    for (int i = 0; i < model->shard[shard].watchers; i++)
        if (!model->worker[row[i]].is_busy)
            return row[i];
    return -1;
}

static void rotate(struct model *model, int shard, int worker) {
    int *row = row_of(model, shard);
    int last = model->shard[shard].watchers - 1;
    int place = 0;
    while (row[place] != worker)
        place++;
    memmove(row + place, row + place + 1, (size_t)(last - place) * sizeof *row);
    row[last] = worker;
}

/* --- who is stuck --- */

/* Workers that have the same home stand behind each other by so many. */
static bool is_stuck(const struct model *model, int shard, double now) {
    const struct plan *plan = model->plan;
    for (int i = shard; i < plan->workers; i += plan->shards)
        if (model->worker[i].is_busy && now - model->worker[i].busy_since >= plan->patience)
            return true;
    return false;
}

static void leave(struct model *model, int shard, int worker) {
    rotate(model, shard, worker);
    model->shard[shard].watchers--;
    model->worker[worker].watches[shard / 64] &= ~(UINT64_C(1) << (shard % 64));
}

/* So many neighbours as ever, and all whose owners are stuck. */
static void watch_stuck(struct model *model, double now, int worker) {
    struct worker *thief = &model->worker[worker];
    int well = 0;
    thief->sees_stuck = false;
    for (int step = 1; step < model->plan->shards; step++) {
        int shard = shard_after(model, thief->home, step);
        bool stuck = is_stuck(model, shard, now);
        bool wanted = stuck || well++ < model->plan->steal;
        thief->sees_stuck |= stuck;
        if (wanted && !does_watch(model, worker, shard))
            add_watcher(model, shard, worker);
        if (!wanted && does_watch(model, worker, shard))
            leave(model, shard, worker);
        if (wanted)
            thief->reach = step;
    }
    thief->looked = now;
}

static void look_for_stuck(struct model *model, double now, int worker) {
    const struct worker *thief = &model->worker[worker];
    double patience = model->plan->patience;
    if (patience > 0 && model->plan->steal > 0 && model->plan->steal < model->plan->shards - 1 &&
        (model->met_stuck > thief->looked ||
         (thief->sees_stuck && now - thief->looked >= patience)))
        watch_stuck(model, now, worker);
}

/* --- taking --- */

static void note_home(struct model *model, int shard, int worker) {
    if (model->shard[shard].owners > 1)
        rotate(model, shard, worker);
}

static void note_stolen(struct model *model, double now, int shard, int worker) {
    double *since = &model->shard[shard].stolen_since;
    double patience = model->plan->patience;
    rotate(model, shard, worker);
    if (*since < 0)
        *since = now;
    else if (patience > 0 && now - *since >= patience && now - model->met_stuck >= patience)
        model->met_stuck = now;
}

static void work(struct model *model, int worker, int shard, double now, double until) {
    model->worker[worker].is_busy = true;
    model->worker[worker].busy_since = now;
    model->served[worker] = shard;
    model->busy++;
    heap_add(&model->heap, (struct done){until, worker});
}

static void take(struct model *model, double now, int worker, int shard,
                 const struct waiting *connection) {
    bool is_stolen = shard != model->worker[worker].home;
    model->shard[shard].last_take = now;
    model->shard[shard].known = -1;
    if (is_stolen)
        note_stolen(model, now, shard, worker);
    else
        note_home(model, shard, worker);
    if (connection->counts) {
        waits_add(&model->waits, now - connection->since);
        model->taken++;
        model->stolen += is_stolen;
    }
    work(model, worker, shard, now, now + connection->service);
}

static bool gathers(const struct model *model) {
    return model->plan->take == FROM_GATHERED && model->plan->shards > 1 &&
           model->busy == model->plan->workers;
}

static void gather(struct model *model, const struct waiting *connection) {
    fifo_add(&model->pool, &model->gathered, *connection);
    model->waiting++;
}

/* All take from there, and it is no neighbour's. */
static void take_gathered(struct model *model, double now, int worker) {
    struct waiting connection = fifo_take(&model->pool, &model->gathered);
    model->waiting--;
    if (connection.counts) {
        waits_add(&model->waits, now - connection.since);
        model->taken++;
    }
    work(model, worker, -1, now, now + connection.service);
}

void model_arrive(struct model *model, double now, int shard, double service, bool counts) {
    struct waiting connection = {.since = now, .service = service, .counts = counts};
    if (gathers(model)) {
        gather(model, &connection);
        return;
    }
    int worker = find_idle(model, shard);
    model->shard[shard].present++;
    if (worker >= 0) {
        take(model, now, worker, shard, &connection);
        return;
    }
    if (!model->shard[shard].fifo.length)
        model->shard[shard].pending = now;
    fifo_add(&model->pool, &model->shard[shard].fifo, connection);
    model->waiting++;
}

/* A worker has become free. */
static void look(struct model *model, double now, int worker) {
    model->shard[model->worker[worker].home].stolen_since = -1;
    look_for_stuck(model, now, worker);
    int shard = order_choose(model, now, worker);
    if (shard < 0 && model->gathered.length)
        take_gathered(model, now, worker);
    if (shard < 0)
        return;
    struct waiting connection = fifo_take(&model->pool, &model->shard[shard].fifo);
    model->waiting--;
    take(model, now, worker, shard, &connection);
}

double model_next(const struct model *model) {
    return model->heap.count ? model->heap.list[0].at : INFINITY;
}

void model_finish_next(struct model *model) {
    struct done done = heap_take(&model->heap);
    struct worker *worker = &model->worker[done.worker];
    if (worker->owed > 0) {
        heap_add(&model->heap, (struct done){done.at + worker->owed, done.worker});
        worker->owed = 0;
        return;
    }
    worker->is_busy = false;
    model->busy--;
    if (model->served[done.worker] >= 0)
        model->shard[model->served[done.worker]].present--;
    look(model, done.at, done.worker);
}

void model_stall(struct model *model, double now, int worker, double length) {
    if (model->worker[worker].is_busy)
        model->worker[worker].owed += length;
    else
        work(model, worker, -1, now, now + length);
}
