/* screen: what unherd top shows, by way of ncurses. */
#ifndef UNHERD_SCREEN_H
#define UNHERD_SCREEN_H

#include <stdbool.h>

#include "rates.h"

struct screen {
    enum rate_order order;
    bool is_paused;
    bool is_help;
    bool is_typing; /* the filter */
    char filter[64];
    size_t top; /* the first row that is shown */
    const char *message;
};

/* False: it is no terminal that could be used. */
bool screen_open(void);
void screen_close(void);

/* A key within so many milliseconds, or -1. */
int screen_key(int milliseconds);

/* The terminal was taken away, which not everybody is told of by a signal. */
bool screen_is_gone(void);

void screen_draw(struct screen *screen, const struct rate_table *table);

#endif
