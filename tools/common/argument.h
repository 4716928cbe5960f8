/* Arguments of the command line: one clear line about what is wrong with one, and exit status 2. */
#ifndef COMMON_ARGUMENT_H
#define COMMON_ARGUMENT_H

_Noreturn void refuse(const char *option, const char *problem);

/* The value, if it is a number between the two; else the program ends. */
double number(const char *option, const char *text, double min, double max);
long whole(const char *option, const char *text, double min, double max);

#endif
