/* The log, and the addresses in its lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/un.h>

#include "address.h"
#include "lab.h"
#include "log.h"

static char path[] = "/tmp/unherd-log-XXXXXX";

static int begin(void **state) {
    (void)state;
    static struct config config = {.log = LOG_INFO};
    int fd = mkstemp(path);
    assert_return_code(fd, errno);
    close(fd);
    snprintf(config.log_file, sizeof config.log_file, "%s", path);
    return log_start(&config) ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    return unlink(path);
}

/* What was written since the last call. */
static const char *written(void) {
    static char text[2048];
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ssize_t size = read(fd, text, sizeof text - 1);
    text[size > 0 ? size : 0] = '\0';
    assert_return_code(ftruncate(fd, 0), errno);
    close(fd);
    return text;
}

static void a_line_is_what_was_said(void **state) {
    (void)state;
    log_line(LOG_WARN, "%s: %d shards, %u, 100%%", "here", -3, 4000000000U);
    assert_string_equal(written(), "unherd: here: -3 shards, 4000000000, 100%\n");
    log_line(LOG_INFO, "plain");
    assert_string_equal(written(), "unherd: plain\n");
}

static void what_is_not_wanted_is_not_written(void **state) {
    (void)state;
    log_line(LOG_DEBUG, "no");
    log_line(LOG_OFF, "no");
    assert_string_equal(written(), "");
    assert_true(log_wants(LOG_WARN) && log_wants(LOG_INFO));
    assert_false(log_wants(LOG_DEBUG) || log_wants(LOG_OFF));
}

static void a_long_line_ends_with_a_newline_too(void **state) {
    (void)state;
    char word[700];
    memset(word, 'w', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    log_line(LOG_WARN, "%s", word);
    const char *text = written();
    assert_in_range(strlen(text), 500, 512);
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void errno_is_kept_and_named(void **state) {
    (void)state;
    errno = EXDEV;
    log_line(LOG_WARN, "something");
    assert_int_equal(errno, EXDEV);
    written();
    assert_string_equal(log_errno(EMFILE), "EMFILE");
    assert_string_equal(log_errno(99999), "error");
}

static void addresses_are_written_as_people_do(void **state) {
    (void)state;
    char text[ADDRESS_SIZE];
    struct sockaddr_in ip4 = {.sin_family = AF_INET, .sin_port = htons(80)};
    address_format((struct sockaddr *)&ip4, sizeof ip4, text, sizeof text);
    assert_string_equal(text, "0.0.0.0:80");
    struct sockaddr_in6 ip6 = {.sin6_family = AF_INET6, .sin6_port = htons(65535)};
    ip6.sin6_addr = in6addr_loopback;
    address_format((struct sockaddr *)&ip6, sizeof ip6, text, sizeof text);
    assert_string_equal(text, "[::1]:65535");
    struct sockaddr other = {.sa_family = 40};
    address_format(&other, sizeof other, text, sizeof text);
    assert_string_equal(text, "family 40");
    address_format((struct sockaddr *)&ip6, sizeof ip6, text, 5);
    assert_string_equal(text, "[::1");
}

static void local_addresses_of_every_kind(void **state) {
    (void)state;
    char text[ADDRESS_SIZE];
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
    const struct sockaddr *address = (struct sockaddr *)&local;
    socklen_t start = offsetof(struct sockaddr_un, sun_path);
    address_format(address, start + 7, text, sizeof text);
    assert_string_equal(text, "unix:/run/x");
    memcpy(local.sun_path, "\0name", 5);
    address_format(address, start + 5, text, sizeof text);
    assert_string_equal(text, "unix:@name");
    address_format(address, start, text, sizeof text);
    assert_string_equal(text, "unix:");
    memset(local.sun_path, 'p', sizeof local.sun_path); /* no terminator in the address */
    address_format(address, sizeof local, text, sizeof text);
    assert_int_equal(strlen(text), 5 + sizeof local.sun_path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_what_was_said),
        cmocka_unit_test(what_is_not_wanted_is_not_written),
        cmocka_unit_test(a_long_line_ends_with_a_newline_too),
        cmocka_unit_test(errno_is_kept_and_named),
        cmocka_unit_test(addresses_are_written_as_people_do),
        cmocka_unit_test(local_addresses_of_every_kind),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
