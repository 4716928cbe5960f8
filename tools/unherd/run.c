/* unherd run: a command under the library, in place of this process. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "config.h"
#include "preload.h"
#include "program.h"
#include "shell.h"
#include "watcher.h"

/* getopt's values for the options that are not in the table, behind those that are. */
enum {
    LIBRARY_OPTION = OPTION_COUNT,
    DRY_RUN_OPTION,
    REQUIRE_OPTION,
    HELP_OPTION,
    ALL_OPTIONS,
    FIRST_VALUE = 256 /* above every letter: optopt tells the two apart */
};

struct request {
    const char *values[OPTION_COUNT]; /* NULL: not given */
    const char *library;
    bool dry_run;
    bool require;
    bool help;
    char **command;
};

/* --- options --- */

static const char *flag_of(int option) {
    static const char *const others[] = {"library", "dry-run", "require", "help"};
    return option < OPTION_COUNT ? option_table[option].flag : others[option - OPTION_COUNT];
}

static void list_options(struct option list[ALL_OPTIONS + 1]) {
    memset(list, 0, (ALL_OPTIONS + 1) * sizeof *list);
    for (int i = 0; i < ALL_OPTIONS; i++)
        list[i] = (struct option){flag_of(i), i <= LIBRARY_OPTION, NULL, FIRST_VALUE + i};
}

/* A value that the library would not read stops us here, before anything is started. */
static bool take_value(struct request *request, int id, const char *value) {
    static struct config scratch;
    char complaint[COMPLAINT_SIZE];
    if (config_set(&scratch, (enum option_id)id, value, complaint, sizeof complaint)) {
        request->values[id] = value;
        return true;
    }
    /* The complaint begins with the variable's name; the user typed the option's. */
    complain(&run_command, "--%s%s", option_table[id].flag,
             complaint + strlen(option_table[id].variable));
    return false;
}

/* getopt's '?' and ':'. A letter may stand in the middle of a word, which getopt has not left yet.
 */
static void complain_of_option(int option, const char *word) {
    char letter[] = {'-', (char)optopt, '\0'};
    if (optopt > 0 && optopt < FIRST_VALUE)
        word = letter;
    if (option == ':')
        complain(&run_command, "%s needs a value", word);
    else
        complain(&run_command, "%s: %s; see unherd help run", word,
                 optopt < FIRST_VALUE ? "there is no such option" : "this option takes no value");
}

static bool take_option(struct request *request, int option, char **argv) {
    int id = option - FIRST_VALUE;
    if (option == '?' || option == ':') {
        complain_of_option(option, argv[optind - 1]);
        return false;
    }
    if (id < OPTION_COUNT)
        return take_value(request, id, optarg);
    if (id == LIBRARY_OPTION)
        request->library = optarg;
    request->dry_run |= id == DRY_RUN_OPTION;
    request->require |= id == REQUIRE_OPTION;
    request->help |= id == HELP_OPTION;
    return true;
}

static bool read_arguments(struct request *request, int argc, char **argv) {
    struct option list[ALL_OPTIONS + 1];
    int option;
    list_options(list);
    opterr = 0;
    /* '+': what follows the command is the command's. ':': a missing value is told apart. */
    while ((option = getopt_long(argc, argv, "+:h", list, NULL)) != -1)
        if (!take_option(request, option == 'h' ? FIRST_VALUE + HELP_OPTION : option, argv))
            return false;
    request->command = argv + optind;
    if (*request->command || request->help)
        return true;
    complain(&run_command, "no command given; see unherd help run");
    return false;
}

/* --- the environment --- */

/* Sets what is ours to set; in a dry run, prints it as well. The user's own variables win. */
static bool set_variable(const struct request *request, const char *name, const char *value) {
    if (request->dry_run) {
        printf("%s=", name);
        shell_quote(stdout, value);
        putchar(' ');
    }
    if (setenv(name, value, 1) == 0)
        return true;
    complain(&run_command, "%s: %s", name, strerror(errno));
    return false;
}

static bool set_option(const struct request *request, int id) {
    const char *value = request->values[id];
    const char *own = getenv(option_table[id].variable);
    if (!value)
        return true;
    if (!own)
        return set_variable(request, option_table[id].variable, value);
    if (strcmp(own, value) != 0)
        complain(&run_command, "--%s %s is not used: %s=%s is set already", option_table[id].flag,
                 value, option_table[id].variable, own);
    return true;
}

static bool set_environment(const struct request *request, const struct library *library) {
    char *preload = preload_with(library, getenv("LD_PRELOAD"));
    bool good = preload && set_variable(request, "LD_PRELOAD", preload);
    free(preload);
    for (int id = 0; good && id < OPTION_COUNT; id++)
        good = set_option(request, id);
    return good;
}

/* --- running --- */

/* execvp's way with a file that has neither magic nor "#!". The list ends in a null pointer
 * already. */
static void execute_with_shell(const struct program *program, char **command) {
    size_t count = 0;
    while (command[count])
        count++;
    char **list = calloc(count + 2, sizeof *list);
    if (!list)
        return;
    list[0] = "/bin/sh";
    list[1] = (char *)program->path;
    memcpy(list + 2, command + 1, (count - 1) * sizeof *list);
    execv(list[0], list);
    free(list);
}

static int execute(const struct program *program, char **command) {
    execv(program->path, command);
    if (errno == ENOEXEC)
        execute_with_shell(program, command);
    complain(&run_command, "%s: %s", program->path, strerror(errno));
    return STATUS_REFUSED;
}

static int print_command(char **command) {
    shell_quote_command(stdout, *command);
    while (*++command) {
        putchar(' ');
        shell_quote(stdout, *command);
    }
    putchar('\n');
    return finish_output();
}

/* Nothing is said where the user wants no word, and nothing missed where nothing is asked for. */
static void start_watcher(const struct request *request, const struct library *library) {
    static struct config config;
    config_read(&config, environ, 1);
    bool is_wanted = request->require || config.log != LOG_OFF;
    const struct asked asked = {library, &config};
    if (is_wanted && !config_is_off(&config) && !watcher_start(&asked, request->require))
        complain(&run_command, "nobody watches whether the library is at work: %s",
                 strerror(errno));
}

static int run_main(int argc, char **argv) {
    static struct library library;
    static struct program program;
    static char reason[2 * PATH_MAX];
    struct request request = {0};
    if (!read_arguments(&request, argc, argv))
        return STATUS_OURS;
    if (request.help) {
        run_command.help();
        return finish_output();
    }
    if (!library_find(&library, request.library, reason, sizeof reason)) {
        complain(&run_command, "%s", reason);
        return STATUS_OURS;
    }
    program_find(&program, *request.command, &library.facts);
    if (program.status != STATUS_OK) {
        complain(&run_command, "%s", program.reason);
        return program.status;
    }
    if (!set_environment(&request, &library))
        return STATUS_OURS;
    if (request.dry_run)
        return print_command(request.command);
    start_watcher(&request, &library);
    return execute(&program, request.command);
}

static void run_help(void) {
    puts(
        "usage: unherd run [OPTION...] [--] COMMAND [ARG...]\n"
        "\n"
        "Runs COMMAND with libunherd.so preloaded, in place of this process: its exit status and "
        "its\n"
        "signals are its own. A variable that is set already wins over its option.\n"
        "\n"
        "Within a second of its listening it is said on stderr if a process waits for connections\n"
        "without the library, or a listener was left alone, and why; not with --log off.\n"
        "\n"
        "OPTIONS");
    for (int id = 0; id < OPTION_COUNT; id++) {
        const struct option_row *row = &option_table[id];
        printf("  --%s %s  (%s)\n      %s\n      default: %s\n", row->flag, row->argument,
               row->variable, row->help, row->fallback);
    }
    puts("  --library PATH\n"
         "      the library to preload; default: libunherd.so beside this tool, or in ../lib\n"
         "  --dry-run\n"
         "      print what would be set and run, in the shell's words, and do nothing\n"
         "  --require\n"
         "      end the server (SIGTERM) if the library is not at work in it\n"
         "\n"
         "EXIT STATUS\n"
         "  125  unherd itself failed, or an option is wrong\n"
         "  126  COMMAND cannot run under the library: set-uid, static, Go, another architecture\n"
         "  127  COMMAND was not found\n"
         "  else COMMAND's own\n"
         "\n"
         "EXAMPLES\n"
         "  unherd run --mode reuseport -- nginx -g 'daemon off;'\n"
         "  unherd run --mode exclusive --listen 80,443 -- /usr/sbin/lighttpd -D -f "
         "/etc/lighttpd/lighttpd.conf\n"
         "  unherd run --listen '443=reuseport,!22' --log info -- gunicorn -w 4 app:app\n"
         "  unherd run --dry-run --mode reuseport nginx");
}

const struct command run_command = {
    "run",
    "run a command under the library",
    run_main,
    run_help,
};
