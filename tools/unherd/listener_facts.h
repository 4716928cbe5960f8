/*
 * listener facts: everything that is observed of one address on which somebody listens: its
 * sockets, who has them open, who waits for them and how. Nothing is judged here.
 */
#ifndef UNHERD_LISTENER_FACTS_H
#define UNHERD_LISTENER_FACTS_H

#include "listening.h"
#include "process.h"
#include "statistics.h"
#include "target.h"
#include "waiting.h"

struct listener_facts {
    char address[128];
    unsigned queued;       /* in all its queues */
    struct inodes sockets; /* more than one: the server shards by itself, or we do */
    bool is_common;        /* somebody has several of them open */
    struct process *process;
    size_t process_count; /* those that have one of them open */
    struct waiters waiters;
    size_t starters;  /* that wait too, but only to start those that accept; not among waiters */
    bool has_ring;    /* one of the processes has an io_uring instance */
    bool is_taken_up; /* by the library, which says the next two */
    enum mode mode;
    char why[SHARED_TEXT];
};

struct listener_list {
    struct listener_facts *item;
    size_t count;
};

/*
 * Looks for a third of a second, since workers come and go from their waits; is_patient: and for
 * two while nobody waits. Whoever starts meanwhile is not seen. False with errno.
 */
bool listeners_observe(struct listener_list *list, const struct target *target, bool is_patient);
void listeners_free(struct listener_list *list);

/* The process of that number among those that have the listener open, or NULL. */
const struct process *listener_process(const struct listener_facts *facts, pid_t pid);

/* How many workers wait for it; several processes that share one epoll instance are one. */
size_t listener_workers(const struct listener_facts *facts);

#endif
