/* watch events: what a wait brought, on its way to the server. For watch_*.c only. */
#ifndef UNHERD_WATCH_EVENTS_H
#define UNHERD_WATCH_EVENTS_H

#include <sys/epoll.h>

#include "watch_table.h"

/* Before a wait: kicks made so far are all in what it brings; later ones may still be to come after
 * it. */
void events_remember_kicks(const struct instance *instance);

/*
 * Leaves in events[] what the server is to see, in the kernel's order: the events of a listener's
 * shards merged into one, without our own, EPOLLONESHOT and the like as asked. Returns how many; 0:
 * wait on. is_full: there was no room for more. errno is kept.
 */
int events_deliver(const struct instance *instance, struct epoll_event *events, int count,
                   bool is_full);

#endif
