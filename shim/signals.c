#include "signals.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>

#include "real.h"

/* A bit for each signal that has a handler, or whose last one is gone. */
static _Atomic uint64_t handled;
static _Atomic uint64_t interrupting; /* without SA_RESTART */

/* Raised by what a thread does itself, and so never while it waits; crash reporters handle them. */
static bool is_fault(int number) {
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
           number == SIGTRAP || number == SIGSYS;
}

static bool is_handler(void (*handler)(int)) {
    return handler != SIG_DFL && handler != SIG_IGN && handler != SIG_ERR;
}

void signals_install(int number, void (*handler)(int), bool restarts) {
    uint64_t bit = number >= 1 && number <= 64 ? UINT64_C(1) << (number - 1) : 0;
    if (is_fault(number) || !is_handler(handler))
        return;
    atomic_fetch_or_explicit(&handled, bit, memory_order_relaxed);
    if (restarts)
        atomic_fetch_and_explicit(&interrupting, ~bit, memory_order_relaxed);
    else
        atomic_fetch_or_explicit(&interrupting, bit, memory_order_relaxed);
}

/* Some are installed behind our back: before we were loaded, or by a direct system call. */
static void look(void) {
    int saved = errno; /* some numbers are libc's own, and refused */
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (real.sigaction(number, NULL, &action) == 0)
            signals_install(number, action.sa_handler, action.sa_flags & SA_RESTART);
    }
    errno = saved;
}

bool signals_any(void) {
    if (!atomic_load_explicit(&handled, memory_order_relaxed))
        look();
    return atomic_load_explicit(&handled, memory_order_relaxed);
}

bool signals_any_interrupts(void) {
    look();
    return atomic_load_explicit(&interrupting, memory_order_relaxed);
}
