/*
 * shard policy: which of the shards new connections go to.
 *
 * A shard that listens cannot stop without a reset for all who wait in it. So a set that is to have
 * one queue keeps them all, and the kernel is told to choose the first for whoever comes from now
 * on; the others run dry, and may be used again.
 */
#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <stdint.h>

#include "log.h"
#include "real.h"
#include "shard_set.h"

enum { EMPTYING_MS = 200 }; /* at a hand-over */

/*
 * The choice of the group that fd is in (SO_ATTACH_REUSEPORT_CBPF, socket(7)). Its first socket is
 * shard 0, since that was there when the others joined it. Without a choice the kernel's hash makes
 * it; so it does for an index that none has, where the kernel is too old to take the choice away
 * (before Linux 5.3), which is ten times quicker. Before any other listens there is no group to
 * choose in.
 */
enum { FIRST = 0, ANY = -1 };

/* EINVAL: there is no group. Anything else is said once, aloud. */
static enum log_level level_of(int error) {
    static atomic_bool said;
    return error == EINVAL || atomic_exchange(&said, true) ? LOG_DEBUG : LOG_WARN;
}

static bool take_away(int fd) {
    int nothing = 0;
    return real.setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &nothing, sizeof nothing) ==
               0 ||
           errno == ENOENT; /* there is none */
}

static bool choose(int fd, int index) {
    if (index == ANY && take_away(fd))
        return true;
    struct sock_filter choice = {.code = BPF_RET | BPF_K, .k = (uint32_t)index};
    const struct sock_fprog program = {.len = 1, .filter = &choice};
    if (real.setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0)
        return true;
    log_line(level_of(errno), "new connections go where they went before: %s", log_errno(errno));
    return false;
}

bool set_goes_to_first(const struct shard_set *set) {
    return atomic_load(&set->shared->handed) || set_is_one_queue(set);
}

static int choice_of(const struct shard_set *set) {
    return set_goes_to_first(set) || atomic_load(&set->shared->gathers) == GATHERS ? FIRST : ANY;
}

/* Two may do this at once, one of them late, with a policy that is over. So each looks again when
 * it has chosen: the last of them then chose by what is in force. But nobody keeps us here. */
bool set_choose(const struct shard_set *set, int fd) {
    enum { TRIES = 8 };
    bool is_made = false;
    int choice = choice_of(set);
    for (int i = 0; i < TRIES; i++) {
        int before = choice;
        is_made = choose(fd, before);
        atomic_thread_fence(memory_order_seq_cst);
        choice = choice_of(set);
        if (before == choice)
            break;
    }
    return is_made;
}

/* ---- a hand-over ---- */

static unsigned queued(const struct shard_set *set) {
    struct tcp_info info = {0};
    set_add_queues(set, &info);
    return info.tcpi_unacked;
}

/*
 * What waits in the other shards is this process's to take, and it may close them as soon as the
 * listener is sent. Bounded, since the caller may be the very thread that was woken for the rest.
 */
static void let_empty(const struct shard_set *set) {
    for (int i = 0; i < EMPTYING_MS && queued(set); i++)
        real.poll(NULL, 0, 1);
}

void set_hand_over(const struct shard_set *set, int own_fd) {
    if (set->is_servers || set->count == 1 || atomic_exchange(&set->shared->handed, 1))
        return;
    set_choose(set, own_fd);
    set_changed(set); /* so that every worker watches shard 0 */
    let_empty(set);
}

/* ---- a new policy ---- */

/* Any spare that listens; the listener's own number may be closed, and be something else's. */
static int any_in_group(const struct shard_set *set) {
    for (int i = 1; i < set->count; i++)
        if (set_is_listening(set, i) && set_accepts(set, i))
            return set->fd[i];
    return -1;
}

/* A process that may not tell the kernel leaves it to another to end it. */
bool set_gather(const struct shard_set *set, bool gathers) {
    _Atomic uint32_t *state = &set->shared->gathers;
    uint32_t before = atomic_load(state);
    uint32_t after = gathers ? GATHERS : GATHERS_NOT;
    int fd = -1;
    if (before == GATHERS_REFUSED || (before == GATHERS) == gathers ||
        (fd = any_in_group(set)) < 0 || !atomic_compare_exchange_strong(state, &before, after))
        return false;
    bool is_made = set_choose(set, fd);
    if (!is_made &&
        atomic_compare_exchange_strong(state, &after, gathers ? GATHERS_REFUSED : GATHERS))
        set_choose(set, fd); /* another may have chosen meanwhile */
    return is_made && before == GATHERS_NEVER;
}

void set_drain(const struct shard_set *set, bool drains) {
    uint32_t before = drains ? GATHERS_NOT : GATHERS_DRAINS;
    uint32_t after = drains ? GATHERS_DRAINS : GATHERS_NOT;
    if (atomic_load(&set->shared->gathers) == before)
        atomic_compare_exchange_strong(&set->shared->gathers, &before, after);
}

bool set_has_gathered(const struct shard_set *set) {
    uint32_t state = atomic_load(&set->shared->gathers);
    return state != GATHERS_NEVER && state != GATHERS_REFUSED;
}

void set_choose_again(const struct shard_set *set) {
    int fd = set_has_gathered(set) ? any_in_group(set) : -1;
    if (fd >= 0)
        set_choose(set, fd);
}

void set_leave_choice(const struct shard_set *set) {
    atomic_store(&set->shared->gathers, GATHERS_REFUSED);
}

void set_begin_policy(const struct shard_set *set, struct policy policy) {
    atomic_store(&set->shared->policy, policy_word(policy));
    atomic_store(&set->shared->followed, policy_word(policy));
}

static void say(const struct shard_set *set) {
    struct policy policy = set_policy(set);
    log_line(LOG_INFO, "a listener's policy was set: %s, stealing from %u, rotated every %u",
             mode_name(set_mode(set)), policy.steal, policy.rotate);
}

bool set_is_followed(const struct shard_set *set) {
    return atomic_load(&set->shared->followed) == atomic_load(&set->shared->policy);
}

/*
 * Every worker makes the choice, for one that is killed may have made it by a policy that was over.
 * And the first one wakes the others, who may be waiting where nothing comes any more; it says
 * afterwards that they know.
 */
void set_follow(const struct shard_set *set, uint32_t word) {
    bool is_set = policy_of(word).mode != MODE_AUTO && set->count > 1 && !set->is_servers;
    int fd = is_set ? any_in_group(set) : -1;
    if (fd >= 0)
        set_choose(set, fd);
    if (atomic_load(&set->shared->followed) == word)
        return;
    set_kick(set);
    if (set_policy_word(set) == word)
        atomic_store(&set->shared->followed, word);
    say(set);
}
