/*
 * socket options: making one socket like another, so that a spare accepts what the listener would.
 */
#ifndef UNHERD_SOCKET_OPTIONS_H
#define UNHERD_SOCKET_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Gives `to`, a new socket of the same kind, every option in which it differs from `from`. Only
 * differences are set: setting some options, even to the value that they have, changes more than
 * the value (SO_RCVBUF ends auto-tuning). Returns 0, or -1 with errno when one that matters before
 * bind() (IPV6_V6ONLY, SO_REUSEADDR) or that keeps somebody out (a filter, a least TTL, keys) was
 * refused or cannot be read; any other refusal is passed over.
 */
int socket_options_copy(int from, int to);

/* The server sets that option, on any socket: some cannot be read back, and so are remembered. */
void socket_option_seen(int level, int name);

/* Whether an option says which socket of a group new connections go to; and whether the server has
 * set one, on any socket. */
bool socket_option_is_choice(int level, int name);
bool socket_option_chooses(void);

/* Whether an option that the server sets on a listener is to reach the other shards too. */
int socket_option_is_shared(int level, int name);

/* An option whose value is an int; -1 when it cannot be read. */
int socket_int(int fd, int level, int name);

/* The kernel's name of a socket, for as long as it lives; 0 when it is none. */
uint64_t socket_cookie(int fd);

/*
 * Whether fd is the socket of that cookie, 0 being any; where the kernel refuses to say, it is. The
 * cookie becomes that of what fd is.
 */
bool socket_is_still(int fd, uint64_t *cookie);

#endif
