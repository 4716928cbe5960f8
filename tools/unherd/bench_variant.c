#include "bench_variant.h"

#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "command.h"

enum { NAME_SIZE = 16 /* a column of the table is not much wider */ };

static const char *const names[NATIVE] = {"stock", "exclusive", "reuseport", "no-stealing"};
static char native_names[NATIVES_MAX][NAME_SIZE]; /* an empty one is nobody's */

const char *variant_name(enum variant variant) {
    return variant < NATIVE ? names[variant] : native_names[variant - NATIVE];
}

static int find(const char *name, size_t length, int end) {
    for (int i = 0; i < end; i++) {
        const char *other = variant_name((enum variant)i);
        if (length && strlen(other) == length && !strncmp(other, name, length))
            return i;
    }
    return -1;
}

bool variants_take_modes(struct bench_plan *plan, const char *list) {
    memset(plan->is_wanted, 0, NATIVE * sizeof *plan->is_wanted);
    for (const char *at = list;; at++) {
        size_t length = strcspn(at, ",");
        int found = find(at, length, NATIVE);
        if (found < 0) {
            complain(&bench_command, "--modes %s: not of stock, exclusive, reuseport, no-stealing",
                     list);
            return false;
        }
        plan->is_wanted[found] = true;
        at += length;
        if (!*at)
            return true;
    }
}

static bool refuse_native(const char *text, const char *why) {
    complain(&bench_command, "--native %s: %s", text, why);
    return false;
}

/* A variable that a shell is to set for the command is written in capitals, and a name is not. */
static size_t length_of_name(const char *text) {
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return text[length] == '=' ? length : 0;
}

bool variants_take_native(struct bench_plan *plan, const char *text) {
    static const char unnamed[] = "native";
    size_t length = length_of_name(text);
    const char *name = length ? text : unnamed;
    const char *command = text + length + (length > 0);
    int end = NATIVE;
    while (end < VARIANTS && plan->native[end - NATIVE])
        end++;
    if (!length)
        length = strlen(unnamed);
    if (!*command)
        return refuse_native(text, "no command");
    if (length >= NAME_SIZE)
        return refuse_native(text, "the name has more than 15 letters");
    if (find(name, length, end) >= 0)
        return refuse_native(text, "another has that name; say NAME=COMMAND");
    if (end == VARIANTS)
        return refuse_native(text, "there are eight already");
    memcpy(native_names[end - NATIVE], name, length);
    plan->native[end - NATIVE] = command;
    plan->is_wanted[end] = true;
    return true;
}
