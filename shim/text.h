/* text: a bounded line, built without stdio, allocation or locale; always terminated, cut when full. */
#ifndef UNHERD_TEXT_H
#define UNHERD_TEXT_H

#include <stddef.h>

struct text {
    char *data;
    size_t size;   /* of data, the terminator included */
    size_t length; /* without the terminator */
};

struct text text_of(char *data, size_t size);
void text_char(struct text *t, char c);
void text_str(struct text *t, const char *s);
void text_bytes(struct text *t, const char *s, size_t n);
void text_num(struct text *t, long long value);

#endif
