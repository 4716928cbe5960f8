/*
 * log: one line an event, to stderr or to UNHERD_LOG_FILE, with plain write and no stdio.
 *
 * Stderr is written to only while descriptor 2 is still the file that it was at start: a daemon
 * that closes it gets connections at that number. It is never held open by us, since a program that
 * waits for the end of the server's output would then wait for ever. The log file is opened at
 * start, into a hidden descriptor: later the server may have changed its root or given up its
 * privileges.
 */
#ifndef UNHERD_LOG_H
#define UNHERD_LOG_H

#include <stdbool.h>

#include "config.h"

/* Called once, from the constructor. False with errno when the log file cannot be opened. */
bool log_start(const struct config *config);

/* Whether a line of that level would be written at all. */
bool log_wants(enum log_level level);

/* Writes "unherd: ", the text and a newline in one write. Knows %s, %d, %u and %%. Keeps errno. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The name of an errno value ("EMFILE"), without the locale; "error" for one that it does not know.
 */
const char *log_errno(int number);

#endif
