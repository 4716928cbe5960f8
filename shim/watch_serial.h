/*
 * watch serial: threads that serve one connection after another without a wait between.
 *
 * A server that tries accept before it waits (gunicorn, unicorn, whatever blocks in it) finds its
 * home empty, and waits, only to be told at once of a neighbour's connection; under full load that
 * is, in an interpreter, as much as a tenth of the answer. It may as well go on with that one. But
 * a server that accepts all there is before it answers any would empty everybody's queue, and one
 * that has enough of them would refuse everybody's. What tells it from those: when it comes for the
 * next, it has closed the last, and that took its time. So has one that forks for each, or passes
 * them on: it is taken for a server that serves them, and has as much of everybody's work as it
 * would have had of one queue.
 */
#ifndef UNHERD_WATCH_SERIAL_H
#define UNHERD_WATCH_SERIAL_H

#include "watch_table.h"

/* It took a connection, which is descriptor fd. Whether it serves one after another without a wait,
 * and each for some time. */
bool serial_note_taken(const struct watch *watch, int fd);

/* Before that is noted: who goes on without a wait has come to its home all the same. */
void serial_note_at_home(const struct watch *watch, const struct shard_set *set);

/* Its home is empty, and it has taken one since its wait: whether it is to look at the neighbours'
 * shards. errno is kept. */
bool serial_may_look(const struct watch *watch);

/* The same in two steps: whether it serves one after another, and is to have what all share; and
 * whether it is to look at the neighbours' too. */
bool serial_goes_on(const struct watch *watch);
bool serial_is_to_look(void);

/* It did; and was there one? Where there was none it seldom looks again. */
void serial_note_looked(bool found);

/* Whether it has found so many, one after another, that it will hardly wait before the next. */
bool serial_goes_on_for_long(void);

/* Where what it leaves queued may be left to nobody: whether it is to look what that is, as it has
 * not done so a moment ago, since the same wait. It counts as done. */
bool serial_is_to_pass_on(const struct watch *watch, const struct shard_set *set);

/* Whether it serves one at a time. */
bool serial_is(void);

/* It begins a wait there: whether it has closed the connection that it took last since the one
 * before. */
enum served { SERVED_NOBODY, STILL_OPEN, SERVED };
enum served serial_served(const struct instance *instance);

#endif
