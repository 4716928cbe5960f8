/*
 * shared: the layout of the memory that all processes of a server share for one listener, and that
 * tools may read through /proc/PID/fd (a memfd called "unherd", sealed against truncation).
 *
 * It is untrusted input: any worker can write anything to it. Every size and index that matters is
 * kept in private memory (struct shard_set); what is read from here only chooses between things
 * that are each safe, and is compared, never used as an index.
 *
 * Counters are written only by the worker that owns the shard, each on cache lines of its own.
 */
#ifndef UNHERD_SHARED_H
#define UNHERD_SHARED_H

#include <stdatomic.h>
#include <stdint.h>

#define SHARED_MAGIC 0x64726568u /* "herd" */

enum { SHARED_VERSION = 3 };

enum shard_state { SHARD_SPARE, SHARD_LISTENING };

struct shared_shard {
    _Alignas(64) _Atomic uint32_t state; /* enum shard_state */
    _Atomic uint32_t epoch;   /* changes when the owner registers anew: thieves go behind it */
    _Atomic uint32_t sharers; /* workers that found no shard free and sit at this one too */
    _Atomic uint32_t
        stolen_since; /* when others began to empty it, in ms, odd; 0: its owner does */

    _Atomic uint32_t nonblocking; /* 1: it was seen with O_NONBLOCK, and nobody has changed it; of
                                     the sockets that the server knows */

    _Alignas(64) _Atomic uint64_t home; /* accepts by the owner from this shard */
    _Atomic uint64_t stolen;            /* accepts by this shard's owner from other shards */
    _Atomic uint64_t empty; /* accept calls of the owner that found no connection at all */
};

struct shared {
    uint32_t magic;
    uint32_t version;
    uint32_t size;                            /* of the whole, in bytes */
    uint32_t count;                           /* shards, 1 to SHARDS_MAX */
    _Alignas(64) _Atomic uint32_t generation; /* changes with every claim and release */
    _Atomic uint32_t concurrent; /* the generation in which two workers were seen waiting at once */
    _Atomic uint64_t waiter; /* who began to wait last, while that is asked for; 0: it has ended */
    _Atomic uint32_t kicks_started; /* each kick raises this before it wakes everybody ... */
    _Atomic uint32_t kicks_done;    /* ... and this afterwards */
    _Atomic int32_t backlog;        /* of the server's last listen() */
    _Atomic uint32_t shut;          /* 1: the server shut its listener down; no spare may listen */
    _Atomic uint32_t handed;  /* 1: it gave it to another process; no further spare may listen */
    _Atomic uint32_t workers; /* that ever began to wait, less those that stopped in good order */
    _Atomic uint32_t pollers; /* processes and threads that ever polled the listener */
    struct shared_shard shards[];
};

#endif
