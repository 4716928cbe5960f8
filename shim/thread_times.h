/*
 * thread times: how long the calling thread was on a CPU, and how long it waited for one.
 *
 * Source: the kernel's Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat. Three system
 * calls, so this is for now and then.
 */
#ifndef UNHERD_THREAD_TIMES_H
#define UNHERD_THREAD_TIMES_H

#include <stdint.h>

/* In ns, since the thread began. Times of two readings compare if `thread` is the same. */
struct thread_times {
    const void *thread; /* whose they are; NULL: not known */
    uint64_t ran, delayed;
};

/* Not known where /proc is not there, or the process may open nothing. Not by open(), where a
 * thread may be cancelled. errno may change. */
struct thread_times thread_times_read(void);

#endif
