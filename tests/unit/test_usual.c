/*
 * usual: what most connections are, the first of a wait that one shard alone has ended, is taken
 * from home without further questions; and what is not usual is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "two_workers.h"

static int begin(void **state) {
    (void)state;
    make_workers();
    settle_worker();
    return 0;
}

static int end(void **state) {
    (void)state;
    end_workers();
    return 0;
}

static void wait_for_one(void) {
    struct epoll_event events[2];
    assert_int_equal(wait_on(epfd, events, 2, 20), 1);
}

static int take_as_usual(struct accept_call *call) {
    *call = (struct accept_call){kernel_accept, listener_fd, NULL, NULL, 0, false, 0};
    return watch_accept_usual(&own, call);
}

static bool takes_as_usual(void) {
    struct accept_call call;
    int fd = take_as_usual(&call);
    if (fd >= 0)
        close(fd);
    return fd != NOT_USUAL;
}

static void the_first_of_a_wait_is_usual(void **state) {
    (void)state;
    come_to(0);
    assert_false(takes_as_usual());
    wait_for_one();
    uint64_t before = set.shared->worker[0].counts[COUNT_HOME];
    assert_true(takes_as_usual());
    assert_int_equal(set.shared->worker[0].counts[COUNT_HOME], before + 1);
    come_to(0);
    assert_false(takes_as_usual());
}

static void an_empty_home_is_looked_at_once(void **state) {
    (void)state;
    struct accept_call call;
    come_to(1); /* whose worker does not wait */
    wait_for_one();
    errno = ENOENT;
    assert_int_equal(take_as_usual(&call), NOT_USUAL);
    assert_int_equal(call.empty_home, 1 + watch_current->first->home);
    assert_int_equal(errno, ENOENT);
    come_to(0); /* too late to be seen by this accept */
    int fd = watch_accept(&own, &call);
    assert_int_equal(fd, -1);
    assert_int_equal(errno, EAGAIN);
}

static int failures;

static int aborted_accept(int fd, const struct accept_call *call) {
    (void)fd, (void)call;
    failures++;
    errno = ECONNABORTED;
    return -1;
}

static void a_failure_is_the_servers_to_know(void **state) {
    (void)state;
    struct accept_call call = {aborted_accept, listener_fd, NULL, NULL, 0, false, 0};
    come_to(0);
    wait_for_one();
    failures = 0;
    assert_int_equal(watch_accept_usual(&own, &call), -1);
    assert_int_equal(errno, ECONNABORTED);
    assert_int_equal(failures, 1);
}

static void what_was_stolen_is_no_more_to_be_taken(void **state) {
    (void)state;
    come_to(1);
    wait_for_one();
    close(accept_on(&own, listener_fd));
    come_to(0);
    assert_false(takes_as_usual());
}

static void who_was_told_of_several_shards_chooses(void **state) {
    (void)state;
    come_to(1);
    for (int i = 0; i < 64 && !is_queued(0); i++)
        close(visitor(port_of_socket(listener_fd)));
    wait_for_one();
    assert_true(atomic_load(&watch_current->first->told_of_many));
    assert_false(takes_as_usual());
}

static void what_the_set_is_about_goes_first(void **state) {
    (void)state;
    come_to(0);
    wait_for_one();
    atomic_store(&set.shared->handed, 1);
    assert_false(takes_as_usual());
    atomic_store(&set.shared->handed, 0);
    atomic_store(&set.shared->slow_ms, (uint32_t)(now_us / 1000) | 1U);
    assert_false(takes_as_usual());
    atomic_store(&set.shared->slow_ms, 0);
    set_begin_policy(&set, (struct policy){.mode = MODE_EXCLUSIVE, .steal = 1, .rotate = 1});
    assert_false(takes_as_usual());
    begin_stealing(&set, SHARDS - 1);
    assert_true(takes_as_usual());
}

static void that_an_owner_was_slow_is_forgotten(void **state) {
    (void)state;
    atomic_store(&set.shared->slow_ms, (uint32_t)(now_us / 1000) | 1U);
    assert_true(worker_sees_slow(&set));
    now_us += 3000000;
    assert_false(worker_sees_slow(&set));
    assert_int_equal(set.shared->slow_ms, 0);
}

static void one_that_blocks_is_not_usual(void **state) {
    (void)state;
    come_to(0);
    wait_for_one();
    int flags = fcntl(listener_fd, F_GETFL);
    assert_return_code(fcntl(listener_fd, F_SETFL, flags & ~O_NONBLOCK), errno);
    atomic_store(&set.shared->shards[0].nonblocking, 0);
    assert_false(takes_as_usual());
    assert_return_code(fcntl(listener_fd, F_SETFL, flags), errno);
    assert_true(takes_as_usual());
}

/* An instance that the library knows nothing of: whoever else waits for what is queued there. */
static int other_who_waits_for(int shard) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int fd = epoll_create1(EPOLL_CLOEXEC);
    assert_return_code(fd, errno);
    assert_return_code(epoll_ctl(fd, EPOLL_CTL_ADD, set_fd(&own, shard, listener_fd), &event),
                       errno);
    return fd;
}

static bool is_woken(int fd) {
    struct epoll_event event;
    int count = epoll_wait(fd, &event, 1, 0);
    assert_return_code(count, errno);
    return count == 1;
}

/* Told of the one, the worker finds the other at home when it accepts. */
static int told_of_a_neighbours_before_its_own(void) {
    come_to(1);
    wait_for_one();
    for (int i = 0; i < 64 && !is_queued(0); i++)
        close(visitor(port_of_socket(listener_fd)));
    assert_true(is_queued(0));
    int other = other_who_waits_for(1);
    assert_true(is_woken(other));
    assert_false(is_woken(other));
    return other;
}

/* The worker takes its own; and whether who waits for the other is woken. */
static bool passes_it_on(int other) {
    assert_true(takes_as_usual());
    bool is_passed_on = is_woken(other);
    close(other);
    return is_passed_on;
}

static void what_it_was_woken_for_and_leaves_is_passed_on(void **state) {
    (void)state;
    int other = told_of_a_neighbours_before_its_own();
    errno = ENOENT;
    assert_true(takes_as_usual());
    assert_int_equal(errno, ENOENT);
    assert_true(is_woken(other));
    left_at(0);
    wait_for_one(); /* now it is told of the neighbour's alone, and takes it */
    close(accept_on(&own, listener_fd));
    assert_false(is_woken(other));
    close(other);
}

static void so_it_is_where_more_has_to_be_asked(void **state) {
    (void)state;
    struct accept_call call = {kernel_accept, listener_fd, NULL, NULL, 0, false, 0};
    int other = told_of_a_neighbours_before_its_own();
    close(watch_accept(&own, &call));
    assert_true(is_woken(other));
    for (int i = 0; i < 64 && !is_queued(0); i++)
        close(visitor(port_of_socket(listener_fd)));
    is_woken(other); /* by those that came to it meanwhile */
    close(watch_accept(&own, &call));
    assert_false(is_queued(0));
    assert_false(is_woken(other)); /* once for a wait is enough */
    close(other);
}

/* Else it was the owner who was woken; unless it was stopped in its wait, and others have taken
 * from it since. */
static void an_owner_that_waits_comes_to_it(void **state) {
    (void)state;
    int other = told_of_a_neighbours_before_its_own();
    worker_is_there(&set, 1);
    assert_false(passes_it_on(other));
    other = told_of_a_neighbours_before_its_own();
    worker_is_there(&set, 1);
    worker_took_stolen(&set, 1);
    assert_true(passes_it_on(other));
}

static void one_that_shares_its_shard_may_stand_behind(void **state) {
    (void)state;
    int other = told_of_a_neighbours_before_its_own();
    worker_is_there(&set, 1);
    set.shared->shards[1].sharers = 1;
    assert_true(passes_it_on(other));
    set.shared->shards[1].sharers = 0;
}

static void nobody_comes_to_what_was_given_back(void **state) {
    (void)state;
    int other = told_of_a_neighbours_before_its_own();
    worker_is_gone(&set, 1);
    assert_true(passes_it_on(other));
}

static void there_is_an_end_to_looks(void **state) {
    (void)state;
    int other = told_of_a_neighbours_before_its_own();
    for (int i = 0; i < 1000 && worker_may_look(&set); i++)
        continue;
    assert_false(worker_may_look(&set));
    assert_false(passes_it_on(other));
    now_us += 200000;
    assert_true(worker_may_look(&set));
}

static void who_has_only_asked_was_not_woken(void **state) {
    (void)state;
    int other = told_of_a_neighbours_before_its_own();
    atomic_store(&watch_current->has_slept, false);
    assert_false(passes_it_on(other));
}

int main(void) {
#define USUAL(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        USUAL(the_first_of_a_wait_is_usual),
        USUAL(an_empty_home_is_looked_at_once),
        USUAL(a_failure_is_the_servers_to_know),
        USUAL(what_was_stolen_is_no_more_to_be_taken),
        USUAL(who_was_told_of_several_shards_chooses),
        USUAL(what_the_set_is_about_goes_first),
        USUAL(that_an_owner_was_slow_is_forgotten),
        USUAL(one_that_blocks_is_not_usual),
        USUAL(what_it_was_woken_for_and_leaves_is_passed_on),
        USUAL(so_it_is_where_more_has_to_be_asked),
        USUAL(an_owner_that_waits_comes_to_it),
        USUAL(one_that_shares_its_shard_may_stand_behind),
        USUAL(nobody_comes_to_what_was_given_back),
        USUAL(there_is_an_end_to_looks),
        USUAL(who_has_only_asked_was_not_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
