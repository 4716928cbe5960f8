/* listener own: a server that shards by itself: its listeners for one address share a set. */
#include <errno.h>

#include "decision.h"
#include "listener_record.h"
#include "local.h"
#include "socket_options.h"
#include "watch.h"
#include "worker.h"

static const struct shard *shard_of(int fd) {
    return &listener_at(fd_index_of(fd_entry(fd)))->shard;
}

bool listener_join(struct listener *listener, int fd, struct decision *decision) {
    if (decision->sibling < 0)
        return false;
    struct shard_set *set = shard_of(decision->sibling)->set;
    int number = set_join(set, decision->sibling, fd);
    if (number < 0) {
        decision->mode = MODE_EXCLUSIVE;
        decision->why = "the server shards by itself, but its shards could not be joined";
        decision->falls_short = true;
        return false;
    }
    if (number == 1) /* the first was taken for the only one */
        decision_say(decision, &(struct shard){set, 0}, 0);
    set->users++;
    listener->shard = (struct shard){set, number};
    watch_set_grew(set);
    worker_announce(set, number);
    return true;
}

static bool revive(int fd, struct shard_set *set) {
    struct listener *listener = listener_free();
    int number = listener ? set_revive(set, fd) : -1;
    if (number < 0)
        return false;
    set->users++;
    listener->shard = (struct shard){set, number};
    listener->cookie = listener_cookie(fd);
    listener->reuseport = 1;
    listener_hold(listener, fd);
    return true;
}

bool listener_revive(int fd) {
    if (!listener_any() || local_is_borrowed() || socket_int(fd, SOL_SOCKET, SO_ACCEPTCONN) != 0)
        return false;
    if (!guard_enter())
        return false;
    int sibling = decision_sibling(fd);
    bool is_revived =
        sibling >= 0 && fd_entry(fd) == FD_OTHER && revive(fd, shard_of(sibling)->set);
    guard_leave();
    return is_revived;
}
