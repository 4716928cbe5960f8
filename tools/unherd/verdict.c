#include "verdict.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "known_server.h"

const char *answer_name(enum answer answer) {
    static const char *const names[] = {"helps", "would not help", "cannot"};
    return names[answer];
}

__attribute__((format(printf, 4, 5))) static void
decide(struct verdict *verdict, enum answer answer, const char *mode, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(verdict->reason, sizeof verdict->reason, format, list);
    va_end(list);
    verdict->answer = answer;
    verdict->mode = mode;
}

/* ---- the library in the processes that wait ---- */

/* Why it could not be there, or NULL. */
static const char *obstacle(const struct process *process, const struct library *library) {
    char path[64];
    struct elf_facts facts = {0};
    if (process->is_secure)
        return "it has gained privileges, and the dynamic loader drops LD_PRELOAD";
    snprintf(path, sizeof path, "/proc/%d/exe", (int)process->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum elf_answer answer = fd < 0 ? ELF_NONE : elf_read(fd, &facts);
    if (fd >= 0)
        close(fd);
    if (answer != ELF_GOOD)
        return NULL;
    if (!elf_same_architecture(&facts, &library->facts))
        return "it is for another architecture than the library";
    if (facts.is_go)
        return "it is a Go program, which makes no libc calls";
    return facts.has_interpreter ? NULL : "it is statically linked";
}

static const char *why_missing(const struct listener_facts *facts, const struct process *process) {
    const struct process *parent = listener_process(facts, process->parent);
    if (process->has_preload)
        return "LD_PRELOAD is set, but the loader did not take it";
    if (parent && parent->has_library)
        return "its parent has it: the environment was made anew";
    return "started without it";
}

static bool is_waiter(const struct listener_facts *facts, pid_t pid) {
    for (size_t i = 0; i < facts->waiters.count; i++)
        if (facts->waiters.item[i].pid == pid)
            return true;
    return false;
}

const char *verdict_why_missing(const struct listener_facts *facts, const struct process *process,
                                const struct library *library) {
    const char *why = obstacle(process, library);
    return why ? why : why_missing(facts, process);
}

/* Empty where it is nowhere, or everywhere; else the first of those that do not have it. */
static void find_missing(struct verdict *verdict, const struct listener_facts *facts) {
    size_t with = 0;
    size_t without = 0;
    const struct process *first = NULL;
    for (size_t i = 0; i < facts->process_count; i++) {
        const struct process *process = &facts->process[i];
        with += process->has_library;
        if (process->has_library || !is_waiter(facts, process->pid))
            continue;
        without++;
        first = first ? first : process;
    }
    if (with && first)
        snprintf(verdict->missing, sizeof verdict->missing,
                 "%zu that wait have not loaded the library, first %s[%d]: %s", without,
                 first->name, (int)first->pid, why_missing(facts, first));
}

/* ---- how they wait ---- */

static bool all_accept(const struct waiters *waiters) {
    for (size_t i = 0; i < waiters->count; i++)
        if (waiters->item[i].way != WAY_ACCEPT)
            return false;
    return waiters->count > 0;
}

static bool all_exclusive(const struct waiters *waiters) {
    for (size_t i = 0; i < waiters->count; i++)
        if (!waiters->item[i].is_exclusive)
            return false;
    return waiters->count > 0;
}

/* Processes like the one that waits, which have the listener open beside it. */
static size_t count_siblings(const struct listener_facts *facts) {
    const struct process *one =
        facts->waiters.count ? listener_process(facts, facts->waiters.item[0].pid) : NULL;
    size_t count = 0;
    for (size_t i = 0; one && i < facts->process_count; i++)
        count += facts->process[i].parent == one->parent &&
                 !strcmp(facts->process[i].program, one->program);
    return count;
}

/*
 * Its own lock: one waits at a time, and the others for the lock; or only one has the listener
 * registered (nginx), while siblings that have it open wait for something else.
 */
static bool has_accept_lock(const struct listener_facts *facts) {
    const struct waiters *waiters = &facts->waiters;
    if (waiters->most_asleep > 1 || facts->sockets.count > 1)
        return false;
    bool is_passed_on = waiters->most_registered == 1 && count_siblings(facts) > 1;
    return is_passed_on || (waiters->count > 1 && waiters->is_lock_seen);
}

static void judge_waiting(struct verdict *verdict, const struct listener_facts *facts) {
    const struct waiters *waiters = &facts->waiters;
    size_t workers = listener_workers(facts);
    const struct process *first = listener_process(facts, waiters->item[0].pid);
    if (first && first->has_library)
        decide(verdict, HELPS, "as it is", "the library is at work, for %zu workers", workers);
    else if (has_accept_lock(facts))
        decide(verdict, WOULD_NOT, NULL,
               "its own accept lock lets one worker wait at a time: nothing is gained until that "
               "is off");
    else if (workers == 1)
        decide(verdict, WOULD_NOT, NULL, "a single worker waits for it: there is no herd");
    else if (all_accept(waiters))
        decide(verdict, WOULD_NOT, NULL,
               "its %zu workers block in accept(), where the kernel wakes one, in turn", workers);
    else if (facts->sockets.count > 1)
        decide(verdict, HELPS, "auto",
               "it has %zu sockets of its own: a stuck worker freezes its share, unless the "
               "others may empty it",
               facts->sockets.count);
    else if (all_exclusive(waiters))
        decide(verdict, HELPS, "exclusive",
               "its %zu workers are woken one at a time already, but mostly the same: in turn",
               workers);
    else
        decide(verdict, HELPS, "exclusive",
               "its %zu workers wait with %s: each connection wakes all that are idle", workers,
               way_name(waiters->item[0].way));
}

void verdict_of(struct verdict *verdict, const struct listener_facts *facts,
                const struct library *library) {
    *verdict = (struct verdict){.answer = WOULD_NOT};
    const char *why_not = NULL;
    const struct process *process = NULL;
    for (size_t i = 0; i < facts->waiters.count && !why_not; i++) {
        process = listener_process(facts, facts->waiters.item[i].pid);
        why_not = process ? obstacle(process, library) : NULL;
    }
    if (why_not)
        decide(verdict, CANNOT, NULL, "%s[%d]: %s", process->name, (int)process->pid, why_not);
    else if (facts->waiters.count == 0)
        decide(verdict, facts->waiters.is_refused ? CANNOT : WOULD_NOT, NULL,
               facts->waiters.is_refused ? "the kernel does not say who waits for it: ask as root"
                                         : "nobody was seen to wait for it");
    else
        judge_waiting(verdict, facts);
    find_missing(verdict, facts);
    if (facts->process_count)
        known_server_advice(verdict->advice, sizeof verdict->advice, &facts->process[0],
                            has_accept_lock(facts), *verdict->missing);
}
