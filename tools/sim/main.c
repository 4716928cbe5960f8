/*
 * sim: the queueing that unherd's modes come to, and that of other ways to give connections to
 * workers. Event-driven; the next event is the next connection or the next worker that is done.
 */
#include "check.h"
#include "plan.h"
#include "result.h"

int main(int argc, char **argv) {
    struct plan plan;
    struct result result;
    plan_parse(&plan, argc, argv);
    if (plan.check)
        return check_all(&plan) ? 0 : 1;
    if (plan.tail) {
        result_print_tail(&plan);
        return 0;
    }
    result_of(&result, &plan);
    (plan.csv ? result_print_csv : result_print)(&result, &plan);
    return 0;
}
