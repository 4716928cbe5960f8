/* address: a bound address as people write it. */
#ifndef UNHERD_ADDRESS_H
#define UNHERD_ADDRESS_H

#include <sys/socket.h>

enum { ADDRESS_SIZE = 128 };

/*
 * "127.0.0.1:80", "[::1]:80", "unix:/run/x.sock", "unix:@name"; an unknown family: "family 40".
 * Always terminated; size >= ADDRESS_SIZE holds every address whole.
 */
void address_format(const struct sockaddr *address, socklen_t length, char *text, size_t size);

#endif
