/* watch ctl: EPOLL_CTL_ADD, MOD and DEL of a listener. */
#include "watch.h"

#include <errno.h>

#include "fd_table.h"
#include "local.h"
#include "log.h"
#include "real.h"
#include "watch_shards.h"

/* Whether something in what was asked has to be put back into, or kept out of, the events. */
static bool needs_filter(const struct shard_set *set, uint32_t asked) {
    return set->count > 1 || (asked & ~(EVENTS_BESIDE_EXCLUSIVE | (uint32_t)EPOLLEXCLUSIVE));
}

static void ask(struct watch *watch, const struct epoll_event *event) {
    watch->asked = event->events;
    watch->given = events_given(atomic_load(&watch->set), event->events);
    watch->is_own_exclusive = event->events & EPOLLEXCLUSIVE;
    watch->is_filtered =
        watch->instance->is_own || needs_filter(atomic_load(&watch->set), event->events);
    atomic_store(&watch->data, event->data.u64);
    instance_refilter(watch->instance);
}

/* The server's own registration, as it asked for it; said once, since every worker meets it. */
static int add_plainly(int epfd, int fd, const struct shard *own, struct epoll_event *event,
                       const char *why) {
    static atomic_bool said;
    set_unkeep(own->set, own->number);
    stats_fall_back(own->set, FALLBACK_AS_ASKED);
    if (!atomic_exchange(&said, true))
        log_line(LOG_WARN, "a listener is left in its epoll instance as it is: %s", why);
    return real.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, event);
}

static int record(int epfd, int fd, const struct shard *own, struct epoll_event *event) {
    struct instance *instance = instance_for(epfd);
    struct watch *watch = instance ? watch_make(instance, fd, own) : NULL;
    if (!watch) {
        real.epoll_ctl(epfd, EPOLL_CTL_DEL, fd, event);
        return add_plainly(epfd, fd, own, event, "too many of them");
    }
    ask(watch, event);
    bits_add(&watch->registered, own->number);
    atomic_store(&instance->work, WORK); /* a home is found at the first wait */
    if (atomic_load(&instance->waiting)) /* which somebody has begun: he sleeps on, with shard 0 */
        shards_begin(watch);
    return 0;
}

/* A kernel before 4.5 refuses EPOLLEXCLUSIVE (EINVAL): found out once, in an instance of our own,
 * since a registration may begin without. In doubt, yes. */
static bool knows_exclusive(int fd) {
    static atomic_int known; /* 0: not yet asked, 1: yes, -1: no */
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE};
    if (atomic_load_explicit(&known, memory_order_relaxed))
        return atomic_load(&known) > 0;
    int epfd = real.epoll_create1(EPOLL_CLOEXEC);
    if (epfd < 0)
        return true;
    bool is_refused = real.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) < 0 && errno == EINVAL;
    atomic_store(&known, is_refused ? -1 : 1);
    real.close(epfd);
    return !is_refused;
}

static int add(int epfd, int fd, const struct shard *own, struct epoll_event *event) {
    struct epoll_event given = *event;
    given.events = events_given(own->set, event->events);
    if (!(event->events & EPOLLIN)) { /* it does not wait for connections */
        set_unkeep(own->set, own->number);
        return real.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, event);
    }
    if (real.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &given) < 0)
        return -1;
    if ((event->events & EPOLLEXCLUSIVE) || knows_exclusive(fd))
        return record(epfd, fd, own, event);
    if (real.epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL) < 0)
        return 0; /* it stays as it is, which is a registration, too */
    return add_plainly(epfd, fd, own, event, "the kernel refuses EPOLLEXCLUSIVE");
}

/*
 * An ADD right after a DEL, as nginx does it every 16 accepts, changes nothing: home stays first.
 * Unless the server means something by it: edge-triggered, ADD reports once more what is queued,
 * and after EPOLLONESHOT it arms again.
 */
static bool cancels_delete(const struct watch *watch, const struct epoll_event *event) {
    return watch->asked == event->events && atomic_load(&watch->data) == event->data.u64 &&
           atomic_load(&watch->armed) && !(event->events & EPOLLET);
}

/* If it is `from`, and no other work. */
static void put_work(struct instance *instance, enum work from, enum work to) {
    uint8_t expected = (uint8_t)from;
    atomic_compare_exchange_strong(&instance->work, &expected, (uint8_t)to);
}

static void keep(struct watch *watch) {
    atomic_store(&watch->leaving, false);
    WATCHES_OF (other, watch->instance)
        if (atomic_load(&other->leaving))
            return;
    put_work(watch->instance, WORK_TO_DELETE, NO_WORK);
}

static int add_again(struct watch *watch, int epfd, int fd, const struct shard *own,
                     struct epoll_event *event) {
    if (!atomic_load(&watch->leaving)) {
        errno = EEXIST;
        return -1;
    }
    if (cancels_delete(watch, event)) {
        keep(watch);
        if (watch_is_off(watch,
                         own->set)) /* the place that it has then is the server's to choose */
            shards_to_end(watch, own->number);
        return 0;
    }
    shards_end(watch);
    return add(epfd, fd, own, event);
}

/*
 * The kernel refuses MOD for an exclusive registration, so it is made anew; unless it was the
 * server that asked for EPOLLEXCLUSIVE: then the refusal is what it would get without us.
 */
static int modify(struct watch *watch, struct epoll_event *event) {
    if (watch->is_own_exclusive || (event->events & EPOLLEXCLUSIVE))
        return real.epoll_ctl(watch->instance->epfd, EPOLL_CTL_MOD, watch->fd, event);
    bool leaves_some = !(event->events & EPOLLIN) && shards_leave_some(watch);
    ask(watch, event);
    int result = shards_renew(watch, atomic_exchange(&watch->armed, true));
    if (leaves_some)
        set_pass_on(atomic_load(&watch->set), watch->fd);
    return result;
}

/* Done at the next wait, unless somebody is waiting now and would still be told of connections. */
static int delete (struct watch *watch) {
    atomic_store(&watch->leaving, true);
    put_work(watch->instance, NO_WORK, WORK_TO_DELETE);
    if (atomic_load(
            &watch->instance->waiting)) /* asked last: who begins to wait now sees the work */
        shards_end(watch);
    return 0;
}

static int change(struct watch *watch, int op, struct epoll_event *event) {
    if (atomic_load(&watch->leaving)) { /* EPOLLEXCLUSIVE is refused before it is looked for */
        errno = op == EPOLL_CTL_MOD && (event->events & EPOLLEXCLUSIVE) ? EINVAL : ENOENT;
        return -1;
    }
    return op == EPOLL_CTL_MOD ? modify(watch, event) : delete (watch);
}

/*
 * A child goes on with an instance of its parent's. Exclusivity is nothing to an instance that all
 * share, and the kernel refuses MOD for it; so the registration becomes what the server asks for.
 * Another child may be doing the same just now.
 */
static int modify_inherited(const struct watch *watch, int epfd, int fd,
                            struct epoll_event *event) {
    int result = real.epoll_ctl(epfd, EPOLL_CTL_MOD, fd, event);
    if (result == 0 || errno != EINVAL || !watch || watch->is_own_exclusive)
        return result;
    real.epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL);
    result = real.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, event);
    if (result < 0 && errno == EEXIST)
        return real.epoll_ctl(epfd, EPOLL_CTL_MOD, fd, event);
    return result;
}

static int control_inherited(const struct watch *watch, int epfd, int op, int fd,
                             const struct shard *own, struct epoll_event *event) {
    if (op == EPOLL_CTL_DEL)
        return real.epoll_ctl(epfd, op, fd, event);
    set_unkeep(own->set, own->number);
    return op == EPOLL_CTL_MOD ? modify_inherited(watch, epfd, fd, event)
                               : real.epoll_ctl(epfd, op, fd, event);
}

static int control(int epfd, int op, int fd, const struct shard *own, struct epoll_event *event) {
    struct instance *instance = instance_find(epfd);
    struct watch *watch = instance ? watch_find(instance, fd) : NULL;
    if (instance && !instance_is_mine(instance))
        return control_inherited(watch, epfd, op, fd, own, event);
    if (op == EPOLL_CTL_ADD)
        return watch ? add_again(watch, epfd, fd, own, event) : add(epfd, fd, own, event);
    return watch ? change(watch, op, event) : real.epoll_ctl(epfd, op, fd, event);
}

int watch_ctl(int epfd, int op, int fd, const struct shard *own, struct epoll_event *event) {
    bool is_known = op == EPOLL_CTL_ADD || op == EPOLL_CTL_MOD || op == EPOLL_CTL_DEL;
    if (!is_known || !guard_enter())
        return real.epoll_ctl(epfd, op, fd, event); /* the kernel says what is wrong with it */
    int result = control(epfd, op, fd, own, event);
    guard_leave();
    return result;
}
