/*
 * worker short: whether those who sit together at a home are enough for what comes there.
 *
 * While one of them waits nobody else is needed, and thieves are dear there: whose turn is over
 * goes to the end of the line, behind the thieves, so that these are woken although the others
 * wait. So two watch each home from elsewhere, who see when nobody who sits there waits: then the
 * homes are short of workers, and all watch as many neighbours as they may, until it was not so for
 * a while.
 */
#ifndef UNHERD_WORKER_SHORT_H
#define UNHERD_WORKER_SHORT_H

#include <stdbool.h>

#include "shard_set.h"

/* Whether homes were seen to be short lately. */
bool worker_is_short(const struct shard_set *set);

/* Somebody whose home is shared took a connection from `shard`, another's: whether that is short,
 * unless it is known. Where it is so for the first time all are told to look again. errno is kept.
 */
void worker_note_sitters(const struct shard_set *set, int shard);

#endif
