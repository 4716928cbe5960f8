#include "watch_order.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "clock.h"
#include "hot.h"
#include "real.h"

enum { WORTH_IT_US = 2000, JUST_NOW_US = 1000 };

static _Atomic uint64_t *queued_since(const struct shard_set *set, int shard) {
    return &set->shared->shards[shard].queued_us;
}

HOT void order_note_taken(const struct shard_set *set, int shard) {
    _Atomic uint64_t *since = queued_since(set, shard);
    if (UNLIKELY(atomic_load_explicit(since, memory_order_relaxed)))
        atomic_store_explicit(since, 0, memory_order_relaxed);
}

static bool is_readable(const struct order *order, int i) {
    return order->list[i].revents & POLLIN;
}

/* Each sees what the others have said, and says it of the rest. */
static void note_queued(const struct shard_set *set, const struct order *order, uint64_t now) {
    for (int i = 0; i < order->count; i++) {
        uint64_t none = 0;
        if (is_readable(order, i))
            atomic_compare_exchange_strong(queued_since(set, order->shards[i]), &none, now);
    }
}

/* So long it is known that somebody waits there; another's clock may have been read later. */
static uint64_t known_wait(const struct shard_set *set, int shard, uint64_t now) {
    uint64_t since = atomic_load_explicit(queued_since(set, shard), memory_order_relaxed);
    return since && since < now ? now - since : 0;
}

/* tcp(7), TCP_INFO: of a socket that listens it is what waits for accept. */
static uint32_t queue_of(int fd) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    if (real.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0 || !info.tcpi_unacked)
        return 1;
    return info.tcpi_unacked;
}

/* Which of them come into question, and how many. */
static int choose_candidates(const struct shard_set *set, const struct order *order, uint64_t now,
                             struct shard_bits *candidates) {
    bool has_home = order->is_home_first && is_readable(order, 0);
    uint64_t least = has_home ? known_wait(set, order->shards[0], now) + WORTH_IT_US : 0;
    *candidates = (struct shard_bits){0};
    for (int i = 0; i < order->count; i++)
        if (is_readable(order, i) &&
            ((has_home && i == 0) || known_wait(set, order->shards[i], now) >= least))
            bits_add(candidates, i);
    return bits_count(candidates);
}

/* With more of them there is so much to do that their lengths are not worth a call each. */
enum { ASKED_MOST = 8 };

int order_choose(const struct shard_set *set, const struct order *order) {
    uint64_t now = clock_us();
    struct shard_bits candidates;
    note_queued(set, order, now);
    int count = choose_candidates(set, order, now, &candidates);
    int chosen = bits_next(&candidates, 0);
    uint64_t most = 0;
    if (count < 2)
        return chosen < 0 ? 0 : chosen;
    BITS_EACH (i, &candidates) {
        uint64_t waited = known_wait(set, order->shards[i], now) + JUST_NOW_US;
        if (count <= ASKED_MOST)
            waited *= queue_of(order->list[i].fd);
        if (waited > most) {
            most = waited;
            chosen = i;
        }
    }
    return chosen;
}
