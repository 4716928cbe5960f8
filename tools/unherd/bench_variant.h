/* bench variant: the ways in which the server is started: our modes, and what --native names. */
#ifndef UNHERD_BENCH_VARIANT_H
#define UNHERD_BENCH_VARIANT_H

#include <stdbool.h>

struct bench_plan;

enum { NATIVES_MAX = 8 };

enum variant {
    STOCK,
    EXCLUSIVE,
    REUSEPORT,
    NO_STEALING,
    NATIVE, /* the first of them */
    VARIANTS = NATIVE + NATIVES_MAX
};

const char *variant_name(enum variant variant);

/* --modes LIST and --native [NAME=]COMMAND. False: it is wrong, and has been said. */
bool variants_take_modes(struct bench_plan *plan, const char *list);
bool variants_take_native(struct bench_plan *plan, const char *text);

#endif
