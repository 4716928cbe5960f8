#include "stats.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "local.h"

static void add_to_past(const struct shard_set *set, struct shared_worker *worker) {
    for (int i = 0; i < COUNTS; i++)
        atomic_fetch_add(&set->shared->past[i], atomic_exchange(&worker->counts[i], 0));
}

static bool take(struct shared_worker *worker, pid_t before, int id) {
    int32_t seen = before;
    if (!atomic_compare_exchange_strong(&worker->pid, &seen, local_pid()))
        return false;
    atomic_store(&worker->id, id);
    atomic_store(&worker->is_in, 0);
    atomic_store(&worker->since_ms, id == NO_INSTANCE ? 0 : clock_coarse_ms());
    return true;
}

/* A number that came from the shared memory may be anybody's: only its being gone is believed. */
static bool is_dead(pid_t pid) {
    return pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
}

static int take_free(const struct shard_set *set, int id) {
    for (int i = 0; i < SHARED_WORKERS; i++)
        if (atomic_load(&set->shared->worker[i].pid) == 0 && take(&set->shared->worker[i], 0, id))
            return i;
    return NO_PLACE;
}

/* Of one that was killed; its counts are kept. */
static int take_left(const struct shard_set *set, int id) {
    for (int i = 0; i < SHARED_WORKERS; i++) {
        struct shared_worker *worker = &set->shared->worker[i];
        pid_t pid = atomic_load(&worker->pid);
        if (!is_dead(pid) || !take(worker, pid, id))
            continue;
        add_to_past(set, worker);
        return i;
    }
    return NO_PLACE;
}

int stats_join(const struct shard_set *set, int id) {
    int saved = errno;
    int place = take_free(set, id);
    if (place == NO_PLACE)
        place = take_left(set, id);
    errno = saved;
    return place;
}

void stats_leave(const struct shard_set *set, int place) {
    if (place == NO_PLACE)
        return;
    add_to_past(set, &set->shared->worker[place]);
    atomic_store(&set->shared->worker[place].pid, 0);
}

bool stats_is_idle_since(const struct shard_set *set, int place, uint64_t then) {
    uint32_t left = atomic_load(&set->shared->workers); /* as in stats_waiting() */
    for (int i = 0; i < SHARED_WORKERS && left; i++) {
        struct shared_worker *worker = &set->shared->worker[i];
        if (atomic_load(&worker->pid) <= 0 || !atomic_load(&worker->since_ms))
            continue;
        left -= atomic_load(&worker->id) != NO_INSTANCE; /* those that are not, are not counted */
        if (i != place && atomic_load(&worker->is_in) && atomic_load(&worker->since_ms) <= then)
            return true;
    }
    return false;
}

/* The place of one that was killed still says that it waits: so whoever has come to its home since
 * counts as well. */
void stats_waiting(const struct shard_set *set, uint64_t milliseconds, struct shard_bits *homes) {
    uint64_t then = clock_coarse_ms() - milliseconds;
    struct shard_bits recent = {0};
    uint32_t left =
        atomic_load(&set->shared->workers); /* those behind them need not be looked at */
    *homes = (struct shard_bits){0};
    for (int i = 0; i < SHARED_WORKERS && left; i++) {
        const struct shared_worker *worker = &set->shared->worker[i];
        uint64_t since = atomic_load_explicit(&worker->since_ms, memory_order_relaxed);
        uint32_t home = atomic_load_explicit(&worker->home, memory_order_relaxed);
        if (home >= (uint32_t)set->count || atomic_load(&worker->pid) <= 0 || !since)
            continue;
        left--;
        if (since > then)
            bits_add(&recent, (int)home);
        else if (atomic_load(&worker->is_in))
            bits_add(homes, (int)home);
    }
    BITS_EACH (home, &recent)
        bits_remove(homes, home);
}

/* The place of one that was killed still says that it waits. A filter may kill whoever asks. */
static bool lives(pid_t pid) {
    return pid > 0 && (local_is_confined() || !is_dead(pid));
}

bool stats_sits(const struct shard_set *set, uint32_t place, int home) {
    if (place >= SHARED_WORKERS)
        return false;
    const struct shared_worker *worker = &set->shared->worker[place];
    return atomic_load(&worker->home) == (uint32_t)home && lives(atomic_load(&worker->pid));
}

static void add_sitter(struct stats_sitters *sitters, const struct shared_worker *worker) {
    uint64_t since = atomic_load(&worker->since_ms);
    if (atomic_load(&worker->is_in))
        sitters->one_waits = lives(atomic_load(&worker->pid));
    else if (!sitters->at_work_since_ms || since < sitters->at_work_since_ms)
        sitters->at_work_since_ms = since;
}

struct stats_sitters stats_sitters(const struct shard_set *set, int home) {
    struct stats_sitters sitters = {0};
    uint32_t left = atomic_load(&set->shared->workers); /* as in stats_waiting() */
    for (int i = 0; i < SHARED_WORKERS && left && !sitters.one_waits; i++) {
        const struct shared_worker *worker = &set->shared->worker[i];
        if (atomic_load(&worker->pid) <= 0 || !atomic_load(&worker->since_ms))
            continue;
        left -= atomic_load(&worker->id) != NO_INSTANCE;
        if (atomic_load(&worker->home) == (uint32_t)home)
            add_sitter(&sitters, worker);
    }
    return sitters;
}

void stats_shard(const struct shard_set *set, int shard, int fd) {
    struct stat status;
    if (fstat(fd, &status) == 0)
        atomic_store(&set->shared->shards[shard].inode, status.st_ino);
}

static void put(char text[SHARED_TEXT], const char *from) {
    size_t size = strlen(from) < SHARED_TEXT ? strlen(from) : SHARED_TEXT - 1;
    memcpy(text, from, size);
    text[size] = '\0';
}

void stats_describe(const struct shard_set *set, enum mode mode, const char *address,
                    const char *why) {
    set->shared->mode = mode;
    put(set->shared->address, address);
    put(set->shared->why, why ? why : "");
}
