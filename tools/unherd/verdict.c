#include "verdict.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "known_server.h"
#include "rules.h"

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
    if (!elf_same_libc(&facts, &library->facts))
        return "it is linked with another C library than the library";
    if (facts.is_go)
        return "it is a Go program, which makes no libc calls";
    return facts.has_interpreter ? NULL : "it is statically linked";
}

static const char *why_missing(const struct listener_facts *facts, const struct process *process) {
    const struct process *parent = listener_process(facts, process->parent);
    if (process->has_preload)
        return "LD_PRELOAD is set, but the loader did not take it";
    if (parent && parent->has_library)
        return "its parent has it: the environment was made anew (UNHERD_EXEC=1 carries it over)";
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

/* Nothing where it is nowhere, or everywhere and at work; else the first of those that do not have
 * it. Whether there are such. */
static bool find_missing(struct verdict *verdict, const struct listener_facts *facts) {
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
    else if (with && !facts->is_taken_up)
        snprintf(verdict->missing, sizeof verdict->missing,
                 "the library is loaded, but has left this listener alone: its variables or its "
                 "log say why");
    return with && first;
}

/* It is in the first of those that wait, and has taken the listener up. */
static bool is_at_work(const struct listener_facts *facts) {
    const struct process *first = listener_process(facts, facts->waiters.item[0].pid);
    return facts->is_taken_up && first && first->has_library;
}

/* ---- how they wait ---- */

static bool all_wait_with(const struct waiters *waiters, enum way way) {
    for (size_t i = 0; i < waiters->count; i++)
        if (waiters->item[i].way != way)
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
    if (facts->sockets.count > 1)
        return false;
    bool is_passed_on = all_wait_with(waiters, WAY_EPOLL) && waiters->most_registered == 1 &&
                        count_siblings(facts) > 1;
    return (is_passed_on && !waiters->looks_many) ||
           (waiters->count > 1 && waiters->looks_alone > waiters->looks_many);
}

/* Of those whose workers gain nothing: why, or false. */
static bool judge_useless(struct verdict *verdict, const struct listener_facts *facts) {
    const struct waiters *waiters = &facts->waiters;
    size_t workers = listener_workers(facts);
    if (has_accept_lock(facts))
        decide(verdict, WOULD_NOT, NULL,
               "its own accept lock lets one worker wait at a time: nothing is gained until that "
               "is off");
    else if (workers == 1 && waiters->count > 1)
        decide(verdict, WOULD_NOT, NULL,
               "%zu processes have one epoll instance in common, made before the fork: nobody else "
               "can put its waiters in order",
               waiters->count);
    else if (workers == 1)
        decide(verdict, WOULD_NOT, NULL, "a single worker waits for it: there is no herd");
    else if (facts->sockets.count > 1 && !facts->is_common)
        decide(verdict, WOULD_NOT, NULL,
               "its workers opened %zu sockets, each its own: nobody else could empty one",
               facts->sockets.count);
    else if (all_wait_with(waiters, WAY_ACCEPT))
        decide(verdict, WOULD_NOT, NULL,
               "its %zu workers block in accept(), where the kernel wakes one, in turn", workers);
    return *verdict->reason;
}

static void judge_useful(struct verdict *verdict, const struct listener_facts *facts) {
    const struct waiters *waiters = &facts->waiters;
    size_t workers = listener_workers(facts);
    if (is_at_work(facts))
        decide(verdict, HELPS, "as it is", "the library is at work, for %zu workers: %s (%s)",
               workers, mode_name(facts->mode), facts->why);
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

static void judge_absence(struct verdict *verdict, const struct listener_facts *facts) {
    if (facts->waiters.is_refused)
        decide(verdict, CANNOT, NULL, "the kernel does not say who waits for it: ask as root");
    else if (facts->has_ring)
        decide(verdict, CANNOT, NULL,
               "nobody was seen to wait for it, but for an io_uring: what goes through that is not "
               "seen");
    else
        decide(verdict, CANNOT, NULL,
               "nobody was seen to wait for it; if all are busy, ask again later");
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
        judge_absence(verdict, facts);
    else if (!judge_useless(verdict, facts))
        judge_useful(verdict, facts);
    bool is_lost = find_missing(verdict, facts);
    if (facts->process_count)
        known_server_advice(verdict->advice, sizeof verdict->advice, &facts->process[0],
                            has_accept_lock(facts), is_lost);
}
