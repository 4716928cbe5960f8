/*
 * cost: what a call on a descriptor that is not unherd's costs more with the library loaded, and
 * what its statistics cost for each connection (counting.c).
 *
 * In one process, run with the library preloaded: each call is made through the symbol that a
 * server would use (our hook) and through libc's own, in short batches that alternate, so that a
 * machine whose speed drifts slows both alike. The figure is the median of the batches'
 * differences.
 *
 * usage: LD_PRELOAD=build/libunherd.so build/cost        (make cost)
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cost.h"

enum { UNUSED_FD = 700 };

typedef int close_call(int);
typedef int wait_call(int, struct epoll_event *, int, int);

static int epoll_fd;

double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double time_close(close_call *call) {
    double start = now();
    for (int i = 0; i < CALLS; i++)
        call(UNUSED_FD);
    return (now() - start) / CALLS;
}

static double time_wait(wait_call *call) {
    struct epoll_event event;
    double start = now();
    for (int i = 0; i < CALLS; i++)
        call(epoll_fd, &event, 1, 0);
    return (now() - start) / CALLS;
}

static int by_size(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

double median(double *values) {
    qsort(values, BATCHES, sizeof *values, by_size);
    return values[BATCHES / 2];
}

/* libc's own definition, past every preloaded library. */
static void *in_libc(void *libc, const char *name) {
    void *found = dlsym(libc, name);
    if (!found) {
        fprintf(stderr, "cost: libc.so.6 has no %s\n", name);
        exit(1);
    }
    return found;
}

static void report(const char *name, double *plain, double *more) {
    double base = median(plain);
    printf("%-12s %8.1f ns without, %+.2f ns with the library\n", name, base, median(more));
}

static void measure_close(void *libc) {
    static double plain[BATCHES], more[BATCHES];
    void *found = in_libc(libc, "close");
    close_call *direct;
    memcpy(&direct, &found, sizeof direct);
    for (int i = 0; i < BATCHES; i++) {
        plain[i] = time_close(direct);
        more[i] = time_close(close) - plain[i];
    }
    report("close", plain, more);
}

static void measure_wait(void *libc) {
    static double plain[BATCHES], more[BATCHES];
    void *found = in_libc(libc, "epoll_wait");
    wait_call *direct;
    memcpy(&direct, &found, sizeof direct);
    for (int i = 0; i < BATCHES; i++) {
        plain[i] = time_wait(direct);
        more[i] = time_wait(epoll_wait) - plain[i];
    }
    report("epoll_wait", plain, more);
}

int main(void) {
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!libc || epoll_fd < 0) {
        fprintf(stderr, "cost: no libc or no epoll instance\n");
        return 1;
    }
    if (dlsym(libc, "close") == (void *)dlsym(RTLD_DEFAULT, "close"))
        fprintf(stderr, "cost: the library is not preloaded; both columns are libc's\n");
    measure_close(libc);
    measure_wait(libc);
    measure_counting();
    return 0;
}
