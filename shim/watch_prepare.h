/*
 * watch prepare: what is done before a wait, when there is something to do: the watches' claims and
 * registrations become what they should be. For watch_wait.c only.
 */
#ifndef UNHERD_WATCH_PREPARE_H
#define UNHERD_WATCH_PREPARE_H

#include "hot.h"
#include "watch_table.h"

/* A wait begins; sleeps: it is for some time, and not only to ask what there is. Whether it takes
 * part in finding out if two workers ever wait at once: then prepare_end_probe() follows it. */
bool prepare_wait(struct instance *instance, bool sleeps);

/* errno is kept. */
RARE void prepare_end_probe(const struct instance *instance);

#endif
