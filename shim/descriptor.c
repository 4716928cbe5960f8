#include "descriptor.h"

#include <errno.h>

#include "fd_table.h"
#include "listener.h"
#include "local.h"
#include "watch.h"

static void instance_closing(unsigned entry, int fd) {
    if (local_is_borrowed())
        return;
    fd_clear(fd);
    watch_instance_closing(fd_index_of(entry), fd);
}

void descriptor_closing(int fd) {
    unsigned entry = fd_entry(fd);
    int saved = errno;
    if (fd_kind_of(entry) == FD_LISTENER)
        listener_closing(fd);
    else if (fd_kind_of(entry) == FD_INSTANCE)
        instance_closing(entry, fd);
    errno = saved;
}

static void instance_copied(unsigned entry, int copy) {
    if (local_is_borrowed())
        return;
    if (watch_instance_copied(fd_index_of(entry)))
        fd_set_entry(copy, FD_INSTANCE, fd_index_of(entry));
}

void descriptor_copied(int fd, int copy) {
    unsigned entry = fd_entry(fd);
    int saved = errno;
    if (fd_kind_of(entry) == FD_LISTENER && listener_is_real(fd))
        listener_copied(fd, copy);
    else if (fd_kind_of(entry) == FD_INSTANCE)
        instance_copied(entry, copy);
    errno = saved;
}
