#include "worker.h"

#include "hot.h"
#include "local.h"
#include "log.h"
#include "worker_answers.h"
#include "worker_lock.h"
#include "worker_orphans.h"
#include "worker_stuck.h"

static struct shared_shard *shard_of(const struct shard_set *set, int shard) {
    return &set->shared->shards[shard];
}

/* Asked of the kernel: a shard that does not listen, whatever the shared memory says of it, would
 * be reported to its owner without end. */
static bool take(struct shard_set *set, int shard) {
    if (!lock_try(set, shard))
        return false;
    if (set_accepts(set, shard) || set_listen(set, shard) == 0) {
        atomic_store(&shard_of(set, shard)->state, SHARD_LISTENING);
        if (!local_is_confined())
            set_choose_again(set);
        return true;
    }
    lock_drop(set, shard);
    return false;
}

int worker_claim(struct shard_set *set, const struct shard_bits *ours, int wanted) {
    for (int listening = 1; listening >= 0; listening--)
        for (int i = 0; i < set->count; i++)
            if ((wanted == ANY_SHARD || wanted == i) && set_is_listening(set, i) == listening &&
                !bits_has(ours, i) && take(set, i))
                return i;
    return -1;
}

int worker_least_shared(const struct shard_set *set) {
    int least = 0;
    for (int i = 1; i < set->count; i++)
        if (set_is_listening(set, i) && set_accepts(set, i) &&
            atomic_load(&shard_of(set, i)->sharers) < atomic_load(&shard_of(set, least)->sharers))
            least = i;
    return least;
}

static bool two_wait(const struct shard_set *set) {
    int waiting = 0;
    for (int i = 0; i < set->count && waiting < 2; i++)
        waiting += set_is_listening(set, i) && worker_is_first_in_line(set, i) &&
                   lock_is_elsewhere(set, i);
    return waiting == 2;
}

/*
 * That two were seen waiting at once, and so there is no accept mutex, was seen of workers that may
 * leave now, and those that come may have one. So it is known of the new generation too if two
 * others wait at once just now; else it has to be seen anew, and until then all watch all shards.
 */
static void changed(const struct shard_set *set) {
    uint32_t before = set_advance(set);
    if (set_was_concurrent(set, before) && two_wait(set))
        set_stays_concurrent(set, before);
    set_kick(set);
}

uint32_t worker_share(const struct shard_set *set, int shard) {
    atomic_fetch_add(&set->shared->sharing, 1);
    return atomic_fetch_add(&shard_of(set, shard)->sharers, 1) + 1;
}

/* Its owner watched fewer neighbours, some of whose other thieves may leave next. */
void worker_unshare(const struct shard_set *set, int shard) {
    atomic_fetch_sub(&set->shared->sharing, 1);
    if (atomic_fetch_sub(&shard_of(set, shard)->sharers, 1) == 1)
        changed(set);
}

uint32_t worker_sharers(const struct shard_set *set, int shard) {
    return atomic_load_explicit(&shard_of(set, shard)->sharers, memory_order_relaxed);
}

HOT bool worker_is_shared(const struct shard_set *set, int shard) {
    return worker_sharers(set, shard) > 0;
}

void worker_listening(const struct shard_set *set, struct shard_bits *listening) {
    *listening = (struct shard_bits){0};
    for (int i = 0; i < set->count; i++)
        if (set_is_listening(set, i))
            bits_add(listening, i);
}

/* So few that who watches `steal` neighbours watches all of them. And so it is where only one is to
 * be used: in the others are connections that nobody is to wait for. */
static bool is_few(const struct shard_set *set, const struct shard_bits *listening,
                   unsigned steal) {
    return set_is_one_queue(set) || (unsigned)bits_count(listening) <= steal + 1;
}

/*
 * Where there are more workers than shards those that sit at one watch no more neighbours, all
 * together, than its owner would alone: else each of a thousand workers would watch every shard, be
 * told of what is queued there when it was busy, and look at that before each wait. And each as
 * many as the others, at least one: else whoever watches more would be given more.
 */
static unsigned most_thieves(const struct shard_set *set, int home) {
    uint64_t sitting = UINT64_C(1) + worker_sharers(set, home); /* which anybody may have written */
    unsigned most = (unsigned)(set_steal(set) / sitting);
    return most || !set_steal(set) ? most : 1;
}

/* So many of the `steal` neighbours, in a ring, from that one on. */
struct reach {
    unsigned first, most;
};

/* While they are enough for each other, two of them watch one each; unless all could watch all, or
 * more than two thieves were not asked for. */
static struct reach reach_of(const struct shard_set *set, const struct seat *seat,
                             const struct shard_bits *listening) {
    enum { FEW_OF_SHARERS = 2 };
    unsigned most = most_thieves(set, seat->home);
    unsigned steal = set_steal(set);
    bool are_enough = worker_is_shared(set, seat->home) && !seat->is_short;
    if (are_enough && steal > FEW_OF_SHARERS && !is_few(set, listening, most))
        return (struct reach){seat->is_second, seat->number == 0 || seat->is_second};
    return (struct reach){steal ? (unsigned)((uint64_t)seat->number * most % steal) : 0, most};
}

void worker_announce(struct shard_set *set, int shard) {
    atomic_fetch_add(&shard_of(set, shard)->epoch, 1);
    changed(set);
}

static bool any_shared(const struct shard_set *set, const struct shard_bits *listening) {
    BITS_EACH (i, listening)
        if (worker_is_shared(set, i))
            return true;
    return false;
}

static bool all_see_all(const struct shard_set *set, const struct shard_bits *listening) {
    return is_few(set, listening, set_steal(set)) && !any_shared(set, listening);
}

/*
 * Nobody is kicked who watches the orphan already and has a home: workers are told to leave by
 * signals, all at once, and a signal that comes while a kick is being noticed does not end the
 * wait. But who watches it is told by the policy, which some may not know yet.
 */
void worker_release(struct shard_set *set, int shard) {
    struct shard_bits listening;
    worker_is_gone(set, shard);
    lock_drop(set, shard);
    answers_forget(set, &set->shared->orphans);
    worker_listening(set, &listening);
    if (!all_see_all(set, &listening) || !set_is_followed(set))
        worker_announce(set, shard);
}

/* Once: an orphan stays one, and all watch it, until it is claimed. */
void worker_lost(const struct shard_set *set, int shard) {
    if (worker_was_given_back(set, shard))
        return;
    worker_is_gone(set, shard);
    answers_forget(set, &set->shared->orphans);
    changed(set);
}

/* Of the `steal` neighbours of a home each that sits there watches others, as far as they go. */
static bool is_its_neighbour(const struct shard_set *set, const struct reach *reach,
                             unsigned neighbour) {
    unsigned steal = set_steal(set);
    return neighbour < steal && (neighbour + steal - reach->first) % steal < reach->most;
}

/*
 * Home, the next listening shards after it in a ring, and those that nobody looks after: orphans,
 * and shards of owners that are stuck. These are everybody's, since a whole row of them would be
 * too much for the few before it; and who watches one watches no neighbour the less.
 */
static void add_neighbours(const struct shard_set *set, const struct seat *seat,
                           const struct reach *reach, const struct shard_bits *stuck,
                           struct shard_bits *view) {
    unsigned neighbours = 0;
    struct shard_bits listening;
    struct shard_bits orphans;
    worker_listening(set, &listening);
    worker_orphans(set, &seat->ours, &orphans);
    bits_add(view, seat->home);
    for (int step = 1; step < set->count; step++) {
        int i = (seat->home + step) % set->count;
        if (!bits_has(&listening, i))
            continue;
        if (bits_has(stuck, i) || bits_has(&orphans, i) ||
            is_its_neighbour(set, reach, neighbours++))
            bits_add(view, i);
    }
}

void worker_gather(const struct shard_set *set) {
    struct shard_bits listening;
    worker_listening(set, &listening);
    if (set_gather(set, true) && !all_see_all(set, &listening))
        changed(set);
}

void worker_view(const struct shard_set *set, const struct seat *seat,
                 const struct shard_bits *stuck, struct shard_bits *view, bool *unproven) {
    struct shard_bits listening;
    worker_listening(set, &listening);
    struct reach reach = reach_of(set, seat, &listening);
    if (seat->stands_back)
        reach.most = 0;
    bool few = seat->stands_back ? set_is_one_queue(set) : is_few(set, &listening, reach.most);
    *unproven = !few && !set_is_concurrent(set);
    *view = listening;
    if (few || *unproven)
        return;
    *view = (struct shard_bits){0};
    add_neighbours(set, seat, &reach, stuck, view);
    if (atomic_load(&set->shared->handed) ||
        (set_has_gathered(set) && set_steal(set))) /* where all that is new goes */
        bits_add(view, 0);
}

/* A record lock behind those of the claims keeps processes apart, and goes with its process;
 * threads are kept apart by the pid, which a child that was forked meanwhile knows not to be its
 * own. */
enum { OWN_LOCK = SHARDS_MAX, MAKER_LOCK };

bool worker_enter_own(struct shard_set *set) {
    pid_t pid = local_pid();
    pid_t before = atomic_load(&set->entered);
    if (before == pid || !atomic_compare_exchange_strong(&set->entered, &before, pid))
        return false;
    if (lock_try(set, OWN_LOCK))
        return true;
    atomic_store(&set->entered, 0);
    return false;
}

void worker_leave_own(struct shard_set *set) {
    lock_drop(set, OWN_LOCK);
    atomic_store(&set->entered, 0);
}

bool worker_may_add(const struct shard_set *set) {
    return (uint32_t)set->count == set->shared->count && lock_try(set, MAKER_LOCK);
}

int worker_number_for_own(const struct shard_set *set) {
    if (!set->is_servers)
        return 1;
    for (int i = 0; i < set->count; i++)
        if (set->fd[i] < 0 && !lock_is_elsewhere(set, i))
            return i;
    return set->count < SHARDS_MAX ? set->count : -1;
}

bool worker_may_empty(const struct shard_set *set) {
    for (int i = 0; i < set->count; i++)
        if (set->fd[i] >= 0 && lock_is_elsewhere(set, i) && !set_blocks(set, i, set->fd[i]))
            return true;
    return false;
}

bool worker_may_be_one_at_a_time(const struct shard_set *set) {
    return !set_is_concurrent(set);
}

uint32_t worker_begin_wait(const struct shard_set *set, uint64_t who) {
    uint32_t generation = set_generation(set);
    atomic_store(&set->shared->waiter, who);
    return generation;
}

bool worker_is_not_alone(const struct shard_set *set, uint32_t generation) {
    struct shard_bits listening;
    if (!set_note_concurrent(set, generation))
        return false;
    log_line(LOG_DEBUG, "two workers are at work at once: no accept mutex");
    worker_listening(set, &listening);
    return !all_see_all(set, &listening);
}

/* Another's name, or none, since another began meanwhile and has ended. Said by the one that was
 * there first and came back: one that died waiting says nothing. */
bool worker_end_wait(const struct shard_set *set, uint64_t who, uint32_t generation) {
    uint64_t seen = who;
    if (atomic_compare_exchange_strong(&set->shared->waiter, &seen, 0))
        return false;
    return worker_is_not_alone(set, generation);
}
