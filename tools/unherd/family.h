/*
 * family: the processes that a command has become.
 *
 * Who is started by one of them is one, too; and so is who was one and has lost its parent since. A
 * server that goes into the background leaves no such trace where it does that between two looks:
 * then who has the command's image, which a fork keeps, takes its place.
 */
#ifndef UNHERD_FAMILY_H
#define UNHERD_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct member {
    pid_t pid;
    pid_t parent;
    uint64_t start; /* a pid may be given out again: proc(5), starttime */
};

struct family {
    struct member *item;
    size_t count;
    uint64_t image; /* the command's, when it was seen last: process.h */
};

/* The command alone, once it executes something else than this process does. False: it is gone
 * already, or there is no memory. */
bool family_begin(struct family *family, pid_t command);

/* Looks at the command's image alone, which it may change by exec and leave by fork at once. */
void family_glance(struct family *family);

/* Looks for those who came and went. False: nobody is left, or there is no memory. */
bool family_look(struct family *family);
void family_free(struct family *family);

/* Whether none of the others is the parent of that one. */
bool family_is_top(const struct family *family, size_t index);

#endif
