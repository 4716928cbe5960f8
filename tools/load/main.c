/*
 * load: opens a new connection for each request, or keeps some, in a closed loop or on a schedule,
 * and tells what became of each. One thread and one epoll instance, so that it disturbs the server
 * as little as it can; on schedule, a latency counts from the moment at which the connection was
 * due, so that a server that stands still is charged for everyone who came meanwhile.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "plan.h"
#include "report.h"
#include "run.h"
#include "tally.h"

/* A server that stands still makes many connections wait at once. */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

int main(int argc, char **argv) {
    static struct plan plan;
    static struct tally tally;
    plan_parse(&plan, argc, argv);
    raise_descriptor_limit();
    if (!tally_init(&tally, plan.count)) {
        fprintf(stderr, "load: no memory for the latencies of %ld connections\n", plan.count);
        return 1;
    }
    struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART: epoll_wait ends */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    enum ending ending = load_run(&plan, &tally, &interrupted);
    if (ending == RUN_FAILED) {
        fprintf(stderr, "load: %s\n", strerror(errno));
        return 1;
    }
    tally_sort(&tally);
    (plan.tsv ? report_tsv : report_table)(&plan, &tally);
    tally_free(&tally);
    if (tally.connected == 0)
        fprintf(stderr, "load: nothing could connect to %s\n", plan.target_name);
    return ending == RUN_WHOLE && tally.connected > 0 ? 0 : 1;
}
