/*
 * waiting: who waits for a listener, and how, as the kernel shows it: what an epoll instance has
 * registered (/proc/PID/fdinfo), and in which system call a thread sleeps
 * (/proc/PID/task/TID/syscall).
 */
#ifndef UNHERD_WAITING_H
#define UNHERD_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum way { WAY_EPOLL, WAY_POLL, WAY_SELECT, WAY_ACCEPT };

/* A worker: an epoll instance that has the listener registered, or a thread in another call. */
struct waiter {
    pid_t pid;
    enum way way;
    int id;             /* the instance's number, or the thread's */
    bool is_exclusive;  /* registered with EPOLLEXCLUSIVE */
    bool is_registered; /* in the last look; some come and go */
    bool is_asleep;     /* in the last look a thread slept in that very call */
    bool was_asleep;    /* in some look */
    unsigned sockets;   /* of those asked for: how many it waits for */
};

struct waiters {
    struct waiter *item;
    size_t count;
    size_t most_registered; /* how many had it registered in one and the same look */
    bool is_locked;         /* in this look, a thread slept in a lock that processes share */
    unsigned looks_asleep;  /* looks in which somebody slept, for the listener or such a lock */
    unsigned looks_alone;   /* looks in which one slept at most, and another in such a lock */
    unsigned looks_many;    /* looks in which several slept; one look is no single moment */
    bool is_refused;        /* the kernel does not show us everything */
};

struct inodes {
    uint64_t *item;
    size_t count;
};

bool inodes_have(const struct inodes *inodes, uint64_t inode);

/* A look at some processes: begin, each process in turn, end. Adds to what was seen before. */
void waiters_begin(struct waiters *waiters);
bool waiters_look(struct waiters *waiters, pid_t pid, const struct inodes *inodes);
void waiters_end(struct waiters *waiters);
void waiters_free(struct waiters *waiters);

/* "epoll", "poll", "select", "accept". */
const char *way_name(enum way way);

#endif
