#include "check_report.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* ---- text ---- */

static void print_processes(const struct listener_facts *facts) {
    size_t with = 0;
    for (size_t i = 0; i < facts->process_count; i++)
        with += facts->process[i].has_library;
    printf("  %zu process%s it open", facts->process_count,
           facts->process_count == 1 ? " has" : "es have");
    if (facts->process_count)
        printf(" (%s)",
               facts->process[0].program[0] ? facts->process[0].program : facts->process[0].name);
    printf("; the library is in %zu of them\n", with);
}

static void print_way(enum way way, size_t count, size_t exclusive) {
    printf("  %zu wait%s with %s", count, count == 1 ? "s" : "", way_name(way));
    if (exclusive && exclusive < count)
        printf(", %zu of them", exclusive);
    puts(exclusive ? ", EPOLLEXCLUSIVE" : "");
}

static void print_ways(const struct listener_facts *facts) {
    static const enum way ways[] = {WAY_EPOLL, WAY_POLL, WAY_SELECT, WAY_ACCEPT};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        size_t count = 0;
        size_t exclusive = 0;
        for (size_t j = 0; j < facts->waiters.count; j++)
            if (facts->waiters.item[j].way == ways[i])
                count++, exclusive += facts->waiters.item[j].is_exclusive;
        if (count)
            print_way(ways[i], count, exclusive);
    }
}

static void print_listener(const struct listener_facts *facts, const struct verdict *verdict) {
    printf("%s\n", facts->address);
    printf("  %zu socket%s, %u connection%s queued\n", facts->sockets.count,
           facts->sockets.count == 1 ? "" : "s", facts->queued, facts->queued == 1 ? "" : "s");
    print_processes(facts);
    print_ways(facts);
    if (facts->starters)
        printf("  %zu more, which start%s those that accept\n", facts->starters,
               facts->starters == 1 ? "s" : "");
    if (facts->has_ring)
        puts("  io_uring is used too: what goes through that is not seen");
    if (*verdict->missing)
        printf("  %s\n", verdict->missing);
    if (*verdict->advice)
        printf("  set first: %s\n", verdict->advice);
    printf("  %s%s%s: %s\n", answer_name(verdict->answer), verdict->mode ? ", " : "",
           verdict->mode ? verdict->mode : "", verdict->reason);
}

/* ---- JSON ---- */

static json_t *json_waiter(const struct waiter *waiter) {
    return json_pack("{s:i, s:s, s:b, s:b}", "pid", (int)waiter->pid, "way", way_name(waiter->way),
                     "exclusive", waiter->is_exclusive, "asleep", waiter->was_asleep);
}

static json_t *json_process(const struct process *process) {
    return json_pack("{s:i, s:i, s:s, s:s, s:b}", "pid", (int)process->pid, "parent",
                     (int)process->parent, "name", process->name, "program", process->program,
                     "library", process->has_library);
}

static json_t *json_listener(const struct listener_facts *facts, const struct verdict *verdict) {
    json_t *processes = json_array();
    json_t *waiters = json_array();
    for (size_t i = 0; i < facts->process_count; i++)
        json_array_append_new(processes, json_process(&facts->process[i]));
    for (size_t i = 0; i < facts->waiters.count; i++)
        json_array_append_new(waiters, json_waiter(&facts->waiters.item[i]));
    return json_pack("{s:s, s:I, s:i, s:I, s:I, s:b, s:o, s:o, s:s, s:s?, s:s, s:s, s:s}",
                     "address", facts->address, "sockets", (json_int_t)facts->sockets.count,
                     "queued", (int)facts->queued, "workers", (json_int_t)listener_workers(facts),
                     "starters", (json_int_t)facts->starters, "io_uring", facts->has_ring,
                     "processes", processes, "waiters", waiters, "verdict",
                     answer_name(verdict->answer), "mode", verdict->mode, "reason", verdict->reason,
                     "advice", verdict->advice, "missing", verdict->missing);
}

static void print_json(json_t *value) {
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(value);
}

/* ---- all ---- */

enum answer report_listeners(const struct listener_list *list, const struct library *library,
                             bool json) {
    json_t *listeners = json_array();
    enum answer best = CANNOT;
    for (size_t i = 0; i < list->count; i++) {
        struct verdict verdict;
        verdict_of(&verdict, &list->item[i], library);
        if (verdict.answer < best)
            best = verdict.answer;
        if (json)
            json_array_append_new(listeners, json_listener(&list->item[i], &verdict));
        else
            print_listener(&list->item[i], &verdict);
    }
    if (json)
        print_json(json_pack("{s:O, s:s}", "listeners", listeners, "verdict", answer_name(best)));
    json_decref(listeners);
    return best;
}
