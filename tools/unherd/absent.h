/*
 * absent: where the library is not at work although it was asked for: a process that waits for a
 * listener without it, a listener that it left alone, or in another mode.
 */
#ifndef UNHERD_ABSENT_H
#define UNHERD_ABSENT_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "family.h"
#include "preload.h"

struct asked {
    const struct library *library;
    const struct config *config; /* what the server's environment says */
};

/* What has been said already, so that it is said once. */
struct said {
    char **line;
    size_t count;
};

/*
 * Looks at all listeners of the family, and says what is new, a line each, on stderr. Returns how
 * many listeners there are; -1: they cannot be seen. Takes a third of a second.
 */
int absent_look(const struct family *family, const struct asked *asked, struct said *said);
void absent_free(struct said *said);

#endif
