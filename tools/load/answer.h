/* What an HTTP answer says: just enough to tell a whole one from a broken one, and who gave it. */
#ifndef LOAD_ANSWER_H
#define LOAD_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

enum { WORKER_KEY_SIZE = 64 };

struct answer {
    bool whole;    /* a status line, and as much of a body as Content-Length promised */
    bool sealed;   /* Content-Length was there: what follows the answer does not matter */
    bool is_named; /* by header X-Worker */
    int status;
    char worker[WORKER_KEY_SIZE]; /* header X-Worker, else the body's first line, else "unknown" */
};

/* `received` bytes came in all; the first `kept` of them are in `data`. */
void answer_parse(struct answer *answer, const char *data, size_t kept, size_t received);

/* For whoever reads a head: up to the newline or the end; and the value of a header line of that
 * name, else NULL. */
size_t line_length(const char *line, const char *end);
const char *value_of(const char *line, size_t length, const char *name);

#endif
