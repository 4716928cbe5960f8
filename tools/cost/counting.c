/*
 * counting: what the statistics cost for one connection: a wait that begins, one that ends, both
 * with the time, the accept that is counted, and the turn that is taken after it. These are the
 * library's own functions, on memory of the same layout, beside the same loop without them.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "cost.h"
#include "local.h"
#include "real.h"
#include "stats.h"

static struct shard_set set;

/* Neither loop may be taken for nothing. */
#define KEEP() __asm__ volatile("" ::: "memory")

static void count_connection(int place) {
    stats_wait(&set, place, 1, clock_coarse_ms());
    stats_wait(&set, place, 0, clock_coarse_ms());
    stats_count(&set, place, COUNT_HOME);
    stats_count_alone(&set, place, COUNT_ROTATIONS);
}

static double time_connections(int place, bool counts) {
    double start = now();
    for (int i = 0; i < CALLS; i++) {
        KEEP();
        if (counts)
            count_connection(place);
    }
    return (now() - start) / CALLS;
}

static void report(const char *how, int place) {
    static double more[BATCHES];
    for (int i = 0; i < BATCHES; i++) {
        double without = time_connections(place, false);
        more[i] = time_connections(place, true) - without;
    }
    printf("%-12s %8.1f ns for each connection, %s\n", "statistics", median(more), how);
}

/* A worker that counts in the place beside, on another CPU if there is one. */
static pid_t start_neighbour(void) {
    pid_t child = fork();
    if (child != 0)
        return child;
    alarm(60);
    int place = stats_join(&set, 2);
    for (;;)
        count_connection(place);
}

static void *nothing(void *unused) {
    return unused;
}

void measure_counting(void) {
    pthread_t thread;
    real_find();
    set.shared =
        mmap(NULL, SET_MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!local_start() || set.shared == MAP_FAILED) {
        fprintf(stderr, "cost: no memory\n");
        exit(1);
    }
    int place = stats_join(&set, 1);
    report("one thread", place);
    pid_t neighbour = start_neighbour();
    report("beside another worker", place);
    if (neighbour > 0 && kill(neighbour, SIGKILL) == 0)
        waitpid(neighbour, NULL, 0);
    if (pthread_create(&thread, NULL, nothing, NULL) == 0)
        pthread_join(thread, NULL);
    report("with threads, which may share the place", place);
}
