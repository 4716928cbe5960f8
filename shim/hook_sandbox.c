/* Calls after which a process is killed for what it has not named: we keep to what it does anyway.
 */
#include "hook.h"

#include <stdarg.h>
#include <sys/prctl.h>

#include "local.h"

/* As in syscall(): four words, however many were given. */
__attribute__((no_sanitize("address"))) HOOK int prctl(int option, ...) {
    unsigned long word[4];
    va_list list;
    va_start(list, option);
    for (int i = 0; i < 4; i++)
        word[i] = va_arg(list, unsigned long);
    va_end(list);
    if (option == PR_SET_SECCOMP)
        local_confine();
    return real.prctl(option, word[0], word[1], word[2], word[3]);
}
