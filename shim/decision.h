/* decision: what is to become of a listener, and the one line that says it. */
#ifndef UNHERD_DECISION_H
#define UNHERD_DECISION_H

#include <stdbool.h>

#include "address.h"
#include "config.h"
#include "shard_set.h"

struct decision {
    enum mode mode;   /* MODE_EXCLUSIVE, MODE_REUSEPORT or MODE_OFF */
    const char *why;  /* in a few words */
    bool falls_short; /* of what was asked for */
    int sibling;      /* another listener of this process's for the same address, or -1 */
    char address[ADDRESS_SIZE];
};

/*
 * By the socket's kind and address, and by what was asked for. origin: why there may be workers in
 * other processes that know nothing of shards made here; or NULL.
 */
void decision_make(struct decision *decision, const struct config *config, int fd,
                   const char *origin);

/*
 * Another socket that listens for fd's address in this process, one of ours; -1: there is none.
 * Then the server shards by itself; that it set SO_REUSEPORT would not say so, since many set it
 * and share one socket (gunicorn, uwsgi, pgbouncer, haproxy, postfix).
 */
int decision_sibling(int fd);

/* Says it; shard is what came of it, or NULL; error is the errno that a shortfall left. */
void decision_say(const struct decision *decision, const struct shard *shard, int error);

#endif
