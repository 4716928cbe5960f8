#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "bench_figures.h"
#include "bench_report.h"
#include "version.h"

/* JSON knows no NAN. */
static json_t *json_number(double value) {
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *json_text(const char *text) {
    json_t *value = json_string(text);
    return value ? value : json_string("?");
}

static json_t *json_round(const struct round *round) {
    json_t *object = json_object();
    json_t *shares = json_array();
    for (int i = 0; i < FIGURES; i++)
        json_object_set_new(object, figure_table[i].name, json_number(round->figure[i]));
    for (size_t i = 0; i < round->share_count; i++)
        json_array_append_new(shares, json_real(round->share[i]));
    json_object_set_new(object, "shares", shares);
    return object;
}

static const char *difference_name(enum difference difference) {
    static const char *const names[] = {
        [NOT_KNOWN] = "unknown", [NONE] = "none", [MORE] = "more", [LESS] = "less"};
    return names[difference];
}

static json_t *json_summaries(const struct bench *bench, enum variant variant) {
    json_t *object = json_object();
    for (int i = 0; i < FIGURES; i++) {
        const struct summary *summary = &bench->outcome[variant].summary[i];
        json_object_set_new(
            object, figure_table[i].name,
            json_pack("{s:o, s:o, s:s}", "median", json_number(summary->median), "spread",
                      json_number(summary->spread), "against_stock",
                      difference_name(figure_against_stock(bench, variant, (enum figure)i))));
    }
    return object;
}

static json_t *json_variant(const struct bench *bench, enum variant variant) {
    const struct outcome_of *outcome = &bench->outcome[variant];
    json_t *rounds = json_array();
    for (size_t i = 0; i < outcome->rounds; i++)
        json_array_append_new(rounds, json_round(&outcome->round[i]));
    return json_pack("{s:s, s:o, s:o, s:o}", "mode", variant_name(variant), "listener",
                     *outcome->became ? json_text(outcome->became) : json_null(), "figures",
                     json_summaries(bench, variant), "rounds", rounds);
}

static json_t *json_load(const struct bench_plan *plan) {
    return json_pack("{s:f, s:I, s:f, s:b, s:i, s:b, s:o}", "rate", plan->rate, "connections",
                     (json_int_t)plan->connections, "duration_s", plan->duration, "keep_alive",
                     plan->keeps_alive, "stall_ms", plan->stall_ms, "kill", plan->kills, "reload",
                     plan->reload ? json_text(plan->reload) : json_null());
}

void bench_json(const struct bench *bench) {
    json_t *command = json_array();
    json_t *modes = json_array();
    for (char **word = bench->plan.command; *word; word++)
        json_array_append_new(command, json_text(*word));
    for (int i = 0; i < VARIANTS; i++)
        if (bench->outcome[i].rounds)
            json_array_append_new(modes, json_variant(bench, (enum variant)i));
    json_t *all = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "version", VERSION, "command",
                            command, "address", json_text(bench->address), "path",
                            bench->plan.is_plain ? json_null() : json_text(bench->plan.path),
                            "load", json_load(&bench->plan), "modes", modes, "recommendation",
                            json_text(bench->advice));
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}
