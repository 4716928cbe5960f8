/*
 * variables: prints unherd(7), whose list of variables is the option table that the library and the
 * tool read.
 *
 * usage: variables VERSION
 */
#include <stdio.h>

#include "options.h"

/* What begins a line, or a backslash, would be roff's. */
static void print_text(const char *text) {
    for (; *text; text++) {
        if (*text == '\\')
            putchar('\\');
        if (*text == '-')
            putchar('\\');
        putchar(*text);
    }
}

static void print_option(const struct option_row *row) {
    printf(".TP\n.B ");
    print_text(row->variable);
    printf("\n");
    print_text(row->help);
    printf(".\n.br\nValues: ");
    print_text(row->argument);
    printf(". Default: ");
    print_text(row->fallback);
    printf(". Option of \n.BR \"unherd run\" :\n.BR \\-\\-");
    print_text(row->flag);
    printf(".\n");
}

int main(int argc, char **argv) {
    printf(".TH UNHERD 7 \"\" \"unherd %s\" \"unherd\"\n", argc > 1 ? argv[1] : "");
    puts(".SH NAME\n"
         "unherd \\- one wake-up per connection, or a queue per worker, for servers that stay as "
         "they are\n"
         ".SH SYNOPSIS\n"
         ".B LD_PRELOAD=libunherd.so\n"
         ".I VARIABLE=VALUE ... SERVER\n"
         ".SH DESCRIPTION\n"
         "The library is preloaded into a server whose workers wait for one listening socket. As "
         "variables say,\n"
         "each connection then wakes one worker, in turn\n"
         ".RB ( exclusive ),\n"
         "or each worker has an accept queue of its own, which its neighbours empty when it is "
         "stuck\n"
         ".RB ( reuseport ).\n"
         "They are read once, when the server starts. A value that cannot be read, or a variable "
         "that does not\n"
         "exist, is named in one line when the server begins to listen, and the default is used.\n"
         ".SH ENVIRONMENT");
    for (int i = 0; i < OPTION_COUNT; i++)
        print_option(&option_table[i]);
    puts(".SH NOTES\n"
         "A set-uid program's environment is not looked at. The README names the limits, and what "
         "changes for\n"
         "security.\n"
         ".SH SEE ALSO\n"
         ".BR unherd (1),\n"
         ".BR ld.so (8),\n"
         ".BR epoll_ctl (2),\n"
         ".BR socket (7)");
    return 0;
}
