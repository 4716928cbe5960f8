/* The figures, for people or for programs. */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include "plan.h"
#include "tally.h"

void report_table(const struct plan *plan, const struct tally *tally);
void report_tsv(const struct plan *plan, const struct tally *tally);

#endif
