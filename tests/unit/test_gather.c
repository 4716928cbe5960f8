/*
 * gather: one queue while most are at work, each with one connection and for some time. The test is
 * the worker of shard 0, and of the one of shard 1 it says what it is doing; nobody waits at the
 * third.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "real.h"
#include "socket_options.h"
#define SHARDS 3
#include "two_workers.h"
#include "watch_gather.h"
#include "worker.h"

enum { VISITORS = 32, BACKLOG = 64, SERVES_US = 20000, WAIT_MS = 20 };

static struct rusage used; /* by this thread */

/* In libc's place. */
int getrusage(__rusage_who_t who, struct rusage *usage) {
    assert_int_equal(who, RUSAGE_THREAD);
    *usage = used;
    return 0;
}

static int visitors[4 * BACKLOG];
static int count_visitors;

static void go_home(void) {
    while (count_visitors > 0)
        close(visitors[--count_visitors]);
}

static void come(int count) {
    for (int i = 0; i < count; i++)
        assert_return_code(visitors[count_visitors++] = visitor(port_of_socket(listener_fd)),
                           errno);
}

static bool gathers(void) {
    return atomic_load(&set.shared->gathers) == GATHERS;
}

/* The kernel was not even told. */
static bool has_gathered(void) {
    return atomic_load(&set.shared->gathers) != GATHERS_NEVER;
}

static void other_goes_to_work(void) {
    worker_goes_to_work(&set, 1, now_us / 1000);
}

static void other_waits(void) {
    worker_is_there(&set, 1);
}

static int wait_for(int milliseconds) {
    struct epoll_event event = {0};
    return wait_on(epfd, &event, 1, milliseconds);
}

/* What a worker may do while it is away. */
enum doing { SLEEPS, COMPUTES, IS_PREEMPTED };

static void spend_time(uint64_t us, enum doing what) {
    now_us += us;
    used.ru_nvcsw += what == SLEEPS;
    used.ru_nivcsw += what != SLEEPS;
    used.ru_utime.tv_usec += what == COMPUTES ? 900 : 100;
    used.ru_stime.tv_usec += what == COMPUTES ? 100 : 0;
}

/* It is told of somebody, and serves him: for so long, and then it closes. */
static void serve_one(uint64_t us, enum doing what, bool closes) {
    come_to(0);
    assert_int_equal(wait_for(WAIT_MS), 1);
    int fd = accept_on(&own, listener_fd);
    assert_return_code(fd, errno);
    spend_time(us, what);
    if (closes)
        close(fd);
    else
        visitors[count_visitors++] = fd;
}

/* The thread's memory outlasts a test: what it has served last, it has not closed. And the other
 * worker waits. */
static int begin(void **state) {
    (void)state;
    make_workers();
    settle_worker();
    worker_is_there(&set, 1);
    serve_one(SERVES_US, SLEEPS, false);
    assert_int_equal(wait_for(0), 0);
    assert_false(gathers());
    return 0;
}

static int end(void **state) {
    (void)state;
    go_home();
    end_workers();
    return 0;
}

/* The first time that it is away it is followed, and then it is believed after three. */
static void serve_some(uint64_t us, enum doing what) {
    for (int i = 0; i < 4; i++)
        serve_one(us, what, true);
}

static void take_the_next(void) {
    come_to(0);
    assert_int_equal(wait_for(WAIT_MS), 1);
    close(accept_on(&own, listener_fd));
}

/* Some were served for long, another worker is at work, and there comes the next. */
static void gather(void) {
    serve_some(SERVES_US, SLEEPS);
    other_goes_to_work();
    take_the_next();
    assert_true(gathers());
}

static void whoever_comes_then_is_in_the_first(void **state) {
    (void)state;
    gather();
    come(VISITORS);
    assert_int_equal(left_at(1), 0);
    assert_int_equal(left_at(0), VISITORS);
}

static void not_while_another_waits(void **state) {
    (void)state;
    serve_some(SERVES_US, SLEEPS);
    take_the_next();
    assert_false(has_gathered());
    come(VISITORS);
    assert_in_range(left_at(1), 1, VISITORS - 1);
}

/* One that is stopped in its wait seems to; but others empty its shard. */
static void but_for_one_that_is_stuck_in_it(void **state) {
    (void)state;
    serve_some(SERVES_US, SLEEPS);
    worker_took_stolen(&set, 1);
    take_the_next();
    assert_true(gathers());
}

/* All but the last are served while it is away. */
static void not_where_connections_are_kept(void **state) {
    (void)state;
    serve_some(SERVES_US, SLEEPS);
    serve_one(SERVES_US, SLEEPS, false);
    other_goes_to_work();
    take_the_next();
    assert_false(has_gathered());
    serve_one(SERVES_US, SLEEPS, true); /* nor is it believed at once */
    take_the_next();
    assert_false(has_gathered());
}

/* As an event loop may, though it often has closed the last one when it was away for long. */
static void nor_if_so_it_is_now_and_then(void **state) {
    (void)state;
    serve_some(SERVES_US, SLEEPS);
    serve_one(10, SLEEPS, false);
    other_goes_to_work();
    take_the_next();
    assert_false(has_gathered());
}

static void not_where_they_are_served_at_once(void **state) {
    (void)state;
    serve_some(10, SLEEPS);
    other_goes_to_work();
    take_the_next();
    assert_false(has_gathered());
}

static void nor_is_it_believed_before_three_times(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++)
        serve_one(SERVES_US, SLEEPS, true);
    other_goes_to_work();
    take_the_next();
    assert_false(has_gathered());
}

/* It would not end what others begin for its sake. */
static void not_who_only_asks_and_sleeps_elsewhere(void **state) {
    (void)state;
    for (int i = 0; i < 6; i++) {
        come_to(0);
        assert_int_equal(wait_for(0), 1);
        int fd = accept_on(&own, listener_fd);
        spend_time(SERVES_US, SLEEPS);
        close(fd);
    }
    other_goes_to_work();
    come_to(0);
    assert_int_equal(wait_for(0), 1);
    close(accept_on(&own, listener_fd));
    assert_false(has_gathered());
}

/* What few are kept by is worth nothing to the others. */
static void nor_where_most_are(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        serve_one(SERVES_US, SLEEPS, true);
        for (int j = 0; j < 9; j++)
            serve_one(10, SLEEPS, true);
    }
    other_goes_to_work();
    take_the_next();
    assert_false(has_gathered());
}

static void but_some_may_be(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 8; j++)
            serve_one(10, SLEEPS, true);
        serve_one(SERVES_US, SLEEPS, true);
    }
    other_goes_to_work();
    take_the_next();
    assert_true(gathers());
}

static void who_computes_is_held_too(void **state) {
    (void)state;
    serve_some(SERVES_US, COMPUTES);
    other_goes_to_work();
    take_the_next();
    assert_true(gathers());
}

/* On crowded CPUs any worker is away for long. */
static void who_only_has_no_cpu_is_not(void **state) {
    (void)state;
    serve_some(SERVES_US, IS_PREEMPTED);
    serve_some(SERVES_US, IS_PREEMPTED);
    other_goes_to_work();
    take_the_next();
    assert_false(has_gathered());
}

static void not_with_one_worker(void **state) {
    (void)state;
    close_instance(other_fd);
    atomic_store(&set.shared->shards[1].state, SHARD_SPARE);
    serve_some(SERVES_US, SLEEPS);
    take_the_next();
    assert_false(has_gathered());
    other_fd = epoll_create1(EPOLL_CLOEXEC);
}

/* Only whoever holds an accept mutex waits, and then nobody else does. */
static void not_where_one_at_a_time_waits(void **state) {
    (void)state;
    serve_some(SERVES_US, SLEEPS);
    other_goes_to_work();
    come_to(0);
    assert_int_equal(wait_for(WAIT_MS), 1);
    atomic_fetch_add(&set.shared->generation, 1);
    close(accept_on(&own, listener_fd));
    assert_false(has_gathered());
}

/* It would be told of what another takes, and not again of what it has left. */
static void not_edge_triggered(void **state) {
    (void)state;
    serve_some(SERVES_US, SLEEPS);
    other_goes_to_work();
    watch_find(watch_current, listener_fd)->asked |= EPOLLET;
    take_the_next();
    assert_false(has_gathered());
}

static void not_without_thieves(void **state) {
    (void)state;
    begin_stealing(&set, 0);
    serve_some(SERVES_US, SLEEPS);
    other_goes_to_work();
    take_the_next();
    assert_false(has_gathered());
}

/* ---- and not where something else is so, with all the rest as it should be ---- */

static struct watch *its_watch(void) {
    return watch_find(watch_current, listener_fd);
}

/* It has been told of somebody when that changes, and takes him. */
static void take_when(void (*change)(void)) {
    serve_some(SERVES_US, SLEEPS);
    other_goes_to_work();
    come_to(0);
    assert_int_equal(wait_for(WAIT_MS), 1);
    change();
    close(accept_on(&own, listener_fd));
}

static void is_told_once(void) {
    its_watch()->asked |= EPOLLONESHOT;
}

static void is_frozen(void) {
    its_watch()->frozen = true;
}

static void blocks(void) {
    assert_return_code(fcntl(listener_fd, F_SETFL, 0), errno);
    atomic_store(&set.shared->shards[0].nonblocking, 0);
}

static void is_handed_over(void) {
    atomic_store(&set.shared->handed, 1);
}

static void is_of_servers_own(void) {
    set.is_servers = true;
}

static void has_had_its_turns(void) {
    while (worker_may_gather(&set))
        continue;
}

static void changes_nothing(void) {
}

static void not_where_anything_is_unusual(void **state) {
    static void (*const changes[])(void) = {is_told_once,   is_frozen,         blocks,
                                            is_handed_over, is_of_servers_own, has_had_its_turns};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        take_when(changes[i]);
        assert_false(has_gathered());
        set.is_servers = false;
        end(state);
        begin(state);
    }
    take_when(changes_nothing);
    assert_true(gathers());
}

/* What a child does, which is over with it; whether it says yes. Where something fails in it, it
 * goes on with the tests that are left, and exits with how many did. */
static bool child_says(bool (*does)(void)) {
    enum { YES = 101, NO = 102 };
    int status = 0;
    pid_t child = fork();
    assert_return_code(child, errno);
    if (child == 0)
        _exit(does() ? YES : NO);
    assert_return_code(waitpid(child, &status, 0), errno);
    assert_true(WIFEXITED(status));
    assert_in_range(WEXITSTATUS(status), YES, NO);
    return WEXITSTATUS(status) == YES;
}

static bool gathers_confined(void) {
    take_when(local_confine);
    return has_gathered();
}

static void not_who_has_confined_itself(void **state) {
    (void)state;
    assert_false(child_says(gathers_confined));
}

static bool has_told_kernel;

static int note_told(int fd, int level, int name, const void *value, socklen_t length) {
    has_told_kernel = true;
    return setsockopt(fd, level, name, value, length);
}

static int note_poll(struct pollfd *list, nfds_t count, int milliseconds) {
    has_told_kernel = true;
    return poll(list, count, milliseconds);
}

static bool acts_confined(void) {
    local_confine();
    real.setsockopt = note_told;
    real.poll = note_poll;
    wait_for(1);
    return has_told_kernel || !gathers();
}

static bool ends_confined(void) {
    gather();
    other_waits();
    return acts_confined();
}

/* A filter may kill it for that; another does it. */
static void nor_does_such_a_one_end_it(void **state) {
    (void)state;
    assert_false(child_says(ends_confined));
}

static bool looks_confined(void) {
    gather();
    return acts_confined();
}

static void nor_does_it_look_what_is_left(void **state) {
    (void)state;
    assert_false(child_says(looks_confined));
}

static void who_finds_nothing_and_sees_many_wait_deals_them_out_again(void **state) {
    (void)state;
    gather();
    other_waits();
    assert_int_equal(wait_for(WAIT_MS), 0);
    assert_false(gathers());
    come(VISITORS);
    assert_in_range(left_at(1), 1, VISITORS - 1);
}

/* It is woken for what comes to shard 0. */
static void one_that_waits_alone_does_not(void **state) {
    (void)state;
    gather();
    assert_int_equal(wait_for(WAIT_MS), 0);
    assert_true(gathers());
    come(1);
    assert_int_equal(wait_for(WAIT_MS), 1);
    close(accept_on(&own, listener_fd));
    assert_true(gathers());
}

/* Where it is not, as the policy has changed, or the kernel has refused it, nothing is for it. */
static void but_one_that_does_not_watch_the_first(void **state) {
    (void)state;
    gather();
    bits_remove(&its_watch()->registered, 0);
    gather_end_if_many_wait(watch_current);
    assert_false(gathers());
    bits_add(&its_watch()->registered, 0);
}

/* And with it one that waits nested in another's wait, where the kernel wakes all. */
static void but_where_it_sleeps_elsewhere(void **state) {
    (void)state;
    gather();
    watch_sleeps_elsewhere(fd_index_of(fd_entry(epfd)));
    assert_false(gathers());
}

/* A server that asks what there is, and does something else, is at work still. */
static void who_only_asks_does_not(void **state) {
    (void)state;
    gather();
    other_waits();
    now_us += SERVES_US;
    assert_int_equal(wait_for(0), 0);
    assert_true(gathers());
}

static void nor_who_finds_somebody(void **state) {
    (void)state;
    gather();
    other_waits();
    come(2);
    now_us += SERVES_US;
    assert_int_equal(wait_for(WAIT_MS), 1);
    assert_true(gathers());
    close(accept_on(&own, listener_fd));
    assert_int_equal(left_at(0), 1);
}

static struct timespec asked[4];
static int count_asked;

static int ask_kernel(const struct wait_call *call) {
    assert_true(call->has_timeout);
    asked[count_asked++ % 4] = call->timeout;
    return kernel_wait(call);
}

/* Before it sleeps it asks, and then for as long as the server does. */
static void the_wait_is_as_long_as_ever(void **state) {
    (void)state;
    struct epoll_event event = {0};
    struct wait_call call = {.wait = ask_kernel, .epfd = epfd, .events = &event, .most = 1};
    gather();
    call.has_timeout = true;
    call.timeout.tv_nsec = 5000000;
    count_asked = 0;
    assert_int_equal(watch_wait(fd_index_of(fd_entry(epfd)), &call), 0);
    assert_int_equal(count_asked, 2);
    assert_int_equal(asked[0].tv_nsec, 0);
    assert_int_equal(asked[1].tv_nsec, 5000000);
    assert_int_equal(call.timeout.tv_nsec, 5000000);
}

/* The worker of shard 0 gathers, and somebody waits in shard 1 still. */
static void gather_late(void) {
    serve_some(SERVES_US, SLEEPS);
    other_goes_to_work();
    come_to(0);
    assert_int_equal(wait_for(WAIT_MS), 1);
    while (!is_queued(1))
        come(1);
    close(accept_on(&own, listener_fd));
    assert_true(gathers());
}

static void who_came_before_is_taken_first(void **state) {
    (void)state;
    gather_late();
    left_at(0);
    come(1);
    assert_int_equal(wait_for(WAIT_MS), 1);
    while (is_queued(1))
        close(accept_on(&own, listener_fd)), wait_for(WAIT_MS);
    assert_int_equal(left_at(0), 1);
}

/* Its shard was chosen when it began, and nobody is told of it for its sake. */
static void who_was_on_the_way_is_looked_for(void **state) {
    (void)state;
    serve_some(SERVES_US, SLEEPS);
    other_goes_to_work();
    atomic_store(&set.shared->swept_ms, (uint32_t)(now_us / 1000) | 1U); /* then, as it seems */
    take_the_next();
    assert_true(gathers());
    assert_true(gather_is_to_sweep(&set));
    assert_false(gather_is_to_sweep(&set));
    now_us += SERVES_US;
    assert_true(gather_is_to_sweep(&set));
}

/* ---- the worker of shard 1 ---- */

static void other_is_told(void) {
    struct epoll_event event = {0};
    assert_int_equal(wait_on(other_fd, &event, 1, WAIT_MS), 1);
}

static int other_takes(void) {
    return accept_on(&own, listener_fd);
}

static void other_serves(void) {
    int fd = other_takes();
    assert_return_code(fd, errno);
    now_us += SERVES_US;
    close(fd);
}

/* Else it would take all that there is. */
static void who_keeps_them_takes_one_for_each_wait(void **state) {
    (void)state;
    int fd[2];
    gather();
    come(3);
    for (int i = 0; i < 2; i++) {
        other_is_told();
        assert_return_code(fd[i] = other_takes(), errno);
        assert_int_equal(other_takes(), -1);
        assert_int_equal(errno, EAGAIN);
    }
    close(fd[0]);
    close(fd[1]);
    assert_int_equal(left_at(0), 1);
}

static void who_serves_them_one_by_one_goes_on(void **state) {
    (void)state;
    gather();
    come(6);
    other_is_told();
    other_serves();
    assert_int_equal(other_takes(), -1); /* and is known to try */
    other_is_told();
    for (int i = 0; i < 4; i++)
        other_serves();
    assert_true(gathers());
    assert_int_equal(atomic_load(&set.shared->shards[1].at_work_since),
                     (uint32_t)((now_us - SERVES_US) / 1000) | 1U);
    assert_int_equal(atomic_load(&set.shared->shards[0].stolen_since), 0);
    assert_int_equal(left_at(0), 1);
}

/* ---- who goes on without a wait ---- */

/* The kernel asks the other worker whether it sleeps, for each who comes to that shard. */
static bool is_asked(int shard) {
    struct epoll_event event = {.events = EPOLLIN};
    int fd = set_fd(&own, shard, listener_fd);
    assert_int_equal(epoll_ctl(other_fd, EPOLL_CTL_MOD, fd, &event), -1); /* it is exclusive */
    return errno == EINVAL;
}

/* The first for a wait, one time in vain, and then so many one after another. */
static void other_goes_on(int count) {
    other_is_told();
    watch_current->is_own = true; /* as it is where the server waits with poll() */
    other_serves();
    other_takes();
    other_is_told();
    for (int i = 0; i <= count; i++)
        other_serves();
}

static void who_goes_on_for_long_is_not_asked(void **state) {
    (void)state;
    gather();
    come(7);
    other_goes_on(3);
    assert_true(is_asked(0));
    other_serves();
    assert_false(is_asked(0));
    assert_true(is_asked(1));
    other_serves();
    assert_true(gathers());
    assert_int_equal(left_at(0), 0);
}

/* After that it is not so many any more. */
static void but_who_looked_in_vain_meanwhile(void **state) {
    (void)state;
    gather();
    come(6);
    other_goes_on(3);
    assert_int_equal(left_at(0), 1);
    assert_int_equal(other_takes(), -1);
    come(5);
    for (int i = 0; i < 4; i++) /* the first of which is as one after a wait */
        other_serves();
    assert_true(is_asked(0));
    other_serves();
    assert_false(is_asked(0));
}

static int count_polls;

static int count_poll(struct pollfd *list, nfds_t count, int milliseconds) {
    count_polls++;
    return poll(list, count, milliseconds);
}

/* The shard that all share it tries each time, and those beside it every other time, as it has
 * found nothing there. */
static void who_looked_in_vain_tries_the_first(void **state) {
    (void)state;
    int (*really)(struct pollfd *, nfds_t, int) = real.poll;
    gather();
    come(2);
    other_goes_on(0);
    assert_int_equal(other_takes(), -1);
    come(1);
    other_is_told();
    other_serves();
    gather_is_to_sweep(&set); /* which has been done, so */
    real.poll = count_poll;
    count_polls = 0;
    assert_int_equal(other_takes(), -1);
    real.poll = really;
    assert_int_equal(count_polls, 0);
    come(1);
    other_is_told();
    other_serves();
    real.poll = count_poll;
    gather_is_to_sweep(&set);
    count_polls = 0;
    assert_int_equal(other_takes(), -1);
    real.poll = really;
    assert_int_equal(count_polls, 1);
}

static void until_it_waits(void **state) {
    (void)state;
    gather();
    come(7);
    other_goes_on(4);
    assert_false(is_asked(0));
    other_is_told(); /* of what came before */
    assert_true(is_asked(0));
    other_serves();
    left_at(0);
    come(1);
    other_is_told();
    assert_true(is_asked(0));
    left_at(0);
}

static int count_options;

static int count_option(int fd, int level, int name, void *value, socklen_t *length) {
    count_options++;
    return getsockopt(fd, level, name, value, length);
}

/* No other shard is looked at for that, such as one that nobody owns. */
static void and_then_costs_little(void **state) {
    (void)state;
    int (*really)(int, int, int, void *, socklen_t *) = real.getsockopt;
    gather();
    assert_return_code(set_listen(&set, 2), errno);
    atomic_store(&set.shared->shards[2].state, SHARD_LISTENING);
    worker_is_gone(&set, 2);
    come(7);
    other_goes_on(4);
    assert_false(is_asked(0));
    real.getsockopt = count_option;
    count_options = 0;
    other_is_told();
    real.getsockopt = really;
    assert_true(is_asked(0));
    assert_int_equal(count_options, 0);
    left_at(0);
}

static int refuse_to_add(int instance, int op, int fd, struct epoll_event *event) {
    errno = ENOSPC;
    return op == EPOLL_CTL_ADD ? -1 : epoll_ctl(instance, op, fd, event);
}

/* Should it be refused then, it is at the next one. */
static void or_the_one_after(void **state) {
    (void)state;
    int (*really)(int, int, int, struct epoll_event *) = real.epoll_ctl;
    struct epoll_event event = {0};
    gather();
    come(7);
    other_goes_on(4);
    left_at(0);
    real.epoll_ctl = refuse_to_add;
    assert_int_equal(wait_on(other_fd, &event, 1, 0), 0);
    real.epoll_ctl = really;
    assert_false(is_asked(0));
    assert_int_equal(wait_on(other_fd, &event, 1, 0), 0);
    assert_true(is_asked(0));
}

/* Where all claims are looked at anew, it is not to come back after that as well. */
static void or_where_more_is_to_be_looked_at(void **state) {
    (void)state;
    gather();
    come(7);
    other_goes_on(4);
    set_changed(&set);
    other_is_told();
    assert_true(is_asked(0));
    assert_false(its_watch()->is_aside);
    left_at(0);
}

/* As it does when it is going to sleep; and it sees what there is. */
static void or_only_asks(void **state) {
    struct epoll_event event = {0};
    (void)state;
    gather();
    come(7);
    other_goes_on(4);
    assert_false(is_asked(0));
    assert_int_equal(wait_on(other_fd, &event, 1, 0), 1);
    assert_true(is_asked(0));
    left_at(0);
}

/* It would be told of nothing in its sleep. */
static void not_where_another_thread_waits(void **state) {
    (void)state;
    gather();
    come(7);
    other_goes_on(3);
    atomic_store(&watch_current->waiting, 1);
    other_serves();
    assert_true(is_asked(0));
    atomic_store(&watch_current->waiting, 0);
    left_at(0);
    assert_int_equal(other_takes(), -1); /* and is going to wait itself */
    assert_true(is_asked(0));
}

/* Nor would a child that waits in the server's instance too, nor whoever waits for that. */
static void nor_where_others_may(void **state) {
    (void)state;
    gather();
    come(7);
    other_goes_on(3);
    watch_current->is_own = false;
    other_serves();
    assert_true(is_asked(0));
    watch_current->is_own = true;
    watch_current->pid++; /* or this is the child */
    other_serves();
    assert_true(is_asked(0));
    watch_current->pid--;
    left_at(0);
}

/* Nor where it is its own. */
static void not_from_its_own(void **state) {
    (void)state;
    gather();
    come(9);
    assert_int_equal(wait_for(WAIT_MS), 1);
    for (int i = 0; i < 8; i++)
        other_serves(); /* it is the test itself that does */
    assert_true(gathers());
    assert_true(bits_has(&its_watch()->registered, 0));
    assert_int_equal(left_at(0), 1);
}

/* Where all have their own again, it waits for its own. */
static void nor_where_it_is_over(void **state) {
    (void)state;
    gather();
    come(7);
    other_goes_on(3);
    set_gather(&set, false);
    gather_step_aside(its_watch());
    assert_true(is_asked(0));
    left_at(0);
}

static uint64_t counted_of_other(enum count count) {
    int place = watch_find(watch_current, listener_fd)->place;
    return atomic_load(&set.shared->worker[place].counts[count]);
}

/* It was counted for the shard that all share, and not as stolen. */
static void what_all_share_is_not_stolen(void **state) {
    (void)state;
    gather();
    come(1);
    other_is_told();
    other_serves();
    assert_int_equal(counted_of_other(COUNT_HOME), 1);
    assert_int_equal(counted_of_other(COUNT_STOLEN), 0);
}

/* What came before, of whom it is the owner. */
static void nor_is_what_is_left_at_home(void **state) {
    (void)state;
    gather_late();
    while (is_queued(1)) {
        other_is_told();
        other_serves();
    }
    assert_int_equal(counted_of_other(COUNT_STOLEN), 0);
}

/* Those who sleep take turns at it, but for its owner. */
static void who_takes_after_a_sleep_is_last_in_line(void **state) {
    (void)state;
    gather();
    come(1);
    assert_int_equal(wait_for(WAIT_MS), 1);
    close(accept_on(&own, listener_fd));
    assert_int_equal(counted_of_other(COUNT_ROTATIONS), 0);
    come(1);
    other_is_told();
    other_serves();
    assert_int_equal(counted_of_other(COUNT_ROTATIONS), 1);
}

/* ---- ends, and what is left then ---- */

/* A queue has so much room; others have more. */
static void one_that_is_almost_full_is_not_all(void **state) {
    (void)state;
    gather();
    come(BACKLOG / 2);
    gather_end_if_full(&set, listener_fd);
    assert_true(gathers());
    come(BACKLOG / 4 + 1);
    gather_end_if_full(&set, listener_fd);
    assert_false(gathers());
    wait_for(WAIT_MS);
    close(accept_on(&own, listener_fd));
    assert_false(gathers());
}

/* The others' instances know nothing of what one was woken for alone. */
static void tell_of_what_was_left(void (*ends)(struct instance *instance)) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int waiting = epoll_create1(EPOLL_CLOEXEC);
    come_to(1);
    int fd = set_fd(&own, 1, listener_fd);
    assert_return_code(epoll_ctl(waiting, EPOLL_CTL_ADD, fd, &event), errno);
    assert_int_equal(epoll_wait(waiting, &event, 1, 0), 1);
    assert_int_equal(epoll_wait(waiting, &event, 1, 0), 0);
    worker_gather(&set);
    ends(watch_current);
    assert_int_equal(epoll_wait(waiting, &event, 1, 0), 1);
    close(waiting);
}

static void whoever_waits_is_told_of_what_was_left(void **state) {
    (void)state;
    tell_of_what_was_left(gather_end);
    assert_false(gathers());
}

static void and_so_where_it_goes_on(void **state) {
    (void)state;
    other_goes_to_work();
    tell_of_what_was_left(gather_end_if_many_wait);
    assert_true(gathers());
}

/* So it is where a filter is locked, which only privileges change. */
static void it_is_tried_once_where_the_kernel_refuses(void **state) {
    (void)state;
    int one = 1;
    for (int i = 1; i < SHARDS; i++)
        assert_return_code(setsockopt(set.fd[i], SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one),
                           errno);
    assert_false(set_gather(&set, true));
    assert_int_equal(atomic_load(&set.shared->gathers), GATHERS_REFUSED);
    serve_some(SERVES_US, SLEEPS);
    other_goes_to_work();
    take_the_next();
    assert_int_equal(atomic_load(&set.shared->gathers), GATHERS_REFUSED);
}

static int refuse(int fd, int level, int name, const void *value, socklen_t length) {
    (void)fd, (void)level, (void)name, (void)value, (void)length;
    errno = EPERM;
    return -1;
}

/* One that has confined itself, and nobody knows of it: another ends it then. */
static void who_may_not_end_it_leaves_that_to_others(void **state) {
    (void)state;
    int (*allowed)(int, int, int, const void *, socklen_t) = real.setsockopt;
    gather();
    other_waits();
    real.setsockopt = refuse;
    assert_int_equal(wait_for(1), 0);
    real.setsockopt = allowed;
    assert_true(gathers());
    assert_int_equal(wait_for(1), 0);
    assert_false(gathers());
    come(VISITORS);
    assert_in_range(left_at(1), 1, VISITORS - 1);
}

static int end_watch(int fd, int level, int name, const void *value, socklen_t length) {
    watch_free(watch_find(watch_current, listener_fd));
    return setsockopt(fd, level, name, value, length);
}

/* Another thread closes the listener just then. */
static void what_is_ended_meanwhile_is_not_looked_at(void **state) {
    (void)state;
    int (*allowed)(int, int, int, const void *, socklen_t) = real.setsockopt;
    gather();
    real.setsockopt = end_watch;
    gather_end(watch_current);
    real.setsockopt = allowed;
    assert_false(gathers());
}

static void who_takes_one_sees_that_it_is_almost_full(void **state) {
    (void)state;
    gather();
    come(3 * BACKLOG / 4 + 1);
    now_us += SERVES_US;
    assert_int_equal(wait_for(WAIT_MS), 1);
    close(accept_on(&own, listener_fd));
    assert_int_equal(atomic_load(&set.shared->gathers), GATHERS_DRAINS);
}

/* As many as were queued come before those who were dealt out since. */
static void one_that_was_almost_full_is_emptied_first(void **state) {
    (void)state;
    gather();
    come(3 * BACKLOG / 4 + 1);
    gather_end_if_full(&set, listener_fd);
    assert_int_equal(atomic_load(&set.shared->gathers), GATHERS_DRAINS);
    while (!is_queued(1))
        come(1);
    for (int i = 0; is_queued(0); i++) {
        assert_true(is_queued(1));
        assert_int_equal(wait_for(WAIT_MS), 1);
        close(accept_on(&own, listener_fd));
    }
    assert_int_equal(wait_for(WAIT_MS), 1);
    close(accept_on(&own, listener_fd));
    assert_int_equal(atomic_load(&set.shared->gathers), GATHERS_NOT);
    left_at(1);
}

/* Woken alone for what is in the first shard, perhaps, it takes what came before. */
static void what_it_was_woken_for_is_passed_on(void **state) {
    (void)state;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int waiting = epoll_create1(EPOLL_CLOEXEC);
    gather_late();
    go_home();
    while (!is_queued(0))
        come(1);
    assert_return_code(epoll_ctl(waiting, EPOLL_CTL_ADD, listener_fd, &event), errno);
    assert_int_equal(epoll_wait(waiting, &event, 1, 0), 1);
    other_is_told();
    assert_true(atomic_load(&watch_current->has_slept));
    other_serves();
    assert_true(is_queued(0));
    assert_int_equal(epoll_wait(waiting, &event, 1, 0), 1);
    left_at(0);
    left_at(1);
    close(waiting);
}

static void one_that_was_shut_down_says_so(void **state) {
    (void)state;
    gather();
    set_shutdown(&set, SHUT_WR); /* which means nothing */
    assert_true(gathers());
    shutdown(listener_fd, SHUT_RD);
    atomic_store(&watch_find(watch_current, listener_fd)->served, false);
    assert_int_equal(accept_on(&own, listener_fd), -1);
    assert_int_equal(errno, EINVAL);
    set_shutdown(&set, SHUT_RD);
    assert_false(gathers());
}

static void who_leaves_ends_it(void **state) {
    (void)state;
    gather();
    close_instance(other_fd);
    assert_false(gathers());
    other_fd = epoll_create1(EPOLL_CLOEXEC);
}

/* Who was to tell the kernel was killed before it did. */
static void who_claims_a_shard_tells_the_kernel_again(void **state) {
    (void)state;
    gather();
    atomic_store(&set.shared->gathers, GATHERS_NOT);
    come(VISITORS);
    assert_int_equal(left_at(0), VISITORS);
    assert_int_equal(worker_claim(&set, &(struct shard_bits){0}, 2), 2);
    come(VISITORS);
    assert_in_range(left_at(0), 0, VISITORS - 1);
    left_at(1);
    left_at(2);
}

static void not_where_a_queue_is_short(void **state) {
    (void)state;
    assert_return_code(listen(listener_fd, 8), errno);
    serve_some(SERVES_US, SLEEPS);
    other_goes_to_work();
    take_the_next();
    assert_false(has_gathered());
}

static void not_once_the_server_chose_itself(void **state) {
    (void)state;
    gather();
    set_leave_choice(&set);
    assert_false(gathers());
    serve_some(SERVES_US, SLEEPS);
    other_goes_to_work();
    take_the_next();
    assert_int_equal(atomic_load(&set.shared->gathers), GATHERS_REFUSED);
}

/* Once: another ends it just when the kernel has been told. */
static int end_it_then(int fd, int level, int name, const void *value, socklen_t length) {
    int result = setsockopt(fd, level, name, value, length);
    real.setsockopt = setsockopt;
    set_gather(&set, false);
    setsockopt(fd, level, name, value, length); /* and this one is the last that tells */
    return result;
}

static void who_tells_late_looks_again(void **state) {
    (void)state;
    int (*allowed)(int, int, int, const void *, socklen_t) = real.setsockopt;
    real.setsockopt = end_it_then;
    worker_gather(&set);
    real.setsockopt = allowed;
    assert_false(gathers());
    come(VISITORS);
    assert_in_range(left_at(1), 1, VISITORS - 1);
}

/* Anybody may have written it. */
static void garbage_is_survived(void **state) {
    (void)state;
    static const uint32_t garbage[] = {GATHERS, GATHERS_REFUSED, 77, UINT32_MAX};
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        atomic_store(&set.shared->gathers, garbage[i]);
        atomic_store(&set.shared->swept_ms, garbage[i]);
        come_to(1);
        assert_int_equal(wait_for(WAIT_MS), 1);
        close(accept_on(&own, listener_fd));
        assert_int_equal(wait_for(1), 0);
        assert_int_equal(left_at(1), 0);
    }
}

/* Whoever says that in this process has it for all of them: so it is the last. */
static void not_where_the_server_chooses_itself(void **state) {
    (void)state;
    socket_option_seen(SOL_SOCKET, SO_REUSEPORT);
    assert_false(socket_option_chooses());
    socket_option_seen(SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF);
    assert_true(socket_option_chooses());
    serve_some(SERVES_US, SLEEPS);
    other_goes_to_work();
    take_the_next();
    assert_false(has_gathered());
}

#define A_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        A_TEST(whoever_comes_then_is_in_the_first),
        A_TEST(not_while_another_waits),
        A_TEST(but_for_one_that_is_stuck_in_it),
        A_TEST(not_where_connections_are_kept),
        A_TEST(nor_if_so_it_is_now_and_then),
        A_TEST(not_where_they_are_served_at_once),
        A_TEST(nor_is_it_believed_before_three_times),
        A_TEST(not_who_only_asks_and_sleeps_elsewhere),
        A_TEST(nor_where_most_are),
        A_TEST(but_some_may_be),
        A_TEST(who_computes_is_held_too),
        A_TEST(who_only_has_no_cpu_is_not),
        A_TEST(not_with_one_worker),
        A_TEST(not_where_one_at_a_time_waits),
        A_TEST(not_edge_triggered),
        A_TEST(not_without_thieves),
        A_TEST(not_where_anything_is_unusual),
        A_TEST(not_who_has_confined_itself),
        A_TEST(nor_does_such_a_one_end_it),
        A_TEST(nor_does_it_look_what_is_left),
        A_TEST(who_finds_nothing_and_sees_many_wait_deals_them_out_again),
        A_TEST(one_that_waits_alone_does_not),
        A_TEST(but_one_that_does_not_watch_the_first),
        A_TEST(but_where_it_sleeps_elsewhere),
        A_TEST(who_only_asks_does_not),
        A_TEST(nor_who_finds_somebody),
        A_TEST(the_wait_is_as_long_as_ever),
        A_TEST(who_came_before_is_taken_first),
        A_TEST(who_was_on_the_way_is_looked_for),
        A_TEST(who_keeps_them_takes_one_for_each_wait),
        A_TEST(who_serves_them_one_by_one_goes_on),
        A_TEST(who_goes_on_for_long_is_not_asked),
        A_TEST(but_who_looked_in_vain_meanwhile),
        A_TEST(who_looked_in_vain_tries_the_first),
        A_TEST(until_it_waits),
        A_TEST(and_then_costs_little),
        A_TEST(or_the_one_after),
        A_TEST(or_where_more_is_to_be_looked_at),
        A_TEST(or_only_asks),
        A_TEST(not_where_another_thread_waits),
        A_TEST(nor_where_others_may),
        A_TEST(not_from_its_own),
        A_TEST(nor_where_it_is_over),
        A_TEST(what_all_share_is_not_stolen),
        A_TEST(nor_is_what_is_left_at_home),
        A_TEST(who_takes_after_a_sleep_is_last_in_line),
        A_TEST(one_that_is_almost_full_is_not_all),
        A_TEST(whoever_waits_is_told_of_what_was_left),
        A_TEST(and_so_where_it_goes_on),
        A_TEST(it_is_tried_once_where_the_kernel_refuses),
        A_TEST(who_may_not_end_it_leaves_that_to_others),
        A_TEST(what_is_ended_meanwhile_is_not_looked_at),
        A_TEST(who_takes_one_sees_that_it_is_almost_full),
        A_TEST(one_that_was_almost_full_is_emptied_first),
        A_TEST(what_it_was_woken_for_is_passed_on),
        A_TEST(one_that_was_shut_down_says_so),
        A_TEST(who_leaves_ends_it),
        A_TEST(who_claims_a_shard_tells_the_kernel_again),
        A_TEST(not_where_a_queue_is_short),
        A_TEST(not_once_the_server_chose_itself),
        A_TEST(who_tells_late_looks_again),
        A_TEST(garbage_is_survived),
        A_TEST(not_where_the_server_chooses_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
