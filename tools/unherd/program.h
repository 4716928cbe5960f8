/* program: the command to run, found as execvp finds it, and whether a library can be preloaded
 * into it. */
#ifndef UNHERD_PROGRAM_H
#define UNHERD_PROGRAM_H

#include <limits.h>

#include "elf_file.h"

struct program {
    char path[PATH_MAX];       /* for execv */
    int status;                /* STATUS_OK, STATUS_REFUSED or STATUS_NOT_FOUND */
    char reason[3 * PATH_MAX]; /* for status other than STATUS_OK: a sentence that names the file */
};

/*
 * Looks for the command and at the file that is found; at a script's interpreter too. The library's
 * architecture is what the program's must be. Never fails otherwise than by status; a file that
 * cannot be read (mode 0111) is given the benefit of the doubt.
 */
void program_find(struct program *program, const char *command, const struct elf_facts *library);

#endif
