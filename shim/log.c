#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hidden.h"
#include "libc.h"
#include "real.h"
#include "text.h"

static enum log_level level_now = LOG_OFF;
static int log_fd = -1; /* the log file's hidden descriptor; -1: stderr */
static struct stat stderr_at_start;

bool log_start(const struct config *config) {
    level_now = config->log;
    if (level_now == LOG_OFF)
        return true;
    if (fstat(STDERR_FILENO, &stderr_at_start) < 0)
        stderr_at_start.st_ino = 0;
    if (!config->log_file[0])
        return true;
    log_fd = hidden_take(
        /* O_NONBLOCK: a FIFO without a reader is an error, not a server that never starts */
        open(config->log_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
             0644));
    return log_fd >= 0;
}

bool log_wants(enum log_level level) {
    return level != LOG_OFF && level <= level_now;
}

/* Whether a line fits without waiting; false for a pipe whose reader is gone. */
static bool has_room(int fd) {
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    return real.poll(&room, 1, 0) == 1 && room.revents == POLLOUT;
}

/* write() without the signal that its failure raises: a reader may go, a file may not grow. */
static void write_quietly(int fd, const char *line, size_t length) {
    sigset_t raised;
    sigset_t before;
    sigset_t pending;
    sigemptyset(&raised);
    sigaddset(&raised, SIGPIPE);
    sigaddset(&raised, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &raised, &before);
    sigpending(&pending);
    if (write(fd, line, length) < 0 && (errno == EPIPE || errno == EFBIG)) {
        int number = errno == EPIPE ? SIGPIPE : SIGXFSZ;
        sigdelset(&raised, number == SIGPIPE ? SIGXFSZ : SIGPIPE);
        if (!sigismember(&pending, number)) /* else it is the server's own, and stays */
            sigtimedwait(&raised, NULL, &(struct timespec){0});
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Never at the server's cost: no waiting for a reader, no signal, no cancellation point. */
static void write_line(int fd, const char *line, size_t length) {
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    if (has_room(fd))
        write_quietly(fd, line, length);
    pthread_setcancelstate(cancel, NULL);
}

static int destination(void) {
    if (log_fd >= 0)
        return log_fd;
    struct stat now;
    if (!stderr_at_start.st_ino || fstat(STDERR_FILENO, &now) < 0)
        return -1;
    bool same = now.st_dev == stderr_at_start.st_dev && now.st_ino == stderr_at_start.st_ino;
    return same ? STDERR_FILENO : -1;
}

static void append_argument(struct text *text, char kind, va_list *list) {
    if (kind == 's')
        text_str(text, va_arg(*list, const char *));
    else if (kind == 'd')
        text_num(text, va_arg(*list, int));
    else if (kind == 'u')
        text_num(text, va_arg(*list, unsigned));
    else
        text_char(text, kind);
}

void log_line(enum log_level level, const char *format, ...) {
    if (!log_wants(level))
        return;
    int saved = errno;
    char line[512];
    struct text text = text_of(line, sizeof line - 1); /* the newline always has its place */
    text_str(&text, "unherd: ");
    va_list list;
    va_start(list, format);
    for (const char *at = format; *at; at++)
        if (*at == '%' && at[1])
            append_argument(&text, *++at, &list);
        else
            text_char(&text, *at);
    va_end(list);
    line[text.length] = '\n';
    int fd = destination();
    if (fd >= 0)
        write_line(fd, line, text.length + 1);
    errno = saved;
}

const char *log_errno(int number) {
    const char *name = strerrorname_np(number);
    return name ? name : "error";
}
