#include "text.h"

#include <stdint.h>

struct text text_of(char *data, size_t size) {
    if (size)
        data[0] = '\0';
    return (struct text){.data = data, .size = size, .length = 0};
}

void text_char(struct text *t, char c) {
    if (t->length + 1 >= t->size)
        return;
    t->data[t->length++] = c;
    t->data[t->length] = '\0';
}

void text_str(struct text *t, const char *s) {
    while (s && *s)
        text_char(t, *s++);
}

void text_bytes(struct text *t, const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        text_char(t, s[i]);
}

void text_num(struct text *t, long long value) {
    /* The smallest value has no positive counterpart of its own type: the unsigned one has room. */
    unsigned long long rest = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;
    char digits[20]; /* of ULLONG_MAX */
    size_t count = 0;
    do
        digits[count++] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        text_char(t, '-');
    while (count)
        text_char(t, digits[--count]);
}

bool text_read(const char **at, int *value) {
    long long sum = 0;
    const char *start = *at;
    bool is_negative = **at == '-';
    if (is_negative)
        ++*at;
    const char *digits = *at;
    while (**at >= '0' && **at <= '9' && *at - digits < 10)
        sum = sum * 10 + (*(*at)++ - '0');
    bool is_number = *at > digits && **at == ',' && sum <= INT32_MAX;
    *value = (int)(is_negative ? -sum : sum);
    *at = is_number ? *at + 1 : start;
    return is_number;
}
