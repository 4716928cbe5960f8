/* check program: what unherd check says of a program that is not looked at while it runs. */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check_report.h"
#include "command.h"
#include "imports.h"
#include "known_server.h"
#include "plain_text.h"
#include "program.h"
#include "script.h"

struct finding {
    const char *path; /* of what is loaded: a script's interpreter */
    const struct elf_facts *library;
    struct imports imports;
    enum answer answer;
    const char *reason;
};

static bool has(const struct imports *imports, const char *call) {
    for (unsigned i = 0; imports_name(i); i++)
        if (imports->is_hooked[i] && !strcmp(imports_name(i), call))
            return true;
    return false;
}

static bool listens_and_accepts(const struct imports *imports) {
    return has(imports, "listen") && (has(imports, "accept") || has(imports, "accept4"));
}

/* Imports alone tell who cannot be helped, and who might be: how many wait, only a running server
 * shows. */
static void judge(struct finding *finding, const struct program *program) {
    const struct imports *imports = &finding->imports;
    bool is_candidate = listens_and_accepts(imports);
    finding->answer = WOULD_NOT;
    if (program->status != STATUS_OK) {
        finding->answer = CANNOT;
        finding->reason = program->reason;
    } else if (known_server_single(program->path))
        finding->reason = known_server_single(program->path);
    else if (!is_candidate && raw_calls_accept(&imports->raw)) {
        finding->answer = CANNOT;
        finding->reason = "it accepts by system calls of its own, past libc";
    } else if (is_candidate || known_server_interpreter(finding->path)) {
        finding->answer = HELPS;
        finding->reason =
            is_candidate
                ? "if several of its workers share a listener: start it, and check its port"
                : "its modules may listen and accept: start the server, and check its port";
    } else
        finding->reason = "neither it nor its libraries listen and accept; what it loads later, or "
                          "executes, may";
}

static void print_calls(const struct imports *imports) {
    printf("  hooked, of the calls in it and its libraries:");
    for (unsigned i = 0; imports_name(i); i++)
        if (imports->is_hooked[i])
            printf(" %s", imports_name(i));
    putchar('\n');
}

/* What the hooks do not see. */
static void print_detours(const struct imports *imports) {
    unsigned count = 0;
    for (unsigned i = 0; raw_calls_name(i); i++)
        if (imports->raw.is_made[i])
            printf("%s%s", count++ ? " " : "  goes around: ", raw_calls_name(i));
    if (count)
        puts(", made without libc");
    if (imports->has_ring)
        puts("  goes around: io_uring, where it uses that");
}

static void print_finding(const struct finding *finding) {
    printf("%s\n", finding->path);
    if (finding->imports.objects) {
        printf("  dynamically linked, %s and %s as the library is, %u files\n",
               elf_architecture(finding->library), finding->library->libc,
               finding->imports.objects);
        print_calls(&finding->imports);
        print_detours(&finding->imports);
    }
    printf("  %s: %s\n", finding->answer == HELPS ? "may help" : answer_name(finding->answer),
           finding->reason);
}

static void print_json(const struct finding *finding) {
    json_t *calls = json_array();
    json_t *raw = json_array();
    for (unsigned i = 0; imports_name(i); i++)
        if (finding->imports.is_hooked[i])
            json_array_append_new(calls, json_string(imports_name(i)));
    for (unsigned i = 0; raw_calls_name(i); i++)
        if (finding->imports.raw.is_made[i])
            json_array_append_new(raw, json_string(raw_calls_name(i)));
    json_t *all = json_pack("{s:s*, s:i, s:o, s:o, s:b, s:s, s:s*}", "program", finding->path,
                            "files", (int)finding->imports.objects, "hooked", calls,
                            "made_without_libc", raw, "io_uring", finding->imports.has_ring,
                            "verdict", answer_name(finding->answer), "reason", finding->reason);
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

/* A script's interpreter is what the library is loaded into. */
static void find_loaded(const struct program *program, char *path, size_t size) {
    char name[SCRIPT_NAME_SIZE];
    int fd = open(program->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct elf_facts facts;
    bool is_script = fd >= 0 && elf_read(fd, &facts) == ELF_NONE && script_interpreter(fd, name);
    snprintf(path, size, "%s", is_script && *name == '/' ? name : program->path);
    if (fd >= 0)
        close(fd);
}

int report_program(const char *command, const struct library *library, bool json) {
    static struct program program;
    static struct finding finding;
    static char path[PATH_MAX];
    program_find(&program, command, &library->facts);
    find_loaded(&program, path, sizeof path);
    if (program.status == STATUS_OK)
        imports_read(&finding.imports, path);
    if (!*path)
        snprintf(path, sizeof path, "%s", command);
    finding.path = path;
    finding.library = &library->facts;
    judge(&finding, &program);
    plain_text(path);
    plain_text(program.reason);
    if (json)
        print_json(&finding);
    else
        print_finding(&finding);
    return finish_output() == STATUS_OK ? (int)finding.answer : CANNOT;
}
