#include "argument.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void refuse(const char *option, const char *problem) {
    const char *name = program_invocation_short_name;
    fprintf(stderr, "%s: %s: %s (%s --help lists the options)\n", name, option, problem, name);
    exit(2);
}

double number(const char *option, const char *text, double min, double max) {
    char problem[128];
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= min && value <= max)) {
        snprintf(problem, sizeof problem, "'%.40s' is not a number from %.10g to %.10g", text, min,
                 max);
        refuse(option, problem);
    }
    return value;
}

long whole(const char *option, const char *text, double min, double max) {
    double value = number(option, text, min, max);
    if (floor(value) != value)
        refuse(option, "not a whole number");
    return (long)value;
}
