#include "config.h"

#include <string.h>

#include "rules.h"
#include "text.h"

const struct option_row option_table[OPTION_COUNT] = {
#define OPTION_ROW(id, variable, flag, argument, fallback, help)                                   \
    [OPTION_##id] = {variable, flag, argument, fallback, help},
    UNHERD_OPTIONS(OPTION_ROW)
#undef OPTION_ROW
};

static const char *const log_words[] = {
    [LOG_OFF] = "off",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

enum {
    LOG_COUNT = LOG_DEBUG + 1,
    SHARDS_DEFAULT_MIN = 16,
    QUOTED_MAX = 40, /* of a value, in a complaint */
    NAME_MAX_SHOWN = 24,
    REASON_SIZE = 96
};

/* One value on its way into the config, and where its complaints go. */
struct reading {
    struct config *config;
    enum option_id id;
    bool keep; /* in the config, each with what is used instead; else the first, in data */
    bool failed;
    char *data;
    size_t size;
};

/* --- complaints --- */

/* The last line stands for all that found no place. */
static struct text next_complaint(struct config *config) {
    if (config->complaint_count < COMPLAINTS_MAX)
        return text_of(config->complaints[config->complaint_count++], COMPLAINT_SIZE);
    struct text last = text_of(config->complaints[COMPLAINTS_MAX - 1], COMPLAINT_SIZE);
    text_str(&last, "more is wrong with the UNHERD_* variables than is said here");
    return text_of(NULL, 0);
}

/* A value may be anything: a terminal's escape sequence, half a UTF-8 character, a megabyte. */
static void append_escaped(struct text *text, const char *value, size_t length, size_t most) {
    for (size_t i = 0; i < length && i < most; i++) {
        if (value[i] >= ' ' && value[i] <= '~')
            text_char(text, value[i]);
        else
            text_char(text, '?');
    }
    if (length > most)
        text_str(text, "...");
}

static void append_used_instead(struct text *text, const struct reading *in) {
    if (in->id == OPTION_LISTEN) {
        text_str(text, "; ignored");
        return;
    }
    text_str(text, "; using ");
    if (in->id == OPTION_SHARDS) /* the table describes this default, and does not give it */
        text_num(text, in->config->shards);
    else
        text_str(text, option_table[in->id].fallback);
}

static void complain(struct reading *in, const char *value, size_t length, const char *reason) {
    if (in->failed && !in->keep)
        return;
    in->failed = true;
    struct text text = in->keep ? next_complaint(in->config) : text_of(in->data, in->size);
    text_str(&text, option_table[in->id].variable);
    text_str(&text, ": \"");
    append_escaped(&text, value, length, QUOTED_MAX);
    text_str(&text, "\" ");
    text_str(&text, reason);
    if (in->keep)
        append_used_instead(&text, in);
}

/* --- values --- */

static bool read_word(struct reading *in, const char *value, const char *const *words,
                      unsigned count, unsigned *index) {
    *index = word_index(words, count, value, strlen(value));
    if (*index < count)
        return true;
    char reason[REASON_SIZE];
    struct text text = text_of(reason, sizeof reason);
    text_str(&text, "is not one of ");
    for (unsigned i = 0; i < count; i++) {
        text_str(&text, i ? ", " : "");
        text_str(&text, words[i]);
    }
    complain(in, value, strlen(value), reason);
    return false;
}

static void read_number(struct reading *in, const char *value, unsigned least, unsigned most,
                        unsigned *number) {
    unsigned got;
    if (number_read(value, most, &got) && got >= least) {
        *number = got;
        return;
    }
    char reason[REASON_SIZE];
    struct text text = text_of(reason, sizeof reason);
    text_str(&text, "is not a number from ");
    text_num(&text, least);
    text_str(&text, " to ");
    text_num(&text, most);
    complain(in, value, strlen(value), reason);
}

static void read_item(struct reading *in, const char *item, size_t length) {
    struct config *config = in->config;
    struct rule rules[ITEM_RULES_MAX];
    unsigned count;
    const char *reason = rules_of_item(item, length, rules, &count);
    if (!reason && config->rule_count + count > RULES_MAX)
        reason = "is one item too many";
    if (reason) {
        complain(in, item, length, reason);
        return;
    }
    memcpy(&config->rules[config->rule_count], rules, count * sizeof *rules);
    config->rule_count += count;
}

/* --- one function for each row of the table; each is given a value that is not empty --- */

static void set_MODE(struct reading *in, const char *value) {
    unsigned index;
    if (read_word(in, value, mode_words, MODE_COUNT, &index))
        in->config->mode = (enum mode)index;
}

static void set_LISTEN(struct reading *in, const char *value) {
    in->config->rule_count = 0;
    for (;;) {
        size_t length = strcspn(value, ",");
        size_t first = strspn(value, " ");
        size_t last = length;
        while (last > first && value[last - 1] == ' ')
            last--;
        if (first < last) /* nothing between two commas asks for nothing */
            read_item(in, value + first, last - first);
        if (!value[length])
            return;
        value += length + 1;
    }
}

static void set_SHARDS(struct reading *in, const char *value) {
    read_number(in, value, 1, SHARDS_MAX, &in->config->shards);
}

static void set_STEAL(struct reading *in, const char *value) {
    read_number(in, value, 0, STEAL_MAX, &in->config->steal);
}

static void set_ROTATE(struct reading *in, const char *value) {
    read_number(in, value, 0, ROTATE_MAX, &in->config->rotate);
}

static void set_EXEC(struct reading *in, const char *value) {
    read_number(in, value, 0, 1, &in->config->exec);
}

static void set_LOG(struct reading *in, const char *value) {
    unsigned index;
    if (read_word(in, value, log_words, LOG_COUNT, &index))
        in->config->log = (enum log_level)index;
}

static void set_LOG_FILE(struct reading *in, const char *value) {
    size_t length = strlen(value);
    if (*value != '/')
        complain(in, value, length, "is not an absolute path");
    else if (length >= sizeof in->config->log_file)
        complain(in, value, length, "is too long a path");
    else
        memcpy(in->config->log_file, value, length + 1);
}

static void set_value(struct reading *in, const char *value) {
    static void (*const setters[OPTION_COUNT])(struct reading *, const char *) = {
#define OPTION_SETTER(id, variable, flag, argument, fallback, help) [OPTION_##id] = set_##id,
        UNHERD_OPTIONS(OPTION_SETTER)
#undef OPTION_SETTER
    };
    if (*value)
        setters[in->id](in, value);
}

bool config_set(struct config *config, enum option_id id, const char *value, char *complaint,
                size_t size) {
    struct reading in = {.config = config, .id = id, .data = complaint, .size = size};
    set_value(&in, value);
    return !in.failed;
}

/* --- the environment --- */

static void set_defaults(struct config *config, unsigned usable_cpus) {
    unsigned shards = usable_cpus < SHARDS_MAX / 2 ? 2 * usable_cpus : SHARDS_MAX;
    *config = (struct config){
        .mode = MODE_AUTO,
        .shards = shards < SHARDS_DEFAULT_MIN ? SHARDS_DEFAULT_MIN : shards,
        .steal = 15,
        .rotate = 1,
        .exec = 1,
        .log = LOG_WARN,
    };
}

/* The value of NAME=value when the entry is NAME's, else NULL. */
static const char *value_of(const char *entry, const char *name) {
    size_t length = strlen(name);
    return !strncmp(entry, name, length) && entry[length] == '=' ? entry + length + 1 : NULL;
}

/* The first of two entries of one name wins, as it does with getenv. */
static const char *find(char *const *environment, const char *name) {
    for (; *environment; environment++) {
        const char *value = value_of(*environment, name);
        if (value)
            return value;
    }
    return NULL;
}

static bool is_known(const char *entry) {
    for (unsigned id = 0; id < OPTION_COUNT; id++)
        if (value_of(entry, option_table[id].variable))
            return true;
    return false;
}

static void complain_of_name(struct config *config, const char *entry) {
    struct text text = next_complaint(config);
    append_escaped(&text, entry, strcspn(entry, "="), NAME_MAX_SHOWN);
    text_str(&text, " is not a variable of unherd (");
    for (unsigned id = 0; id < OPTION_COUNT; id++) {
        text_str(&text, id ? ", " : "");
        text_str(&text, option_table[id].variable);
    }
    text_char(&text, ')');
}

void config_read(struct config *config, char *const *environment, unsigned usable_cpus) {
    set_defaults(config, usable_cpus);
    if (!environment)
        return;
    for (unsigned id = 0; id < OPTION_COUNT; id++) {
        struct reading in = {.config = config, .id = (enum option_id)id, .keep = true};
        const char *value = find(environment, option_table[id].variable);
        if (value)
            set_value(&in, value);
    }
    for (char *const *entry = environment; *entry; entry++)
        if (!strncmp(*entry, "UNHERD_", 7) && !is_known(*entry))
            complain_of_name(config, *entry);
}

bool config_is_off(const struct config *config) {
    if (config->mode != MODE_OFF)
        return false;
    for (unsigned i = 0; i < config->rule_count; i++)
        if (config->rules[i].has_mode && config->rules[i].mode != MODE_OFF)
            return false;
    return true;
}
