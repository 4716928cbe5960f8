#include "script.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 256 };

static const char BLANKS[] = " \t";

/* Cuts the first word off the rest of the line; empty at its end. */
static char *next_word(char **rest) {
    char *word = *rest + strspn(*rest, BLANKS);
    char *end = word + strcspn(word, BLANKS);
    *rest = *end ? end + 1 : end;
    *end = '\0';
    return word;
}

static bool is_env(const char *path) {
    const char *slash = strrchr(path, '/');
    return !strcmp(slash ? slash + 1 : path, "env");
}

/* The command among env's arguments, behind its options (-S glued to the command too) and settings.
 */
static char *command_of_env(char **rest) {
    for (;;) {
        char *word = next_word(rest);
        if (!strcmp(word, "-u") || !strcmp(word, "-C"))
            next_word(rest);
        else if (!strncmp(word, "-S", 2) && word[2])
            return word + 2;
        else if (*word != '-' && !strchr(word, '='))
            return word;
    }
}

bool script_interpreter(int fd, char name[SCRIPT_NAME_SIZE]) {
    char line[LINE_SIZE + 1];
    ssize_t size = pread(fd, line, LINE_SIZE, 0);
    line[size > 0 ? size : 0] = '\0';
    char *end = strchr(line, '\n');
    char *rest = line + 2;
    char *word = "/bin/sh";
    bool direct = true; /* the kernel opens it: no PATH */
    if (!strncmp(line, "#!", 2)) {
        if (!end && size == LINE_SIZE)
            return false;
        if (end)
            *end = '\0';
        char *path = next_word(&rest);
        direct = !is_env(path);
        if (!direct)
            path = command_of_env(&rest);
        if (*path || !direct)
            word = path;
    }
    bool relative = direct && !strchr(word, '/');
    snprintf(name, SCRIPT_NAME_SIZE, "%s%s", relative ? "./" : "", word);
    return *word;
}
