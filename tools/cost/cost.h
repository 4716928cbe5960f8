/* cost: what its two files share. */
#ifndef UNHERD_COST_H
#define UNHERD_COST_H

enum { BATCHES = 2001, CALLS = 1000 };

double now(void); /* in ns */

/* Of BATCHES values, which are sorted then. */
double median(double *values);

/* The statistics that the library keeps of each connection. */
void measure_counting(void);

#endif
