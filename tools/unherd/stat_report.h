/* stat report: the statistics as text, as JSON, and as Prometheus reads them. */
#ifndef UNHERD_STAT_REPORT_H
#define UNHERD_STAT_REPORT_H

#include "statistics.h"

enum stat_format { STAT_TEXT, STAT_JSON, STAT_PROMETHEUS };

void stat_report(const struct set_list *list, enum stat_format format);

/* For stat_report alone. */
void stat_prometheus(const struct set_list *list);
void stat_json(const struct set_list *list);

#endif
