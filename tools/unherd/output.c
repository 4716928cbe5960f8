#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "plain_text.h"

/* What is named was typed, found in a file or exported by somebody: none of it reaches the terminal
 * raw. */
void complain(const struct command *command, const char *format, ...) {
    char line[8192];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    plain_text(line);
    fprintf(stderr, "unherd %s: %s\n", command->name, line);
}

int finish_output(void) {
    if (!fflush(stdout) && !ferror(stdout))
        return STATUS_OK;
    fprintf(stderr, "unherd: standard output: %s\n", strerror(errno));
    return STATUS_OURS;
}
