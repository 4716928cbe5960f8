/*
 * watch: driven through watch.h with real sockets. Here is what one process sees; who is woken, and
 * in which order, is in test_wakeups.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "clock.h"
#include "local.h"
#include "real.h"
#include "watch_lab.h"
#include "watch_table.h"

enum { SHARDS = 4 };

static struct shard_set set;
static const struct shard own = {&set, 0};
static int listener_fd;
static int epfd;

static __typeof__(real.syscall) own_syscall;

static int begin(void **state) {
    (void)state;
    const char *why = NULL;
    assert_true(local_start());
    real.syscall(SYS_getpid, 0, 0, 0, 0, 0, 0); /* the first call finds it */
    own_syscall = real.syscall;
    listener_fd = listening_socket();
    assert_true(set_make(&set, listener_fd, SHARDS, 64, &why));
    begin_stealing(&set, SHARDS - 1);
    epfd = epoll_create1(EPOLL_CLOEXEC);
    return 0;
}

static int end(void **state) {
    (void)state;
    real.syscall = own_syscall;
    watch_listener_closing(&own, listener_fd, true);
    close_instance(epfd);
    set_close(&set);
    close(listener_fd);
    return 0;
}

static int ctl(int op, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data.u64 = data};
    return watch_ctl(epfd, op, listener_fd, &own, &event);
}

static int wait_here(struct epoll_event *events, int timeout) {
    return wait_on(epfd, events, 8, timeout);
}

static int accept_here(void) {
    return accept_on(&own, listener_fd);
}

static int visit(void) {
    int fd = visitor(port_of_socket(listener_fd));
    assert_return_code(fd, errno);
    return fd;
}

/* ---- registration ---- */

static void errors_are_the_kernels(void **state) {
    (void)state;
    struct epoll_event events[8];
    assert_int_equal(ctl(EPOLL_CTL_MOD, EPOLLIN, 1), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(ctl(EPOLL_CTL_DEL, 0, 0), -1);
    assert_int_equal(errno, ENOENT);
    assert_return_code(ctl(EPOLL_CTL_ADD, EPOLLIN, 1), errno);
    assert_int_equal(ctl(EPOLL_CTL_ADD, EPOLLIN, 1), -1);
    assert_int_equal(errno, EEXIST);
    wait_here(events, 0);
    assert_int_equal(ctl(EPOLL_CTL_ADD, EPOLLIN, 1), -1);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(ctl(99, EPOLLIN, 1), -1);
    assert_int_equal(errno, EINVAL);
}

static void nothing_is_reported_without_a_connection(void **state) {
    (void)state;
    struct epoll_event events[8];
    assert_return_code(ctl(EPOLL_CTL_ADD, EPOLLIN, 1), errno);
    assert_int_equal(wait_here(events, 0), 0); /* its own kick comes with the first wait */
    assert_int_equal(wait_here(events, 20), 0);
    assert_int_equal(wait_here(events, 0), 0);
}

/* The kick of its first wait is nothing to the server, whose time goes on. */
static void a_wait_lasts_as_long_as_it_was_asked_for(void **state) {
    (void)state;
    struct epoll_event events[8];
    ctl(EPOLL_CTL_ADD, EPOLLIN, 1);
    struct timespec end = clock_plus(clock_now(), clock_of_milliseconds(60), 1);
    assert_int_equal(wait_here(events, 60), 0);
    assert_false(clock_is_positive(clock_plus(end, clock_now(), -1)));
}

static void a_worker_claims_a_home_when_it_waits(void **state) {
    (void)state;
    struct epoll_event events[8];
    ctl(EPOLL_CTL_ADD, EPOLLIN, 1);
    assert_int_equal(atomic_load(&set.shared->workers), 0);
    wait_here(events, 0);
    assert_int_equal(atomic_load(&set.shared->workers), 1);
    assert_true(watch_has(&set));
    watch_listener_closing(&own, listener_fd, true);
    assert_int_equal(atomic_load(&set.shared->workers), 0);
    assert_false(watch_has(&set));
}

/* The events of the listener in our instance, as the kernel has them. */
static uint32_t registered(void) {
    char path[64];
    char line[256];
    int fd;
    uint32_t events;
    uint32_t found = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", epfd);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "tfd: %d events: %x", &fd, &events) == 2 && fd == listener_fd)
            found = events;
    fclose(file);
    return found;
}

static uint32_t registered_in(enum mode mode) {
    struct epoll_event events[8];
    struct policy policy = set_policy(&set);
    policy.mode = mode;
    set_begin_policy(&set, policy); /* as if all had been told: no kick */
    wait_here(events, 0);
    return registered();
}

static void off_is_the_servers_own_registration(void **state) {
    (void)state;
    struct epoll_event events[8];
    ctl(EPOLL_CTL_ADD, EPOLLIN, 1);
    assert_int_equal(wait_here(events, 0), 0);
    accept_here();
    assert_true(registered() & EPOLLEXCLUSIVE);
    assert_true(registered_in(MODE_OFF) & EPOLLIN);
    assert_false(registered() & EPOLLEXCLUSIVE);
    accept_here();
    assert_false(registered() & EPOLLEXCLUSIVE);
    assert_true(registered_in(MODE_EXCLUSIVE) & EPOLLEXCLUSIVE);
    assert_false(registered_in(MODE_OFF) & EPOLLEXCLUSIVE);
    assert_true(registered_in(MODE_REUSEPORT) & EPOLLEXCLUSIVE);
}

/* Turns were taken where it stood first: the thieves are told to go behind it again. */
static void an_owner_comes_first_again(void **state) {
    (void)state;
    struct epoll_event events[8];
    ctl(EPOLL_CTL_ADD, EPOLLIN, 1);
    wait_here(events, 0);
    registered_in(MODE_EXCLUSIVE);
    uint32_t epoch = atomic_load(&set.shared->shards[0].epoch);
    registered_in(MODE_EXCLUSIVE);
    assert_int_equal(atomic_load(&set.shared->shards[0].epoch), epoch);
    registered_in(MODE_REUSEPORT);
    assert_int_not_equal(atomic_load(&set.shared->shards[0].epoch), epoch);
}

/* An edge that was reported is not reported again because the policy has changed. */
static void what_is_left_of_an_edge_is_not_told_twice(void **state) {
    (void)state;
    struct epoll_event events[8];
    ctl(EPOLL_CTL_ADD, EPOLLIN | EPOLLET, 1);
    wait_here(events, 0);
    accept_here();
    int fd = visit();
    assert_int_equal(wait_here(events, 1000), 1);
    assert_true(registered_in(MODE_OFF) & EPOLLEXCLUSIVE); /* not yet */
    assert_int_equal(wait_here(events, 10), 0);
    close(accept_here());
    assert_int_equal(wait_here(events, 10), 0);
    assert_false(registered() & EPOLLEXCLUSIVE);
    close(fd);
}

/* ---- events ---- */

static uint64_t counted(enum count count) {
    uint64_t sum = atomic_load(&set.shared->past[count]);
    for (int i = 0; i < SHARED_WORKERS; i++)
        sum += atomic_load(&set.shared->worker[i].counts[count]);
    return sum;
}

static void one_event_for_all_shards(void **state) {
    (void)state;
    struct epoll_event events[8];
    int second = epoll_create1(EPOLL_CLOEXEC);
    int visitors[24];
    ctl(EPOLL_CTL_ADD, EPOLLIN, 42);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 43};
    assert_return_code(watch_ctl(second, EPOLL_CTL_ADD, listener_fd, &own, &event), errno);
    wait_here(events, 0);
    wait_on(second, events, 8, 0); /* two homes: two queues */
    assert_true(set_is_listening(&set, 1));
    for (int i = 0; i < 24; i++)
        visitors[i] = visit();
    assert_int_equal(wait_here(events, 1000), 1);
    assert_int_equal(events[0].data.u64, 42);
    assert_int_equal(events[0].events, EPOLLIN);
    for (int i = 0; i < 24; i++) {
        wait_here(events, 1000);
        int fd = accept_here();
        assert_return_code(fd, errno);
        close(fd);
        close(visitors[i]);
    }
    assert_int_equal(accept_here(), -1);
    assert_int_equal(errno, EAGAIN);
    uint64_t stolen = counted(COUNT_STOLEN);
    assert_true(stolen > 0);
    assert_int_equal(stolen + counted(COUNT_HOME), 24);
    close_instance(second);
}

static void oneshot_tells_once_and_is_armed_again(void **state) {
    (void)state;
    struct epoll_event events[8];
    ctl(EPOLL_CTL_ADD, EPOLLIN | EPOLLONESHOT, 1);
    int visitors[2] = {visit(), visit()};
    assert_int_equal(wait_here(events, 1000), 1);
    assert_int_equal(wait_here(events, 10), 0);
    assert_return_code(ctl(EPOLL_CTL_MOD, EPOLLIN | EPOLLONESHOT, 2), errno);
    assert_int_equal(wait_here(events, 1000), 1);
    assert_int_equal(events[0].data.u64, 2);
    assert_int_equal(wait_here(events, 10), 0);
    assert_return_code(ctl(EPOLL_CTL_DEL, 0, 0), errno);
    assert_return_code(ctl(EPOLL_CTL_ADD, EPOLLIN | EPOLLONESHOT, 2), errno);
    assert_int_equal(wait_here(events, 1000), 1);
    close(visitors[0]);
    close(visitors[1]);
}

static void rdhup_and_pri_are_masked_and_put_back(void **state) {
    (void)state;
    struct epoll_event events[8];
    ctl(EPOLL_CTL_ADD, EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLPRI, 1);
    int fd = visit();
    assert_int_equal(wait_here(events, 1000), 1);
    assert_int_equal(events[0].events, EPOLLIN | EPOLLRDNORM);
    close(accept_here());
    close(fd);
    shutdown(listener_fd, SHUT_RDWR);
    assert_int_equal(wait_here(events, 1000), 1);
    assert_true(events[0].events & EPOLLHUP);
    assert_false(events[0].events & EPOLLRDHUP); /* nor does the kernel say so of TCP */
}

static void a_delete_holds_until_the_next_add(void **state) {
    (void)state;
    struct epoll_event events[8];
    ctl(EPOLL_CTL_ADD, EPOLLIN, 1);
    wait_here(events, 0);
    assert_return_code(ctl(EPOLL_CTL_DEL, 0, 0), errno);
    assert_int_equal(ctl(EPOLL_CTL_DEL, 0, 0), -1);
    assert_int_equal(errno, ENOENT);
    int fd = visit();
    assert_int_equal(wait_here(events, 20), 0);
    assert_return_code(ctl(EPOLL_CTL_ADD, EPOLLIN, 9), errno);
    assert_int_equal(wait_here(events, 1000), 1);
    assert_int_equal(events[0].data.u64, 9);
    close(fd);
}

/* Waits until there is nothing to do before a wait. */
static void rest(void) {
    struct epoll_event events[8];
    wait_here(events, 0);
    assert_int_equal(accept_here(), -1); /* it accepts: that is known then */
    see_two_wait(&set);                  /* and that two wait at once */
    for (int i = 0; i == 0 || (i < 8 && instance_find(epfd)->work); i++)
        wait_here(events, 0);
    assert_int_equal(instance_find(epfd)->work, NO_WORK);
}

/* nginx does it at every sixteenth accept. */
static void to_delete_and_add_again_is_no_work(void **state) {
    (void)state;
    assert_return_code(ctl(EPOLL_CTL_ADD, EPOLLIN, 1), errno);
    rest();
    assert_return_code(ctl(EPOLL_CTL_DEL, 0, 0), errno);
    assert_int_equal(instance_find(epfd)->work, WORK_TO_DELETE);
    assert_return_code(ctl(EPOLL_CTL_ADD, EPOLLIN, 1), errno);
    assert_int_equal(instance_find(epfd)->work, NO_WORK);
    atomic_store(&instance_find(epfd)->work, WORK); /* whatever it is, it remains */
    assert_return_code(ctl(EPOLL_CTL_DEL, 0, 0), errno);
    assert_return_code(ctl(EPOLL_CTL_ADD, EPOLLIN, 1), errno);
    assert_int_equal(instance_find(epfd)->work, WORK);
}

static void what_else_was_deleted_is_still_to_go(void **state) {
    (void)state;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 2};
    int copy = dup(listener_fd);
    assert_return_code(ctl(EPOLL_CTL_ADD, EPOLLIN, 1), errno);
    assert_return_code(watch_ctl(epfd, EPOLL_CTL_ADD, copy, &own, &event), errno);
    rest();
    assert_return_code(watch_ctl(epfd, EPOLL_CTL_DEL, copy, &own, NULL), errno);
    assert_return_code(ctl(EPOLL_CTL_DEL, 0, 0), errno);
    assert_return_code(ctl(EPOLL_CTL_ADD, EPOLLIN, 1), errno);
    assert_int_equal(instance_find(epfd)->work, WORK_TO_DELETE);
    rest();
    assert_null(watch_find(instance_find(epfd), copy));
    assert_non_null(watch_find(instance_find(epfd), listener_fd));
    close(copy);
}

/* However many kicks come, and whenever: what the server sees of them is readable at most. */
static pid_t kick_for_ever(void) {
    pid_t parent = getpid();
    pid_t pid = fork();
    for (unsigned round = 1; pid == 0 && getppid() == parent; round++) {
        set_kick(&set);
        for (volatile unsigned i = 0; i < round % 1024; i++)
            continue; /* the second comes while the first is being noticed, sooner or later */
        set_kick(&set);
        usleep(20);
    }
    return pid;
}

static void kicks_show_as_nothing_but_readable(void **state) {
    (void)state;
    struct epoll_event events[8];
    ctl(EPOLL_CTL_ADD, EPOLLIN, 5);
    wait_here(events, 0);
    pid_t pid = kick_for_ever();
    int strange = 0;
    for (int i = 0; i < 20000; i++) {
        int count = wait_here(events, 1);
        strange +=
            count > 1 || (count == 1 && (events[0].events != EPOLLIN || events[0].data.u64 != 5));
        assert_int_equal(accept_here(), -1);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(strange, 0);
}

/* ---- shared memory is untrusted ---- */

/* Another worker has been waiting all the time. */
static void pretend_another_idle(void) {
    struct shared_worker *worker = &set.shared->worker[SHARED_WORKERS - 1];
    atomic_store(&worker->pid, getppid());
    atomic_store(&worker->since_ms, 1);
    atomic_store(&worker->is_in, 1);
    atomic_fetch_add(&set.shared->workers, 1);
}

/* Of one that has much to do not every accept is looked at. */
static void have_nothing_to_do(void) {
    struct epoll_event events[8];
    for (int i = 0; i < 2; i++)
        assert_int_equal(wait_here(events, 1), 0);
}

static void accept_in_time(void) {
    struct epoll_event events[8];
    have_nothing_to_do();
    int visitor = visit();
    assert_int_equal(wait_here(events, 5000), 1);
    close(accept_here());
    close(visitor);
}

enum { LATE_MS = 80 };

static long delayed_ms; /* for a CPU, as the kernel would say of this thread */
static bool is_crowded;

/* What is read of it is that. */
static long open_schedstat(long number, long at, long path, long flags, long d, long e, long f) {
    if (number != SYS_openat)
        return own_syscall(number, at, path, flags, d, e, f);
    int fd = memfd_create("schedstat", MFD_CLOEXEC);
    dprintf(fd, "1000000 %ld 5\n", delayed_ms * 1000000);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

/* Told of a connection, it accepts that so late. */
static void accept_late(bool at_once_another) {
    struct epoll_event events[8];
    have_nothing_to_do();
    int visitors[] = {visit(), visit()};
    assert_int_equal(wait_here(events, 5000), 1);
    if (at_once_another)
        close(accept_here());
    usleep(LATE_MS * 1000);
    delayed_ms += is_crowded ? LATE_MS : 0;
    int fd = accept_here();
    assert_return_code(fd, errno);
    close(fd);
    if (!at_once_another)
        close(accept_here());
    close(visitors[0]);
    close(visitors[1]);
}

static uint64_t hesitant(void) {
    return atomic_load(&set.shared->fallbacks[FALLBACK_HESITATES]);
}

static void begin_beside_an_idle_one(void) {
    struct epoll_event events[8];
    ctl(EPOLL_CTL_ADD, EPOLLIN, 1);
    wait_here(events, 0);
    pretend_another_idle();
    real.syscall = open_schedstat;
}

static void who_goes_on_accepting_does_not_hesitate(void **state) {
    (void)state;
    begin_beside_an_idle_one();
    for (int i = 0; i < 4; i++)
        accept_late(true);
    assert_int_equal(hesitant(), 0);
}

/* Once may happen to anybody. */
static void who_comes_late_twice_hesitates(void **state) {
    (void)state;
    begin_beside_an_idle_one();
    accept_late(false);
    for (int i = 0; i < 20; i++)
        accept_in_time();
    assert_int_equal(hesitant(), 0);
    accept_late(false);
    assert_int_equal(hesitant(), 1);
}

static void but_not_in_ten_minutes(void **state) {
    (void)state;
    begin_beside_an_idle_one();
    struct watch *watch = watch_find(instance_find(epfd), listener_fd);
    accept_late(false);
    watch->doubt.began_ms -= 600000;
    accept_late(false);
    watch->doubt.began_ms -= 600000;
    watch->doubt.read_ms -= 1000;
    accept_in_time();
    assert_false(watch->in_doubt);
    assert_int_equal(hesitant(), 0);
}

/* It would rather have come. */
static void nor_does_who_waits_for_a_cpu(void **state) {
    (void)state;
    begin_beside_an_idle_one();
    struct watch *watch = watch_find(instance_find(epfd), listener_fd);
    is_crowded = true;
    for (int i = 0; i < 4; i++)
        accept_late(false);
    is_crowded = false;
    assert_int_equal(hesitant(), 0);
    delayed_ms += LATE_MS; /* while it was in time */
    watch->doubt.read_ms -= 1000;
    accept_in_time();
    accept_late(false);
    assert_int_equal(hesitant(), 1);
}

static void garbage_is_survived(void **state) {
    (void)state;
    struct epoll_event events[8];
    ctl(EPOLL_CTL_ADD, EPOLLIN, 5);
    wait_here(events, 0);
    srand(2);
    for (int round = 0; round < 500; round++) {
        unsigned char *bytes = (unsigned char *)set.shared;
        for (size_t i = 0; i < SET_MEMORY_SIZE; i++)
            bytes[i] = round % 3 == 0 ? 0xff : round % 3 == 1 ? 0 : (unsigned char)rand();
        set_kick(&set);
        wait_here(events, 0);
        int fd = accept_here();
        if (fd >= 0)
            close(fd);
        if (round % 5 == 0) {
            ctl(EPOLL_CTL_DEL, 0, 0);
            ctl(EPOLL_CTL_ADD, round % 2 ? EPOLLIN : EPOLLIN | EPOLLET, 5);
        }
    }
    assert_int_equal(set.count, SHARDS);
}

int main(void) {
#define WATCHED(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        WATCHED(errors_are_the_kernels),
        WATCHED(nothing_is_reported_without_a_connection),
        WATCHED(a_wait_lasts_as_long_as_it_was_asked_for),
        WATCHED(a_worker_claims_a_home_when_it_waits),
        WATCHED(off_is_the_servers_own_registration),
        WATCHED(an_owner_comes_first_again),
        WATCHED(what_is_left_of_an_edge_is_not_told_twice),
        WATCHED(one_event_for_all_shards),
        WATCHED(oneshot_tells_once_and_is_armed_again),
        WATCHED(rdhup_and_pri_are_masked_and_put_back),
        WATCHED(a_delete_holds_until_the_next_add),
        WATCHED(to_delete_and_add_again_is_no_work),
        WATCHED(what_else_was_deleted_is_still_to_go),
        WATCHED(kicks_show_as_nothing_but_readable),
        WATCHED(who_goes_on_accepting_does_not_hesitate),
        WATCHED(who_comes_late_twice_hesitates),
        WATCHED(but_not_in_ten_minutes),
        WATCHED(nor_does_who_waits_for_a_cpu),
        WATCHED(garbage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
