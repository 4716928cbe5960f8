/*
 * watch: which epoll instance watches which shards; exclusive, order, rotation, stealing.
 *
 * A watch is one (epoll instance, listener) pair of the server. Each shard of the listener that the
 * instance watches is registered in it with the server's own epoll_data and EPOLLEXCLUSIVE, home
 * first, so that whatever reads the instance, even behind our back, sees nothing but the server's
 * own events.
 *
 * All calls keep the errno that the kernel's own call would have left.
 */
#ifndef UNHERD_WATCH_H
#define UNHERD_WATCH_H

#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "shard_set.h"

/* epoll_ctl on a listener, which the server knows as fd. The event can be read, unless op is DEL.
 * Returns and sets errno as epoll_ctl(2). */
int watch_ctl(int epfd, int op, int fd, const struct shard *own, struct epoll_event *event);

/* A call of the epoll_wait family. `wait` makes it; it reads the other members, timeouts included.
 */
struct wait_call {
    int (*wait)(const struct wait_call *call);
    int epfd;
    struct epoll_event *events;
    int most;
    bool has_timeout;
    struct timespec timeout; /* what is left of it */
    const sigset_t *mask;
};

/* The call on an instance of ours, by its index in the fd table. Returns as epoll_wait(2). */
int watch_wait(unsigned instance, struct wait_call *call);

/* The thread is going to sleep elsewhere, until the instance has something. errno is kept. */
void watch_sleeps_elsewhere(unsigned instance);

/*
 * An epoll instance of the library's own, hidden, for a thread that waits with poll or select; used
 * like the server's. Its index, or -1 with errno; *epfd is its descriptor.
 */
int watch_own(int *epfd);
/* The server is told of a connection of that shard by other means: it may accept it. */
void watch_tell(unsigned instance, const struct shard *own);
/* Whether a number was closed while a thread waited in it: it reports what nobody asks about. */
bool watch_is_spoiled(unsigned instance);
/* Given back: in the process that made it, or in a child that has it from its parent. */
void watch_disown(unsigned instance, int epfd);

/* A call of the accept family on a listener; `accept` is the next definition's, flags ignored or
 * not. */
struct accept_call {
    int (*accept)(int fd, const struct accept_call *call);
    int fd; /* the server's number for the listener */
    struct sockaddr *address;
    socklen_t *length;
    int flags;
    bool blocks;    /* as the listener's flags say */
    int empty_home; /* 1 + the shard that watch_accept_usual() found empty; 0: none */
};

/* The server is about to accept from that listener, in whichever way. */
void watch_accepts(const struct shard *own);

/*
 * Of a set of several, what most connections are: the worker has waited, one shard alone
 * brought an event, and it takes one from its home. NOT_USUAL: it is for watch_accept() to say, and
 * errno is as it was; what was found empty is in the call. Else as accept(2).
 */
enum { NOT_USUAL = -2 };
int watch_accept_usual(const struct shard *own, struct accept_call *call);

/* Of a set of one, the kernel's own accept. Otherwise it never waits, even if the listener blocks:
 * EAGAIN. */
int watch_accept(const struct shard *own, const struct accept_call *call);

/* By somebody whose waits are not seen here; is_plain: the kernel's own accept, whatever the set.
 */
int watch_accept_unseen(const struct shard *own, const struct accept_call *call, bool is_plain);

/* The server closes its number fd of a listener; `last` if it has no other in this process. Under
 * the guard. */
void watch_listener_closing(const struct shard *own, int fd, bool last);

/* A shard of the server's own is not to be used any more in this process. Under the guard. */
void watch_shard_closing(const struct shard *shard);

/* Whether the instance, by its index, watches that shard of the server's own for it. */
bool watch_is_there(unsigned instance, const struct shard *own);

/* A shard of the server's own has joined the set: who waits in this process is to know. Under the
 * guard. */
void watch_set_grew(struct shard_set *set);

/* The server closes, or has copied, a descriptor of an instance of ours. */
void watch_instance_closing(unsigned instance, int epfd);
bool watch_instance_copied(unsigned instance); /* false: the copy is left to the kernel */

/* Ends the instances whose last numbers were closed where the guard was refused. Under the guard.
 */
void watch_end_orphaned(void);

/* The process ends in good order: what its workers were told of, and leave, others are told of. */
void watch_process_ends(void);

/* The process is about to fork: EPOLL_CTL_DEL, where it was put off until the next wait, is done
 * now, and so is what a worker that stands back has unregistered. */
void watch_finish_deleted(void);

/* Whether anything of this set is registered by this process. */
bool watch_has(const struct shard_set *set);

/*
 * Of the server's own shards: whether some worker, here or in another process, may empty those that
 * are its neighbours'. One whose own blocks may not.
 */
bool watch_may_empty(const struct shard_set *set);

/* The server's own that it has closed, and that nobody empties any more, end. Under the guard. */
void watch_drop_unemptied(struct shard_set *set);

#endif
