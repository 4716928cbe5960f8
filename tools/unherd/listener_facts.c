#include "listener_facts.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LOOKS = 12, LOOKS_MOST = 72, LOOK_MS = 30 };

/* ---- which sockets ---- */

struct search {
    struct listener_list *list;
    const struct target *target;
    const struct listening_list *listening;
    bool good;
};

static struct listener_facts *facts_for(struct search *search, const char *address) {
    struct listener_list *list = search->list;
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->item[i].address, address))
            return &list->item[i];
    struct listener_facts *grown = realloc(list->item, (list->count + 1) * sizeof *grown);
    if (!grown) {
        search->good = false;
        return NULL;
    }
    list->item = grown;
    grown[list->count] = (struct listener_facts){0};
    snprintf(grown[list->count].address, sizeof grown->address, "%s", address);
    return &grown[list->count++];
}

static void add_socket(struct search *search, const struct listening *one) {
    struct listener_facts *facts = facts_for(search, one->address);
    if (!facts || inodes_have(&facts->sockets, one->inode))
        return;
    uint64_t *grown =
        realloc(facts->sockets.item, (facts->sockets.count + 1) * sizeof *facts->sockets.item);
    if (!grown) {
        search->good = false;
        return;
    }
    facts->sockets.item = grown;
    grown[facts->sockets.count++] = one->inode;
    facts->queued += one->queued;
}

static bool is_wanted(const struct target *target, const struct listening *one) {
    if (target->address)
        return !strcmp(one->address, target->address);
    return target->port && one->port == target->port;
}

static void add_by_name(struct search *search) {
    for (size_t i = 0; i < search->listening->count; i++)
        if (is_wanted(search->target, &search->listening->item[i]))
            add_socket(search, &search->listening->item[i]);
}

static void add_descriptor(int fd, const char *target, void *context) {
    struct search *search = context;
    const struct listening *one = listening_find(search->listening, process_socket(target));
    (void)fd;
    if (one)
        add_socket(search, one);
}

static bool add_of_family(pid_t pid, void *context) {
    struct search *search = context;
    if (process_descends_from(pid, search->target->pid))
        process_each_descriptor(pid, add_descriptor, search);
    return search->good;
}

/* ---- who has them ---- */

struct holding {
    struct listener_facts *facts;
    uint64_t first; /* of the sockets that this process has */
    bool has_ring;
    bool good;
};

static void look_at_descriptor(int fd, const char *target, void *context) {
    struct holding *holding = context;
    uint64_t inode = process_socket(target);
    (void)fd;
    holding->has_ring |= !strcmp(target, "anon_inode:[io_uring]");
    if (!inode || !inodes_have(&holding->facts->sockets, inode))
        return;
    holding->facts->is_common |= holding->first && holding->first != inode;
    holding->first = inode;
}

static bool add_holder(pid_t pid, void *context) {
    struct holding *holding = context;
    struct listener_facts *facts = holding->facts;
    struct process process;
    holding->first = 0;
    holding->has_ring = false;
    process_each_descriptor(pid, look_at_descriptor, holding);
    if (!holding->first || !process_read(&process, pid))
        return true;
    facts->has_ring |= holding->has_ring;
    struct process *grown = realloc(facts->process, (facts->process_count + 1) * sizeof *grown);
    holding->good = grown;
    if (!grown)
        return false;
    facts->process = grown;
    grown[facts->process_count++] = process;
    return true;
}

/* ---- who waits ---- */

static bool look_once(struct listener_facts *facts) {
    bool good = true;
    waiters_begin(&facts->waiters);
    for (size_t i = 0; i < facts->process_count; i++)
        good &= waiters_look(&facts->waiters, facts->process[i].pid, &facts->sockets);
    waiters_end(&facts->waiters);
    return good;
}

/* Workers that are busy are not seen to wait, nor for what they wait in each other's place. */
static bool is_nobody_seen(const struct listener_list *list) {
    for (size_t i = 0; i < list->count; i++)
        if (!list->item[i].waiters.looks_asleep)
            return true;
    return false;
}

static bool look_often(struct listener_list *list, bool is_patient) {
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    bool good = true;
    for (int look = 0; good && list->count && look < (is_patient ? LOOKS_MOST : LOOKS) &&
                       (look < LOOKS || is_nobody_seen(list));
         look++) {
        if (look)
            nanosleep(&pause, NULL);
        for (size_t i = 0; i < list->count; i++)
            good &= look_once(&list->item[i]);
    }
    return good;
}

/*
 * A master that waits for connections only to start whoever accepts them (php-fpm with `pm =
 * ondemand`, postfix): a child of its waits in another way, or is another program.
 */
static bool is_starter(const struct listener_facts *facts, const struct waiter *waiter) {
    const struct process *master = listener_process(facts, waiter->pid);
    for (size_t i = 0; master && i < facts->waiters.count; i++) {
        const struct waiter *other = &facts->waiters.item[i];
        const struct process *child = listener_process(facts, other->pid);
        if (child && child->parent == master->pid &&
            (other->way != waiter->way || strcmp(child->program, master->program) != 0))
            return true;
    }
    return false;
}

/* An instance that has the listener, and in which nobody ever slept, while its process slept in
 * accept(): Apache's prefork has one beside what it waits with. */
static bool is_unused(const struct waiters *waiters, const struct waiter *instance) {
    if (instance->way != WAY_EPOLL || instance->was_asleep)
        return false;
    for (size_t i = 0; i < waiters->count; i++)
        if (waiters->item[i].pid == instance->pid && waiters->item[i].way != WAY_EPOLL)
            return true;
    return false;
}

/* Where one worker has such an instance, so have its siblings, although they be busy. */
static bool have_unused(const struct waiters *waiters) {
    for (size_t i = 0; i < waiters->count; i++)
        if (is_unused(waiters, &waiters->item[i]))
            return true;
    return false;
}

static void leave_out_others(struct listener_facts *facts) {
    struct waiters *waiters = &facts->waiters;
    bool asleep_only = have_unused(waiters);
    for (size_t i = 0; i < waiters->count;) {
        const struct waiter *waiter = &waiters->item[i];
        bool starts = is_starter(facts, waiter);
        if (starts || (asleep_only && waiter->way == WAY_EPOLL && !waiter->was_asleep))
            memmove(&waiters->item[i], &waiters->item[i + 1],
                    (--waiters->count - i) * sizeof *waiters->item);
        else
            i++;
        facts->starters += starts;
    }
}

/* ---- what the library says of them ---- */

static void take_word(struct listener_facts *facts, const struct set_view *set) {
    for (size_t i = 0; i < set->shard_count; i++)
        if (set->shard[i].inode && inodes_have(&facts->sockets, set->shard[i].inode)) {
            facts->is_taken_up = true;
            facts->mode = set->policy.mode;
            snprintf(facts->why, sizeof facts->why, "%s", set->why);
        }
}

static bool ask_library(struct listener_list *list) {
    const struct target everything = {0};
    struct set_list sets = {0};
    bool good = sets_find(&sets, &everything);
    for (size_t i = 0; good && i < sets.count; i++)
        for (size_t j = 0; j < list->count; j++)
            take_word(&list->item[j], &sets.item[i]);
    sets_free(&sets);
    return good;
}

bool listeners_observe(struct listener_list *list, const struct target *target, bool is_patient) {
    struct listening_list listening;
    *list = (struct listener_list){0};
    if (!listening_read(&listening, target->pid ? target->pid : getpid()))
        return false;
    struct search search = {list, target, &listening, true};
    if (target->pid)
        process_each(add_of_family, &search);
    else
        add_by_name(&search);
    listening_free(&listening);
    for (size_t i = 0; i < list->count; i++) {
        struct holding holding = {.facts = &list->item[i], .good = true};
        process_each(add_holder, &holding);
        search.good &= holding.good;
    }
    if (search.good && look_often(list, is_patient) && ask_library(list)) {
        for (size_t i = 0; i < list->count; i++)
            leave_out_others(&list->item[i]);
        return true;
    }
    errno = ENOMEM;
    return false;
}

void listeners_free(struct listener_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->item[i].sockets.item);
        free(list->item[i].process);
        waiters_free(&list->item[i].waiters);
    }
    free(list->item);
    *list = (struct listener_list){0};
}

const struct process *listener_process(const struct listener_facts *facts, pid_t pid) {
    for (size_t i = 0; i < facts->process_count; i++)
        if (facts->process[i].pid == pid)
            return &facts->process[i];
    return NULL;
}

static bool is_same_instance(const struct waiter *one, const struct waiter *other) {
    return one->way == WAY_EPOLL && other->way == WAY_EPOLL && one->pid != other->pid &&
           syscall(SYS_kcmp, one->pid, other->pid, KCMP_FILE, one->id, other->id) == 0;
}

size_t listener_workers(const struct listener_facts *facts) {
    const struct waiters *waiters = &facts->waiters;
    size_t count = 0;
    for (size_t i = 0; i < waiters->count; i++) {
        bool is_new = true;
        for (size_t j = 0; j < i; j++)
            is_new &= !is_same_instance(&waiters->item[i], &waiters->item[j]);
        count += is_new;
    }
    return count;
}
