/* heap: which worker is done next. Room for all workers, none of them twice. */
#ifndef SIM_HEAP_H
#define SIM_HEAP_H

#include "plan.h"

struct done {
    double at;
    int worker;
};

struct heap {
    struct done list[WORKERS_MAX]; /* each is no later than its two children, 2i+1 and 2i+2 */
    int count;
};

void heap_add(struct heap *heap, struct done done);
struct done heap_take(struct heap *heap); /* the earliest; there must be one */

#endif
