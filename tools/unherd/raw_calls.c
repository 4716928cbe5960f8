#include "raw_calls.h"

#include <gelf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How much of the code is looked at together, and how far before the instruction its number is. */
enum { PIECE = 1 << 20, REACH = 64 };

static const struct {
    const char *name;
    uint32_t number;
} table[] = {
    {"accept", SYS_accept},
    {"accept4", SYS_accept4},
    {"listen", SYS_listen},
    {"epoll_ctl", SYS_epoll_ctl},
    {"epoll_pwait", SYS_epoll_pwait},
    {"ppoll", SYS_ppoll},
    {"pselect6", SYS_pselect6},
    {"io_uring_setup", 425}, /* the same everywhere; not in every libc's headers */
    {"io_uring_enter", 426},
#ifdef SYS_epoll_wait /* newer architectures have none of the older calls */
    {"epoll_wait", SYS_epoll_wait},
    {"poll", SYS_poll},
    {"select", SYS_select},
#endif
};

enum { CALLS = sizeof table / sizeof *table };
_Static_assert((int)CALLS <= (int)RAW_CALLS_MOST, "RAW_CALLS_MOST is too small");

const char *raw_calls_name(unsigned number) {
    return number < CALLS ? table[number].name : NULL;
}

bool raw_calls_accept(const struct raw_calls *calls) {
    return calls->is_made[0] || calls->is_made[1];
}

static void note(struct raw_calls *calls, uint32_t number) {
    for (unsigned i = 0; i < CALLS; i++)
        calls->is_made[i] |= table[i].number == number;
}

#if defined __x86_64__
/* "mov $number, %eax" before "syscall". */
static void find(struct raw_calls *calls, const unsigned char *code, size_t size) {
    const unsigned char *end = code + size;
    const unsigned char *at = code;
    while (end - at > 1 && (at = memchr(at, 0x0f, (size_t)(end - at - 1)))) {
        if (at[1] == 0x05)
            for (const unsigned char *before = at - 5; before >= code && at - before <= REACH;
                 before--)
                if (*before == 0xb8) {
                    uint32_t number;
                    memcpy(&number, before + 1, sizeof number);
                    note(calls, number);
                    break;
                }
        at++;
    }
}
#elif defined __aarch64__
/* "mov x8, #number", or of w8, before "svc #0". */
static void find(struct raw_calls *calls, const unsigned char *code, size_t size) {
    for (size_t at = 0; at + 4 <= size; at += 4) {
        uint32_t word;
        memcpy(&word, code + at, sizeof word);
        for (size_t back = 4; word == 0xd4000001 && back <= at && back <= REACH; back += 4) {
            uint32_t before;
            memcpy(&before, code + at - back, sizeof before);
            if ((before & 0x7fe0001f) != 0x52800008)
                continue;
            note(calls, (before >> 5) & 0xffff);
            break;
        }
    }
}
#else
static void find(struct raw_calls *calls, const unsigned char *code, size_t size) {
    (void)calls, (void)code, (void)size;
}
#endif

/* In pieces that overlap, so that no pair of instructions is cut apart. */
static void find_in_segment(struct raw_calls *calls, int fd, const GElf_Phdr *segment) {
    unsigned char *piece = malloc(PIECE);
    uint64_t at = segment->p_offset;
    uint64_t left = segment->p_filesz;
    while (piece && left) {
        ssize_t got = pread(fd, piece, left < PIECE ? left : PIECE, (off_t)at);
        if (got <= 0)
            break;
        find(calls, piece, (size_t)got);
        if (got < PIECE)
            break;
        at += PIECE - REACH;
        left -= PIECE - REACH;
    }
    free(piece);
}

void raw_calls_add(struct raw_calls *calls, int fd) {
    GElf_Phdr segment;
    size_t count = 0;
    Elf *elf = elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_begin(fd, ELF_C_READ, NULL);
    if (elf && elf_getphdrnum(elf, &count) == 0)
        for (size_t i = 0; i < count; i++)
            if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_LOAD &&
                (segment.p_flags & PF_X) && segment.p_offset <= INT64_MAX)
                find_in_segment(calls, fd, &segment);
    elf_end(elf);
}
