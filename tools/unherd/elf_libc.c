#include "elf_libc.h"

#include <gelf.h>
#include <stdio.h>
#include <string.h>

static void read_dynamic(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, char *name,
                         size_t size) {
    Elf_Data *data = elf_getdata(section, NULL);
    GElf_Dyn entry;
    for (int i = 0; data && gelf_getdyn(data, i, &entry) && entry.d_tag != DT_NULL; i++) {
        const char *needed =
            entry.d_tag == DT_NEEDED ? elf_strptr(elf, header->sh_link, entry.d_un.d_val) : NULL;
        if (needed && !strncmp(needed, "libc.", 5))
            snprintf(name, size, "%s", needed);
    }
}

void elf_libc(int fd, char *name, size_t size) {
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    *name = '\0';
    Elf *elf = elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_begin(fd, ELF_C_READ, NULL);
    while (elf && (section = elf_nextscn(elf, section)))
        if (gelf_getshdr(section, &header) && header.sh_type == SHT_DYNAMIC)
            read_dynamic(elf, section, &header, name, size);
    elf_end(elf);
}
