/*
 * watch stand back: where all wait for CPUs, thieves leave the neighbours' shards to their owners.
 *
 * An owner that waits for a CPU comes to its shard before long, and a thief that is faster costs a
 * CPU the registrations, the wake-up and the look at home that its owner would not have cost. So a
 * worker that has spent more time waiting for CPUs than on them, and has taken from others much of
 * what it took, unregisters its neighbours' shards. It goes on looking after them, though: it looks
 * at them every few milliseconds, and waits no longer than that at a time; and where an owner does
 * not come, or it has nothing to do itself, they are registered again.
 */
#ifndef UNHERD_WATCH_STAND_BACK_H
#define UNHERD_WATCH_STAND_BACK_H

#include <sys/epoll.h>

#include "watch_table.h"

/* How long a worker that stands back waits at a time, and how often it looks. */
enum { STAND_BACK_TURN_MS = 25 };

/* The worker has taken a connection: from its home, or from another's. */
void stand_back_count_home(struct watch *watch);
void stand_back_count_stolen(struct watch *watch);

/* Whether it is time to look; no system call, and no clock is read. */
bool stand_back_is_due(const struct watch *watch);

/* Looks, if it is time, before a wait; sleeps: that is not only to ask what there is, after which
 * the server may sleep elsewhere. True: the worker stands back from now on, or does so no more.
 * Under the guard. */
bool stand_back_changes(struct watch *watch, const struct shard_set *set, bool sleeps);

/* At once, for a child that goes on with the instance could register nothing in it: false, it did
 * not stand back. The caller registers what is missing. Under the guard. */
bool stand_back_stop(struct watch *watch);

/* What the watches of an instance are about, all having looked. Under the guard. */
void stand_back_note(struct instance *instance);

/* The workers of the instance have nothing to do, or are no more to be relied on: they stand back
 * no more from the next stand_back_changes() on. */
void stand_back_ends(struct instance *instance);

/* An event for the server, of a listener for which its worker stood back. False: that has ended
 * meanwhile. */
bool stand_back_tell(const struct instance *instance, struct epoll_event *event);

/* What a worker did meanwhile; times in ns, of no use unless is_timed. */
struct stand_back_window {
    uint32_t home, stolen;         /* connections that it took */
    uint64_t lasted, ran, delayed; /* in all, on a CPU, waiting for one */
    bool is_timed;
};

/* Whether, after that, it is to stand back, if it did so before or not. */
bool stand_back_after(const struct stand_back_window *window, bool stood_back);

#endif
