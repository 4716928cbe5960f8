/*
 * process: what /proc says of a process, as far as it concerns listeners. Reading it takes the
 * rights of ptrace(2) for whatever is not one's own.
 */
#ifndef UNHERD_PROCESS_H
#define UNHERD_PROCESS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid;
    pid_t parent;
    uint64_t start; /* since the boot, in clock ticks */
    uint64_t image; /* where its stack begins: chosen by chance at exec, kept by fork; 0: unknown */
    char state;     /* R, S, D, T (stopped), ...: proc(5) */
    char name[32];
    char program[PATH_MAX]; /* what it executes; empty when it cannot be read */
    bool is_secure;         /* AT_SECURE: its loader looks at no LD_PRELOAD */
    bool has_library;       /* libunherd.so is mapped */
    bool has_preload;       /* its environment, as it was at exec, names libunherd.so */
};

/* Its facts. False: it is gone, or a kernel thread. What cannot be read stays false or empty. */
bool process_read(struct process *process, pid_t pid);

/* Its parent, start, image, state and name alone. False: it is gone. */
bool process_glance(struct process *process, pid_t pid);

/* Its state alone, a letter; 0: it is gone. */
char process_state(pid_t pid);

/* Its parent's number; 0: it is gone. */
pid_t process_parent(pid_t pid);

/* Whether it is that process, or was started by it or by what it started. */
bool process_descends_from(pid_t pid, pid_t ancestor);

/* Calls visit for every process, or every thread of one, until it returns false. */
typedef bool process_visit(pid_t id, void *context);
void process_each(process_visit *visit, void *context);
void process_each_thread(pid_t pid, process_visit *visit, void *context);

/* The same for its descriptors: what is behind each, "socket:[123]". False: they cannot be read. */
typedef void process_descriptor(int fd, const char *target, void *context);
bool process_each_descriptor(pid_t pid, process_descriptor *visit, void *context);

/* The inode in "socket:[inode]", or 0. */
uint64_t process_socket(const char *target);

#endif
