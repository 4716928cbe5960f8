/*
 * watch held: whether its connections keep a worker that waits before each of them.
 *
 * One that serves them wholly before it waits again, each for long, is away from its queue all that
 * time. An event loop may be away for as long because it has no CPU, or has much else to do, and
 * may have closed its last connection by chance. What tells them apart: the time that the one is
 * away it sleeps, or computes; and it has closed the last one each time.
 */
#ifndef UNHERD_WATCH_HELD_H
#define UNHERD_WATCH_HELD_H

#include "hot.h"
#include "watch_table.h"

/* This thread was away for long once, and what it does is looked at since. */
extern _Thread_local bool held_is_followed;

/* What follows, where it is. */
RARE bool held_follow_taken(void);
RARE void held_follow_wait(const struct instance *instance, bool was_away);

/* It took a connection. Whether that will keep it for long, as the last ones have. */
static inline bool held_note_taken(void) {
    return UNLIKELY(held_is_followed) && held_follow_taken();
}

/* It begins a wait. was_away: its last one ended some milliseconds ago. */
static inline void held_note_wait(const struct instance *instance, bool was_away) {
    if (UNLIKELY(was_away || held_is_followed))
        held_follow_wait(instance, was_away);
}

#endif
