/*
 * again: who has so much to do that its wait finds something at once asks for that before it begins
 * a wait; and what most connections are, the first of a wait and from home, is taken without
 * further questions. Time is what the test says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "clock.h"
#include "local.h"
#include "watch_current.h"
#include "watch_lab.h"
#include "watch_table.h"
#include "worker_stuck.h"

enum { SHARDS = 2, LISTENER = 1, OTHER = 2, SOMETHING = 3, MARK = 77, TICK_MS = 4 };

static struct shard_set set;
static const struct shard own = {&set, 0};
static int listener_fd;
static int epfd;      /* of shard 0, whose worker the test is */
static int other_fd;  /* of shard 1 */
static int something; /* else that the worker waits for, an eventfd */
static uint64_t now_ms = 1000000;

/* In libc's place. */
int clock_gettime(clockid_t clock, struct timespec *time) {
    (void)clock;
    *time = (struct timespec){(time_t)(now_ms / 1000), (long)(now_ms % 1000) * 1000000};
    return 0;
}

static int instance(uint64_t data) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};
    int fd = epoll_create1(EPOLL_CLOEXEC);
    assert_return_code(watch_ctl(fd, EPOLL_CTL_ADD, listener_fd, &own, &event), errno);
    assert_int_equal(wait_on(fd, &event, 1, 0), 0);
    return fd;
}

static int begin(void **state) {
    (void)state;
    const char *why = NULL;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = SOMETHING};
    assert_true(local_start());
    listener_fd = listening_socket();
    assert_true(set_make(&set, listener_fd, SHARDS, 64, &why));
    begin_stealing(&set, SHARDS - 1);
    epfd = instance(LISTENER);
    other_fd = instance(OTHER);
    something = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_return_code(epoll_ctl(epfd, EPOLL_CTL_ADD, something, &event), errno);
    assert_int_equal(accept_on(&own, listener_fd), -1); /* but from now on it is woken alone */
    set.shared->concurrent = set.shared->generation;    /* two were seen to wait at once */
    for (int i = 0; i == 0 || (i < 8 && atomic_load(&watch_current->work)); i++)
        wait_on(epfd, &event, 1, 0); /* sees the other's claim */
    assert_false(atomic_load(&watch_current->work));
    atomic_store(&set.hint, watch_index(watch_current->first));
    return 0;
}

static int end(void **state) {
    (void)state;
    watch_listener_closing(&own, listener_fd, true);
    close_instance(epfd);
    close_instance(other_fd);
    close(something);
    set_close(&set);
    close(listener_fd);
    return 0;
}

static bool is_queued(int shard) {
    struct pollfd queue = {.fd = set_fd(&own, shard, listener_fd), .events = POLLIN};
    return poll(&queue, 1, 1) > 0;
}

static void take_all_at(int shard) {
    int fd;
    while ((fd = accept4(set_fd(&own, shard, listener_fd), NULL, NULL, SOCK_NONBLOCK)) >= 0)
        close(fd);
    assert_int_equal(errno, EAGAIN);
}

/* Somebody comes to that shard, and nobody to the other. */
static void come_to(int shard) {
    for (int i = 0; i < 64 && !is_queued(shard); i++)
        close(visitor(port_of_socket(listener_fd)));
    assert_true(is_queued(shard));
    take_all_at(1 - shard);
}

/* ---- asking ---- */

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
    if (call->timeout.tv_nsec >= 1000000000) /* as epoll_pwait2(2) does */
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
    now_ms += TICK_MS;
    atomic_store(at_work_since(), MARK);
    assert_int_equal(wait_counted(), 2);
    assert_int_equal(asks, 0);
    assert_int_not_equal(*at_work_since(), MARK);
}

static void what_is_to_be_done_before_a_wait_is_done(void **state) {
    (void)state;
    be_busy();
    atomic_store(&watch_current->work, true);
    assert_int_equal(wait_counted(), 2);
    assert_int_equal(asks, 0);
    assert_false(atomic_load(&watch_current->work));
}

static void where_there_is_nothing_it_waits(void **state) {
    (void)state;
    be_busy();
    take_all_at(0);
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
    take_all_at(0);
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
    take_all_at(0);
    take_post();
    assert_int_equal(wait_counted_for((struct timespec){0}, true), 0);
    assert_int_equal(calls, 1);
}

static void a_limit_that_is_none_is_refused(void **state) {
    (void)state;
    be_busy();
    assert_int_equal(wait_counted_for((struct timespec){1, 1000000000}, true), -1);
    assert_int_equal(errno, EINVAL);
}

static void who_waits_for_one_each_time_asks_no_more(void **state) {
    (void)state;
    be_busy();
    take_post();
    for (int i = 0; i < 4; i++) {
        now_ms += TICK_MS;
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
    take_all_at(0);
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
    take_all_at(0);
    take_post();
    set_kick(&set);
    assert_int_equal(wait_counted(), 1); /* a wait that brings a kick alone tells of the listener */
}

/* ---- the usual ---- */

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
    assert_int_equal(wait_counted(), 1);
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
    assert_int_equal(wait_counted(), 1);
    errno = ENOENT;
    assert_int_equal(take_as_usual(&call), NOT_USUAL);
    assert_int_equal(call.empty_home, 1 + watch_current->first->home);
    assert_int_equal(errno, ENOENT);
    come_to(0); /* too late to be seen by this accept */
    int fd = watch_accept(&own, &call);
    assert_int_equal(fd, -1);
    assert_int_equal(errno, EAGAIN);
}

static int aborted_accept(int fd, const struct accept_call *call) {
    (void)fd, (void)call;
    calls++;
    errno = ECONNABORTED;
    return -1;
}

static void a_failure_is_the_servers_to_know(void **state) {
    (void)state;
    struct accept_call call = {aborted_accept, listener_fd, NULL, NULL, 0, false, 0};
    come_to(0);
    assert_int_equal(wait_counted(), 1);
    calls = 0;
    assert_int_equal(watch_accept_usual(&own, &call), -1);
    assert_int_equal(errno, ECONNABORTED);
    assert_int_equal(calls, 1);
}

static void what_was_stolen_is_no_more_to_be_taken(void **state) {
    (void)state;
    come_to(1);
    assert_int_equal(wait_counted(), 1);
    close(accept_on(&own, listener_fd));
    come_to(0);
    assert_false(takes_as_usual());
}

static void who_was_told_of_several_shards_chooses(void **state) {
    (void)state;
    come_to(1);
    for (int i = 0; i < 64 && !is_queued(0); i++)
        close(visitor(port_of_socket(listener_fd)));
    assert_int_equal(wait_counted(), 1);
    assert_true(atomic_load(&watch_current->first->told_of_many));
    assert_false(takes_as_usual());
}

static void what_the_set_is_about_goes_first(void **state) {
    (void)state;
    come_to(0);
    assert_int_equal(wait_counted(), 1);
    atomic_store(&set.shared->handed, 1);
    assert_false(takes_as_usual());
    atomic_store(&set.shared->handed, 0);
    atomic_store(&set.shared->slow_ms, (uint32_t)now_ms | 1U);
    assert_false(takes_as_usual());
    atomic_store(&set.shared->slow_ms, 0);
    set_begin_policy(&set, (struct policy){.mode = MODE_EXCLUSIVE, .steal = 1, .rotate = 1});
    assert_false(takes_as_usual());
    begin_stealing(&set, SHARDS - 1);
    assert_true(takes_as_usual());
}

static void that_an_owner_was_slow_is_forgotten(void **state) {
    (void)state;
    atomic_store(&set.shared->slow_ms, (uint32_t)now_ms | 1U);
    assert_true(worker_sees_slow(&set));
    now_ms += 3000;
    assert_false(worker_sees_slow(&set));
    assert_int_equal(set.shared->slow_ms, 0);
}

static void one_that_blocks_is_not_usual(void **state) {
    (void)state;
    come_to(0);
    assert_int_equal(wait_counted(), 1);
    int flags = fcntl(listener_fd, F_GETFL);
    assert_return_code(fcntl(listener_fd, F_SETFL, flags & ~O_NONBLOCK), errno);
    atomic_store(&set.shared->shards[0].nonblocking, 0);
    assert_false(takes_as_usual());
    assert_return_code(fcntl(listener_fd, F_SETFL, flags), errno);
    assert_true(takes_as_usual());
}

int main(void) {
#define BUSY(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        BUSY(who_was_told_of_several_asks_first),
        BUSY(who_was_told_of_one_waits_as_ever),
        BUSY(what_it_said_of_itself_grows_no_older_than_a_tick),
        BUSY(what_is_to_be_done_before_a_wait_is_done),
        BUSY(where_there_is_nothing_it_waits),
        BUSY(it_waits_as_long_as_the_server_says),
        BUSY(who_only_asks_does_so_once),
        BUSY(a_limit_that_is_none_is_refused),
        BUSY(who_waits_for_one_each_time_asks_no_more),
        BUSY(who_was_told_often_is_not_put_off_by_one),
        BUSY(a_kick_is_not_for_the_server),
        BUSY(the_first_of_a_wait_is_usual),
        BUSY(an_empty_home_is_looked_at_once),
        BUSY(a_failure_is_the_servers_to_know),
        BUSY(what_was_stolen_is_no_more_to_be_taken),
        BUSY(who_was_told_of_several_shards_chooses),
        BUSY(what_the_set_is_about_goes_first),
        BUSY(that_an_owner_was_slow_is_forgotten),
        BUSY(one_that_blocks_is_not_usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
