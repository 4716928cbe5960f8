/* known server: what has to be set in some servers, as far as it does not show from outside. */
#ifndef UNHERD_KNOWN_SERVER_H
#define UNHERD_KNOWN_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "process.h"

/* Into text[size]; empty where nothing is known. has_lock: it was seen to use its own accept lock;
 * is_lost: the library did not reach its workers. */
void known_server_advice(char *text, size_t size, const struct process *process, bool has_lock,
                         bool is_lost);

/* A program that accepts in one place alone, whatever its settings; or NULL: why. */
const char *known_server_single(const char *program);

/* A program that runs other people's programs, and may load what listens and accepts only then. */
bool known_server_interpreter(const char *program);

#endif
