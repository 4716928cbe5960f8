#include "rates.h"

#include <stdlib.h>
#include <string.h>

static const double STUCK_SECONDS = 1;

bool rate_is_stuck(const struct rate_row *row) {
    return row->worker && row->busy >= STUCK_SECONDS;
}

/* ---- what was before ---- */

static const struct set_view *same_set(const struct set_list *list, const struct set_view *set) {
    for (size_t i = 0; i < list->count; i++)
        if (list->item[i].memory == set->memory)
            return &list->item[i];
    return NULL;
}

static const struct worker_view *same_worker(const struct set_view *set,
                                             const struct worker_view *worker) {
    for (size_t i = 0; set && i < set->worker_count; i++)
        if (set->worker[i].pid == worker->pid && set->worker[i].id == worker->id)
            return &set->worker[i];
    return NULL;
}

/* Nothing, where there was nothing before to compare with, or where it began anew. */
static double per_second(uint64_t before, uint64_t now, double seconds) {
    return seconds > 0 && now >= before ? (double)(now - before) / seconds : 0;
}

/* ---- rows ---- */

static struct rate_row listener_row(const struct set_view *before, const struct set_view *set,
                                    double seconds) {
    struct rate_row row = {.set = set, .share = 1};
    for (size_t i = 0; i < set->shard_count; i++)
        row.queued += set->shard[i].queued;
    if (!before)
        return row;
    row.stolen = per_second(set_total(before, COUNT_STOLEN), set_total(set, COUNT_STOLEN), seconds);
    row.accepts = row.stolen +
                  per_second(set_total(before, COUNT_HOME), set_total(set, COUNT_HOME), seconds) +
                  per_second(before->unattended, set->unattended, seconds);
    return row;
}

static struct rate_row worker_row(const struct worker_view *before, const struct set_view *set,
                                  const struct worker_view *worker, double seconds) {
    struct rate_row row = {.set = set, .worker = worker};
    row.busy = worker->is_waiting || !worker->is_seen ? 0 : (double)worker->idle_ms / 1000;
    if (worker->home < set->shard_count)
        row.queued = set->shard[worker->home].queued;
    if (!before)
        return row;
    row.stolen = per_second(before->counts[COUNT_STOLEN], worker->counts[COUNT_STOLEN], seconds);
    row.accepts =
        row.stolen + per_second(before->counts[COUNT_HOME], worker->counts[COUNT_HOME], seconds);
    return row;
}

static void set_shares(struct rate_row *row, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += row[i].accepts;
    for (size_t i = 0; i < count; i++)
        row[i].share = sum > 0 ? row[i].accepts * (double)count / sum : 0;
}

/* ---- order ---- */

static int by_pid(const void *a, const void *b) {
    const struct rate_row *left = a;
    const struct rate_row *right = b;
    int order = (left->worker->pid > right->worker->pid) - (left->worker->pid < right->worker->pid);
    return order ? order : left->worker->id - right->worker->id;
}

/* The largest first; alike, by their numbers, so that rows do not dance. */
static int largest_first(double left, double right, const void *a, const void *b) {
    return left != right ? (left < right) - (left > right) : by_pid(a, b);
}

static int by_accepts(const void *a, const void *b) {
    return largest_first(((const struct rate_row *)a)->accepts,
                         ((const struct rate_row *)b)->accepts, a, b);
}

static int by_stolen(const void *a, const void *b) {
    return largest_first(((const struct rate_row *)a)->stolen, ((const struct rate_row *)b)->stolen,
                         a, b);
}

static int by_busy(const void *a, const void *b) {
    return largest_first(((const struct rate_row *)a)->busy, ((const struct rate_row *)b)->busy, a,
                         b);
}

/* ---- all ---- */

static void add_set(struct rate_table *table, const struct set_list *before,
                    const struct set_view *set, double seconds, enum rate_order order) {
    static int (*const orders[RATE_ORDERS])(const void *, const void *) = {by_accepts, by_stolen,
                                                                           by_busy, by_pid};
    const struct set_view *old = same_set(before, set);
    table->row[table->count++] = listener_row(old, set, seconds);
    struct rate_row *first = &table->row[table->count];
    for (size_t i = 0; i < set->worker_count; i++)
        first[i] = worker_row(same_worker(old, &set->worker[i]), set, &set->worker[i], seconds);
    set_shares(first, set->worker_count);
    qsort(first, set->worker_count, sizeof *first, orders[order]);
    table->count += set->worker_count;
}

bool rates_make(struct rate_table *table, const struct set_list *before, const struct set_list *now,
                double seconds, enum rate_order order, const char *filter) {
    size_t most = 1;
    for (size_t i = 0; i < now->count; i++)
        most += 1 + now->item[i].worker_count;
    *table = (struct rate_table){.row = calloc(most, sizeof *table->row)};
    for (size_t i = 0; table->row && i < now->count; i++)
        if (strstr(now->item[i].address, filter))
            add_set(table, before, &now->item[i], seconds, order);
    return table->row;
}

void rates_free(struct rate_table *table) {
    free(table->row);
    *table = (struct rate_table){0};
}
