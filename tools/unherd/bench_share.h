/* bench share: what the library in the server has counted at the address that is loaded. */
#ifndef UNHERD_BENCH_SHARE_H
#define UNHERD_BENCH_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SHARE_WORKERS = 512 };

struct share_look {
    bool is_there; /* the library has the address's listener */
    struct {
        pid_t pid;
        int id;
        uint64_t accepts;
    } worker[SHARE_WORKERS];
    size_t count;
    uint64_t stolen;
    size_t queues;
    char became[128]; /* "4 queues", "one queue" */
};

void share_read(struct share_look *look, const char *address, pid_t keeper);

/* What each worker has accepted between the two; how many of them there are. */
size_t share_between(double *accepts, size_t most, const struct share_look *before,
                     const struct share_look *after);

#endif
