#include "watch_serial.h"

#include <errno.h>
#include <fcntl.h>

#include "clock.h"
#include "hot.h"
#include "local.h"
#include "real.h"
#include "watch_current.h"
#include "worker_stuck.h"

enum {
    SERVES_US = 20,    /* more than it takes to accept a connection, refuse it and close it */
    HOLDS_US = 100,    /* more than it takes to be told of the next, many times over */
    SKIPS_MOST = 15,   /* so many times it does not look after it has found nothing */
    TRUSTED_MOST = 7,  /* so many times it is believed to have closed the last, as those before */
    PASSES_ON_MS = 20, /* so often, at the most, who goes on looks what others could take */
    IN_A_ROW = 4       /* so many found without a wait, and it is likely to go on */
};

/* A wait: of which watch's instance, and how many it had begun. */
struct since {
    const struct watch *watch; /* NULL: none yet */
    uint32_t waits;
};

/* What this thread does; hints, all of it, so that a signal handler may come in between. */
static _Thread_local struct {
    struct since took; /* its last connection */
    uint64_t at_us;    /* when, or 0: not looked at */
    int number;
    bool tries_on, tried; /* for another before it waits: so it did last time, or since then */
    bool is_serial;
    bool holds;             /* so it is, and each keeps it for some time */
    int trust, trusted;     /* times that it is not asked whether it has closed the last; left */
    int skips, left;        /* times that it does not look, of which are left */
    int in_a_row;           /* it looked and found one, up to IN_A_ROW, since its wait */
    struct since passed_on; /* it looked at what it leaves */
    uint64_t passed_on_ms;
} this_thread;

static uint32_t waits_of(const struct watch *watch) {
    return atomic_load_explicit(&watch->instance->waits, memory_order_relaxed);
}

/* Of the thread's own instance: another's waits are not its own. */
HOT static bool is_since(const struct since *since, const struct watch *watch) {
    return since->watch == watch && watch->instance == watch_current &&
           since->waits == waits_of(watch);
}

HOT static bool goes_on(const struct watch *watch) {
    return is_since(&this_thread.took, watch);
}

/* Not where another thread of its instance waits for its home. */
HOT void serial_note_at_home(const struct watch *watch, const struct shard_set *set) {
    if (!goes_on(watch) || !watch_waits_for_home(watch) || watch->home >= set->count ||
        atomic_load_explicit(&watch->instance->waiting, memory_order_relaxed))
        return;
    worker_is_there(set, watch->home);
    worker_goes_to_work(set, watch->home, clock_coarse_ms());
}

HOT bool serial_is(void) {
    return this_thread.is_serial;
}

/* The clock is not for servers that wait before each. */
HOT bool serial_note_taken(const struct watch *watch, int fd) {
    if (UNLIKELY(goes_on(watch))) {
        this_thread.tries_on = this_thread.tried = true;
    } else {
        this_thread.tries_on = this_thread.tried;
        this_thread.is_serial &= this_thread.tried; /* it may have become one that waits */
        this_thread.holds &= this_thread.tried;
        this_thread.tried = false;
        this_thread.in_a_row = 0;
    }
    this_thread.at_us = UNLIKELY(this_thread.tries_on) ? clock_us() : 0;
    this_thread.took = (struct since){watch, waits_of(watch)};
    this_thread.number = fd;
    return this_thread.holds;
}

/* Not asked where a filter may kill whoever makes a call that the server has no use for. */
static bool is_closed(void) {
    int saved = errno;
    bool is_closed = !local_is_confined() && real.fcntl(this_thread.number, F_GETFD, 0) < 0;
    errno = saved;
    return is_closed;
}

/* The more often it had, the more seldom it is asked. */
static bool has_closed_it(void) {
    if (this_thread.trusted > 0) {
        this_thread.trusted--;
        return true;
    }
    bool is_so = is_closed();
    int trust = is_so ? 2 * this_thread.trust + 1 : 0;
    this_thread.trust = this_thread.trusted = trust < TRUSTED_MOST ? trust : TRUSTED_MOST;
    return is_so;
}

/* Since it took its last, which is closed. */
static bool has_served_it(void) {
    uint64_t took_us = this_thread.at_us ? clock_us() - this_thread.at_us : 0;
    this_thread.is_serial = took_us >= SERVES_US && has_closed_it();
    this_thread.holds = this_thread.is_serial && took_us >= HOLDS_US;
    return this_thread.is_serial;
}

static bool note_try(const struct watch *watch) {
    bool is_without_wait = goes_on(watch);
    this_thread.tried |= is_without_wait;
    return is_without_wait;
}

bool serial_is_to_look(void) {
    bool skips = this_thread.left > 0;
    this_thread.left -= skips;
    return !skips;
}

bool serial_goes_on(const struct watch *watch) {
    return note_try(watch) && has_served_it();
}

bool serial_may_look(const struct watch *watch) {
    return note_try(watch) && serial_is_to_look() && has_served_it();
}

enum served serial_served(const struct instance *instance) {
    const struct since *took = &this_thread.took;
    if (!took->watch || took->watch->instance != instance ||
        took->waits + 1 != atomic_load_explicit(&instance->waits, memory_order_relaxed))
        return SERVED_NOBODY;
    return is_closed() ? SERVED : STILL_OPEN;
}

void serial_note_looked(bool found) {
    if (!found)
        this_thread.in_a_row = 0;
    else if (this_thread.in_a_row < IN_A_ROW)
        this_thread.in_a_row++;
    this_thread.skips = found ? 0 : 2 * this_thread.skips + 1;
    if (this_thread.skips > SKIPS_MOST)
        this_thread.skips = SKIPS_MOST;
    this_thread.left = this_thread.skips;
}

bool serial_goes_on_for_long(void) {
    return this_thread.in_a_row == IN_A_ROW;
}

bool serial_is_to_pass_on(const struct watch *watch, const struct shard_set *set) {
    uint64_t now = clock_coarse_ms();
    if ((is_since(&this_thread.passed_on, watch) &&
         now - this_thread.passed_on_ms < PASSES_ON_MS) ||
        !worker_may_look_for_slow(set))
        return false;
    this_thread.passed_on = (struct since){watch, waits_of(watch)};
    this_thread.passed_on_ms = now;
    return true;
}
