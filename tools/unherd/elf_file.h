/*
 * elf_file: what an ELF file says about itself, as far as LD_PRELOAD is concerned.
 *
 * The file is anybody's: no offset, count or size in it is believed, and it is read with pread,
 * since a mapped file that shrinks raises SIGBUS.
 */
#ifndef UNHERD_ELF_FILE_H
#define UNHERD_ELF_FILE_H

#include <stdbool.h>

enum elf_answer {
    ELF_NONE,   /* no ELF magic */
    ELF_BROKEN, /* the magic, and then no header that the kernel would take */
    ELF_GOOD
};

struct elf_facts {
    unsigned char class; /* ELFCLASS32 or ELFCLASS64 */
    unsigned char order; /* ELFDATA2LSB or ELFDATA2MSB */
    unsigned machine;    /* EM_... */
    unsigned type;       /* ET_... */
    /* The rest is read only when the byte order is this machine's, else false. */
    bool has_interpreter; /* PT_INTERP: there is a dynamic loader, which reads LD_PRELOAD */
    bool is_go;           /* the Go linker made it */
    char libc[32];        /* the C library that it names; or empty */
};

enum elf_answer elf_read(int fd, struct elf_facts *facts);

/* Both run on the same kind of machine, in the same way. */
bool elf_same_architecture(const struct elf_facts *one, const struct elf_facts *other);

/* False where they name two C libraries, one of them glibc: in one process there can be but one. */
bool elf_same_libc(const struct elf_facts *one, const struct elf_facts *other);

/* "64-bit x86-64"; never NULL, overwritten by the next call. */
const char *elf_architecture(const struct elf_facts *facts);

#endif
