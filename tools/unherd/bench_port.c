#include "bench_port.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process.h"

unsigned port_of(const char *address) {
    const char *colon = strncmp(address, "unix:", 5) ? strrchr(address, ':') : NULL;
    return colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
}

bool port_is_at(const struct listening *one, const char *address) {
    unsigned port = port_of(address);
    return port ? one->port == port : !strcmp(one->address, address);
}

struct search {
    const struct listening_list *listening;
    const char *address;
    bool is_found;
    pid_t pid;
};

static void look_at_descriptor(int fd, const char *target, void *context) {
    struct search *search = context;
    const struct listening *one = listening_find(search->listening, process_socket(target));
    (void)fd;
    search->is_found |= one && port_is_at(one, search->address);
}

static bool look_at_process(pid_t pid, void *context) {
    struct search *search = context;
    process_each_descriptor(pid, look_at_descriptor, search);
    search->pid = pid;
    return !search->is_found;
}

pid_t port_taken_by(const char *address) {
    struct listening_list listening;
    struct search search = {.address = address, .listening = &listening};
    bool is_taken = false;
    if (!listening_read(&listening, getpid()))
        return 0;
    for (size_t i = 0; i < listening.count; i++)
        is_taken |= port_is_at(&listening.item[i], address);
    if (is_taken)
        process_each(look_at_process, &search);
    listening_free(&listening);
    return search.is_found ? search.pid : is_taken ? -1 : 0;
}

bool port_lingers(const char *address) {
    char host[128];
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    const char *colon = port_of(address) ? strrchr(address, ':') : NULL;
    if (!colon)
        return false;
    bool has_brackets = *address == '[';
    snprintf(host, sizeof host, "%.*s", (int)(colon - address) - 2 * has_brackets,
             address + has_brackets);
    if (getaddrinfo(host, colon + 1, &hints, &found))
        return false;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_refused =
        fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) < 0 && errno == EADDRINUSE;
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    return is_refused;
}
