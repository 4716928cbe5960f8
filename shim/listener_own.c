/* listener own: a server that shards by itself: its listeners for one address share a set. */
#include "bound.h"
#include "attendant.h"
#include "decision.h"
#include "elsewhere.h"
#include "listener_record.h"
#include "local.h"
#include "socket_options.h"
#include "watch.h"
#include "worker.h"

/* NULL: another thread has closed it just now. */
static const struct shard *shard_of(int fd) {
    unsigned entry = fd_entry(fd);
    return fd_kind_of(entry) == FD_LISTENER ? &listener_at(fd_index_of(entry))->shard : NULL;
}

/* The sockets of several processes are no shards of one set: none knows those of the others. */
static int join(struct shard_set *set, int sibling, int fd, struct decision *decision) {
    bool may_add = worker_may_add(set);
    int number = worker_number_for_own(set);
    if (may_add && number >= 0 && set_join(set, number, sibling, fd))
        return number;
    decision->mode = MODE_EXCLUSIVE;
    decision->falls_short = may_add;
    decision->why = may_add ? "the server shards by itself, but its shards could not be joined"
                            : "other processes have sockets of their own for its address";
    return -1;
}

static void unkeep_if_elsewhere(const struct shard *shard, int fd) {
    if (elsewhere(fd, shard))
        set_unkeep(shard->set, shard->number);
}

bool listener_join(struct listener *listener, int fd, struct decision *decision) {
    const struct shard *sibling = decision->sibling < 0 ? NULL : shard_of(decision->sibling);
    if (!sibling)
        return false;
    struct shard first = *sibling;
    struct shard_set *set = first.set;
    bool is_second = !set->is_servers; /* the first was taken for the only one */
    int number = join(set, decision->sibling, fd, decision);
    if (number < 0)
        return false;
    if (is_second) {
        decision_say(decision, &first, 0);
        unkeep_if_elsewhere(&first, decision->sibling);
    }
    set->users++;
    listener_be_shard(listener, set, number);
    unkeep_if_elsewhere(&listener->shard, fd);
    watch_set_grew(set);
    worker_announce(set, number);
    return true;
}

static bool revive(int fd, struct shard_set *set) {
    struct listener *listener = listener_free();
    bool may_revive = listener && bits_count(&set->abandoned) && worker_may_add(set);
    int number =
        may_revive && bound_is_alone(fd) && !elsewhere(fd, NULL) ? set_revive(set, fd) : -1;
    if (number < 0)
        return false;
    set->users++;
    listener_be_shard(listener, set, number);
    listener->cookie = socket_cookie(fd);
    listener->reuseport = 1;
    listener_hold(listener, fd);
    worker_announce(set, number); /* it may block now */
    return true;
}

bool listener_revive(int fd) {
    if (!listener_any() || local_is_borrowed() || socket_int(fd, SOL_SOCKET, SO_ACCEPTCONN) != 0)
        return false;
    if (!guard_enter())
        return false;
    int number = decision_sibling(fd);
    const struct shard *sibling = number < 0 ? NULL : shard_of(number);
    bool is_revived = sibling && fd_entry(fd) == FD_OTHER && revive(fd, sibling->set);
    guard_leave();
    return is_revived;
}

void listener_leave_set(const struct shard *shard) {
    struct shard_set *set = shard->set;
    if (--set->users == 0) {
        attendant_leaves(set);
        set_close(set);
        return;
    }
    /* Else nobody would empty it. A child keeps what its parent has open: it has no worker yet. */
    bool is_emptied = watch_may_empty(set) || !worker_may_add(set);
    if (is_emptied && set_abandon(set, shard->number)) {
        bound_begin();
        worker_announce(set,
                        shard->number); /* its owner may have been killed, which nobody heard */
        return;
    }
    watch_shard_closing(shard);
    set_drop(set, shard->number);
}
