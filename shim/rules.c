#include "rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

/* Holds the longest item that can be right: '!', "unix:", a path, '=' and a mode. */
enum { ITEM_SIZE = 128, PORT_MAX = 65535 };

const char *const mode_words[MODE_COUNT] = {
    [MODE_AUTO] = "auto",
    [MODE_EXCLUSIVE] = "exclusive",
    [MODE_REUSEPORT] = "reuseport",
    [MODE_OFF] = "off",
};

const char *mode_name(enum mode mode) {
    return (unsigned)mode < MODE_COUNT ? mode_words[mode] : "unknown";
}

unsigned word_index(const char *const *words, unsigned count, const char *word, size_t length) {
    for (unsigned i = 0; i < count; i++)
        if (strlen(words[i]) == length && !memcmp(words[i], word, length))
            return i;
    return count;
}

bool number_read(const char *digits, unsigned limit, unsigned *value) {
    unsigned long long sum = 0;
    if (!*digits)
        return false;
    for (; *digits; digits++) {
        if (*digits < '0' || *digits > '9')
            return false;
        sum = sum * 10 + (unsigned)(*digits - '0');
        if (sum > limit)
            return false;
    }
    *value = (unsigned)sum;
    return true;
}

/* --- reading an item --- */

static const char *read_port(const char *port, struct rule *rule) {
    rule->any_port = !strcmp(port, "*");
    if (rule->any_port || (number_read(port, PORT_MAX, &rule->port) && rule->port))
        return NULL;
    return "has a port that is neither 1 to 65535 nor *";
}

/* A mapped address is the IPv4 address that it stands for, in an item as in a bound address. */
static void unmap(int *family, unsigned char address[16]) {
    static const unsigned char prefix[12] = {[10] = 0xff, [11] = 0xff};
    if (*family != AF_INET6 || memcmp(address, prefix, sizeof prefix) != 0)
        return;
    *family = AF_INET;
    memmove(address, address + sizeof prefix, 4);
    memset(address + 4, 0, 12);
}

static const char *read_ip6(char *item, struct rule *rule) {
    char *end = strchr(item, ']');
    if (!end || end[1] != ':')
        return "has a '[' without ']:PORT'";
    *end = '\0';
    rule->family = AF_INET6;
    if (inet_pton(AF_INET6, item + 1, rule->address) != 1)
        return "has no IPv6 address between its brackets";
    unmap(&rule->family, rule->address);
    return read_port(end + 2, rule);
}

static const char *read_ip4(char *item, char *colon, struct rule *rule) {
    *colon = '\0';
    if (strchr(item, ':'))
        return "needs brackets around its IPv6 address";
    if (strcmp(item, "*") != 0) {
        rule->family = AF_INET;
        if (inet_pton(AF_INET, item, rule->address) != 1)
            return "has no IPv4 address or * before its port";
    }
    return read_port(colon + 1, rule);
}

static const char *read_unix(const char *path, struct rule *rule) {
    bool any = !strcmp(path, "*");
    rule->family = AF_UNIX;
    if (!any && *path != '/' && *path != '@')
        return "has a socket that is neither /PATH, @NAME nor *";
    if (!any && !path[1])
        return "names no socket";
    if (strlen(path) >= sizeof rule->path)
        return "has too long a path for a socket";
    memcpy(rule->path, path, strlen(path) + 1);
    return NULL;
}

static const char *read_address(char *item, struct rule *rule) {
    char *colon = strrchr(item, ':');
    if (!strncmp(item, "unix:", 5))
        return read_unix(item + 5, rule);
    if (*item == '[')
        return read_ip6(item, rule);
    if (colon)
        return read_ip4(item, colon, rule);
    if (number_read(item, PORT_MAX, &rule->port) && rule->port)
        return NULL;
    return "is not PORT, ADDRESS:PORT, unix:PATH or all";
}

/* Cuts "=mode" off the item. The last '=' decides, so a path with a '=' needs a mode behind it. */
static const char *read_mode(char *item, struct rule *rule) {
    char *equals = strrchr(item, '=');
    if (!equals)
        return NULL;
    unsigned index = word_index(mode_words, MODE_COUNT, equals + 1, strlen(equals + 1));
    if (index == MODE_COUNT)
        return "has a mode that is not auto, exclusive, reuseport or off";
    if (rule->excluded)
        return "has both ! and a mode";
    *equals = '\0';
    rule->has_mode = true;
    rule->mode = (enum mode)index;
    return NULL;
}

const char *rules_of_item(const char *item, size_t length, struct rule rules[ITEM_RULES_MAX],
                          unsigned *count) {
    char copy[ITEM_SIZE];
    if (length >= sizeof copy)
        return "is too long";
    memcpy(copy, item, length);
    copy[length] = '\0';

    struct rule rule = {.family = AF_UNSPEC, .excluded = copy[0] == '!'};
    char *rest = copy + rule.excluded;
    const char *reason = read_mode(rest, &rule);
    bool all = !strcmp(rest, "all");
    if (!reason && !all)
        reason = read_address(rest, &rule);
    if (reason)
        return reason;
    rule.any_port |= all;
    *count = 0;
    rules[(*count)++] = rule;
    if (all) { /* every IP address, and every unix socket */
        (void)read_unix("*", &rule);
        rules[(*count)++] = rule;
    }
    return NULL;
}

/* --- matching --- */

/* A bound address, with all that is trusted about it taken out of the kernel's form. */
struct place {
    int family; /* AF_INET, AF_INET6, AF_UNIX; AF_UNSPEC: another, or too short */
    unsigned port;
    unsigned char address[16];
    bool abstract;
    size_t length; /* of path: an abstract name has no terminator and may hold any byte */
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
};

static void place_unix(struct place *place, const struct sockaddr *address, size_t length) {
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t size = length > start ? length - start : 0;
    const char *path = (const char *)address + start;
    if (size > sizeof place->path)
        size = sizeof place->path;
    place->family = AF_UNIX;
    place->abstract = size && !path[0];
    if (place->abstract) {
        path++;
        size--;
    }
    place->length = place->abstract ? size : strnlen(path, size);
    memcpy(place->path, path, place->length);
}

static struct place place_of(const struct sockaddr *address, size_t length) {
    struct place place = {.family = AF_UNSPEC};
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;
    if (length < sizeof address->sa_family)
        return place;
    if (address->sa_family == AF_INET && length >= sizeof ip4) {
        memcpy(&ip4, address, sizeof ip4);
        place.family = AF_INET;
        place.port = ntohs(ip4.sin_port);
        memcpy(place.address, &ip4.sin_addr, sizeof ip4.sin_addr);
    } else if (address->sa_family == AF_INET6 && length >= sizeof ip6) {
        memcpy(&ip6, address, sizeof ip6);
        place.family = AF_INET6;
        place.port = ntohs(ip6.sin6_port);
        memcpy(place.address, &ip6.sin6_addr, sizeof ip6.sin6_addr);
        unmap(&place.family, place.address);
    } else if (address->sa_family == AF_UNIX)
        place_unix(&place, address, length);
    return place;
}

static bool matches_unix(const struct rule *rule, const struct place *place) {
    const char *path = rule->path;
    if (!strcmp(path, "*"))
        return true;
    if ((*path == '@') != place->abstract)
        return false;
    path += place->abstract;
    return strlen(path) == place->length && !memcmp(path, place->path, place->length);
}

static bool matches(const struct rule *rule, const struct place *place) {
    if (rule->family == AF_UNIX)
        return place->family == AF_UNIX && matches_unix(rule, place);
    if (place->family != AF_INET && place->family != AF_INET6)
        return false;
    if (rule->family != AF_UNSPEC &&
        (rule->family != place->family ||
         memcmp(rule->address, place->address, sizeof rule->address) != 0))
        return false;
    return rule->any_port || rule->port == place->port;
}

enum mode config_mode_for(const struct config *config, const struct sockaddr *address,
                          socklen_t length) {
    struct place place = place_of(address, length);
    bool listed = false; /* some item says which listeners, not only which not */
    bool wanted = false; /* ... and this is one of them */
    const struct rule *chosen = NULL;
    for (unsigned i = 0; i < config->rule_count; i++) {
        const struct rule *rule = &config->rules[i];
        bool match = matches(rule, &place);
        if (rule->excluded && match)
            return MODE_OFF;
        if (rule->excluded)
            continue;
        listed = true;
        wanted |= match;
        if (match && rule->has_mode && !chosen)
            chosen = rule;
    }
    if (listed && !wanted)
        return MODE_OFF;
    return chosen ? chosen->mode : config->mode;
}
