#include "bench_place.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench_port.h"
#include "listening.h"
#include "process.h"

struct family_search {
    struct family *family;
    pid_t keeper;
};

static bool add_member(pid_t pid, void *context) {
    struct family_search *search = context;
    struct family *family = search->family;
    if (pid != search->keeper && process_descends_from(pid, search->keeper))
        family->pid[family->count++] = pid;
    return family->count < FAMILY_MAX;
}

void family_read(struct family *family, pid_t keeper) {
    struct family_search search = {family, keeper};
    family->count = 0;
    process_each(add_member, &search);
}

/* ---- where ---- */

struct place_search {
    const struct listening_list *listening;
    const char *address; /* NULL: any */
    unsigned rank;       /* of the best so far */
    char *best;
    bool has;
};

static unsigned rank_of(const struct listening *one) {
    unsigned kind = 3;
    if (one->port)
        kind = !strncmp(one->address, "127.", 4) || !strncmp(one->address, "0.0.0.0:", 8) ? 0
               : !strncmp(one->address, "[::", 3)                                         ? 1
                                                                                          : 2;
    return kind << 16 | one->port;
}

static void look_at_descriptor(int fd, const char *target, void *context) {
    struct place_search *search = context;
    const struct listening *one = listening_find(search->listening, process_socket(target));
    (void)fd;
    if (!one || (search->address && !port_is_at(one, search->address)))
        return;
    search->has = true;
    if (!search->best || !strcmp(search->best, one->address))
        return;
    if (rank_of(one) < search->rank) {
        search->rank = rank_of(one);
        snprintf(search->best, ADDRESS_SIZE, "%s", one->address);
    }
}

static void look_at_family(struct place_search *search, pid_t keeper) {
    static struct family family;
    static struct listening_list listening;
    if (!listening_read(&listening, getpid()))
        return;
    search->listening = &listening;
    family_read(&family, keeper);
    for (size_t i = 0; i < family.count; i++)
        process_each_descriptor(family.pid[i], look_at_descriptor, search);
    search->listening = NULL;
    listening_free(&listening);
}

bool place_find(char address[ADDRESS_SIZE], pid_t keeper) {
    *address = '\0';
    struct place_search search = {.rank = UINT_MAX, .best = address};
    look_at_family(&search, keeper);
    return search.has;
}

bool place_is_listened_on(const char *address, pid_t keeper) {
    struct place_search search = {.address = address};
    look_at_family(&search, keeper);
    return search.has;
}

void place_for_client(char address[ADDRESS_SIZE]) {
    unsigned port = port_of(address);
    if (!strncmp(address, "0.0.0.0:", 8))
        snprintf(address, ADDRESS_SIZE, "127.0.0.1:%u", port);
    else if (!strncmp(address, "[::]:", 5))
        snprintf(address, ADDRESS_SIZE, "[::1]:%u", port);
}

/* ---- who ---- */

static bool has_it(struct place_search *search, pid_t pid) {
    search->has = false;
    process_each_descriptor(pid, look_at_descriptor, search);
    return search->has;
}

static void read_holders(struct family *holders, const char *address, pid_t keeper) {
    struct listening_list listening;
    struct place_search search = {.address = address, .listening = &listening};
    size_t kept = 0;
    family_read(holders, keeper);
    if (listening_read(&listening, getpid())) {
        for (size_t i = 0; i < holders->count; i++)
            if (has_it(&search, holders->pid[i]))
                holders->pid[kept++] = holders->pid[i];
        listening_free(&listening);
    }
    holders->count = kept;
}

static bool is_parent_of_any(pid_t pid, const struct family *family) {
    for (size_t i = 0; i < family->count; i++)
        if (process_parent(family->pid[i]) == pid)
            return true;
    return false;
}

void place_workers(struct family *workers, const char *address, pid_t keeper) {
    static struct family holders;
    read_holders(&holders, address, keeper);
    workers->count = 0;
    for (size_t i = 0; i < holders.count; i++)
        if (!is_parent_of_any(holders.pid[i], &holders))
            workers->pid[workers->count++] = holders.pid[i];
}

pid_t place_master(const char *address, pid_t keeper) {
    static struct family holders;
    read_holders(&holders, address, keeper);
    for (size_t i = 0; i < holders.count; i++) {
        bool is_top = true;
        for (size_t j = 0; j < holders.count; j++)
            is_top &= i == j || !process_descends_from(holders.pid[i], holders.pid[j]);
        if (is_top)
            return holders.pid[i];
    }
    return 0;
}
