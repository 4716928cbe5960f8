/* preload: where the library is, and what LD_PRELOAD becomes. */
#ifndef UNHERD_PRELOAD_H
#define UNHERD_PRELOAD_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "elf_file.h"

struct library {
    char path[PATH_MAX]; /* absolute */
    struct elf_facts facts;
};

/*
 * The library of that name, or NULL: the one beside the tool, or in ../lib when the tool is
 * installed in bin. False with the reason in text[size].
 */
bool library_find(struct library *library, const char *given, char *text, size_t size);

/* The library first, then what LD_PRELOAD holds already; unchanged when the library is in it. */
char *preload_with(const struct library *library, const char *existing);

#endif
