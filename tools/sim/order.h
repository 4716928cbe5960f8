/*
 * order: of several shards where connections wait, which one a free worker takes from (--take).
 *
 * What the library does is FROM_KNOWN (shim/watch_order.c): who looks at several says of each that
 * somebody is known to wait there from now on, if nobody has said it since its last take.
 */
#ifndef SIM_ORDER_H
#define SIM_ORDER_H

#include "model.h"

/* Of the shards that the worker watches one where somebody waits, or -1. */
int order_choose(struct model *model, double now, int worker);

#endif
