/*
 * schedule, the holdings: who holds which claim, and how many descriptors. Of the library only the
 * layout of its shared memory is known here; without it there is none, and one queue.
 */
#include "schedule.h"

#include <sys/stat.h>

#include "clock.h"
#include "shared.h"

enum {
    HIDDEN_FROM = 512
}; /* of 1024: the library's own are at the top, all others at the bottom */

static struct shared *shared; /* NULL: there is no library, or it leaves us alone */
static size_t shared_size;
static unsigned long shared_inode;
static int visible_at_first;
static int master_at_first;
static char said[SAID_MOST];

/* ---- descriptors ---- */

struct open_count {
    int visible, hidden;
};

static struct open_count count_open(pid_t pid) {
    struct open_count count = {0};
    DIR *directory = open_directory(pid);
    const struct dirent *entry;
    while (directory && (entry = readdir(directory)))
        if (*entry->d_name != '.') {
            if (atoi(entry->d_name) < HIDDEN_FROM)
                count.visible++;
            else
                count.hidden++;
        }
    if (directory)
        closedir(directory);
    return count;
}

/* The directory that is being read is one of them. */
static int count_own(void) {
    struct open_count count = count_open(getpid());
    return count.visible + count.hidden - 1;
}

/* ---- at the beginning ---- */

static void map_shared(const char *number) {
    char path[300];
    struct stat status;
    snprintf(path, sizeof path, "/proc/self/fd/%s", number);
    int fd = MUST(open(path, O_RDWR | O_CLOEXEC));
    MUST(fstat(fd, &status));
    shared_inode = status.st_ino;
    shared_size = (size_t)status.st_size;
    void *memory = mmap(NULL, shared_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory == MAP_FAILED)
        give_up("mmap");
    shared = memory;
    if (shared->magic != SHARED_MAGIC || shared->version != SHARED_VERSION ||
        shared->count > QUEUES_MOST)
        violation("the shared memory is not of the version that is known here");
}

void holdings_begin(void) {
    struct stat status;
    MUST(fstat(listener_fd, &status));
    listener_inode = status.st_ino;
    DIR *directory = open_directory(getpid());
    const struct dirent *entry;
    while (directory && !shared && (entry = readdir(directory)))
        if (is_link(getpid(), entry->d_name, "/memfd:unherd"))
            map_shared(entry->d_name);
    if (directory)
        closedir(directory);
    master_at_first = count_own();
    visible_at_first = count_open(getpid()).visible - 1;
}

/* ---- the policy ---- */

/* Whoever may not take the eventfd leaves it to the workers, as the master does now and then. */
static void kick(void) {
    uint64_t one = 1;
    atomic_fetch_add(&shared->kicks_started, 1);
    MUST(write(atomic_load(&shared->kick_fd), &one, sizeof one));
    atomic_fetch_add(&shared->kicks_done, 1);
}

void holdings_set_policy(struct policy policy, bool kicks) {
    if (!shared)
        return;
    atomic_store(&shared->slow_ms, (uint32_t)clock_coarse_ms() | 1U);
    atomic_store(&shared->policy, policy_word(policy));
    if (kicks && shared->count > 1)
        kick();
}

/* ---- claims ---- */

static int locks_of(pid_t pid, const pid_t *owners) {
    int count = 0;
    for (int i = 0; i < QUEUES_MOST; i++)
        count += owners[i] == pid;
    return count;
}

/* How many claims a process may have. Where accept blocks, a worker that was told of what another
 * took waits a second time, in accept. */
static int claims_most(pid_t pid) {
    int count = 0;
    for (int i = 0; i < WORKERS; i++)
        if (crew[i].lives && crew[i].pid == pid)
            count += crew[i].holds +
                     (crew[i].has_waited && has_instance(crew[i].kind) && listener_blocks);
    return count;
}

/* The locks of the set's bytes; the library has others behind them. */
static const char *list_claims(pid_t *owners) {
    char line[256];
    FILE *file = fopen("/proc/locks", "re");
    const char *wrong = NULL;
    while (file && fgets(line, sizeof line, file)) {
        int pid;
        unsigned long inode, first, last;
        if (sscanf(line, "%*d: POSIX %*s WRITE %d %*x:%*x:%lu %lu %lu", &pid, &inode, &first,
                   &last) != 4 ||
            inode != shared_inode)
            continue;
        for (unsigned long i = first; i <= last && i < shared->count; i++) {
            if (owners[i])
                wrong = WRONG("shard %lu is claimed by %d and %d", i, owners[i], pid);
            owners[i] = pid;
        }
    }
    if (file)
        fclose(file);
    return wrong;
}

const char *holdings_check_claims(void) {
    pid_t owners[QUEUES_MOST] = {0};
    int listening = 0;
    if (!shared)
        return queues_count() == 1 ? NULL : WRONG("%d queues without the library", queues_count());
    const char *wrong = list_claims(owners);
    for (uint32_t i = 0; i < shared->count && !wrong; i++) {
        bool listens = atomic_load(&shared->shards[i].state) == SHARD_LISTENING;
        listening += listens;
        if (owners[i] && !listens)
            wrong = WRONG("shard %u is claimed by %d, and does not listen", i, owners[i]);
        else if (locks_of(owners[i], owners) > claims_most(owners[i]) && owners[i])
            wrong = WRONG("%d holds %d claims, and has %d workers that have waited", owners[i],
                          locks_of(owners[i], owners), claims_most(owners[i]));
    }
    if (!wrong && shared->count > 1 && listening != queues_count())
        wrong = WRONG("%d shards listen, and %d sockets", listening, queues_count());
    return wrong;
}

/* ---- leaks ---- */

static const char *check_process(pid_t pid) {
    struct open_count count = count_open(pid);
    int visible = visible_at_first;
    int hidden = shared ? (int)shared->count + 1 : 0;
    for (int i = 0; i < WORKERS; i++)
        if (crew[i].lives && crew[i].pid == pid) {
            visible += (crew[i].epfd >= 0) - crew[i].is_deaf;
            hidden += shared && (!has_instance(crew[i].kind) || listener_blocks);
        }
    if (count.visible != visible)
        return WRONG("%d has %d descriptors instead of %d", pid, count.visible, visible);
    if (count.hidden > hidden)
        return WRONG("%d has %d hidden descriptors, %d at most", pid, count.hidden, hidden);
    return NULL;
}

const char *holdings_check_descriptors(void) {
    const char *wrong = NULL;
    for (int i = 0; i < WORKERS && !wrong; i++)
        if (crew[i].lives && !crew[i].is_thread)
            wrong = check_process(crew[i].pid);
    return wrong;
}

/* All are gone, and the master closes its listener: nothing of it is left. */
void holdings_end(void) {
    if (shared)
        munmap(shared, shared_size);
    shared = NULL;
    uint16_t port = port_of(listener_fd);
    int hidden = count_open(getpid()).hidden;
    close(listener_fd);
    listener_fd = -1;
    int left = count_own() - (master_at_first - 1 - hidden);
    if (left)
        violation("the master has %d descriptors too many in the end", left);
    if (queues_any_left(port))
        violation("somebody listens in the end");
}

void holdings_print(void) {
    pid_t owners[QUEUES_MOST] = {0};
    if (shared)
        list_claims(owners);
    for (int i = 0; i < QUEUES_MOST; i++)
        if (owners[i])
            printf("claim %d: pid %d\n", i, owners[i]);
}
