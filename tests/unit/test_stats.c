#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "attendant.h"
#include "lab.h"
#include "local.h"
#include "real.h"
#include "stats.h"

enum { THREADS = 4, TIMES = 100000 };

static struct shard_set set;
static int listener_fd;

static int make_set(void **state) {
    (void)state;
    const char *why = NULL;
    listener_fd = listening_socket();
    return set_make(&set, listener_fd, 1, 64, &why) ? 0 : -1;
}

static int close_set(void **state) {
    (void)state;
    attendant_leaves(&set);
    set_close(&set);
    close(listener_fd);
    return 0;
}

static uint64_t count_of(int place, enum count count) {
    return atomic_load(&set.shared->worker[place].counts[count]);
}

static void count_one(int place) {
    stats_count(&set, place, COUNT_HOME);
}

/* ---- counting ---- */

static void alone_it_counts_without_a_lock_and_rightly(void **state) {
    (void)state;
    int place = stats_join(&set, 5);
    for (int i = 0; i < TIMES; i++)
        count_one(place);
    assert_int_equal(count_of(place, COUNT_HOME), TIMES);
    stats_leave(&set, place);
    assert_int_equal(atomic_load(&set.shared->past[COUNT_HOME]), TIMES);
}

static void *count_often(void *place) {
    for (int i = 0; i < TIMES; i++)
        count_one(*(int *)place);
    return NULL;
}

static void threads_that_share_a_place_lose_nothing(void **state) {
    (void)state;
    pthread_t thread[THREADS];
    int place = stats_join(&set, 5);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, count_often, &place), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(count_of(place, COUNT_HOME), THREADS * TIMES);
}

static void places_share_no_cache_line(void **state) {
    (void)state;
    assert_int_equal(sizeof(struct shared_worker) % 128, 0);
    assert_int_equal(offsetof(struct shared, worker) % 128, 0);
}

static void with_no_place_left_nothing_is_counted(void **state) {
    (void)state;
    for (int i = 0; i < SHARED_WORKERS; i++)
        assert_int_equal(stats_join(&set, 5), i);
    assert_int_equal(stats_join(&set, 5), NO_PLACE);
    count_one(NO_PLACE);
    attendant_accepted(&set, 0, listener_fd);
    assert_int_equal(attendant_place(&set), NO_PLACE);
    assert_int_equal(atomic_load(&set.shared->unattended), 1);
}

/* ---- those whose waits are not seen ---- */

static int accept_as_child(void *unused) {
    (void)unused;
    attendant_accepted(&set, 0, listener_fd);
    return attendant_place(&set);
}

static void every_process_has_a_place_of_its_own(void **state) {
    (void)state;
    assert_int_equal(attendant_place(&set), NO_PLACE);
    attendant_accepted(&set, 0, listener_fd);
    attendant_accepted(&set, 0, listener_fd);
    int own = attendant_place(&set);
    struct child child = start_child(accept_as_child, NULL);
    assert_int_not_equal(own, NO_PLACE);
    assert_int_not_equal(child.said, own);
    assert_int_equal(count_of(own, COUNT_HOME), 2);
    assert_int_equal(count_of(child.said, COUNT_HOME), 1);
    assert_int_equal(atomic_load(&set.shared->worker[child.said].pid), child.pid);
    end_child(child);
}

static void it_is_not_said_to_work_before_it_was_seen_to_wait(void **state) {
    (void)state;
    attendant_accepted(&set, 0, listener_fd);
    const struct shared_worker *worker = &set.shared->worker[attendant_place(&set)];
    assert_int_equal(atomic_load(&worker->since_ms), 0);
    assert_false(attendant_blocks(&set)); /* the lab's sockets do not */
    attendant_sleeps(&set, attendant_place(&set), true);
    attendant_sleeps(&set, attendant_place(&set), true);
    assert_int_equal(atomic_load(&worker->is_in), 2);
    attendant_sleeps(&set, attendant_place(&set), false);
    assert_int_equal(atomic_load(&worker->is_in), 1);
    assert_int_not_equal(atomic_load(&worker->since_ms), 0);
}

static void a_place_that_was_given_up_is_left_alone(void **state) {
    (void)state;
    attendant_accepted(&set, 0, listener_fd);
    int place = attendant_place(&set);
    attendant_sleeps(&set, place, true);
    attendant_leaves(&set);
    assert_int_equal(atomic_load(&set.shared->past[COUNT_HOME]), 1);
    assert_int_equal(stats_join(&set, 5), place); /* another's now */
    attendant_sleeps(&set, place, false);
    assert_int_equal(atomic_load(&set.shared->worker[place].is_in), 0);
}

int main(void) {
#define WITH_SET(test) cmocka_unit_test_setup_teardown(test, make_set, close_set)
    const struct CMUnitTest tests[] = {
        WITH_SET(alone_it_counts_without_a_lock_and_rightly),
        WITH_SET(threads_that_share_a_place_lose_nothing),
        cmocka_unit_test(places_share_no_cache_line),
        WITH_SET(with_no_place_left_nothing_is_counted),
        WITH_SET(every_process_has_a_place_of_its_own),
        WITH_SET(it_is_not_said_to_work_before_it_was_seen_to_wait),
        WITH_SET(a_place_that_was_given_up_is_left_alone),
    };
    real_find();
    local_watch_forks(NULL);
    local_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
