/*
 * fd table: the one question that every hook asks, "is this descriptor ours?", answered by one load
 * and one branch. A flat array, indexed by descriptor, of a kind and an index into that kind's
 * pool.
 *
 * Untouched parts of the array cost no memory. Each entry is written under the guard and read by
 * anybody at any time; an entry is one atomic word, so a reader sees the old or the new, never
 * half.
 */
#ifndef UNHERD_FD_TABLE_H
#define UNHERD_FD_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { FD_LIMIT = 1 << 20 }; /* the kernel's default fs.nr_open; what lies above is never ours */

enum fd_kind {
    FD_OTHER,    /* not ours */
    FD_LISTENER, /* the server's own listening socket; index of a listener */
    FD_INSTANCE, /* the server's own epoll instance that watches a listener; index of an instance */
    FD_HIDDEN    /* ours: the server must never see or close it; 0, or an instance's index and 1 */
};

extern _Atomic uint16_t fd_table[FD_LIMIT];

static inline unsigned fd_entry(int fd) {
    if (__builtin_expect((unsigned)fd >= FD_LIMIT, 0))
        return FD_OTHER;
    return atomic_load_explicit(&fd_table[fd], memory_order_acquire);
}

static inline enum fd_kind fd_kind_of(unsigned entry) {
    return (enum fd_kind)(entry & 3U);
}

static inline unsigned fd_index_of(unsigned entry) {
    return entry >> 2;
}

enum { FD_INDEX_LIMIT = 1 << 14 }; /* indexes are below this */

/* Writes one entry; fd is 0 to FD_LIMIT-1, anything else is ignored. */
void fd_set_entry(int fd, enum fd_kind kind, unsigned index);
void fd_clear(int fd);

/* Clears it if it still is `entry`: of several threads that try, one is told that it did. */
bool fd_clear_if(int fd, unsigned entry);

/*
 * The lowest descriptor of at least `from` and at most `last` whose entry is one of ours, of any
 * kind; -1 if there is none. Bounded by what was ever written, not by FD_LIMIT.
 */
int fd_next(unsigned from, unsigned last);

#endif
