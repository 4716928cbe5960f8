/* signals: what the programs share that test what interrupts a wait, and how long it lasts. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include "lab.h"

static volatile sig_atomic_t signals;

static void on_signal(int number) {
    (void)number;
    signals++;
}

static inline void handle(int flags) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    MUST(sigaction(SIGUSR1, &action, NULL));
}

static inline long long microseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

/* A child that sends us signals until we end it: one that comes before the wait is not the last. */
static inline pid_t pester(void) {
    pid_t parent = getpid();
    pid_t pid = fork_bound();
    while (pid == 0) {
        moment();
        kill(parent, SIGUSR1);
    }
    return pid;
}

#endif
