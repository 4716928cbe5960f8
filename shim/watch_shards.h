/*
 * watch shards: what of a watch is registered in the kernel, and in which order. For watch_*.c
 * only.
 *
 * Everything here is called under the guard, in the process whose instance it is.
 */
#ifndef UNHERD_WATCH_SHARDS_H
#define UNHERD_WATCH_SHARDS_H

#include "watch_table.h"

/* What the kernel accepts beside EPOLLEXCLUSIVE; anything else is refused with EINVAL
 * (epoll_ctl(2)). */
#define EVENTS_BESIDE_EXCLUSIVE (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET)

/* The events to register for those that the server asked for: watch_prove.c. */
uint32_t events_given(const struct shard_set *set, uint32_t asked);

/* Registers anew what is to be registered otherwise by now. False: that has to be tried later. */
bool watch_renew(struct watch *watch, const struct shard_set *set);

/* Whether the watch is to be as it would be without us: its own registration and place. */
bool watch_is_off(const struct watch *watch, const struct shard_set *set);

/* Whether some watch of the instance has not followed its set's policy yet, or not looked yet who
 * is stuck, or whether to stand back; no system call. */
bool watch_has_news(const struct instance *instance);

/* The set's policy is another than the watch has followed: does what is the watch's own to do. */
void watch_follow(struct watch *watch, struct shard_set *set, uint32_t word);

/* Registers or removes one shard. 0, or -1 with errno; the record says what is registered. */
int shards_register(struct watch *watch, int shard);
void shards_unregister(struct watch *watch, int shard);

/* Whether the server is told of no connection at all, because its registration was refused. */
bool shards_is_deaf(const struct watch *watch);

/* The kernel refuses a registration that it had before (ENOSPC, ENOMEM): said once, tried again. */
void shards_lose(struct watch *watch);

/* The set's eventfd, where no other watch of the instance has it yet. */
void shards_register_kick(struct watch *watch, const struct shard_set *set);

/* Registers home again, if that was lost. */
void shards_repair(struct watch *watch);

/* What is queued at shards of the watch, and the instance may not have been told of, it is told of.
 * Whether something is, as the kernel says. */
bool shards_look(struct watch *watch);

/* Whether something is queued at that shard. */
bool shards_has_some(const struct watch *watch, int shard);

/* Whether something is queued at a shard of the watch, which may be all that was told of it. */
bool shards_leave_some(const struct watch *watch);

/* To the end of the shard's queue of waiters; the second counts it as a turn of ours. */
void shards_to_end(struct watch *watch, int shard);
void shards_rotate(struct watch *watch, int shard);

/* The worker begins to wait: it claims a home, registers it first and its neighbours behind. */
void shards_begin(struct watch *watch);

/* It has begun already, but its set had no other shards then: the same now. */
void shards_settle(struct watch *watch);

/* The claims have changed: watches what is now to be watched, behind each shard's owner. */
void shards_sync(struct watch *watch);

/* Those of some shards where something is queued; where the kernel will not say (RLIMIT_NOFILE
 * below their number), all. Whether it has said so of any. */
bool shards_find_queued(const struct watch *watch, const struct shard_bits *among,
                        struct shard_bits *queued);

/* What the instance's watches of the set left to one that has ended comes back to them. */
void shards_take_back(struct instance *instance, struct shard_set *set);

/*
 * The whole watch anew, with the events and data that the record now has. 0, or -1 with errno. Not
 * announced, the thieves keep their places before the owner: one that arms EPOLLONESHOT again after
 * each connection would send them all round each time.
 */
int shards_renew(struct watch *watch, bool announced);

/* Whether the watch is to keep away from its neighbours' shards. */
bool shards_is_alone(const struct watch *watch, const struct shard_set *set);

/* The server accepts now what the watch's last wait has told it of. */
void watch_note_hesitation(struct watch *watch, const struct shard_set *set);

/* Nothing of the watch stays registered; its home, if it has one, stays claimed. */
void shards_withdraw(struct watch *watch);

/* The worker is not counted any more among those that share its home, if it was. */
void shards_share_no_more(struct watch *watch, const struct shard_set *set);

/* The watch ends: withdrawn, its home released, its record free. */
void shards_end(struct watch *watch);

/* The same where its instance is closed: a child that has that too goes on with what is registered,
 * and so does a thread that waits in it. */
void shards_end_with_instance(struct watch *watch);

/* The same where that is done. */
void shards_end_closed(struct watch *watch);

/* The shards that the workers of this very process own, of the same set. */
void shards_of_process(const struct shard_set *set, struct shard_bits *ours);

#endif
