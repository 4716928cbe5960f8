/*
 * imports: which of the calls that the library hooks a program and its libraries take from outside,
 * and what they have that goes around them.
 */
#ifndef UNHERD_IMPORTS_H
#define UNHERD_IMPORTS_H

#include <stdbool.h>

#include "raw_calls.h"

enum { IMPORTS_MOST = 96 };

struct imports {
    bool is_hooked[IMPORTS_MOST]; /* by the number of the call in the library's table */
    bool has_ring;                /* liburing: what goes through a ring is not seen */
    struct raw_calls raw;         /* what they do without libc */
    unsigned objects;             /* files that were read */
};

/* Of the program and of what its dynamic loader says that it would load; the program is not run.
 * False where the program itself cannot be read. */
bool imports_read(struct imports *imports, const char *program);

/* The name of the call with that number in the table, or NULL behind the last. */
const char *imports_name(unsigned number);

#endif
