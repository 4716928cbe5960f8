#include "watch_serial.h"

#include <errno.h>
#include <fcntl.h>

#include "clock.h"
#include "hot.h"
#include "real.h"
#include "worker_stuck.h"

/* More than it takes to accept a connection, refuse it and close it; and so many times at the most
 * it does not look after it has found nothing. */
enum { SERVES_US = 20, SKIPS_MOST = 15 };

/* What this thread does; hints, all of it, so that a signal handler may come in between. */
static _Thread_local struct {
    const struct watch *took; /* for which, since its wait; NULL: it has taken none */
    uint64_t at_us;           /* when, or 0: not looked at */
    int number;
    bool tries_on, tried; /* for another before it waits: so it did last time, or since then */
    bool is_serial;
    int skips, left; /* times that it does not look, of which are left */
} this_thread;

HOT void serial_begin_wait(void) {
    this_thread.took = NULL;
    this_thread.tries_on = this_thread.tried;
    this_thread.tried = false;
}

HOT bool serial_goes_on(const struct watch *watch) {
    return this_thread.took == watch;
}

HOT void serial_note_at_home(const struct watch *watch, const struct shard_set *set) {
    if (serial_goes_on(watch) && watch->has_home && watch->home < set->count)
        worker_goes_to_work(set, watch->home, clock_coarse_ms());
}

HOT bool serial_is(void) {
    return this_thread.is_serial;
}

/* The clock is not for servers that wait before each. */
HOT void serial_note_taken(const struct watch *watch, int fd) {
    if (this_thread.took)
        this_thread.tried = this_thread.tries_on = true;
    this_thread.at_us = this_thread.tries_on ? clock_us() : 0;
    this_thread.took = watch;
    this_thread.number = fd;
}

static bool has_closed_it(void) {
    int saved = errno;
    bool is_closed = real.fcntl(this_thread.number, F_GETFD, 0) < 0;
    errno = saved;
    return is_closed;
}

bool serial_may_look(void) {
    this_thread.tried = true;
    if (!this_thread.took || !this_thread.at_us)
        return false;
    this_thread.is_serial = clock_us() - this_thread.at_us >= SERVES_US && has_closed_it();
    if (this_thread.is_serial && this_thread.left == 0)
        return true;
    if (this_thread.is_serial)
        this_thread.left--;
    return false;
}

void serial_note_looked(bool found) {
    if (!this_thread.is_serial)
        return;
    this_thread.skips = found ? 0 : 2 * this_thread.skips + 1;
    if (this_thread.skips > SKIPS_MOST)
        this_thread.skips = SKIPS_MOST;
    this_thread.left = this_thread.skips;
}
