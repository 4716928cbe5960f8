/* poller list: what is in the list of a call, and watching the listeners among it. */
#include <errno.h>
#include <string.h>

#include "fd_table.h"
#include "listener.h"
#include "local.h"
#include "poller_parts.h"
#include "watch.h"

enum { CONNECTION = POLLIN | POLLRDNORM };

static bool awaits_connection(const struct pollfd *entry) {
    return entry->fd >= 0 && (entry->events & CONNECTION) &&
           fd_kind_of(fd_entry(entry->fd)) == FD_LISTENER;
}

bool poller_concerns(struct pollfd *list, nfds_t count) {
    for (nfds_t i = 0; i < count; i++)
        if (list[i].fd >= 0 && fd_kind_of(fd_entry(list[i].fd)) != FD_OTHER &&
            fd_kind_of(fd_entry(list[i].fd)) != FD_INSTANCE)
            return true;
    return false;
}

static void sort(struct parts *parts, struct pollfd *entry, int place) {
    entry->revents = 0;
    if (entry->fd < 0)
        return;
    if (fd_kind_of(fd_entry(entry->fd)) == FD_HIDDEN)
        parts->is_hidden = true;
    else if (awaits_connection(entry)) {
        if (parts->listener_count < LISTENERS_MOST)
            parts->listeners[parts->listener_count++] = place;
        else
            parts->is_large = true;
    } else if (parts->other_count < OTHERS_MOST) {
        parts->places[parts->other_count] = place;
        parts->others[parts->other_count++] = *entry;
    } else
        parts->is_large = true;
}

const struct shard *poller_shard_of(int fd) {
    unsigned entry = fd_entry(fd);
    return fd_kind_of(entry) == FD_LISTENER ? &listener_at(fd_index_of(entry))->shard : NULL;
}

void poller_sort(const struct poll_call *call, struct parts *parts) {
    parts->listener_count = parts->other_count = 0;
    parts->is_hidden = parts->is_large = false;
    for (nfds_t i = 0; i < call->count; i++)
        sort(parts, &call->list[i], (int)i);
}

static bool is_watched(const struct poller *poller, int fd) {
    for (int i = 0; i < poller->watched_count; i++)
        if (poller->watched[i] == fd)
            return true;
    return false;
}

static bool is_in(const struct poll_call *call, const struct parts *parts, int fd) {
    for (int i = 0; i < parts->listener_count; i++)
        if (call->list[parts->listeners[i]].fd == fd)
            return true;
    return false;
}

static void forget_absent(struct poller *poller, const struct poll_call *call,
                          const struct parts *parts) {
    int kept = 0;
    for (int i = 0; i < poller->watched_count; i++) {
        int fd = poller->watched[i];
        const struct shard *own = poller_shard_of(fd);
        if (own && is_in(call, parts, fd))
            poller->watched[kept++] = fd;
        else if (own)
            watch_ctl(poller->epfd, EPOLL_CTL_DEL, fd, own, NULL);
    }
    poller->watched_count = kept;
}

/* Every time, since a listener that was closed and made anew has the old one's number, but not its
 * watch; for one that is watched it costs no system call. */
bool poller_watch(struct poller *poller, const struct poll_call *call, const struct parts *parts) {
    forget_absent(poller, call, parts);
    for (int i = 0; i < parts->listener_count; i++) {
        int fd = call->list[parts->listeners[i]].fd;
        bool is_new = !is_watched(poller, fd);
        /* A number that was closed behind our back, and is something else's now, would not end a
         * wait without a limit. */
        bool is_doubtful = is_new || !call->has_timeout;
        const struct shard *own = is_doubtful && !listener_is_real(fd) ? NULL : poller_shard_of(fd);
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = (unsigned)fd};
        if (!own)
            return false;
        if (watch_ctl(poller->epfd, EPOLL_CTL_ADD, fd, own, &event) < 0 && errno != EEXIST) {
            poller_complain();
            return false;
        }
        if (is_new)
            poller->watched[poller->watched_count++] = fd;
    }
    return true;
}

enum { COUNTED = 4 };

static bool is_counted(uint64_t cookie) {
    static _Thread_local struct {
        uint64_t cookies[COUNTED]; /* of the listeners that this thread was counted for last */
        unsigned next;
        pid_t pid;
    } counted;
    if (counted.pid != local_pid())
        counted.pid = local_pid(), memset(counted.cookies, 0, sizeof counted.cookies);
    for (int i = 0; i < COUNTED; i++)
        if (counted.cookies[i] == cookie)
            return true;
    counted.cookies[counted.next++ % COUNTED] = cookie;
    return false;
}

bool poller_is_alone(int fd) {
    unsigned entry = fd_entry(fd);
    if (fd_kind_of(entry) != FD_LISTENER)
        return true;
    struct listener *listener = listener_at(fd_index_of(entry));
    struct shared *shared = listener->shard.set->shared;
    if (!is_counted(listener->cookie))
        atomic_fetch_add(&shared->pollers, 1);
    return atomic_load_explicit(&shared->pollers, memory_order_relaxed) +
               atomic_load_explicit(&shared->workers, memory_order_relaxed) <
           2;
}
