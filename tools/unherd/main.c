/* unherd: the command-line tool; each subcommand has a file of its own. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "version.h"

static const struct command *const commands[] = {
    &run_command, &check_command, &stat_command, &top_command, &set_command, &bench_command, NULL};

static const struct command *find(const char *name) {
    for (const struct command *const *at = commands; *at; at++)
        if (!strcmp(name, (*at)->name))
            return *at;
    fprintf(stderr, "unherd: there is no subcommand \"%s\"; see unherd --help\n", name);
    return NULL;
}

static void help(FILE *out) {
    fputs("usage: unherd SUBCOMMAND [ARG...]\n"
          "       unherd help SUBCOMMAND\n"
          "       unherd --help | --version\n"
          "\n"
          "Gives a server that nobody will change one wake-up per connection, or one accept queue\n"
          "per worker with stealing.\n"
          "\n"
          "SUBCOMMANDS\n",
          out);
    for (const struct command *const *at = commands; *at; at++)
        fprintf(out, "  %-8s %s\n", (*at)->name, (*at)->summary);
    fputs("\n"
          "EXAMPLES\n"
          "  unherd run --mode reuseport -- nginx -g 'daemon off;'\n"
          "  unherd help run\n",
          out);
}

static int help_on(const char *name) {
    const struct command *command = name ? find(name) : NULL;
    if (name && !command)
        return STATUS_USAGE;
    if (command)
        command->help();
    else
        help(stdout);
    return finish_output();
}

static bool is_any(const char *word, const char *one, const char *other) {
    return !strcmp(word, one) || !strcmp(word, other);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        help(stderr);
        return STATUS_USAGE;
    }
    if (is_any(argv[1], "--help", "-h"))
        return help_on(NULL);
    if (!strcmp(argv[1], "help"))
        return help_on(argv[2]);
    if (is_any(argv[1], "--version", "-V")) {
        puts("unherd " VERSION);
        return finish_output();
    }
    const struct command *command = find(argv[1]);
    return command ? command->main(argc - 1, argv + 1) : STATUS_USAGE;
}
