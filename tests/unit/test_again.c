/*
 * again: who has so much to do that its wait finds something at once asks for that before it begins
 * a wait. Time is what the test says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/eventfd.h>

#include "clock.h"
#include "two_workers.h"

enum { SOMETHING = 3, MARK = 77, TICK_US = 4000 };

static int something; /* else that the worker waits for, an eventfd */

static int begin(void **state) {
    (void)state;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = SOMETHING};
    make_workers();
    something = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_return_code(epoll_ctl(epfd, EPOLL_CTL_ADD, something, &event), errno);
    settle_worker();
    return 0;
}

static int end(void **state) {
    (void)state;
    end_workers();
    close(something);
    return 0;
}

static void post(void) {
    assert_int_equal(write(something, &(uint64_t){1}, sizeof(uint64_t)), sizeof(uint64_t));
}

static void take_post(void) {
    uint64_t value;
    assert_int_equal(read(something, &value, sizeof value), sizeof value);
}

static int calls, asks; /* of the kernel, and those of them that do not wait */

/* One without limit does not last. */
static int counted_wait(const struct wait_call *call) {
    calls++;
    asks += call->has_timeout && !clock_is_positive(call->timeout);
    if (!call->has_timeout)
        post();
    if (call->has_timeout && !clock_is_valid(call->timeout)) /* as epoll_pwait2(2) does */
        return errno = EINVAL, -1;
    return kernel_wait(call);
}

static int wait_counted_for(struct timespec limit, bool has_limit) {
    struct epoll_event events[8];
    struct wait_call call = {counted_wait, epfd, events, 8, has_limit, limit, NULL};
    calls = asks = 0;
    return watch_wait(fd_index_of(fd_entry(epfd)), &call);
}

/* A wait of up to 20 ms; returns what it brought. */
static int wait_counted(void) {
    return wait_counted_for((struct timespec){0, 20000000}, true);
}

/* Two events, after which it asks. */
static void be_busy(void) {
    come_to(0);
    post();
    assert_int_equal(wait_counted(), 2);
}

static _Atomic uint32_t *at_work_since(void) {
    return &set.shared->shards[0].at_work_since;
}

static void who_was_told_of_several_asks_first(void **state) {
    (void)state;
    be_busy();
    assert_int_equal(asks, 0);
    atomic_store(at_work_since(), MARK);
    assert_int_equal(wait_counted(), 2);
    assert_int_equal(calls, 1);
    assert_int_equal(asks, 1);
    assert_int_equal(*at_work_since(), MARK); /* nobody was told that it waits */
    assert_false(atomic_load(&watch_current->has_slept));
    now_us += TICK_US;
    assert_int_equal(wait_counted(), 2);
    assert_true(atomic_load(&watch_current->has_slept));
}

static void who_was_told_of_one_waits_as_ever(void **state) {
    (void)state;
    come_to(0);
    assert_int_equal(wait_counted(), 1);
    atomic_store(at_work_since(), MARK);
    assert_int_equal(wait_counted(), 1);
    assert_int_equal(asks, 0);
    assert_int_not_equal(*at_work_since(), MARK);
}

static void what_it_said_of_itself_grows_no_older_than_a_tick(void **state) {
    (void)state;
    be_busy();
    now_us += TICK_US;
    atomic_store(at_work_since(), MARK);
    assert_int_equal(wait_counted(), 2);
    assert_int_equal(asks, 0);
    assert_int_not_equal(*at_work_since(), MARK);
}

static void what_is_to_be_done_before_a_wait_is_done(void **state) {
    (void)state;
    be_busy();
    atomic_store(&watch_current->work, WORK);
    assert_int_equal(wait_counted(), 2);
    assert_int_equal(asks, 0);
    assert_false(atomic_load(&watch_current->work));
}

static void a_wait_without_a_timeout_is_no_sleep(void **state) {
    (void)state;
    come_to(0);
    assert_int_equal(wait_counted(), 1);
    assert_true(atomic_load(&watch_current->has_slept));
    assert_int_equal(wait_counted_for((struct timespec){0}, true), 1);
    assert_false(atomic_load(&watch_current->has_slept));
    assert_int_equal(wait_counted_for((struct timespec){0}, false), 2);
    assert_true(atomic_load(&watch_current->has_slept));
}

static void where_there_is_nothing_it_waits(void **state) {
    (void)state;
    be_busy();
    left_at(0);
    take_post();
    assert_int_equal(wait_counted(), 0);
    assert_int_equal(asks, 1);
    assert_int_equal(calls, 2);
    assert_int_equal(wait_counted(), 0); /* once was enough */
    assert_int_equal(asks, 0);
}

static void it_waits_as_long_as_the_server_says(void **state) {
    (void)state;
    be_busy();
    left_at(0);
    take_post();
    assert_int_equal(wait_counted_for((struct timespec){0}, false), 1);
    assert_int_equal(asks, 1);
    assert_int_equal(calls, 2);
}

static void who_only_asks_does_so_once(void **state) {
    (void)state;
    be_busy();
    assert_int_equal(wait_counted_for((struct timespec){0}, true), 2);
    assert_int_equal(calls, 1);
    left_at(0);
    take_post();
    assert_int_equal(wait_counted_for((struct timespec){0}, true), 0);
    assert_int_equal(calls, 1);
}

static void a_limit_that_is_none_is_refused(void **state) {
    (void)state;
    be_busy();
    assert_int_equal(wait_counted_for((struct timespec){INT64_MAX / 2, -1}, true), -1);
    assert_int_equal(wait_counted_for((struct timespec){1, 1000000000}, true), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(wait_counted(), 2); /* it asks again */
    assert_int_equal(wait_counted_for((struct timespec){1, -5}, true), -1);
    assert_int_equal(errno, EINVAL);
}

static void who_waits_for_one_each_time_asks_no_more(void **state) {
    (void)state;
    be_busy();
    take_post();
    for (int i = 0; i < 4; i++) {
        now_us += TICK_US;
        assert_int_equal(wait_counted(), 1);
    }
    assert_int_equal(wait_counted(), 1);
    assert_int_equal(asks, 0);
}

static void who_was_told_often_is_not_put_off_by_one(void **state) {
    (void)state;
    be_busy();
    for (int i = 0; i < 8; i++)
        assert_int_equal(wait_counted(), 2);
    left_at(0);
    take_post();
    assert_int_equal(wait_counted(), 0);
    assert_int_equal(asks, 1);
    post();
    assert_int_equal(wait_counted(), 1);
    assert_int_equal(asks, 1);
}

static void a_kick_is_not_for_the_server(void **state) {
    (void)state;
    be_busy();
    set_kick(&set);
    assert_int_equal(wait_counted(), 2);
    assert_int_equal(asks, 1);
    assert_int_equal(watch_current->first->kicks_seen, set.shared->kicks_done); /* one is one */
    assert_true(atomic_load(&watch_current->work)); /* it looks at the claims */
    left_at(0);
    take_post();
    set_kick(&set);
    assert_int_equal(wait_counted(), 1); /* a wait that brings a kick alone tells of the listener */
}

int main(void) {
#define BUSY(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        BUSY(who_was_told_of_several_asks_first),
        BUSY(who_was_told_of_one_waits_as_ever),
        BUSY(what_it_said_of_itself_grows_no_older_than_a_tick),
        BUSY(what_is_to_be_done_before_a_wait_is_done),
        BUSY(a_wait_without_a_timeout_is_no_sleep),
        BUSY(where_there_is_nothing_it_waits),
        BUSY(it_waits_as_long_as_the_server_says),
        BUSY(who_only_asks_does_so_once),
        BUSY(a_limit_that_is_none_is_refused),
        BUSY(who_waits_for_one_each_time_asks_no_more),
        BUSY(who_was_told_often_is_not_put_off_by_one),
        BUSY(a_kick_is_not_for_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
