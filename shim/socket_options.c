#include "socket_options.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "hot.h"
#include "real.h"

#ifndef TCP_FASTOPEN_NO_COOKIE
#define TCP_FASTOPEN_NO_COOKIE 34
#endif
#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73
#endif
#ifndef TCP_AO_ADD_KEY
#define TCP_AO_ADD_KEY 38
#endif

struct option {
    int level;
    int name;
    bool doubled;  /* the kernel reports twice what was set (socket(7): SO_RCVBUF, SO_SNDBUF) */
    bool required; /* without it bind() or what is accepted would not be the same */
};

/* In the order in which they are set: what bind() looks at comes first. */
static const struct option options[] = {
    {SOL_SOCKET, SO_REUSEADDR, false, true},
    {IPPROTO_IPV6, IPV6_V6ONLY, false, true},
    {SOL_SOCKET, SO_BINDTODEVICE, false, true},
    {IPPROTO_IP, IP_FREEBIND, false, false},
    {IPPROTO_IP, IP_TRANSPARENT, false, false},
    {IPPROTO_IPV6, IPV6_FREEBIND, false, false},
    {IPPROTO_IPV6, IPV6_TRANSPARENT, false, false},
    {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, false, false},
    {SOL_SOCKET, SO_MARK, false, false},
    {SOL_SOCKET, SO_PRIORITY, false, false},
    {SOL_SOCKET, SO_KEEPALIVE, false, false},
    {SOL_SOCKET, SO_LINGER, false, false},
    {SOL_SOCKET, SO_OOBINLINE, false, false},
    {SOL_SOCKET, SO_RCVBUF, true, false},
    {SOL_SOCKET, SO_SNDBUF, true, false},
    {SOL_SOCKET, SO_RCVLOWAT, false, false},
    {SOL_SOCKET, SO_RCVTIMEO, false, false},
    {SOL_SOCKET, SO_SNDTIMEO, false, false},
    {SOL_SOCKET, SO_BUSY_POLL, false, false},
    {SOL_SOCKET, SO_ZEROCOPY, false, false},
    {SOL_SOCKET, SO_TIMESTAMP, false, false},
    {SOL_SOCKET, SO_PASSCRED, false, false},
    {SOL_SOCKET, SO_INCOMING_CPU, false, false},
    {SOL_SOCKET, SO_MAX_PACING_RATE, false, false},
    {IPPROTO_IP, IP_TOS, false, false},
    {IPPROTO_IP, IP_TTL, false, false},
    {IPPROTO_IP, IP_MINTTL, false, true},
    {IPPROTO_IP, IP_MTU_DISCOVER, false, false},
    {IPPROTO_IP, IP_RECVTOS, false, false},
    {IPPROTO_IP, IP_PKTINFO, false, false},
    {IPPROTO_IPV6, IPV6_TCLASS, false, false},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, false, false},
    {IPPROTO_IPV6, IPV6_MINHOPCOUNT, false, true},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, false, false},
    {IPPROTO_TCP, TCP_CONGESTION, false, false},
    {IPPROTO_TCP, TCP_NODELAY, false, false},
    {IPPROTO_TCP, TCP_MAXSEG, false, false},
    {IPPROTO_TCP, TCP_CORK, false, false},
    {IPPROTO_TCP, TCP_KEEPIDLE, false, false},
    {IPPROTO_TCP, TCP_KEEPINTVL, false, false},
    {IPPROTO_TCP, TCP_KEEPCNT, false, false},
    {IPPROTO_TCP, TCP_SYNCNT, false, false},
    {IPPROTO_TCP, TCP_LINGER2, false, false},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, false, false},
    {IPPROTO_TCP, TCP_WINDOW_CLAMP, false, false},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, false, false},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, false, false},
    {IPPROTO_TCP, TCP_SAVE_SYN, false, false},
    {IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, false, false},
    {IPPROTO_TCP, TCP_FASTOPEN, false, false},
};

/* Keys of signed segments (RFC 2385, RFC 5925) were set in this process; they cannot be read back.
 */
static atomic_bool any_keys, any_choice;

enum { VALUE_SIZE = 64 }; /* the longest, a device's or an algorithm's name, has 16 bytes */

static int copy_one(int from, int to, const struct option *option) {
    char wanted[VALUE_SIZE] = {0};
    char present[VALUE_SIZE] = {0};
    socklen_t wanted_length = sizeof wanted;
    socklen_t present_length = sizeof present;
    if (real.getsockopt(from, option->level, option->name, wanted, &wanted_length) < 0)
        return 0; /* this kernel or family has no such option: neither socket has it */
    if (real.getsockopt(to, option->level, option->name, present, &present_length) < 0)
        return 0;
    if (wanted_length == present_length && !memcmp(wanted, present, wanted_length))
        return 0;
    if (option->doubled && wanted_length == sizeof(int)) {
        int value;
        memcpy(&value, wanted, sizeof value);
        value /= 2;
        memcpy(wanted, &value, sizeof value);
    }
    return real.setsockopt(to, option->level, option->name, wanted, wanted_length);
}

/*
 * A classic BPF filter on the listener also filters the connections' segments. It can be read back;
 * one of the other kind cannot (EACCES), and a spare without it would let in what it keeps out.
 */
static int copy_filter(int from, int to) {
    struct sock_filter code[256];
    socklen_t count =
        sizeof code / sizeof code[0]; /* in instructions, not bytes: socket(7), SO_GET_FILTER */
    if (real.getsockopt(from, SOL_SOCKET, SO_GET_FILTER, code, &count) < 0)
        return -1;
    if (!count)
        return 0;
    struct sock_fprog program = {.len = (unsigned short)count, .filter = code};
    return real.setsockopt(to, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

int socket_options_copy(int from, int to) {
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (copy_one(from, to, &options[i]) < 0 && options[i].required)
            return -1;
    if (atomic_load(&any_keys)) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return copy_filter(from, to);
}

HOT void socket_option_seen(int level, int name) {
    if (level == IPPROTO_TCP &&
        (name == TCP_MD5SIG || name == TCP_MD5SIG_EXT || name == TCP_AO_ADD_KEY))
        atomic_store(&any_keys, true);
    if (socket_option_is_choice(level, name))
        atomic_store(&any_choice, true);
}

bool socket_option_chooses(void) {
    return atomic_load(&any_choice);
}

bool socket_option_is_choice(int level, int name) {
    return level == SOL_SOCKET &&
           (name == SO_ATTACH_REUSEPORT_CBPF || name == SO_ATTACH_REUSEPORT_EBPF);
}

int socket_option_is_shared(int level, int name) {
    return !(level == SOL_SOCKET && name == SO_REUSEPORT) && !socket_option_is_choice(level, name);
}

int socket_int(int fd, int level, int name) {
    int value = 0;
    socklen_t length = sizeof value;
    return real.getsockopt(fd, level, name, &value, &length) < 0 ? -1 : value;
}

uint64_t socket_cookie(int fd) {
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    return real.getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0 ? 0 : cookie;
}

bool socket_is_still(int fd, uint64_t *cookie) {
    uint64_t before = *cookie;
    *cookie = socket_cookie(fd);
    if (!*cookie)
        return errno != EBADF && errno != ENOTSOCK;
    return !before || *cookie == before;
}
