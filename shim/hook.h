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
#include "hot.h"
#include "real.h"

#define HOOK __attribute__((visibility("default")))

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

/* sendmmsg(2), made by `send`: libc's, or by its number; musl's own, a loop, reads what is not
 * there. */
typedef int send_messages(int fd, struct mmsghdr *messages, unsigned count, message_flags flags);
int hook_send_messages(int fd, struct mmsghdr *messages, unsigned count, message_flags flags,
                       send_messages *send);

#endif
