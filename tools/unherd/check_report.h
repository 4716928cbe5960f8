/* check report: what unherd check prints, as text or as one JSON object. */
#ifndef UNHERD_CHECK_REPORT_H
#define UNHERD_CHECK_REPORT_H

#include <stdbool.h>

#include "listener_facts.h"
#include "preload.h"
#include "verdict.h"

/* Each listener and its verdict. The best of the answers: where one is helped, it helps. */
enum answer report_listeners(const struct listener_list *list, const struct library *library,
                             bool json);

/* A program that is not looked at while it runs. An exit status. */
int report_program(const char *command, const struct library *library, bool json);

#endif
