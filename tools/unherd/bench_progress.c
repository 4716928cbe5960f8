#include "bench_progress.h"

#include <stdio.h>
#include <unistd.h>

#include "../load/clock.h"

enum { WIDTH = 24 };

static const struct bench_plan *shown; /* NULL: no terminal */
static int64_t began;
static int steps;

void progress_begin(const struct bench_plan *plan) {
    shown = isatty(STDERR_FILENO) ? plan : NULL;
    began = clock_now();
    steps = 0;
    for (int i = 0; i < VARIANTS; i++)
        steps += plan->is_wanted[i];
}

/* How many of the wanted variants come before it in a round. */
static int steps_before(enum variant variant) {
    int count = 0;
    for (int i = 0; i < (int)variant; i++)
        count += shown->is_wanted[i];
    return count;
}

/* Before a first round is well under way its start looks like all there is. */
static void put_time_left(double done) {
    double passed = (double)(clock_now() - began) / (double)NS_PER_S;
    if (done * shown->rounds * steps > 0.5)
        fprintf(stderr, ", some %.0f s left", passed / done * (1 - done));
}

void progress_show(int number, enum variant variant, double part) {
    char bar[WIDTH + 1];
    if (!shown)
        return;
    double done = (number * steps + steps_before(variant) + part) / (shown->rounds * steps);
    for (int i = 0; i < WIDTH; i++)
        bar[i] = i < (int)(done * WIDTH) ? '#' : '.';
    bar[WIDTH] = '\0';
    /* In a narrow window it is cut off, and not wrapped: \r would not reach its beginning then. */
    fprintf(stderr, "\r\033[?7l[%s] round %d of %d, %s", bar, number + 1, shown->rounds,
            variant_name(variant));
    put_time_left(done);
    fputs("\033[K\033[?7h", stderr);
    fflush(stderr);
}

void progress_say(const char *text) {
    if (shown)
        fprintf(stderr, "\r%s\033[K", text);
}

void progress_clear(void) {
    if (shown)
        fputs("\r\033[K", stderr);
}
