/* listening diag: the sockets that listen, as the kernel's sock_diag(7) lists them: at once, where
 * /proc/net walks over every connection that there is. */
#ifndef UNHERD_LISTENING_DIAG_H
#define UNHERD_LISTENING_DIAG_H

#include "listening.h"

/* Adds those of that family (AF_INET, AF_INET6, AF_UNIX) in this process's own network namespace.
 * False: the kernel does not say, or there is no memory; some may have been added. */
bool listening_diag(struct listening_list *list, unsigned char family);

#endif
