/*
 * policy: what is done with a listener's connections, as the tool may change it while the server
 * runs. One word in the shared memory, so that whoever reads it has it whole, without a lock, and
 * of two who change it at once neither undoes the other's part. Untrusted, as all of that memory:
 * any word means some policy.
 */
#ifndef UNHERD_POLICY_H
#define UNHERD_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

struct policy {
    enum mode mode;  /* MODE_AUTO: as the set was made, and nobody has changed it since */
    unsigned steal;  /* thieves per shard */
    unsigned rotate; /* accepts between two rotations of a shared queue, 0: never */
};

enum { POLICY_STEAL_AT = 2, POLICY_ROTATE_AT = 10 };

_Static_assert(MODE_OFF < 1 << POLICY_STEAL_AT, "a mode has to fit its bits");
_Static_assert(STEAL_MAX < 1 << (POLICY_ROTATE_AT - POLICY_STEAL_AT), "and so has this");

static inline uint32_t policy_word(struct policy policy) {
    return (uint32_t)policy.mode | policy.steal << POLICY_STEAL_AT |
           policy.rotate << POLICY_ROTATE_AT;
}

static inline struct policy policy_of(uint32_t word) {
    unsigned rotate = word >> POLICY_ROTATE_AT;
    return (struct policy){.mode = (enum mode)(word % (1 << POLICY_STEAL_AT)),
                           .steal = word >> POLICY_STEAL_AT & STEAL_MAX,
                           .rotate = rotate < ROTATE_MAX ? rotate : ROTATE_MAX};
}

/* The mode that is in force: there are sets that cannot have every one. */
static inline enum mode policy_mode(struct policy policy, bool has_shards, bool is_servers) {
    if (policy.mode == MODE_OFF)
        return MODE_OFF;
    if (!has_shards)
        return MODE_EXCLUSIVE;
    return is_servers || policy.mode != MODE_EXCLUSIVE ? MODE_REUSEPORT : MODE_EXCLUSIVE;
}

/* Whether a set that has shards, not the server's own, is not to be used as such: whether its mode
 * in force is another than reuseport. */
static inline bool policy_is_one_queue(struct policy policy) {
    return policy.mode == MODE_OFF || policy.mode == MODE_EXCLUSIVE;
}

#endif
