#include "bench_share.h"

#include <stdio.h>
#include <string.h>

#include "rules.h"
#include "statistics.h"

static void take_set(struct share_look *look, const struct set_view *set) {
    look->is_there = true;
    look->stolen += set_total(set, COUNT_STOLEN);
    for (size_t i = 0; i < set->worker_count && look->count < SHARE_WORKERS; i++) {
        const struct worker_view *worker = &set->worker[i];
        look->worker[look->count].pid = worker->pid;
        look->worker[look->count].id = worker->id;
        look->worker[look->count++].accepts =
            worker->counts[COUNT_HOME] + worker->counts[COUNT_STOLEN];
    }
    for (size_t i = 0; i < set->shard_count; i++)
        look->queues += set->shard[i].is_listening;
    if (look->queues > 1)
        snprintf(look->became, sizeof look->became, "%zu queues", look->queues);
    else
        snprintf(look->became, sizeof look->became, "one queue");
}

/* A listener of all addresses is known by its own, not by the one that the load goes to. */
void share_read(struct share_look *look, const char *address, pid_t keeper) {
    struct target target = {.pid = keeper};
    struct set_list list = {0};
    const char *colon = strncmp(address, "unix:", 5) ? strrchr(address, ':') : NULL;
    memset(look, 0, sizeof *look);
    if (!sets_read(&list, &target))
        return;
    for (size_t i = 0; i < list.count; i++) {
        const char *other = colon ? strrchr(list.item[i].address, ':') : list.item[i].address;
        if (other && !strcmp(other, colon ? colon : address))
            take_set(look, &list.item[i]);
    }
    sets_free(&list);
}

static uint64_t accepts_before(const struct share_look *before, pid_t pid, int id) {
    for (size_t i = 0; i < before->count; i++)
        if (before->worker[i].pid == pid && before->worker[i].id == id)
            return before->worker[i].accepts;
    return 0;
}

size_t share_between(double *accepts, size_t most, const struct share_look *before,
                     const struct share_look *after) {
    size_t count = after->count < most ? after->count : most;
    for (size_t i = 0; i < count; i++)
        accepts[i] = (double)(after->worker[i].accepts -
                              accepts_before(before, after->worker[i].pid, after->worker[i].id));
    return count;
}
