#include "model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int *row_of(const struct model *model, int shard) {
    return model->watchers + (size_t)shard * (size_t)model->plan->workers;
}

static void add_watcher(struct model *model, int shard, int worker) {
    row_of(model, shard)[model->shard[shard].watchers++] = worker;
}

static int shard_after(const struct model *model, int home, int step) {
    return (home + step) % model->plan->shards;
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
        model->shard[i].stolen_since = -1;
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

static void widen(struct model *model, int worker) {
    struct worker *thief = &model->worker[worker];
    for (int step = thief->reach + 1; step < model->plan->shards; step++)
        add_watcher(model, shard_after(model, thief->home, step), worker);
    thief->reach = model->plan->shards - 1;
}

/* --- taking --- */

static void note_home(struct model *model, int shard, int worker) {
    model->shard[shard].stolen_since = -1;
    if (model->shard[shard].owners > 1)
        rotate(model, shard, worker);
}

static void note_stolen(struct model *model, double now, int shard, int worker) {
    double *since = &model->shard[shard].stolen_since;
    double wide = model->plan->wide;
    rotate(model, shard, worker);
    if (*since < 0)
        *since = now;
    else if (wide > 0 && now - *since >= wide &&
             model->worker[worker].reach < model->plan->shards - 1)
        widen(model, worker);
}

static void work(struct model *model, int worker, int shard, double until) {
    model->worker[worker].is_busy = true;
    model->served[worker] = shard;
    model->busy++;
    heap_add(&model->heap, (struct done){until, worker});
}

static void take(struct model *model, double now, int worker, int shard,
                 const struct waiting *connection) {
    bool is_stolen = shard != model->worker[worker].home;
    if (is_stolen)
        note_stolen(model, now, shard, worker);
    else
        note_home(model, shard, worker);
    if (connection->counts) {
        waits_add(&model->waits, now - connection->since);
        model->taken++;
        model->stolen += is_stolen;
    }
    work(model, worker, shard, now + connection->service);
}

void model_arrive(struct model *model, double now, int shard, double service, bool counts) {
    struct waiting connection = {.since = now, .service = service, .counts = counts};
    int worker = find_idle(model, shard);
    model->shard[shard].present++;
    if (worker >= 0) {
        take(model, now, worker, shard, &connection);
        return;
    }
    fifo_add(&model->pool, &model->shard[shard].fifo, connection);
    model->waiting++;
}

/* A worker that has become free: home, then the neighbours, the next one first. */
static void look(struct model *model, double now, int worker) {
    const struct worker *free_one = &model->worker[worker];
    for (int step = 0; step <= free_one->reach && model->waiting; step++) {
        int shard = shard_after(model, free_one->home, step);
        if (!model->shard[shard].fifo.length)
            continue;
        struct waiting connection = fifo_take(&model->pool, &model->shard[shard].fifo);
        model->waiting--;
        take(model, now, worker, shard, &connection);
        return;
    }
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
        work(model, worker, -1, now + length);
}
