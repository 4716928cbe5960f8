/* The loop: begins connections when they are due, follows them, gives up those that take too long.
 */
#ifndef LOAD_RUN_H
#define LOAD_RUN_H

#include <signal.h>

#include "plan.h"
#include "tally.h"

enum ending {
    RUN_WHOLE,
    RUN_INTERRUPTED,
    RUN_FAILED /* with errno: there was no memory, or no descriptor */
};

/* *stop, set by the caller's handler of a signal (without SA_RESTART), cuts it short. */
enum ending load_run(struct plan *plan, struct tally *tally, const volatile sig_atomic_t *stop);

#endif
