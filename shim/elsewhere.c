#include "elsewhere.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd_table.h"
#include "open_list.h"
#include "real.h"
#include "text.h"
#include "watch.h"

enum { EXAMINED_END = 1024, PATTERN_SIZE = 32 };

/* In hexadecimal, as proc(5) has it. */
static void inode_pattern(ino_t inode, char pattern[PATTERN_SIZE]) {
    struct text text = text_of(pattern, PATTERN_SIZE);
    int shift = 60;
    text_str(&text, " ino:");
    while (shift && !(inode >> shift))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        text_char(&text, "0123456789abcdef"[inode >> shift & 15]);
    text_str(&text, " sdev:");
}

/* Whether it is in the file; the end of each piece is looked at again with the next. */
static bool has_pattern(int file, const char *pattern) {
    char buffer[4096];
    size_t length = strlen(pattern);
    size_t kept = 0;
    ssize_t more;
    while ((more = read(file, buffer + kept, sizeof buffer - kept)) > 0) {
        size_t size = kept + (size_t)more;
        if (memmem(buffer, size, pattern, length))
            return true;
        kept = size < length ? size : length - 1;
        memmove(buffer, buffer + size - kept, kept);
    }
    return more < 0;
}

/* The kernel lists what an epoll instance has registered in /proc/self/fdinfo, a line each. */
static bool is_in(int epfd, ino_t inode) {
    char path[48];
    char pattern[PATTERN_SIZE];
    struct text text = text_of(path, sizeof path);
    text_str(&text, "/proc/self/fdinfo/");
    text_num(&text, epfd);
    inode_pattern(inode, pattern);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return true;
    bool found = has_pattern(file, pattern);
    real.close(file);
    return found;
}

static bool is_reached_by(int number, const struct stat *status, const struct shard *own) {
    struct stat its;
    enum fd_kind kind = fd_kind_of(fd_entry(number));
    if (kind == FD_HIDDEN || kind == FD_LISTENER || fstat(number, &its) < 0)
        return false;
    if (its.st_ino == status->st_ino && its.st_dev == status->st_dev)
        return true;
    bool is_anonymous = !(its.st_mode & S_IFMT); /* an epoll instance is, among others */
    bool is_watched =
        own && kind == FD_INSTANCE && watch_is_there(fd_index_of(fd_entry(number)), own);
    return is_anonymous && !is_watched && is_in(number, status->st_ino);
}

bool elsewhere(int fd, const struct shard *own) {
    struct pollfd list[EXAMINED_END];
    struct stat status;
    if (fstat(fd, &status) < 0)
        return true;
    nfds_t count = open_list(list, EXAMINED_END, 0);
    for (nfds_t i = 0; i < count; i++)
        if (list[i].fd != fd && open_list_has(&list[i]) && is_reached_by(list[i].fd, &status, own))
            return true;
    return count == 0;
}
