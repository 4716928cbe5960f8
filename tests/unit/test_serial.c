/*
 * serial: who serves one connection after another goes on with a neighbour's when its home is
 * empty; who accepts them all first, or closes them unserved, does not. Time is what the test says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "real.h"
#include "two_workers.h"
#include "watch_current.h"
#include "watch_serial.h"
#include "watch_stand_back.h"

enum { VISITORS = 32, SERVED_US = 250, REFUSED_US = 5 };

static int visitors[VISITORS];

/* Two workers, of which one waits, and the other is to be asked; clients at both their homes. */
static int begin(void **state) {
    (void)state;
    serial_note_looked(true); /* the thread's memory outlasts a test: it need not skip a look */
    make_workers();
    for (int i = 0; i < VISITORS; i++)
        assert_return_code(visitors[i] = visitor(port_of_socket(listener_fd)), errno);
    return 0;
}

static int end(void **state) {
    (void)state;
    for (int i = 0; i < VISITORS; i++)
        close(visitors[i]);
    end_workers();
    return 0;
}

/* What the worker of shard 0 takes once it was told, until it is told that there is no more. */
static int take_all(uint64_t us, bool keeps) {
    int kept[VISITORS];
    int count = 0;
    int fd;
    while ((fd = accept_on(&own, listener_fd)) >= 0) {
        now_us += us;
        kept[count++] = fd;
        if (!keeps)
            close(fd);
    }
    assert_int_equal(errno, EAGAIN);
    for (int i = 0; keeps && i < count; i++)
        close(kept[i]);
    return count;
}

static void wait_for_some(void) {
    struct epoll_event event = {0};
    assert_int_equal(wait_on(epfd, &event, 1, 0), 1);
}

static void take_one(void) {
    int fd = accept_on(&own, listener_fd);
    assert_return_code(fd, errno);
    now_us += SERVED_US;
    close(fd);
}

/* So that what a worker is told of is always one. */
static void leave_none(void) {
    left_at(0);
    left_at(1);
}

static int take_all_of_one_wait(uint64_t us, bool keeps) {
    wait_for_some();
    return take_all(us, keeps);
}

static void who_serves_them_one_by_one_goes_on(void **state) {
    (void)state;
    assert_int_equal(take_all_of_one_wait(SERVED_US, false), VISITORS);
}

/* All of its own, and one more: it was told of both, and takes from the longer first. */
static void takes_its_own(uint64_t us, bool keeps) {
    int count = take_all_of_one_wait(us, keeps);
    assert_int_equal(left_at(0), 0);
    int left = left_at(1);
    assert_int_equal(count + left, VISITORS);
    assert_in_range(left, 2, VISITORS - 2);
}

static void who_keeps_them_leaves_the_neighbours(void **state) {
    (void)state;
    takes_its_own(SERVED_US, true);
}

static void who_closes_them_unserved_leaves_the_neighbours(void **state) {
    (void)state;
    takes_its_own(REFUSED_US, false);
}

static int looks;
static int (*kernel_poll)(struct pollfd *, nfds_t, int);

static int counted_poll(struct pollfd *list, nfds_t count, int timeout) {
    looks++;
    return kernel_poll(list, count, timeout);
}

/* How often it looks at other shards when it has served the only one there is. */
static int looks_after_one(void) {
    int visitor_fd = visitor(port_of_socket(listener_fd));
    wait_for_some();
    take_one();
    looks = 0;
    assert_int_equal(accept_on(&own, listener_fd), -1);
    close(visitor_fd);
    return looks;
}

static void with_nothing_to_be_had_it_seldom_looks(void **state) {
    (void)state;
    enum { TIMES = 32 };
    int count = 0;
    leave_none();
    kernel_poll = real.poll;
    real.poll = counted_poll;
    for (int i = 0; i < TIMES; i++)
        count += looks_after_one();
    real.poll = kernel_poll;
    assert_in_range(count, 1, TIMES / 4);
}

static void who_waits_before_each_needs_no_clock(void **state) {
    (void)state;
    leave_none();
    for (int i = 0; i < 4; i++) {
        int visitor_fd = visitor(port_of_socket(listener_fd));
        wait_for_some();
        clock_reads = 0;
        take_one();
        assert_true(i == 0 || clock_reads == 0); /* it may have tried on before */
        close(visitor_fd);
    }
}

static struct watch *watch_here(void) {
    return watch_find(instance_find(epfd), listener_fd);
}

/* Else others would take it for one that does not come. */
static void who_goes_on_is_there(void **state) {
    (void)state;
    struct shared_shard *home = &set.shared->shards[0];
    wait_for_some();
    take_one();
    uint32_t first = atomic_load(&home->at_work_since);
    assert_int_not_equal(first, 0);
    take_one();
    left_at(0);
    atomic_store(&home->stolen_since, first);
    now_us += 1000000;
    take_one(); /* the neighbour's */
    assert_in_range(atomic_load(&home->at_work_since), first + 1000, first + 1002);
    assert_int_equal(atomic_load(&home->stolen_since), 0);
}

static void another_thread_is_there_for_it(void **state) {
    (void)state;
    struct watch *watch = watch_here();
    wait_for_some();
    atomic_store(&watch->instance->waiting, 1);
    worker_is_there(&set, 0);
    take_one();
    take_one();
    atomic_store(&watch->instance->waiting, 0);
    assert_int_equal(atomic_load(&set.shared->shards[0].at_work_since), 0);
}

/* Whether, with that connection, it wakes others for what it leaves; some owner is slow. */
static bool passes_on(void) {
    atomic_store(&set.shared->slow_ms, (uint32_t)clock_coarse_ms());
    atomic_store(&set.shared->woken, 0);
    take_one();
    return atomic_load(&set.shared->woken);
}

static void who_goes_on_passes_on_once_in_a_while(void **state) {
    (void)state;
    wait_for_some();
    take_one(); /* it was told of both, and has passed one on */
    wait_for_some();
    take_one(); /* nobody was slow */
    assert_true(passes_on());
    assert_false(passes_on());
    now_us += 30000;
    assert_true(passes_on());
    assert_false(passes_on());
    wait_for_some();
    assert_true(passes_on());
}

static void who_accepts_what_another_was_told_of_passes_on(void **state) {
    (void)state;
    wait_for_some();
    take_one();
    wait_for_some();
    watch_current = NULL; /* as it is in a thread that never waits */
    assert_true(passes_on());
    assert_true(passes_on());
}

static bool stands_back_still(struct watch *watch) {
    atomic_store(&watch->pace.stands_back, true);
    watch->pace.looked_ms = 0;
    watch->pace.since_ms = clock_coarse_ms();
    atomic_store(&watch->instance->ended_ms, clock_coarse_ms());
    atomic_store(&watch->instance->waiting, 1);
    bool goes_on = !stand_back_changes(watch, &set, true);
    atomic_store(&watch->instance->waiting, 0);
    atomic_store(&watch->pace.stands_back, false);
    return goes_on;
}

static void who_serves_them_one_by_one_does_not_stand_back(void **state) {
    (void)state;
    see_two_wait(&set);
    take_all_of_one_wait(SERVED_US, true);
    assert_true(stands_back_still(watch_here()));
    for (int i = 0; i < 4; i++)
        assert_return_code(visitor(port_of_socket(listener_fd)), errno);
    take_all_of_one_wait(SERVED_US, false);
    assert_false(stands_back_still(watch_here()));
    for (int i = 0; i < 2; i++) { /* now it waits before each */
        assert_return_code(visitor(port_of_socket(listener_fd)), errno);
        wait_for_some();
        take_one();
    }
    assert_true(stands_back_still(watch_here()));
}

/* The last test, for there is no way back. */
static void who_is_confined_leaves_the_neighbours(void **state) {
    (void)state;
    local_confine();
    takes_its_own(SERVED_US, false);
}

int main(void) {
#define SERIAL(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        SERIAL(who_keeps_them_leaves_the_neighbours),
        SERIAL(who_closes_them_unserved_leaves_the_neighbours),
        SERIAL(who_serves_them_one_by_one_does_not_stand_back),
        SERIAL(who_serves_them_one_by_one_goes_on),
        SERIAL(with_nothing_to_be_had_it_seldom_looks),
        SERIAL(who_waits_before_each_needs_no_clock),
        SERIAL(who_goes_on_is_there),
        SERIAL(another_thread_is_there_for_it),
        SERIAL(who_goes_on_passes_on_once_in_a_while),
        SERIAL(who_accepts_what_another_was_told_of_passes_on),
        SERIAL(who_is_confined_leaves_the_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
