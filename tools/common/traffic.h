/*
 * traffic: connections that come at random (Poisson), and the time that each takes a worker. The
 * mean of that is 1; the load generator, which knows milliseconds, multiplies. It and the
 * simulation see the same traffic for the same seed.
 */
#ifndef COMMON_TRAFFIC_H
#define COMMON_TRAFFIC_H

#include <stdbool.h>

#include "random.h"

enum service {
    EXPONENTIAL,
    DETERMINISTIC, /* all alike */
    HEAVY,         /* 1 % take a hundred times longer than the others */
    PARETO         /* with an exponent of 1.5: no finite variance */
};

#define SERVICE_NAMES "exp, det, heavy or pareto"

bool service_parse(enum service *service, const char *name);
const char *service_name(enum service service);

/* Of the square; infinite for PARETO. */
double service_second_moment(enum service service);

struct traffic {
    struct random random;
    double gap; /* the mean between two connections */
    enum service service;
};

struct connection {
    double gap; /* since the one before */
    double service;
};

void traffic_begin(struct traffic *traffic, double gap, enum service service, uint64_t seed);
struct connection traffic_next(struct traffic *traffic);

#endif
