#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench_figures.h"
#include "bench_report.h"

/* What counts, the weightiest first. */
static const enum figure weighed[] = {LOST, P99, RATE, CPU, P50, WAKEUPS};

enum { WEIGHED = sizeof weighed / sizeof *weighed };

static const double NOISY = 0.3; /* of the median */

/* On schedule the rate is what was asked for. */
static bool is_weighed(const struct bench *bench, enum figure figure) {
    return figure != RATE || bench->plan.rate <= 0;
}

/* The median moves by little things: it is a price that may be paid, and no reason to pay. What
 * more wake-ups cost shows in the CPU time already. */
static bool is_a_gain(enum figure figure) {
    return figure != P50;
}

static bool is_a_price(enum figure figure) {
    return figure != WAKEUPS;
}

/* A herd is a matter of whole wake-ups for each connection. */
static bool is_little(enum figure figure, const struct summary *one, const struct summary *other) {
    return figure == WAKEUPS && fabs(one->median - other->median) < 0.5;
}

struct balance {
    enum figure better[WEIGHED], worse[WEIGHED];
    size_t betters, worses;
};

static struct balance balance_of(const struct bench *bench, enum variant one, enum variant other) {
    struct balance balance = {0};
    for (size_t i = 0; i < WEIGHED; i++) {
        enum figure figure = weighed[i];
        const struct summary *its = &bench->outcome[one].summary[figure];
        const struct summary *others = &bench->outcome[other].summary[figure];
        enum difference difference = difference_of(its, others);
        if (!is_weighed(bench, figure) || difference == NONE || difference == NOT_KNOWN)
            continue;
        if (is_little(figure, its, others))
            continue;
        bool is_gained = difference == figure_table[figure].better;
        if (is_gained && is_a_gain(figure))
            balance.better[balance.betters++] = figure;
        else if (!is_gained && is_a_price(figure))
            balance.worse[balance.worses++] = figure;
    }
    return balance;
}

/* Weightier than whatever is worse. */
static bool is_better(const struct balance *balance) {
    if (!balance->betters || !balance->worses)
        return balance->betters;
    for (size_t i = 0; i < WEIGHED; i++) {
        if (weighed[i] == balance->better[0])
            return true;
        if (weighed[i] == balance->worse[0])
            return false;
    }
    return false;
}

static void add_words(char *text, size_t size, const char *words) {
    size_t length = strlen(text);
    snprintf(text + length, size - length, "%s", words);
}

/* "p99 0.91 ms instead of 434". */
static void add_figures(const struct bench *bench, char *text, size_t size, enum variant variant,
                        const enum figure *figure, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char words[128], now[32], before[32];
        const char *name = figure_table[figure[i]].label;
        const char *unit = strchrnul(name, ','); /* "p99, ms" */
        figure_write(now, sizeof now, bench->outcome[variant].summary[figure[i]].median);
        figure_write(before, sizeof before, bench->outcome[STOCK].summary[figure[i]].median);
        snprintf(words, sizeof words, "%s%.*s %s%s instead of %s", i ? "; " : "",
                 (int)(unit - name), name, now, unit + (*unit == ','), before);
        add_words(text, size, words);
    }
}

/* Plain SO_REUSEPORT is measured to see what stealing does, and never advised; nor is a library
 * that was not in the server. */
static bool is_candidate(const struct bench *bench, int variant) {
    const struct outcome_of *outcome = &bench->outcome[variant];
    return outcome->rounds &&
           (variant >= NATIVE ||
            ((variant == EXCLUSIVE || variant == REUSEPORT) && *outcome->became));
}

static enum variant best_of(const struct bench *bench) {
    enum variant best = STOCK;
    for (int i = 0; i < VARIANTS; i++) {
        struct balance balance = balance_of(bench, (enum variant)i, best);
        if (is_candidate(bench, i) && is_better(&balance))
            best = (enum variant)i;
    }
    return best;
}

/* Of a noisy measurement "none" is not the last word. */
static void add_noise(struct bench *bench) {
    const struct summary *p99 = &bench->outcome[STOCK].summary[P99];
    char words[96];
    if (!p99->count || p99->spread < NOISY * p99->median)
        return;
    snprintf(words, sizeof words, "; the spread of its p99 is %.0f %%: more --rounds tell more",
             p99->spread / p99->median * 100);
    add_words(bench->advice, sizeof bench->advice, words);
}

static void advise_stock(struct bench *bench) {
    bool is_worse = false, is_gained = false;
    for (int i = 0; i < VARIANTS; i++) {
        struct balance balance = balance_of(bench, (enum variant)i, STOCK);
        is_worse |= is_candidate(bench, i) && balance.worses;
        is_gained |= is_candidate(bench, i) && balance.betters;
    }
    snprintf(bench->advice, sizeof bench->advice, "recommended: stock, without the library: %s",
             is_gained  ? "what the others improve weighs less than what they worsen"
             : is_worse ? "the others improve nothing that counts by more than the spread"
                        : "nothing that counts differs by more than the spread");
    add_noise(bench);
}

static bool reached_nobody(const struct bench *bench) {
    bool was_tried = false;
    for (int i = EXCLUSIVE; i <= NO_STEALING; i++) {
        if (*bench->outcome[i].became)
            return false;
        was_tried |= bench->outcome[i].rounds > 0;
    }
    return was_tried;
}

void bench_advise(struct bench *bench) {
    enum variant best = best_of(bench);
    char *text = bench->advice;
    size_t size = sizeof bench->advice;
    bool has_rival = reached_nobody(bench);
    for (int i = 0; i < VARIANTS; i++)
        has_rival |= is_candidate(bench, i);
    if (!bench->outcome[STOCK].rounds || !has_rival) {
        snprintf(text, size, "no recommendation: that takes stock and another mode");
    } else if (bench->plan.rounds < 2) {
        snprintf(text, size, "no recommendation: one round has no spread; say --rounds 5");
    } else if (best == STOCK && reached_nobody(bench)) {
        snprintf(text, size,
                 "recommended: stock: the library was not in the server, see unherd check");
    } else if (best == STOCK) {
        advise_stock(bench);
    } else {
        struct balance balance = balance_of(bench, best, STOCK);
        snprintf(text, size, "recommended: %s%s: ", variant_name(best),
                 best >= NATIVE ? ", without the library" : "");
        add_figures(bench, text, size, best, balance.better, balance.betters);
        if (balance.worses)
            add_words(text, size, "; but ");
        add_figures(bench, text, size, best, balance.worse, balance.worses);
    }
}
