/* poller pool: the instances of our own, one for each thread that polls at the same moment. */
#include <errno.h>
#include <pthread.h>

#include "local.h"
#include "log.h"
#include "poller_parts.h"
#include "watch.h"

enum {
    POLLERS = 256,
    BEING_MADE = -1 /* in the place of a pid; a child that was forked meanwhile leaves it alone */
};

static struct poller pollers[POLLERS];
static _Thread_local struct poller *last_used;

void poller_complain(void) {
    static atomic_bool said;
    if (!atomic_exchange(&said, true))
        log_line(LOG_WARN, "a call of poll() or select() is left to the kernel: %s",
                 log_errno(errno));
}

/* An instance for a place that is taken. */
static bool fill(struct poller *poller) {
    poller->watched_count = 0;
    int instance = watch_own(&poller->epfd);
    if (instance >= 0) {
        poller->instance = (unsigned)instance;
        return true;
    }
    poller_complain();
    atomic_store(&poller->pid, 0);
    return false;
}

static bool refill(struct poller *poller) {
    watch_disown(poller->instance, poller->epfd);
    return fill(poller);
}

static bool take(struct poller *poller, pid_t pid) {
    int free = 0;
    if (atomic_load(&poller->pid) != pid ||
        !atomic_compare_exchange_strong(&poller->taken, &free, 1))
        return false;
    return !watch_is_spoiled(poller->instance) || refill(poller);
}

/*
 * A place that nobody of this process uses. What a parent left in it goes: its thread is not here.
 * It is this process's only when it is whole and taken: another thread would take it half made.
 */
static bool make(struct poller *poller) {
    pid_t before = atomic_load(&poller->pid);
    if (before == local_pid() || before == BEING_MADE ||
        !atomic_compare_exchange_strong(&poller->pid, &before, BEING_MADE))
        return false;
    if (before)
        watch_disown(poller->instance, poller->epfd);
    atomic_store(&poller->taken, 1);
    if (!fill(poller))
        return false;
    atomic_store(&poller->pid, local_pid());
    return true;
}

/*
 * This thread's own is taken: by a call that a signal handler has interrupted, whose frame then
 * lies above this one's; or by one that was left by longjmp, and what it had registered with it.
 */
static bool take_back(struct poller *poller, const char *frame) {
    if (atomic_load(&poller->pid) != local_pid() || atomic_load(&poller->owner) != &last_used ||
        frame < poller->frame)
        return false;
    return refill(poller);
}

/* The thread ends, and its home is to be somebody else's; unless another thread has it already. */
static void end(void *argument) {
    struct poller *poller = argument;
    bool is_mine = atomic_load(&poller->owner) == &last_used;
    if (!take(poller, local_pid()) && !is_mine)
        return;
    watch_disown(poller->instance, poller->epfd);
    atomic_store(&poller->owner, NULL);
    atomic_store(&poller->pid, 0); /* and stays taken: whoever makes it anew has it at once */
}

static pthread_key_t ending;
static bool has_ending;

void poller_start(void) {
    has_ending = pthread_key_create(&ending, end) == 0;
}

static struct poller *use(struct poller *poller, const char *frame) {
    poller->frame = frame;
    atomic_store(&poller->owner, &last_used);
    if (last_used != poller && has_ending)
        pthread_setspecific(ending, poller);
    last_used = poller;
    return poller;
}

struct poller *poller_take(void) {
    const char *frame = __builtin_frame_address(0);
    pid_t pid = local_pid();
    if (last_used && (take(last_used, pid) || take_back(last_used, frame)))
        return use(last_used, frame);
    for (int i = 0; i < POLLERS; i++)
        if (take(&pollers[i], pid) || make(&pollers[i]))
            return use(&pollers[i], frame);
    return NULL;
}

void poller_give_back(struct poller *poller) {
    atomic_store(&poller->owner, NULL);
    atomic_store(&poller->taken, 0);
}
