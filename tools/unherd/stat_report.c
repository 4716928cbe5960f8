#include "stat_report.h"

#include <inttypes.h>
#include <stdio.h>

static void print_worker(const struct worker_view *worker) {
    const uint64_t *counts = worker->counts;
    printf("  worker %-8d %6u %12" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %7" PRIu64,
           (int)worker->pid, worker->home, counts[COUNT_HOME] + counts[COUNT_STOLEN],
           counts[COUNT_STOLEN], counts[COUNT_EMPTY], counts[COUNT_ROTATIONS],
           counts[COUNT_CLAIMS]);
    if (worker->is_seen)
        printf("  %s %.1f s\n", worker->is_waiting ? "waits" : "works",
               (double)worker->idle_ms / 1000);
    else
        puts("  ?");
}

/* How many workers have their home there, and one of them. */
static size_t count_owners(const struct set_view *set, unsigned shard, pid_t *owner) {
    size_t count = 0;
    for (size_t i = 0; i < set->worker_count; i++)
        if (set->worker[i].home == shard)
            count++, *owner = set->worker[i].pid;
    return count;
}

static void print_shard(const struct set_view *set, const struct shard_view *shard) {
    pid_t owner = 0;
    size_t owners = count_owners(set, shard->number, &owner);
    if (!shard->is_listening)
        return;
    printf("  queue  %-8u", shard->number);
    if (shard->is_known)
        printf(" %u queued", shard->queued);
    else
        printf(" not seen");
    if (shard->is_known && shard->backlog)
        printf(" of %u", shard->backlog);
    if (set->is_one_queue && shard->number)
        printf(", gets no new ones\n");
    else if (owners == 0)
        printf(", nobody's own\n");
    else if (owners == 1)
        printf(", %d's\n", (int)owner);
    else
        printf(", shared by %zu\n", owners);
}

static unsigned count_spares(const struct set_view *set) {
    unsigned count = 0;
    for (size_t i = 0; i < set->shard_count; i++)
        count += !set->shard[i].is_listening;
    return count;
}

static void print_gone(const struct set_view *set) {
    uint64_t accepts = set->past[COUNT_HOME] + set->past[COUNT_STOLEN];
    if (accepts || set->past[COUNT_EMPTY])
        printf("  gone              - %12" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64
               " %7" PRIu64 "\n",
               accepts, set->past[COUNT_STOLEN], set->past[COUNT_EMPTY], set->past[COUNT_ROTATIONS],
               set->past[COUNT_CLAIMS]);
    if (set->unattended)
        printf("  without a place   - %12" PRIu64 "\n", set->unattended);
}

static void print_fallbacks(const struct set_view *set) {
    for (int i = 0; i < FALLBACKS; i++)
        if (set->fallbacks[i])
            printf("  fell back: %s (%" PRIu64 ")\n", fallback_name((enum fallback)i),
                   set->fallbacks[i]);
}

static void print_mode(const struct set_view *set) {
    char text[POLICY_TEXT];
    printf("%s: %s", set->address, policy_text(set->policy, text));
    if (set->policy.mode != set->began_as)
        printf(" (set; it began as %s: %s)\n", mode_name(set->began_as), set->why);
    else if (*set->why)
        printf(" (%s)\n", set->why);
    else
        putchar('\n');
}

static void print_set(const struct set_view *set) {
    print_mode(set);
    printf("         %-8s %6s %12s %10s %10s %10s %7s  %s\n", "PID", "HOME", "ACCEPTED", "STOLEN",
           "EMPTY", "ROTATED", "CLAIMED", "NOW, SINCE");
    for (size_t i = 0; i < set->worker_count; i++)
        print_worker(&set->worker[i]);
    print_gone(set);
    for (size_t i = 0; i < set->shard_count; i++)
        print_shard(set, &set->shard[i]);
    if (count_spares(set))
        printf("  spares %u\n", count_spares(set));
    print_fallbacks(set);
}

void stat_report(const struct set_list *list, enum stat_format format) {
    if (format == STAT_JSON)
        stat_json(list);
    else if (format == STAT_PROMETHEUS)
        stat_prometheus(list);
    else
        for (size_t i = 0; i < list->count; i++)
            print_set(&list->item[i]);
}
