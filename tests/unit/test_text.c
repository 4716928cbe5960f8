#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "text.h"

static void appends_in_order(void **state) {
    (void)state;
    char data[32];
    memset(data, 'x', sizeof data);
    struct text text = text_of(data, sizeof data);
    assert_string_equal(data, "");
    text_str(&text, "ab");
    text_char(&text, 'c');
    text_bytes(&text, "defg", 2);
    text_num(&text, 42);
    assert_string_equal(data, "abcde42");
    assert_int_equal(text.length, 7);
}

static void writes_every_number(void **state) {
    static const struct {
        long long value;
        const char *digits;
    } numbers[] = {
        {0, "0"},         {7, "7"},
        {10, "10"},       {-1, "-1"},
        {65535, "65535"}, {LLONG_MAX, "9223372036854775807"},
        {-100, "-100"},   {LLONG_MIN, "-9223372036854775808"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char data[32];
        struct text text = text_of(data, sizeof data);
        text_num(&text, numbers[i].value);
        assert_string_equal(data, numbers[i].digits);
    }
}

static void cuts_what_does_not_fit(void **state) {
    (void)state;
    for (size_t size = 1; size < 12; size++) {
        char data[16];
        memset(data, 'x', sizeof data);
        struct text text = text_of(data, size);
        text_str(&text, "0123");
        text_num(&text, -456);
        text_bytes(&text, "789", 3);
        assert_int_equal(strlen(data), size - 1);
        assert_memory_equal(data, "0123-456789", size - 1);
        assert_int_equal(text.length, size - 1);
        assert_int_equal(data[size], 'x');
    }
}

static void size_nought_touches_nothing(void **state) {
    (void)state;
    struct text text = text_of(NULL, 0);
    text_str(&text, "abc");
    text_char(&text, 'd');
    text_num(&text, 1);
    assert_int_equal(text.length, 0);
}

static void null_string_is_empty(void **state) {
    (void)state;
    char data[4];
    struct text text = text_of(data, sizeof data);
    text_str(&text, NULL);
    assert_string_equal(data, "");
}

static void bytes_are_copied_as_they_are(void **state) {
    (void)state;
    char data[8];
    struct text text = text_of(data, sizeof data);
    text_bytes(&text, "a\0\xff", 3);
    assert_memory_equal(data, "a\0\xff\0", 4);
    assert_int_equal(text.length, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_in_order),       cmocka_unit_test(writes_every_number),
        cmocka_unit_test(cuts_what_does_not_fit), cmocka_unit_test(size_nought_touches_nothing),
        cmocka_unit_test(null_string_is_empty),   cmocka_unit_test(bytes_are_copied_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
