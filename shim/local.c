#include "local.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hot.h"
#include "real.h"

enum guard_state { GUARD_FREE, GUARD_HELD, GUARD_WANTED };

struct local {
    _Atomic pid_t pid;
    _Atomic int guard; /* enum guard_state; a futex word */
    _Atomic bool ends;
};

static _Atomic(struct local *) local_page;
static _Thread_local bool in_guard;
static _Thread_local int cancel_state; /* the thread's own, while it holds the guard */

static struct local *here(void) {
    return atomic_load_explicit(&local_page, memory_order_acquire);
}

static _Atomic unsigned forks;

static void forked(void) {
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static void (*before_fork)(void);

static void forking(void) {
    int saved = errno;
    forked();
    if (before_fork)
        before_fork();
    errno = saved;
}

/* And the pid is asked at once: a vfork child of this child would else be the first to ask, and
 * write its own into the page that it shares. */
static void forked_child(void) {
    forked();
    if (here())
        local_pid();
}

/* Before the fork too: another thread may be at work. */
void local_watch_forks(void (*before)(void)) {
    before_fork = before;
    pthread_atfork(forking, forked, forked_child);
}

void local_end(void) {
    atomic_store(&here()->ends, true);
}

bool local_is_ending(void) {
    return atomic_load(&here()->ends);
}

unsigned local_forks(void) {
    return atomic_load_explicit(&forks, memory_order_relaxed);
}

static bool start_with(struct local *page, size_t size) {
    struct local *none = NULL;
    if (madvise(page, size, MADV_WIPEONFORK) < 0) {
        munmap(page, size);
        return false;
    }
    if (!atomic_compare_exchange_strong(&local_page, &none, page))
        munmap(page, size); /* another thread was faster: two guards would guard nothing */
    return true;
}

bool local_start(void) {
    if (here())
        return true;
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED && start_with(page, size);
}

/* Straight to the kernel: the number is asked after a fork that no library saw. */
RARE static pid_t kernel_pid(void) {
    return (pid_t)real.syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

HOT pid_t local_pid(void) {
    pid_t pid = atomic_load_explicit(&here()->pid, memory_order_relaxed);
    if (!pid) {
        pid = kernel_pid();
        atomic_store_explicit(&here()->pid, pid, memory_order_relaxed);
    }
    return pid;
}

HOT bool local_is_borrowed(void) {
    return here() && local_pid() != kernel_pid();
}

static atomic_bool is_confined;

void local_confine(void) {
    atomic_store(&is_confined, true);
}

bool local_is_confined(void) {
    return atomic_load_explicit(&is_confined, memory_order_relaxed);
}

RARE static void guard_sleep(void) {
    int saved = errno;
    real.syscall(SYS_futex, (long)&here()->guard, FUTEX_WAIT_PRIVATE, GUARD_WANTED, 0, 0, 0);
    errno = saved;
}

static _Thread_local bool was_refused;
static void (*after_refusal)(void);

void guard_after_refusal(void (*finish)(void)) {
    after_refusal = finish;
}

HOT bool guard_enter(void) {
    if (in_guard) {
        was_refused = true;
        return false;
    }
    /* Set before the lock is ours: a handler that comes in between must not queue behind itself. */
    in_guard = true;
    atomic_signal_fence(memory_order_seq_cst);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    int seen = GUARD_FREE;
    if (atomic_compare_exchange_strong(&here()->guard, &seen, GUARD_HELD))
        return true;
    while (atomic_exchange(&here()->guard, GUARD_WANTED) != GUARD_FREE)
        guard_sleep();
    return true;
}

HOT void guard_leave(void) {
    int cancel = cancel_state;
    if (atomic_exchange(&here()->guard, GUARD_FREE) == GUARD_WANTED) {
        int saved = errno;
        real.syscall(SYS_futex, (long)&here()->guard, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
        errno = saved;
    }
    atomic_signal_fence(memory_order_seq_cst);
    in_guard = false;
    pthread_setcancelstate(cancel, NULL);
    if (was_refused && after_refusal) {
        was_refused = false;
        after_refusal();
    }
}
