/* elf libc: the C library that an ELF file names. glibc's is libc.so.6; musl's is not. */
#ifndef UNHERD_ELF_LIBC_H
#define UNHERD_ELF_LIBC_H

#include <stddef.h>

/* Into name[size]; empty where the file names none, or cannot be read. */
void elf_libc(int fd, char *name, size_t size);

#endif
