/* unherd stat: what the library counted, and what is queued now. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "stat_report.h"
#include "statistics.h"

struct request {
    enum stat_format format;
    unsigned seconds; /* 0: once */
    bool help;
    struct target target;
};

static bool take_seconds(struct request *request, const char *text) {
    char *end;
    errno = 0;
    unsigned long seconds = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && !errno && seconds > 0 && seconds <= 86400) {
        request->seconds = (unsigned)seconds;
        return true;
    }
    complain(&stat_command, "--watch %s: not a number of seconds from 1 to 86400", text);
    return false;
}

static bool take_option(struct request *request, int option, const char *word) {
    switch (option) {
    case 'j':
        request->format = STAT_JSON;
        return true;
    case 'p':
        request->format = STAT_PROMETHEUS;
        return true;
    case 'w':
        return take_seconds(request, optarg);
    case 'h':
        request->help = true;
        return true;
    default:
        complain(&stat_command, option == ':' ? "%s needs a value" : "%s: there is no such option",
                 word);
        return false;
    }
}

static bool read_arguments(struct request *request, int argc, char **argv) {
    static const struct option list[] = {{"json", no_argument, NULL, 'j'},
                                         {"prometheus", no_argument, NULL, 'p'},
                                         {"watch", required_argument, NULL, 'w'},
                                         {"help", no_argument, NULL, 'h'},
                                         {NULL, 0, NULL, 0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:h", list, NULL)) != -1)
        if (!take_option(request, option, argv[optind - 1]))
            return false;
    return request->help || target_take(&request->target, argv + optind, &stat_command);
}

/* One report. STATUS_NOT_FOUND: there is nothing to report. */
static int report_once(const struct request *request) {
    struct set_list list = {0};
    if (!sets_read(&list, &request->target)) {
        complain(&stat_command, "%s", strerror(errno));
        return STATUS_OURS;
    }
    int status = list.count ? STATUS_OK : STATUS_NOT_FOUND;
    if (list.count || request->format != STAT_TEXT)
        stat_report(&list, request->format);
    else
        sets_say_none(&list, &stat_command);
    sets_free(&list);
    int written = finish_output();
    return written == STATUS_OK ? status : written;
}

static int stat_main(int argc, char **argv) {
    struct request request = {.format = STAT_TEXT};
    if (!read_arguments(&request, argc, argv))
        return STATUS_USAGE;
    if (request.help) {
        stat_command.help();
        return finish_output();
    }
    int status = report_once(&request);
    while (request.seconds && status != STATUS_OURS) {
        sleep(request.seconds);
        if (request.format == STAT_TEXT)
            putchar('\n');
        status = report_once(&request);
    }
    return status;
}

static void stat_help(void) {
    puts("usage: unherd stat [OPTION...] [PID | PORT]\n"
         "\n"
         "Says what the library counted in servers that run under it: a line for each worker and "
         "each\n"
         "queue. PID stands for a process and what descends from it; pid:N, :PORT, ADDRESS:PORT "
         "and\n"
         "unix:PATH say which is meant. Without it, every server that may be looked at: as root, "
         "all.\n"
         "\n"
         "OPTIONS\n"
         "  --json\n"
         "      one JSON object\n"
         "  --prometheus\n"
         "      the text format of Prometheus\n"
         "  --watch SECONDS\n"
         "      again every so many seconds, until it is interrupted\n"
         "\n"
         "EXIT STATUS\n"
         "  0    there was something to say\n"
         "  2    a question that cannot be understood\n"
         "  127  no server under the library was found\n"
         "\n"
         "EXAMPLES\n"
         "  unherd stat :80\n"
         "  unherd stat --watch 1 pid:1234\n"
         "  unherd stat --prometheus >/var/lib/node_exporter/unherd.prom");
}

const struct command stat_command = {
    "stat",
    "what the library counted in running servers",
    stat_main,
    stat_help,
};
