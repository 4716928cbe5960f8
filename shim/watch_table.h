/*
 * watch table: the records behind watch.h; for the watch_*.c files only.
 *
 * Records live in static pools and are never given back to the system, so that a thread may look at
 * one without a lock while another changes it: it sees the old or the new member, decides something
 * that is safe either way, and whatever changes a record does so under the guard.
 */
#ifndef UNHERD_WATCH_TABLE_H
#define UNHERD_WATCH_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include "hot.h"
#include "shard_bits.h"
#include "shard_set.h"
#include "stats.h"
#include "thread_times.h"

enum { WATCH_LIMIT = 4096, INSTANCE_LIMIT = 4096 };

struct watch;

/* Whether something is to be done before the next wait: the watches are looked at. */
enum work {
    NO_WORK,
    WORK,
    WORK_TO_DELETE /* nothing but what the server deleted, and may add again at once: then none */
};

struct instance {
    _Alignas(64) _Atomic int waiting; /* threads in epoll_wait on it, asking or waiting; those of a
                                         closed one leave it later */
    _Atomic(struct watch *) first;    /* its watches, linked through next */
    _Atomic int epfd;    /* the server's number at the time of the first registration */
    _Atomic pid_t pid;   /* whose it is; a child that goes on using it only reads */
    _Atomic bool is_own; /* the library's: it stands for a thread in poll() or select() */
    /* From here on a record that is used again is cleared. */
    unsigned forks;         /* local_forks() when it was first used */
    int references;         /* descriptors of this process that name it; 0: the record is free */
    _Atomic int orphaned;   /* those given up by a signal handler that could not have the guard */
    _Atomic uint32_t waits; /* so far; tells whether something happened since the last */
    _Atomic uint64_t ended_ms; /* when the last wait that it did not only ask ended, by
                                  clock_coarse_ms() */
    _Atomic bool was_away;     /* it was at work for some milliseconds before its last wait */
    _Atomic bool has_slept;    /* in its last wait, or might have: that did not only ask */
    _Atomic uint8_t asks;      /* watch_again.h: how often it paid lately; 0: not to be tried */
    _Atomic uint8_t work;      /* enum work */
    _Atomic bool is_spoiled;   /* has something registered that is out of reach */
    _Atomic bool deaf; /* some watch has lost its registration, and could not have it back yet */
    _Atomic bool
        stands_back;       /* some watch does: waits are short, and what they bring is looked at */
    _Atomic bool probing;  /* worker_view() still asks whether two workers wait at once */
    _Atomic bool filtered; /* events of some watch are looked at before the server sees them */
    _Atomic uint64_t filter; /* a Bloom filter of the epoll_data of those watches */
};

/* watch_stand_back.h: what a worker has done lately. */
struct pace {
    _Atomic uint32_t home, stolen; /* connections that it took, since ... */
    _Atomic uint64_t since_ms;     /* ... then, by clock_coarse_ms() */
    _Atomic(const void *) thread;  /* whose times were read then; NULL: nobody's */
    uint64_t ran, delayed;         /* the times, in ns */
    _Atomic uint64_t looked_ms;    /* when it last looked whether owners are there */
    _Atomic bool stands_back;
    _Atomic bool ends; /* it has nothing to do */
};

/*
 * What each wait and each accept look at comes first, side by side, and what changes with the
 * claims alone behind it: where many workers take turns, each finds its records gone from the
 * caches.
 */
struct watch {
    _Alignas(64) _Atomic(struct shard_set *) set; /* NULL: the record is free */
    _Atomic(struct instance *) instance; /* never NULL again: another thread may be looking */
    _Atomic(struct watch *) next;
    _Atomic int own;  /* the shard that the server's number is */
    _Atomic int fd;   /* that number */
    _Atomic int home; /* its shard; the server's own while it has none */
    /* From here on a record that is used again is cleared. */
    _Atomic uint32_t asked;   /* events as the server asked for them */
    _Atomic uint32_t given;   /* events as the kernel was given them */
    _Atomic uint64_t data;    /* epoll_data, the server's own, never altered */
    _Atomic bool is_hesitant; /* and so registered as the server asked: watch_prove.c */
    bool is_own_exclusive;    /* the server set EPOLLEXCLUSIVE itself */
    _Atomic bool
        frozen; /* fd is closed, the socket open elsewhere: its registration is out of reach */
    _Atomic bool
        leaving; /* the server deleted it; not yet done, in case it is added again at once */
    _Atomic bool
        armed; /* false: EPOLLONESHOT has fired, nothing is registered until EPOLL_CTL_MOD */

    _Atomic bool begun;       /* has waited once: counts as a worker */
    _Atomic bool has_home;    /* of a set with several shards; then the kick is registered too */
    _Atomic bool has_kick;    /* of the watches of one set in an instance, one stands for all */
    _Atomic bool is_filtered; /* its events are looked at before the server sees them */
    _Atomic bool is_partial;  /* there are shards that it does not watch */
    bool is_aside;            /* it left shard 0 until its next wait */
    _Atomic int sits_at;      /* the home at which it is counted as waiting, and 1; 0: none */
    _Atomic int place;        /* in the statistics, or NO_PLACE; of a worker that has begun */
    _Atomic uint32_t seen_policy;  /* the set's, when it was last followed; 0: not yet */
    _Atomic uint32_t seen_stuck;   /* worker_stuck_news() when it last looked which owners are */
    _Atomic uint32_t kicks_before; /* kicks_done before the wait */

    /* Since the last wait; hints only, so that two threads may write them at once. */
    _Atomic bool served;         /* an accept succeeded */
    _Atomic bool told_of_many;   /* it brought events of several shards */
    _Atomic uint8_t unlooked;    /* watch_prove.c: accepts since it was looked at */
    _Atomic bool in_doubt;       /* watch_prove.c: it may hesitate */
    _Atomic bool told;           /* the server was, of a connection that it has not taken yet */
    _Atomic uint32_t taken;      /* accepts from a shared queue since it was last rotated */
    _Atomic uint32_t stolen;     /* the same of others' */
    _Atomic uint32_t found_in;   /* instance->waits when something was queued before the wait */
    _Atomic uint32_t counted_in; /* instance->waits when an accept was last counted */
    _Atomic uint32_t rotated_in; /* instance->waits when it was last rotated after an accept */
    struct pace pace;

    struct {
        struct thread_times since; /* as they were read last ... */
        _Atomic uint64_t read_ms;  /* ... then, by clock_coarse_ms() */
        uint64_t began_ms;
    } doubt; /* watch_prove.c */

    struct shard_bits registered;
    struct shard_bits reach; /* what was registered when EPOLLONESHOT fired: its accept takes it */
    bool shares_home;        /* found no shard free: sits at another's */
    bool sees_stuck;         /* some owners were stuck; it looks again */
    bool sees_short;         /* those who share homes were not enough when it last looked */
    bool lets_go_late;  /* all took turns at a shard that it leaves: what waits there goes first */
    uint64_t looked_ms; /* when it looked for stuck owners, by clock_coarse_ms() */
    uint32_t seen_generation;  /* the set's, when its claims were last looked at; 0: not yet */
    uint32_t tried_generation; /* in which a worker without a home of its own last tried for one */
    uint32_t seen_concurrent;  /* the set's `concurrent` then */
    _Atomic uint32_t probed_generation; /* in which the wait began that may show who else waits */
    _Atomic uint32_t looked_generation; /* in which it looked before a wait what is queued */
    uint32_t seen_sharers;              /* of its home, then */
    uint32_t number;                    /* its own among them; 0: it is not one */
    _Atomic uint32_t ended_generation;  /* in which an end was last taken for a neighbour's */
    unsigned retry; /* waits until what could not be registered is tried again; 0: all is */
    _Atomic bool kicks_itself;      /* the kick's own registration reports it once */
    _Atomic bool was_kicked;        /* and has not looked since whether something is queued */
    _Atomic uint32_t kicks_noticed; /* so far */
    _Atomic uint32_t kicks_seen;    /* kicks_done before the wait that brought the last kick */
    _Atomic uint64_t to_rotate[SHARDS_MAX / 64]; /* shards to be rotated before the next wait */
    uint32_t epoch[SHARDS_MAX];                  /* of each shard when it was registered */
};

/* Here only for watch_at(), of which every wait needs several. */
extern struct watch watch_records[WATCH_LIMIT];

static inline struct watch *watch_at(int index) {
    return index < 0 || index >= WATCH_LIMIT ? NULL : &watch_records[index];
}

struct instance *instance_at(unsigned index);
unsigned instance_index(const struct instance *instance);
int watch_index(const struct watch *watch);
int watch_end(void); /* one past the highest index that was ever used */

/* The record of epfd, made if need be; NULL when the pool is used up. Under the guard. */
struct instance *instance_for(int epfd);
/* The record of epfd, the server's number or a hidden one; or NULL. */
struct instance *instance_find(int epfd);
/* Whether this process may change what the instance has registered. */
bool instance_is_mine(const struct instance *instance);

/* Whether a child may have it too, and wait in it: what is registered is the kernel's to end. */
bool instance_may_be_shared(const struct instance *instance);

struct watch *watch_find(const struct instance *instance, int fd);
struct watch *watch_find_shard(const struct instance *instance, const struct shard *own);
/* Whether it is a watch of that shard. */
static inline bool watch_is_of(const struct watch *watch, const struct shard *own) {
    return LIKELY(atomic_load(&watch->set) == own->set && watch->own == own->number);
}

/* Of those whose events are looked at. */
struct watch *watch_find_data(const struct instance *instance, uint64_t data);

/* A new record, linked to its instance; NULL when the pool is used up. Under the guard. */
struct watch *watch_make(struct instance *instance, int fd, const struct shard *own);
void watch_free(struct watch *watch);

/* Renews the filter from the instance's watches. Under the guard. */
void instance_refilter(struct instance *instance);

/* Two of the filter's bits; multiplied so that pointers, alike at both ends, spread out. */
static inline uint64_t filter_bits(uint64_t data) {
    uint64_t hash = data * UINT64_C(0x9e3779b97f4a7c15);
    return UINT64_C(1) << (hash >> 58) | UINT64_C(1) << (hash >> 52 & 63);
}

/* Whether an event with this data may belong to a watch that is to look at it. */
static inline bool instance_filter_has(const struct instance *instance, uint64_t data) {
    uint64_t bits = filter_bits(data);
    return (atomic_load_explicit(&instance->filter, memory_order_relaxed) & bits) == bits;
}

/* A server may keep the listener registered, and not ask for connections. */
static inline bool watch_waits_for_home(const struct watch *watch) {
    return LIKELY(watch->has_home) &&
           LIKELY(atomic_load_explicit(&watch->asked, memory_order_relaxed) & EPOLLIN) &&
           LIKELY(atomic_load_explicit(&watch->armed, memory_order_relaxed));
}

/* The shard that the watch is of. */
static inline struct shard watch_shard(const struct watch *watch) {
    return (struct shard){atomic_load(&watch->set), watch->own};
}

#define WATCHES_OF(each, instance)                                                                 \
    for (struct watch *each = atomic_load(&(instance)->first); each;                               \
         each = atomic_load(&each->next))

#endif
