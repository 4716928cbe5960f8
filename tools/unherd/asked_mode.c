#include "asked_mode.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

union any_address {
    struct sockaddr base;
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;
    struct sockaddr_un local;
};

static socklen_t read_unix(union any_address *address, const char *path) {
    size_t size = strlen(path);
    if (size >= sizeof address->local.sun_path)
        return 0;
    address->local.sun_family = AF_UNIX;
    memcpy(address->local.sun_path, path, size);
    if (*path == '@')
        address->local.sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (*path != '@'));
}

static socklen_t read_ip(union any_address *address, const char *host, const char *port) {
    in_port_t number = htons((in_port_t)strtoul(port, NULL, 10));
    if (inet_pton(AF_INET, host, &address->ip4.sin_addr) == 1) {
        address->ip4.sin_family = AF_INET;
        address->ip4.sin_port = number;
        return sizeof address->ip4;
    }
    if (inet_pton(AF_INET6, host, &address->ip6.sin6_addr) != 1)
        return 0;
    address->ip6.sin6_family = AF_INET6;
    address->ip6.sin6_port = number;
    return sizeof address->ip6;
}

/* Its length; 0: it is none. */
static socklen_t read_address(union any_address *address, const char *text) {
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    memset(address, 0, sizeof *address);
    if (!strncmp(text, "unix:", 5))
        return read_unix(address, text + 5);
    if (!colon || (size_t)(colon - text) >= sizeof host)
        return 0;
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    char *end = strchr(host, ']');
    if (end)
        *end = '\0';
    return read_ip(address, *host == '[' ? host + 1 : host, colon + 1);
}

enum mode asked_mode(const struct config *config, const char *address) {
    union any_address read;
    socklen_t length = read_address(&read, address);
    return length ? config_mode_for(config, &read.base, length) : config->mode;
}
