#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "command.h"
#include "script.h"

enum { SCRIPT_DEPTH_MAX = 5 }; /* the kernel's own limit for scripts that run scripts */

__attribute__((format(printf, 3, 4))) static void refuse(struct program *program, int status,
                                                         const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(program->reason, sizeof program->reason, format, list);
    va_end(list);
    program->status = status;
}

/* --- finding --- */

/* Whether this candidate ends the search; what cannot be executed is remembered, as execvp does. */
static bool try_path(struct program *program, const char *path) {
    struct stat facts;
    if (stat(path, &facts) < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            refuse(program, STATUS_REFUSED, "%s: %s", path, strerror(errno));
        return false;
    }
    if (S_ISDIR(facts.st_mode))
        refuse(program, STATUS_REFUSED, "%s is a directory", path);
    else if (!S_ISREG(facts.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
        refuse(program, STATUS_REFUSED, "%s is not executable", path);
    else {
        snprintf(program->path, sizeof program->path, "%s", path);
        program->status = STATUS_OK;
        return true;
    }
    return false;
}

static void search(struct program *program, const char *command) {
    char standard[256] = "";
    const char *list = getenv("PATH");
    if (!list) {
        confstr(_CS_PATH, standard, sizeof standard);
        list = standard;
    }
    for (;; list++) {
        char path[PATH_MAX];
        int length = (int)strcspn(list, ":"); /* empty: the current directory */
        int size =
            snprintf(path, sizeof path, "%.*s%s%s", length, list, length ? "/" : "", command);
        if (size < (int)sizeof path && try_path(program, path))
            return;
        list += length;
        if (!*list)
            return;
    }
}

static void find(struct program *program, const char *command) {
    program->path[0] = '\0';
    refuse(program, STATUS_NOT_FOUND,
           *command ? "%s: command not found" : "the command's name is empty%s", command);
    if (strlen(command) >= sizeof program->path)
        refuse(program, STATUS_NOT_FOUND, "the command's name is too long");
    else if (strchr(command, '/'))
        try_path(program, command);
    else if (*command)
        search(program, command);
}

/* --- looking --- */

/* The kernel ignores both on scripts, and set-gid on a file that its group may not execute. */
static bool gains_privileges(struct program *program, const struct stat *facts) {
    const char *what = NULL;
    if (facts->st_mode & S_ISUID)
        what = "is set-uid";
    else if ((facts->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
        what = "is set-gid";
    else if (getxattr(program->path, "security.capability", NULL, 0) > 0)
        what = "has file capabilities";
    if (what)
        refuse(program, STATUS_REFUSED,
               "%s %s: the dynamic loader drops LD_PRELOAD from such a program", program->path,
               what);
    return what;
}

static void look_at_elf(struct program *program, const struct elf_facts *facts,
                        const struct elf_facts *library) {
    char architecture[48];
    const char *path = program->path;
    if (facts->type != ET_EXEC && facts->type != ET_DYN)
        refuse(program, STATUS_REFUSED, "%s is an ELF file, but not a program", path);
    else if (!elf_same_architecture(facts, library)) {
        snprintf(architecture, sizeof architecture, "%s", elf_architecture(facts));
        refuse(program, STATUS_REFUSED, "%s is for another architecture: %s, and the library is %s",
               path, architecture, elf_architecture(library));
    } else if (facts->is_go)
        refuse(program, STATUS_REFUSED,
               "%s is a Go program: it makes no libc calls, so there is nothing to preload into",
               path);
    else if (!elf_same_libc(facts, library))
        refuse(program, STATUS_REFUSED, "%s is linked with %s, and the library with %s", path,
               facts->libc, library->libc);
    else if (!facts->has_interpreter)
        refuse(program, STATUS_REFUSED,
               "%s is statically linked: no dynamic loader reads LD_PRELOAD for it", path);
}

static void look(struct program *program, const struct elf_facts *library, int depth);

/* What the kernel starts, and the library is loaded into, is the interpreter. */
static void look_at_script(struct program *script, int fd, const struct elf_facts *library,
                           int depth) {
    struct program interpreter;
    char name[SCRIPT_NAME_SIZE];
    if (depth == SCRIPT_DEPTH_MAX || !script_interpreter(fd, name)) {
        refuse(script, STATUS_REFUSED, "%s is a script whose interpreter cannot be made out",
               script->path);
        return;
    }
    find(&interpreter, name);
    if (interpreter.status == STATUS_OK)
        look(&interpreter, library, depth + 1);
    if (interpreter.status != STATUS_OK)
        refuse(script, STATUS_REFUSED, "%s is a script: %s", script->path, interpreter.reason);
}

static void look(struct program *program, const struct elf_facts *library, int depth) {
    struct stat status;
    struct elf_facts facts = {0};
    int fd = open(program->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    enum elf_answer answer = fd < 0 ? ELF_GOOD : elf_read(fd, &facts);
    if (answer == ELF_NONE)
        look_at_script(program, fd, library, depth);
    else if (answer == ELF_BROKEN)
        refuse(program, STATUS_REFUSED, "%s is an ELF file without a header that can be read",
               program->path);
    else if (!stat(program->path, &status) && !gains_privileges(program, &status) && fd >= 0)
        look_at_elf(program, &facts, library);
    if (fd >= 0)
        close(fd);
}

void program_find(struct program *program, const char *command, const struct elf_facts *library) {
    find(program, command);
    if (program->status == STATUS_OK)
        look(program, library, 0);
}
