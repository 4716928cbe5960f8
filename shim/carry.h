/*
 * carry: what the next image of a process is to have when this one executes it: the preload and our
 * variables, even if the server makes a new environment; and the shard sets of the listeners that
 * it leaves open, so that an upgrade loses no connection.
 *
 * Only for processes that have a listener. Nothing here allocates or changes memory that a vfork
 * child shares with its parent.
 */
#ifndef UNHERD_CARRY_H
#define UNHERD_CARRY_H

#include <stdbool.h>
#include <stddef.h>

enum { CARRY_TEXT_SIZE = 8192, CARRY_ADDED_MOST = 24 };

/* One exec under way. */
struct carry {
    char sets[CARRY_TEXT_SIZE];    /* the variable that names the sets */
    char preload[CARRY_TEXT_SIZE]; /* the library before the server's own LD_PRELOAD */
    bool has_sets;
};

/* Called once, from the constructor: remembers what is to be carried, before the server can change
 * its environment, and takes up what an earlier image left. */
void carry_start(char *const *environment);

/* Whether there is anything to carry. */
bool carry_is_wanted(void);

/* How many pointers carry_begin() may write for that environment, NULL (none) included. */
size_t carry_room(char *const *environment);

/*
 * The environment for the next image, in list[carry_room()]; with_sets: the descriptors of the sets
 * stay open too. After a failed exec carry_end() takes that back.
 */
void carry_begin(struct carry *carry, char *const *environment, char **list, bool with_sets);
void carry_end(const struct carry *carry);

#endif
