#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

enum { MS_MAX = 600 * 1000 };

static const struct {
    const char *name;
    int signal;
} names[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"KILL", SIGKILL},   {"TERM", SIGTERM},
    {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"STOP", SIGSTOP}, {"WINCH", SIGWINCH}, {"CONT", SIGCONT},
};

static const char *name_of(int signal) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].signal == signal)
            return names[i].name;
    return "?";
}

static int signal_named(const char *text, size_t length) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == length && strncmp(names[i].name, text, length) == 0)
            return names[i].signal;
    return -1;
}

bool signals_know(const char *name) {
    return signal_named(name, strlen(name)) >= 0;
}

/* Reads digits up to `stop` (0: the end of the text) and steps behind it; -1 when it is not so. */
static long number_before(const char **text, char stop, long max) {
    char *end;
    if (**text < '0' || **text > '9')
        return -1;
    long value = strtol(*text, &end, 10);
    if (*end != stop || value > max)
        return -1;
    *text = end + 1;
    return value;
}

/* Kept in order of time; equal times in the order in which they were given. */
static const char *insert(struct signals *signals, struct timed_signal new) {
    if (signals->count == SIGNALS_MAX)
        return "too many signals";
    int i = signals->count++;
    for (; i > 0 && signals->list[i - 1].at > new.at; i--)
        signals->list[i] = signals->list[i - 1];
    signals->list[i] = new;
    return NULL;
}

/* 1 is the system's, 0 and below are whole groups of processes: none is a worker. */
static const char *check_pid(long pid) {
    if (pid < 2 || pid == getpid())
        return "not the pid of a worker";
    return kill((pid_t)pid, 0) == 0 ? NULL : "no such process, or not one of yours";
}

const char *signals_add(struct signals *signals, const char *text) {
    const char *colon = strchr(text, ':');
    int signal = colon ? signal_named(text, (size_t)(colon - text)) : -1;
    if (signal < 0)
        return "not NAME:PID@MS with NAME one of HUP INT QUIT KILL TERM USR1 USR2 STOP CONT WINCH";
    const char *rest = colon + 1;
    long pid = number_before(&rest, '@', INT32_MAX);
    long at = pid < 0 ? -1 : number_before(&rest, '\0', MS_MAX);
    if (at < 0)
        return "not NAME:PID@MS";
    const char *problem = check_pid(pid);
    return problem ? problem
                   : insert(signals, (struct timed_signal){(int)pid, signal, at * NS_PER_MS, 0});
}

const char *signals_add_stop(struct signals *signals, const char *text) {
    long pid = number_before(&text, '@', INT32_MAX);
    long at = pid < 0 ? -1 : number_before(&text, '+', MS_MAX);
    long length = at < 0 ? -1 : number_before(&text, '\0', MS_MAX);
    if (length < 0)
        return "not PID@MS+MS";
    const char *problem = check_pid(pid);
    if (!problem)
        problem = insert(signals, (struct timed_signal){(int)pid, SIGSTOP, at * NS_PER_MS, 0});
    if (!problem)
        problem =
            insert(signals, (struct timed_signal){(int)pid, SIGCONT, (at + length) * NS_PER_MS, 1});
    return problem;
}

static void send_signal(const struct timed_signal *s) {
    if (kill(s->pid, s->signal) < 0)
        fprintf(stderr, "%s: SIG%s to %d: %s\n", program_invocation_short_name, name_of(s->signal),
                s->pid, strerror(errno));
}

int64_t signals_send_due(struct signals *signals, int64_t start) {
    while (signals->sent < signals->count) {
        const struct timed_signal *next = &signals->list[signals->sent];
        if (start + next->at > clock_now())
            return start + next->at;
        send_signal(next);
        signals->sent++;
    }
    return NEVER;
}

void signals_finish(struct signals *signals) {
    for (; signals->sent < signals->count; signals->sent++) {
        const struct timed_signal *next = &signals->list[signals->sent];
        if (next->must_be_sent)
            send_signal(next);
        else
            fprintf(stderr, "%s: SIG%s to %d was due after the end: not sent\n",
                    program_invocation_short_name, name_of(next->signal), next->pid);
    }
}
