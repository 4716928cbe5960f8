/*
 * interrupted: what ends a wait for connections, and what does not: the process is stopped and goes
 * on, or a handler runs that is for one time.
 */
#include "lab.h"

enum { WORKERS = 2, VISITS = 20 };

static int fd;
static bool blocks;
static int (*wait_for)(void);

static int by_accept(void) {
    int connection = accept(fd, NULL, NULL);
    if (connection >= 0 && write(connection, "x", 1) == 1)
        close(connection);
    return connection;
}

static int by_poll(void) {
    struct pollfd list = {.fd = fd, .events = POLLIN};
    return poll(&list, 1, -1);
}

static int by_select(void) {
    fd_set in;
    FD_ZERO(&in);
    FD_SET(fd, &in);
    return select(fd + 1, &in, NULL, NULL, NULL);
}

static void choose(const char *how) {
    blocks = !strcmp(how, "accept");
    wait_for = blocks ? by_accept : !strcmp(how, "poll") ? by_poll : by_select;
    fd = listener(AF_INET, blocks ? 0 : SOCK_NONBLOCK);
}

/* Until a wait fails: then its outcome is said. */
__attribute__((noreturn)) static void work(void) {
    for (;;) {
        if (wait_for() < 0)
            break;
        if (!blocks)
            serve_one(fd, 1);
    }
    say("%s", outcome(-1));
    _exit(0);
}

/* Asleep, in whichever call. */
static bool sleeps(pid_t pid) {
    char path[64];
    char state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%*d %*s %c", &state) != 1)
        state = 0;
    if (file)
        fclose(file);
    return state == 'S';
}

static void until_asleep(pid_t pid) {
    for (int i = 0; i < 5000 && !sleeps(pid); i++)
        moment();
}

static int visit(void) {
    int count = 0;
    for (int i = 0; i < VISITS; i++)
        count += ask(port_of(fd)) >= 0;
    return count;
}

/* ---- stopped ---- */

static void stop_and_go_on(pid_t pid) {
    int status;
    until_asleep(pid);
    kill(pid, SIGSTOP);
    MUST(waitpid(pid, &status, WUNTRACED));
    kill(pid, SIGCONT);
}

static void stopped(char **arguments) {
    pid_t workers[WORKERS];
    choose(arguments[0]);
    for (int i = 0; i < WORKERS; i++)
        if ((workers[i] = fork_bound()) == 0) {
            signal(SIGALRM, SIG_DFL);
            work();
        }
    say("answered: %d", visit());
    for (int i = 0; i < WORKERS; i++)
        stop_and_go_on(workers[i]);
    say("answered then: %d", visit());
    for (int i = 0; i < WORKERS; i++)
        end_worker(workers[i]);
}

/* ---- a handler for one time ---- */

static void ignore_it(int number) {
    (void)number;
}

static void take_itself_away(int number) {
    signal(number, SIG_DFL);
}

static void install(const char *which) {
    struct sigaction action = {.sa_handler = ignore_it};
    int number = SIGUSR1;
    if (!strcmp(which, "resets"))
        action.sa_flags = (int)SA_RESETHAND;
    else if (!strcmp(which, "takes-itself-away"))
        action.sa_handler = take_itself_away;
    else if (!strcmp(which, "real-time"))
        number = SIGRTMIN + 2;
    MUST(sigaction(number, &action, NULL));
}

/* accept() ends, whatever has become of the handler by then. */
static void handled(char **arguments) {
    int number = !strcmp(arguments[1], "real-time") ? SIGRTMIN + 2 : SIGUSR1;
    choose(arguments[0]);
    pid_t worker = fork_bound();
    if (worker == 0) {
        install(arguments[1]);
        work();
    }
    say("answered: %d", visit());
    until_asleep(worker);
    kill(worker, number);
    MUST(waitpid(worker, NULL, 0));
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {{"stopped", stopped}, {"handled", handled}};
    return RUN_COMMAND(commands, argv);
}
