/*
 * shared: the layout of the memory that all processes of a server share for one listener, and that
 * tools may read through /proc/PID/fd (a memfd called "unherd", sealed against truncation).
 *
 * It is untrusted input: any worker can write anything to it. Every size and index that matters is
 * kept in private memory (struct shard_set); what is read from here only chooses between things
 * that are each safe, and is compared, never used as an index.
 *
 * Counters are written only by the worker that they are of, each on cache lines of its own, and
 * decide nothing.
 */
#ifndef UNHERD_SHARED_H
#define UNHERD_SHARED_H

#include <stdatomic.h>
#include <stdint.h>

#define SHARED_MAGIC 0x64726568u /* "herd" */

#include "config.h"

enum { SHARED_VERSION = 18, SHARED_WORKERS = 1024, SHARED_TEXT = 128 };

enum shard_state { SHARD_SPARE, SHARD_LISTENING };

struct shared_shard {
    _Alignas(64) _Atomic uint32_t state; /* enum shard_state */
    _Atomic uint32_t epoch;   /* changes when the owner registers anew: thieves go behind it */
    _Atomic uint32_t sharers; /* workers that found no shard free and sit at this one too */
    _Atomic uint32_t second;  /* the place of the one that watches a neighbour beside the owner, and
                                 1; 0: nobody does */
    _Atomic int32_t sitting;  /* workers that sit there and wait, while homes are shared; some that
                                 were killed may be among them */
    _Atomic uint32_t empty_ms; /* since when, odd, none does, with much to do; 0: some do */
    _Atomic uint32_t
        stolen_since; /* when others began to empty it, in ms, odd; 0: its owner does */
    _Atomic uint32_t stolen_in_a_row; /* how many they took since */
    _Atomic uint32_t at_work_since;   /* when its owner went to work, in ms, odd; 0: it waits; 2: it
                                         gave the shard back */

    _Atomic uint64_t queued_us; /* since when somebody is known to wait in it, by CLOCK_MONOTONIC;
                                   0: nobody is */
    _Atomic uint64_t
        inode; /* of its socket, as /proc/net/tcp has it; for whoever reads statistics */
    _Atomic uint32_t nonblocking; /* 1: it was seen with O_NONBLOCK, and nobody has changed it; of
                                     the sockets that the server knows */
};

enum count {
    COUNT_HOME,      /* accepts from its own shard, or from the one that all share */
    COUNT_STOLEN,    /* accepts from other shards */
    COUNT_EMPTY,     /* waits after which accept found no connection */
    COUNT_ROTATIONS, /* moves to the end of a queue of waiters */
    COUNT_CLAIMS,    /* of shards */
    COUNT_RELEASES,
    COUNTS
};

/* What was done otherwise than asked for, and how often. */
enum fallback {
    FALLBACK_NOT_SHARDED,  /* not sharded, or into fewer shards: `why` has the cause */
    FALLBACK_SHARED_HOME,  /* a worker found no shard free */
    FALLBACK_HESITATES,    /* a worker is woken beside others, as it hesitates to accept */
    FALLBACK_REGISTRATION, /* the kernel refused one that it had granted before */
    FALLBACK_AS_ASKED,     /* registered as the server asked, and not exclusively */
    FALLBACK_KERNEL_POLL,  /* a call of poll() or select() was left to the kernel */
    FALLBACKS
};

/* Whatever waits for connections; a place that nobody has has no pid. */
struct shared_worker {
    _Alignas(128) _Atomic int32_t pid;
    _Atomic int32_t id;     /* the number of its epoll instance in that process; -1: it has none */
    _Atomic uint32_t home;  /* its shard */
    _Atomic uint32_t is_in; /* how many threads of it wait now */
    _Atomic uint64_t
        since_ms; /* CLOCK_MONOTONIC: when it last began or ended a wait; 0: none was seen */
    _Atomic uint64_t counts[COUNTS];
};

/* Where new connections go: watch_gather.h. */
enum gathering {
    GATHERS_NEVER,   /* to any shard, and so it was always */
    GATHERS_NOT,     /* to any shard again */
    GATHERS_REFUSED, /* the kernel would not choose it, or the server chooses itself */
    GATHERS_DRAINS,  /* to any shard, and shard 0, which was almost full, is emptied first */
    GATHERS          /* to shard 0, while most workers are at work */
};

/* How often something was done since ... */
struct shared_budget {
    _Atomic uint32_t count;
    _Atomic uint32_t since_ms; /* ... then, odd, or for 100 ms; 0: never */
};

/* worker_answers.h: of 32 shards in each word, and in its upper half when that was so. */
struct shared_answer {
    _Atomic uint64_t word[SHARDS_MAX / 32];
};

struct shared {
    uint32_t magic;
    uint32_t version;
    uint32_t size;               /* of the whole, in bytes */
    _Atomic uint32_t count;      /* shards, 1 to SHARDS_MAX */
    uint32_t mode;               /* enum mode: what became of the listener when it was adopted */
    _Atomic uint32_t followed;   /* the last that all workers were told of */
    _Atomic uint32_t is_servers; /* 1: the server shards by itself */
    _Atomic int32_t kick_fd;   /* the number of the set's eventfd in its processes, for the tool */
    _Atomic uint32_t stuck_ms; /* when a stuck owner was last met, and all were told; 0: never */
    _Atomic uint32_t turn;     /* how many connections are one turn, 1 to 64; 0: 1 */
    _Atomic uint32_t paced_ms; /* when that was chosen last */
    _Alignas(64) _Atomic uint32_t generation; /* changes with every claim and release */
    _Atomic uint32_t concurrent; /* the generation in which two workers were seen waiting at once */
    _Atomic uint64_t waiter; /* who began to wait last, while that is asked for; 0: it has ended */
    _Atomic uint32_t kicks_started; /* each kick raises this before it wakes everybody ... */
    _Atomic uint32_t kicks_done;    /* ... and this afterwards */
    _Atomic int32_t backlog;        /* of the server's last listen() */
    _Atomic uint32_t slow_ms;   /* when an owner was last seen to leave its shard to others, or the
                                   tool changed the policy; 0: never */
    _Atomic uint32_t short_ms;  /* when some home was last seen at which nobody waited, odd; 0: not
                                   lately */
    _Atomic uint32_t kicked_ms; /* when everybody was woken last, odd; 0: never */
    _Atomic uint32_t beside_ms; /* when somebody last looked at all homes, odd; 0: never */
    _Atomic uint32_t doubt_ms; /* when some home was left by the last that waited, odd: it may be so
                                  still; 0: none */
    _Atomic uint32_t sharing;  /* workers that found no shard free, at all homes */
    _Atomic uint32_t woken;    /* 1: waiters were woken by way of shutdown() */
    _Atomic uint32_t shut;     /* 1: the server shut its listener down; no spare may listen */
    _Atomic uint32_t handed;   /* 1: it gave it to another process; no further spare may listen */
    _Atomic uint32_t workers;  /* that ever began to wait, less those that stopped in good order */
    _Atomic uint32_t is_apart; /* 1: other workers have memories of their own */
    _Atomic uint32_t pollers;  /* processes and threads that ever polled the listener */
    _Atomic uint32_t policy;   /* policy.h; written by the tool alone, once made */
    _Atomic uint32_t gathers;  /* enum gathering */
    /* What all workers write, apart from what each of them reads for every connection. */
    _Alignas(64) _Atomic uint32_t turns; /* that ended, of all workers, since `paced_ms` */
    struct shared_budget passes;         /* of connections to whoever waits for their shard */
    struct shared_budget rescues;        /* the same where its owner does not come */
    struct shared_budget looks;          /* after sleeps, at what may be left */
    struct shared_budget searches;       /* the same while some owner is slow */
    struct shared_budget gatherings;     /* of new connections at shard 0 */
    struct shared_budget shorts;         /* thieves saw nobody wait at a home, in 1 s */
    _Atomic uint32_t swept_ms;     /* when it was last looked at the other shards meanwhile, odd; 0:
                                      look now */
    struct shared_answer orphans;  /* shards that nobody owns, among those that listen */
    struct shared_answer stuck;    /* shards whose owners are away for long */
    _Atomic uint64_t past[COUNTS]; /* of the workers that are gone */
    _Atomic uint64_t unattended;   /* accepts by those that found no place here */
    _Atomic uint64_t fallbacks[FALLBACKS];
    char address[SHARED_TEXT]; /* as it is said in the log */
    char why[SHARED_TEXT];     /* it has that mode */
    struct shared_shard shards[SHARDS_MAX];
    struct shared_worker worker[SHARED_WORKERS];
};

#endif
