/* Where the connections go, and the addresses they come from. */
#ifndef LOAD_TARGET_H
#define LOAD_TARGET_H

#include <stdbool.h>
#include <sys/socket.h>

struct target {
    struct sockaddr_storage address;
    socklen_t length;
    bool anywhere; /* set before it is parsed: other addresses than loopback's are good, too */
    bool spread;   /* let the connections come from many addresses of 127.0.0.0/8 */
    bool with_ack; /* send the request with the last packet of the handshake */
};

/* HOST:PORT, [IPV6]:PORT or unix:PATH. NULL when it was understood, else what is wrong with it. */
const char *target_parse(struct target *target, const char *text);

/*
 * A new non-blocking socket on its way to the target; `number` counts the connections.
 * -1 with errno set when it went nowhere.
 */
int target_connect(const struct target *target, long number);

#endif
