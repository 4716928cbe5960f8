#include "bench_account.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench_place.h"
#include "process.h"

struct look {
    struct account *account;
    pid_t pid;
};

/* A newcomer, that is one of a later look than the first, began at 0. */
static struct account_row *row_of(struct account *account, pid_t thread) {
    for (size_t i = 0; i < account->count; i++)
        if (account->row[i].thread == thread)
            return &account->row[i];
    struct account_row *grown = realloc(account->row, (account->count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    account->row = grown;
    grown[account->count] = (struct account_row){.thread = thread};
    return &grown[account->count++];
}

static FILE *open_part(const struct look *look, pid_t thread, const char *part) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", (int)look->pid, (int)thread, part);
    return fopen(path, "re");
}

static bool read_switches(const struct look *look, pid_t thread, uint64_t *switches) {
    char line[256];
    bool found = false;
    FILE *file = open_part(look, thread, "status");
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "voluntary_ctxt_switches: %" SCNu64, switches) == 1;
    if (file)
        fclose(file);
    return found;
}

/* stat counts in hundredths of a second, which is too coarse. */
static void read_cpu(const struct look *look, pid_t thread, uint64_t *cpu) {
    FILE *file = open_part(look, thread, "schedstat");
    if (!file)
        return;
    if (fscanf(file, "%" SCNu64, cpu) != 1)
        *cpu = 0;
    fclose(file);
}

static bool look_at_thread(pid_t thread, void *context) {
    struct look *look = context;
    uint64_t switches, cpu = 0;
    if (!read_switches(look, thread, &switches))
        return true;
    read_cpu(look, thread, &cpu);
    struct account_row *row = row_of(look->account, thread);
    if (!row)
        return false;
    if (look->account->looks == 0) {
        row->first_switches = switches;
        row->first_cpu = cpu;
    }
    row->switches = switches;
    row->cpu = cpu;
    return true;
}

void account_look(struct account *account, pid_t keeper) {
    static struct family family;
    struct look look = {.account = account};
    family_read(&family, keeper);
    for (size_t i = 0; i < family.count; i++) {
        look.pid = family.pid[i];
        process_each_thread(look.pid, look_at_thread, &look);
    }
    account->looks++;
}

void account_free(struct account *account) {
    free(account->row);
    *account = (struct account){0};
}

uint64_t account_switches(const struct account *account) {
    uint64_t sum = 0;
    for (size_t i = 0; i < account->count; i++)
        sum += account->row[i].switches - account->row[i].first_switches;
    return sum;
}

uint64_t account_cpu(const struct account *account) {
    uint64_t sum = 0;
    for (size_t i = 0; i < account->count; i++)
        sum += account->row[i].cpu - account->row[i].first_cpu;
    return sum;
}
