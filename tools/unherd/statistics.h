/*
 * statistics: the shared memory of the sets that running servers have, found through the
 * descriptors of their processes, and what the kernel says of their queues.
 *
 * The memory is the server's to write, and a worker that was broken into may have written anything:
 * it is copied once, and nothing in the copy is used as a size, or as an index unchecked.
 */
#ifndef UNHERD_STATISTICS_H
#define UNHERD_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "listening.h"
#include "policy.h"
#include "shared.h"
#include "target.h"

struct worker_view {
    pid_t pid;
    int id;        /* of its epoll instance, or negative */
    unsigned home; /* its shard */
    bool is_waiting;
    bool is_seen;     /* to wait; else nothing is known of its waits */
    uint64_t idle_ms; /* since it last began or ended a wait */
    uint64_t counts[COUNTS];
};

struct shard_view {
    unsigned number;
    uint64_t inode; /* of its socket */
    bool is_listening;
    bool is_known; /* the kernel lists it: the next two are true */
    unsigned queued;
    unsigned backlog;
};

struct set_view {
    uint64_t memory; /* the memfd's inode: two processes that have it have the same set */
    pid_t pid;       /* one that has it open */
    int fd;          /* as what */
    char address[SHARED_TEXT];
    char why[SHARED_TEXT];
    unsigned port;        /* 0: none */
    struct policy policy; /* with the mode that is in force */
    enum mode began_as;
    bool is_one_queue; /* whatever shards there are: new connections go to the first */
    bool is_servers;   /* the server shards by itself */
    bool is_handed;    /* to another process, which has the first queue only */
    struct shard_view *shard;
    size_t shard_count;
    struct worker_view *worker;
    size_t worker_count;
    uint64_t past[COUNTS]; /* of workers that are gone */
    uint64_t unattended;
    uint64_t fallbacks[FALLBACKS];
};

struct set_list {
    struct set_view *item;
    size_t count;
    size_t refused; /* processes that could not be looked at */
    bool is_stale;  /* memory of another version of the library was seen */
};

/* Of all servers, or of a target: a port, a process and what descends from it, an address. False
 * with errno: out of memory. */
bool sets_read(struct set_list *list, const struct target *target);
/* The same without the queues' lengths, which take long where many connections linger. */
bool sets_find(struct set_list *list, const struct target *target);
void sets_free(struct set_list *list);

/* The complaint that there is none in the list. */
void sets_say_none(const struct set_list *list, const struct command *command);

/* "reuseport, steal 15, rotate 1" */
enum { POLICY_TEXT = 64 };
const char *policy_text(struct policy policy, char text[POLICY_TEXT]);

/* What was done otherwise than asked for, in a few words. */
const char *fallback_name(enum fallback fallback);

/* Over all workers, those included that are gone. */
uint64_t set_total(const struct set_view *set, enum count count);

#endif
