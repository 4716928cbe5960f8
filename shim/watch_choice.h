/*
 * watch choice: the shards that an accept may take from, and what is queued at them. For watch_*.c
 * only.
 *
 * What is looked at is never changed by it, except that others may be woken for what is left there:
 * choice_pass_on(). errno may change.
 */
#ifndef UNHERD_WATCH_CHOICE_H
#define UNHERD_WATCH_CHOICE_H

#include <poll.h>

#include "hot.h"
#include "watch_table.h"

struct choice {
    struct pollfd list[SHARDS_MAX];
    int shards[SHARDS_MAX];
    int count;
    int ready; /* of them; negative: the kernel will not say (RLIMIT_NOFILE below their number) */
};

/* The shard that an accept tries first: the home of the worker, or the server's own for whoever
 * does not wait here (NULL). */
int choice_home(const struct shard *own, const struct watch *watch);

/* Home, if that is asked for, and the shards within reach beside it, next neighbour first. */
void choice_look(const struct shard *own, const struct watch *watch, int own_fd, bool at_home,
                 struct choice *choice);

/* All that listen, but for one. */
enum { CHOICE_ALL = -1 };
void choice_look_beside(const struct shard *own, int shard, int own_fd, struct choice *choice);

/* Wakes who waits for those where something is queued: all of them, and so seldom where the owner
 * comes to it soon. */
void choice_pass_on(const struct shard_set *set, const struct choice *choice);

/* The same of all that a worker could have taken from, and has not. */
void choice_leave(const struct shard *own, const struct watch *watch, int own_fd);

/*
 * The same after the first accept of a wait of a worker that has slept: it may have been woken for
 * one shard, and take from another where somebody came too late to be reported. Nobody else was
 * woken for the first; its owner comes to it, or is stuck. Not where the owner is first in line:
 * then it was the owner who was woken. Few system calls in a second, however many accept.
 */
APART void choice_leave_after_sleep(const struct shard *own, const struct watch *watch, int own_fd);

/* Whether that is to be done: of a worker that has not slept the kernel wakes another, and
 * edge-triggered the next accept takes what is left. */
static inline bool choice_is_after_sleep(const struct watch *watch) {
    return atomic_load_explicit(&watch->instance->has_slept, memory_order_relaxed) &&
           !(watch->asked & EPOLLET);
}

#endif
