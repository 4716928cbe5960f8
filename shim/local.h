/*
 * local: what belongs to this process alone and starts anew in every child.
 *
 * One page that the kernel hands to a child zeroed (MADV_WIPEONFORK), whichever way the child was
 * made: fork(), or a raw clone (vsftpd), which no pthread_atfork handler sees. A lock that another
 * thread held at the fork is therefore free in the child. A vfork child shares the page with its
 * parent: it is told apart by its pid, and must not change any of our tables.
 *
 * The guard is the one lock of the library; all rare changes (a registration, a claim, a close) are
 * made under it, and nothing nests inside it. A signal handler that comes while its own thread
 * holds the guard is refused it, so that it cannot deadlock; it goes straight to the kernel
 * instead. A thread that holds it cannot be cancelled.
 */
#ifndef UNHERD_LOCAL_H
#define UNHERD_LOCAL_H

#include <stdbool.h>
#include <sys/types.h>

/* Maps the page. False with errno when the kernel refuses; then nothing else here may be called. */
bool local_start(void);

/* This process's id; a load, except at the first call after a fork. In a vfork child: the parent's.
 */
pid_t local_pid(void);

/*
 * True in a vfork child (one getpid); for calls that would change a table, none of them frequent.
 * False before local_start(): then there is nothing to change.
 */
bool local_is_borrowed(void);

/* Has libc tell of forks, from the constructor on, since it may allocate for that. `before`: what
 * is to be done before each, in the parent. */
void local_watch_forks(void (*before)(void));

/*
 * Changes with every fork() of this process, in the parent and in the child: what both have now
 * they had then. Not with a raw clone, which no handler sees.
 */
unsigned local_forks(void);

/* It is about to confine itself to certain system calls (seccomp), and does not come back from
 * that: from now on none is made that it might not have named. */
void local_confine(void);
bool local_is_confined(void);

/* It ends, and has given back what it owned: its other threads, which still run, are to claim and
 * to look for nothing more. Not so in a child that one of them makes yet. */
void local_end(void);
bool local_is_ending(void);

/* Takes the guard. False when this very thread holds it already: change nothing, call nothing of
 * ours. */
bool guard_enter(void);
void guard_leave(void);

/* What a thread is to call when it has left the guard that one of its signal handlers was refused:
 * so that what that could not do is done. */
void guard_after_refusal(void (*finish)(void));

#endif
