/* The loop: begins connections when they are due, follows them, gives up those that take too long.
 */
#ifndef LOAD_RUN_H
#define LOAD_RUN_H

#include <stdbool.h>

#include "plan.h"
#include "tally.h"

/* True when it came to its end, false when SIGINT or SIGTERM cut it short. */
bool run(struct plan *plan, struct tally *tally);

#endif
