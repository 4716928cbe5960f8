#include "carry.h"

#include <errno.h>
#include <string.h>

#include "listener.h"
#include "text.h"

static const char sets_name[] = "_UNHERD_SETS=";
static const char preload_name[] = "LD_PRELOAD=";

/* LD_PRELOAD and the UNHERD_* variables as they were at start, one after the other. */
static char remembered[4096];
static bool is_carrying;

static bool starts(const char *entry, const char *name, size_t length) {
    return !strncmp(entry, name, length);
}

/* "NAME=" of an entry. */
static size_t name_length(const char *entry) {
    return strcspn(entry, "=") + 1;
}

static bool is_ours(const char *entry) {
    return starts(entry, "UNHERD_", 7) || starts(entry, preload_name, sizeof preload_name - 1);
}

static void remember(char *const *environment) {
    size_t used = 0;
    for (; *environment; environment++) {
        size_t size = strlen(*environment) + 1;
        if (!is_ours(*environment) || used + size >= sizeof remembered)
            continue;
        memcpy(remembered + used, *environment, size);
        used += size;
    }
}

void carry_start(char *const *environment) {
    if (!environment)
        return;
    is_carrying = true;
    remember(environment);
    for (; *environment; environment++)
        if (starts(*environment, sets_name, sizeof sets_name - 1))
            listener_receive(*environment + sizeof sets_name - 1);
}

bool carry_is_wanted(void) {
    return is_carrying && listener_any();
}

static size_t count(char *const *environment) {
    size_t entries = 0;
    while (environment && environment[entries])
        entries++;
    return entries;
}

size_t carry_room(char *const *environment) {
    return count(environment) + CARRY_ADDED_MOST;
}

static char *find(char **list, const char *name, size_t length) {
    for (; *list; list++)
        if (starts(*list, name, length))
            return *list;
    return NULL;
}

/* The server's own LD_PRELOAD does not name us: ours goes before it, in the same entry. */
static void merge_preload(struct carry *carry, char **entry, const char *ours) {
    size_t length = sizeof preload_name - 1;
    if (strstr(*entry, "libunherd"))
        return;
    struct text text = text_of(carry->preload, sizeof carry->preload);
    text_str(&text, ours);
    text_char(&text, ':');
    text_str(&text, *entry + length);
    *entry = carry->preload;
}

static void add_remembered(struct carry *carry, char **list, size_t entries, size_t most) {
    for (char *entry = remembered; *entry; entry += strlen(entry) + 1) {
        char *there = find(list, entry, name_length(entry));
        if (!there && entries < most) {
            list[entries++] = entry;
            list[entries] = NULL;
            continue;
        }
        for (size_t i = 0; there && i < entries; i++)
            if (list[i] == there && starts(entry, preload_name, sizeof preload_name - 1))
                merge_preload(carry, &list[i], entry);
    }
}

/* Without an old word of the sets: what it names is not what this process has. */
static size_t copy(char *const *environment, char **list) {
    size_t entries = 0;
    for (; environment && *environment; environment++)
        if (!starts(*environment, sets_name, sizeof sets_name - 1))
            list[entries++] = *environment;
    list[entries] = NULL;
    return entries;
}

void carry_begin(struct carry *carry, char *const *environment, char **list, bool with_sets) {
    size_t entries = copy(environment, list);
    struct text text = text_of(carry->sets, sizeof carry->sets);
    text_str(&text, sets_name);
    carry->has_sets = with_sets && listener_write(&text);
    if (carry->has_sets) {
        list[entries++] = carry->sets;
        list[entries] = NULL;
    }
    add_remembered(carry, list, entries, carry_room(environment) - 1);
}

/* The exec's errno is the caller's: it may be looking for the program in one directory after the
 * other, and a descriptor may be gone that was closed behind our back. */
void carry_end(const struct carry *carry) {
    int saved = errno;
    if (carry->has_sets)
        listener_keep_open(false);
    errno = saved;
}
