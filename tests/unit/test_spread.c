/* What unherd bench makes of several rounds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tools/unherd/bench_spread.h"

enum { NANO = 1000000000 };

static void assert_is(double value, double expected) {
    assert_int_equal(llround(value * NANO), llround(expected * NANO));
}

#define SUMMARY(...)                                                                               \
    summary_of((const double[]){__VA_ARGS__},                                                      \
               sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

static void median_is_the_middle_one_or_between_two(void **state) {
    (void)state;
    assert_is(SUMMARY(7).median, 7);
    assert_is(SUMMARY(9, 1, 5).median, 5);
    assert_is(SUMMARY(4, 1, 3, 2).median, 2.5);
}

static void spread_leaves_out_the_ends_when_there_are_enough(void **state) {
    (void)state;
    assert_is(SUMMARY(7).spread, 0);
    assert_is(SUMMARY(3, 10, 1, 2).spread, 9);
    assert_is(SUMMARY(100, 2, 1, 4, 3).spread, 2);
}

static void what_is_not_known_does_not_count(void **state) {
    (void)state;
    assert_int_equal(SUMMARY(NAN, 4, NAN, 2).count, 2);
    assert_is(SUMMARY(NAN, 4, NAN, 2).median, 3);
    assert_int_equal(SUMMARY(NAN).count, 0);
    assert_true(isnan(SUMMARY(NAN).median));
}

static enum difference between(struct summary one, struct summary other) {
    return difference_of(&one, &other);
}

static void a_difference_is_larger_than_either_spread(void **state) {
    (void)state;
    assert_int_equal(between(SUMMARY(10, 12, 14), SUMMARY(7, 8, 9)), NONE); /* 4 apart, spread 4 */
    assert_int_equal(between(SUMMARY(7, 8, 9), SUMMARY(10, 12, 14)), NONE);
    assert_int_equal(between(SUMMARY(10, 13, 14), SUMMARY(7, 8, 9)), MORE);
    assert_int_equal(between(SUMMARY(7, 8, 9), SUMMARY(10, 13, 14)), LESS);
}

static void what_is_too_little_to_matter_is_none(void **state) {
    (void)state;
    assert_int_equal(between(SUMMARY(102, 102), SUMMARY(100, 100)), NONE);
    assert_int_equal(between(SUMMARY(103, 103), SUMMARY(100, 100)), MORE);
    assert_int_equal(between(SUMMARY(1, 1), SUMMARY(0, 0)), MORE); /* losses begin at none */
    assert_int_equal(between(SUMMARY(0, 0), SUMMARY(0, 0)), NONE);
}

static void one_round_says_nothing(void **state) {
    (void)state;
    assert_int_equal(between(SUMMARY(1), SUMMARY(9, 9, 9)), NOT_KNOWN);
    assert_int_equal(between(SUMMARY(1, 1, 1), SUMMARY(9, NAN)), NOT_KNOWN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_is_the_middle_one_or_between_two),
        cmocka_unit_test(spread_leaves_out_the_ends_when_there_are_enough),
        cmocka_unit_test(what_is_not_known_does_not_count),
        cmocka_unit_test(a_difference_is_larger_than_either_spread),
        cmocka_unit_test(what_is_too_little_to_matter_is_none),
        cmocka_unit_test(one_round_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
