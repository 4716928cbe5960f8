/* short: whether those who sit together at a home are enough for what comes there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "clock.h"
#include "lab.h"
#include "local.h"
#include "stats.h"
#include "worker_short.h"

enum { SHARDS = 4, HOME = 2, PLACES = 3 };

static struct shard_set set;
static int listener_fd;

/* Three sit at the home, and one elsewhere, and all wait. */
static int seat_them(void **state) {
    (void)state;
    const char *why = NULL;
    assert_true(local_start());
    listener_fd = listening_socket();
    assert_true(set_make(&set, listener_fd, SHARDS, 64, &why));
    begin_stealing(&set, 2);
    atomic_store(&set.shared->workers, PLACES + 1);
    for (int place = 0; place <= PLACES; place++) {
        atomic_store(&set.shared->worker[place].pid, getpid());
        stats_home(&set, place, place < PLACES ? HOME : HOME + 1);
        stats_wait(&set, place, 1, clock_coarse_ms());
    }
    return 0;
}

static int close_set(void **state) {
    (void)state;
    set_close(&set);
    close(listener_fd);
    return 0;
}

static void goes_to_work(int place, uint64_t ms_ago) {
    stats_wait(&set, place, 0, clock_coarse_ms() - ms_ago);
}

static void all_go_to_work(uint64_t ms_ago) {
    for (int place = 0; place < PLACES; place++)
        goes_to_work(place, ms_ago);
}

/* How many times all were told to look since, and how many kicks there were. */
static uint32_t changes, kicks;

static void count_from_here(void) {
    changes = set_generation(&set);
    kicks = atomic_load(&set.shared->kicks_done);
}

static void assert_told(uint32_t times, uint32_t kicked) {
    assert_int_equal(set_generation(&set) - changes, times);
    assert_int_equal(atomic_load(&set.shared->kicks_done) - kicks, kicked);
}

static void while_one_waits_it_is_not(void **state) {
    (void)state;
    count_from_here();
    goes_to_work(0, 1000);
    goes_to_work(2, 1000);
    for (int i = 0; i < 10; i++)
        worker_note_theft(&set, HOME);
    assert_false(worker_is_short(&set));
    assert_told(0, 0);
}

static void with_all_at_work_and_one_for_long_it_is(void **state) {
    (void)state;
    count_from_here();
    all_go_to_work(0);
    goes_to_work(1, 30);
    errno = ENOSPC;
    worker_note_theft(&set, HOME);
    assert_int_equal(errno, ENOSPC);
    assert_true(worker_is_short(&set));
    assert_told(1, 1);
    worker_note_theft(&set, HOME);
    assert_told(1, 1);
}

static void for_a_moment_it_is_the_third_time_in_a_second(void **state) {
    (void)state;
    all_go_to_work(0);
    worker_note_theft(&set, HOME);
    worker_note_theft(&set, HOME);
    assert_false(worker_is_short(&set));
    atomic_store(&set.shared->shorts.since_ms, (uint32_t)clock_coarse_ms() - 1500);
    for (int i = 0; i < 2; i++) {
        all_go_to_work(0);
        worker_note_theft(&set, HOME);
        assert_false(worker_is_short(&set));
    }
    all_go_to_work(0);
    worker_note_theft(&set, HOME);
    assert_true(worker_is_short(&set));
}

static int nothing_to_do(void *unused) {
    (void)unused;
    return 0;
}

static void who_was_killed_in_its_wait_does_not_wait(void **state) {
    (void)state;
    struct child killed = start_child(nothing_to_do, NULL);
    all_go_to_work(1000);
    atomic_store(&set.shared->worker[1].pid, killed.pid);
    stats_wait(&set, 1, 1, clock_coarse_ms());
    worker_note_theft(&set, HOME);
    assert_false(worker_is_short(&set));
    end_child(killed);
    worker_note_theft(&set, HOME);
    assert_true(worker_is_short(&set));
}

/* All watch an orphan. */
static void a_home_of_nobody_is_not(void **state) {
    (void)state;
    all_go_to_work(1000);
    worker_note_theft(&set, 0);
    assert_false(worker_is_short(&set));
}

static void become_short(void) {
    all_go_to_work(1000);
    worker_note_theft(&set, HOME);
    assert_true(worker_is_short(&set));
}

/* Since when it is so is `ms_ago`. */
static void be_short_since(uint32_t ms_ago) {
    atomic_store(&set.shared->short_ms, (uint32_t)(clock_coarse_ms() - ms_ago) | 1U);
    count_from_here();
}

static void it_is_remembered_for_ten_seconds(void **state) {
    (void)state;
    become_short();
    stats_wait(&set, 0, 1, clock_coarse_ms());
    be_short_since(9000);
    worker_note_theft(&set, HOME);
    assert_true(worker_is_short(&set));
    assert_told(0, 0);
    be_short_since(11000);
    worker_note_theft(&set, HOME);
    assert_false(worker_is_short(&set));
    assert_told(1, 0); /* they are not woken for that */
}

static void and_longer_where_it_is_seen_again(void **state) {
    (void)state;
    become_short();
    be_short_since(6000);
    all_go_to_work(0);
    worker_note_theft(&set, HOME);
    uint32_t age = (uint32_t)clock_coarse_ms() - atomic_load(&set.shared->short_ms);
    assert_true((int32_t)age < 3000);
    assert_told(0, 0);
}

/* No claim has changed. */
static void what_is_known_of_an_accept_mutex_stays_known(void **state) {
    (void)state;
    see_two_wait(&set);
    become_short();
    assert_true(set_is_concurrent(&set));
    stats_wait(&set, 0, 1, clock_coarse_ms());
    be_short_since(11000);
    worker_note_theft(&set, HOME);
    assert_true(set_is_concurrent(&set));
    set_advance(&set); /* some claim does */
    become_short();
    assert_false(set_is_concurrent(&set));
}

/* Whoever wrote it, it ends. */
static void a_time_that_has_not_come_is_long_past(void **state) {
    (void)state;
    be_short_since(0U - 3600000U);
    worker_note_theft(&set, HOME);
    assert_false(worker_is_short(&set));
}

/* Of a clock tick that everybody has read already. */
static void a_clock_that_is_ahead_is_no_long_time(void **state) {
    (void)state;
    for (int place = 0; place < PLACES; place++)
        stats_wait(&set, place, 0, clock_coarse_ms() + 40);
    worker_note_theft(&set, HOME);
    assert_false(worker_is_short(&set));
}

/* ---- the last goes to work ---- */

static void all_sit_down(void) {
    for (int i = 0; i < PLACES; i++)
        worker_sits_down(&set, HOME);
}

static void gets_up(int home, uint64_t now) {
    if (worker_gets_up(&set, home))
        worker_note_empty(&set, home, now);
}

/* The first of them that wait. */
static void get_up(int many) {
    for (int place = 0; place < PLACES && many; place++)
        if (atomic_load(&set.shared->worker[place].is_in)) {
            goes_to_work(place, 0);
            gets_up(HOME, clock_coarse_ms());
            many--;
        }
}

static void sit_down_again(int place) {
    stats_wait(&set, place, 1, clock_coarse_ms());
    worker_sits_down(&set, HOME);
}

/* Thousands come in a second, since just now. */
static void be_busy(void) {
    atomic_store(&set.shared->turn, 5);
    atomic_store(&set.shared->paced_ms, (uint32_t)clock_coarse_ms());
}

static void when_the_last_goes_to_work_all_are_told(void **state) {
    (void)state;
    count_from_here();
    all_sit_down();
    get_up(PLACES - 1);
    assert_told(0, 0);
    errno = ENOSPC;
    get_up(1);
    assert_int_equal(errno, ENOSPC);
    assert_true(worker_is_short(&set));
    assert_told(1, 1);
    sit_down_again(0);
    get_up(1);
    assert_told(1, 1);
    be_short_since(6000); /* it is renewed */
    atomic_store(&set.shared->kicked_ms, 0);
    sit_down_again(0);
    get_up(1);
    assert_true((uint32_t)clock_coarse_ms() - atomic_load(&set.shared->short_ms) + 1000 < 4000);
    assert_told(0, 0);
}

static void one_that_was_not_counted_may_wait_still(void **state) {
    (void)state;
    worker_sits_down(&set, HOME);
    get_up(1);
    assert_false(worker_is_short(&set));
}

static void not_without_thieves(void **state) {
    (void)state;
    begin_stealing(&set, 0);
    all_sit_down();
    get_up(PLACES);
    assert_false(worker_is_short(&set));
}

static void come_by_in(uint64_t ms) {
    worker_comes_by(&set, clock_coarse_ms() + ms);
}

static void with_much_to_do_it_has_to_stay_away(void **state) {
    (void)state;
    all_sit_down();
    be_busy();
    get_up(PLACES);
    come_by_in(8);
    assert_false(worker_is_short(&set));
    errno = ENOSPC;
    come_by_in(40);
    assert_int_equal(errno, ENOSPC);
    assert_true(worker_is_short(&set));
}

static void and_after_a_kick(void **state) {
    (void)state;
    all_go_to_work(0);
    set_kick(&set);
    worker_note_empty(&set, HOME, clock_coarse_ms());
    assert_false(worker_is_short(&set));
    come_by_in(40);
    assert_true(worker_is_short(&set));
}

static void one_that_comes_back_is_enough(void **state) {
    (void)state;
    all_sit_down();
    be_busy();
    get_up(PLACES);
    sit_down_again(1);
    come_by_in(40);
    assert_false(worker_is_short(&set));
    assert_int_equal(atomic_load(&set.shared->doubt_ms), 0);
}

/* The second was left while the first was looked after, and counts from then on. */
static void another_home_has_its_own_time(void **state) {
    (void)state;
    uint64_t now = clock_coarse_ms();
    all_sit_down();
    be_busy();
    get_up(PLACES);
    worker_sits_down(&set, HOME + 1);
    goes_to_work(PLACES, 0);
    gets_up(HOME + 1, now + 20);
    sit_down_again(0);
    worker_comes_by(&set, now + 30);
    assert_false(worker_is_short(&set));
    worker_comes_by(&set, now + 60);
    assert_true(worker_is_short(&set));
}

/* ---- all who sit there were stopped ---- */

static void one_in_a_while_looks_beside(void **state) {
    (void)state;
    uint64_t now = clock_coarse_ms();
    assert_true(worker_is_to_look_beside(&set, now));
    assert_false(worker_is_to_look_beside(&set, now + 50));
    assert_true(worker_is_to_look_beside(&set, now + 150));
    become_short(); /* all watch more */
    assert_false(worker_is_to_look_beside(&set, now + 300));
}

static void where_nobody_steals_nobody_does(void **state) {
    (void)state;
    begin_stealing(&set, 0);
    assert_false(worker_is_to_look_beside(&set, clock_coarse_ms()));
}

/* ---- who watches from elsewhere ---- */

static void one_is_second(void **state) {
    (void)state;
    assert_false(worker_is_second(&set, HOME, NO_PLACE));
    assert_true(worker_is_second(&set, HOME, 1));
    assert_true(worker_is_second(&set, HOME, 1));
    assert_false(worker_is_second(&set, HOME, 2));
    worker_is_second_no_more(&set, HOME, 2);
    assert_false(worker_is_second(&set, HOME, 2));
    worker_is_second_no_more(&set, HOME, 1);
    assert_true(worker_is_second(&set, HOME, 2));
}

/* It was killed, or has a home of its own by now. */
static void and_another_if_that_is_gone(void **state) {
    (void)state;
    struct child killed = start_child(nothing_to_do, NULL);
    atomic_store(&set.shared->worker[1].pid, killed.pid);
    assert_true(worker_is_second(&set, HOME, 1));
    assert_false(worker_is_second(&set, HOME, 2));
    end_child(killed);
    assert_true(worker_is_second(&set, HOME, 2));
    stats_home(&set, 2, 0);
    assert_true(worker_is_second(&set, HOME, 0));
}

#define WITH_SET(test) cmocka_unit_test_setup_teardown(test, seat_them, close_set)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_SET(while_one_waits_it_is_not),
        WITH_SET(with_all_at_work_and_one_for_long_it_is),
        WITH_SET(for_a_moment_it_is_the_third_time_in_a_second),
        WITH_SET(who_was_killed_in_its_wait_does_not_wait),
        WITH_SET(a_home_of_nobody_is_not),
        WITH_SET(it_is_remembered_for_ten_seconds),
        WITH_SET(and_longer_where_it_is_seen_again),
        WITH_SET(what_is_known_of_an_accept_mutex_stays_known),
        WITH_SET(a_time_that_has_not_come_is_long_past),
        WITH_SET(a_clock_that_is_ahead_is_no_long_time),
        WITH_SET(when_the_last_goes_to_work_all_are_told),
        WITH_SET(one_that_was_not_counted_may_wait_still),
        WITH_SET(not_without_thieves),
        WITH_SET(with_much_to_do_it_has_to_stay_away),
        WITH_SET(and_after_a_kick),
        WITH_SET(one_that_comes_back_is_enough),
        WITH_SET(another_home_has_its_own_time),
        WITH_SET(one_in_a_while_looks_beside),
        WITH_SET(where_nobody_steals_nobody_does),
        WITH_SET(one_is_second),
        WITH_SET(and_another_if_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
