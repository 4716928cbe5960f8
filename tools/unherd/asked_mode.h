/* asked mode: what a server's environment asks for a listener, which is named as the tool prints
 * it. */
#ifndef UNHERD_ASKED_MODE_H
#define UNHERD_ASKED_MODE_H

#include "config.h"

/* "127.0.0.1:80", "[::1]:80", "unix:/path", "unix:@name"; of any other, what is asked for all. */
enum mode asked_mode(const struct config *config, const char *address);

#endif
