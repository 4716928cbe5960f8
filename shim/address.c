#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/un.h>

#include "text.h"

static void format_ip(struct text *text, int family, const void *bytes, in_port_t port) {
    char host[INET6_ADDRSTRLEN] = "";
    inet_ntop(family, bytes, host, sizeof host);
    text_str(text, family == AF_INET6 ? "[" : "");
    text_str(text, host);
    text_str(text, family == AF_INET6 ? "]:" : ":");
    text_num(text, ntohs(port));
}

static void format_unix(struct text *text, const struct sockaddr_un *address, socklen_t length) {
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t size = length > start ? length - start : 0;
    text_str(text, "unix:");
    if (size && !address->sun_path[0]) { /* the abstract name space: no terminator, any bytes */
        text_char(text, '@');
        text_bytes(text, address->sun_path + 1, size - 1);
        return;
    }
    for (size_t i = 0; i < size && address->sun_path[i]; i++)
        text_char(text, address->sun_path[i]);
}

void address_format(const struct sockaddr *address, socklen_t length, char *data, size_t size) {
    struct text text = text_of(data, size);
    const struct sockaddr_in *ip4 = (const void *)address;
    const struct sockaddr_in6 *ip6 = (const void *)address;
    if (address->sa_family == AF_INET)
        format_ip(&text, AF_INET, &ip4->sin_addr, ip4->sin_port);
    else if (address->sa_family == AF_INET6)
        format_ip(&text, AF_INET6, &ip6->sin6_addr, ip6->sin6_port);
    else if (address->sa_family == AF_UNIX)
        format_unix(&text, (const void *)address, length);
    else {
        text_str(&text, "family ");
        text_num(&text, address->sa_family);
    }
}
