/* schedule, the queues: which there are, and who is registered for them, as the kernel shows it. */
#include "schedule.h"

unsigned long listener_inode;
static char said[SAID_MOST];
static unsigned long queues[QUEUES_MOST];
static unsigned lengths[QUEUES_MOST];
static int queue_count;

DIR *open_directory(pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    return opendir(path);
}

/* Whether that descriptor of a process is what its link says. */
bool is_link(pid_t pid, const char *number, const char *wanted) {
    char path[300];
    char target[64] = "";
    snprintf(path, sizeof path, "/proc/%d/fd/%s", (int)pid, number);
    return readlink(path, target, sizeof target - 1) > 0 &&
           !strncmp(target, wanted, strlen(wanted));
}

/* ---- queues, and who is registered for them ---- */

int queues_count(void) {
    return queue_count;
}

/* The listening sockets of our port, which the kernel lists before all others. */
void queues_list(uint16_t ours) {
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

const char *queues_check(void) {
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

/* The number alone may be somebody else's by now. */
bool queues_any_left(uint16_t port) {
    unsigned long before[QUEUES_MOST];
    int count = queue_count;
    memcpy(before, queues, sizeof before);
    queues_list(port);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < queue_count; j++)
            if (before[i] == queues[j])
                return true;
    return false;
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

void queues_print(void) {
    queues_list(port_of(listener_fd));
    for (int i = 0; i < queue_count; i++)
        printf("queue %lu%s: %u wait\n", queues[i],
               queues[i] == listener_inode ? ", the listener's" : "", lengths[i]);
    for (int i = 0; i < WORKERS; i++)
        if (crew[i].lives && !crew[i].is_thread)
            print_instances(crew[i].pid);
}
