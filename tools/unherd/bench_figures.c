#include "bench_figures.h"

#include <math.h>
#include <stdio.h>

const struct figure_row figure_table[FIGURES] = {
    [RATE] = {"per_second", "answers/s", MORE},
    [P50] = {"p50_ms", "p50, ms", LESS},
    [P90] = {"p90_ms", "p90, ms", LESS},
    [P99] = {"p99_ms", "p99, ms", LESS},
    [P999] = {"p999_ms", "p99.9, ms", LESS},
    [SLOWEST] = {"max_ms", "slowest, ms", LESS},
    [BUSIEST] = {"busiest_share", "busiest worker", NONE},
    [IDLEST] = {"idlest_share", "idlest worker", NONE},
    [WAKEUPS] = {"wakeups", "wake-ups each", LESS},
    [CPU] = {"cpu_us", "CPU each, us", LESS},
    [STOLEN] = {"stolen", "stolen", NONE},
    [LOST] = {"lost", "lost", LESS},
    [NOT_OK] = {"not_2xx", "not 2xx", NONE},
};

void figure_write(char *text, size_t size, double value) {
    if (isnan(value))
        snprintf(text, size, "-");
    else if (value == floor(value) || value >= 100)
        snprintf(text, size, "%.0f", value);
    else
        snprintf(text, size, "%.*f", value >= 10 ? 1 : value >= 0.1 ? 2 : 3, value);
}

void figures_summarize(struct bench *bench) {
    for (int variant = 0; variant < VARIANTS; variant++) {
        struct outcome_of *outcome = &bench->outcome[variant];
        for (int figure = 0; figure < FIGURES; figure++) {
            double value[ROUNDS_MAX];
            for (size_t i = 0; i < outcome->rounds; i++)
                value[i] = outcome->round[i].figure[figure];
            outcome->summary[figure] = summary_of(value, outcome->rounds);
        }
    }
}

enum difference figure_against_stock(const struct bench *bench, enum variant variant,
                                     enum figure figure) {
    return difference_of(&bench->outcome[variant].summary[figure],
                         &bench->outcome[STOCK].summary[figure]);
}
