#include "tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

static bool make_room(struct tally *tally, long answers) {
    uint32_t *grown = realloc(tally->latencies, (size_t)answers * sizeof *grown);
    if (!grown)
        return false;
    tally->latencies = grown;
    tally->room = answers;
    return true;
}

bool tally_init(struct tally *tally, long answers) {
    memset(tally, 0, sizeof *tally);
    return make_room(tally, answers);
}

void tally_free(struct tally *tally) {
    free(tally->latencies);
    tally->latencies = NULL;
}

static void count_worker(struct tally *tally, const char *key) {
    for (int i = 0; i < tally->worker_count; i++) {
        if (strcmp(tally->workers[i].key, key) == 0) {
            tally->workers[i].answers++;
            return;
        }
    }
    if (tally->worker_count == WORKERS_MAX) {
        tally->other_workers++;
        return;
    }
    struct worker_count *new = &tally->workers[tally->worker_count++];
    memcpy(new->key, key, WORKER_KEY_SIZE);
    new->answers = 1;
}

bool tally_answer(struct tally *tally, const struct answer *answer, int64_t latency, bool slow) {
    if (tally->outcomes[ANSWERED] == tally->room && !make_room(tally, 2 * tally->room))
        return false;
    int64_t us = latency > 0 ? latency / 1000 : 0;
    tally->sum += latency;
    tally->latencies[tally->outcomes[ANSWERED]++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    tally->slower += slow;
    tally->not_ok += answer->status / 100 != 2;
    tally->named += answer->is_named;
    count_worker(tally, answer->worker);
    return true;
}

static int by_size(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* Numbers in keys by their value: 2 comes before 10. */
static int by_key(const void *left, const void *right) {
    return strverscmp(((const struct worker_count *)left)->key,
                      ((const struct worker_count *)right)->key);
}

void tally_sort(struct tally *tally) {
    qsort(tally->latencies, (size_t)tally->outcomes[ANSWERED], sizeof *tally->latencies, by_size);
    qsort(tally->workers, (size_t)tally->worker_count, sizeof *tally->workers, by_key);
}

uint32_t tally_percentile(const struct tally *tally, double part) {
    long answers = tally->outcomes[ANSWERED];
    long rank = (long)ceil(part * (double)answers);
    return tally->latencies[rank < 1 ? 0 : rank > answers ? answers - 1 : rank - 1];
}

double tally_mean_us(const struct tally *tally) {
    return (double)tally->sum / 1000 / (double)tally->outcomes[ANSWERED];
}

/* Of the latencies as they are kept: in two passes, as squares of ns leave no room for a sum. */
double tally_stddev_us(const struct tally *tally) {
    long answers = tally->outcomes[ANSWERED];
    double mean = tally_mean_us(tally);
    double squares = 0;
    for (long i = 0; i < answers; i++)
        squares += (tally->latencies[i] - mean) * (tally->latencies[i] - mean);
    return sqrt(squares / (double)answers);
}

long tally_lost(const struct tally *tally) {
    return tally->outcomes[REFUSED] + tally->outcomes[RESET] + tally->outcomes[TIMED_OUT] +
           tally->outcomes[UNANSWERED];
}
