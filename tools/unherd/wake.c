#include "wake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"

/*
 * The number is what the memory says, which a worker that was broken into may have written. So it
 * has to stand for one and the same eventfd in every process that has the memory: then it is none
 * that such a worker could not write to itself.
 */
struct search {
    const struct memory *memory;
    int number;
    bool has_memory; /* the process that is looked at */
    unsigned long id;
    bool is_same;
    pid_t pid;
};

/* "eventfd-id: 12", which a kernel before 5.2 does not say; 0: it is none. */
static unsigned long eventfd_of(pid_t pid, int number) {
    char path[64];
    char line[128];
    unsigned long id = 0;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, number);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "eventfd-id: %lu", &id) == 1)
            id++;
    if (file)
        fclose(file);
    return id;
}

static void look_at_descriptor(int fd, const char *target, void *context) {
    struct search *search = context;
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)search->pid, fd);
    search->has_memory |= memory_is_named(target) && stat(path, &status) == 0 &&
                          status.st_ino == search->memory->inode;
}

static bool look_at_process(pid_t pid, void *context) {
    struct search *search = context;
    search->pid = pid;
    search->has_memory = false;
    process_each_descriptor(pid, look_at_descriptor, search);
    if (search->has_memory)
        search->is_same = eventfd_of(pid, search->number) == search->id;
    return search->is_same;
}

static bool is_the_same_for_all(const struct memory *memory, pid_t pid, int number) {
    struct search search = {memory, number, false, eventfd_of(pid, number), true, 0};
    if (search.id)
        process_each(look_at_process, &search);
    errno = ENOENT;
    return search.id && search.is_same;
}

static int take(pid_t pid, int number) {
    int process = pidfd_open(pid, 0);
    int fd = process < 0 ? -1 : pidfd_getfd(process, number, 0);
    int saved = errno;
    if (process >= 0)
        close(process);
    errno = saved;
    return fd;
}

/* As a worker does it, which tells a kick from what else an event may be by these two. */
static bool kick(struct shared *shared, int fd) {
    uint64_t one = 1;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || !(flags & O_NONBLOCK)) {
        errno = ENOENT;
        return false;
    }
    atomic_fetch_add(&shared->kicks_started, 1);
    bool is_done = write(fd, &one, sizeof one) == sizeof one;
    atomic_fetch_add(&shared->kicks_done, 1);
    return is_done;
}

bool wake_workers(const struct memory *memory, pid_t pid) {
    int number = atomic_load(&memory->shared->kick_fd);
    int fd = is_the_same_for_all(memory, pid, number) ? take(pid, number) : -1;
    if (fd < 0)
        return false;
    bool is_done = kick(memory->shared, fd);
    int saved = errno;
    close(fd);
    errno = saved;
    return is_done;
}
