/* unherd set: the policy of a running server, changed. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "command.h"
#include "memory.h"
#include "rules.h"
#include "statistics.h"
#include "wake.h"

enum { STATUS_CANNOT = 1 };

struct request {
    bool has_mode, has_steal, has_rotate;
    struct policy policy; /* what of it was asked for */
    bool help;
    struct target target;
};

/* ---- the question ---- */

static bool take_mode(struct request *request, const char *word) {
    unsigned mode = word_index(mode_words, MODE_COUNT, word, strlen(word));
    if (mode == MODE_AUTO || mode == MODE_COUNT) {
        complain(&set_command, "--mode %s: not one of exclusive, reuseport, off", word);
        return false;
    }
    request->policy.mode = (enum mode)mode;
    request->has_mode = true;
    return true;
}

static bool take_number(const char *option, const char *word, unsigned most, unsigned *number,
                        bool *has) {
    *has = number_read(word, most, number);
    if (!*has)
        complain(&set_command, "--%s %s: not a number from 0 to %u", option, word, most);
    return *has;
}

static bool take_option(struct request *request, int option, const char *word) {
    struct policy *policy = &request->policy;
    switch (option) {
    case 'm':
        return take_mode(request, optarg);
    case 's':
        return take_number("steal", optarg, STEAL_MAX, &policy->steal, &request->has_steal);
    case 'r':
        return take_number("rotate", optarg, ROTATE_MAX, &policy->rotate, &request->has_rotate);
    case 'h':
        request->help = true;
        return true;
    default:
        complain(&set_command, option == ':' ? "%s needs a value" : "%s: there is no such option",
                 word);
        return false;
    }
}

static bool take_target(struct request *request, char **words) {
    if (*words)
        return target_take(&request->target, words, &set_command);
    complain(&set_command, "a process, a port or an address is needed");
    return false;
}

static bool is_complete(const struct request *request) {
    if (request->has_mode || request->has_steal || request->has_rotate)
        return true;
    complain(&set_command, "nothing to set: --mode, --steal or --rotate");
    return false;
}

static bool read_arguments(struct request *request, int argc, char **argv) {
    static const struct option list[] = {{"mode", required_argument, NULL, 'm'},
                                         {"steal", required_argument, NULL, 's'},
                                         {"rotate", required_argument, NULL, 'r'},
                                         {"help", no_argument, NULL, 'h'},
                                         {NULL, 0, NULL, 0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", list, NULL)) != -1)
        if (!take_option(request, option, argv[optind - 1]))
            return false;
    return request->help || (take_target(request, argv + optind) && is_complete(request));
}

/* ---- what cannot be ---- */

static const char *cannot_be(const struct set_view *set, const struct request *request) {
    enum mode mode = request->has_mode ? request->policy.mode : set->policy.mode;
    if (set->shard_count < 2 && mode == MODE_REUSEPORT)
        return "it has one queue, and more can only be made when a server begins to listen: start "
               "it with --mode reuseport";
    if (set->shard_count < 2 && request->has_steal)
        return "it has one queue: there is nothing to steal from";
    if (set->is_servers && mode == MODE_EXCLUSIVE)
        return "the server shards by itself, and its sockets stay queues of their own: reuseport "
               "or off";
    if (set->is_handed && request->has_mode && mode == MODE_REUSEPORT)
        return "it was handed to another process, which has its first queue only";
    return NULL;
}

/* All of them, before anything is changed. */
static bool all_can_be(const struct set_list *list, const struct request *request) {
    for (size_t i = 0; i < list->count; i++) {
        const char *why = cannot_be(&list->item[i], request);
        if (why) {
            complain(&set_command, "%s: %s", list->item[i].address, why);
            return false;
        }
    }
    return true;
}

/* ---- the change ---- */

static struct policy changed(struct policy policy, const struct request *request) {
    if (request->has_mode)
        policy.mode = request->policy.mode;
    if (request->has_steal)
        policy.steal = request->policy.steal;
    if (request->has_rotate)
        policy.rotate = request->policy.rotate;
    return policy;
}

/* Of two at once each changes its own part. The time tells the workers to pass on what one of them
 * was told of and another is to take now. */
static struct policy change(struct shared *shared, const struct request *request) {
    uint32_t before = atomic_load(&shared->policy);
    struct policy after = changed(policy_of(before), request);
    atomic_store(&shared->slow_ms, (uint32_t)clock_coarse_ms() | 1U);
    while (!atomic_compare_exchange_strong(&shared->policy, &before, policy_word(after)))
        after = changed(policy_of(before), request);
    return after;
}

static void say(const struct set_view *set, struct policy after, int error) {
    char text[POLICY_TEXT];
    after.mode = policy_mode(after, set->shard_count > 1, set->is_servers);
    printf("%s: %s", set->address, policy_text(after, text));
    printf("; was %s", policy_text(set->policy, text));
    if (error == ENOENT) /* it has no eventfd, or none that can be told for certain */
        printf("; each worker follows when it next wakes");
    else if (error)
        printf("; each worker follows when it next wakes, which may not be hastened: %s",
               strerror(error));
    putchar('\n');
}

static bool set_one(const struct set_view *set, const struct request *request) {
    struct memory memory;
    if (!memory_open(&memory, set->pid, set->fd, true)) {
        complain(&set_command, "%s: %s", set->address,
                 errno == ENOENT ? "it is gone" : strerror(errno));
        return false;
    }
    struct policy after = change(memory.shared, request);
    int error = wake_workers(&memory, set->pid) ? 0 : errno;
    say(set, after, error);
    memory_close(&memory);
    return true;
}

static int set_all(const struct request *request) {
    struct set_list list = {0};
    int status = STATUS_OK;
    if (!sets_find(&list, &request->target)) {
        complain(&set_command, "%s", strerror(errno));
        return STATUS_OURS;
    }
    if (!list.count) {
        sets_say_none(&list, &set_command);
        status = STATUS_NOT_FOUND;
    } else if (!all_can_be(&list, request))
        status = STATUS_CANNOT;
    for (size_t i = 0; i < list.count && status == STATUS_OK; i++)
        if (!set_one(&list.item[i], request))
            status = STATUS_CANNOT;
    sets_free(&list);
    int written = finish_output();
    return written == STATUS_OK ? status : written;
}

static int set_main(int argc, char **argv) {
    struct request request = {0};
    if (!read_arguments(&request, argc, argv))
        return STATUS_USAGE;
    if (!request.help)
        return set_all(&request);
    set_command.help();
    return finish_output();
}

static void set_help(void) {
    puts("usage: unherd set PID | PORT [OPTION...]\n"
         "\n"
         "Changes what is done with the connections of a server that runs under the library. Each\n"
         "worker follows at its next wait; no connection is lost. PID stands for a process and "
         "what\n"
         "descends from it; pid:N, :PORT, ADDRESS:PORT and unix:PATH say which is meant. It lasts\n"
         "until the server closes the listener. Who may trace the server may do it.\n"
         "\n"
         "OPTIONS\n"
         "  --mode MODE\n"
         "      exclusive: one queue, one wake-up for each connection, in turn\n"
         "      reuseport: a queue for each worker; only where the server was started so\n"
         "      off: one queue, and workers wait for it as they would without the library\n"
         "      A server that shards by itself keeps its queues: reuseport, or off, where nothing "
         "is\n"
         "      stolen\n"
         "  --steal N\n"
         "      neighbours that watch each queue, 0 to 255\n"
         "  --rotate N\n"
         "      rotate after every N-th accept on a shared queue, 0 to 1000000; 0 never\n"
         "\n"
         "EXIT STATUS\n"
         "  0    it is set\n"
         "  1    it cannot be set, and nothing was changed\n"
         "  2    a question that cannot be understood\n"
         "  127  no server under the library was found\n"
         "\n"
         "EXAMPLES\n"
         "  unherd set :80 --mode exclusive\n"
         "  unherd set pid:1234 --steal 0\n"
         "  unherd set 127.0.0.1:80 --mode reuseport --steal 15 --rotate 1");
}

const struct command set_command = {
    "set",
    "change the mode, stealing and turns of a running server",
    set_main,
    set_help,
};
