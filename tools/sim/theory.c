#include "theory.h"

#include <math.h>

/* The part of the connections that has to wait: Erlang's C, by way of his B. */
static double erlang_waits(int workers, double load) {
    double offered = load * workers;
    double blocked = 1;
    for (int i = 1; i <= workers; i++)
        blocked = offered * blocked / (i + offered * blocked);
    return blocked / (1 - load * (1 - blocked));
}

double erlang_mean_wait(int workers, double load) {
    return erlang_waits(workers, load) / (workers * (1 - load));
}

/* Who waits, waits for an exponential time. */
double erlang_percentile(int workers, double load, double part) {
    return log(erlang_waits(workers, load) / (1 - part)) / (workers * (1 - load));
}

double khinchine_mean_wait(double load, double second_moment) {
    return load * second_moment / (2 * (1 - load));
}

double stalled_mean_wait(double load, double stall, double every) {
    double stuck = stall / every;
    return (stall * stuck + 2 * load) / (2 * (1 - stuck) * (1 - stuck - load));
}

/* GI/M/1: the part that waits solves waits = E exp(-(1 - waits) gap); found by repetition. */
double robin_mean_wait(int workers, double load) {
    double rate = load * workers;
    double waits = load;
    for (int i = 0; i < 10000; i++)
        waits = pow(rate / (rate + 1 - waits), workers);
    return waits / (1 - waits);
}

/* In a time 1 a queue has at least n connections in load^(2^n - 1) of all shards. */
double two_mean_wait(double load) {
    double stay = 0;
    for (int n = 1; n < 12; n++)
        stay += pow(load, exp2(n) - 2);
    return stay - 1;
}
