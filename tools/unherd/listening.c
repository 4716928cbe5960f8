#include "listening.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "listening_diag.h"
#include "plain_text.h"

enum { TCP_LISTENING = 0x0A, ACCEPTS_CONNECTIONS = 0x10000 /* __SO_ACCEPTCON of unix(7) */ };

bool listening_add(struct listening_list *list, const struct listening *one) {
    struct listening *grown = realloc(list->item, (list->count + 1) * sizeof *grown);
    if (!grown)
        return false;
    list->item = grown;
    grown[list->count] = *one;
    plain_text(grown[list->count++].address);
    return true;
}

void listening_name(struct listening *one, int family, const void *address) {
    char text[INET6_ADDRSTRLEN] = "?";
    inet_ntop(family, address, text, sizeof text);
    snprintf(one->address, sizeof one->address, family == AF_INET ? "%s:%u" : "[%s]:%u", text,
             one->port);
}

/* ---- from /proc ---- */

/* The kernel prints an address as words of the machine's own byte order. */
static void write_address(struct listening *one, const char *hex) {
    uint32_t word[4] = {0};
    size_t words = strlen(hex) / 8;
    for (size_t i = 0; i < words && i < 4; i++) {
        char part[9] = {0};
        memcpy(part, hex + 8 * i, 8);
        word[i] = (uint32_t)strtoul(part, NULL, 16);
    }
    listening_name(one, words == 1 ? AF_INET : AF_INET6, word);
}

static bool read_tcp_line(struct listening *one, const char *line) {
    char hex[33];
    unsigned state;
    *one = (struct listening){0};
    if (sscanf(line, " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%x %*x:%*x %*x %*u %*d %" SCNu64,
               hex, &one->port, &state, &one->queued, &one->inode) != 5 ||
        state != TCP_LISTENING)
        return false;
    one->is_queue_known = true;
    write_address(one, hex);
    return true;
}

/* A name of the abstract name space is printed with an '@' in the place of its first byte. */
static bool read_unix_line(struct listening *one, const char *line) {
    unsigned flags;
    char path[109] = "(unnamed)";
    *one = (struct listening){0};
    if (sscanf(line, "%*x: %*x %*x %x %*x %*x %" SCNu64 " %108s", &flags, &one->inode, path) < 2 ||
        !(flags & ACCEPTS_CONNECTIONS))
        return false;
    snprintf(one->address, sizeof one->address, "unix:%s", path);
    return true;
}

/* The kernel prints TCP's listeners before all connections (tcp_seq_start()), of which there may be
 * a hundred thousand. */
static bool is_over(const char *name, const char *line) {
    return !strncmp(name, "tcp", 3) && !strstr(line, "local_address");
}

static bool read_file(struct listening_list *list, pid_t pid, const char *name,
                      bool (*read_line)(struct listening *, const char *)) {
    char path[64];
    char line[512];
    struct listening one;
    bool good = true;
    snprintf(path, sizeof path, "/proc/%d/net/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    while (good && fgets(line, sizeof line, file))
        if (read_line(&one, line))
            good = listening_add(list, &one);
        else if (is_over(name, line))
            break;
    fclose(file);
    return good;
}

/* ---- all ---- */

static bool is_own_namespace(pid_t pid) {
    char path[64];
    struct stat own;
    struct stat its;
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    return stat("/proc/self/ns/net", &own) == 0 && stat(path, &its) == 0 &&
           own.st_dev == its.st_dev && own.st_ino == its.st_ino;
}

static bool ask_kernel(struct listening_list *list, unsigned char family) {
    size_t before = list->count;
    if (listening_diag(list, family))
        return true;
    list->count = before;
    return false;
}

bool listening_read(struct listening_list *list, pid_t pid) {
    static const struct {
        unsigned char family;
        const char *file;
        bool (*read_line)(struct listening *, const char *);
    } kinds[] = {{AF_INET, "tcp", read_tcp_line},
                 {AF_INET6, "tcp6", read_tcp_line}, /* not there where IPv6 is off */
                 {AF_UNIX, "unix", read_unix_line}};
    bool is_own = is_own_namespace(pid);
    *list = (struct listening_list){0};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!(is_own && ask_kernel(list, kinds[i].family)) &&
            !read_file(list, pid, kinds[i].file, kinds[i].read_line) && i == 0)
            return false;
    return true;
}

void listening_free(struct listening_list *list) {
    free(list->item);
    *list = (struct listening_list){0};
}

const struct listening *listening_find(const struct listening_list *list, uint64_t inode) {
    for (size_t i = 0; i < list->count; i++)
        if (list->item[i].inode == inode)
            return &list->item[i];
    return NULL;
}
