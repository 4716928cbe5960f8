#include "stat_report.h"

#include <jansson.h>
#include <stdio.h>

static const char *const names[COUNTS] = {"home",      "stolen", "empty",
                                          "rotations", "claims", "releases"};

static json_t *json_counts(const uint64_t *counts) {
    json_t *object = json_object();
    for (int i = 0; i < COUNTS; i++)
        json_object_set_new(object, names[i], json_integer((json_int_t)counts[i]));
    return object;
}

static json_t *json_worker(const struct worker_view *worker) {
    json_t *object = json_pack("{s:i, s:i, s:o}", "pid", (int)worker->pid, "home",
                               (int)worker->home, "counts", json_counts(worker->counts));
    if (worker->id >= 0)
        json_object_set_new(object, "instance", json_integer(worker->id));
    if (worker->is_seen) {
        json_object_set_new(object, "waiting", json_boolean(worker->is_waiting));
        json_object_set_new(object, "since_seconds", json_real((double)worker->idle_ms / 1000));
    }
    return object;
}

static json_t *json_shard(const struct shard_view *shard) {
    json_t *object =
        json_pack("{s:i, s:b}", "number", (int)shard->number, "listening", shard->is_listening);
    if (shard->is_known) {
        json_object_set_new(object, "queued", json_integer(shard->queued));
        json_object_set_new(object, "backlog", json_integer(shard->backlog));
    }
    return object;
}

static json_t *json_fallbacks(const uint64_t *fallbacks) {
    json_t *object = json_object();
    for (int i = 0; i < FALLBACKS; i++)
        json_object_set_new(object, fallback_name((enum fallback)i),
                            json_integer((json_int_t)fallbacks[i]));
    return object;
}

static json_t *json_text(const char *text) {
    json_t *value = json_string(text);
    return value ? value : json_string("?");
}

static json_t *json_set(const struct set_view *set) {
    json_t *workers = json_array();
    json_t *shards = json_array();
    for (size_t i = 0; i < set->worker_count; i++)
        json_array_append_new(workers, json_worker(&set->worker[i]));
    for (size_t i = 0; i < set->shard_count; i++)
        json_array_append_new(shards, json_shard(&set->shard[i]));
    return json_pack("{s:o, s:s, s:i, s:i, s:s, s:o, s:o, s:o, s:o, s:I, s:o}", "address",
                     json_text(set->address), "mode", mode_name(set->policy.mode), "steal",
                     (int)set->policy.steal, "rotate", (int)set->policy.rotate, "began_as",
                     mode_name(set->began_as), "why", json_text(set->why), "workers", workers,
                     "shards", shards, "gone", json_counts(set->past), "unattended",
                     (json_int_t)set->unattended, "fallbacks", json_fallbacks(set->fallbacks));
}

void stat_json(const struct set_list *list) {
    json_t *listeners = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(listeners, json_set(&list->item[i]));
    json_t *all = json_pack("{s:o}", "listeners", listeners);
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}
