#include "stat_report.h"

#include <inttypes.h>
#include <stdio.h>

/* A label's value: what would end it is escaped. */
static void print_label(const char *name, const char *value) {
    printf("%s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            putchar('\\');
        putchar(*value);
    }
    putchar('"');
}

static void begin(const char *name, const char *type, const char *help) {
    printf("# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void open_sample(const char *name, const struct set_view *set) {
    printf("%s{", name);
    print_label("listener", set->address);
    printf(",set=\"%" PRIu64 "\"", set->memory); /* two servers may have the same address */
}

/* Sums over all workers that ever were, so that they never fall when one ends. */
static void print_total(const struct set_list *list, const char *name, const char *help,
                        enum count count) {
    begin(name, "counter", help);
    for (size_t i = 0; i < list->count; i++) {
        open_sample(name, &list->item[i]);
        printf("} %" PRIu64 "\n", set_total(&list->item[i], count));
    }
}

static void print_totals(const struct set_list *list) {
    static const struct {
        const char *name;
        const char *help;
    } totals[COUNTS] = {
        [COUNT_HOME] = {"unherd_home_accepts_total",
                        "Connections that workers accepted from their own queue, or from the one "
                        "that all share."},
        [COUNT_STOLEN] = {"unherd_stolen_accepts_total",
                          "Connections that workers accepted from the queues of others."},
        [COUNT_EMPTY] = {"unherd_empty_wakeups_total",
                         "Waits after which a worker found no connection to accept."},
        [COUNT_ROTATIONS] = {"unherd_rotations_total",
                             "Moves of a worker to the end of a queue of waiters."},
        [COUNT_CLAIMS] = {"unherd_claims_total", "Queues that workers took as their own."},
        [COUNT_RELEASES] = {"unherd_releases_total", "Queues that workers gave back."},
    };
    for (int i = 0; i < COUNTS; i++)
        print_total(list, totals[i].name, totals[i].help, (enum count)i);
    begin("unherd_unattended_accepts_total", "counter",
          "Connections accepted by workers that are not counted one by one.");
    for (size_t i = 0; i < list->count; i++) {
        open_sample("unherd_unattended_accepts_total", &list->item[i]);
        printf("} %" PRIu64 "\n", list->item[i].unattended);
    }
}

static void print_fallbacks(const struct set_list *list) {
    begin("unherd_fallbacks_total", "counter",
          "How often something was done otherwise than asked for.");
    for (size_t i = 0; i < list->count; i++)
        for (int j = 0; j < FALLBACKS; j++) {
            open_sample("unherd_fallbacks_total", &list->item[i]);
            putchar(',');
            print_label("reason", fallback_name((enum fallback)j));
            printf("} %" PRIu64 "\n", list->item[i].fallbacks[j]);
        }
}

static void open_worker(const char *name, const struct set_view *set,
                        const struct worker_view *worker) {
    open_sample(name, set);
    printf(",pid=\"%d\"", (int)worker->pid);
    if (worker->id >= 0) /* "instance" is what Prometheus calls the machine that it asked */
        printf(",epoll=\"%d\"", worker->id);
}

static void print_workers(const struct set_list *list) {
    begin("unherd_worker_accepts_total", "counter", "Connections that a worker accepted.");
    for (size_t i = 0; i < list->count; i++)
        for (size_t j = 0; j < list->item[i].worker_count; j++) {
            const struct worker_view *worker = &list->item[i].worker[j];
            open_worker("unherd_worker_accepts_total", &list->item[i], worker);
            printf(",from=\"home\"} %" PRIu64 "\n", worker->counts[COUNT_HOME]);
            open_worker("unherd_worker_accepts_total", &list->item[i], worker);
            printf(",from=\"others\"} %" PRIu64 "\n", worker->counts[COUNT_STOLEN]);
        }
    begin("unherd_worker_busy_seconds", "gauge",
          "How long a worker has not waited for connections; 0 while it waits.");
    for (size_t i = 0; i < list->count; i++)
        for (size_t j = 0; j < list->item[i].worker_count; j++) {
            const struct worker_view *worker = &list->item[i].worker[j];
            if (!worker->is_seen)
                continue;
            open_worker("unherd_worker_busy_seconds", &list->item[i], worker);
            printf("} %.3f\n", worker->is_waiting ? 0.0 : (double)worker->idle_ms / 1000);
        }
}

static void print_queues(const struct set_list *list, const char *name, const char *help,
                         bool is_backlog) {
    begin(name, "gauge", help);
    for (size_t i = 0; i < list->count; i++)
        for (size_t j = 0; j < list->item[i].shard_count; j++) {
            const struct shard_view *shard = &list->item[i].shard[j];
            if (!shard->is_known || (is_backlog && !shard->backlog))
                continue;
            open_sample(name, &list->item[i]);
            printf(",shard=\"%u\"} %u\n", shard->number,
                   is_backlog ? shard->backlog : shard->queued);
        }
}

static void print_policies(const struct set_list *list) {
    begin("unherd_steal_neighbours", "gauge", "Neighbours that watch each queue.");
    for (size_t i = 0; i < list->count; i++) {
        open_sample("unherd_steal_neighbours", &list->item[i]);
        printf("} %u\n", list->item[i].policy.steal);
    }
    begin("unherd_rotate_accepts", "gauge",
          "Accepts from a shared queue between two turns; 0: no turns are taken.");
    for (size_t i = 0; i < list->count; i++) {
        open_sample("unherd_rotate_accepts", &list->item[i]);
        printf("} %u\n", list->item[i].policy.rotate);
    }
}

void stat_prometheus(const struct set_list *list) {
    begin("unherd_listener_info", "gauge", "A listener, its mode and the reason; always 1.");
    for (size_t i = 0; i < list->count; i++) {
        open_sample("unherd_listener_info", &list->item[i]);
        putchar(',');
        print_label("mode", mode_name(list->item[i].policy.mode));
        putchar(',');
        print_label("why", list->item[i].why);
        puts("} 1");
    }
    print_policies(list);
    print_totals(list);
    print_fallbacks(list);
    print_workers(list);
    print_queues(list, "unherd_queued_connections", "Connections in a queue now.", false);
    print_queues(list, "unherd_queue_limit_connections", "Connections that a queue can hold.",
                 true);
}
