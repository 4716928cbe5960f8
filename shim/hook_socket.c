/* Calls on sockets. */
#include "hook.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "bound.h"
#include "hot.h"
#include "listener.h"
#include "socket_options.h"
#include "poller.h"

HOOK int listen(int fd, int backlog) {
    if (fd_kind_of(fd_entry(fd)) == FD_HIDDEN)
        return bad_descriptor();
    return listener_listen(fd, backlog);
}

HOOK int bind(int fd, ADDRESS_IN address, socklen_t length) {
    if (fd_kind_of(fd_entry(fd)) == FD_HIDDEN)
        return bad_descriptor();
    int result = real.bind(fd, POINTER_OF(address), length);
    int saved = errno;
    if (result == 0)
        bound_note(fd);
    errno = saved;
    return result;
}

/* The number that the kernel gave out may still stand for one that was closed behind our back. */
static int fresh(int fd) {
    if (fd >= 0 && UNLIKELY(fd_kind_of(fd_entry(fd)) == FD_LISTENER))
        listener_is_real(fd);
    return fd;
}

HOT static int real_accept(int fd, const struct accept_call *call) {
    return real.accept(fd, call->address, call->length);
}

HOT static int real_accept4(int fd, const struct accept_call *call) {
    return real.accept4(fd, call->address, call->length, call->flags);
}

HOT static int accept_ours(unsigned entry, struct accept_call *call) {
    if (UNLIKELY(fd_kind_of(entry) == FD_HIDDEN))
        return bad_descriptor();
    if (UNLIKELY(fd_kind_of(entry) != FD_LISTENER))
        return call->accept(call->fd, call);
    return fresh(poller_accept(&listener_at(fd_index_of(entry))->shard, call));
}

HOT HOOK int accept(int fd, ADDRESS_OUT address, socklen_t *restrict length) {
    unsigned entry = fd_entry(fd);
    if (LIKELY(entry == FD_OTHER))
        return real.accept(fd, POINTER_OF(address), length);
    return accept_ours(
        entry, &(struct accept_call){real_accept, fd, POINTER_OF(address), length, 0, false, 0});
}

HOT HOOK int accept4(int fd, ADDRESS_OUT address, socklen_t *restrict length, int flags) {
    unsigned entry = fd_entry(fd);
    if (LIKELY(entry == FD_OTHER))
        return real.accept4(fd, POINTER_OF(address), length, flags);
    return accept_ours(entry, &(struct accept_call){real_accept4, fd, POINTER_OF(address), length,
                                                    flags, false, 0});
}

HOOK int shutdown(int fd, int how) {
    unsigned entry = fd_entry(fd);
    if (fd_kind_of(entry) == FD_HIDDEN)
        return bad_descriptor();
    int result = real.shutdown(fd, how);
    int saved = errno;
    if (result == 0 && fd_kind_of(entry) == FD_LISTENER && listener_is_real(fd))
        listener_shut_down(listener_at(fd_index_of(entry)), how);
    errno = saved;
    return result;
}

/* To AF_UNSPEC, on a socket that listens, it is a shutdown; any other is refused there. HAProxy
 * pauses its listeners so. */
static int connect_ours(unsigned entry, int fd, const struct sockaddr *address, socklen_t length) {
    if (fd_kind_of(entry) == FD_HIDDEN)
        return bad_descriptor();
    int result = real.connect(fd, address, length);
    int saved = errno;
    if (result == 0 && fd_kind_of(entry) == FD_LISTENER && listener_is_real(fd))
        listener_shut_down(listener_at(fd_index_of(entry)), SHUT_RDWR);
    errno = saved;
    return result;
}

HOOK int connect(int fd, ADDRESS_IN address, socklen_t length) {
    unsigned entry = fd_entry(fd);
    if (LIKELY(entry == FD_OTHER))
        return real.connect(fd, POINTER_OF(address), length);
    return connect_ours(entry, fd, POINTER_OF(address), length);
}

/* ---- options: one socket for the server, all shards for us ---- */

static int get_reuseport(const struct listener *listener, void *value, socklen_t *length) {
    size_t size = *length < sizeof(int) ? *length : sizeof(int);
    int reuseport = listener->reuseport;
    memcpy(value, &reuseport, size);
    *length = (socklen_t)size;
    return 0;
}

static void add_queues(const struct shard_set *set, void *value, socklen_t length) {
    struct tcp_info info = {0};
    size_t size = length < sizeof info ? length : sizeof info;
    memcpy(&info, value, size);
    int saved = errno;
    set_add_queues(set, &info);
    errno = saved;
    memcpy(value, &info, size);
}

HOOK int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict length) {
    unsigned entry = fd_entry(fd);
    if (LIKELY(entry == FD_OTHER))
        return real.getsockopt(fd, level, name, value, length);
    if (fd_kind_of(entry) == FD_HIDDEN)
        return bad_descriptor();
    int result = real.getsockopt(fd, level, name, value, length);
    if (result < 0 || fd_kind_of(entry) != FD_LISTENER)
        return result;
    struct listener *listener = listener_at(fd_index_of(entry));
    if (level == SOL_SOCKET && name == SO_REUSEPORT && listener->shard.set->count > 1)
        return get_reuseport(listener, value, length);
    if (level == IPPROTO_TCP && name == TCP_INFO)
        add_queues(listener->shard.set, value, *length);
    return result;
}

static int set_listener_option(struct listener *listener, int fd, int level, int name,
                               const void *value, socklen_t length) {
    bool is_group = level == SOL_SOCKET && name == SO_REUSEPORT && listener->shard.set->count > 1;
    if (is_group && is_address(value) && length >= sizeof(int) &&
        listener_is_real(fd)) { /* ours stays on; the server reads back its own */
        int asked;
        memcpy(&asked, value, sizeof asked);
        listener->reuseport = asked != 0;
        return 0;
    }
    int result = real.setsockopt(fd, level, name, value, length);
    int saved = errno;
    if (result == 0 && socket_option_is_choice(level, name))
        set_leave_choice(listener->shard.set);
    if (result == 0 && socket_option_is_shared(level, name) && listener_is_real(fd))
        set_option(listener->shard.set, level, name, value, length);
    errno = saved;
    return result;
}

HOOK int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
    unsigned entry = fd_entry(fd);
    socket_option_seen(level, name);
    if (LIKELY(entry == FD_OTHER))
        return real.setsockopt(fd, level, name, value, length);
    if (fd_kind_of(entry) == FD_HIDDEN)
        return bad_descriptor();
    if (fd_kind_of(entry) != FD_LISTENER)
        return real.setsockopt(fd, level, name, value, length);
    return set_listener_option(listener_at(fd_index_of(entry)), fd, level, name, value, length);
}

HOOK int getsockname(int fd, ADDRESS_OUT address, socklen_t *restrict length) {
    if (fd_kind_of(fd_entry(fd)) == FD_HIDDEN)
        return bad_descriptor();
    return real.getsockname(fd, POINTER_OF(address), length);
}

HOOK int getpeername(int fd, ADDRESS_OUT address, socklen_t *restrict length) {
    if (fd_kind_of(fd_entry(fd)) == FD_HIDDEN)
        return bad_descriptor();
    return real.getpeername(fd, POINTER_OF(address), length);
}
