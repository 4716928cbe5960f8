#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Sealed against truncation, or it is not mapped: SIGBUS would end us. */
static bool has_layout(int fd, const struct stat *status) {
    int seals = fcntl(fd, F_GET_SEALS);
    return status->st_size == (off_t)sizeof(struct shared) && seals >= 0 && (seals & F_SEAL_SHRINK);
}

static bool map(struct memory *memory, int fd, bool writes) {
    struct stat status;
    if (fstat(fd, &status) < 0)
        return false;
    memory->inode = status.st_ino;
    errno = ESTALE;
    if (!has_layout(fd, &status))
        return false;
    void *shared = mmap(NULL, sizeof(struct shared), writes ? PROT_READ | PROT_WRITE : PROT_READ,
                        MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED)
        return false;
    memory->shared = shared;
    if (memory->shared->magic == SHARED_MAGIC && memory->shared->version == SHARED_VERSION)
        return true;
    memory_close(memory);
    errno = ESTALE;
    return false;
}

bool memory_open(struct memory *memory, pid_t pid, int number, bool writes) {
    char path[64];
    *memory = (struct memory){0};
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, number);
    int fd = open(path, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_good = map(memory, fd, writes);
    int saved = errno;
    close(fd);
    errno = saved;
    return is_good;
}

void memory_close(struct memory *memory) {
    munmap(memory->shared, sizeof(struct shared));
    memory->shared = NULL;
}

bool memory_is_named(const char *target) {
    return !strncmp(target, "/memfd:unherd", 13);
}
