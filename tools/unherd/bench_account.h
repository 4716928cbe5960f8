/* bench account: the voluntary context switches and the CPU time of all threads of the server. */
#ifndef UNHERD_BENCH_ACCOUNT_H
#define UNHERD_BENCH_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct account_row {
    pid_t thread;
    uint64_t first_switches, switches;
    uint64_t first_cpu, cpu; /* ns */
};

struct account {
    struct account_row *row;
    size_t count;
    int looks;
};

/* The first look begins the account; a thread that comes later counts from its own beginning, and
 * one that ends counts as far as the last look has seen it. */
void account_look(struct account *account, pid_t keeper);
void account_free(struct account *account);

uint64_t account_switches(const struct account *account);
uint64_t account_cpu(const struct account *account); /* ns */

#endif
