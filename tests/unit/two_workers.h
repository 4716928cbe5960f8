/* two workers: a set of two shards (or SHARDS), of which two have workers, and a clock that the
 * test sets. Included after cmocka.h, by one file of a test. */
#ifndef UNIT_TWO_WORKERS_H
#define UNIT_TWO_WORKERS_H

#include <poll.h>
#include <time.h>

#include "local.h"
#include "watch_current.h"
#include "watch_lab.h"
#include "watch_table.h"
#include "worker_stuck.h"

#ifndef SHARDS
#define SHARDS 2
#endif
enum { LISTENER = 1, OTHER = 2 };

static struct shard_set set;
static const struct shard own = {&set, 0};
static int listener_fd;
static int epfd;     /* of shard 0, whose worker the test is */
static int other_fd; /* of shard 1 */
static uint64_t now_us = 1000000;
static int clock_reads; /* of the one that costs something */

/* In libc's place. */
int clock_gettime(clockid_t clock, struct timespec *time) {
    clock_reads += clock == CLOCK_MONOTONIC;
    *time = (struct timespec){(time_t)(now_us / 1000000), (long)(now_us % 1000000) * 1000};
    return 0;
}

static inline int instance(uint64_t data) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};
    int fd = epoll_create1(EPOLL_CLOEXEC);
    assert_return_code(watch_ctl(fd, EPOLL_CTL_ADD, listener_fd, &own, &event), errno);
    assert_int_equal(wait_on(fd, &event, 1, 0), 0);
    return fd;
}

static inline void make_workers(void) {
    const char *why = NULL;
    assert_true(local_start());
    listener_fd = listening_socket();
    assert_true(set_make(&set, listener_fd, SHARDS, 64, &why));
    begin_stealing(&set, SHARDS - 1);
    epfd = instance(LISTENER);
    other_fd = instance(OTHER);
}

static inline void end_workers(void) {
    watch_listener_closing(&own, listener_fd, true);
    close_instance(epfd);
    close_instance(other_fd);
    set_close(&set);
    close(listener_fd);
}

/* How many are left at a shard, which are taken from it. */
static inline int left_at(int shard) {
    int count = 0;
    int fd;
    for (; (fd = accept4(set_fd(&own, shard, listener_fd), NULL, NULL, SOCK_NONBLOCK)) >= 0;
         count++)
        close(fd);
    assert_int_equal(errno, EAGAIN);
    return count;
}

static inline bool is_queued(int shard) {
    struct pollfd queue = {.fd = set_fd(&own, shard, listener_fd), .events = POLLIN};
    return poll(&queue, 1, 1) > 0;
}

/* Somebody comes to that shard, and nobody to the other. */
static inline void come_to(int shard) {
    for (int i = 0; i < 64 && !is_queued(shard); i++)
        close(visitor(port_of_socket(listener_fd)));
    assert_true(is_queued(shard));
    left_at(1 - shard);
}

/* Until the worker of shard 0 has found out all that it is going to. */
static inline void settle_worker(void) {
    struct epoll_event event = {0};
    assert_int_equal(accept_on(&own, listener_fd), -1); /* but from now on it is woken alone */
    see_two_wait(&set);
    for (int i = 0; i == 0 || (i < 8 && atomic_load(&watch_current->work)); i++)
        wait_on(epfd, &event, 1, 0);
    assert_false(atomic_load(&watch_current->work));
}

#endif
