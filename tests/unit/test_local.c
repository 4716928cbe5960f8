#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sys/syscall.h>

#include "lab.h"
#include "local.h"

static int start(void **state) {
    (void)state;
    return local_start() ? 0 : -1;
}

static int status_of(pid_t pid) {
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- who we are ---- */

static void a_child_has_a_pid_of_its_own(void **state) {
    (void)state;
    assert_int_equal(local_pid(), getpid());
    assert_false(local_is_borrowed());
    pid_t pid = fork();
    if (pid == 0)
        _exit(local_pid() == getpid() && !local_is_borrowed() ? 0 : 1);
    assert_int_equal(status_of(pid), 0);
}

static void a_raw_clone_does_too(void **state) {
    (void)state;
    assert_int_equal(local_pid(), getpid());
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0)
        _exit(local_pid() == (pid_t)syscall(SYS_getpid) && !local_is_borrowed() ? 0 : 1);
    assert_int_equal(status_of(pid), 0);
}

static void a_vfork_child_borrows_its_parents(void **state) {
    (void)state;
    assert_int_equal(local_pid(), getpid());
    pid_t pid = vfork();
    if (pid == 0)
        _exit(local_is_borrowed() ? 0 : 1);
    assert_int_equal(status_of(pid), 0);
    assert_int_equal(local_pid(), getpid());
    assert_false(local_is_borrowed());
}

/* ---- the guard ---- */

static volatile sig_atomic_t was_refused;

static void enter_in_handler(int number) {
    (void)number;
    was_refused = !guard_enter();
    if (!was_refused)
        guard_leave();
}

static void a_handler_of_the_holder_is_refused(void **state) {
    (void)state;
    signal(SIGUSR1, enter_in_handler);
    assert_true(guard_enter());
    assert_false(guard_enter());
    raise(SIGUSR1);
    assert_true(was_refused);
    guard_leave();
    raise(SIGUSR1);
    assert_false(was_refused);
    assert_true(guard_enter());
    guard_leave();
}

static _Atomic bool is_held;
static _Atomic bool may_leave;

static void *hold(void *unused) {
    (void)unused;
    guard_enter();
    is_held = true;
    while (!may_leave)
        sched_yield();
    guard_leave();
    return NULL;
}

static void start_holder(pthread_t *thread) {
    is_held = may_leave = false;
    assert_int_equal(pthread_create(thread, NULL, hold, NULL), 0);
    while (!is_held)
        sched_yield();
}

static void a_child_finds_the_guard_free(void **state) {
    (void)state;
    pthread_t thread;
    start_holder(&thread);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(10);
        bool entered = guard_enter();
        guard_leave();
        _exit(entered && guard_enter() ? 0 : 1);
    }
    assert_int_equal(status_of(pid), 0);
    may_leave = true;
    pthread_join(thread, NULL);
}

/* A handler forks while its own thread is inside: the child must not think that it is, for ever. */
static void a_child_of_the_holder_leaves_for_itself(void **state) {
    (void)state;
    assert_true(guard_enter());
    pid_t pid = fork();
    guard_leave();
    if (pid == 0) {
        alarm(10);
        bool entered = guard_enter();
        guard_leave();
        _exit(entered ? 0 : 1);
    }
    assert_int_equal(status_of(pid), 0);
}

static void *enter_once(void *entered) {
    *(_Atomic bool *)entered = guard_enter();
    guard_leave();
    return NULL;
}

static void others_wait_for_the_guard(void **state) {
    (void)state;
    pthread_t holder, waiters[4];
    static _Atomic bool entered[4];
    start_holder(&holder);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&waiters[i], NULL, enter_once, (void *)&entered[i]), 0);
    for (int i = 0; i < 4; i++)
        assert_false(entered[i]);
    may_leave = true;
    pthread_join(holder, NULL);
    for (int i = 0; i < 4; i++) {
        pthread_join(waiters[i], NULL);
        assert_true(entered[i]);
    }
}

enum { ROUNDS = 50000 };

static int counter;

static void *count_up(void *unused) {
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        guard_enter();
        counter++;
        guard_leave();
    }
    return NULL;
}

static void one_at_a_time_is_inside(void **state) {
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counter, 4 * ROUNDS);
}

static void errno_is_kept(void **state) {
    (void)state;
    errno = 77;
    assert_true(guard_enter());
    guard_leave();
    assert_int_equal(errno, 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_has_a_pid_of_its_own),
        cmocka_unit_test(a_raw_clone_does_too),
        cmocka_unit_test(a_vfork_child_borrows_its_parents),
        cmocka_unit_test(a_handler_of_the_holder_is_refused),
        cmocka_unit_test(a_child_finds_the_guard_free),
        cmocka_unit_test(a_child_of_the_holder_leaves_for_itself),
        cmocka_unit_test(others_wait_for_the_guard),
        cmocka_unit_test(one_at_a_time_is_inside),
        cmocka_unit_test(errno_is_kept),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
