/*
 * config: the environment, read once into one immutable struct.
 *
 * Servers overwrite their environment (nginx) or wipe it (php-fpm), so it is read in the
 * constructor and never again. No allocation: every value fits the struct.
 */
#ifndef UNHERD_CONFIG_H
#define UNHERD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "options.h"

enum mode { MODE_AUTO, MODE_EXCLUSIVE, MODE_REUSEPORT, MODE_OFF };

enum log_level { LOG_OFF, LOG_WARN, LOG_INFO, LOG_DEBUG };

enum {
    SHARDS_MAX = 256,
    STEAL_MAX = SHARDS_MAX - 1,
    ROTATE_MAX = 1000000,
    RULES_MAX = 32,
    COMPLAINTS_MAX = 8,
    COMPLAINT_SIZE = 192
};

/* One item of UNHERD_LISTEN. */
struct rule {
    bool excluded;  /* written with a leading '!' */
    bool has_mode;  /* written with a trailing '=mode' */
    enum mode mode; /* meaningful when has_mode */
    int family;     /* AF_INET, AF_INET6, AF_UNIX; AF_UNSPEC for a bare port: any IP address */
    bool any_port;  /* '*' in the port's place */
    unsigned port;  /* 1 to 65535 */
    unsigned char address[16]; /* network order; 4 bytes used for AF_INET */
    char path[108];            /* AF_UNIX; a leading '@' names the abstract name space */
};

struct config {
    enum mode mode;
    unsigned shards; /* 1 to SHARDS_MAX */
    unsigned steal;  /* 0 to STEAL_MAX */
    unsigned rotate; /* 0 to ROTATE_MAX */
    unsigned exec;   /* 1: listeners and the preload are carried over exec */
    enum log_level log;
    char log_file[256]; /* empty: stderr */
    unsigned rule_count;
    struct rule rules[RULES_MAX];
    unsigned complaint_count;
    char complaints[COMPLAINTS_MAX][COMPLAINT_SIZE]; /* one line each, no newline */
};

/*
 * Fills *config from the environment block. Never fails: a value that cannot be read and an unknown
 * UNHERD_* variable each leave a complaint, and the default is used. environment may be NULL: all
 * defaults. usable_cpus (at least 1) scales the default of UNHERD_SHARDS.
 */
void config_read(struct config *config, char *const *environment, unsigned usable_cpus);

/*
 * Reads one value as the variable of that id would be read. Returns true, or false with the
 * complaint's text in complaint[size] (size >= COMPLAINT_SIZE gives it whole).
 */
bool config_set(struct config *config, enum option_id id, const char *value, char *complaint,
                size_t size);

/*
 * The mode for a listener bound to that address (struct sockaddr_in, _in6 or _un of that length):
 * the first item of UNHERD_LISTEN that matches and carries a mode, else config->mode; MODE_OFF when
 * the list excludes the address or names others only.
 */
enum mode config_mode_for(const struct config *config, const struct sockaddr *address,
                          socklen_t length);

/* Whether no listener would be touched, whatever its address. */
bool config_is_off(const struct config *config);

/* "auto", "exclusive", "reuseport" or "off"; never NULL. */
const char *mode_name(enum mode mode);

#endif
