/* command: what every subcommand is made of, and how it speaks. */
#ifndef UNHERD_COMMAND_H
#define UNHERD_COMMAND_H

/* Exit statuses. The last three are those of env(1), so that the command's own stay apart. */
enum {
    STATUS_OK = 0,
    STATUS_USAGE = 2,
    STATUS_OURS = 125,    /* the tool itself failed: the command was never looked at */
    STATUS_REFUSED = 126, /* the command was found, but cannot run under the library */
    STATUS_NOT_FOUND = 127
};

struct command {
    const char *name;
    const char *summary;                /* one line, for the list of subcommands */
    int (*main)(int argc, char **argv); /* argv[0] is the subcommand's name */
    void (*help)(void);                 /* to stdout; ends in a part EXAMPLES */
};

extern const struct command run_command;
extern const struct command check_command;
extern const struct command stat_command;
extern const struct command top_command;
extern const struct command set_command;
extern const struct command bench_command;

/* Writes "unherd NAME: ", the text and a newline to stderr; control characters come out as '?'
 * (plain_text.h). */
void complain(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Flushes stdout: what went nowhere (a full disk) must not look like what was read. A status. */
int finish_output(void);

#endif
