/*
 * numbers: which descriptors a server gets, and what it can find out about those that are not its
 * own. The oracle for "not its own" is /proc/self/fd, read by direct system calls.
 */
#include "lab.h"

#include <linux/close_range.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

/* ---- the numbers that a server gets ---- */

static void dense(char **arguments) {
    (void)arguments;
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    int file = MUST(open("/dev/null", O_RDONLY));
    int copy = MUST(dup(fd));
    int epfd = watching(fd, EPOLLIN);
    struct epoll_event event;
    say("listener %d, file %d, copy %d, epoll %d", fd, file, copy, epfd);
    say("waited: %d", epoll_wait(epfd, &event, 1, 0));
    int other = MUST(socket(AF_INET, SOCK_DGRAM, 0));
    int client = MUST(dial(port_of(fd)));
    MUST(epoll_wait(epfd, &event, 1, 5000));
    int connection = MUST(accept(fd, NULL, NULL));
    int above = MUST(fcntl(fd, F_DUPFD, 20));
    int ends[2];
    MUST(pipe(ends));
    say("socket %d, client %d, connection %d, above %d", other, client, connection, above);
    say("pipe %d %d, dup2 %d", ends[0], ends[1], MUST(dup2(copy, 30)));
    MUST(close(file));
    say("the lowest free one: %d", MUST(open("/dev/null", O_RDONLY)));
}

/* ---- hidden descriptors ---- */

enum { EXTRA_MOST = 512 };

struct extra {
    int count;
    int fd[EXTRA_MOST];
};

/* The numbers above the server's own: none of these programs has one above 100. */
static struct extra find_extra(void) {
    struct extra extra = {0};
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        give_up("opendir");
    for (struct dirent *entry; (entry = readdir(directory));) {
        int fd = atoi(entry->d_name);
        if (fd > 40 && extra.count < EXTRA_MOST)
            extra.fd[extra.count++] = fd;
    }
    closedir(directory);
    return extra;
}

static bool is_bad(int result) {
    return result == -1 && errno == EBADF;
}

/* How many of the calls that a server could make with that number do not answer EBADF. */
static int socket_calls_that_reach(int fd) {
    char data[256] = {0};
    socklen_t length = sizeof data;
    struct sockaddr *address = (struct sockaddr *)data;
    int reached = 0;
    reached += !is_bad(getsockname(fd, address, &length));
    reached += !is_bad(getpeername(fd, address, &length));
    reached += !is_bad(getsockopt(fd, SOL_SOCKET, SO_TYPE, data, &length));
    reached += !is_bad(set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1));
    reached += !is_bad(listen(fd, 5));
    reached += !is_bad(accept(fd, NULL, NULL));
    reached += !is_bad(accept4(fd, NULL, NULL, SOCK_NONBLOCK));
    reached += !is_bad(shutdown(fd, SHUT_RDWR));
    reached += !is_bad(connect(fd, address, sizeof *address));
    return reached;
}

static int descriptor_calls_that_reach(int fd) {
    int word = 0;
    int reached = 0;
    reached += !is_bad(dup(fd));
    reached += !is_bad(dup2(fd, 50));
    reached += !is_bad(dup2(fd, fd));
    reached += !is_bad(dup3(fd, 50, O_CLOEXEC));
    reached += !is_bad(dup2(0, fd));
    reached += !is_bad(dup3(0, fd, 0));
    reached += !is_bad(fcntl(fd, F_GETFD));
    reached += !is_bad(fcntl(fd, F_SETFD, 0));
    reached += !is_bad(fcntl(fd, F_DUPFD, 0));
    reached += !is_bad(fcntl64(fd, F_GETFL));
    reached += !is_bad(ioctl(fd, FIONBIO, &word));
    reached += !is_bad(close(fd));
    return reached;
}

static int epoll_calls_that_reach(int epfd, int fd) {
    struct epoll_event event = {.events = EPOLLIN};
    int reached = 0;
    reached += !is_bad(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event));
    reached += !is_bad(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, &event));
    reached += !is_bad(epoll_ctl(fd, EPOLL_CTL_ADD, 0, &event));
    reached += !is_bad(epoll_wait(fd, &event, 1, 0));
    reached += !is_bad(epoll_pwait(fd, &event, 1, 0, NULL));
    reached += !is_bad(epoll_pwait2(fd, &event, 1, &(struct timespec){0}, NULL));
    return reached;
}

static bool is_close_on_exec(int fd) {
    char path[64];
    char line[128];
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "flags: %o", &flags) == 1)
            break;
    if (file)
        fclose(file);
    return flags & O_CLOEXEC;
}

static int begin_waiting(int fd) {
    struct epoll_event event;
    int epfd = watching(fd, EPOLLIN);
    MUST(epoll_wait(epfd, &event, 1, 0));
    return epfd;
}

static void hidden(char **arguments) {
    (void)arguments;
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    int epfd = begin_waiting(fd);
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit));
    struct extra extra = find_extra();
    rlim_t top = limit.rlim_cur < 16384 ? limit.rlim_cur : 16384; /* hidden.h */
    int low = 0;
    int inherited = 0;
    int reached = 0;
    for (int i = 0; i < extra.count; i++) {
        low += (rlim_t)extra.fd[i] < top - top / 8;
        inherited += !is_close_on_exec(extra.fd[i]);
        reached += socket_calls_that_reach(extra.fd[i]) + descriptor_calls_that_reach(extra.fd[i]) +
                   epoll_calls_that_reach(epfd, extra.fd[i]);
    }
    fprintf(stderr, "hidden %d\n", extra.count);
    say("low %d, inherited by exec %d, calls that reach one %d", low, inherited, reached);
    say("all still there: %s", find_extra().count == extra.count ? "yes" : "no");
}

/* ---- closing everything ---- */

static void close_by_loop(int keep, int epfd) {
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit));
    for (int fd = 3; fd < (int)limit.rlim_cur; fd++)
        if (fd != keep && fd != epfd)
            close(fd);
}

static void close_by_range(int keep, int epfd) {
    (void)epfd;
    MUST(close_range(3, (unsigned)keep - 1, 0));
    MUST(close_range((unsigned)keep + 1, ~0U, 0));
}

static void close_by_range_on_exec(int keep, int epfd) {
    (void)keep, (void)epfd;
    MUST(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC));
}

static void close_by_closefrom(int keep, int epfd) {
    (void)epfd;
    closefrom(keep + 1);
}

static void close_by_proc(int keep, int epfd) {
    int found[EXTRA_MOST];
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        if (count < EXTRA_MOST)
            found[count++] = atoi(entry->d_name);
    closedir(directory);
    for (int i = 0; i < count; i++)
        if (found[i] > 2 && found[i] != keep && found[i] != epfd)
            close(found[i]);
}

static const struct {
    const char *name;
    void (*close)(int keep, int epfd);
} ways[] = {
    {"loop", close_by_loop},
    {"range", close_by_range},
    {"on-exec", close_by_range_on_exec},
    {"closefrom", close_by_closefrom},
    {"proc", close_by_proc},
};

/* Everything but the listener is closed before the workers are made; they serve all the same. */
static void close_all(char **arguments) {
    for (int i = 0; i < 5; i++)
        MUST(open("/dev/null", O_RDONLY));
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    int epfd = begin_waiting(fd);
    int hidden_before = find_extra().count;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (arguments[0] && !strcmp(arguments[0], ways[i].name))
            ways[i].close(fd, epfd);
    say("the hidden ones survive: %s", find_extra().count == hidden_before ? "yes" : "no");
    pid_t workers[2] = {start_worker(fd, 0), start_worker(fd, 1)};
    int served = 0;
    for (int i = 0; i < 40; i++)
        served += ask(port_of(fd)) >= 0;
    say("served %d of 40", served);
    for (int i = 0; i < 2; i++)
        end_worker(workers[i]);
}

/* The listener is closed with all the rest: nothing of it may remain. */
static void close_listener_too(char **arguments) {
    (void)arguments;
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    uint16_t port = port_of(fd);
    begin_waiting(fd);
    MUST(close_range(3, ~0U, 0));
    say("hidden: %d", find_extra().count);
    say("connect: %s", outcome(dial(port)));
    int again = bound(AF_INET, port, 0);
    say("the same address again: %s", outcome(listen(again, 5)));
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {{"dense", dense},
                                              {"hidden", hidden},
                                              {"close-all", close_all},
                                              {"close-listener-too", close_listener_too}};
    return RUN_COMMAND(commands, argv);
}
