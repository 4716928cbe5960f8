/*
 * wake-ups: who is woken for a connection, and how many are. Workers are forked children that go
 * through watch.h; each counts how often the kernel woke it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "clock.h"
#include "local.h"
#include "watch_lab.h"
#include "watch_turns.h"

enum { WORKERS = 4, VISITS = 300 };

static struct shard_set set;
static const struct shard own = {&set, 0};
static int listener_fd;
static struct child workers[WORKERS];

static struct counters {
    _Atomic int woken;
    _Atomic int accepted[WORKERS];
    _Atomic int last; /* who accepted last */
} * counters;

static int counted_wait(const struct wait_call *call) {
    if (call->has_timeout && !clock_is_positive(call->timeout))
        return kernel_wait(call);
    int count = epoll_wait(call->epfd, call->events, call->most, -1);
    counters->woken++;
    return count;
}

__attribute__((noreturn)) static void work(int number) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 1};
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    watch_ctl(epfd, EPOLL_CTL_ADD, listener_fd, &own, &event);
    for (;;) {
        struct wait_call wait = {counted_wait, epfd, &event, 1, false, {0}, NULL};
        watch_wait(fd_index_of(fd_entry(epfd)), &wait);
        int fd = accept_on(&own, listener_fd);
        if (fd < 0)
            continue;
        counters->accepted[number]++;
        counters->last = number;
        if (write(fd, "x", 1) != 1)
            _exit(1);
        close(fd);
    }
}

static void moment(void) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Nobody has been woken for a while: whatever went round at the start is over. */
static void settle(void) {
    int seen = -1;
    for (int quiet = 0, i = 0; quiet < 30 && i < 5000; i++) {
        quiet = seen == counters->woken ? quiet + 1 : 0;
        seen = counters->woken;
        moment();
    }
}

static void start(int shards) {
    const char *why = NULL;
    assert_true(local_start());
    counters = shared_page();
    listener_fd = listening_socket();
    assert_true(set_make(&set, listener_fd, shards, 64, &why));
    begin_stealing(&set, shards > 1 ? (unsigned)shards - 1 : 0);
    for (int i = 0; i < WORKERS; i++) {
        workers[i].pid = fork();
        assert_true(workers[i].pid >= 0);
        if (workers[i].pid)
            continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(60);
        work(i);
    }
    while (atomic_load(&set.shared->workers) < WORKERS)
        moment();
    settle();
    counters->woken = 0;
}

static void stop(void) {
    for (int i = 0; i < WORKERS; i++)
        end_child(workers[i]);
    set_close(&set);
    close(listener_fd);
    munmap(counters, 4096);
}

static void visit(void) {
    char byte;
    int fd = visitor(port_of_socket(listener_fd));
    assert_return_code(fd, errno);
    assert_int_equal(read(fd, &byte, 1), 1);
    close(fd);
}

/* Woken for nothing, a few may be that were just on their way back; not one in twenty. */
static void assert_no_herd(void) {
    assert_in_range(counters->woken, VISITS, VISITS + VISITS / 20);
}

static uint64_t counted(enum count count) {
    uint64_t sum = 0;
    for (int i = 0; i < SHARED_WORKERS; i++)
        sum += atomic_load(&set.shared->worker[i].counts[count]);
    return sum;
}

/* One after another, each when all wait again. */
static void come(void) {
    for (int i = 0; i < VISITS; i++) {
        visit();
        moment();
    }
    assert_no_herd();
}

static void assert_fair(void) {
    for (int i = 0; i < WORKERS; i++)
        assert_in_range(counters->accepted[i], VISITS / WORKERS - 20, VISITS / WORKERS + 20);
}

/* As the tool does it. */
static void set_mode_to(enum mode mode) {
    struct policy policy = set_policy(&set);
    policy.mode = mode;
    atomic_store(&set.shared->policy, policy_word(policy));
    set_kick(&set);
    settle();
    *counters = (struct counters){0};
}

static void exclusive_wakes_one_and_all_in_turn(void **state) {
    (void)state;
    start(1);
    come();
    assert_fair();
    stop();
}

/* Turns are so long, and were found to be so that many milliseconds ago. */
static void set_turn(uint32_t turn, int64_t ago) {
    atomic_store(&set.shared->paced_ms, (uint32_t)((int64_t)clock_coarse_ms() - ago));
    atomic_store(&set.shared->turn, turn);
}

static void turns_are_longer_where_many_come(void **state) {
    (void)state;
    assert_int_equal(turns_for(0, 25, WORKERS), 1);
    assert_int_equal(turns_for(62, 25, WORKERS), 1);
    assert_int_equal(turns_for(500, 100, WORKERS), 7); /* five thousand a second */
    assert_int_equal(turns_for(500, 100, 285), 7);
    assert_int_equal(turns_for(500, 100, 1000), 2); /* each comes round in time */
    assert_int_equal(turns_for(500, 100, 2001), 1);
    assert_int_equal(turns_for(500, 100, 0), 7);
    assert_int_equal(turns_for(1000000, 25, WORKERS), 64);
}

/* One after another, each while turns are so long, and nobody chooses anew. */
static void come_in_turns_of(uint32_t turn) {
    for (int i = 0; i < VISITS; i++) {
        set_turn(turn, 0);
        visit();
        moment();
    }
}

static void a_turn_is_as_long_as_all_agreed(void **state) {
    (void)state;
    enum { TURN = 12 };
    start(1);
    come_in_turns_of(TURN);
    assert_fair();
    assert_in_range(counted(COUNT_ROTATIONS), VISITS / TURN - WORKERS, VISITS / TURN + 1);
    stop();
}

/* Each has two to four of twelve; in turns of four one would have none. */
static bool is_dealt_out(void) {
    for (int i = 0; i < WORKERS; i++)
        if (counters->accepted[i] < 2 || counters->accepted[i] > 4)
            return false;
    return true;
}

/* Connections that come after a pause, as those do that are kept for long, however long turns were
 * before it. On a busy machine a worker may miss its turn: five attempts. */
static void a_few_are_dealt_out_one_by_one(void **state) {
    (void)state;
    bool is_even = false;
    start(1);
    for (int attempt = 0; attempt < 5 && !is_even; attempt++) {
        *counters = (struct counters){0};
        set_turn(64, 200);
        for (int i = 0; i < 3 * WORKERS; i++) {
            visit();
            moment();
        }
        is_even = is_dealt_out();
        settle();
    }
    assert_true(is_even);
    stop();
}

static void the_owner_is_woken_and_nobody_else(void **state) {
    (void)state;
    start(WORKERS);
    come();
    assert_in_range(counted(COUNT_STOLEN), 0, VISITS / 20);
    stop();
}

/* Two sit at each of two shards, and go behind its thieves each time that their turns are over. */
static void who_shares_a_home_has_most_of_it(void **state) {
    (void)state;
    start(WORKERS / 2);
    come_in_turns_of(16);
    assert_fair();
    assert_in_range(counted(COUNT_STOLEN), 0, VISITS / 5);
    stop();
}

static void many_queues_become_one_and_many_again(void **state) {
    (void)state;
    start(WORKERS);
    set_mode_to(MODE_EXCLUSIVE);
    come();
    assert_fair();
    assert_int_equal(counted(COUNT_STOLEN), 0);
    assert_in_range(counted(COUNT_ROTATIONS), VISITS / 4, VISITS + WORKERS);
    set_mode_to(MODE_REUSEPORT);
    come(); /* and the owners stand first in their lines, though turns were taken in one */
    assert_in_range(counted(COUNT_STOLEN), 0, VISITS / 20);
    stop();
}

/* Who finds that another was faster sleeps on in the kernel; but it was woken. */
static long switches(void) {
    long sum = 0;
    for (int i = 0; i < WORKERS; i++) {
        char path[64];
        char line[256];
        long count;
        snprintf(path, sizeof path, "/proc/%d/status", (int)workers[i].pid);
        FILE *file = fopen(path, "re");
        assert_non_null(file);
        while (fgets(line, sizeof line, file))
            sum += sscanf(line, "voluntary_ctxt_switches: %ld", &count) == 1 ? count : 0;
        fclose(file);
    }
    return sum;
}

/* Nobody asked for EPOLLEXCLUSIVE: the herd is back, and no turns are taken. */
static void off_wakes_all(void **state) {
    (void)state;
    start(WORKERS);
    set_mode_to(MODE_OFF);
    long before = switches();
    for (int i = 0; i < VISITS; i++) {
        visit();
        moment();
    }
    assert_true(switches() - before > 2L * VISITS);
    assert_int_equal(counted(COUNT_STOLEN) + counted(COUNT_ROTATIONS), 0);
    stop();
}

static void a_neighbour_is_woken_when_the_owner_is_not_waiting(void **state) {
    (void)state;
    start(WORKERS);
    for (int i = 0; i < VISITS / 3; i++) {
        visit();
        moment();
    }
    int stuck = counters->last;
    kill(workers[stuck].pid, SIGSTOP);
    assert_int_equal(waitpid(workers[stuck].pid, NULL, WUNTRACED), workers[stuck].pid);
    int before = counters->accepted[stuck];
    for (int i = 0; i < VISITS; i++)
        visit(); /* each is answered, though its shard be the stuck one's */
    assert_int_equal(counters->accepted[stuck], before);
    stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exclusive_wakes_one_and_all_in_turn),
        cmocka_unit_test(turns_are_longer_where_many_come),
        cmocka_unit_test(a_turn_is_as_long_as_all_agreed),
        cmocka_unit_test(who_shares_a_home_has_most_of_it),
        cmocka_unit_test(a_few_are_dealt_out_one_by_one),
        cmocka_unit_test(the_owner_is_woken_and_nobody_else),
        cmocka_unit_test(many_queues_become_one_and_many_again),
        cmocka_unit_test(off_wakes_all),
        cmocka_unit_test(a_neighbour_is_woken_when_the_owner_is_not_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
