#include "watch_choice.h"

#include "hot.h"
#include "real.h"
#include "watch_current.h"
#include "worker.h"
#include "worker_stuck.h"

/* Whom an accept is for: a worker, or nobody that waits here. Of one queue all have the same; and
 * the record may be another set's by now, if another thread has closed this one. */
HOT int choice_home(const struct shard *own, const struct watch *watch) {
    int home = watch && !set_is_one_queue(own->set) ? watch->home : own->number;
    return LIKELY(home < own->set->count) ? home : own->number;
}

/* How many words of a set's bits there are to look at. */
static int words_of(const struct shard_set *set) {
    return (set->count + 63) / 64;
}

/*
 * A thread that did not wait itself accepts what another was told of, who may have a home and
 * neighbours elsewhere: it may take from every shard.
 */
HOT static void reach_of(const struct shard *own, const struct watch *watch,
                         struct shard_bits *reach) {
    if (UNLIKELY(!watch || watch->instance != watch_current)) {
        worker_listening(own->set, reach);
        return;
    }
    *reach = (struct shard_bits){0};
    WATCHES_OF (each, watch->instance) { /* one for each number that the server added */
        const struct shard_bits *its =
            LIKELY(atomic_load(&each->armed)) ? &each->registered : &each->reach;
        if (watch_is_of(each, own))
            bits_join(reach, its, words_of(own->set));
    }
}

static void add(struct choice *choice, const struct shard *own, int shard, int own_fd) {
    choice->shards[choice->count] = shard;
    choice->list[choice->count++] =
        (struct pollfd){.fd = set_fd(own, shard, own_fd), .events = POLLIN};
}

/* Those of a word that lie behind home, or those that lie before it. */
static uint64_t part_of(const struct shard_bits *reach, int word, int home, bool is_behind) {
    uint64_t at_home = home / 64 == word ? UINT64_C(1) << (home % 64) : 0;
    uint64_t before = home / 64 > word ? ~UINT64_C(0) : at_home ? at_home - 1 : 0;
    return reach->word[word] & (is_behind ? ~before & ~at_home : before);
}

/* Those of a word that the set has: another thread may have ended it, of which the watch knows
 * nothing yet. */
static uint64_t had_by(const struct shard_set *set, int word) {
    int left = set->count - word * 64;
    return left >= 64 ? ~UINT64_C(0) : left > 0 ? (UINT64_C(1) << left) - 1 : 0;
}

/* The shards of `reach` behind home, then those before it. */
HOT static void add_reach(const struct shard *own, const struct shard_bits *reach, int home,
                          int own_fd, struct choice *choice) {
    int words = words_of(own->set);
    for (int pass = 0; pass < 2; pass++)
        for (int word = 0; word < words; word++) {
            uint64_t rest = part_of(reach, word, home, pass == 0) & had_by(own->set, word);
            for (; rest; rest &= rest - 1)
                add(choice, own, word * 64 + __builtin_ctzll(rest), own_fd);
        }
}

HOT static void ask(struct choice *choice) {
    choice->ready = choice->count ? real.poll(choice->list, (nfds_t)choice->count, 0) : 0;
}

HOT void choice_look(const struct shard *own, const struct watch *watch, int own_fd, bool at_home,
                     struct choice *choice) {
    struct shard_bits reach;
    int home = choice_home(own, watch);
    choice->count = 0;
    reach_of(own, watch, &reach);
    if (at_home)
        add(choice, own, home, own_fd);
    add_reach(own, &reach, home, own_fd, choice);
    ask(choice);
}

void choice_look_beside(const struct shard *own, int shard, int own_fd, struct choice *choice) {
    struct shard_bits listening;
    choice->count = 0;
    worker_listening(own->set, &listening);
    if (shard != CHOICE_ALL)
        bits_remove(&listening, shard);
    BITS_EACH (each, &listening)
        add(choice, own, each, own_fd);
    ask(choice);
}

void choice_pass_on(const struct shard_set *set, const struct choice *choice) {
    bool has_owners = !set_is_one_queue(set);
    for (int i = 0; i < choice->count && choice->ready > 0; i++)
        if ((choice->list[i].revents & POLLIN) &&
            (!has_owners || worker_passes_on(set, choice->shards[i])))
            set_wake_waiters(set, choice->list[i].fd);
}

void choice_leave(const struct shard *own, const struct watch *watch, int own_fd) {
    struct choice choice;
    choice_look(own, watch, own_fd, false, &choice);
    choice_pass_on(own->set, &choice);
}

HOT void choice_leave_after_sleep(const struct shard *own, const struct watch *watch, int own_fd) {
    struct choice choice;
    struct shard_bits reach;
    int home = choice_home(own, watch);
    reach_of(own, watch, &reach);
    bits_remove(&reach, home);
    BITS_EACH (shard, &reach)
        if (worker_is_first_in_line(own->set, shard))
            bits_remove(&reach, shard);
    if (!bits_count(&reach) || !worker_may_look(own->set))
        return;
    choice.count = 0;
    add_reach(own, &reach, home, own_fd, &choice);
    ask(&choice);
    choice_pass_on(own->set, &choice);
}
