/* One connection, from connect() to the end of the answer. */
#ifndef LOAD_EXCHANGE_H
#define LOAD_EXCHANGE_H

#include <stdint.h>
#include <stdlib.h>

#include "answer.h"
#include "framing.h"
#include "request.h"
#include "target.h"

enum outcome {
    UNDECIDED, /* still under way */
    ANSWERED,
    REFUSED,     /* nobody listens, or (AF_UNIX) the queue is full */
    RESET,       /* the server's side broke it off */
    TIMED_OUT,   /* no answer within --timeout */
    UNANSWERED,  /* it ended with no answer, or with half of one */
    STALE,       /* a connection that was kept had been closed when the request came */
    NOT_STARTED, /* this machine's fault: no descriptor, port or memory left */
    OUTCOMES
};

/* A head of more than that is none. Memory that is never written is never there. */
enum { KEPT_SIZE = 65536 };

struct exchange {
    struct exchange *older, *newer; /* all that are under way, in order of `started`, or all idle */
    int fd;
    int events; /* what epoll waits for */
    int64_t scheduled, started;
    int64_t asked; /* so long the server was asked to be busy */
    const struct request *request;
    struct request own; /* where each asks for something else */
    bool is_idle;       /* its answer is whole, and the connection is kept */
    bool is_reused;     /* not the connection's first */
    struct framing framing;
    size_t sent, received;
    char kept[KEPT_SIZE]; /* the beginning of the answer, as much as fits */
};

/* Connects, and sends its request at once if it can. ANSWERED is not possible yet. */
enum outcome exchange_start(struct exchange *e, const struct target *target, long number);

/* Its request over the connection that an earlier one has left. */
enum outcome exchange_again(struct exchange *e);

/* Is it ANSWERED in such a way that another may follow? */
bool exchange_can_go_on(const struct exchange *e);

/* Its descriptor is ready: goes on as far as it can; `answer` is set when it is ANSWERED. */
enum outcome exchange_continue(struct exchange *e, struct answer *answer);

#endif
