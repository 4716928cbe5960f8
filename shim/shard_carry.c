/* shard carry: a shard set on its way over exec, from one image of a process to the next. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "fd_table.h"
#include "hidden.h"
#include "real.h"
#include "shard_set.h"

/* memory, kick, number of spares, spares */
void set_write(const struct shard_set *set, struct text *text) {
    const int head[] = {set->memory_fd, set->kick_fd, set->count - 1};
    for (int i = 0; i < 3; i++) {
        text_num(text, head[i]);
        text_char(text, ',');
    }
    for (int i = 1; i < set->count; i++) {
        text_num(text, set->fd[i]);
        text_char(text, ',');
    }
}

static void keep_open(int fd, bool keep) {
    if (fd >= 0)
        real.fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
}

void set_keep_open(const struct shard_set *set, bool keep) {
    keep_open(set->memory_fd, keep);
    keep_open(set->kick_fd, keep);
    for (int i = 1; i < set->count; i++)
        keep_open(set->fd[i], keep);
}

/* No other set of this process has it. */
static bool is_free(int fd) {
    return fd_entry(fd) == FD_OTHER;
}

static bool is_same_socket(int fd, int other) {
    struct stat its = {0};
    struct stat others = {0};
    return fstat(fd, &its) == 0 && fstat(other, &others) == 0 && its.st_ino == others.st_ino;
}

/* The variable may be older than the descriptors that it names: each is looked at. */
static bool is_memory(int fd) {
    struct stat status;
    const int sealed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    return is_free(fd) && fstat(fd, &status) == 0 && status.st_size == SET_MEMORY_SIZE &&
           real.fcntl(fd, F_GET_SEALS, NULL) == sealed;
}

static bool is_spare_of(int fd, int listener_fd) {
    struct sockaddr_storage its = {0};
    struct sockaddr_storage own = {0};
    socklen_t its_length = sizeof its;
    socklen_t own_length = sizeof own;
    int reuseport = 0;
    socklen_t length = sizeof reuseport;
    return is_free(fd) && !is_same_socket(fd, listener_fd) &&
           real.getsockname(fd, (struct sockaddr *)&its, &its_length) == 0 &&
           real.getsockname(listener_fd, (struct sockaddr *)&own, &own_length) == 0 &&
           its_length == own_length && !memcmp(&its, &own, own_length) &&
           real.getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &reuseport, &length) == 0 && reuseport;
}

static bool is_same_layout(const struct shared *shared, int count) {
    return shared->magic == SHARED_MAGIC && shared->version == SHARED_VERSION &&
           shared->count >= (uint32_t)count && shared->count <= SHARDS_MAX;
}

/* An eventfd is an anonymous inode: a file of no type. */
static bool is_kick(int fd) {
    struct stat status;
    return is_free(fd) && fstat(fd, &status) == 0 && !(status.st_mode & S_IFMT);
}

/* The numbers that the text names, into the set; nothing is done to the descriptors. */
static bool read_numbers(struct shard_set *set, const char **at) {
    int memory_fd;
    int kick_fd;
    int spares;
    int fd;
    if (!text_read(at, &memory_fd) || !text_read(at, &kick_fd) || !text_read(at, &spares) ||
        spares < 0 || spares >= SHARDS_MAX)
        return false;
    set->memory_fd = memory_fd;
    set->kick_fd = kick_fd;
    for (int i = 1; i <= spares; i++) {
        if (!text_read(at, &fd))
            return false;
        set->fd[i] = fd;
    }
    set->count = spares + 1;
    return true;
}

static bool is_what_it_was(const struct shard_set *set, int listener_fd) {
    bool has_kick = set->count > 1 || set->kick_fd >= 0;
    if (!is_memory(set->memory_fd) || (has_kick && !is_kick(set->kick_fd)))
        return false;
    for (int i = 1; i < set->count; i++)
        if (!is_spare_of(set->fd[i], listener_fd))
            return false;
    return true;
}

static bool receive_all(const struct shard_set *set) {
    bool received = hidden_receive(set->memory_fd);
    if (set->kick_fd >= 0)
        received &= hidden_receive(set->kick_fd);
    for (int i = 1; i < set->count; i++)
        received &= hidden_receive(set->fd[i]);
    return received;
}

bool set_parse(struct shard_set *set, const char **at) {
    set->count = 1;
    set->fd[0] = set->memory_fd = set->kick_fd = -1;
    atomic_store(&set->hint, -1);
    return read_numbers(set, at);
}

/* Only what is certainly the set's: the text may be older than what is open now. */
static void close_own(struct shard_set *set, int listener_fd) {
    if (is_memory(set->memory_fd))
        real.close(set->memory_fd);
    for (int i = 1; i < set->count; i++)
        if (is_spare_of(set->fd[i], listener_fd))
            real.close(set->fd[i]);
}

bool set_receive(struct shard_set *set, int listener_fd) {
    bool is_whole = is_what_it_was(set, listener_fd);
    if (is_whole && receive_all(set) && set_map_memory(set) &&
        is_same_layout(set->shared, set->count))
        return true;
    if (is_whole)
        set_close(set);
    else
        close_own(set, listener_fd);
    set->count = 1;
    set->memory_fd = set->kick_fd = -1;
    return false;
}

void set_take_over(struct shard_set *set, const struct shard_set *from) {
    set->count = from->count;
    set->memory_fd = from->memory_fd;
    set->kick_fd = from->kick_fd;
    memcpy(set->fd, from->fd, sizeof set->fd);
    atomic_store(&set->hint, -1);
}
