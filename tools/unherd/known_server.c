#include "known_server.h"

#include <stdio.h>
#include <string.h>

/* Of postfix and of dovecot. */
#define IMPORT "import_environment = $import_environment LD_PRELOAD UNHERD_MODE"

enum when { WITH_LOCK, WHEN_LOST };

static const struct {
    const char *program; /* the end of its path, or of its name */
    enum when when;
    const char *advice;
} table[] = {
    {"nginx", WITH_LOCK, "accept_mutex off;"},
    {"apache2", WITH_LOCK, "one Listen, or MPM event"},
    {"httpd", WITH_LOCK, "one Listen, or MPM event"},
    {"uwsgi", WITH_LOCK, "no --thunder-lock"},
    {"uwsgi-core", WITH_LOCK, "no --thunder-lock"},
    {"master", WHEN_LOST, "in main.cf: " IMPORT},
    {"smtpd", WHEN_LOST, "in main.cf: " IMPORT},
    {"dovecot", WHEN_LOST, IMPORT},
    {"imap-login", WHEN_LOST, IMPORT},
};

static const struct {
    const char *program;
    const char *why;
} single[] = {
    {"redis-server", "one thread accepts"},       {"memcached", "one thread accepts"},
    {"postgres", "the postmaster alone accepts"}, {"pgbouncer", "one thread accepts"},
    {"sshd", "the master alone accepts"},         {"vsftpd", "the master alone accepts"},
    {"dnsmasq", "the master alone accepts"},      {"stunnel4", "one thread accepts"},
    {"tinyproxy", "one thread accepts"},
};

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void known_server_advice(char *text, size_t size, const struct process *process, bool has_lock,
                         bool is_lost) {
    const char *program = last_part(process->program);
    *text = '\0';
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if ((!strcmp(table[i].program, program) || !strcmp(table[i].program, process->name)) &&
            (table[i].when == WITH_LOCK ? has_lock : is_lost))
            snprintf(text, size, "%s", table[i].advice);
}

const char *known_server_single(const char *program) {
    for (size_t i = 0; i < sizeof single / sizeof *single; i++)
        if (!strcmp(single[i].program, last_part(program)))
            return single[i].why;
    return NULL;
}

/* "ruby3.1" is a ruby. */
bool known_server_interpreter(const char *program) {
    static const char *const names[] = {"python", "ruby", "perl",  "php",
                                        "node",   "java", "tclsh", "lua"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strncmp(last_part(program), names[i], strlen(names[i])))
            return true;
    return false;
}
