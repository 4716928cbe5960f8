#include "target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* Half of the usual range of ephemeral ports: the kernel finds a free one at the first try. */
enum { CONNECTIONS_PER_SOURCE = 16384, SOURCES = 200 };

static const char *parse_unix(struct target *target, const char *path) {
    struct sockaddr_un *address = (struct sockaddr_un *)&target->address;
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address->sun_path)
        return "not the path of a socket";
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length + 1);
    target->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    return NULL;
}

static const char *set_ipv4(struct target *target, const char *host, in_port_t port) {
    struct sockaddr_in *address = (struct sockaddr_in *)&target->address;
    if (inet_pton(AF_INET, host, &address->sin_addr) != 1)
        return "not a numeric address";
    if (!target->anywhere && ntohl(address->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
        return "not a loopback address; this generator aims at nothing else";
    address->sin_family = AF_INET;
    address->sin_port = port;
    target->length = sizeof *address;
    return NULL;
}

static const char *set_ipv6(struct target *target, const char *host, in_port_t port) {
    struct sockaddr_in6 *address = (struct sockaddr_in6 *)&target->address;
    if (inet_pton(AF_INET6, host, &address->sin6_addr) != 1)
        return "not a numeric address";
    if (!target->anywhere && !IN6_IS_ADDR_LOOPBACK(&address->sin6_addr))
        return "not a loopback address; this generator aims at nothing else";
    address->sin6_family = AF_INET6;
    address->sin6_port = port;
    target->length = sizeof *address;
    return NULL;
}

const char *target_parse(struct target *target, const char *text) {
    char host[INET6_ADDRSTRLEN] = "";
    *target = (struct target){.anywhere = target->anywhere};
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(target, text + 5);
    const char *colon = strrchr(text, ':');
    char *end;
    long port = colon ? strtol(colon + 1, &end, 10) : 0;
    if (port < 1 || port > 65535 || *end)
        return "no port from 1 to 65535 behind the last ':'";
    bool brackets = text[0] == '[' && colon[-1] == ']';
    const char *first = text + brackets;
    size_t length = (size_t)(colon - first) - brackets;
    if (length >= sizeof host)
        return "not a numeric address";
    memcpy(host, first, length);
    in_port_t in_network_order = htons((uint16_t)port);
    return brackets ? set_ipv6(target, host, in_network_order)
                    : set_ipv4(target, host, in_network_order);
}

/*
 * One client address has some 28,000 ephemeral ports towards one server port. The server closes
 * first, so TIME_WAIT lies on its side and does not use them up; but a port that comes round
 * again within a minute meets that TIME_WAIT, which must let go first, and with many connections
 * open there are simply too few. Any 127.a.b.c may be a client on loopback, so a long run changes
 * its address now and then. IP_BIND_ADDRESS_NO_PORT leaves the port to connect(): bind() would
 * take one that is free towards every target, and run out at 28,000 in all.
 */
static int bind_source(int fd, long number) {
    uint32_t source = (uint32_t)(number / CONNECTIONS_PER_SOURCE % SOURCES) + 1;
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(UINT32_C(127) << 24 | source << 8 | 1);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    return bind(fd, (struct sockaddr *)&address, sizeof address);
}

/*
 * An ordinary client acknowledges the handshake and sends its request right behind it; a worker
 * that is quick accepts between the two and must wake a second time for the request. With the
 * acknowledgement delayed both arrive as one, and every wake-up counted is one for the connection.
 */
static void delay_acknowledgement(int fd) {
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &(int){0}, sizeof(int));
}

int target_connect(const struct target *target, long number) {
    const struct sockaddr *address = (const struct sockaddr *)&target->address;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (target->spread && address->sa_family == AF_INET && bind_source(fd, number) < 0)
        goto failed;
    if (target->with_ack)
        delay_acknowledgement(fd);
    if (connect(fd, address, target->length) == 0 || errno == EINPROGRESS)
        return fd;
failed:;
    int problem = errno;
    close(fd);
    errno = problem;
    return -1;
}
