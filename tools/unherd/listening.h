/*
 * listening: the sockets that listen in the network namespace of a process, as the kernel lists
 * them: by sock_diag(7), or, in another namespace than ours, in /proc/PID/net (proc_net(5)).
 */
#ifndef UNHERD_LISTENING_H
#define UNHERD_LISTENING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct listening {
    uint64_t inode;      /* what /proc/PID/fd says too: socket:[inode] */
    char address[128];   /* 127.0.0.1:80, [::1]:80, unix:/path, unix:@name */
    unsigned port;       /* 0: AF_UNIX */
    unsigned queued;     /* connections that nobody has accepted yet */
    unsigned backlog;    /* how many may be; 0: not known, from /proc */
    bool is_queue_known; /* else `queued` is not: of AF_UNIX, from /proc */
};

struct listening_list {
    struct listening *item;
    size_t count;
};

/* All of them. False with errno where even the TCP ones cannot be read. Freed by listening_free. */
bool listening_read(struct listening_list *list, pid_t pid);
void listening_free(struct listening_list *list);

/* The one with that inode, or NULL. */
const struct listening *listening_find(const struct listening_list *list, uint64_t inode);

/* For listening_diag.c: adds one; false: out of memory. And its name, of an address and its port.
 */
bool listening_add(struct listening_list *list, const struct listening *one);
void listening_name(struct listening *one, int family, const void *address);

#endif
