#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "config.h"

static struct config config;

/* Reads an environment of these entries, on a machine of two CPUs. */
#define READ(...) config_read(&config, (char *[]){__VA_ARGS__, NULL}, 2)

static void assert_only_complaint(const char *expected) {
    assert_int_equal(config.complaint_count, 1);
    assert_string_equal(config.complaints[0], expected);
}

static void assert_defaults(void) {
    assert_int_equal(config.mode, MODE_AUTO);
    assert_int_equal(config.shards, 16);
    assert_int_equal(config.steal, 15);
    assert_int_equal(config.rotate, 1);
    assert_int_equal(config.log, LOG_WARN);
    assert_string_equal(config.log_file, "");
    assert_int_equal(config.rule_count, 0);
}

static void nothing_set_is_all_defaults(void **state) {
    (void)state;
    memset(&config, 0xff, sizeof config);
    config_read(&config, NULL, 2);
    assert_defaults();
    assert_int_equal(config.complaint_count, 0);
    memset(&config, 0xff, sizeof config);
    READ("PATH=/bin", "UNHERD", "NOT_UNHERD_MODE=off", "UNHERDED=1");
    assert_defaults();
    assert_int_equal(config.complaint_count, 0);
}

/* What the help and the README call the default is the default. */
static void the_table_gives_the_defaults(void **state) {
    static const enum option_id readable[] = {OPTION_MODE, OPTION_STEAL, OPTION_ROTATE, OPTION_EXEC,
                                              OPTION_LOG};
    (void)state;
    config_read(&config, NULL, 2);
    struct config set = {.shards = config.shards};
    for (size_t i = 0; i < sizeof readable / sizeof *readable; i++)
        assert_true(config_set(&set, readable[i], option_table[readable[i]].fallback, NULL, 0));
    assert_memory_equal(&set, &config, sizeof config);
    assert_string_equal(option_table[OPTION_LISTEN].fallback, "all");
    assert_string_equal(option_table[OPTION_LOG_FILE].fallback, "stderr");
}

static void reads_every_variable(void **state) {
    (void)state;
    READ("UNHERD_MODE=reuseport", "UNHERD_SHARDS=256", "UNHERD_STEAL=0", "UNHERD_ROTATE=1000000",
         "UNHERD_LOG=debug", "UNHERD_LOG_FILE=/var/log/un herd=1.log", "UNHERD_LISTEN=80,!22");
    assert_int_equal(config.complaint_count, 0);
    assert_int_equal(config.mode, MODE_REUSEPORT);
    assert_int_equal(config.shards, 256);
    assert_int_equal(config.steal, 0);
    assert_int_equal(config.rotate, 1000000);
    assert_int_equal(config.log, LOG_DEBUG);
    assert_string_equal(config.log_file, "/var/log/un herd=1.log");
    assert_int_equal(config.rule_count, 2);
}

static void reads_every_word(void **state) {
    static const char *const modes[] = {"auto", "exclusive", "reuseport", "off"};
    static const char *const levels[] = {"off", "warn", "info", "debug"};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_true(config_set(&config, OPTION_MODE, modes[i], NULL, 0));
        assert_int_equal(config.mode, i);
        assert_string_equal(mode_name((enum mode)i), modes[i]);
        assert_true(config_set(&config, OPTION_LOG, levels[i], NULL, 0));
        assert_int_equal(config.log, i);
    }
    assert_non_null(mode_name((enum mode)99));
}

static void shards_follow_the_cpus(void **state) {
    static const unsigned cases[][2] = {{1, 16},    {8, 16},    {9, 18},          {127, 254},
                                        {128, 256}, {129, 256}, {4294967295, 256}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        config_read(&config, NULL, cases[i][0]);
        assert_int_equal(config.shards, cases[i][1]);
    }
}

static void names_a_bad_word(void **state) {
    (void)state;
    READ("UNHERD_MODE=bogus");
    assert_only_complaint("UNHERD_MODE: \"bogus\" is not one of auto, exclusive, reuseport, off; "
                          "using auto");
    assert_defaults();
    READ("UNHERD_LOG=loud");
    assert_only_complaint("UNHERD_LOG: \"loud\" is not one of off, warn, info, debug; using warn");
    assert_defaults();
}

static void words_are_exact(void **state) {
    static const char *const wrong[] = {"Auto",  "aut", "autos",           " auto",
                                        "auto ", "0",   "exclusiv\xc3\xa9"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(config_set(&config, OPTION_MODE, wrong[i], NULL, 0));
}

static void names_a_bad_number(void **state) {
    (void)state;
    READ("UNHERD_SHARDS=x");
    assert_only_complaint("UNHERD_SHARDS: \"x\" is not a number from 1 to 256; using 16");
    READ("UNHERD_STEAL=256");
    assert_only_complaint("UNHERD_STEAL: \"256\" is not a number from 0 to 255; using 15");
    READ("UNHERD_ROTATE=-1");
    assert_only_complaint("UNHERD_ROTATE: \"-1\" is not a number from 0 to 1000000; using 1");
    assert_defaults();
}

static void numbers_are_digits_within_bounds(void **state) {
    static const char *const wrong[] = {"0",
                                        "257",
                                        "-1",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1.0",
                                        "0x10",
                                        "1e2",
                                        "١",
                                        "4294967297",
                                        "18446744073709551617",
                                        "99999999999999999999999"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        config.shards = 5;
        assert_false(config_set(&config, OPTION_SHARDS, wrong[i], NULL, 0));
        assert_int_equal(config.shards, 5);
    }
    assert_true(config_set(&config, OPTION_SHARDS, "1", NULL, 0));
    assert_int_equal(config.shards, 1);
    assert_true(config_set(&config, OPTION_SHARDS, "00000000000000000000000016", NULL, 0));
    assert_int_equal(config.shards, 16);
}

static void shards_complaint_says_what_is_used(void **state) {
    (void)state;
    config_read(&config, (char *[]){"UNHERD_SHARDS=0", NULL}, 20);
    assert_only_complaint("UNHERD_SHARDS: \"0\" is not a number from 1 to 256; using 40");
    assert_int_equal(config.shards, 40);
}

static void empty_is_the_default(void **state) {
    (void)state;
    READ("UNHERD_MODE=", "UNHERD_LISTEN=", "UNHERD_SHARDS=", "UNHERD_STEAL=", "UNHERD_ROTATE=",
         "UNHERD_LOG=", "UNHERD_LOG_FILE=");
    assert_defaults();
    assert_int_equal(config.complaint_count, 0);
}

static void first_of_two_wins(void **state) {
    (void)state;
    READ("UNHERD_MODE=exclusive", "UNHERD_MODE=reuseport", "UNHERD_STEAL=", "UNHERD_STEAL=3",
         "UNHERD_SHARDS=7", "UNHERD_SHARDS=bad");
    assert_int_equal(config.mode, MODE_EXCLUSIVE);
    assert_int_equal(config.steal, 15);
    assert_int_equal(config.shards, 7);
    assert_int_equal(config.complaint_count, 0);
}

static void names_an_unknown_variable(void **state) {
    (void)state;
    READ("UNHERD_FOO=1");
    assert_only_complaint(
        "UNHERD_FOO is not a variable of unherd (UNHERD_MODE, UNHERD_LISTEN, "
        "UNHERD_SHARDS, UNHERD_STEAL, UNHERD_ROTATE, UNHERD_EXEC, UNHERD_LOG, UNHERD_LOG_FILE)");
    READ("UNHERD_MODES=off");
    assert_int_equal(config.complaint_count, 1);
    assert_int_equal(config.mode, MODE_AUTO);
}

static void long_unknown_name_leaves_room_for_the_list(void **state) {
    (void)state;
    READ("UNHERD_A_NAME_WITHOUT_ANY_END_IN_SIGHT=1");
    assert_int_equal(config.complaint_count, 1);
    const char *line = config.complaints[0];
    assert_memory_equal(line, "UNHERD_A_NAME_WITHOUT_AN... is", 30);
    assert_string_equal(line + strlen(line) - 18, ", UNHERD_LOG_FILE)");
}

static void control_characters_do_not_get_out(void **state) {
    (void)state;
    READ("UNHERD_MODE=\033[31m\n\x7f\xff\xfe");
    assert_only_complaint(
        "UNHERD_MODE: \"?[31m????\" is not one of auto, exclusive, reuseport, off; "
        "using auto");
    READ("UNHERD_\nX=1");
    assert_memory_equal(config.complaints[0], "UNHERD_?X is", 12);
}

static void long_values_are_cut(void **state) {
    static char entry[1 << 20] = "UNHERD_MODE=";
    (void)state;
    memset(entry + 12, 'A', sizeof entry - 13);
    READ(entry);
    assert_only_complaint("UNHERD_MODE: \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA...\" is not one "
                          "of auto, exclusive, reuseport, off; using auto");
    strcpy(entry, "UNHERD_STEAL=");
    memset(entry + 13, '1', sizeof entry - 14);
    READ(entry);
    assert_only_complaint("UNHERD_STEAL: \"1111111111111111111111111111111111111111...\" is not a "
                          "number from 0 to 255; using 15");
}

static void too_many_complaints_are_counted_out(void **state) {
    (void)state;
    READ("UNHERD_A=", "UNHERD_B=", "UNHERD_C=", "UNHERD_D=", "UNHERD_E=", "UNHERD_F=", "UNHERD_G=",
         "UNHERD_H=");
    assert_int_equal(config.complaint_count, COMPLAINTS_MAX);
    assert_memory_equal(config.complaints[7], "UNHERD_H is", 11);
    READ("UNHERD_A=", "UNHERD_B=", "UNHERD_C=", "UNHERD_D=", "UNHERD_E=", "UNHERD_F=", "UNHERD_G=",
         "UNHERD_H=", "UNHERD_I=", "UNHERD_J=");
    assert_int_equal(config.complaint_count, COMPLAINTS_MAX);
    assert_memory_equal(config.complaints[6], "UNHERD_G is", 11);
    assert_string_equal(config.complaints[7],
                        "more is wrong with the UNHERD_* variables than is said here");
}

static void log_file_is_an_absolute_path_that_fits(void **state) {
    char path[300];
    (void)state;
    READ("UNHERD_LOG_FILE=unherd.log");
    assert_only_complaint("UNHERD_LOG_FILE: \"unherd.log\" is not an absolute path; using stderr");
    assert_defaults();
    memset(path, 'p', sizeof path);
    path[0] = '/';
    path[255] = '\0';
    assert_true(config_set(&config, OPTION_LOG_FILE, path, NULL, 0));
    assert_string_equal(config.log_file, path);
    path[255] = 'p';
    path[256] = '\0';
    char complaint[COMPLAINT_SIZE];
    assert_false(config_set(&config, OPTION_LOG_FILE, path, complaint, sizeof complaint));
    assert_non_null(strstr(complaint, "is too long a path"));
}

static void config_set_complains_without_a_default(void **state) {
    char complaint[COMPLAINT_SIZE];
    (void)state;
    config_read(&config, NULL, 2);
    assert_false(config_set(&config, OPTION_SHARDS, "x", complaint, sizeof complaint));
    assert_string_equal(complaint, "UNHERD_SHARDS: \"x\" is not a number from 1 to 256");
    assert_defaults();
    assert_int_equal(config.complaint_count, 0);
    assert_false(config_set(&config, OPTION_LISTEN, "80,one,two", complaint, sizeof complaint));
    assert_string_equal(complaint,
                        "UNHERD_LISTEN: \"one\" is not PORT, ADDRESS:PORT, unix:PATH or all");
}

static void config_set_keeps_within_its_buffer(void **state) {
    char complaint[16];
    (void)state;
    memset(complaint, 'x', sizeof complaint);
    assert_false(config_set(&config, OPTION_MODE, "bogus", complaint, 8));
    assert_string_equal(complaint, "UNHERD_");
    assert_int_equal(complaint[8], 'x');
}

/* Every complaint of the worst case is whole. */
static void complaints_fit(void **state) {
    char value[512] = "";
    (void)state;
    memset(value, 'z', sizeof value - 1);
    for (unsigned id = 0; id < OPTION_COUNT; id++) {
        char entry[600];
        size_t length = strlen(option_table[id].variable);
        memcpy(entry, option_table[id].variable, length);
        entry[length] = '=';
        memcpy(entry + length + 1, value, sizeof value);
        if (id == OPTION_LISTEN)
            memcpy(entry + length + 1 + 60, "=zz", 4);
        READ(entry);
        assert_int_equal(config.complaint_count, 1);
        assert_true(strlen(config.complaints[0]) < COMPLAINT_SIZE - 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_set_is_all_defaults),
        cmocka_unit_test(the_table_gives_the_defaults),
        cmocka_unit_test(reads_every_variable),
        cmocka_unit_test(reads_every_word),
        cmocka_unit_test(shards_follow_the_cpus),
        cmocka_unit_test(names_a_bad_word),
        cmocka_unit_test(words_are_exact),
        cmocka_unit_test(names_a_bad_number),
        cmocka_unit_test(numbers_are_digits_within_bounds),
        cmocka_unit_test(shards_complaint_says_what_is_used),
        cmocka_unit_test(empty_is_the_default),
        cmocka_unit_test(first_of_two_wins),
        cmocka_unit_test(names_an_unknown_variable),
        cmocka_unit_test(long_unknown_name_leaves_room_for_the_list),
        cmocka_unit_test(control_characters_do_not_get_out),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(too_many_complaints_are_counted_out),
        cmocka_unit_test(log_file_is_an_absolute_path_that_fits),
        cmocka_unit_test(config_set_complains_without_a_default),
        cmocka_unit_test(config_set_keeps_within_its_buffer),
        cmocka_unit_test(complaints_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
