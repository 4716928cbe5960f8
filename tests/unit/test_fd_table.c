/* The fd table and, on top of it, hidden descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fd_table.h"
#include "hidden.h"
#include "lab.h"

static void an_entry_is_a_kind_and_an_index(void **state) {
    (void)state;
    assert_int_equal(fd_entry(5), FD_OTHER);
    fd_set_entry(5, FD_LISTENER, FD_INDEX_LIMIT - 1);
    assert_int_equal(fd_kind_of(fd_entry(5)), FD_LISTENER);
    assert_int_equal(fd_index_of(fd_entry(5)), FD_INDEX_LIMIT - 1);
    fd_clear(5);
    assert_int_equal(fd_entry(5), FD_OTHER);
}

static void numbers_out_of_range_are_never_ours(void **state) {
    (void)state;
    static const int wrong[] = {-1, INT32_MIN, INT32_MAX, FD_LIMIT, FD_LIMIT + 1};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        fd_set_entry(wrong[i], FD_HIDDEN, 1);
        assert_int_equal(fd_entry(wrong[i]), FD_OTHER);
        fd_clear(wrong[i]);
    }
}

static void the_next_of_ours_is_found(void **state) {
    (void)state;
    fd_set_entry(7, FD_LISTENER, 0);
    fd_set_entry(9, FD_INSTANCE, 0);
    fd_set_entry(FD_LIMIT - 1, FD_HIDDEN, 0);
    assert_int_equal(fd_next(0, ~0U), 7);
    assert_int_equal(fd_next(8, ~0U), 9);
    assert_int_equal(fd_next(10, ~0U), FD_LIMIT - 1);
    assert_int_equal(fd_next(10, FD_LIMIT - 2), -1);
    assert_int_equal(fd_next(8, 8), -1);
    assert_int_equal(fd_next(9, 8), -1);
    assert_int_equal(fd_next(FD_LIMIT, ~0U), -1);
    fd_set_entry(3, FD_HIDDEN, 0); /* the two ranges overlap */
    assert_int_equal(fd_next(0, ~0U), 3);
    assert_int_equal(fd_next(8, ~0U), 9);
    fd_clear(3);
    fd_clear(7);
    fd_clear(9);
    fd_clear(FD_LIMIT - 1);
    assert_int_equal(fd_next(0, ~0U), -1);
}

static rlim_t limit_to(rlim_t most) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = most;
    assert_return_code(setrlimit(RLIMIT_NOFILE, &limit), errno);
    return before;
}

static void hidden_ones_go_to_the_top(void **state) {
    (void)state;
    rlim_t before = limit_to(256);
    int open_before = open_descriptors();
    int first = hidden_take(open("/dev/null", O_RDONLY));
    int second = hidden_take(open("/dev/null", O_RDONLY));
    assert_int_equal(first, 255);
    assert_int_equal(second, 254);
    assert_int_equal(fd_kind_of(fd_entry(first)), FD_HIDDEN);
    assert_true(fcntl(first, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(open_descriptors(), open_before + 2); /* what was taken from is closed */
    hidden_close(first);
    hidden_close(second);
    assert_int_equal(open_descriptors(), open_before);
    assert_int_equal(fd_entry(first), FD_OTHER);
    limit_to(before);
}

static void an_eighth_is_all_there_is(void **state) {
    (void)state;
    rlim_t before = limit_to(32);
    int taken[4];
    assert_int_equal(hidden_room(), 4);
    for (int i = 0; i < 4; i++)
        assert_true((taken[i] = hidden_take(open("/dev/null", O_RDONLY))) >= 28);
    int open_before = open_descriptors();
    errno = 0;
    assert_int_equal(hidden_take(open("/dev/null", O_RDONLY)), -1);
    assert_int_equal(errno, EMFILE);
    assert_int_equal(open_descriptors(), open_before); /* closed in either case */
    for (int i = 0; i < 4; i++)
        hidden_close(taken[i]);
    limit_to(before);
}

static void what_is_not_hidden_is_not_closed(void **state) {
    (void)state;
    int fd = open("/dev/null", O_RDONLY);
    hidden_close(fd);
    hidden_close(-1);
    assert_return_code(fcntl(fd, F_GETFD), errno);
    close(fd);
    errno = ENOENT;
    assert_int_equal(hidden_take(-1), -1);
    assert_int_equal(errno, ENOENT);
}

static void the_top_is_the_servers_when_it_sits_there(void **state) {
    (void)state;
    rlim_t before = limit_to(64);
    int top = dup2(0, 63);
    int fd = hidden_take(open("/dev/null", O_RDONLY));
    assert_in_range(fd, 56, 62);
    close(top);
    hidden_close(fd);
    limit_to(before);
}

static void they_move_up_with_the_limit_but_never_down(void **state) {
    (void)state;
    rlim_t before = limit_to(64);
    int fd = hidden_take(open("/dev/null", O_RDONLY));
    limit_to(256);
    int moved = hidden_move(fd);
    assert_true(moved >= 250);
    assert_int_equal(fd_entry(fd), FD_OTHER);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    limit_to(64);
    assert_int_equal(hidden_move(moved), moved);
    assert_int_equal(hidden_move(-1), -1);
    hidden_close(moved);
    limit_to(before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_a_kind_and_an_index),
        cmocka_unit_test(numbers_out_of_range_are_never_ours),
        cmocka_unit_test(the_next_of_ours_is_found),
        cmocka_unit_test(hidden_ones_go_to_the_top),
        cmocka_unit_test(an_eighth_is_all_there_is),
        cmocka_unit_test(what_is_not_hidden_is_not_closed),
        cmocka_unit_test(the_top_is_the_servers_when_it_sits_there),
        cmocka_unit_test(they_move_up_with_the_limit_but_never_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
