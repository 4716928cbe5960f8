/* rates: what has happened between two looks at the statistics, row by row. */
#ifndef UNHERD_RATES_H
#define UNHERD_RATES_H

#include <stdbool.h>
#include <stddef.h>

#include "statistics.h"

struct rate_row {
    const struct set_view *set;
    const struct worker_view *worker; /* NULL: the row is the listener's */
    double accepts;                   /* per second */
    double stolen;
    double share; /* of what the workers of the listener accept on the average; 1 is fair */
    unsigned queued;
    double busy; /* seconds without a wait, 0 while it waits */
};

struct rate_table {
    struct rate_row *row;
    size_t count;
};

enum rate_order { BY_ACCEPTS, BY_STOLEN, BY_BUSY, BY_PID, RATE_ORDERS };

/* Of the listeners whose address contains the filter: each, and its workers in that order. before:
 * the look that was `seconds` earlier. False: out of memory. */
bool rates_make(struct rate_table *table, const struct set_list *before, const struct set_list *now,
                double seconds, enum rate_order order, const char *filter);
void rates_free(struct rate_table *table);

/* Has a worker not waited for so long that it is stuck? */
bool rate_is_stuck(const struct rate_row *row);

#endif
