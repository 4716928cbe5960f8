#include "family.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

enum { EXEC_WITHIN_MS = 1000 };

static bool add(struct family *family, const struct member *member) {
    struct member *grown = realloc(family->item, (family->count + 1) * sizeof *grown);
    if (!grown)
        return false;
    family->item = grown;
    grown[family->count++] = *member;
    return true;
}

static bool read_member(struct member *member, pid_t pid) {
    struct process process;
    if (!process_glance(&process, pid) || process.state == 'Z')
        return false;
    *member = (struct member){pid, process.parent, process.start};
    return true;
}

static uint64_t image_of(pid_t pid) {
    struct process process;
    return process_glance(&process, pid) && process.state != 'Z' ? process.image : 0;
}

/* This process has been forked from the command, which is about to execute the server. */
static void until_executed(pid_t command) {
    const struct timespec pause = {.tv_nsec = 1000000};
    uint64_t own = image_of(getpid());
    for (int i = 0; i < EXEC_WITHIN_MS && image_of(command) == own; i++)
        nanosleep(&pause, NULL);
}

bool family_begin(struct family *family, pid_t command) {
    struct member first;
    *family = (struct family){0};
    until_executed(command);
    if (!read_member(&first, command))
        return false;
    family->image = image_of(command);
    return add(family, &first);
}

void family_glance(struct family *family) {
    uint64_t image = family->count ? image_of(family->item[0].pid) : 0;
    if (image)
        family->image = image;
}

static const struct member *find(const struct family *family, pid_t pid) {
    for (size_t i = 0; i < family->count; i++)
        if (family->item[i].pid == pid)
            return &family->item[i];
    return NULL;
}

static bool was_member(const struct family *before, const struct member *member) {
    const struct member *found = find(before, member->pid);
    return found && found->start == member->start;
}

/* ---- a look ---- */

struct look {
    const struct family *before;
    struct family now;
    bool takes_successors;
    bool has_grown;
    bool good;
};

static bool is_successor(const struct family *before, const struct member *member) {
    return before->image && member->pid != getpid() && image_of(member->pid) == before->image;
}

static bool visit(pid_t pid, void *context) {
    struct look *look = context;
    struct member member;
    if (find(&look->now, pid) || !read_member(&member, pid))
        return true;
    if (!was_member(look->before, &member) && !find(&look->now, member.parent) &&
        !(look->takes_successors && is_successor(look->before, &member)))
        return true;
    look->has_grown = true;
    look->good = add(&look->now, &member);
    return look->good;
}

/* Children may be listed before their parents: until a round brings nobody. */
static void look_around(struct look *look) {
    do {
        look->has_grown = false;
        process_each(visit, look);
    } while (look->has_grown && look->good);
}

bool family_look(struct family *family) {
    struct look look = {.before = family, .good = true};
    look.now.image = family->image;
    look_around(&look);
    if (look.good && look.now.count == 0) {
        look.takes_successors = true;
        look_around(&look);
    }
    free(family->item);
    *family = look.now;
    family_glance(family);
    return look.good && family->count;
}

void family_free(struct family *family) {
    free(family->item);
    *family = (struct family){0};
}

bool family_is_top(const struct family *family, size_t index) {
    return !find(family, family->item[index].parent);
}
