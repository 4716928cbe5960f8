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
    return home < own->set->count ? home : own->number;
}

/*
 * A thread that did not wait itself accepts what another was told of, who may have a home and
 * neighbours elsewhere: it may take from every shard.
 */
HOT static void reach_of(const struct shard *own, const struct watch *watch,
                         struct shard_bits *reach) {
    if (!watch || watch->instance != watch_current) {
        worker_listening(own->set, reach);
        return;
    }
    *reach = (struct shard_bits){0};
    WATCHES_OF (each, watch->instance) { /* one for each number that the server added */
        const struct shard_bits *its = atomic_load(&each->armed) ? &each->registered : &each->reach;
        if (watch_is_of(each, own))
            BITS_EACH (shard, its)
                bits_add(reach, shard);
    }
}

static void add(struct choice *choice, const struct shard *own, int shard, int own_fd) {
    choice->shards[choice->count] = shard;
    choice->list[choice->count++] =
        (struct pollfd){.fd = set_fd(own, shard, own_fd), .events = POLLIN};
}

HOT void choice_look(const struct shard *own, const struct watch *watch, int own_fd, bool at_home,
                     struct choice *choice) {
    struct shard_bits reach;
    int home = choice_home(own, watch);
    choice->count = 0;
    reach_of(own, watch, &reach);
    bits_remove(&reach, home);
    if (at_home)
        add(choice, own, home, own_fd);
    for (int pass = 0; pass < 2; pass++) { /* those behind home, then those before it */
        int end = pass ? home : own->set->count;
        for (int shard = bits_next(&reach, pass ? 0 : home); shard >= 0 && shard < end;
             shard = bits_next(&reach, shard + 1))
            add(choice, own, shard, own_fd);
    }
    choice->ready = choice->count ? real.poll(choice->list, (nfds_t)choice->count, 0) : 0;
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
