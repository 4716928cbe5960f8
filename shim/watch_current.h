/* watch current: the instance that this thread waited on last; its next accept is for that wait. */
#ifndef UNHERD_WATCH_CURRENT_H
#define UNHERD_WATCH_CURRENT_H

#include "watch_table.h"

extern _Thread_local struct instance *watch_current;

#endif
