#include "preload.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char SEPARATORS[] = " :"; /* of LD_PRELOAD: see ld.so(8) */

static bool exists(const char *path) {
    return access(path, F_OK) == 0;
}

/* Cuts the last part off the path; "/x" leaves "", which a further "/y" makes right again. */
static void to_parent(char *path) {
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
}

static bool find_beside_tool(char path[PATH_MAX], char *text, size_t size) {
    char place[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", place, sizeof place - 1);
    if (length < 0) {
        snprintf(text, size, "/proc/self/exe: %s; say --library PATH", strerror(errno));
        return false;
    }
    place[length] = '\0';
    to_parent(place);
    int written = snprintf(path, PATH_MAX, "%s/libunherd.so", place);
    if (written < PATH_MAX && exists(path))
        return true;
    char beside[PATH_MAX];
    snprintf(beside, sizeof beside, "%s", place);
    to_parent(place);
    written = snprintf(path, PATH_MAX, "%s/lib/libunherd.so", place);
    if (written < PATH_MAX && exists(path))
        return true;
    snprintf(text, size, "libunherd.so is neither in %s nor in %s/lib; say --library PATH", beside,
             place);
    return false;
}

/* An absolute path is kept as it was given: its symbolic links are the user's own choice. */
static bool take_given(char path[PATH_MAX], const char *given, char *text, size_t size) {
    char *whole = *given == '/' ? strdup(given) : realpath(given, NULL);
    bool found = whole && exists(whole) && strlen(whole) < PATH_MAX;
    if (found)
        snprintf(path, PATH_MAX, "%s", whole);
    else
        snprintf(text, size, "the library %s: %s", given, strerror(errno));
    free(whole);
    return found;
}

static bool look_at_library(struct library *library, char *text, size_t size) {
    int fd = open(library->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        snprintf(text, size, "the library %s: %s", library->path, strerror(errno));
        return false;
    }
    bool good = elf_read(fd, &library->facts) == ELF_GOOD && library->facts.type == ET_DYN;
    close(fd);
    if (!good)
        snprintf(text, size, "the library %s is not a shared library", library->path);
    return good;
}

bool library_find(struct library *library, const char *given, char *text, size_t size) {
    bool found = given ? take_given(library->path, given, text, size)
                       : find_beside_tool(library->path, text, size);
    if (!found || !look_at_library(library, text, size))
        return false;
    if (!strpbrk(library->path, SEPARATORS))
        return true;
    snprintf(text, size, "the library %s: LD_PRELOAD cannot hold a path with a space or a colon",
             library->path);
    return false;
}

static bool is_same_file(const char *one, const char *other) {
    struct stat a, b;
    return !stat(one, &a) && !stat(other, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool holds(const char *list, const char *path) {
    while (*(list += strspn(list, SEPARATORS))) {
        char entry[PATH_MAX];
        size_t length = strcspn(list, SEPARATORS);
        int size = snprintf(entry, sizeof entry, "%.*s", (int)length, list);
        /* An entry without a slash is looked for in the library path, and not in this directory. */
        if (size < (int)sizeof entry && strchr(entry, '/') && is_same_file(entry, path))
            return true;
        list += length;
    }
    return false;
}

char *preload_with(const struct library *library, const char *existing) {
    char *value = NULL;
    if (!existing || !*existing)
        return strdup(library->path);
    if (holds(existing, library->path))
        return strdup(existing);
    return asprintf(&value, "%s:%s", library->path, existing) < 0 ? NULL : value;
}
