/* order: of several shards where something is queued, which one is taken from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/tcp.h>
#include <poll.h>

#include "clock.h"
#include "lab.h"
#include "watch_order.h"
#include "worker.h"

enum { SHARDS = 8, HOME = 1, OTHER = 3, THIRD = 5 };

static struct shard_set set;
static int listener_fd;
static struct pollfd list[SHARDS];
static int shards[SHARDS];

/* Home, and two others that a thief watches; something is queued in each. */
static int make_set(void **state) {
    (void)state;
    const char *why = NULL;
    listener_fd = listening_socket();
    assert_true(set_make(&set, listener_fd, SHARDS, 64, &why));
    const int those[] = {HOME, OTHER, THIRD};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(worker_claim(&set, &(struct shard_bits){0}, those[i]), those[i]);
        shards[i] = those[i];
        list[i] = (struct pollfd){.fd = set.fd[those[i]], .events = POLLIN, .revents = POLLIN};
    }
    return 0;
}

static int close_set(void **state) {
    (void)state;
    set_close(&set);
    close(listener_fd);
    return 0;
}

static int chosen(int count, bool is_home_first) {
    struct order order = {list, shards, count, is_home_first};
    return shards[order_choose(&set, &order)];
}

static uint64_t microseconds(void) {
    struct timespec now = clock_now();
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void somebody_waits_since(int shard, int64_t ago) {
    atomic_store(&set.shared->shards[shard].queued_us, microseconds() - (uint64_t)ago);
}

static bool is_known(int shard) {
    return atomic_load(&set.shared->shards[shard].queued_us) != 0;
}

static void home_is_first(void **state) {
    (void)state;
    assert_int_equal(chosen(3, true), HOME);
}

static void who_is_known_to_wait_for_longer_goes_before(void **state) {
    (void)state;
    somebody_waits_since(OTHER, 10000);
    assert_int_equal(chosen(3, true), OTHER);
    somebody_waits_since(THIRD, 20000);
    assert_int_equal(chosen(3, true), THIRD);
    somebody_waits_since(HOME, 19500);
    somebody_waits_since(OTHER, 20500);
    somebody_waits_since(THIRD, 20500);
    assert_int_equal(chosen(3, true), HOME);
}

static void without_home_it_is_among_the_others(void **state) {
    (void)state;
    list[0].revents = 0;
    assert_int_equal(chosen(3, true), OTHER);
    somebody_waits_since(THIRD, 500000);
    assert_int_equal(chosen(3, true), THIRD);
    somebody_waits_since(HOME, 900000); /* and somebody was faster */
    assert_int_equal(chosen(3, true), THIRD);
    list[2].revents = 0;
    assert_int_equal(chosen(3, true), OTHER);
}

static void a_thief_has_no_favourite(void **state) {
    (void)state;
    somebody_waits_since(HOME, 1000);
    somebody_waits_since(THIRD, 200000);
    assert_int_equal(chosen(3, false), THIRD);
}

static void who_looks_says_what_it_saw(void **state) {
    (void)state;
    list[1].revents = 0;
    chosen(3, true);
    assert_true(is_known(HOME));
    assert_false(is_known(OTHER));
    assert_true(is_known(THIRD));
    uint64_t since = atomic_load(&set.shared->shards[THIRD].queued_us);
    chosen(3, true);
    assert_int_equal(atomic_load(&set.shared->shards[THIRD].queued_us), since);
    order_note_taken(&set, THIRD);
    assert_false(is_known(THIRD));
}

/* The hash chooses the shard, so that the lengths are what they become. */
static void a_longer_queue_goes_before_a_shorter_one(void **state) {
    (void)state;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port_of_socket(listener_fd)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int queued[SHARDS] = {0};
    int clients[200];
    int count = 0;
    while (count < 200 && abs(queued[OTHER] - queued[THIRD]) < 3) {
        clients[count] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(connect(clients[count++], (struct sockaddr *)&to, sizeof to), errno);
        for (int i = 1; i < 3; i++) {
            struct tcp_info info;
            socklen_t length = sizeof info;
            assert_return_code(getsockopt(list[i].fd, IPPROTO_TCP, TCP_INFO, &info, &length),
                               errno);
            queued[shards[i]] = (int)info.tcpi_unacked;
        }
    }
    int longer = queued[OTHER] > queued[THIRD] ? 1 : 2;
    struct order order = {
        (struct pollfd[]){list[3 - longer], list[longer]},
        (int[]){shards[3 - longer], shards[longer]},
        2,
        false,
    };
    somebody_waits_since(OTHER, 50000);
    somebody_waits_since(THIRD, 50000);
    assert_int_equal(order_choose(&set, &order), 1);
    while (count)
        close(clients[--count]);
}

static void nothing_is_a_choice_too(void **state) {
    (void)state;
    list[0].revents = list[1].revents = list[2].revents = 0;
    assert_int_equal(chosen(3, true), HOME);
}

/* What the shared memory says is anybody's. */
static void a_time_to_come_is_no_time(void **state) {
    (void)state;
    somebody_waits_since(OTHER, -3600000000);
    assert_int_equal(chosen(3, true), HOME);
}

#define WITH_SET(test) cmocka_unit_test_setup_teardown(test, make_set, close_set)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_SET(home_is_first),
        WITH_SET(who_is_known_to_wait_for_longer_goes_before),
        WITH_SET(without_home_it_is_among_the_others),
        WITH_SET(a_thief_has_no_favourite),
        WITH_SET(who_looks_says_what_it_saw),
        WITH_SET(a_longer_queue_goes_before_a_shorter_one),
        WITH_SET(nothing_is_a_choice_too),
        WITH_SET(a_time_to_come_is_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
