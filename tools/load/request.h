/* What is sent once a connection is there, and how its answer is told. */
#ifndef LOAD_REQUEST_H
#define LOAD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

struct request {
    char text[2048];
    size_t length;
    bool keeps;         /* the next request goes over the same connection */
    bool is_plain;      /* not HTTP: the first bytes are the answer */
    bool may_be_silent; /* that the server closes is an answer, too */
};

/* A GET for the path. NULL when it can be asked for, else what is wrong with it. */
const char *request_get(struct request *request, const char *host, const char *path, bool keeps);

/* Those bytes, \r \n \t and \\ in them as in C; none is good, for a server that speaks first. */
const char *request_plain(struct request *request, const char *text);

#endif
