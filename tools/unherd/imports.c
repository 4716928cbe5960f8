#include "imports.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"

#define NAME(result, name, ...) #name,
#define NAME_NIL(name, ...) #name,
static const char *const names[] = {UNHERD_CALLS(NAME, NAME_NIL, NAME)};

enum { NAMES = sizeof names / sizeof *names };
_Static_assert((int)NAMES <= (int)IMPORTS_MOST, "IMPORTS_MOST is too small");

const char *imports_name(unsigned number) {
    return number < NAMES ? names[number] : NULL;
}

static void note(struct imports *imports, const char *name) {
    for (unsigned i = 0; i < NAMES; i++)
        imports->is_hooked[i] |= !strcmp(names[i], name);
    imports->has_ring |= !strncmp(name, "io_uring_", 9);
}

static void read_symbols(struct imports *imports, Elf *elf, Elf_Scn *section,
                         const GElf_Shdr *header) {
    Elf_Data *data = elf_getdata(section, NULL);
    size_t count = data && header->sh_entsize ? header->sh_size / header->sh_entsize : 0;
    for (size_t i = 0; i < count; i++) {
        GElf_Sym symbol;
        if (!gelf_getsym(data, (int)i, &symbol) || symbol.st_shndx != SHN_UNDEF)
            continue;
        const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);
        if (name && *name)
            note(imports, name);
    }
}

static bool read_object(struct imports *imports, const char *path) {
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ, NULL);
    while (elf && (section = elf_nextscn(elf, section)))
        if (gelf_getshdr(section, &header) && header.sh_type == SHT_DYNSYM)
            read_symbols(imports, elf, section, &header);
    imports->objects += elf != NULL;
    elf_end(elf);
    if (fd >= 0)
        raw_calls_add(&imports->raw, fd);
    if (fd >= 0)
        close(fd);
    return elf;
}

/* The loader that the program names; empty if it names none. */
static void read_loader(const char *path, char *loader, size_t size) {
    GElf_Phdr header;
    size_t count = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ, NULL);
    *loader = '\0';
    if (elf && elf_getphdrnum(elf, &count) == 0)
        for (size_t i = 0; i < count; i++)
            if (gelf_getphdr(elf, (int)i, &header) && header.p_type == PT_INTERP &&
                header.p_filesz < size) {
                ssize_t got = pread(fd, loader, header.p_filesz, (off_t)header.p_offset);
                loader[got < 0 ? 0 : got] = '\0';
            }
    elf_end(elf);
    if (fd >= 0)
        close(fd);
}

/* "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f...)". libc itself makes every call. */
static void read_listed(struct imports *imports, char *line) {
    char *path = strstr(line, "=> /");
    char *end = path ? strstr(path, " (0x") : NULL;
    if (!end || strstr(line, "libc.so.") || strstr(line, "libunherd.so"))
        return;
    *end = '\0';
    read_object(imports, path + 3);
}

/* "--list" is what ldd(1) asks the loader for; the program itself is not started. */
static FILE *start_loader(char *loader, char *program, pid_t *pid) {
    char list[] = "--list";
    char *words[] = {loader, list, program, NULL};
    char *nothing[] = {NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return NULL;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int failed = posix_spawn(pid, loader, &actions, NULL, words, nothing);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (!failed)
        return fdopen(ends[0], "re");
    close(ends[0]);
    return NULL;
}

static void read_libraries(struct imports *imports, const char *program) {
    char loader[256];
    char copy[4096];
    char *line = NULL;
    size_t room = 0;
    pid_t pid;
    snprintf(copy, sizeof copy, "%s", program);
    read_loader(program, loader, sizeof loader);
    FILE *output = *loader ? start_loader(loader, copy, &pid) : NULL;
    if (!output)
        return;
    while (getline(&line, &room, output) >= 0)
        read_listed(imports, line);
    free(line);
    fclose(output);
    waitpid(pid, NULL, 0);
}

bool imports_read(struct imports *imports, const char *program) {
    *imports = (struct imports){0};
    if (elf_version(EV_CURRENT) == EV_NONE || !read_object(imports, program))
        return false;
    read_libraries(imports, program);
    return true;
}
