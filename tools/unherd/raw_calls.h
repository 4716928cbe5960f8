/*
 * raw calls: system calls that a file's own code makes, past libc, of those that a listener goes
 * through. Told by the instruction, and by the number that is put into its register shortly before:
 * what gets its number from elsewhere is not seen.
 */
#ifndef UNHERD_RAW_CALLS_H
#define UNHERD_RAW_CALLS_H

#include <stdbool.h>

enum { RAW_CALLS_MOST = 16 };

struct raw_calls {
    bool is_made[RAW_CALLS_MOST]; /* by number of raw_calls_name() */
};

/* Adds those in the file, which may be anything. */
void raw_calls_add(struct raw_calls *calls, int fd);

/* Whether any of them takes connections. */
bool raw_calls_accept(const struct raw_calls *calls);

/* The name of the call, or NULL behind the last. */
const char *raw_calls_name(unsigned number);

#endif
