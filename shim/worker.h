/*
 * worker: claims, homes, neighbours, liveness. Knows no descriptor but the set's own.
 *
 * A claim on shard i is a classic record lock on byte i of the set's memfd: the kernel arbitrates
 * it between processes and drops it when its process dies, however it dies, so that a dead claim is
 * simply one that can be locked. Between the workers of one process the caller keeps them apart, by
 * saying which shards are its own.
 *
 *     spare --claim--> listening, owned --release, exit, death--> listening, orphaned --claim-->
 * owned
 *
 * A shard never goes back to being a spare: to stop listening would reset what is queued. An orphan
 * is watched by every worker until it is claimed again; new workers take orphans before spares.
 */
#ifndef UNHERD_WORKER_H
#define UNHERD_WORKER_H

#include <stdbool.h>

#include "shard_bits.h"
#include "shard_set.h"

enum { ANY_SHARD = -1 };

/*
 * Claims the shard `wanted`, or any: an orphan first, else a spare; none of those in *ours. A spare
 * is made to listen. Returns its number, or -1 when it is taken, or all are. The caller registers
 * it before worker_announce().
 */
int worker_claim(struct shard_set *set, const struct shard_bits *ours, int wanted);

/* All shards that listen. */
void worker_listening(const struct shard_set *set, struct shard_bits *listening);

/* A home that is somebody else's too, for a worker that found none free: the one shared least. */
int worker_least_shared(const struct shard_set *set);
/* Its number among those that share it, from 1 on. */
uint32_t worker_share(const struct shard_set *set, int shard);
/* The last tells everybody: all are to look again. */
void worker_unshare(const struct shard_set *set, int shard);

/* How many workers sit at that shard beside its owner; and whether any do, so that they have to
 * take turns. */
uint32_t worker_sharers(const struct shard_set *set, int shard);
bool worker_is_shared(const struct shard_set *set, int shard);

/* The claims have changed, or the owner of `shard` registered anew: everybody is to look again. */
void worker_announce(struct shard_set *set, int shard);

/* Gives a claim back; those who do not watch the orphan yet are told, and will. */
void worker_release(struct shard_set *set, int shard);

/* It is an orphan, and nobody may know yet, for its owner was killed: all are told, once. Its
 * thieves may have been killed too, and those before them, and what nobody watches nobody would
 * take. */
void worker_lost(const struct shard_set *set, int shard);

/* Where a worker sits: at its own home or at another's, in a process that owns these shards. */
struct seat {
    int home;
    uint32_t number;  /* among those that share it; 0: the owner */
    bool is_second;   /* watches a neighbour beside the owner, while they are enough */
    bool stands_back; /* leaves its neighbours to themselves, for now */
    bool is_short;    /* homes are: who shares its own watches as much as it may */
    struct shard_bits ours;
};

/*
 * The shards that the worker that sits there is to watch, home among them. In general those are the
 * set's `steal` next neighbours, fewer where many share a home (worker_short.h), all orphans, and
 * those whose owners are said to be stuck; all shards, where the set is one queue. But under an
 * accept mutex only one worker waits at a time, and must then see every shard: until two were seen
 * waiting at once it watches all. *unproven is set where that question is still open and matters.
 * Who stands back watches home, orphans and those of stuck owners, be it few or many. And all watch
 * shard 0, once connections were gathered there.
 */
void worker_view(const struct shard_set *set, const struct seat *seat,
                 const struct shard_bits *stuck, struct shard_bits *view, bool *unproven);

/* set_gather(), of which all are told who may not watch shard 0 yet. */
void worker_gather(const struct shard_set *set);

/*
 * One worker at a time, of all processes and threads, between these two: for an accept on the
 * server's own socket, when that blocks. False: another is.
 */
bool worker_enter_own(struct shard_set *set);
void worker_leave_own(struct shard_set *set);

/*
 * Whether this process may add shards to the set: one at a time may, as long as it lives, and only
 * if it knows all that were added before. The processes would otherwise each mean another socket by
 * the same number.
 */
bool worker_may_add(const struct shard_set *set);

/* Of the server's own shards: whether some other process owns one that does not block. */
bool worker_may_empty(const struct shard_set *set);

/* The number for one more of the server's own: one that was dropped and has no owner elsewhere, or
 * the next; -1: there are too many. */
int worker_number_for_own(const struct shard_set *set);

/*
 * Whether there may be an accept mutex, or one worker only: no two were seen waiting at once, or
 * not lately enough (set_is_concurrent()). Then whoever waits may have missed what was told to
 * another, who took something else, and has to look before it waits.
 */
bool worker_may_be_one_at_a_time(const struct shard_set *set);

/*
 * Finds that out: `who`, any number that is nobody else's, begins its wait in the generation that
 * is returned, and ends it. The end returns true when it has shown, for the first time in this
 * generation, that another waited meanwhile, and views may shrink: the caller then kicks the set.
 * Nothing is shown where the claims have changed meanwhile: the other may have left.
 */
uint32_t worker_begin_wait(const struct shard_set *set, uint64_t who);
bool worker_end_wait(const struct shard_set *set, uint64_t who, uint32_t generation);

/*
 * The same by other evidence: a worker looked before it waited, something was queued, and then it
 * was not. Whoever took that held no mutex together with this one. It is all that shows it to
 * workers whose memory is not common (Node's, uvicorn's), who are never seen to wait at once.
 * Returns as worker_end_wait(); the generation is that of the look.
 */
bool worker_is_not_alone(const struct shard_set *set, uint32_t generation);

#endif
