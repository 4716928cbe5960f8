/* verdict: whether the library would help a listener, in which mode, and why. */
#ifndef UNHERD_VERDICT_H
#define UNHERD_VERDICT_H

#include "listener_facts.h"
#include "preload.h"

/* The exit statuses of unherd check. */
enum answer { HELPS, WOULD_NOT, CANNOT };

struct verdict {
    enum answer answer;
    const char *mode;  /* to be recommended; NULL unless it helps */
    char reason[512];  /* a sentence */
    char advice[512];  /* what to set in the server first; or empty */
    char missing[512]; /* in which processes that wait the library is not, and why; or empty */
};

/* library: whose architecture a process must have. */
void verdict_of(struct verdict *verdict, const struct listener_facts *facts,
                const struct library *library);

/* Why a process that has not loaded the library has not, as far as can be told. */
const char *verdict_why_missing(const struct listener_facts *facts, const struct process *process,
                                const struct library *library);

/* "helps", "would not help", "cannot". */
const char *answer_name(enum answer answer);

#endif
