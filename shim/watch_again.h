/*
 * watch again: a worker that has so much to do that its wait finds something at once.
 *
 * Before it sleeps a worker says that it waits, and afterwards that it is at work, in memory that
 * others read; it looks at the clock for that, and at what others have said. Who does not sleep
 * needs nothing of it. So where a wait has brought several events, or that has paid lately, the
 * kernel is asked first what there is, without any of that; and only where there is nothing does
 * the wait begin. For watch_wait.c only.
 */
#ifndef UNHERD_WATCH_AGAIN_H
#define UNHERD_WATCH_AGAIN_H

#include "watch.h"
#include "watch_table.h"

/* What there is for the server, now, as epoll_wait(2) returns it, errno included; 0 or less: a wait
 * is to begin. */
int again_ask(struct instance *instance, struct wait_call *call);

/* Whether the call may sleep. */
bool again_may_sleep(const struct wait_call *call);

/* The call, but without any time. */
int again_look(struct wait_call *call);

/* A wait that was begun has brought so many events for the server. */
void again_note_wait(struct instance *instance, int count);

#endif
