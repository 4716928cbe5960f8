/* backlog: how many connections each listening socket may queue, by the kernel's sock_diag(7). */
#ifndef UNHERD_BACKLOG_H
#define UNHERD_BACKLOG_H

#include "listening.h"

/* Fills in the backlogs of the TCP sockets of this process's own network namespace; the others
 * stay 0. */
void backlog_read(struct listening_list *list);

#endif
