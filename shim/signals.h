/*
 * signals: whether a handler may have ended a call.
 *
 * The kernel ends a wait on an epoll instance (EINTR) at any signal, a process that is stopped and
 * goes on included; poll() and accept(), for which such waits stand, only where a handler has run,
 * and accept() not even then if that has SA_RESTART. Which one ran, if any, cannot be known. So
 * all are taken for it, and those that are gone too: each may have been for one time.
 */
#ifndef UNHERD_SIGNALS_H
#define UNHERD_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* The server installs a handler, or what says that there is none. */
void signals_install(int number, void (*handler)(int), bool restarts);

/* Whether there is a handler, or was. */
bool signals_any(void);

/* Whether the last handler of some signal is, or was, one without SA_RESTART. */
bool signals_any_interrupts(void);

#endif
