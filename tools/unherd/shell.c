#include "shell.h"

#include <stdbool.h>
#include <string.h>

static void quote(FILE *out, const char *word) {
    putc('\'', out);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", out);
        else
            putc(*word, out);
    putc('\'', out);
}

void shell_quote(FILE *out, const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "@%+=:,./_-";
    bool is_plain = *word && !word[strspn(word, plain)];
    if (is_plain)
        fputs(word, out);
    else
        quote(out, word);
}

void shell_quote_command(FILE *out, const char *word) {
    if (strchr(word, '='))
        quote(out, word);
    else
        shell_quote(out, word);
}
