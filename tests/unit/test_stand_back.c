/* stand back: when a worker leaves the neighbours' shards to their owners, and when no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>

#include "clock.h"
#include "local.h"
#include "watch_lab.h"
#include "watch_stand_back.h"
#include "worker.h"
#include "worker_stuck.h"

static const struct stand_back_window busy = {.home = 100,
                                              .stolen = 100,
                                              .lasted = 40000000,
                                              .ran = 10000000,
                                              .delayed = 20000000,
                                              .is_timed = true};

static void crowded_and_stealing_much_it_stands_back(void **state) {
    (void)state;
    assert_true(stand_back_after(&busy, false));
}

static void with_cpus_to_spare_it_does_not(void **state) {
    (void)state;
    struct stand_back_window window = busy;
    window.delayed = window.ran - 1;
    assert_false(stand_back_after(&window, false));
}

static void who_hardly_steals_does_not(void **state) {
    (void)state;
    struct stand_back_window window = busy;
    window.stolen = 10;
    assert_false(stand_back_after(&window, false));
}

static void who_takes_little_does_not(void **state) {
    (void)state;
    struct stand_back_window window = busy;
    window.home = window.stolen = 1;
    assert_false(stand_back_after(&window, false));
    assert_false(stand_back_after(&window, true));
}

static void who_mostly_sleeps_does_not(void **state) {
    (void)state;
    struct stand_back_window window = busy;
    window.ran = 1000000;
    window.delayed = 2000000;
    assert_false(stand_back_after(&window, false));
}

/* /proc is not mounted, or another thread has waited. */
static void without_times_it_does_not(void **state) {
    (void)state;
    struct stand_back_window window = busy;
    window.is_timed = false;
    assert_false(stand_back_after(&window, false));
    assert_false(stand_back_after(&window, true));
}

/* It steals nothing then, and times vary. */
static void it_goes_on_with_less(void **state) {
    (void)state;
    struct stand_back_window window = busy;
    window.stolen = 0;
    window.delayed = window.ran / 2;
    assert_true(stand_back_after(&window, true));
    window.delayed = window.ran / 4;
    assert_false(stand_back_after(&window, true));
}

/* ---- who stands back looks after its neighbours ---- */

enum { SHARDS = 4, DATA = 4711 };

static struct shard_set set;
static const struct shard own = {&set, 0};
static int listener_fd;
static int epfd;
static struct instance *instance;
static struct watch *watch;
static struct child owners[SHARDS];

static int claim(void *wanted) {
    return worker_claim(&set, &(struct shard_bits){0}, *(int *)wanted);
}

static int wait_here(struct epoll_event *event, int timeout) {
    return wait_on(epfd, event, 1, timeout);
}

static void add_listener(uint32_t events) {
    struct epoll_event event = {.events = events, .data.u64 = DATA};
    epfd = epoll_create1(EPOLL_CLOEXEC);
    assert_return_code(watch_ctl(epfd, EPOLL_CTL_ADD, listener_fd, &own, &event), errno);
    assert_int_equal(wait_here(&event, 0), 0);
    instance = instance_find(epfd);
    watch = watch_find(instance, listener_fd);
    assert_true(watch && watch->has_home && watch->home == 0);
}

/* The worker stands back since just now; two were seen waiting at once. */
static void begin_standing_back(void) {
    struct epoll_event event = {0};
    see_two_wait(&set);
    atomic_store(&watch->pace.stands_back, true);
    atomic_store(&instance->stands_back, true);
    watch->seen_generation = 0;
    atomic_store(&instance->work, WORK);
    watch->pace.looked_ms = clock_coarse_ms();
    assert_int_equal(wait_here(&event, 1), 0);
    atomic_store(&watch->pace.ends, false);
    atomic_store(&instance->waiting, 1);
    assert_int_equal(bits_count(&watch->registered), 1);
}

static int stand_back(void **state) {
    (void)state;
    const char *why = NULL;
    assert_true(local_start());
    listener_fd = listening_socket();
    assert_true(set_make(&set, listener_fd, SHARDS, 64, &why));
    begin_stealing(&set, SHARDS - 1);
    for (int i = 1; i < SHARDS; i++) {
        owners[i] = start_child(claim, &i);
        assert_int_equal(owners[i].said, i);
    }
    add_listener(EPOLLIN);
    begin_standing_back();
    return 0;
}

static int close_all(void **state) {
    (void)state;
    atomic_store(&instance->waiting, 0);
    watch_listener_closing(&own, listener_fd, true);
    close_instance(epfd);
    for (int i = 1; i < SHARDS; i++)
        if (owners[i].said >= 0)
            end_child(owners[i]);
    set_close(&set);
    close(listener_fd);
    return 0;
}

static void leave_owner(int shard) {
    end_child(owners[shard]);
    owners[shard].said = -1;
}

/* Whether it stands back still, after so long and a look. */
static bool goes_on_after(uint64_t milliseconds) {
    uint64_t end = clock_coarse_ms() + milliseconds;
    while (clock_coarse_ms() < end)
        usleep(1000);
    watch->pace.looked_ms = 0;
    atomic_store(&instance->ended_ms, clock_coarse_ms());
    watch->pace.since_ms = clock_coarse_ms(); /* what it ran and waited is not what is asked */
    assert_true(stand_back_is_due(watch));
    return !stand_back_changes(watch, &set, true);
}

static void it_goes_on_while_owners_come(void **state) {
    (void)state;
    worker_goes_to_work(&set, 1, clock_coarse_ms());
    worker_is_there(&set, 1);
    worker_goes_to_work(&set, 2, clock_coarse_ms());
    assert_true(goes_on_after(0));
    worker_is_there(&set, 2);
    assert_true(goes_on_after(150));
}

static void an_owner_that_does_not_come_ends_it(void **state) {
    (void)state;
    worker_goes_to_work(&set, 2, clock_coarse_ms());
    assert_false(goes_on_after(150));
    assert_false(atomic_load(&watch->pace.stands_back));
}

/* It watches that one already, since it is stuck, or an orphan. */
static void an_owner_that_it_stands_in_for_does_not(void **state) {
    (void)state;
    worker_goes_to_work(&set, 2, clock_coarse_ms());
    bits_add(&watch->registered, 2);
    assert_true(goes_on_after(150));
    bits_remove(&watch->registered, 2);
}

static int connect_to(int shard, int clients[200]) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port_of_socket(listener_fd)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct pollfd queue = {.fd = set_fd(&own, shard, listener_fd), .events = POLLIN};
    int count = 0;
    while (count < 200 && poll(&queue, 1, 0) == 0) {
        clients[count] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(connect(clients[count++], (struct sockaddr *)&to, sizeof to), errno);
    }
    return count;
}

/* Its owner has left in good order, and nothing in the shared memory says that it is missing. */
static void somebody_who_waits_at_an_orphan_ends_it(void **state) {
    (void)state;
    int clients[200];
    int count = connect_to(2, clients);
    assert_true(goes_on_after(0));
    leave_owner(2);
    assert_false(goes_on_after(0));
    while (count)
        close(clients[--count]);
}

/* That would be waiting for longer than it looks. */
static void another_thread_in_its_instance_ends_it(void **state) {
    (void)state;
    atomic_store(&instance->waiting, 2);
    assert_false(goes_on_after(0));
}

static void an_accept_mutex_ends_it(void **state) {
    (void)state;
    set_changed(&set); /* and nobody was seen to wait beside another since */
    assert_false(goes_on_after(0));
}

/* When some turns are over. */
static pid_t connect_later(void) {
    int clients[200];
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    usleep(3000 * STAND_BACK_TURN_MS);
    connect_to(0, clients);
    _exit(0);
}

/* A child may have the instance, and cannot register anything in it. */
static void a_fork_ends_it(void **state) {
    (void)state;
    atomic_store(&instance->waiting, 0);
    watch_finish_deleted();
    assert_false(atomic_load(&watch->pace.stands_back));
    assert_int_equal(bits_count(&watch->registered), SHARDS);
    begin_standing_back();
    instance->forks--;
    assert_false(goes_on_after(0));
}

/* What is left of the wait goes on until somebody comes. */
static void a_wait_after_a_fork_is_not_cut_short(void **state) {
    (void)state;
    struct epoll_event event = {0};
    atomic_store(&instance->waiting, 0);
    watch_finish_deleted();
    atomic_store(&instance->work, NO_WORK); /* the end of the fixture's own wait left some */
    pid_t client = connect_later();
    assert_int_equal(wait_here(&event, -1), 1);
    waitpid(client, NULL, 0);
}

/* Or else a wait that is cut short would use it up, or the server would sleep in accept. */
static void not_where_the_server_cannot_be_told_in_vain(void **state) {
    (void)state;
    atomic_store(&watch->asked, EPOLLIN | EPOLLONESHOT);
    assert_false(goes_on_after(0));
    atomic_store(&watch->asked, EPOLLIN);
    atomic_store(&watch->pace.stands_back, true);
    fcntl(listener_fd, F_SETFL, 0);
    assert_false(goes_on_after(0));
}

/* The server may sleep elsewhere then, and nobody would look. */
static void who_only_asks_is_a_thief_again(void **state) {
    (void)state;
    struct epoll_event event = {0};
    atomic_store(&instance->waiting, 0);
    assert_int_equal(wait_here(&event, 0), 0);
    assert_false(atomic_load(&watch->pace.stands_back));
    assert_false(atomic_load(&instance->stands_back));
    assert_int_equal(bits_count(&watch->registered), SHARDS);
}

/* A signal's handler that has run meanwhile wants it to come round. */
static void with_nothing_to_do_the_server_is_told(void **state) {
    (void)state;
    struct epoll_event event = {0};
    atomic_store(&instance->waiting, 0);
    assert_int_equal(wait_here(&event, -1), 1);
    assert_int_equal(event.events, EPOLLIN);
    assert_int_equal(event.data.u64, DATA);
    assert_int_equal(wait_here(&event, 1), 0);
    assert_false(atomic_load(&watch->pace.stands_back));
    assert_int_equal(bits_count(&watch->registered), SHARDS);
}

/* As many connections as it looks at its times for, in so many ms; some are others'. */
enum { ENOUGH = 32, OFTEN_MS = 100, SELDOM_MS = 1000 };

static void has_taken(uint32_t connections, uint64_t in_ms) {
    uint64_t now = clock_coarse_ms();
    atomic_store(&watch->pace.stands_back, false);
    atomic_store(&watch->pace.home, connections - 5);
    atomic_store(&watch->pace.stolen, 5);
    atomic_store(&watch->pace.thread, NULL);
    watch->pace.looked_ms = 0;
    watch->pace.since_ms = now - in_ms;
    atomic_store(&instance->ended_ms, now);
}

static void a_few_are_no_reason_to_look(void **state) {
    (void)state;
    has_taken(ENOUGH - 1, OFTEN_MS);
    assert_false(stand_back_is_due(watch));
    has_taken(ENOUGH, OFTEN_MS);
    assert_true(stand_back_is_due(watch));
}

static void nor_are_many_once_in_a_while(void **state) {
    (void)state;
    has_taken(ENOUGH, SELDOM_MS);
    assert_false(stand_back_changes(watch, &set, true));
    assert_null(watch->pace.thread);
    assert_false(stand_back_is_due(watch));
    has_taken(ENOUGH, OFTEN_MS);
    assert_false(stand_back_changes(watch, &set, true));
    assert_non_null(watch->pace.thread);
}

/* A thief looks at its times; one that may be killed for opening a file does not. The last test,
 * for there is no way back. */
static void who_is_confined_reads_no_times(void **state) {
    (void)state;
    for (int confined = 0; confined < 2; confined++) {
        if (confined)
            local_confine();
        has_taken(ENOUGH, OFTEN_MS);
        assert_true(stand_back_is_due(watch));
        assert_false(stand_back_changes(watch, &set, true));
        assert_int_equal(watch->pace.thread != NULL, !confined);
    }
}

/* As long as the server asked for, and no longer. */
static void a_shorter_wait_ends_as_asked(void **state) {
    (void)state;
    struct epoll_event event = {0};
    atomic_store(&instance->waiting, 0);
    assert_int_equal(wait_here(&event, 5), 0);
    assert_int_equal(wait_here(&event, 5), 0);
    assert_int_equal(bits_count(&watch->registered), SHARDS);
}

#define WITH_SET(test) cmocka_unit_test_setup_teardown(test, stand_back, close_all)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crowded_and_stealing_much_it_stands_back),
        cmocka_unit_test(with_cpus_to_spare_it_does_not),
        cmocka_unit_test(who_hardly_steals_does_not),
        cmocka_unit_test(who_takes_little_does_not),
        cmocka_unit_test(who_mostly_sleeps_does_not),
        cmocka_unit_test(without_times_it_does_not),
        cmocka_unit_test(it_goes_on_with_less),
        WITH_SET(it_goes_on_while_owners_come),
        WITH_SET(an_owner_that_does_not_come_ends_it),
        WITH_SET(an_owner_that_it_stands_in_for_does_not),
        WITH_SET(another_thread_in_its_instance_ends_it),
        WITH_SET(an_accept_mutex_ends_it),
        WITH_SET(somebody_who_waits_at_an_orphan_ends_it),
        WITH_SET(a_fork_ends_it),
        WITH_SET(a_wait_after_a_fork_is_not_cut_short),
        WITH_SET(not_where_the_server_cannot_be_told_in_vain),
        WITH_SET(who_only_asks_is_a_thief_again),
        WITH_SET(with_nothing_to_do_the_server_is_told),
        WITH_SET(a_shorter_wait_ends_as_asked),
        WITH_SET(a_few_are_no_reason_to_look),
        WITH_SET(nor_are_many_once_in_a_while),
        WITH_SET(who_is_confined_reads_no_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
