/* unherd check: would the library help this program, process or port? */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "check_report.h"
#include "command.h"
#include "listener_facts.h"
#include "preload.h"
#include "target.h"
#include "verdict.h"

struct request {
    const char *library;
    bool json;
    bool help;
    const char *subject;
};

static bool read_arguments(struct request *request, int argc, char **argv) {
    static const struct option list[] = {{"json", no_argument, NULL, 'j'},
                                         {"library", required_argument, NULL, 'l'},
                                         {"help", no_argument, NULL, 'h'},
                                         {NULL, 0, NULL, 0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:h", list, NULL)) != -1) {
        if (option == '?' || option == ':') {
            complain(&check_command,
                     option == ':' ? "%s needs a value" : "%s: there is no such option",
                     argv[optind - 1]);
            return false;
        }
        request->json |= option == 'j';
        request->help |= option == 'h';
        if (option == 'l')
            request->library = optarg;
    }
    request->subject = argv[optind];
    if (request->help || (request->subject && !argv[optind + 1]))
        return true;
    complain(&check_command, request->subject ? "one program, process or port at a time"
                                              : "what is to be checked? see unherd help check");
    return false;
}

/* ---- the answer ---- */

static int answer_listeners(const struct request *request, const struct target *target,
                            const struct library *library) {
    struct listener_list list;
    if (!listeners_observe(&list, target, true)) {
        complain(&check_command, "%s: %s", request->subject, strerror(errno));
        return CANNOT;
    }
    if (list.count == 0) {
        complain(&check_command, "%s: nobody listens there", request->subject);
        return CANNOT;
    }
    enum answer answer = report_listeners(&list, library, request->json);
    listeners_free(&list);
    return finish_output() == STATUS_OK ? (int)answer : CANNOT;
}

static int check_main(int argc, char **argv) {
    static struct library library;
    static char reason[2 * PATH_MAX];
    struct request request = {0};
    struct target target = {0};
    if (!read_arguments(&request, argc, argv))
        return CANNOT;
    if (request.help) {
        check_command.help();
        return finish_output();
    }
    if (!library_find(&library, request.library, reason, sizeof reason)) {
        complain(&check_command, "%s", reason);
        return CANNOT;
    }
    switch (target_read(&target, request.subject, &check_command)) {
    case TARGET_GOOD:
        return answer_listeners(&request, &target, &library);
    case TARGET_NEITHER:
        return report_program(request.subject, &library, request.json);
    default:
        return CANNOT;
    }
}

static void check_help(void) {
    puts(
        "usage: unherd check [--json] [--library PATH] PROGRAM | PID | PORT\n"
        "\n"
        "Says whether the library would help, in which mode, and why. Nothing is changed, started\n"
        "or stopped.\n"
        "\n"
        "  PROGRAM             its name or path: can the library be loaded into it, and which of "
        "the\n"
        "                      calls that are hooked do it and its libraries make\n"
        "  PID, pid:PID        a process and all that descend from it: who listens, how many "
        "wait,\n"
        "                      and how; is the library in all of them\n"
        "  PORT, :PORT         whoever listens on it; ADDRESS:PORT or unix:PATH for one listener\n"
        "\n"
        "Other people's processes can be looked at as root alone.\n"
        "\n"
        "OPTIONS\n"
        "  --json\n"
        "      one JSON object\n"
        "  --library PATH\n"
        "      the library that would be preloaded; default: as for unherd run\n"
        "\n"
        "EXIT STATUS\n"
        "  0  it helps\n"
        "  1  it would not help\n"
        "  2  it cannot, or cannot be told\n"
        "\n"
        "EXAMPLES\n"
        "  unherd check nginx\n"
        "  unherd check :80\n"
        "  unherd check --json pid:1234");
}

const struct command check_command = {
    "check",
    "say whether the library would help a program, a process or a port",
    check_main,
    check_help,
};
