#include "waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process.h"

enum { POLLED_MOST = 1024 };

/* One look at one process. */
struct look {
    struct waiters *waiters;
    const struct inodes *inodes;
    pid_t pid;
    bool good;
};

/* A system call that a thread sleeps in. */
struct asleep {
    long number;
    unsigned long word[6];
};

bool inodes_have(const struct inodes *inodes, uint64_t inode) {
    for (size_t i = 0; i < inodes->count; i++)
        if (inodes->item[i] == inode)
            return true;
    return false;
}

const char *way_name(enum way way) {
    static const char *const names[] = {"epoll", "poll", "select", "accept"};
    return names[way];
}

static struct waiter *waiter_for(struct look *look, enum way way, int id) {
    struct waiters *waiters = look->waiters;
    for (size_t i = 0; i < waiters->count; i++)
        if (waiters->item[i].pid == look->pid && waiters->item[i].way == way &&
            waiters->item[i].id == id)
            return &waiters->item[i];
    struct waiter *grown = realloc(waiters->item, (waiters->count + 1) * sizeof *grown);
    if (!grown) {
        look->good = false;
        return NULL;
    }
    waiters->item = grown;
    grown[waiters->count] = (struct waiter){.pid = look->pid, .way = way, .id = id};
    return &grown[waiters->count++];
}

/* ---- epoll instances ---- */

/* "tfd: 6 events: 10000019 data: 6 pos:0 ino:4d2 sdev:8", one line for each registration. */
static bool read_registration(const char *line, uint32_t *events, uint64_t *inode) {
    const char *at = strstr(line, " ino:");
    return !strncmp(line, "tfd:", 4) && at &&
           sscanf(line, "tfd: %*d events: %" SCNx32, events) == 1 &&
           sscanf(at, " ino:%" SCNx64, inode) == 1;
}

static void note_registered(struct look *look, int epfd, uint32_t events, unsigned sockets) {
    struct waiter *waiter = waiter_for(look, WAY_EPOLL, epfd);
    if (!waiter)
        return;
    waiter->is_registered = true;
    waiter->is_exclusive = events & EPOLLEXCLUSIVE;
    if (waiter->sockets < sockets)
        waiter->sockets = sockets;
}

static void look_at_instance(int epfd, const char *target, void *context) {
    struct look *look = context;
    char path[64];
    char line[256];
    uint32_t events = 0;
    uint32_t seen = 0;
    uint64_t inode = 0;
    unsigned sockets = 0;
    if (strcmp(target, "anon_inode:[eventpoll]") != 0)
        return;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)look->pid, epfd);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (read_registration(line, &events, &inode) && inodes_have(look->inodes, inode))
            sockets++, seen |= events;
    if (file)
        fclose(file);
    if (sockets)
        note_registered(look, epfd, seen, sockets);
}

/* ---- threads ---- */

/* "running", or the number, the six words, the stack pointer and the program counter. */
static bool read_asleep(struct look *look, pid_t thread, struct asleep *asleep) {
    char path[64];
    unsigned long *word = asleep->word;
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", (int)look->pid, (int)thread);
    FILE *file = fopen(path, "re");
    look->waiters->is_refused |= !file && (errno == EACCES || errno == EPERM);
    bool good = file && fscanf(file, "%ld %lx %lx %lx %lx %lx %lx", &asleep->number, &word[0],
                               &word[1], &word[2], &word[3], &word[4], &word[5]) == 7;
    if (file)
        fclose(file);
    return good;
}

static bool is_listener(const struct look *look, int fd) {
    char path[64];
    char target[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)look->pid, fd);
    ssize_t size = readlink(path, target, sizeof target - 1);
    target[size < 0 ? 0 : size] = '\0';
    return inodes_have(look->inodes, process_socket(target));
}

static size_t read_memory(const struct look *look, unsigned long address, void *to, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)look->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : pread(fd, to, size, (off_t)address);
    if (fd >= 0)
        close(fd);
    return got < 0 ? 0 : (size_t)got;
}

static unsigned count_polled(const struct look *look, const struct asleep *asleep) {
    struct pollfd list[POLLED_MOST];
    unsigned sockets = 0;
    size_t count = asleep->word[1] < POLLED_MOST ? asleep->word[1] : POLLED_MOST;
    count = read_memory(look, asleep->word[0], list, count * sizeof *list) / sizeof *list;
    for (size_t i = 0; i < count; i++)
        sockets += list[i].fd >= 0 && (list[i].events & POLLIN) && is_listener(look, list[i].fd);
    return sockets;
}

static unsigned count_selected(const struct look *look, const struct asleep *asleep) {
    fd_set set;
    unsigned sockets = 0;
    FD_ZERO(&set);
    read_memory(look, asleep->word[1], &set, sizeof set);
    for (int fd = 0; fd < FD_SETSIZE && fd < (int)asleep->word[0]; fd++)
        sockets += FD_ISSET(fd, &set) && is_listener(look, fd);
    return sockets;
}

static void note_asleep(struct look *look, enum way way, int id, unsigned sockets) {
    struct waiter *waiter = sockets ? waiter_for(look, way, id) : NULL;
    if (!waiter)
        return;
    waiter->is_registered = true;
    waiter->is_asleep = waiter->was_asleep = true;
    if (waiter->sockets < sockets)
        waiter->sockets = sockets;
}

/* An instance that has no listener registered is no worker's. */
static void note_in_instance(struct look *look, int epfd) {
    for (size_t i = 0; i < look->waiters->count; i++) {
        const struct waiter *waiter = &look->waiters->item[i];
        if (waiter->pid == look->pid && waiter->way == WAY_EPOLL && waiter->id == epfd &&
            waiter->is_registered)
            note_asleep(look, WAY_EPOLL, epfd, waiter->sockets);
    }
}

/* What accept mutexes are made of. Threads of one process have others among themselves. */
static bool is_lock(const struct asleep *asleep) {
    switch (asleep->number) {
    case SYS_futex:
        return !(asleep->word[1] & FUTEX_PRIVATE_FLAG);
    case SYS_flock:
    case SYS_semop:
    case SYS_semtimedop:
        return true;
    case SYS_fcntl:
        return asleep->word[1] == F_SETLKW;
    default:
        return false;
    }
}

static void look_at_call(struct look *look, pid_t thread, const struct asleep *asleep) {
    int fd = (int)asleep->word[0];
    switch (asleep->number) {
    case SYS_accept:
    case SYS_accept4:
        note_asleep(look, WAY_ACCEPT, thread, is_listener(look, fd));
        break;
#ifdef SYS_epoll_wait /* newer architectures have none of the older calls */
    case SYS_epoll_wait:
#endif
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
        note_in_instance(look, fd);
        break;
#ifdef SYS_poll
    case SYS_poll:
#endif
    case SYS_ppoll:
        note_asleep(look, WAY_POLL, thread, count_polled(look, asleep));
        break;
#ifdef SYS_select
    case SYS_select:
#endif
    case SYS_pselect6:
        note_asleep(look, WAY_SELECT, thread, count_selected(look, asleep));
        break;
    default:
        look->waiters->is_locked |= is_lock(asleep);
    }
}

static bool look_at_thread(pid_t thread, void *context) {
    struct look *look = context;
    struct asleep asleep = {0};
    if (read_asleep(look, thread, &asleep))
        look_at_call(look, thread, &asleep);
    return look->good;
}

/* ---- a look at all ---- */

void waiters_begin(struct waiters *waiters) {
    waiters->is_locked = false;
    for (size_t i = 0; i < waiters->count; i++)
        waiters->item[i].is_registered = waiters->item[i].is_asleep = false;
}

bool waiters_look(struct waiters *waiters, pid_t pid, const struct inodes *inodes) {
    struct look look = {waiters, inodes, pid, true};
    if (!process_each_descriptor(pid, look_at_instance, &look))
        waiters->is_refused |= errno == EACCES || errno == EPERM;
    process_each_thread(pid, look_at_thread, &look);
    return look.good;
}

void waiters_end(struct waiters *waiters) {
    size_t asleep = 0;
    size_t registered = 0;
    for (size_t i = 0; i < waiters->count; i++) {
        asleep += waiters->item[i].is_asleep;
        registered += waiters->item[i].is_registered;
    }
    waiters->looks_asleep += asleep || waiters->is_locked;
    waiters->looks_many += asleep > 1;
    waiters->looks_alone += asleep <= 1 && waiters->is_locked;
    if (waiters->most_registered < registered)
        waiters->most_registered = registered;
}

void waiters_free(struct waiters *waiters) {
    free(waiters->item);
    *waiters = (struct waiters){0};
}
