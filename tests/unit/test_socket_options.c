#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include "lab.h"
#include "socket_options.h"

static const struct {
    int family, level, name, value;
} options[] = {
    {AF_INET, SOL_SOCKET, SO_REUSEADDR, 0},
    {AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, 1},
    {AF_INET, IPPROTO_IP, IP_FREEBIND, 1},
    {AF_INET6, IPPROTO_IPV6, IPV6_FREEBIND, 1},
    {AF_INET, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1},
    {AF_INET, SOL_SOCKET, SO_PRIORITY, 4},
    {AF_INET, SOL_SOCKET, SO_KEEPALIVE, 1},
    {AF_INET, SOL_SOCKET, SO_OOBINLINE, 1},
    {AF_INET, SOL_SOCKET, SO_RCVBUF, 30000},
    {AF_INET, SOL_SOCKET, SO_SNDBUF, 40000},
    {AF_INET, SOL_SOCKET, SO_RCVLOWAT, 7},
    {AF_INET, SOL_SOCKET, SO_ZEROCOPY, 1},
    {AF_INET, SOL_SOCKET, SO_TIMESTAMP, 1},
    {AF_INET, SOL_SOCKET, SO_MAX_PACING_RATE, 1000000},
    {AF_INET, IPPROTO_IP, IP_TOS, 0x10},
    {AF_INET, IPPROTO_IP, IP_TTL, 44},
    {AF_INET, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO},
    {AF_INET, IPPROTO_IP, IP_RECVTOS, 1},
    {AF_INET, IPPROTO_IP, IP_PKTINFO, 1},
    {AF_INET6, IPPROTO_IPV6, IPV6_TCLASS, 0x20},
    {AF_INET6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 33},
    {AF_INET6, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1},
    {AF_INET, IPPROTO_TCP, TCP_NODELAY, 1},
    {AF_INET, IPPROTO_TCP, TCP_CORK, 1},
    {AF_INET, IPPROTO_TCP, TCP_KEEPIDLE, 100},
    {AF_INET, IPPROTO_TCP, TCP_KEEPINTVL, 11},
    {AF_INET, IPPROTO_TCP, TCP_KEEPCNT, 3},
    {AF_INET, IPPROTO_TCP, TCP_SYNCNT, 4},
    {AF_INET, IPPROTO_TCP, TCP_LINGER2, 9},
    {AF_INET, IPPROTO_TCP, TCP_DEFER_ACCEPT, 3},
    {AF_INET, IPPROTO_TCP, TCP_WINDOW_CLAMP, 50000},
    {AF_INET, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000},
    {AF_INET, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 12345},
    {AF_INET, IPPROTO_TCP, TCP_SAVE_SYN, 1},
    {AF_INET, IPPROTO_TCP, TCP_FASTOPEN, 5},
};

static void pair_of(int family, int *from, int *to) {
    *from = bound_socket(family, 0);
    *to = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(*from >= 0 && *to >= 0);
}

/* Each by itself: what one option changes may be the default of another. */
static void every_option_is_copied(void **state) {
    (void)state;
    int copied = 0;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        int from, to;
        pair_of(options[i].family, &from, &to);
        int value = options[i].value;
        if (setsockopt(from, options[i].level, options[i].name, &value, sizeof value) == 0) {
            assert_int_equal(socket_options_copy(from, to), 0);
            if (int_option(from, options[i].level, options[i].name) !=
                int_option(to, options[i].level, options[i].name))
                fail_msg("row %zu was not copied", i);
            copied++;
        }
        close(from);
        close(to);
    }
    assert_true(copied > 25); /* some need privileges, or a newer kernel */
}

static void structures_and_names_are_copied(void **state) {
    (void)state;
    int from, to;
    pair_of(AF_INET, &from, &to);
    struct linger linger = {1, 5};
    struct timeval most = {3, 0};
    char name[16] = "reno";
    assert_return_code(setsockopt(from, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), errno);
    assert_return_code(setsockopt(from, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most), errno);
    assert_return_code(setsockopt(from, IPPROTO_TCP, TCP_CONGESTION, name, 4), errno);
    assert_int_equal(socket_options_copy(from, to), 0);
    socklen_t length = sizeof linger;
    linger = (struct linger){0};
    assert_return_code(getsockopt(to, SOL_SOCKET, SO_LINGER, &linger, &length), errno);
    assert_true(linger.l_onoff == 1 && linger.l_linger == 5);
    length = sizeof most;
    most = (struct timeval){0};
    assert_return_code(getsockopt(to, SOL_SOCKET, SO_RCVTIMEO, &most, &length), errno);
    assert_int_equal(most.tv_sec, 3);
    length = sizeof name;
    assert_return_code(getsockopt(to, IPPROTO_TCP, TCP_CONGESTION, name, &length), errno);
    assert_string_equal(name, "reno");
    close(from);
    close(to);
}

/* Setting a buffer's size, even to what it is, would end its auto-tuning: nothing is set in vain.
 */
static void equal_options_are_left_alone(void **state) {
    (void)state;
    int from, to;
    pair_of(AF_INET, &from, &to);
    int before = int_option(to, SOL_SOCKET, SO_RCVBUF);
    assert_int_equal(socket_options_copy(from, to), 0);
    assert_int_equal(int_option(to, SOL_SOCKET, SO_RCVBUF), before);
    assert_int_equal(int_option(to, SOL_SOCKET, SO_REUSEADDR), 1);
    close(from);
    close(to);
}

static void a_filter_is_copied(void **state) {
    (void)state;
    int from, to;
    pair_of(AF_INET, &from, &to);
    struct sock_filter code[] = {{BPF_RET | BPF_K, 0, 0, 0xffff}};
    struct sock_fprog program = {1, code};
    if (setsockopt(from, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
        skip(); /* not everybody may */
    assert_int_equal(socket_options_copy(from, to), 0);
    struct sock_filter seen[4];
    socklen_t count = 4;
    assert_return_code(getsockopt(to, SOL_SOCKET, SO_GET_FILTER, seen, &count), errno);
    assert_int_equal(count, 1);
    assert_int_equal(seen[0].k, 0xffff);
    close(from);
    close(to);
}

static void one_that_matters_and_is_refused_is_an_error(void **state) {
    (void)state;
    int from, to;
    pair_of(AF_INET6, &from, &to);
    int other = bound_socket(AF_INET6, 0); /* IPV6_V6ONLY: set by the bind, and fixed by it */
    assert_int_equal(int_option(other, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    assert_int_equal(int_option(to, IPPROTO_IPV6, IPV6_V6ONLY), 0);
    assert_int_equal(socket_options_copy(to, other), -1);
    close(from);
    close(to);
    close(other);
}

static void options_of_the_group_are_not_shared(void **state) {
    (void)state;
    assert_false(socket_option_is_shared(SOL_SOCKET, SO_REUSEPORT));
    assert_false(socket_option_is_shared(SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF));
    assert_false(socket_option_is_shared(SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF));
    assert_true(socket_option_is_shared(SOL_SOCKET, SO_KEEPALIVE));
    assert_true(socket_option_is_shared(IPPROTO_TCP, SO_REUSEPORT)); /* another level's 15 */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_is_copied),
        cmocka_unit_test(structures_and_names_are_copied),
        cmocka_unit_test(equal_options_are_left_alone),
        cmocka_unit_test(a_filter_is_copied),
        cmocka_unit_test(one_that_matters_and_is_refused_is_an_error),
        cmocka_unit_test(options_of_the_group_are_not_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
