#include "answer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Trimmed; the report has one worker a line, with a tab: nothing may look like either. */
static void set_worker(struct answer *answer, const char *text, size_t length) {
    while (length && isspace((unsigned char)*text)) {
        text++;
        length--;
    }
    while (length && isspace((unsigned char)text[length - 1]))
        length--;
    if (length >= WORKER_KEY_SIZE)
        length = WORKER_KEY_SIZE - 1;
    for (size_t i = 0; i < length; i++)
        answer->worker[i] = text[i];
    answer->worker[length] = '\0';
    for (char *c = answer->worker; *c; c++)
        if (!isprint((unsigned char)*c))
            *c = '?';
}

size_t line_length(const char *line, const char *end) {
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    return (size_t)((newline ? newline : end) - line);
}

const char *value_of(const char *line, size_t length, const char *name) {
    size_t n = strlen(name);
    return length > n && strncasecmp(line, name, n) == 0 && line[n] == ':' ? line + n + 1 : NULL;
}

void answer_parse(struct answer *answer, const char *data, size_t kept, size_t received) {
    memset(answer, 0, sizeof *answer);
    strcpy(answer->worker, "unknown");
    const char *blank = memmem(data, kept, "\r\n\r\n", 4);
    if (kept < 12 || strncmp(data, "HTTP/1.", 7) != 0 || !blank)
        return;
    const char *body = blank + 4;
    size_t promised = 0;
    answer->status = (int)strtol(data + 9, NULL, 10);
    for (const char *line = data; line < blank;) {
        size_t length = line_length(line, blank);
        const char *worker = value_of(line, length, "X-Worker");
        const char *size = value_of(line, length, "Content-Length");
        if (worker)
            set_worker(answer, worker, (size_t)(line + length - worker));
        if (size)
            promised = strtoul(size, NULL, 10);
        answer->is_named = answer->is_named || worker;
        answer->sealed = answer->sealed || size;
        line += length + 1;
    }
    if (!answer->is_named && body < data + kept)
        set_worker(answer, body, line_length(body, data + kept));
    answer->whole = received - (size_t)(body - data) >= promised;
}
