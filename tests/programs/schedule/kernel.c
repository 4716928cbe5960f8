/*
 * schedule, the kernel's view: which queues there are and who is registered for them, who holds
 * which claim, how many descriptors are open. Of the library only the layout of its shared memory
 * is known here; without it there is none, and one queue.
 */
#include "schedule.h"

#include <sys/stat.h>

#include "shared.h"

enum {
    QUEUES_MOST = 256,
    HIDDEN_FROM = 512, /* of 1024: the library's own are at the top, all others at the bottom */
    SAID_MOST = 200
};

static const struct shared *shared; /* NULL: there is no library, or it leaves us alone */
static size_t shared_size;
static unsigned long shared_inode, listener_inode;
static int visible_at_first;
static int master_at_first;
static char said[SAID_MOST];
static unsigned long queues[QUEUES_MOST];
static unsigned lengths[QUEUES_MOST]; /* of the queues */
static int queue_count;

#define WRONG(...) (snprintf(said, sizeof said, __VA_ARGS__), said)

/* ---- descriptors ---- */

struct open_count {
    int visible, hidden;
};

static DIR *open_directory(pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    return opendir(path);
}

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

/* Whether that descriptor of a process is what its link says. */
static bool is_link(pid_t pid, const char *number, const char *wanted) {
    char path[300];
    char target[64] = "";
    snprintf(path, sizeof path, "/proc/%d/fd/%s", (int)pid, number);
    return readlink(path, target, sizeof target - 1) > 0 &&
           !strncmp(target, wanted, strlen(wanted));
}

/* ---- at the beginning ---- */

static void map_shared(const char *number) {
    char path[300];
    struct stat status;
    snprintf(path, sizeof path, "/proc/self/fd/%s", number);
    int fd = MUST(open(path, O_RDONLY | O_CLOEXEC));
    MUST(fstat(fd, &status));
    shared_inode = status.st_ino;
    shared_size = (size_t)status.st_size;
    void *memory = mmap(NULL, shared_size, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (memory == MAP_FAILED)
        give_up("mmap");
    shared = memory;
    if (shared->magic != SHARED_MAGIC || shared->version != SHARED_VERSION ||
        shared->count > QUEUES_MOST)
        violation("the shared memory is not of the version that is known here");
}

void kernel_begin(void) {
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

/* ---- queues, and who is registered for them ---- */

int kernel_queues(void) {
    return queue_count;
}

/* The listening sockets of our port, which the kernel lists before all others. */
static void list_queues(uint16_t ours) {
    char line[256];
    unsigned port, state, length;
    unsigned long inode;
    FILE *file = fopen("/proc/net/tcp", "re");
    if (!file || !fgets(line, sizeof line, file))
        give_up("/proc/net/tcp");
    for (queue_count = 0; fgets(line, sizeof line, file);) {
        if (sscanf(line, " %*d: %*x:%x %*x:%*x %x %*x:%x %*x:%*x %*x %*u %*u %lu", &port, &state,
                   &length, &inode) != 4)
            continue;
        if (state != 0x0A)
            break;
        if (port != ours || queue_count == QUEUES_MOST)
            continue;
        lengths[queue_count] = length;
        queues[queue_count++] = inode;
    }
    fclose(file);
}

static void mark(bool *covered, unsigned long inode) {
    for (int i = 0; i < queue_count; i++)
        covered[i] |= queues[i] == inode;
}

static void mark_registered(bool *covered, pid_t pid, const char *number) {
    char path[300];
    char line[256];
    unsigned long inode;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%s", (int)pid, number);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "tfd: %*d events: %*x data: %*x pos:%*x ino:%lx", &inode) == 1)
            mark(covered, inode);
    if (file)
        fclose(file);
}

/* An instance of one that does not watch now, but shares its process with one that does. */
static bool is_idle_ones(pid_t pid, int epfd) {
    for (int i = 0; i < WORKERS; i++)
        if (crew[i].lives && crew[i].pid == pid && crew[i].epfd == epfd)
            return crew_watches(&crew[i]);
    return true;
}

static void mark_process(bool *covered, pid_t pid) {
    DIR *directory = open_directory(pid);
    const struct dirent *entry;
    while (directory && (entry = readdir(directory)))
        if (is_link(pid, entry->d_name, "anon_inode:[eventpoll]") &&
            is_idle_ones(pid, atoi(entry->d_name)))
            mark_registered(covered, pid, entry->d_name);
    if (directory)
        closedir(directory);
}

/* A call that knows the server's own socket alone. */
static bool sleeps_at_the_listener(const struct worker *worker) {
    long number = has_instance(worker->kind) && !listener_blocks ? -1 : sleeps_in(worker->tid);
#ifdef SYS_poll
    if (number == SYS_poll || number == SYS_select)
        return true;
#endif
    return number == SYS_ppoll || number == SYS_pselect6 || number == SYS_accept ||
           number == SYS_accept4 || number == SYS_restart_syscall;
}

static const char *check_queues(void) {
    bool covered[QUEUES_MOST] = {false};
    if (crew_count_watching() == 0)
        return NULL;
    for (int i = 0; i < WORKERS; i++) {
        if (!crew_watches(&crew[i]))
            continue;
        mark_process(covered, crew[i].pid);
        if (sleeps_at_the_listener(&crew[i]))
            mark(covered, listener_inode);
    }
    for (int i = 0; i < queue_count; i++)
        if (!covered[i])
            return WRONG("queue %lu has nobody idle that is registered for it", queues[i]);
    return NULL;
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

static const char *check_claims(void) {
    pid_t owners[QUEUES_MOST] = {0};
    int listening = 0;
    if (!shared)
        return queue_count == 1 ? NULL : WRONG("%d queues without the library", queue_count);
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
    if (!wrong && shared->count > 1 && listening != queue_count)
        wrong = WRONG("%d shards listen, and %d sockets", listening, queue_count);
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

static const char *check_descriptors(void) {
    const char *wrong = NULL;
    for (int i = 0; i < WORKERS && !wrong; i++)
        if (crew[i].lives && !crew[i].is_thread)
            wrong = check_process(crew[i].pid);
    return wrong;
}

const char *kernel_check(void) {
    const char *wrong = NULL;
    list_queues(port_of(listener_fd));
    if (!wrong)
        wrong = check_queues();
    if (!wrong)
        wrong = check_claims();
    if (!wrong)
        wrong = check_descriptors();
    return wrong;
}

/* The number alone may be somebody else's by now. */
static bool is_any_left(uint16_t port) {
    unsigned long before[QUEUES_MOST];
    int count = queue_count;
    memcpy(before, queues, sizeof before);
    list_queues(port);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < queue_count; j++)
            if (before[i] == queues[j])
                return true;
    return false;
}

/* All are gone, and the master closes its listener: nothing of it is left. */
void kernel_check_end(void) {
    if (shared)
        munmap((void *)(uintptr_t)shared, shared_size);
    shared = NULL;
    uint16_t port = port_of(listener_fd);
    int hidden = count_open(getpid()).hidden;
    close(listener_fd);
    listener_fd = -1;
    int left = count_own() - (master_at_first - 1 - hidden);
    if (left)
        violation("the master has %d descriptors too many in the end", left);
    if (is_any_left(port))
        violation("somebody listens in the end");
}

static void print_registered(pid_t pid, const char *number) {
    bool covered[QUEUES_MOST] = {false};
    mark_registered(covered, pid, number);
    printf("pid %d, instance %s:", pid, number);
    for (int i = 0; i < queue_count; i++)
        if (covered[i])
            printf(" %lu", queues[i]);
    printf("\n");
}

static void print_instances(pid_t pid) {
    DIR *directory = open_directory(pid);
    const struct dirent *entry;
    while (directory && (entry = readdir(directory)))
        if (is_link(pid, entry->d_name, "anon_inode:[eventpoll]"))
            print_registered(pid, entry->d_name);
    if (directory)
        closedir(directory);
}

void kernel_print(void) {
    pid_t owners[QUEUES_MOST] = {0};
    if (listener_fd < 0)
        return;
    list_queues(port_of(listener_fd));
    for (int i = 0; i < queue_count; i++)
        printf("queue %lu%s: %u wait\n", queues[i],
               queues[i] == listener_inode ? ", the listener's" : "", lengths[i]);
    if (shared)
        list_claims(owners);
    for (int i = 0; i < QUEUES_MOST; i++)
        if (owners[i])
            printf("claim %d: pid %d\n", i, owners[i]);
    for (int i = 0; i < WORKERS; i++)
        if (crew[i].lives && !crew[i].is_thread)
            print_instances(crew[i].pid);
}
