#include "scribble.h"

#include <stddef.h>

enum {
    SHARDS_USED = 9, /* by the largest of the sets, and one more */
    HEAD = offsetof(struct shared, shards),
    WORKERS = offsetof(struct shared, worker),
    WORKERS_USED = 4
};

_Static_assert((int)WORKERS > (int)HEAD, "the places of the workers lie behind the shards");

static void put(struct shard_set *set, size_t word, uint32_t what) {
    _Atomic uint32_t *words = (_Atomic uint32_t *)(void *)set->shared;
    atomic_store_explicit(&words[word % (SET_MEMORY_SIZE / sizeof *words)], what,
                          memory_order_relaxed);
}

static uint32_t next_bytes(struct input *in, int count) {
    uint32_t bytes = 0;
    while (count--)
        bytes = bytes << 8 | next_byte(in);
    return bytes;
}

static uint32_t value(struct input *in) {
    static const uint32_t special[] = {0, 1, 2, 3, 255, 256, INT32_MAX, 0x80000000, UINT32_MAX};
    unsigned kind = next_byte(in);
    return kind < 192 ? special[kind % (sizeof special / sizeof special[0])] : next_bytes(in, 4);
}

/* A word of the head, of one of the shards that are used, or of one of the workers' places: all
 * else is never read. */
static size_t used_word(uint32_t number) {
    const size_t shards_end = HEAD + SHARDS_USED * sizeof(struct shared_shard);
    const size_t size = shards_end + WORKERS_USED * sizeof(struct shared_worker);
    size_t at = number % (size / sizeof(uint32_t)) * sizeof(uint32_t);
    return (at < shards_end ? at : at - shards_end + WORKERS) / sizeof(uint32_t);
}

void scribble_word(struct shard_set *set, struct input *in) {
    size_t word = used_word(next_bytes(in, 2));
    uint32_t what = value(in);
    if (set)
        put(set, word, what);
}

/* One of the members that a shard begins with. */
void scribble_shard(struct shard_set *set, struct input *in) {
    unsigned place = next_byte(in);
    size_t shard = HEAD + place / 8 % SHARDS_USED * sizeof(struct shared_shard);
    uint32_t what = value(in);
    if (set)
        put(set, shard / sizeof(uint32_t) + place % 8, what);
}

/* A generator that is simple, and the same everywhere. */
static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525 + 1013904223;
    return *state >> 8 ^ *state << 16;
}

void scribble_all(struct shard_set *set, struct input *in) {
    unsigned kind = next_byte(in);
    uint32_t state = next_byte(in) + 1;
    uint32_t same = value(in);
    for (size_t i = 0; set && i < SET_MEMORY_SIZE / sizeof(uint32_t); i++)
        put(set, i, kind & 1 ? same : next_random(&state));
}

static void *scribble(void *argument) {
    struct scribbler *scribbler = argument;
    while (!atomic_load(&scribbler->ends)) {
        uint32_t word = next_random(&scribbler->state);
        uint32_t what = next_random(&scribbler->state);
        put(scribbler->set, used_word(word), what & 1 ? what : what >> 1 & 3);
    }
    return NULL;
}

void scribbler_start(struct scribbler *scribbler, struct shard_set *set, uint32_t seed) {
    *scribbler = (struct scribbler){.set = set, .state = seed};
    MUST_BE(pthread_create(&scribbler->thread, NULL, scribble, scribbler) == 0);
}

void scribbler_stop(struct scribbler *scribbler) {
    atomic_store(&scribbler->ends, 1);
    MUST_BE(pthread_join(scribbler->thread, NULL) == 0);
}
