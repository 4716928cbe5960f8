#include "watcher.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"

enum {
    LISTENS_WITHIN_MS = 60000,  /* a server that takes longer is left to itself */
    WORKERS_WITHIN_MS = 9000,   /* of its listening */
    BACKGROUND_WITHIN_MS = 900, /* the same, in the background: who reads stderr waits for it */
    STEP_MS = 50,
    SOON_MS = 150, /* between looks in the first second, when most workers are started */
    GLANCE_MS = 5,
    LEAST_SHARE = 4 /* of the time, for others: a look takes long where processes are many */
};

struct watcher {
    struct family family;
    struct said said;
    const struct asked *asked;
    bool requires;
    int command_fd; /* of the command's own process */
    bool is_in_background;
    int64_t listened_ms; /* 0: it does not yet */
};

static int64_t milliseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_ms(void) {
    return milliseconds(CLOCK_MONOTONIC);
}

/* Ended early by the end of the command, unless that has been seen. Meanwhile its image is looked
 * at: a script executes the server, which may go into the background at once. */
static void pause_for(struct watcher *watcher, int64_t milliseconds) {
    struct pollfd end = {.fd = watcher->is_in_background ? -1 : watcher->command_fd,
                         .events = POLLIN};
    for (int64_t over = now_ms() + milliseconds; now_ms() < over && !end.revents;) {
        poll(&end, 1, GLANCE_MS);
        if (!watcher->is_in_background)
            family_glance(&watcher->family);
    }
    if (end.revents)
        watcher->is_in_background = true;
}

static void end_server(const struct watcher *watcher) {
    complain(&run_command, "--require: the server is ended");
    for (size_t i = 0; i < watcher->family.count; i++)
        if (family_is_top(&watcher->family, i))
            kill(watcher->family.item[i].pid, SIGTERM);
}

/* False: there is no more to be seen, or said. */
static bool look(struct watcher *watcher) {
    if (!family_look(&watcher->family))
        return false;
    int listeners = absent_look(&watcher->family, watcher->asked, &watcher->said);
    if (watcher->requires && watcher->said.count) {
        end_server(watcher);
        return false;
    }
    if (listeners > 0 && !watcher->listened_ms)
        watcher->listened_ms = now_ms();
    return listeners >= 0;
}

/* Bounded in its share of the time: where processes and connections are many, a look takes long. */
static int64_t until_next(const struct watcher *watcher, int64_t worked) {
    int64_t since = now_ms() - watcher->listened_ms;
    if (!watcher->listened_ms)
        return STEP_MS + LEAST_SHARE * worked;
    return since < 1000 ? SOON_MS + LEAST_SHARE * worked : 2 * since;
}

/* A server in the background may start its workers only after it has gone there. */
static bool is_over(const struct watcher *watcher, int64_t begun) {
    if (!watcher->listened_ms)
        return now_ms() - begun > LISTENS_WITHIN_MS;
    return now_ms() - watcher->listened_ms >
           (watcher->is_in_background ? BACKGROUND_WITHIN_MS : WORKERS_WITHIN_MS);
}

static void watch(struct watcher *watcher) {
    int64_t begun = now_ms();
    for (;;) {
        int64_t before = milliseconds(CLOCK_PROCESS_CPUTIME_ID);
        if (!look(watcher))
            return;
        int64_t worked = milliseconds(CLOCK_PROCESS_CPUTIME_ID) - before;
        if (is_over(watcher, begun))
            return;
        pause_for(watcher, until_next(watcher, worked));
    }
}

/* Nothing of the caller's is kept but stderr; signals do to it what they do by themselves. */
static void settle(void) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        signal(number, number == SIGPIPE || number == SIGHUP ? SIG_IGN : SIG_DFL);
    prctl(PR_SET_NAME, "unherd-watch");
    if (chdir("/") < 0)
        return;
}

__attribute__((noreturn)) static void be_watcher(pid_t command, const struct asked *asked,
                                                 bool requires) {
    struct watcher watcher = {.asked = asked, .requires = requires};
    settle();
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    syscall(SYS_close_range, 3, ~0U, 0);
    watcher.command_fd = (int)syscall(SYS_pidfd_open, command, 0);
    if (family_begin(&watcher.family, command))
        watch(&watcher);
    family_free(&watcher.family);
    absent_free(&watcher.said);
    _exit(0);
}

/*
 * Twice forked, so that it is no child of the server's; the one in between has ended before that
 * begins, and without SIGCHLD, which would wait for the server where it is blocked.
 */
bool watcher_start(const struct asked *asked, bool requires) {
    pid_t command = getpid();
    int status = 0;
    pid_t child = (pid_t)syscall(SYS_clone, 0L, NULL, NULL, NULL, 0L);
    if (child == 0) {
        setsid();
        pid_t watcher = fork();
        if (watcher == 0)
            be_watcher(command, asked, requires);
        _exit(watcher < 0 ? errno : 0);
    }
    if (child < 0)
        return false;
    while (waitpid(child, &status, __WALL) < 0 && errno == EINTR)
        continue;
    errno = WEXITSTATUS(status);
    return errno == 0;
}
