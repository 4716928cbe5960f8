/* listener found: sockets that this process did not make, or knows by another number. */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "listener_record.h"
#include "local.h"
#include "real.h"
#include "socket_options.h"

/*
 * Sockets that this image had from its start, or received from another process: one bit each. A
 * stale bit, of a number that means something else by now, costs no more than a needless turn.
 */
enum { FOREIGN_END = 1024 };
static _Atomic uint64_t foreign[FOREIGN_END / 64];

const char *listener_origin(int fd) {
    if (socket_int(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1)
        return "it was listening before this process had it";
    if (fd >= 0 && fd < FOREIGN_END && (atomic_load(&foreign[fd / 64]) >> (fd % 64) & 1))
        return "it came from another process";
    return NULL;
}

static struct listener *find(uint64_t cookie) {
    for (int i = 0; cookie && i < listener_end(); i++) {
        struct listener *listener = listener_at((unsigned)i);
        if (listener->references && listener->cookie == cookie)
            return listener;
    }
    return NULL;
}

/* Whether fd is one of ours, or another descriptor of one, which came over a socket or was made
 * behind our back. */
bool listener_is_known(int fd) {
    if (listener_is_real(fd))
        return true;
    if (!listener_any() || fd_entry(fd) != FD_OTHER || local_is_borrowed() || !guard_enter())
        return false;
    struct listener *listener = find(socket_cookie(fd));
    if (listener && fd_entry(fd) == FD_OTHER) /* else another thread has just done it */
        listener_hold(listener, fd);
    guard_leave();
    return listener;
}

/* Of a socket that listens: tcp_info's word for it (tcp(7), TCP_INFO). */
static int backlog_of(int fd) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    return real.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0 ? SOMAXCONN
                                                                          : (int)info.tcpi_sacked;
}

void listener_found(int fd, bool is_heir) {
    int accepts = listener_is_wanted() && fd >= 0 ? socket_int(fd, SOL_SOCKET, SO_ACCEPTCONN) : -1;
    if (accepts < 0 || local_is_borrowed() || listener_is_known(fd))
        return;
    if (!accepts && !is_heir && fd < FOREIGN_END)
        atomic_fetch_or(&foreign[fd / 64], UINT64_C(1) << (fd % 64));
    if (accepts && fd_entry(fd) == FD_OTHER && local_start())
        listener_adopt(fd, backlog_of(fd), is_heir ? NULL : listener_origin(fd), true);
}
