#include "fd_table.h"

_Atomic uint16_t fd_table[FD_LIMIT];

/*
 * Hidden descriptors lie at the top and the server's at the bottom: two ranges, so that a search
 * does not walk, and so make resident, the empty middle. They only widen; a stale bound costs time.
 */
static _Atomic unsigned visible_end;             /* one past the highest entry that is not hidden */
static _Atomic unsigned hidden_start = FD_LIMIT; /* the lowest hidden entry */
static _Atomic unsigned hidden_end;              /* one past the highest */

/* Two threads may widen at once, and neither may take back what the other did. */
static void reach_down(_Atomic unsigned *bound, unsigned number) {
    unsigned seen = atomic_load(bound);
    while (number < seen && !atomic_compare_exchange_weak(bound, &seen, number))
        ;
}

static void widen(_Atomic unsigned *bound, unsigned number) {
    unsigned seen = atomic_load(bound);
    while (number > seen && !atomic_compare_exchange_weak(bound, &seen, number))
        ;
}

void fd_set_entry(int fd, enum fd_kind kind, unsigned index) {
    unsigned number = (unsigned)fd;
    if (number >= FD_LIMIT)
        return;
    if (kind == FD_HIDDEN) {
        reach_down(&hidden_start, number);
        widen(&hidden_end, number + 1);
    } else
        widen(&visible_end, number + 1);
    atomic_store_explicit(&fd_table[fd], (uint16_t)(index << 2 | kind), memory_order_release);
}

void fd_clear(int fd) {
    if ((unsigned)fd < FD_LIMIT)
        atomic_store_explicit(&fd_table[fd], FD_OTHER, memory_order_release);
}

bool fd_clear_if(int fd, unsigned entry) {
    uint16_t seen = (uint16_t)entry;
    return (unsigned)fd < FD_LIMIT &&
           atomic_compare_exchange_strong(&fd_table[fd], &seen, (uint16_t)FD_OTHER);
}

static int next_in(unsigned from, unsigned end) {
    for (unsigned fd = from; fd < end; fd++)
        if (fd_entry((int)fd) != FD_OTHER)
            return (int)fd;
    return -1;
}

static unsigned smaller(unsigned a, unsigned b) {
    return a < b ? a : b;
}

int fd_next(unsigned from, unsigned last) {
    if (from > last)
        return -1;
    unsigned end = smaller(last, FD_LIMIT - 1) + 1;
    int visible = next_in(from, smaller(end, atomic_load(&visible_end)));
    unsigned start = atomic_load(&hidden_start);
    int hidden = next_in(from > start ? from : start, smaller(end, atomic_load(&hidden_end)));
    if (visible < 0 || hidden < 0)
        return visible < 0 ? hidden : visible;
    return visible < hidden ? visible : hidden;
}
