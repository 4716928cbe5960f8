/*
 * choice: from which shards an accept may take, in which order, and what it leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define SHARDS 3 /* of which the last has a worker of the test's own */
#include "two_workers.h"
#include "watch_choice.h"

/* ---- the order ---- */

enum { MANY = 130 }; /* more than two words of bits */

static struct instance any_instance;
static struct watch any_watch;
static struct shared shared;
static struct shard_set many = {.shared = &shared};

/* A worker at that home, within whose reach every third shard is. No descriptor is open: the kernel
 * passes over such entries. */
static void look_from(int home, int own_fd, struct choice *choice) {
    const struct shard here = {&many, home};
    many.count = MANY;
    memset(many.fd, -1, sizeof many.fd);
    any_watch.registered = (struct shard_bits){0};
    for (int i = 0; i < MANY; i += 3)
        bits_add(&any_watch.registered, i);
    atomic_store(&any_watch.set, &many);
    atomic_store(&any_watch.instance, &any_instance);
    any_watch.own = any_watch.home = home;
    any_watch.armed = true;
    atomic_store(&any_instance.first, &any_watch);
    watch_current = &any_instance;
    choice_look(&here, &any_watch, own_fd, true, choice);
}

static void home_goes_first_and_then_the_next_neighbour(void **state) {
    static const int homes[] = {0, 1, 62, 63, 64, 65, 127, 128, 129};
    (void)state;
    for (size_t i = 0; i < sizeof homes / sizeof homes[0]; i++) {
        struct choice choice;
        int count = 0;
        look_from(homes[i], -1, &choice);
        assert_int_equal(choice.shards[count++], homes[i]);
        for (int step = 1; step < MANY; step++)
            if ((homes[i] + step) % MANY % 3 == 0)
                assert_int_equal(choice.shards[count++], (homes[i] + step) % MANY);
        assert_int_equal(choice.count, count);
    }
}

/* Another thread has ended the set, and the watch knows nothing of that yet. */
static void what_the_set_has_no_more_is_not_looked_at(void **state) {
    (void)state;
    struct choice choice;
    const struct shard here = {&many, 0};
    look_from(0, -1, &choice);
    many.count = 1;
    choice_look(&here, &any_watch, -1, false, &choice);
    assert_int_equal(choice.count, 0);
    many.count = 65;
    choice_look(&here, &any_watch, -1, false, &choice);
    assert_int_equal(choice.count, 21); /* 3 to 63 */
}

/* ---- what is left ---- */

static int third_fd;

static int begin(void **state) {
    (void)state;
    make_workers();
    third_fd = instance(3);
    settle_worker();
    return 0;
}

static int end(void **state) {
    (void)state;
    close_instance(third_fd);
    end_workers();
    return 0;
}

static void visit_until_queued(int shard) {
    for (int i = 0; i < 64 && !is_queued(shard); i++)
        close(visitor(port_of_socket(listener_fd)));
    assert_true(is_queued(shard));
}

/* Woken for one neighbour's, it steals, and somebody has come to the other: too late to be reported
 * beside the first. Whichever of them it takes, who waits for the other is woken. */
static void a_thief_passes_on_what_it_leaves(void **state) {
    (void)state;
    struct epoll_event events[2];
    visit_until_queued(2);
    left_at(0);
    left_at(1);
    assert_int_equal(wait_on(epfd, events, 2, 20), 1);
    visit_until_queued(1);
    left_at(0);
    int other = epoll_create1(EPOLL_CLOEXEC);
    for (int shard = 1; shard <= 2; shard++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLET};
        int fd = set_fd(&own, shard, listener_fd);
        assert_return_code(epoll_ctl(other, EPOLL_CTL_ADD, fd, &event), errno);
    }
    assert_int_equal(epoll_wait(other, events, 2, 0), 2);
    close(accept_on(&own, listener_fd));
    assert_int_equal(epoll_wait(other, events, 2, 0), 1);
    close(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(home_goes_first_and_then_the_next_neighbour),
        cmocka_unit_test(what_the_set_has_no_more_is_not_looked_at),
        cmocka_unit_test_setup_teardown(a_thief_passes_on_what_it_leaves, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
