#include "traffic.h"

#include <string.h>

static const char *const names[] = {"exp", "det", "heavy", "pareto"};

enum { SERVICES = sizeof names / sizeof *names };

#define LONG_PART 0.01
#define LONG_TIMES 100.0
#define SHORT (1 / (1 - LONG_PART + LONG_PART * LONG_TIMES))

#define PARETO_EXPONENT 1.5
#define PARETO_LEAST ((PARETO_EXPONENT - 1) / PARETO_EXPONENT)

bool service_parse(enum service *service, const char *name) {
    for (int i = 0; i < SERVICES; i++) {
        if (strcmp(names[i], name) == 0) {
            *service = (enum service)i;
            return true;
        }
    }
    return false;
}

const char *service_name(enum service service) {
    return names[service];
}

double service_second_moment(enum service service) {
    switch (service) {
    case EXPONENTIAL:
        return 2;
    case DETERMINISTIC:
        return 1;
    case HEAVY:
        return (1 - LONG_PART + LONG_PART * LONG_TIMES * LONG_TIMES) * SHORT * SHORT;
    default:
        return INFINITY;
    }
}

static double draw(enum service service, struct random *random) {
    switch (service) {
    case EXPONENTIAL:
        return random_exponential(random);
    case HEAVY:
        return random_unit(random) <= LONG_PART ? LONG_TIMES * SHORT : SHORT;
    case PARETO:
        return PARETO_LEAST * pow(random_unit(random), -1 / PARETO_EXPONENT);
    default:
        return 1;
    }
}

void traffic_begin(struct traffic *traffic, double gap, enum service service, uint64_t seed) {
    random_seed(&traffic->random, seed, 0);
    traffic->gap = gap;
    traffic->service = service;
}

struct connection traffic_next(struct traffic *traffic) {
    struct connection next;
    next.gap = traffic->gap * random_exponential(&traffic->random);
    next.service = draw(traffic->service, &traffic->random);
    return next;
}
