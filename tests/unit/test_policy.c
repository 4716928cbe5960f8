#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "lab.h"
#include "local.h"
#include "worker.h"

enum { SHARDS = 4, VISITORS = 20 };

static struct shard_set set;
static int listener_fd;
static const struct shard_bits none;

/* All four of them listen, and nobody owns one. */
static int make_set(void **state) {
    (void)state;
    const char *why = NULL;
    assert_true(local_start());
    listener_fd = listening_socket();
    assert_true(set_make(&set, listener_fd, SHARDS, 64, &why));
    assert_int_equal(set.count, SHARDS);
    begin_stealing(&set, 1);
    for (int i = 1; i < SHARDS - 1; i++) {
        assert_return_code(set_listen(&set, i), errno);
        atomic_store(&set.shared->shards[i].state, SHARD_LISTENING);
    }
    return 0;
}

static int close_set(void **state) {
    (void)state;
    set_close(&set);
    close(listener_fd);
    return 0;
}

/* As the tool does it. */
static uint32_t set_mode_to(enum mode mode) {
    struct policy policy = set_policy(&set);
    policy.mode = mode;
    atomic_store(&set.shared->policy, policy_word(policy));
    return policy_word(policy);
}

static void any_word_is_some_policy(void **state) {
    (void)state;
    srand(1);
    for (int i = 0; i < 10000; i++) {
        struct policy policy = policy_of((uint32_t)rand() << 16 ^ (uint32_t)rand());
        assert_true(policy.mode <= MODE_OFF && policy.steal <= STEAL_MAX &&
                    policy.rotate <= ROTATE_MAX);
        struct policy again = policy_of(policy_word(policy));
        assert_true(again.mode == policy.mode && again.steal == policy.steal &&
                    again.rotate == policy.rotate);
    }
    assert_int_equal(policy_of(UINT32_MAX).rotate, ROTATE_MAX);
}

static void a_set_has_no_mode_that_it_cannot_have(void **state) {
    (void)state;
    enum { ONE, MANY, OWN };
    static const enum mode in_force[][3] = {
        [MODE_AUTO] = {MODE_EXCLUSIVE, MODE_REUSEPORT, MODE_REUSEPORT},
        [MODE_EXCLUSIVE] = {MODE_EXCLUSIVE, MODE_EXCLUSIVE, MODE_REUSEPORT},
        [MODE_REUSEPORT] = {MODE_EXCLUSIVE, MODE_REUSEPORT, MODE_REUSEPORT},
        [MODE_OFF] = {MODE_OFF, MODE_OFF, MODE_OFF},
    };
    for (enum mode mode = MODE_AUTO; mode <= MODE_OFF; mode++)
        for (int kind = ONE; kind <= OWN; kind++)
            assert_int_equal(policy_mode((struct policy){.mode = mode}, kind != ONE, kind == OWN),
                             in_force[mode][kind]);
}

static void a_set_with_shards_that_does_not_use_them_is_one_queue(void **state) {
    (void)state;
    for (enum mode mode = MODE_AUTO; mode <= MODE_OFF; mode++) {
        struct policy policy = {.mode = mode};
        assert_int_equal(policy_is_one_queue(policy),
                         policy_mode(policy, true, false) != MODE_REUSEPORT);
    }
}

/* ---- where connections go ---- */

static int queued_at(int shard) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    int fd = shard ? set.fd[shard] : listener_fd;
    assert_return_code(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), errno);
    return (int)info.tcpi_unacked;
}

static int queued(void) {
    int sum = 0;
    for (int i = 0; i < SHARDS - 1; i++)
        sum += queued_at(i);
    return sum;
}

static void come(int *visitors) {
    int before = queued();
    for (int i = 0; i < VISITORS; i++)
        assert_return_code(visitors[i] = visitor(port_of_socket(listener_fd)), errno);
    for (int i = 0; i < 1000 && queued() < before + VISITORS; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void new_ones_go_to_the_first_or_to_any(void **state) {
    (void)state;
    int visitors[4][VISITORS];
    set_follow(&set, set_mode_to(MODE_EXCLUSIVE));
    come(visitors[0]);
    assert_int_equal(queued_at(0), VISITORS);
    assert_int_equal(set_listen(&set, SHARDS - 1), -1); /* a queue that would get nothing */
    set_follow(&set, set_mode_to(MODE_OFF));
    come(visitors[1]);
    assert_int_equal(queued_at(0), 2 * VISITORS);
    set_follow(&set, set_mode_to(MODE_REUSEPORT));
    come(visitors[2]);
    assert_true(queued_at(1) > 0 && queued_at(2) > 0);
    assert_int_equal(queued(), 3 * VISITORS);
    assert_return_code(set_listen(&set, SHARDS - 1), errno);
    for (int i = 0; i < 3 * VISITORS; i++)
        close(visitors[i / VISITORS][i % VISITORS]);
}

/* A successor has the first alone, whatever the policy says. */
static void what_was_handed_over_stays_so(void **state) {
    (void)state;
    int visitors[VISITORS];
    set_hand_over(&set, listener_fd);
    set_follow(&set, set_mode_to(MODE_REUSEPORT));
    come(visitors);
    assert_int_equal(queued_at(0), VISITORS);
    for (int i = 0; i < VISITORS; i++)
        close(visitors[i]);
}

/* ---- who watches what ---- */

static int claim(void *unused) {
    (void)unused;
    int shard = worker_claim(&set, &none, ANY_SHARD);
    if (shard >= 0)
        worker_announce(&set, shard);
    return shard;
}

static int count_watched(void) {
    struct shard_bits view;
    bool unproven;
    see_two_wait(&set);
    worker_view(&set, &(struct seat){.home = 1}, &none, &view, &unproven);
    return bits_count(&view);
}

/* Whose neighbours are not stuck watch two of three, and with one queue all. */
static void of_one_queue_all_is_watched(void **state) {
    (void)state;
    struct child owners[SHARDS - 1];
    for (int i = 0; i < SHARDS - 1; i++)
        owners[i] = start_child(claim, NULL);
    assert_int_equal(count_watched(), 2);
    set_mode_to(MODE_EXCLUSIVE);
    assert_int_equal(count_watched(), 3);
    set_mode_to(MODE_OFF);
    assert_int_equal(count_watched(), 3);
    begin_stealing(&set, 0);
    assert_int_equal(count_watched(), 1);
    for (int i = 0; i < SHARDS - 1; i++)
        end_child(owners[i]);
}

/* One that sleeps still watches what the policy before said. */
static void a_release_is_told_to_who_may_not_know_the_policy(void **state) {
    (void)state;
    int shard = claim(NULL);
    uint32_t word = set_mode_to(MODE_EXCLUSIVE);
    uint32_t generation = atomic_load(&set.shared->generation);
    worker_release(&set, shard);
    assert_int_not_equal(atomic_load(&set.shared->generation), generation);
    uint32_t kicks = atomic_load(&set.shared->kicks_done);
    set_follow(&set, word);
    assert_int_equal(atomic_load(&set.shared->kicks_done), kicks + 1);
    set_follow(&set, word);
    assert_int_equal(atomic_load(&set.shared->kicks_done), kicks + 1);
    shard = claim(NULL);
    generation = atomic_load(&set.shared->generation);
    worker_release(&set, shard);
    assert_int_equal(atomic_load(&set.shared->generation), generation);
}

int main(void) {
#define WITH_SET(test) cmocka_unit_test_setup_teardown(test, make_set, close_set)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_word_is_some_policy),
        cmocka_unit_test(a_set_has_no_mode_that_it_cannot_have),
        cmocka_unit_test(a_set_with_shards_that_does_not_use_them_is_one_queue),
        WITH_SET(new_ones_go_to_the_first_or_to_any),
        WITH_SET(what_was_handed_over_stays_so),
        WITH_SET(of_one_queue_all_is_watched),
        WITH_SET(a_release_is_told_to_who_may_not_know_the_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
