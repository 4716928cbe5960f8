#include "hidden.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "fd_table.h"
#include "real.h"

static _Atomic unsigned taken;

static unsigned limit_now(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    return limit.rlim_cur < FD_LIMIT ? (unsigned)limit.rlim_cur : FD_LIMIT;
}

/*
 * The top of the range that is used. Not above 16384, however high the limit: fork copies the table
 * of descriptors up to the highest open one, 30 us for these 128 KB, which would be milliseconds
 * for the million that is the limit in many containers.
 */
static unsigned top_now(void) {
    unsigned limit = limit_now();
    return limit < 16384 ? limit : 16384;
}

unsigned hidden_room(void) {
    unsigned most = limit_now() / 8;
    unsigned used = atomic_load(&taken);
    return most > used ? most - used : 0;
}

/* A copy of fd as near to the top as is free, or -1; the original stays open. */
static int copy_to_top(int fd, unsigned below_top) {
    unsigned top = top_now();
    if (top <= below_top)
        return errno = EMFILE, -1;
    int copy = real.fcntl(fd, F_DUPFD_CLOEXEC, (int)(top - 1 - below_top));
    if (copy < 0 && errno == EMFILE) /* the server sits up there: what is free in the last eighth */
        copy = real.fcntl(fd, F_DUPFD_CLOEXEC, (int)(top - top / 8));
    if (copy < (int)FD_LIMIT)
        return copy;
    real.close(copy);
    return errno = EMFILE, -1;
}

int hidden_take(int fd) {
    if (fd < 0)
        return -1;
    int copy = -1;
    if (hidden_room())
        copy = copy_to_top(fd, atomic_load(&taken));
    else
        errno = EMFILE;
    int saved = errno;
    real.close(fd);
    errno = saved;
    if (copy < 0)
        return -1;
    atomic_fetch_add(&taken, 1);
    fd_set_entry(copy, FD_HIDDEN, 0);
    return copy;
}

bool hidden_receive(int fd) {
    if (fd < 0 || fd >= FD_LIMIT || fd_entry(fd) != FD_OTHER ||
        real.fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return false;
    atomic_fetch_add(&taken, 1);
    fd_set_entry(fd, FD_HIDDEN, 0);
    return true;
}

void hidden_close(int fd) {
    if (fd < 0 || fd_kind_of(fd_entry(fd)) != FD_HIDDEN)
        return;
    fd_clear(fd);
    atomic_fetch_sub(&taken, 1);
    real.close(fd);
}

int hidden_move(int fd) {
    if (fd < 0)
        return fd;
    int copy = copy_to_top(fd, atomic_load(&taken));
    if (copy < 0)
        return fd;
    if (copy < fd) {
        real.close(copy);
        return fd;
    }
    fd_set_entry(copy, FD_HIDDEN, 0);
    fd_clear(fd);
    real.close(fd);
    return copy;
}
