/*
 * watcher: a process beside the server that says, within a second of its listening, where the
 * library is not at work, and ends by itself. The server is executed in place of the tool, and does
 * not see the watcher: it is nobody's child, in a session of its own, with stderr alone open.
 */
#ifndef UNHERD_WATCHER_H
#define UNHERD_WATCHER_H

#include <stdbool.h>

#include "absent.h"

/*
 * Starts it for the process that calls, which is to execute the server next. requires: where the
 * library is not at work, the server is ended (SIGTERM). False with errno: there is no watcher.
 */
bool watcher_start(const struct asked *asked, bool requires);

#endif
