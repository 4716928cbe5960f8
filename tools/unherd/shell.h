/* shell: words as a POSIX shell reads them back. */
#ifndef UNHERD_SHELL_H
#define UNHERD_SHELL_H

#include <stdio.h>

void shell_quote(FILE *out, const char *word);

/* The command's own name: "a=b" would be taken for an assignment there. */
void shell_quote_command(FILE *out, const char *word);

#endif
