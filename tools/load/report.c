#include "report.h"

#include <stdio.h>

#include "clock.h"

static const struct {
    const char *name;
    const char *label;
    double part;
} percentiles[] = {
    {"p50_us", "p50", 0.5},      {"p90_us", "p90", 0.9},   {"p99_us", "p99", 0.99},
    {"p999_us", "p99.9", 0.999}, {"max_us", "slowest", 1},
};

enum { PERCENTILES = sizeof percentiles / sizeof *percentiles };

static double seconds(const struct tally *tally) {
    return (double)tally->took / (double)NS_PER_S;
}

static double rate(const struct tally *tally) {
    return tally->took > 0 ? (double)tally->outcomes[ANSWERED] / seconds(tally) : 0;
}

void report_tsv(const struct plan *plan, const struct tally *tally) {
    printf("connections\t%ld\n", tally->connections);
    printf("answered\t%ld\n", tally->outcomes[ANSWERED]);
    printf("lost\t%ld\n", tally_lost(tally));
    printf("refused\t%ld\n", tally->outcomes[REFUSED]);
    printf("reset\t%ld\n", tally->outcomes[RESET]);
    printf("timeout\t%ld\n", tally->outcomes[TIMED_OUT]);
    printf("unanswered\t%ld\n", tally->outcomes[UNANSWERED]);
    printf("not_started\t%ld\n", tally->outcomes[NOT_STARTED]);
    printf("not_2xx\t%ld\n", tally->not_ok);
    if (plan->slow != NEVER)
        printf("slower\t%ld\n", tally->slower);
    printf("seconds\t%.3f\n", seconds(tally));
    printf("rate\t%.1f\n", rate(tally));
    printf("lag_max_us\t%lld\n", (long long)tally->lag / 1000);
    if (tally->outcomes[ANSWERED])
        printf("mean_us\t%.0f\nstddev_us\t%.0f\n", tally_mean_us(tally), tally_stddev_us(tally));
    for (int i = 0; i < PERCENTILES && tally->outcomes[ANSWERED]; i++)
        printf("%s\t%u\n", percentiles[i].name, tally_percentile(tally, percentiles[i].part));
    for (int i = 0; i < tally->worker_count; i++)
        printf("worker:%s\t%ld\n", tally->workers[i].key, tally->workers[i].answers);
    if (tally->other_workers)
        printf("worker:(others)\t%ld\n", tally->other_workers);
}

static void print_losses(const struct tally *tally) {
    printf("%ld answered, %ld lost", tally->outcomes[ANSWERED], tally_lost(tally));
    if (tally_lost(tally))
        printf(" (%ld refused, %ld reset, %ld timed out, %ld unanswered)", tally->outcomes[REFUSED],
               tally->outcomes[RESET], tally->outcomes[TIMED_OUT], tally->outcomes[UNANSWERED]);
    if (tally->not_ok)
        printf(", %ld answers not 2xx", tally->not_ok);
    if (tally->outcomes[NOT_STARTED])
        printf(", %ld not even begun (no descriptors or ports left here)",
               tally->outcomes[NOT_STARTED]);
    printf("\n");
}

void report_table(const struct plan *plan, const struct tally *tally) {
    printf("%ld connections to %s in %.2f s, %.0f answers a second\n", tally->connections,
           plan->target_name, seconds(tally), rate(tally));
    print_losses(tally);
    if (!tally->outcomes[ANSWERED])
        return;
    if (plan->slow != NEVER)
        printf("%ld slower than %.0f ms\n", tally->slower, (double)plan->slow / (double)NS_PER_MS);
    printf("\n%-12s %12s\n", plan->busy > 0 ? "beyond" : "latency", "ms");
    printf("  %-10s %12.3f\n", "mean", tally_mean_us(tally) / 1000);
    printf("  %-10s %12.3f\n", "deviation", tally_stddev_us(tally) / 1000);
    for (int i = 0; i < PERCENTILES; i++)
        printf("  %-10s %12.3f\n", percentiles[i].label,
               tally_percentile(tally, percentiles[i].part) / 1000.0);
    printf("\n%-12s %12s\n", "worker", "answers");
    for (int i = 0; i < tally->worker_count; i++)
        printf("  %-10s %12ld\n", tally->workers[i].key, tally->workers[i].answers);
    if (tally->other_workers)
        printf("  %-10s %12ld\n", "(others)", tally->other_workers);
}
