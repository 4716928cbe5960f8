#include "bench_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../load/clock.h"
#include "process.h"

/* uwsgi takes SIGTERM for a reload, and others wait for their clients: patience ends soon. */
enum { GENTLE_MS = 2000, HARD_MS = 5000, SPOKEN_MOST = 1 << 20, WORDS_SIZE = 2048, LINES = 6 };

/* --- in the keeper --- */

static int status_of(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Whatever has ended. False: nobody is left. */
static bool reap(pid_t server, int *result) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == server)
            *result = status_of(status);
    return pid == 0 || errno != ECHILD;
}

static bool kill_descendant(pid_t pid, void *context) {
    if (pid != getpid() && process_descends_from(pid, getpid()))
        kill(pid, *(const int *)context);
    return true;
}

/* Those that are ours to end gently: the masters, which end their workers themselves. */
static bool kill_child(pid_t pid, void *context) {
    if (process_parent(pid) == getpid())
        kill(pid, *(const int *)context);
    return true;
}

/* New ones may come while the old ones are killed: again until nobody is left. */
static void end_all(pid_t server, int *result) {
    const struct timespec pause = {.tv_nsec = 5 * NS_PER_MS};
    int64_t begin = clock_now();
    process_each(kill_child, &(int){SIGTERM});
    process_each(kill_child, &(int){SIGCONT});
    while (reap(server, result) && clock_now() - begin < HARD_MS * NS_PER_MS) {
        if (clock_now() - begin > GENTLE_MS * NS_PER_MS)
            process_each(kill_descendant, &(int){SIGKILL});
        nanosleep(&pause, NULL);
    }
}

static _Noreturn void become_server(char *const *command, int output, const sigset_t *mask) {
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* of the keeper, which nobody should kill; exec keeps it */
    execvp(*command, command);
    dprintf(STDERR_FILENO, "%s: %s\n", *command, strerror(errno));
    _exit(127);
}

static _Noreturn void keep(char *const *command, int output, pid_t tool, const sigset_t *mask) {
    sigset_t wanted;
    int result = 0;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGTERM);
    setsid(); /* what is typed at the terminal is the tool's alone */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != tool)
        _exit(0);
    pid_t server = fork();
    if (server == 0)
        become_server(command, output, mask);
    if (server < 0)
        _exit(127);
    while (reap(server, &result)) {
        if (sigwaitinfo(&wanted, NULL) == SIGTERM) {
            end_all(server, &result);
            break;
        }
    }
    _exit(result);
}

/* --- in the tool --- */

/* Appending, so that it can be emptied while the server goes on writing. */
static int open_memory(void) {
    int fd = memfd_create("bench-output", MFD_CLOEXEC);
    if (fd >= 0)
        fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}

bool keeper_start(struct keeper *keeper, char *const *command) {
    sigset_t all, mask;
    pid_t tool = getpid();
    *keeper = (struct keeper){.output = open_memory()};
    if (keeper->output < 0)
        return false;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &mask); /* SIGTERM may come before the keeper waits for it */
    keeper->pid = fork();
    if (keeper->pid == 0)
        keep(command, keeper->output, tool, &mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    if (keeper->pid > 0)
        return true;
    keeper->pid = 0;
    close(keeper->output);
    return false;
}

static void wait_for(struct keeper *keeper, int flags) {
    int status;
    pid_t pid;
    while ((pid = waitpid(keeper->pid, &status, flags)) < 0 && errno == EINTR)
        ;
    if (pid == 0)
        return;
    keeper->pid = 0;
    keeper->status = pid > 0 ? status_of(status) : 0;
}

bool keeper_is_alive(struct keeper *keeper) {
    if (keeper->pid)
        wait_for(keeper, WNOHANG);
    return keeper->pid;
}

void keeper_end(struct keeper *keeper) {
    if (keeper->pid) {
        kill(keeper->pid, SIGTERM);
        wait_for(keeper, 0);
    }
    if (keeper->output > 0)
        close(keeper->output);
    keeper->output = 0;
}

void keeper_trim(const struct keeper *keeper) {
    struct stat status;
    if (!fstat(keeper->output, &status) && status.st_size > SPOKEN_MOST &&
        ftruncate(keeper->output, 0) < 0)
        return; /* it grows, and that is all */
}

/* The beginning of the last LINES lines. */
static const char *last_lines(const char *text, size_t size) {
    int lines = 0;
    size_t at = size;
    while (at > 0 && (text[at - 1] != '\n' || at == size || ++lines < LINES))
        at--;
    return text + at;
}

void keeper_last_words(const struct keeper *keeper, FILE *out) {
    char text[WORDS_SIZE + 1];
    struct stat status;
    if (fstat(keeper->output, &status))
        return;
    off_t from = status.st_size > WORDS_SIZE ? status.st_size - WORDS_SIZE : 0;
    ssize_t size = pread(keeper->output, text, WORDS_SIZE, from);
    text[size < 0 ? 0 : size] = '\0';
    for (char *at = text; *at; at++)
        if (((unsigned char)*at < ' ' || *at == 0x7f) && *at != '\n')
            *at = '?';
    char *rest = NULL;
    if (size > 0)
        fprintf(out, "the server said last:\n");
    char *lines = (char *)last_lines(text, strlen(text));
    for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        fprintf(out, "  %s\n", line);
}
