#include <math.h>
#include <stdio.h>

#include "bench_figures.h"
#include "bench_report.h"

enum { LABEL = 16, COLUMN = 17 };

static bool is_shown(const struct bench *bench, int variant) {
    return bench->outcome[variant].rounds > 0;
}

/* What nobody has is no line, nor are pages other than 2xx where there were none. */
static bool is_worth_a_line(const struct bench *bench, int figure) {
    for (int i = 0; i < VARIANTS; i++) {
        const struct summary *summary = &bench->outcome[i].summary[figure];
        if (is_shown(bench, i) && summary->count && (figure != NOT_OK || summary->median > 0))
            return true;
    }
    return false;
}

static void put_head(const struct bench *bench) {
    printf("%-*s", LABEL, "");
    for (int i = 0; i < VARIANTS; i++)
        if (is_shown(bench, i))
            printf("%*s", COLUMN, variant_name((enum variant)i));
    putchar('\n');
}

static void put_listener(const struct bench *bench) {
    printf("%-*s", LABEL, "listener");
    for (int i = 0; i < VARIANTS; i++)
        if (is_shown(bench, i))
            printf("%*s", COLUMN, *bench->outcome[i].became ? bench->outcome[i].became : "-");
    putchar('\n');
}

static void put_cell(const struct summary *summary) {
    char median[32], spread[32], cell[72];
    figure_write(median, sizeof median, summary->median);
    figure_write(spread, sizeof spread, summary->spread);
    if (summary->count > 1)
        snprintf(cell, sizeof cell, "%s (%s)", median, spread);
    else
        snprintf(cell, sizeof cell, "%s", median);
    printf("%*s", COLUMN, cell);
}

static void put_row(const struct bench *bench, int figure) {
    printf("%-*s", LABEL, figure_table[figure].label);
    for (int i = 0; i < VARIANTS; i++)
        if (is_shown(bench, i))
            put_cell(&bench->outcome[i].summary[figure]);
    putchar('\n');
}

/* Of nothing there is no percentage. */
static void put_difference(const struct bench *bench, enum variant variant, enum figure figure) {
    char cell[48] = "none";
    double stock = bench->outcome[STOCK].summary[figure].median;
    double apart = bench->outcome[variant].summary[figure].median - stock;
    enum difference difference = figure_against_stock(bench, variant, figure);
    if (difference == NOT_KNOWN)
        snprintf(cell, sizeof cell, "?");
    else if (difference == MORE && stock > 0 && apart > 9 * stock)
        snprintf(cell, sizeof cell, "x %.0f", apart / stock + 1);
    else if (difference == LESS && figure != LOST && apart < -0.9 * stock && apart > -stock)
        snprintf(cell, sizeof cell, "/ %.0f", stock / (stock + apart));
    else if (difference != NONE && stock > 0 && figure != LOST)
        snprintf(cell, sizeof cell, "%+.0f %%", apart / stock * 100);
    else if (difference != NONE)
        snprintf(cell, sizeof cell, "%+.0f", apart);
    printf("%*s", COLUMN, cell);
}

static void put_differences(const struct bench *bench) {
    static const enum figure compared[] = {RATE, P50, P99, SLOWEST, WAKEUPS, CPU, LOST};
    puts("\nagainst stock; none: not more than the spread, or than 2 %");
    for (size_t i = 0; i < sizeof compared / sizeof *compared; i++) {
        printf("%-*s%*s", LABEL, figure_table[compared[i]].label, COLUMN, "");
        for (int variant = STOCK + 1; variant < VARIANTS; variant++)
            if (is_shown(bench, variant))
                put_difference(bench, (enum variant)variant, compared[i]);
        putchar('\n');
    }
}

void bench_write_load(FILE *out, const struct bench *bench) {
    const struct bench_plan *plan = &bench->plan;
    fprintf(out, "%s%s: ", bench->address, plan->is_plain ? "" : plan->path);
    if (plan->rate > 0)
        fprintf(out, "%g a second on schedule", plan->rate);
    else
        fprintf(out, "%ld at once in a closed loop", plan->connections);
    fprintf(out, ", %s, %g s a round", plan->keeps_alive ? "connections kept" : "a connection each",
            plan->duration);
    if (plan->stall_ms)
        fprintf(out, ", a worker stopped for %d ms", plan->stall_ms);
    if (plan->kills)
        fputs(", a worker killed", out);
    if (plan->reload)
        fprintf(out, ", SIG%s to the master", plan->reload);
}

void bench_table(const struct bench *bench) {
    bench_write_load(stdout, bench);
    putchar('\n');
    if (bench->plan.rounds > 1)
        printf("median (spread) of %d rounds", bench->plan.rounds);
    else
        printf("one round");
    puts("; 1 is a worker's fair share\n");
    put_head(bench);
    put_listener(bench);
    for (int figure = 0; figure < FIGURES; figure++)
        if (is_worth_a_line(bench, figure))
            put_row(bench, figure);
    if (is_shown(bench, STOCK) && bench->plan.rounds > 1)
        put_differences(bench);
    printf("\n%s\n", bench->advice);
}
