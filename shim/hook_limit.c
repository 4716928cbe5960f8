/* Calls that change RLIMIT_NOFILE: hidden descriptors move up, to leave what is new to the server.
 */
#include "hook.h"

#include <stdbool.h>
#include <unistd.h>

#include "listener.h"
#include "local.h"

static int changed(int result, int resource, bool is_setting) {
    if (result < 0 || resource != RLIMIT_NOFILE || !is_setting || fd_next(0, FD_LIMIT - 1) < 0)
        return result;
    int saved = errno;
    if (!local_is_borrowed())
        listener_move_up();
    errno = saved;
    return result;
}

static bool is_self(pid_t pid) {
    return pid == 0 || pid == getpid();
}

HOOK int setrlimit(limit_name resource, const struct rlimit *limit) {
    return changed(real.setrlimit(resource, limit), (int)resource, true);
}

HOOK int setrlimit64(limit_name resource, const struct rlimit64 *limit) {
    return changed(real.setrlimit64(resource, limit), (int)resource, true);
}

HOOK int prlimit(pid_t pid, limit_name resource, const struct rlimit *limit, struct rlimit *old) {
    return changed(real.prlimit(pid, resource, limit, old), (int)resource, limit && is_self(pid));
}

HOOK int prlimit64(pid_t pid, limit_name resource, const struct rlimit64 *limit,
                   struct rlimit64 *old) {
    return changed(real.prlimit64(pid, resource, limit, old), (int)resource, limit && is_self(pid));
}
