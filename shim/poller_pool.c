/* poller pool: the instances of our own, one for each thread that polls at the same moment. */
#include "local.h"
#include "poller_parts.h"
#include "watch.h"

enum { POLLERS = 256 };

static struct poller pollers[POLLERS];
static _Thread_local struct poller *last_used;

static bool take(struct poller *poller, pid_t pid) {
    int free = 0;
    if (atomic_load(&poller->pid) != pid)
        return false;
    return atomic_compare_exchange_strong(&poller->taken, &free, 1);
}

/* A place that nobody of this process uses. What a parent left in it goes: its thread is not here.
 */
static bool make(struct poller *poller) {
    pid_t before = atomic_load(&poller->pid);
    if (before == local_pid() ||
        !atomic_compare_exchange_strong(&poller->pid, &before, local_pid()))
        return false;
    atomic_store(&poller->taken, 1);
    if (before)
        watch_disown(poller->instance, poller->epfd);
    poller->watched_count = 0;
    int instance = watch_own(&poller->epfd);
    if (instance >= 0) {
        poller->instance = (unsigned)instance;
        return true;
    }
    atomic_store(&poller->pid, 0);
    return false;
}

struct poller *poller_take(void) {
    pid_t pid = local_pid();
    if (last_used && take(last_used, pid))
        return last_used;
    for (int i = 0; i < POLLERS; i++)
        if (take(&pollers[i], pid) || make(&pollers[i]))
            return last_used = &pollers[i];
    return NULL;
}

void poller_give_back(struct poller *poller) {
    atomic_store(&poller->taken, 0);
}
