/* Calls that install a signal's handler: see signals.h. */
#include "hook.h"

#include "signals.h"

HOOK int sigaction(int number, const struct sigaction *restrict action,
                   struct sigaction *restrict before) {
    if (is_address(action))
        signals_install(number, action->sa_handler, action->sa_flags & SA_RESTART);
    return real.sigaction(number, action, before);
}

/* The calls of old: in BSD's the handler stays and calls are restarted, in System V's neither; but
 * siginterrupt() undoes the former. */
#define HOOK_SIGNAL(name, restarts)                                                                \
    HOOK signal_handler name(int number, signal_handler handler) {                                 \
        signals_install(number, handler, restarts);                                                \
        return real.name(number, handler);                                                         \
    }

HOOK_SIGNAL(signal, true)
HOOK_SIGNAL(bsd_signal, true)
HOOK_SIGNAL(sysv_signal, false)
HOOK_SIGNAL(__sysv_signal, false)
HOOK_SIGNAL(sigset, false)

HOOK int siginterrupt(int number, int interrupts) {
    struct sigaction action;
    int saved = errno;
    if (interrupts && real.sigaction(number, NULL, &action) == 0)
        signals_install(number, action.sa_handler, false);
    errno = saved;
    return real.siginterrupt(number, interrupts);
}
