#include "listener_facts.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LOOKS = 12, LOOK_MS = 30 };

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
    bool has;
    bool good;
};

static void look_at_descriptor(int fd, const char *target, void *context) {
    struct holding *holding = context;
    (void)fd;
    holding->has |= inodes_have(&holding->facts->sockets, process_socket(target));
}

static bool add_holder(pid_t pid, void *context) {
    struct holding *holding = context;
    struct listener_facts *facts = holding->facts;
    struct process process;
    holding->has = false;
    process_each_descriptor(pid, look_at_descriptor, holding);
    if (!holding->has || !process_read(&process, pid))
        return true;
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

static bool look_often(struct listener_list *list) {
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    bool good = true;
    for (int look = 0; look < LOOKS && good && list->count; look++) {
        if (look)
            nanosleep(&pause, NULL);
        for (size_t i = 0; i < list->count; i++)
            good &= look_once(&list->item[i]);
    }
    return good;
}

bool listeners_observe(struct listener_list *list, const struct target *target) {
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
        struct holding holding = {&list->item[i], false, true};
        process_each(add_holder, &holding);
        search.good &= holding.good;
    }
    if (search.good && look_often(list))
        return true;
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
