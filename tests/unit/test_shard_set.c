#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <time.h>

#include "hidden.h"
#include "lab.h"

static struct shard_set set;
static const char *why;

static int make_for(int fd, int wanted) {
    why = "not told";
    assert_true(set_make(&set, fd, wanted, 64, &why));
    return set.count;
}

static void a_set_has_spares_at_the_same_address(void **state) {
    (void)state;
    int fd = listening_socket();
    assert_int_equal(make_for(fd, 5), 5);
    assert_null(why);
    for (int i = 1; i < 5; i++) {
        assert_int_equal(port_of_socket(set.fd[i]), port_of_socket(fd));
        assert_int_equal(int_option(set.fd[i], SOL_SOCKET, SO_ACCEPTCONN), 0);
        assert_false(set_is_listening(&set, i));
        assert_true(fcntl(set.fd[i], F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(set.fd[i], F_GETFD) & FD_CLOEXEC);
    }
    assert_true(set_is_listening(&set, 0));
    set_close(&set);
    close(fd);
}

static void ip6_and_v6only_are_carried_over(void **state) {
    (void)state;
    for (int only = 0; only < 2; only++) {
        struct sockaddr_in6 any = {.sin6_family = AF_INET6};
        int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only), errno);
        assert_return_code(bind(fd, (struct sockaddr *)&any, sizeof any), errno);
        assert_return_code(listen(fd, 5), errno);
        assert_int_equal(make_for(fd, 3), 3);
        for (int i = 1; i < 3; i++)
            assert_int_equal(int_option(set.fd[i], IPPROTO_IPV6, IPV6_V6ONLY), only);
        set_close(&set);
        close(fd);
    }
}

/* Whose spares cannot be bound: the listener is as it was, and nothing is left over. */
static void a_failure_leaves_no_trace(void **state) {
    (void)state;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sa_family_t nameless = AF_UNIX; /* the kernel picks an abstract name */
    assert_return_code(bind(fd, (struct sockaddr *)&nameless, sizeof nameless), errno);
    assert_return_code(listen(fd, 5), errno);
    int open_before = open_descriptors();
    assert_int_equal(make_for(fd, 4), 1);
    assert_non_null(why);
    assert_int_equal(set.kick_fd, -1);
    assert_int_equal(int_option(fd, SOL_SOCKET, SO_REUSEPORT), 0);
    set_close(&set);
    assert_int_equal(open_descriptors(), open_before);
    close(fd);
}

static void an_address_that_is_not_there_yet(void **state) {
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in nowhere = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
    assert_return_code(setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &(int){1}, sizeof(int)), errno);
    assert_return_code(bind(fd, (struct sockaddr *)&nowhere, sizeof nowhere), errno);
    assert_return_code(listen(fd, 5), errno);
    assert_int_equal(make_for(fd, 3), 3); /* IP_FREEBIND is copied before the bind */
    set_close(&set);
    close(fd);
}

/* Four shards that all listen. */
static void listen_on_four(int fd) {
    make_for(fd, 4);
    for (int i = 1; i < 4; i++) {
        assert_return_code(set_listen(&set, i), errno);
        atomic_store(&set.shared->shards[i].state, SHARD_LISTENING);
        assert_true(set_accepts(&set, i));
    }
}

static int make_four(void) {
    int fd = listening_socket();
    listen_on_four(fd);
    return fd;
}

/* A spare receives nothing; all receive once they listen. */
static void queues_are_added_up(void **state) {
    (void)state;
    int fd = make_four();
    int visitors[40];
    struct tcp_info info = {0};
    for (int i = 0; i < 40; i++)
        assert_return_code(visitors[i] = visitor(port_of_socket(fd)), errno);
    for (int i = 0; i < 1000 && info.tcpi_unacked < 40; i++) {
        socklen_t length = sizeof info;
        assert_return_code(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), errno);
        set_add_queues(&set, &info);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_int_equal(info.tcpi_unacked, 40);
    assert_int_equal(info.tcpi_sacked, 4 * 64); /* the backlogs */
    for (int i = 0; i < 40; i++)
        close(visitors[i]);
    set_close(&set);
    close(fd);
}

static int queued_at(int fd) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    assert_return_code(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), errno);
    return (int)info.tcpi_unacked;
}

/* Every new connection goes to shard 0, whichever others listen; and a spare does not begin to. */
static void what_is_handed_over_gets_all(void **state) {
    (void)state;
    int fd = make_four();
    int visitors[40];
    set_hand_over(&set, fd);
    for (int i = 0; i < 40; i++)
        assert_return_code(visitors[i] = visitor(port_of_socket(fd)), errno);
    for (int i = 0; i < 1000 && queued_at(fd) < 40; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(queued_at(fd), 40);
    assert_int_equal(set_listen(&set, 1), -1);
    for (int i = 0; i < 40; i++)
        close(visitors[i]);
    set_close(&set);
    close(fd);
}

/* The kernel forgets a group's choice with the last socket that leaves it: HAProxy pauses its
 * listener when a successor that has it already cannot start, and goes on alone. */
static void what_was_handed_over_gets_all_after_a_pause(void **state) {
    (void)state;
    int chosen = listening_socket();
    int port = port_of_socket(chosen);
    int visitors[40];
    close(chosen);
    int fd = bound_socket(AF_INET, port); /* by its number: one that the kernel chose is lost */
    assert_return_code(listen(fd, 64), errno);
    listen_on_four(fd);
    set_hand_over(&set, fd);
    shutdown(fd, SHUT_RDWR);
    set_shutdown(&set, SHUT_RDWR);
    assert_return_code(listen(fd, 64), errno);
    set_listen_again(&set, fd, 64);
    for (int i = 0; i < 40; i++)
        assert_return_code(visitors[i] = visitor(port), errno);
    for (int i = 0; i < 1000 && queued_at(fd) < 40; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(queued_at(fd), 40);
    for (int i = 0; i < 40; i++)
        close(visitors[i]);
    set_close(&set);
    close(fd);
}

static void an_outsider_gets_eaddrinuse(void **state) {
    (void)state;
    int fd = listening_socket();
    int port = port_of_socket(fd);
    make_for(fd, 4);
    assert_int_equal(bound_socket(AF_INET, port), -1);
    assert_int_equal(errno, EADDRINUSE);
    set_close(&set);
    assert_int_equal(bound_socket(AF_INET, port), -1);
    close(fd);
    fd = bound_socket(AF_INET, port);
    assert_return_code(fd, errno);
    close(fd);
}

static void shutdown_and_listen_reach_every_shard(void **state) {
    (void)state;
    int fd = listening_socket();
    make_for(fd, 3);
    set_listen(&set, 1);
    atomic_store(&set.shared->shards[1].state, SHARD_LISTENING);
    set_shutdown(&set, SHUT_WR); /* which the kernel takes for nothing on a listener */
    assert_true(set_accepts(&set, 1));
    set_shutdown(&set, SHUT_RD);
    assert_false(set_accepts(&set, 1));
    assert_int_equal(set_listen(&set, 2), -1);
    set_listen_again(&set, fd, 10);
    assert_true(set_accepts(&set, 1));
    assert_false(set_accepts(&set, 2));
    assert_return_code(set_listen(&set, 2), errno);
    set_option(&set, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
    for (int i = 1; i < 3; i++)
        assert_int_equal(int_option(set.fd[i], SOL_SOCKET, SO_KEEPALIVE), 1);
    set_close(&set);
    close(fd);
}

static void whether_the_listener_blocks_is_remembered(void **state) {
    (void)state;
    int fd = listening_socket();
    make_for(fd, 2);
    assert_false(set_blocks(&set, 0, fd));
    assert_int_equal(atomic_load(&set.shared->shards[0].nonblocking), 1);
    fcntl(fd, F_SETFL, 0);
    atomic_store(&set.shared->shards[0].nonblocking, 0); /* what the hook of fcntl does */
    assert_true(set_blocks(&set, 0, fd));
    assert_true(set_blocks(&set, 0, fd));
    set_close(&set);
    close(fd);
}

/* ---- few descriptors ---- */

static rlim_t limit_to(rlim_t most) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = most;
    assert_return_code(setrlimit(RLIMIT_NOFILE, &limit), errno);
    return before;
}

/* An eighth is ours: the memory, the kick, and what is left over are spares. */
static void few_descriptors_make_few_spares(void **state) {
    (void)state;
    int fd = listening_socket();
    rlim_t before = limit_to(64);
    assert_int_equal(make_for(fd, 16), 7);
    assert_non_null(why);
    set_close(&set);
    limit_to(24);
    assert_int_equal(make_for(fd, 16), 2);
    set_close(&set);
    limit_to(16);
    assert_int_equal(make_for(fd, 16), 1);
    assert_non_null(why);
    assert_int_equal(errno, EMFILE);
    set_close(&set);
    limit_to(before);
    close(fd);
}

static void no_memory_means_no_set(void **state) {
    (void)state;
    int fd = listening_socket();
    rlim_t before = limit_to(7); /* an eighth of it is nothing */
    int open_before = open_descriptors();
    assert_false(set_make(&set, fd, 4, 64, &why));
    assert_int_equal(errno, EMFILE);
    assert_non_null(why);
    assert_int_equal(open_descriptors(), open_before);
    limit_to(before);
    close(fd);
}

static void making_and_closing_leaks_nothing(void **state) {
    (void)state;
    int fd = listening_socket();
    int open_before = open_descriptors();
    unsigned room = hidden_room();
    for (int i = 0; i < 50; i++) {
        make_for(fd, 6);
        set_close(&set);
    }
    assert_int_equal(open_descriptors(), open_before);
    assert_int_equal(hidden_room(), room);
    close(fd);
}

static void a_kick_wakes_and_is_counted(void **state) {
    (void)state;
    int fd = listening_socket();
    make_for(fd, 2);
    struct pollfd kick = {.fd = set.kick_fd, .events = POLLIN};
    assert_int_equal(poll(&kick, 1, 0), 0);
    set_kick(&set);
    assert_int_equal(poll(&kick, 1, 0), 1);
    assert_int_equal(atomic_load(&set.shared->kicks_started), 1);
    assert_int_equal(atomic_load(&set.shared->kicks_done), 1);
    set_close(&set);
    make_for(fd, 1);
    set_kick(&set); /* nobody to kick */
    assert_int_equal(atomic_load(&set.shared->kicks_started), 0);
    set_close(&set);
    close(fd);
}

static void a_raised_limit_moves_everything_up(void **state) {
    (void)state;
    rlim_t before = limit_to(200);
    int fd = listening_socket();
    make_for(fd, 4);
    limit_to(before);
    set_move_up(&set);
    for (int i = 1; i < 4; i++) {
        assert_true(set.fd[i] >= 200);
        assert_int_equal(port_of_socket(set.fd[i]), port_of_socket(fd));
    }
    assert_true(set.memory_fd >= 200 && set.kick_fd >= 200);
    set_close(&set);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_has_spares_at_the_same_address),
        cmocka_unit_test(ip6_and_v6only_are_carried_over),
        cmocka_unit_test(a_failure_leaves_no_trace),
        cmocka_unit_test(an_address_that_is_not_there_yet),
        cmocka_unit_test(queues_are_added_up),
        cmocka_unit_test(what_is_handed_over_gets_all),
        cmocka_unit_test(what_was_handed_over_gets_all_after_a_pause),
        cmocka_unit_test(an_outsider_gets_eaddrinuse),
        cmocka_unit_test(shutdown_and_listen_reach_every_shard),
        cmocka_unit_test(whether_the_listener_blocks_is_remembered),
        cmocka_unit_test(few_descriptors_make_few_spares),
        cmocka_unit_test(no_memory_means_no_set),
        cmocka_unit_test(making_and_closing_leaks_nothing),
        cmocka_unit_test(a_kick_wakes_and_is_counted),
        cmocka_unit_test(a_raised_limit_moves_everything_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
