#include "elf_file.h"

#include <elf.h>
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "elf_libc.h"

enum {
    NATIVE_ORDER = __BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB,
    NOTES_MAX = 256 /* looked at in one segment: no real program has as many */
};

/* A piece of the file, as a program header or a section header gives it. */
struct span {
    uint32_t type; /* PT_...; of a section: where its name is */
    uint64_t offset;
    uint64_t size;
};

struct image {
    int fd;
    bool wide; /* ELFCLASS64 */
    uint64_t segments;
    uint64_t sections;
    unsigned segment_count, segment_size;
    unsigned section_count, section_size;
    unsigned names; /* the section that holds the names of sections */
};

static bool read_at(int fd, uint64_t offset, void *data, size_t size) {
    if (offset > INT64_MAX - size)
        return false;
    return pread(fd, data, size, (off_t)offset) == (ssize_t)size;
}

/* offset + index * size, or a place that no read reaches. */
static uint64_t place_of(uint64_t offset, unsigned index, unsigned size) {
    uint64_t place;
    return __builtin_add_overflow(offset, (uint64_t)index * size, &place) ? UINT64_MAX : place;
}

/* The two classes differ in the width and the order of the same fields. */
#define TAKE_HEADER(image, header)                                                                 \
    do {                                                                                           \
        (image)->segments = (header).e_phoff;                                                      \
        (image)->sections = (header).e_shoff;                                                      \
        (image)->segment_count = (header).e_phnum;                                                 \
        (image)->segment_size = (header).e_phentsize;                                              \
        (image)->section_count = (header).e_shnum;                                                 \
        (image)->section_size = (header).e_shentsize;                                              \
        (image)->names = (header).e_shstrndx;                                                      \
    } while (0)

static bool read_header(struct image *image) {
    Elf64_Ehdr wide;
    Elf32_Ehdr narrow;
    if (image->wide) {
        if (!read_at(image->fd, 0, &wide, sizeof wide))
            return false;
        TAKE_HEADER(image, wide);
        return image->segment_size >= sizeof(Elf64_Phdr);
    }
    if (!read_at(image->fd, 0, &narrow, sizeof narrow))
        return false;
    TAKE_HEADER(image, narrow);
    return image->segment_size >= sizeof(Elf32_Phdr);
}

static bool read_segment(const struct image *image, unsigned index, struct span *span) {
    uint64_t place = place_of(image->segments, index, image->segment_size);
    Elf64_Phdr wide;
    Elf32_Phdr narrow;
    if (image->wide) {
        if (!read_at(image->fd, place, &wide, sizeof wide))
            return false;
        *span = (struct span){wide.p_type, wide.p_offset, wide.p_filesz};
        return true;
    }
    if (!read_at(image->fd, place, &narrow, sizeof narrow))
        return false;
    *span = (struct span){narrow.p_type, narrow.p_offset, narrow.p_filesz};
    return true;
}

static bool read_section(const struct image *image, unsigned index, struct span *span) {
    uint64_t place = place_of(image->sections, index, image->section_size);
    Elf64_Shdr wide;
    Elf32_Shdr narrow;
    if (image->wide) {
        if (image->section_size < sizeof wide || !read_at(image->fd, place, &wide, sizeof wide))
            return false;
        *span = (struct span){wide.sh_name, wide.sh_offset, wide.sh_size};
        return true;
    }
    if (image->section_size < sizeof narrow || !read_at(image->fd, place, &narrow, sizeof narrow))
        return false;
    *span = (struct span){narrow.sh_name, narrow.sh_offset, narrow.sh_size};
    return true;
}

static bool has_segment(const struct image *image, uint32_t type) {
    struct span span;
    for (unsigned i = 0; i < image->segment_count && read_segment(image, i, &span); i++)
        if (span.type == type)
            return true;
    return false;
}

static uint64_t round_up_to_4(uint32_t size) {
    return ((uint64_t)size + 3) & ~(uint64_t)3;
}

/* A note begins with the sizes of its owner's name and of its content, and its type; padded to 4.
 */
static bool has_go_note(const struct image *image, const struct span *span) {
    uint64_t at = 0;
    for (int i = 0; i < NOTES_MAX && at < span->size; i++) {
        Elf64_Nhdr note; /* the same in both classes */
        char owner[4];
        if (span->offset > UINT64_MAX - at)
            return false;
        uint64_t place = span->offset + at;
        if (!read_at(image->fd, place, &note, sizeof note))
            return false;
        if (note.n_namesz == sizeof owner &&
            read_at(image->fd, place + sizeof note, owner, sizeof owner) &&
            !memcmp(owner, "Go\0", sizeof owner))
            return true;
        at += sizeof note + round_up_to_4(note.n_namesz) + round_up_to_4(note.n_descsz);
    }
    return false;
}

static bool any_go_note(const struct image *image) {
    struct span span;
    for (unsigned i = 0; i < image->segment_count && read_segment(image, i, &span); i++)
        if (span.type == PT_NOTE && has_go_note(image, &span))
            return true;
    return false;
}

static bool is_named(const struct image *image, const struct span *names, uint32_t offset,
                     const char *wanted) {
    char name[24];
    size_t size = strlen(wanted) + 1;
    if (names->offset > UINT64_MAX - offset || size > sizeof name)
        return false;
    return read_at(image->fd, names->offset + offset, name, size) && !memcmp(name, wanted, size);
}

static bool any_go_section(const struct image *image) {
    struct span names, section;
    if (!image->sections || !read_section(image, image->names, &names))
        return false;
    for (unsigned i = 0; i < image->section_count && read_section(image, i, &section); i++)
        if (is_named(image, &names, section.type, ".go.buildinfo") ||
            is_named(image, &names, section.type, ".note.go.buildid"))
            return true;
    return false;
}

static unsigned half(const unsigned char bytes[2], unsigned char order) {
    return order == ELFDATA2LSB ? bytes[0] | (unsigned)bytes[1] << 8
                                : bytes[1] | (unsigned)bytes[0] << 8;
}

enum elf_answer elf_read(int fd, struct elf_facts *facts) {
    unsigned char start[20]; /* both classes agree up to e_machine */
    if (!read_at(fd, 0, start, SELFMAG) || memcmp(start, ELFMAG, SELFMAG) != 0)
        return ELF_NONE;
    if (!read_at(fd, 0, start, sizeof start))
        return ELF_BROKEN;
    *facts = (struct elf_facts){.class = start[EI_CLASS], .order = start[EI_DATA]};
    if ((facts->class != ELFCLASS32 && facts->class != ELFCLASS64) ||
        (facts->order != ELFDATA2LSB && facts->order != ELFDATA2MSB))
        return ELF_BROKEN;
    facts->type = half(start + 16, facts->order);
    facts->machine = half(start + 18, facts->order);
    if (facts->order != NATIVE_ORDER)
        return ELF_GOOD;

    struct image image = {.fd = fd, .wide = facts->class == ELFCLASS64};
    if (!read_header(&image))
        return ELF_BROKEN;
    facts->has_interpreter = has_segment(&image, PT_INTERP);
    facts->is_go = any_go_note(&image) || any_go_section(&image);
    elf_libc(fd, facts->libc, sizeof facts->libc);
    return ELF_GOOD;
}

bool elf_same_architecture(const struct elf_facts *one, const struct elf_facts *other) {
    return one->class == other->class && one->order == other->order &&
           one->machine == other->machine;
}

static bool is_glibc(const struct elf_facts *facts) {
    return !strncmp(facts->libc, "libc.so.6", 9);
}

bool elf_same_libc(const struct elf_facts *one, const struct elf_facts *other) {
    return !*one->libc || !*other->libc || is_glibc(one) == is_glibc(other);
}

const char *elf_architecture(const struct elf_facts *facts) {
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {
        {EM_386, "x86"},      {EM_X86_64, "x86-64"}, {EM_ARM, "ARM"},       {EM_AARCH64, "AArch64"},
        {EM_RISCV, "RISC-V"}, {EM_PPC, "PowerPC"},   {EM_PPC64, "PowerPC"}, {EM_S390, "S/390"},
        {EM_MIPS, "MIPS"},    {EM_SPARCV9, "SPARC"}, {258, "LoongArch"},
    };
    static char text[48];
    const char *bits = facts->class == ELFCLASS64 ? "64-bit" : "32-bit";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].machine == facts->machine) {
            snprintf(text, sizeof text, "%s %s", bits, names[i].name);
            return text;
        }
    snprintf(text, sizeof text, "%s machine %u", bits, facts->machine);
    return text;
}
