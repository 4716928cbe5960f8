/*
 * listener: the listening socket that the server knows, under one or more descriptors.
 *
 *     unknown --listen()--> adopted --dup--> adopted (one number more) --last close--> unknown
 *
 * Knows the server's numbers for it, what was decided about it and why; not how it is waited for.
 */
#ifndef UNHERD_LISTENER_H
#define UNHERD_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config.h"
#include "fd_table.h"
#include "shard_set.h"

struct listener {
    _Atomic int references; /* descriptors of this process that name it; 0: the record is free */
    _Atomic int
        orphaned; /* references given up by a signal handler that could not have the guard */
    _Atomic int reuseport; /* SO_REUSEPORT as the server set it */
    _Atomic uint64_t
        cookie;         /* the kernel's name of the socket (SO_COOKIE), for as long as it lives */
    struct shard shard; /* which it is; several share a set where the server shards by itself */
};

/* Called once, from the constructor, before anything else here; config stays as it is for ever. */
void listener_start(const struct config *config);

/* Whether any listener may be touched at all, as the configuration says. */
bool listener_is_wanted(void);

/* The listener behind an entry of the fd table whose kind is FD_LISTENER. */
struct listener *listener_at(unsigned index);

/*
 * Whether fd still is the listener that its entry says; it may have been closed behind our back, by
 * a direct system call or from within libc. If it is not, the entry is forgotten. Two system calls
 * at most.
 */
bool listener_is_real(int fd);

/* listen(2), and what is to follow from it. */
int listener_listen(int fd, int backlog);

/* The server has shut the listener down. */
void listener_shut_down(const struct listener *listener, int how);

/* The flags of its description, O_NONBLOCK perhaps, have changed; the server's number for it is fd.
 */
void listener_flags_changed(const struct listener *listener, int fd);

/*
 * A socket that this process did not make: it had it from its start, or received it. One that
 * listens is adopted; is_heir: it was made for this process alone (systemd's LISTEN_FDS), and so
 * can be sharded as if it were its own. Anything else is remembered, or passed over.
 */
void listener_found(int fd, bool is_heir);

/* The server is about to close fd, or has just copied fd to copy. Nothing happens in a vfork child.
 */
void listener_closing(int fd);
void listener_copied(int fd, int copy);

/* The process ends in good order. */
void listener_process_ends(void);

/* What the server has deleted from its epoll instances goes at once: another process, or image, is
 * about to have them too. */
void listener_finish_deleted(void);

/* RLIMIT_NOFILE was raised: hidden descriptors make room below. */
void listener_move_up(void);

/* Ends the listeners, and the epoll instances, whose last numbers were closed where the guard was
 * refused. */
void listener_end_orphaned(void);

/* ---- over exec: see carry.h ---- */

/* Whether this process has a listener of ours at all. */
bool listener_any(void);

/* Writes down the listeners that the next image will have, and keeps their sets open for it. False:
 * there are none. listener_keep_open(false) takes it back. */
bool listener_write(struct text *text);
void listener_keep_open(bool keep);

/* Takes up what an earlier image wrote down; what is not what it was is passed over. */
void listener_receive(const char *text);

#endif
