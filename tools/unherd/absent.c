#include "absent.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asked_mode.h"
#include "command.h"
#include "listener_facts.h"
#include "verdict.h"

/* ---- once ---- */

static bool is_new(struct said *said, const char *line) {
    for (size_t i = 0; i < said->count; i++)
        if (!strcmp(said->line[i], line))
            return false;
    char **grown = realloc(said->line, (said->count + 1) * sizeof *grown);
    if (!grown)
        return false;
    said->line = grown;
    grown[said->count] = strdup(line);
    said->count += grown[said->count] != NULL;
    return true;
}

__attribute__((format(printf, 2, 3))) static void say(struct said *said, const char *format, ...) {
    char line[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (is_new(said, line))
        complain(&run_command, "%s", line);
}

void absent_free(struct said *said) {
    for (size_t i = 0; i < said->count; i++)
        free(said->line[i]);
    free(said->line);
    *said = (struct said){0};
}

/* ---- one listener ---- */

/* Seen asleep in the wait: a helper that a server executes may have its descriptors, and wait for
 * nothing. */
static bool waits(const struct listener_facts *facts, pid_t pid) {
    for (size_t i = 0; i < facts->waiters.count; i++)
        if (facts->waiters.item[i].pid == pid && facts->waiters.item[i].was_asleep)
            return true;
    return false;
}

/* What cannot be read of another user's process is not taken for an absence. */
static void say_processes(const struct listener_facts *facts, const struct asked *asked,
                          struct said *said) {
    for (size_t i = 0; i < facts->process_count; i++) {
        const struct process *process = &facts->process[i];
        if (*process->program && !process->has_library && waits(facts, process->pid))
            say(said, "%s: %s[%d] waits for it without the library: %s", facts->address,
                process->name, (int)process->pid,
                verdict_why_missing(facts, process, asked->library));
    }
}

/* What has ended since is not asked why it has nothing in common with the library any more. */
static bool has_library(const struct listener_facts *facts) {
    for (size_t i = 0; i < facts->process_count; i++)
        if (facts->process[i].has_library && process_state(facts->process[i].pid))
            return true;
    return false;
}

static void say_listener(const struct listener_facts *facts, const struct asked *asked,
                         struct said *said) {
    enum mode wanted = asked_mode(asked->config, facts->address);
    if (wanted == MODE_OFF)
        return;
    say_processes(facts, asked, said);
    if (!facts->is_taken_up && has_library(facts))
        say(said, "%s: left alone by the library; with UNHERD_LOG=info it says why",
            facts->address);
    else if (facts->is_taken_up && wanted == MODE_REUSEPORT && facts->mode != MODE_REUSEPORT)
        say(said, "%s: %s, not reuseport: %s", facts->address, mode_name(facts->mode), facts->why);
}

/* How many listeners a process and what descends from it have; -1: that cannot be seen. */
static int look_below(pid_t top, const struct asked *asked, struct said *said) {
    struct target target = {.pid = top};
    struct listener_list list;
    /* The next look comes soon, and sees workers that have been started since. */
    if (!listeners_observe(&list, &target, false))
        return -1;
    int count = (int)list.count;
    for (int i = 0; i < count; i++)
        say_listener(&list.item[i], asked, said);
    listeners_free(&list);
    return count;
}

static void note_socket(int fd, const char *target, void *context) {
    (void)fd;
    *(bool *)context |= process_socket(target) != 0;
}

/* Without any there is no listener, and nothing else to be looked at. */
static bool has_sockets(const struct family *family) {
    bool has = false;
    for (size_t i = 0; i < family->count && !has; i++)
        process_each_descriptor(family->item[i].pid, note_socket, &has);
    return has;
}

int absent_look(const struct family *family, const struct asked *asked, struct said *said) {
    int listeners = 0;
    if (!has_sockets(family))
        return 0;
    for (size_t i = 0; i < family->count && listeners >= 0; i++) {
        if (!family_is_top(family, i))
            continue;
        int more = look_below(family->item[i].pid, asked, said);
        listeners = more < 0 ? -1 : listeners + more;
    }
    return listeners;
}
