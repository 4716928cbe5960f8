#include "worker_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include "real.h"

static int record_lock(const struct shard_set *set, int command, short type, int byte,
                       struct flock *lock) {
    *lock = (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return real.fcntl(set->memory_fd, command, lock);
}

bool lock_try(const struct shard_set *set, int byte) {
    struct flock lock;
    return record_lock(set, F_SETLK, F_WRLCK, byte, &lock) == 0;
}

void lock_drop(const struct shard_set *set, int byte) {
    struct flock lock;
    record_lock(set, F_SETLK, F_UNLCK, byte, &lock);
}

bool lock_is_elsewhere(const struct shard_set *set, int byte) {
    struct flock lock;
    return record_lock(set, F_GETLK, F_WRLCK, byte, &lock) == 0 && lock.l_type != F_UNLCK;
}
