/*
 * poller: a thread that waits for connections with poll() or select().
 *
 * Those calls cannot wait exclusively: every thread is woken for every connection. So the listeners
 * among their descriptors are watched through an epoll instance of our own, with the same order,
 * thieves and turns as the server's own instances have, and the thread waits in that.
 */
#ifndef UNHERD_POLLER_H
#define UNHERD_POLLER_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "watch.h"

struct poll_call {
    struct pollfd *list; /* the server's; revents are filled in */
    nfds_t count;
    bool has_timeout;
    struct timespec timeout; /* in normal form; changed by the call */
    const sigset_t *mask;    /* in force during the wait, or NULL */
    bool is_accept;          /* it stands for a blocking accept, which cannot be left to the kernel:
                              * nothing would end it when others come who have shards of their own */
};

/* Called once, from the constructor. */
void poller_start(void);

/* Whether a listener of ours, or a hidden descriptor, is in the list; one look at each entry. */
bool poller_concerns(struct pollfd *list, nfds_t count);

/* The call, on a list that concerns us. Returns and sets errno as ppoll(2). */
int poller_poll(struct poll_call *call);

/*
 * accept on a listener. Where it has shards and blocks, the thread is a worker like any other: it
 * waits for its home and its neighbours; SO_RCVTIMEO and signals end it as they end accept(2).
 */
int poller_accept(const struct shard *own, struct accept_call *call);

#endif
