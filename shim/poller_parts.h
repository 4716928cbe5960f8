/* poller: what its files share; for poller*.c only. */
#ifndef UNHERD_POLLER_PARTS_H
#define UNHERD_POLLER_PARTS_H

#include <stdatomic.h>
#include <sys/types.h>

#include "poller.h"
#include "shard_set.h"

enum {
    LISTENERS_MOST = 16,
    OTHERS_MOST = 32 /* beyond that, two calls for each cost more than the herd does */
};

/* An instance of our own; taken by a thread for as long as a call lasts, and given up with its home
 * when the thread ends. */
struct poller {
    _Atomic int taken;
    _Atomic pid_t pid; /* 0: never used; another process's: a parent's, to be replaced */
    int epfd;
    unsigned instance;
    int watched[LISTENERS_MOST]; /* the server's numbers in the last call */
    int watched_count;
    _Atomic(const void *)
        owner;         /* the thread that has taken it: the address of a variable of its own */
    const char *frame; /* of the call that has taken it: one that was left by longjmp lies above */
};

/* One that no other thread has, or NULL. */
struct poller *poller_take(void);

/* Says once that a call is the kernel's own from now on, with errno as the cause. */
void poller_complain(void);
void poller_give_back(struct poller *poller);

/* The list of a call, taken apart. */
struct parts {
    int listeners[LISTENERS_MOST]; /* places in the list */
    int listener_count;
    struct pollfd others[OTHERS_MOST];
    int places[OTHERS_MOST]; /* of the others */
    int other_count;
    bool is_hidden; /* it names a hidden descriptor: not open, as far as the server goes */
    bool is_large;  /* more than fits */
};

/* Takes the list of a call apart; all its revents are 0 afterwards. */
void poller_sort(const struct poll_call *call, struct parts *parts);

/* The shard behind a number of the server's, or NULL: it is no listener any more. */
const struct shard *poller_shard_of(int fd);

/*
 * The only thread that ever polled this listener needs no turns: its own call does it all. Counted
 * by processes and threads, each when it polls for the first time.
 */
bool poller_is_alone(int fd);

/* Has the instance watch the listeners of the call, and no others. False: they cannot all be. */
bool poller_watch(struct poller *poller, const struct poll_call *call, const struct parts *parts);

#endif
