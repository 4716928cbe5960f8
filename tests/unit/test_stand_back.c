/* stand back: when a worker leaves the neighbours' shards to their owners, and when no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "lab.h"
#include "watch_stand_back.h"
#include "worker.h"
#include "worker_stuck.h"

static const struct stand_back_window busy = {.home = 100,
                                              .stolen = 100,
                                              .lasted = 40000000,
                                              .ran = 10000000,
                                              .delayed = 20000000,
                                              .is_timed = true};

static void crowded_and_stealing_much_it_stands_back(void **state) {
    (void)state;
    assert_true(stand_back_after(&busy, false));
}

static void with_cpus_to_spare_it_does_not(void **state) {
    (void)state;
    struct stand_back_window window = busy;
    window.delayed = window.ran - 1;
    assert_false(stand_back_after(&window, false));
}

static void who_hardly_steals_does_not(void **state) {
    (void)state;
    struct stand_back_window window = busy;
    window.stolen = 10;
    assert_false(stand_back_after(&window, false));
}

static void who_takes_little_does_not(void **state) {
    (void)state;
    struct stand_back_window window = busy;
    window.home = window.stolen = 1;
    assert_false(stand_back_after(&window, false));
    assert_false(stand_back_after(&window, true));
}

static void who_mostly_sleeps_does_not(void **state) {
    (void)state;
    struct stand_back_window window = busy;
    window.ran = 1000000;
    window.delayed = 2000000;
    assert_false(stand_back_after(&window, false));
}

/* /proc is not mounted, or another thread has waited. */
static void without_times_it_does_not(void **state) {
    (void)state;
    struct stand_back_window window = busy;
    window.is_timed = false;
    assert_false(stand_back_after(&window, false));
    assert_false(stand_back_after(&window, true));
}

/* It steals nothing then, and times vary. */
static void it_goes_on_with_less(void **state) {
    (void)state;
    struct stand_back_window window = busy;
    window.stolen = 0;
    window.delayed = window.ran / 2;
    assert_true(stand_back_after(&window, true));
    window.delayed = window.ran / 4;
    assert_false(stand_back_after(&window, true));
}

/* ---- who stands back looks after its neighbours ---- */

enum { SHARDS = 4 };

static struct shard_set set;
static int listener_fd;
static struct instance instance;
static struct watch watch;

/* A worker whose home is shard 0, and that stands back since just now. */
static int stand_back(void **state) {
    (void)state;
    const char *why = NULL;
    listener_fd = listening_socket();
    assert_true(set_make(&set, listener_fd, SHARDS, 64, &why));
    begin_stealing(&set, SHARDS - 1);
    for (int i = 1; i < SHARDS; i++)
        assert_int_equal(worker_claim(&set, &(struct shard_bits){0}, i), i);
    atomic_store(&set.shared->concurrent, atomic_load(&set.shared->generation));
    atomic_store(&instance.waiting, 1);
    watch = (struct watch){0};
    atomic_store(&watch.set, &set);
    atomic_store(&watch.instance, &instance);
    atomic_store(&watch.has_home, true);
    atomic_store(&watch.pace.stands_back, true);
    bits_add(&watch.registered, 0);
    return 0;
}

static int close_set(void **state) {
    (void)state;
    set_close(&set);
    close(listener_fd);
    return 0;
}

/* Whether it stands back still, after so long and a look. */
static bool goes_on_after(uint64_t milliseconds) {
    uint64_t end = clock_coarse_ms() + milliseconds;
    while (clock_coarse_ms() < end)
        usleep(1000);
    atomic_store(&instance.ended_ms, clock_coarse_ms());
    watch.pace.since_ms = clock_coarse_ms(); /* what it ran and waited is not what is asked */
    assert_true(stand_back_is_due(&watch));
    return !stand_back_changes(&watch, &set);
}

static void it_goes_on_while_owners_come(void **state) {
    (void)state;
    worker_goes_to_work(&set, 1);
    worker_is_there(&set, 1);
    worker_goes_to_work(&set, 2);
    assert_true(goes_on_after(0));
    worker_is_there(&set, 2);
    assert_true(goes_on_after(150));
}

static void an_owner_that_does_not_come_ends_it(void **state) {
    (void)state;
    worker_goes_to_work(&set, 2);
    assert_false(goes_on_after(150));
    assert_false(atomic_load(&watch.pace.stands_back));
}

/* It watches that one already, since it is stuck, or an orphan. */
static void an_owner_that_it_stands_in_for_does_not(void **state) {
    (void)state;
    worker_goes_to_work(&set, 2);
    bits_add(&watch.registered, 2);
    assert_true(goes_on_after(150));
}

/* That would be waiting for longer than it looks. */
static void another_thread_in_its_instance_ends_it(void **state) {
    (void)state;
    atomic_store(&instance.waiting, 2);
    assert_false(goes_on_after(0));
}

static void an_accept_mutex_ends_it(void **state) {
    (void)state;
    worker_announce(&set, 1);
    assert_false(goes_on_after(0));
}

static void having_nothing_to_do_ends_it(void **state) {
    (void)state;
    atomic_store(&watch.pace.ends, true);
    assert_false(goes_on_after(0));
}

#define WITH_SET(test) cmocka_unit_test_setup_teardown(test, stand_back, close_set)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crowded_and_stealing_much_it_stands_back),
        cmocka_unit_test(with_cpus_to_spare_it_does_not),
        cmocka_unit_test(who_hardly_steals_does_not),
        cmocka_unit_test(who_takes_little_does_not),
        cmocka_unit_test(who_mostly_sleeps_does_not),
        cmocka_unit_test(without_times_it_does_not),
        cmocka_unit_test(it_goes_on_with_less),
        WITH_SET(it_goes_on_while_owners_come),
        WITH_SET(an_owner_that_does_not_come_ends_it),
        WITH_SET(an_owner_that_it_stands_in_for_does_not),
        WITH_SET(another_thread_in_its_instance_ends_it),
        WITH_SET(an_accept_mutex_ends_it),
        WITH_SET(having_nothing_to_do_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
