#include "bound.h"

#include <stdatomic.h>
#include <stdint.h>

#include "local.h"
#include "socket_options.h"

enum { NOTES = 64 };

static struct {
    uint64_t cookie;
    unsigned forks;
} notes[NOTES];
static unsigned next_note;
static atomic_bool has_begun;

void bound_begin(void) {
    atomic_store(&has_begun, true);
}

static void note(uint64_t cookie) {
    notes[next_note].cookie = cookie;
    notes[next_note].forks = local_forks();
    next_note = (next_note + 1) % NOTES;
}

static bool is_noted(uint64_t cookie) {
    for (int i = 0; cookie && i < NOTES; i++)
        if (notes[i].cookie == cookie)
            return notes[i].forks == local_forks();
    return false;
}

void bound_note(int fd) {
    if (!atomic_load_explicit(&has_begun, memory_order_relaxed) || local_is_borrowed() ||
        !guard_enter())
        return;
    note(socket_cookie(fd));
    guard_leave();
}

void bound_forget(int fd) {
    if (!atomic_load_explicit(&has_begun, memory_order_relaxed) || local_is_borrowed() ||
        !guard_enter())
        return;
    uint64_t cookie = socket_cookie(fd);
    for (int i = 0; i < NOTES; i++)
        if (notes[i].cookie == cookie)
            notes[i].cookie = 0;
    guard_leave();
}

bool bound_is_alone(int fd) {
    return atomic_load(&has_begun) && is_noted(socket_cookie(fd));
}
