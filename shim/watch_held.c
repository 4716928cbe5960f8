#include "watch_held.h"

#include <sys/resource.h>

#include "local.h"
#include "watch_serial.h"

enum {
    HELD_US = 1000, /* on a CPU, for one connection */
    PROOFS = 3,     /* in a row */
    SHORT_MOST = 8  /* so many connections that it is not away for it is followed between two */
};

_Thread_local bool held_is_followed;

/* What a thread has done so far. */
struct spent {
    long blocked; /* times that it slept */
    int64_t ran_us;
};

static _Thread_local struct {
    struct spent before; /* when it took its last connection */
    int proofs, short_ones;
} this_thread;

static int64_t microseconds(struct timeval time) {
    return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}

static struct spent spent_so_far(void) {
    struct rusage usage = {0};
    getrusage(RUSAGE_THREAD, &usage);
    return (struct spent){usage.ru_nvcsw,
                          microseconds(usage.ru_utime) + microseconds(usage.ru_stime)};
}

/* Not where a filter may kill whoever makes a call that the server has no use for. */
bool held_follow_taken(void) {
    if (local_is_confined()) {
        held_is_followed = false;
        return false;
    }
    this_thread.before = spent_so_far();
    return this_thread.proofs >= PROOFS;
}

static bool was_held(void) {
    struct spent now = spent_so_far();
    return now.blocked != this_thread.before.blocked ||
           now.ran_us - this_thread.before.ran_us >= HELD_US;
}

static void forget(void) {
    this_thread.proofs = this_thread.short_ones = 0;
    held_is_followed = false;
}

static void judge(void) {
    this_thread.short_ones = 0;
    if (!was_held())
        forget();
    else if (this_thread.proofs < PROOFS)
        this_thread.proofs++;
}

/* The first time that it is away there is nothing yet to compare with. And one that only asks now
 * sleeps elsewhere, where it would not end what others begin for its sake. */
void held_follow_wait(const struct instance *instance, bool was_away) {
    enum served served = serial_served(instance);
    if (served == SERVED_NOBODY)
        return;
    if (served == STILL_OPEN || !atomic_load(&instance->has_slept))
        forget();
    else if (was_away && held_is_followed)
        judge();
    else if (was_away)
        held_is_followed = true;
    else if (++this_thread.short_ones > SHORT_MOST)
        forget();
}
