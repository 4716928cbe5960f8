/* One run: traffic into the model, and what came of it. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "model.h"
#include "plan.h"

/* Fills the model, whose waits are the result; model_end() is the caller's. */
void run(struct model *model, const struct plan *plan, uint64_t seed);

#endif
