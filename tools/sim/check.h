/* check: the simulation beside theory, where theory has an answer. */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include <stdbool.h>

#include "plan.h"

/* A line for each case; false when one is further off than 2 %. Of the plan, the seed and the runs
 * count: with so many times the connections chance has less of a say. */
bool check_all(const struct plan *plan);

#endif
