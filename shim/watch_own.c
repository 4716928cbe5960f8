/* watch own: the epoll instances of the library's own. */
#include "watch.h"

#include <errno.h>

#include "hidden.h"
#include "local.h"
#include "real.h"
#include "watch_table.h"

int watch_own(int *epfd) {
    *epfd = hidden_take(real.epoll_create1(EPOLL_CLOEXEC));
    if (*epfd < 0)
        return -1;
    struct instance *instance = NULL;
    if (guard_enter()) {
        instance = instance_for(*epfd);
        guard_leave();
    }
    if (instance)
        return (int)instance_index(instance);
    hidden_close(*epfd);
    errno = ENOSPC;
    return -1;
}

void watch_tell(unsigned instance, const struct shard *own) {
    struct watch *watch = watch_find_shard(instance_at(instance), own);
    if (watch)
        atomic_store(&watch->told, true);
}

bool watch_is_spoiled(unsigned instance) {
    return atomic_load_explicit(&instance_at(instance)->is_spoiled, memory_order_relaxed);
}

void watch_disown(unsigned instance, int epfd) {
    watch_instance_closing(instance, epfd);
    hidden_close(epfd);
}
