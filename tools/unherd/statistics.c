#include "statistics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "memory.h"
#include "plain_text.h"
#include "process.h"

struct search {
    struct set_list *list;
    const struct target *target;
    bool reads_queues;
    pid_t pid;
    bool good;
};

/* ---- one set ---- */

static void copy_text(char to[SHARED_TEXT], const char from[SHARED_TEXT]) {
    memcpy(to, from, SHARED_TEXT - 1);
    to[SHARED_TEXT - 1] = '\0';
    plain_text(to);
}

static bool copy_shards(struct set_view *set, const struct shared *shared) {
    size_t count = shared->count < SHARDS_MAX ? shared->count : SHARDS_MAX;
    set->shard = calloc(count ? count : 1, sizeof *set->shard);
    if (!set->shard)
        return false;
    for (size_t i = 0; i < count; i++)
        set->shard[i] = (struct shard_view){.number = (unsigned)i,
                                            .inode = atomic_load(&shared->shards[i].inode),
                                            .is_listening = atomic_load(&shared->shards[i].state) ==
                                                            SHARD_LISTENING};
    set->shard_count = count;
    return true;
}

static void copy_worker(struct worker_view *to, const struct shared_worker *from, pid_t pid) {
    uint64_t now = clock_coarse_ms();
    uint64_t since = atomic_load(&from->since_ms);
    *to = (struct worker_view){.pid = pid,
                               .id = atomic_load(&from->id),
                               .home = atomic_load(&from->home),
                               .is_waiting = atomic_load(&from->is_in),
                               .is_seen = since,
                               .idle_ms = since && since < now ? now - since : 0};
    for (int i = 0; i < COUNTS; i++)
        to->counts[i] = atomic_load(&from->counts[i]);
}

/* What a worker that was killed has counted stands in its place until another takes that. */
static bool copy_workers(struct set_view *set, const struct shared *shared) {
    set->worker = calloc(SHARED_WORKERS, sizeof *set->worker);
    if (!set->worker)
        return false;
    for (int i = 0; i < SHARED_WORKERS; i++) {
        pid_t pid = atomic_load(&shared->worker[i].pid);
        if (pid <= 0)
            continue;
        struct worker_view *worker = &set->worker[set->worker_count];
        copy_worker(worker, &shared->worker[i], pid);
        char state = process_state(pid);
        if (!state || state == 'Z')
            for (int j = 0; j < COUNTS; j++)
                set->past[j] += worker->counts[j];
        else
            set->worker_count++;
        if (state == 'T') /* in the middle of a wait, perhaps, but of none that could end */
            worker->is_waiting = false;
        if (set->is_one_queue)
            worker->home = 0;
    }
    return true;
}

static void copy_policy(struct set_view *set, const struct shared *shared) {
    bool has_shards = shared->count > 1;
    set->is_servers = atomic_load(&shared->is_servers);
    set->is_handed = atomic_load(&shared->handed);
    set->began_as = shared->mode <= MODE_OFF ? (enum mode)shared->mode : MODE_AUTO;
    set->policy = policy_of(atomic_load(&shared->policy));
    set->policy.mode = policy_mode(set->policy, has_shards, set->is_servers);
    set->is_one_queue = !has_shards || (set->policy.mode != MODE_REUSEPORT && !set->is_servers);
}

static bool copy_set(struct set_view *set, const struct shared *shared) {
    const char *colon;
    copy_text(set->address, shared->address);
    copy_text(set->why, shared->why);
    colon = strncmp(set->address, "unix:", 5) ? strrchr(set->address, ':') : NULL;
    set->port = colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
    copy_policy(set, shared);
    set->unattended = atomic_load(&shared->unattended);
    for (int i = 0; i < FALLBACKS; i++)
        set->fallbacks[i] = atomic_load(&shared->fallbacks[i]);
    for (int i = 0; i < COUNTS; i++)
        set->past[i] = atomic_load(&shared->past[i]);
    return copy_shards(set, shared) && copy_workers(set, shared);
}

/* ---- the kernel's word on the queues ---- */

static void look_at_queues(struct set_view *set, const struct listening_list *listening) {
    for (size_t i = 0; i < set->shard_count; i++) {
        const struct listening *one = listening_find(listening, set->shard[i].inode);
        if (!one)
            continue;
        set->shard[i].is_known = one->is_queue_known;
        set->shard[i].queued = one->queued;
        set->shard[i].backlog = one->backlog;
    }
}

static bool read_queues(struct set_view *set) {
    struct listening_list listening;
    if (!listening_read(&listening, set->pid))
        return errno != ENOMEM;
    look_at_queues(set, &listening);
    listening_free(&listening);
    return true;
}

/* ---- finding ---- */

static struct set_view *add(struct search *search) {
    struct set_list *list = search->list;
    struct set_view *grown = realloc(list->item, (list->count + 1) * sizeof *grown);
    search->good = grown;
    if (!grown)
        return NULL;
    list->item = grown;
    grown[list->count] = (struct set_view){.pid = search->pid};
    return &grown[list->count++];
}

static bool is_seen(const struct set_list *list, uint64_t memory) {
    for (size_t i = 0; i < list->count; i++)
        if (list->item[i].memory == memory)
            return true;
    return false;
}

static bool is_wanted(const struct target *target, const struct set_view *set) {
    if (target->address)
        return !strcmp(set->address, target->address);
    return !target->port || set->port == target->port;
}

static void free_set(struct set_view *set) {
    free(set->shard);
    free(set->worker);
}

static void take(struct search *search, int fd, const struct memory *memory) {
    struct set_view *set = add(search);
    if (!set)
        return;
    set->memory = memory->inode;
    set->fd = fd;
    search->good = copy_set(set, memory->shared) && (!search->reads_queues || read_queues(set));
    if (search->good && is_wanted(search->target, set))
        return;
    free_set(set);
    search->list->count--;
}

static void look_at_descriptor(int fd, const char *target, void *context) {
    struct search *search = context;
    struct memory memory;
    if (!search->good || !memory_is_named(target))
        return;
    if (!memory_open(&memory, search->pid, fd, false)) {
        search->list->is_stale |= errno == ESTALE;
        return;
    }
    if (!is_seen(search->list, memory.inode))
        take(search, fd, &memory);
    memory_close(&memory);
}

static bool look_at_process(pid_t pid, void *context) {
    struct search *search = context;
    if (search->target->pid && !process_descends_from(pid, search->target->pid))
        return true;
    search->pid = pid;
    errno = 0;
    if (!process_each_descriptor(pid, look_at_descriptor, search) && errno == EACCES)
        search->list->refused++;
    return search->good;
}

static bool search_all(struct set_list *list, const struct target *target, bool reads_queues) {
    struct search search = {list, target, reads_queues, 0, true};
    *list = (struct set_list){0};
    process_each(look_at_process, &search);
    if (!search.good)
        errno = ENOMEM;
    return search.good;
}

bool sets_read(struct set_list *list, const struct target *target) {
    return search_all(list, target, true);
}

bool sets_find(struct set_list *list, const struct target *target) {
    return search_all(list, target, false);
}

void sets_free(struct set_list *list) {
    for (size_t i = 0; i < list->count; i++)
        free_set(&list->item[i]);
    free(list->item);
    *list = (struct set_list){0};
}

void sets_say_none(const struct set_list *list, const struct command *command) {
    complain(command,
             list->refused    ? "no listener found; %zu processes are other "
                                "people's: ask as root"
             : list->is_stale ? "no listener found but of another version"
                              : "no listener of a server under the library found",
             list->refused);
}

const char *policy_text(struct policy policy, char text[POLICY_TEXT]) {
    snprintf(text, POLICY_TEXT, "%s, steal %u, rotate %u", mode_name(policy.mode), policy.steal,
             policy.rotate);
    return text;
}

uint64_t set_total(const struct set_view *set, enum count count) {
    uint64_t sum = set->past[count];
    for (size_t i = 0; i < set->worker_count; i++)
        sum += set->worker[i].counts[count];
    return sum;
}

const char *fallback_name(enum fallback fallback) {
    static const char *const names[FALLBACKS] = {
        [FALLBACK_NOT_SHARDED] = "not sharded as asked",
        [FALLBACK_SHARED_HOME] = "no queue free for a worker",
        [FALLBACK_HESITATES] = "a worker hesitates to accept",
        [FALLBACK_REGISTRATION] = "a registration refused",
        [FALLBACK_AS_ASKED] = "not registered exclusively",
        [FALLBACK_KERNEL_POLL] = "a poll left to the kernel",
    };
    return names[fallback];
}
