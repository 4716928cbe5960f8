/* script: who runs a file that is no binary. */
#ifndef UNHERD_SCRIPT_H
#define UNHERD_SCRIPT_H

#include <stdbool.h>

enum { SCRIPT_NAME_SIZE = 260 }; /* the kernel reads 256 bytes of a script */

/*
 * The command that runs the script, a path or a name to look for in PATH: the one after "#!", or
 * after the env(1) there; /bin/sh without "#!", as execvp does. False when the line is cut off.
 */
bool script_interpreter(int fd, char name[SCRIPT_NAME_SIZE]);

#endif
