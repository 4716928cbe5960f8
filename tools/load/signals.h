/* Signals that are sent to the server's processes at set times of the run. */
#ifndef LOAD_SIGNALS_H
#define LOAD_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

enum { SIGNALS_MAX = 64 };

struct timed_signal {
    int pid;
    int signal;
    int64_t at; /* since the start of the run */
    int must_be_sent;
};

struct signals {
    struct timed_signal list[SIGNALS_MAX];
    int count;
    int sent; /* so many of them, in order of time */
};

/* Is it a name that signals_add takes? */
bool signals_know(const char *name);

/* NAME:PID@MS, e.g. HUP:123@500. NULL when it was understood, else what is wrong with it. */
const char *signals_add(struct signals *signals, const char *text);

/* PID@MS+MS: SIGSTOP at the first time, SIGCONT so much later. */
const char *signals_add_stop(struct signals *signals, const char *text);

/* Sends what is due since `start`, and tells when the next one is: a clock time, or NEVER. */
int64_t signals_send_due(struct signals *signals, int64_t start);

/* The run is over: nobody stays stopped, and what was not sent is named on stderr. */
void signals_finish(struct signals *signals);

#endif
