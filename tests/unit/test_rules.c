#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <cmocka.h>

#include "config.h"

static struct config config;

/* Reads UNHERD_LISTEN beside a global mode of `exclusive`. */
static void listen_to(const char *list) {
    static char entry[16384];
    snprintf(entry, sizeof entry, "UNHERD_LISTEN=%s", list);
    config_read(&config, (char *[]){"UNHERD_MODE=exclusive", entry, NULL}, 2);
}

static enum mode mode_at_ip(const char *host, unsigned port) {
    struct sockaddr_in ip4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 ip6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &ip4.sin_addr) == 1)
        return config_mode_for(&config, (void *)&ip4, sizeof ip4);
    assert_int_equal(inet_pton(AF_INET6, host, &ip6.sin6_addr), 1);
    return config_mode_for(&config, (void *)&ip6, sizeof ip6);
}

/* A leading '@' stands for the abstract name space; the name has no terminator there. */
static enum mode mode_at_unix(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    memcpy(address.sun_path, path, length);
    if (*path == '@')
        address.sun_path[0] = '\0';
    else
        length++;
    return config_mode_for(&config, (void *)&address,
                           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
}

#define ASSERT_IP(host, port, mode) assert_string_equal(mode_name(mode_at_ip(host, port)), mode)
#define ASSERT_UNIX(path, mode) assert_string_equal(mode_name(mode_at_unix(path)), mode)

static void no_list_is_everything(void **state) {
    static const char *const lists[] = {"", "all", " all ", ",", " , ,"};
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        listen_to(lists[i]);
        assert_int_equal(config.complaint_count, 0);
        ASSERT_IP("0.0.0.0", 80, "exclusive");
        ASSERT_IP("::", 80, "exclusive");
        ASSERT_UNIX("/run/x.sock", "exclusive");
        ASSERT_UNIX("@x", "exclusive");
    }
}

static void port_is_of_any_address(void **state) {
    static const char *const lists[] = {"80", "*:80", " 80 ", "080"};
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        listen_to(lists[i]);
        assert_int_equal(config.complaint_count, 0);
        ASSERT_IP("0.0.0.0", 80, "exclusive");
        ASSERT_IP("127.0.0.1", 80, "exclusive");
        ASSERT_IP("::1", 80, "exclusive");
        ASSERT_IP("127.0.0.1", 81, "off");
        ASSERT_IP("::1", 8080, "off");
        ASSERT_UNIX("/80", "off");
    }
}

static void ip4_address_is_exact(void **state) {
    (void)state;
    listen_to("127.0.0.1:8080");
    ASSERT_IP("127.0.0.1", 8080, "exclusive");
    ASSERT_IP("::ffff:127.0.0.1", 8080, "exclusive");
    ASSERT_IP("127.0.0.2", 8080, "off");
    ASSERT_IP("127.0.0.1", 8081, "off");
    ASSERT_IP("0.0.0.0", 8080, "off");
    ASSERT_IP("::1", 8080, "off");
    listen_to("0.0.0.0:80");
    ASSERT_IP("0.0.0.0", 80, "exclusive");
    ASSERT_IP("127.0.0.1", 80, "off");
    ASSERT_IP("::", 80, "off");
}

static void ip6_address_is_exact(void **state) {
    (void)state;
    listen_to("[::1]:*,[2001:db8::1]:443");
    ASSERT_IP("::1", 1, "exclusive");
    ASSERT_IP("::1", 65535, "exclusive");
    ASSERT_IP("2001:db8::1", 443, "exclusive");
    ASSERT_IP("2001:db8::1", 80, "off");
    ASSERT_IP("::", 443, "off");
    ASSERT_IP("0.0.0.1", 443, "off");
    listen_to("[::ffff:127.0.0.1]:80");
    ASSERT_IP("127.0.0.1", 80, "exclusive");
    ASSERT_IP("::ffff:127.0.0.1", 80, "exclusive");
    ASSERT_IP("::ffff:127.0.0.2", 80, "off");
}

static void any_address_and_port_is_all_but_unix(void **state) {
    (void)state;
    listen_to("*:*");
    ASSERT_IP("10.0.0.1", 1234, "exclusive");
    ASSERT_IP("::", 22, "exclusive");
    ASSERT_UNIX("/run/x.sock", "off");
}

static void unix_paths_are_exact(void **state) {
    (void)state;
    listen_to("unix:/run/x.sock,unix:@name");
    assert_int_equal(config.complaint_count, 0);
    ASSERT_UNIX("/run/x.sock", "exclusive");
    ASSERT_UNIX("@name", "exclusive");
    ASSERT_UNIX("/run/x.soc", "off");
    ASSERT_UNIX("/run/x.sock2", "off");
    ASSERT_UNIX("@/run/x.sock", "off");
    ASSERT_UNIX("name", "off");
    ASSERT_UNIX("@nam", "off");
    ASSERT_UNIX("@names", "off");
    ASSERT_IP("0.0.0.0", 80, "off");
    listen_to("unix:*=off");
    ASSERT_UNIX("/a", "off");
    ASSERT_UNIX("@a", "off");
}

/* A relative path that begins with '@' is a file, and no abstract name. */
static void file_called_at_is_not_abstract(void **state) {
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "@name"};
    (void)state;
    listen_to("unix:@name");
    assert_int_equal(config_mode_for(&config, (void *)&address, sizeof address), MODE_OFF);
}

static void longest_unix_path(void **state) {
    char path[110], list[128];
    (void)state;
    memset(path, 'p', sizeof path);
    path[0] = '/';
    path[107] = '\0';
    snprintf(list, sizeof list, "!unix:%s", path);
    listen_to(list);
    assert_int_equal(config.complaint_count, 0);
    ASSERT_UNIX(path, "off");
    ASSERT_UNIX("/p", "exclusive");
    path[107] = 'p';
    path[108] = '\0';
    snprintf(list, sizeof list, "unix:%s", path);
    listen_to(list);
    assert_int_equal(config.complaint_count, 1);
    assert_non_null(strstr(config.complaints[0], "has too long a path for a socket; ignored"));
}

/* The kernel takes a path of all 108 bytes, without a terminator. */
static void unterminated_unix_path_is_read_to_its_end(void **state) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    memset(address.sun_path, 'p', sizeof address.sun_path);
    address.sun_path[0] = '/';
    listen_to("unix:*");
    assert_int_equal(config_mode_for(&config, (void *)&address, sizeof address), MODE_EXCLUSIVE);
    listen_to("unix:/p");
    assert_int_equal(config_mode_for(&config, (void *)&address, sizeof address), MODE_OFF);
}

static void excluded_wins_over_listed(void **state) {
    (void)state;
    listen_to("80,443,!127.0.0.1:80");
    ASSERT_IP("0.0.0.0", 80, "exclusive");
    ASSERT_IP("127.0.0.1", 80, "off");
    ASSERT_IP("127.0.0.1", 443, "exclusive");
    listen_to("!22");
    ASSERT_IP("0.0.0.0", 22, "off");
    ASSERT_IP("0.0.0.0", 80, "exclusive");
    ASSERT_UNIX("/run/x.sock", "exclusive");
    listen_to("!all,80");
    ASSERT_IP("0.0.0.0", 80, "off");
    ASSERT_UNIX("/run/x.sock", "off");
}

static void first_matching_mode_is_taken(void **state) {
    (void)state;
    listen_to("443=reuseport,127.0.0.1:443=off,80,[::1]:80=auto,unix:/run/x.sock=reuseport");
    assert_int_equal(config.complaint_count, 0);
    ASSERT_IP("127.0.0.1", 443, "reuseport");
    ASSERT_IP("0.0.0.0", 80, "exclusive");
    ASSERT_IP("::1", 80, "auto");
    ASSERT_UNIX("/run/x.sock", "reuseport");
    ASSERT_IP("0.0.0.0", 8080, "off");
}

static void all_keeps_the_others(void **state) {
    (void)state;
    listen_to("all,443=reuseport,!22");
    assert_int_equal(config.complaint_count, 0);
    ASSERT_IP("0.0.0.0", 443, "reuseport");
    ASSERT_IP("0.0.0.0", 80, "exclusive");
    ASSERT_IP("0.0.0.0", 22, "off");
    ASSERT_UNIX("@x", "exclusive");
    listen_to("443=off,all=reuseport");
    ASSERT_IP("0.0.0.0", 443, "off");
    ASSERT_IP("0.0.0.0", 80, "reuseport");
    ASSERT_UNIX("@x", "reuseport");
}

static void spaces_around_items_do_not_matter(void **state) {
    (void)state;
    listen_to("  80 ,443=reuseport  ,,  !22  ,");
    assert_int_equal(config.complaint_count, 0);
    assert_int_equal(config.rule_count, 3);
    ASSERT_IP("0.0.0.0", 443, "reuseport");
}

static void names_each_bad_item(void **state) {
    static const struct {
        const char *item;
        const char *reason;
    } bad[] = {
        {"0", "is not PORT, ADDRESS:PORT, unix:PATH or all"},
        {"65536", "is not PORT, ADDRESS:PORT, unix:PATH or all"},
        {"http", "is not PORT, ADDRESS:PORT, unix:PATH or all"},
        {"*", "is not PORT, ADDRESS:PORT, unix:PATH or all"},
        {"127.0.0.1", "is not PORT, ADDRESS:PORT, unix:PATH or all"},
        {"!", "is not PORT, ADDRESS:PORT, unix:PATH or all"},
        {"! 22", "is not PORT, ADDRESS:PORT, unix:PATH or all"},
        {"!!22", "is not PORT, ADDRESS:PORT, unix:PATH or all"},
        {"=off", "is not PORT, ADDRESS:PORT, unix:PATH or all"},
        {"127.0.0.1:", "has a port that is neither 1 to 65535 nor *"},
        {"127.0.0.1:0", "has a port that is neither 1 to 65535 nor *"},
        {"[::1]:99999", "has a port that is neither 1 to 65535 nor *"},
        {"localhost:80", "has no IPv4 address or * before its port"},
        {"127.0.0.256:80", "has no IPv4 address or * before its port"},
        {"127.1:80", "has no IPv4 address or * before its port"},
        {":80", "has no IPv4 address or * before its port"},
        {"::1:80", "needs brackets around its IPv6 address"},
        {"[::1:80", "has a '[' without ']:PORT'"},
        {"[::1]80", "has a '[' without ']:PORT'"},
        {"[::1]", "has a '[' without ']:PORT'"},
        {"[::g]:80", "has no IPv6 address between its brackets"},
        {"[127.0.0.1]:80", "has no IPv6 address between its brackets"},
        {"[fe80::1%lo]:80", "has no IPv6 address between its brackets"},
        {"unix:", "has a socket that is neither /PATH, @NAME nor *"},
        {"unix:run/x", "has a socket that is neither /PATH, @NAME nor *"},
        {"unix:@", "names no socket"},
        {"unix:/", "names no socket"},
        {"80=bogus", "has a mode that is not auto, exclusive, reuseport or off"},
        {"80=", "has a mode that is not auto, exclusive, reuseport or off"},
        {"unix:/run/a=b", "has a mode that is not auto, exclusive, reuseport or off"},
        {"!80=off", "has both ! and a mode"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char list[64], complaint[COMPLAINT_SIZE];
        snprintf(list, sizeof list, "81,%s,82", bad[i].item);
        listen_to(list);
        snprintf(complaint, sizeof complaint, "UNHERD_LISTEN: \"%s\" %s; ignored", bad[i].item,
                 bad[i].reason);
        assert_int_equal(config.complaint_count, 1);
        assert_string_equal(config.complaints[0], complaint);
        ASSERT_IP("0.0.0.0", 81, "exclusive");
        ASSERT_IP("0.0.0.0", 82, "exclusive");
        ASSERT_IP("0.0.0.0", 80, "off");
    }
}

static void only_bad_items_is_everything(void **state) {
    (void)state;
    listen_to("http,https");
    assert_int_equal(config.complaint_count, 2);
    assert_int_equal(config.rule_count, 0);
    ASSERT_IP("0.0.0.0", 12345, "exclusive");
}

static void long_list_is_cut_with_a_word(void **state) {
    char list[512] = "";
    (void)state;
    for (int i = 1; i <= RULES_MAX + 1; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%d,", i);
    listen_to(list);
    assert_int_equal(config.rule_count, RULES_MAX);
    assert_int_equal(config.complaint_count, 1);
    assert_string_equal(config.complaints[0],
                        "UNHERD_LISTEN: \"33\" is one item too many; ignored");
    ASSERT_IP("0.0.0.0", 32, "exclusive");
    ASSERT_IP("0.0.0.0", 33, "off");
}

static void hostile_lists_are_survived(void **state) {
    static char list[10000];
    static const char bytes[] = "!=:[]*@/,\xff\n a8";
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 2000; round++) {
        size_t length = (seed >> 8) % (round % 10 ? 40 : sizeof list - 1);
        for (size_t i = 0; i < length; i++) {
            seed = seed * 1103515245 + 12345;
            list[i] = bytes[(seed >> 16) % (sizeof bytes - 1)];
        }
        list[length] = '\0';
        listen_to(list);
        assert_true(config.rule_count <= RULES_MAX);
        assert_true(config.complaint_count <= COMPLAINTS_MAX);
        for (unsigned i = 0; i < config.complaint_count; i++)
            assert_non_null(memchr(config.complaints[i], '\0', COMPLAINT_SIZE));
        seed++;
    }
}

static void odd_addresses_match_no_item(void **state) {
    struct sockaddr_in ip4 = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr other = {.sa_family = 40};
    (void)state;
    listen_to("80,unix:*");
    assert_int_equal(config_mode_for(&config, (void *)&ip4, sizeof ip4), MODE_EXCLUSIVE);
    assert_int_equal(config_mode_for(&config, (void *)&ip4, 4), MODE_OFF);
    assert_int_equal(config_mode_for(&config, (void *)&ip4, 0), MODE_OFF);
    assert_int_equal(config_mode_for(&config, &other, sizeof other), MODE_OFF);
    ip4.sin_family = AF_UNIX; /* an unnamed socket */
    assert_int_equal(config_mode_for(&config, (void *)&ip4, sizeof(sa_family_t)), MODE_EXCLUSIVE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_list_is_everything),
        cmocka_unit_test(port_is_of_any_address),
        cmocka_unit_test(ip4_address_is_exact),
        cmocka_unit_test(ip6_address_is_exact),
        cmocka_unit_test(any_address_and_port_is_all_but_unix),
        cmocka_unit_test(unix_paths_are_exact),
        cmocka_unit_test(file_called_at_is_not_abstract),
        cmocka_unit_test(longest_unix_path),
        cmocka_unit_test(unterminated_unix_path_is_read_to_its_end),
        cmocka_unit_test(excluded_wins_over_listed),
        cmocka_unit_test(first_matching_mode_is_taken),
        cmocka_unit_test(all_keeps_the_others),
        cmocka_unit_test(spaces_around_items_do_not_matter),
        cmocka_unit_test(names_each_bad_item),
        cmocka_unit_test(only_bad_items_is_everything),
        cmocka_unit_test(long_list_is_cut_with_a_word),
        cmocka_unit_test(hostile_lists_are_survived),
        cmocka_unit_test(odd_addresses_match_no_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
