/*
 * text: appending to a buffer of fixed size, without stdio, locale or allocation.
 *
 * The buffer is a string at every moment: what does not fit is left out, the terminator never is.
 * Async-signal-safe.
 */
#ifndef UNHERD_TEXT_H
#define UNHERD_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data;
    size_t size;   /* of the buffer, terminator included */
    size_t length; /* without the terminator: below size, or 0 when size is 0 */
};

/* An empty text over that buffer. A size of 0 is a text that holds nothing; data is not touched. */
struct text text_of(char *data, size_t size);

void text_char(struct text *t, char c);

/* A null pointer appends nothing. */
void text_str(struct text *t, const char *s);

void text_bytes(struct text *t, const char *s, size_t n);

/* In decimal, with a '-' when it is negative. */
void text_num(struct text *t, long long value);

/* Reads "NUMBER," at *at, which then stands behind it; false, and unmoved, when there is none. */
bool text_read(const char **at, int *value);

#endif
