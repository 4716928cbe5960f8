/*
 * hook: what all hook_*.c files share. A hook asks the fd table whether the descriptor is ours, and
 * if not goes on to the next definition of the call at once.
 */
#ifndef UNHERD_HOOK_H
#define UNHERD_HOOK_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "fd_table.h"
#include "real.h"

#define HOOK __attribute__((visibility("default")))

#define LIKELY(condition) __builtin_expect(!!(condition), 1)

/*
 * Whether a pointer of the server's may be looked at. One into the first page or beyond the user's
 * half is a mistake that the kernel is to answer with EFAULT.
 */
static inline bool is_address(const void *pointer) {
    return (intptr_t)pointer >= 4096;
}

/* What a hooked call returns for a hidden descriptor, or for anything that would hit one. */
static inline int bad_descriptor(void) {
    errno = EBADF;
    return -1;
}

#endif
