#include "fd_table.h"

_Atomic uint16_t fd_table[FD_LIMIT];

/*
 * Hidden descriptors lie at the top and the server's at the bottom: two ranges, so that a search
 * does not walk, and so make resident, the empty middle. They only widen; a stale bound costs time.
 */
static _Atomic unsigned visible_end;             /* one past the highest entry that is not hidden */
static _Atomic unsigned hidden_start = FD_LIMIT; /* the lowest hidden entry */

void fd_set_entry(int fd, enum fd_kind kind, unsigned index) {
    unsigned number = (unsigned)fd;
    if (number >= FD_LIMIT)
        return;
    if (kind == FD_HIDDEN && number < atomic_load(&hidden_start))
        atomic_store(&hidden_start, number);
    if (kind != FD_HIDDEN && number >= atomic_load(&visible_end))
        atomic_store(&visible_end, number + 1);
    atomic_store_explicit(&fd_table[fd], (uint16_t)(index << 2 | kind), memory_order_release);
}

void fd_clear(int fd) {
    if ((unsigned)fd < FD_LIMIT)
        atomic_store_explicit(&fd_table[fd], FD_OTHER, memory_order_release);
}

static int next_in(unsigned from, unsigned end) {
    for (unsigned fd = from; fd < end; fd++)
        if (fd_entry((int)fd) != FD_OTHER)
            return (int)fd;
    return -1;
}

int fd_next(unsigned from, unsigned last) {
    if (from >= FD_LIMIT || from > last)
        return -1;
    unsigned end = last >= FD_LIMIT ? FD_LIMIT : last + 1;
    unsigned visible = atomic_load(&visible_end);
    unsigned hidden = atomic_load(&hidden_start);
    if (hidden < visible)
        return next_in(from, end);
    int found = next_in(from, visible < end ? visible : end);
    return found >= 0 ? found : next_in(from > hidden ? from : hidden, end);
}
