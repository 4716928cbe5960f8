/*
 * fuzz config: the environment as somebody wrote it. The first bytes say how many processors there
 * are and what addresses are asked about; the rest are the entries, each ended by a NUL, most of
 * them for a variable that is known.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "config.h"
#include "fuzz.h"
#include "text.h"

enum { ENTRIES_MOST = 64, VALUE_SIZE = 8192 };

/* ---- what each field may hold ---- */

static int is_zero(const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bytes[i])
            return 0;
    return 1;
}

static void check_unix(const struct rule *rule) {
    MUST_BE(memchr(rule->path, '\0', sizeof rule->path));
    MUST_BE(!strcmp(rule->path, "*") ||
            ((rule->path[0] == '/' || rule->path[0] == '@') && rule->path[1]));
    MUST_BE(rule->port == 0);
}

static void check_rule(const struct rule *rule) {
    static const size_t used[] = {[AF_UNSPEC] = 0, [AF_INET] = 4, [AF_INET6] = 16};
    MUST_BE((unsigned)rule->mode <= MODE_OFF);
    MUST_BE(!rule->excluded || !rule->has_mode);
    if (rule->family == AF_UNIX) {
        check_unix(rule);
        return;
    }
    MUST_BE(rule->family == AF_UNSPEC || rule->family == AF_INET || rule->family == AF_INET6);
    MUST_BE(is_zero(rule->address + used[rule->family], 16 - used[rule->family]));
    MUST_BE(rule->any_port ? rule->port == 0 : rule->port >= 1 && rule->port <= 65535);
    MUST_BE(rule->path[0] == '\0');
}

static void check_complaint(const char *complaint) {
    MUST_BE(*complaint);
    MUST_BE(memchr(complaint, '\0', COMPLAINT_SIZE));
    for (; *complaint; complaint++)
        MUST_BE(*complaint >= ' ' && *complaint <= '~');
}

static void check(const struct config *config) {
    MUST_BE((unsigned)config->mode <= MODE_OFF);
    MUST_BE(config->shards >= 1 && config->shards <= SHARDS_MAX);
    MUST_BE(config->steal <= STEAL_MAX);
    MUST_BE(config->rotate <= ROTATE_MAX);
    MUST_BE(config->exec <= 1);
    MUST_BE((unsigned)config->log <= LOG_DEBUG);
    MUST_BE(memchr(config->log_file, '\0', sizeof config->log_file));
    MUST_BE(!config->log_file[0] || config->log_file[0] == '/');
    MUST_BE(config->rule_count <= RULES_MAX);
    for (unsigned i = 0; i < config->rule_count; i++)
        check_rule(&config->rules[i]);
    MUST_BE(config->complaint_count <= COMPLAINTS_MAX);
    for (unsigned i = 0; i < config->complaint_count; i++)
        check_complaint(config->complaints[i]);
}

/* ---- two that have to be alike: by their members, since padding may be anything ---- */

static int is_same_rule(const struct rule *a, const struct rule *b) {
    return a->excluded == b->excluded && a->has_mode == b->has_mode &&
           (!a->has_mode || a->mode == b->mode) && a->family == b->family &&
           (a->family == AF_UNIX || a->any_port == b->any_port) && a->port == b->port &&
           !memcmp(a->address, b->address, sizeof a->address) && !strcmp(a->path, b->path);
}

static void must_be_same_values(const struct config *a, const struct config *b) {
    MUST_BE(a->mode == b->mode);
    MUST_BE(a->shards == b->shards);
    MUST_BE(a->steal == b->steal);
    MUST_BE(a->rotate == b->rotate);
    MUST_BE(a->exec == b->exec);
    MUST_BE(a->log == b->log);
    MUST_BE(!strcmp(a->log_file, b->log_file));
    MUST_BE(a->rule_count == b->rule_count);
    for (unsigned i = 0; i < a->rule_count; i++)
        MUST_BE(is_same_rule(&a->rules[i], &b->rules[i]));
}

static void must_be_same(const struct config *a, const struct config *b) {
    must_be_same_values(a, b);
    MUST_BE(a->complaint_count == b->complaint_count);
    for (unsigned i = 0; i < a->complaint_count; i++)
        MUST_BE(!strcmp(a->complaints[i], b->complaints[i]));
}

/* ---- one variable at a time has to come to the same ---- */

static const char *first_value(char *const *environment, const char *name) {
    size_t length = strlen(name);
    for (; *environment; environment++)
        if (!strncmp(*environment, name, length) && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

static int count_unknown(char *const *environment) {
    int count = 0;
    for (; *environment; environment++) {
        int is_known = strncmp(*environment, "UNHERD_", 7) != 0;
        for (int id = 0; id < OPTION_COUNT; id++)
            is_known |=
                first_value((char *const[]){*environment, NULL}, option_table[id].variable) != NULL;
        count += !is_known;
    }
    return count;
}

static void check_one_by_one(const struct config *config, char *const *environment, unsigned cpus) {
    static struct config other;
    int wrong = 0;
    config_read(&other, NULL, cpus);
    for (int id = 0; id < OPTION_COUNT; id++) {
        char *complaint = calloc(1, COMPLAINT_SIZE);
        const char *value = first_value(environment, option_table[id].variable);
        if (value && !config_set(&other, (enum option_id)id, value, complaint, COMPLAINT_SIZE)) {
            wrong++;
            check_complaint(complaint);
        } else
            MUST_BE(!*complaint);
        free(complaint);
    }
    must_be_same_values(config, &other);
    wrong += count_unknown(environment);
    MUST_BE((wrong == 0) == (config->complaint_count == 0));
    MUST_BE(config->complaint_count >= (wrong < COMPLAINTS_MAX ? (unsigned)wrong : COMPLAINTS_MAX));
}

/* ---- the values, written down as a user would, are read without complaint and mean the same ----
 */

static void write_address(struct text *text, const struct rule *rule) {
    char name[INET6_ADDRSTRLEN] = "*";
    if (rule->family != AF_UNSPEC)
        inet_ntop(rule->family, rule->address, name, sizeof name);
    text_str(text, rule->family == AF_INET6 ? "[" : "");
    text_str(text, name);
    text_str(text, rule->family == AF_INET6 ? "]:" : ":");
    if (rule->any_port)
        text_char(text, '*');
    else
        text_num(text, rule->port);
}

static void write_rule(struct text *text, const struct rule *rule) {
    text_str(text, rule->excluded ? "!" : "");
    if (rule->family == AF_UNIX) {
        text_str(text, "unix:");
        text_str(text, rule->path);
    } else
        write_address(text, rule);
    if (rule->has_mode) {
        text_char(text, '=');
        text_str(text, mode_name(rule->mode));
    }
    text_char(text, ',');
}

static void write_value(struct text *text, const struct config *config, enum option_id id) {
    static const char *const log_words[] = {"off", "warn", "info", "debug"};
    const unsigned number[OPTION_COUNT] = {[OPTION_SHARDS] = config->shards,
                                           [OPTION_STEAL] = config->steal,
                                           [OPTION_ROTATE] = config->rotate,
                                           [OPTION_EXEC] = config->exec};
    if (id == OPTION_MODE)
        text_str(text, mode_name(config->mode));
    else if (id == OPTION_LOG)
        text_str(text, log_words[config->log]);
    else if (id == OPTION_LOG_FILE)
        text_str(text, config->log_file);
    else if (id != OPTION_LISTEN)
        text_num(text, number[id]);
    for (unsigned i = 0; id == OPTION_LISTEN && i < config->rule_count; i++)
        write_rule(text, &config->rules[i]);
}

static void check_round_trip(const struct config *config) {
    static char entries[OPTION_COUNT][VALUE_SIZE];
    static struct config again;
    char *environment[OPTION_COUNT + 1] = {0};
    for (int id = 0; id < OPTION_COUNT; id++) {
        struct text text = text_of(entries[id], VALUE_SIZE);
        text_str(&text, option_table[id].variable);
        text_char(&text, '=');
        write_value(&text, config, (enum option_id)id);
        MUST_BE(text.length + 1 < VALUE_SIZE);
        environment[id] = entries[id];
    }
    config_read(&again, environment, 1);
    MUST_BE(again.complaint_count == 0);
    must_be_same_values(config, &again);
}

/* ---- what it says of addresses ---- */

/* Of any length, and as long as it says: what lies behind it is not to be read. */
static void ask_any(const struct config *config, const uint8_t *bytes, size_t length) {
    static const sa_family_t families[] = {AF_INET, AF_INET6, AF_UNIX, AF_INET};
    struct sockaddr *address = malloc(length ? length : 1);
    memcpy(address, bytes, length);
    if (length >= sizeof families[0] && bytes[0] < 4)
        memcpy(address, &families[bytes[0]], sizeof families[0]);
    enum mode mode = config_mode_for(config, address, (socklen_t)length);
    MUST_BE((unsigned)mode <= MODE_OFF);
    MUST_BE(!config_is_off(config) || mode == MODE_OFF);
    free(address);
}

static socklen_t address_of(const struct rule *rule, struct sockaddr_storage *storage) {
    struct sockaddr_in *ip4 = (struct sockaddr_in *)storage;
    struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)storage;
    struct sockaddr_un *local = (struct sockaddr_un *)storage;
    *storage = (struct sockaddr_storage){.ss_family = (sa_family_t)rule->family};
    in_port_t port = htons(rule->any_port ? 80 : (in_port_t)rule->port);
    if (rule->family == AF_INET6) {
        ip6->sin6_port = port;
        memcpy(&ip6->sin6_addr, rule->address, 16);
        return sizeof *ip6;
    }
    if (rule->family == AF_UNIX) {
        size_t length = strlen(rule->path);
        int is_abstract = *rule->path == '@';
        memcpy(local->sun_path, rule->path, length);
        if (is_abstract)
            local->sun_path[0] = '\0';
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !is_abstract);
    }
    ip4->sin_family = AF_INET;
    ip4->sin_port = port;
    memcpy(&ip4->sin_addr, rule->address, 4);
    return sizeof *ip4;
}

/* Each address that the list names: what is excluded is off, the first mode of a list that excludes
 * nothing is what it says. */
static void ask_named(const struct config *config) {
    int excludes = 0;
    for (unsigned i = 0; i < config->rule_count; i++)
        excludes |= config->rules[i].excluded;
    for (unsigned i = 0; i < config->rule_count; i++) {
        const struct rule *rule = &config->rules[i];
        struct sockaddr_storage address;
        socklen_t length = address_of(rule, &address);
        enum mode mode = config_mode_for(config, (struct sockaddr *)&address, length);
        if (rule->excluded)
            MUST_BE(mode == MODE_OFF);
        if (!excludes && i == 0)
            MUST_BE(mode == (rule->has_mode ? rule->mode : mode));
        if (!excludes && config->rule_count == 1)
            MUST_BE(mode == (rule->has_mode ? rule->mode : config->mode));
    }
}

/* ---- the input ---- */

/* Its first byte says whose value it is, most of the time. */
static char *entry_of(const uint8_t *bytes, size_t length) {
    const char *name = "";
    const char *sign = "";
    unsigned kind = length ? *bytes : 0;
    if (kind % 4 == 1)
        name = "UNHERD_";
    else if (kind % 4 > 1) {
        name = option_table[kind / 4 % OPTION_COUNT].variable;
        sign = "=";
    }
    size_t before = strlen(name) + strlen(sign);
    char *entry = malloc(before + length + 1);
    memcpy(entry, name, strlen(name));
    memcpy(entry + strlen(name), sign, strlen(sign));
    size_t skipped = length > 0;
    memcpy(entry + before, bytes + skipped, length - skipped);
    entry[before + length - skipped] = '\0';
    return entry;
}

static int split(const uint8_t *data, size_t size, char **environment) {
    int count = 0;
    while (size && count < ENTRIES_MOST) {
        const uint8_t *end = memchr(data, 0, size);
        size_t length = end ? (size_t)(end - data) : size;
        environment[count++] = entry_of(data, length);
        data += length + (end != NULL);
        size -= length + (end != NULL);
    }
    return count;
}

static void try_all(char **environment, unsigned cpus, const uint8_t *address, size_t length) {
    static struct config config;
    static struct config again;
    memset(&config, 0xa5, sizeof config);
    memset(&again, 0x5a, sizeof again);
    config_read(&config, environment, cpus);
    check(&config);
    config_read(&again, environment, cpus);
    must_be_same(&config, &again);
    check_one_by_one(&config, environment, cpus);
    check_round_trip(&config);
    ask_any(&config, address, length);
    ask_named(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *environment[ENTRIES_MOST + 1] = {0};
    if (size < 2)
        return 0;
    unsigned cpus = data[0] + 1U; /* at least 1, says config.h */
    size_t length = data[1] % 32;
    if (size < 2 + length)
        return 0;
    int count = split(data + 2 + length, size - 2 - length, environment);
    try_all(environment, cpus, data + 2, length);
    for (int i = 0; i < count; i++)
        free(environment[i]);
    return 0;
}
