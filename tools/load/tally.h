/* What came of all connections: counts, every single latency, and who answered. */
#ifndef LOAD_TALLY_H
#define LOAD_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "answer.h"
#include "exchange.h"

enum { WORKERS_MAX = 512 };

struct worker_count {
    char key[WORKER_KEY_SIZE];
    long answers;
};

struct tally {
    long connections; /* that were due, whatever became of them */
    long outcomes[OUTCOMES];
    long connected; /* got as far as sending */
    long not_ok;    /* answers with a status other than 2xx */
    long slower;    /* answers slower than --slower-than */
    int64_t lag;    /* the longest that a connection began after its time */
    int64_t took;
    int64_t sum;         /* of the latencies, in ns */
    long named;          /* answers that named their worker in a header */
    uint32_t *latencies; /* microseconds, of the answers */
    long room;
    struct worker_count workers[WORKERS_MAX];
    int worker_count;
    long other_workers; /* answers that found the table full */
};

/* Room for so many answers, and more when they come; false when there is no memory for it. */
bool tally_init(struct tally *tally, long answers);
void tally_free(struct tally *tally);

/* False when there is no memory left: the answer is not counted. */
bool tally_answer(struct tally *tally, const struct answer *answer, int64_t latency, bool slow);

/* Puts latencies and workers in order; then the percentiles can be asked for. */
void tally_sort(struct tally *tally);

/* The latency that so large a part of the answers did not exceed. There must be answers. */
uint32_t tally_percentile(const struct tally *tally, double part);

double tally_mean_us(const struct tally *tally); /* there must be answers, too */

double tally_stddev_us(const struct tally *tally); /* and here */

long tally_lost(const struct tally *tally);

#endif
