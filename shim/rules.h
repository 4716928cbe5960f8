/*
 * rules: the items of UNHERD_LISTEN, and the words for modes that they share with UNHERD_MODE.
 *
 * Part of config: nobody else includes this. Async-signal-safe.
 */
#ifndef UNHERD_RULES_H
#define UNHERD_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

enum { MODE_COUNT = MODE_OFF + 1, ITEM_RULES_MAX = 2 };

/* The modes' names, in the order of enum mode. */
extern const char *const mode_words[MODE_COUNT];

/*
 * The place of that word (length bytes, no terminator needed) in the list, or count when it is not
 * there.
 */
unsigned word_index(const char *const *words, unsigned count, const char *word, size_t length);

/* Digits only, without sign or spaces, and from 0 to limit. */
bool number_read(const char *digits, unsigned limit, unsigned *value);

/*
 * Reads one item, without the commas or spaces around it, into rules[] and returns NULL; "all"
 * makes two rules, every other item one. What cannot be read returns the reason, which goes on
 * after the item's name: "has a port that ...".
 */
const char *rules_of_item(const char *item, size_t length, struct rule rules[ITEM_RULES_MAX],
                          unsigned *count);

#endif
