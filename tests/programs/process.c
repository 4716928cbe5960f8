/*
 * process: the ways in which servers make processes, and what each may do to the listener.
 */
#include "lab.h"

#include <pthread.h>
#include <sched.h>

static int fd;
static uint16_t port;

static void begin(void) {
    fd = listener(AF_INET, SOCK_NONBLOCK);
    port = port_of(fd);
}

static int served(int connections) {
    int count = 0;
    for (int i = 0; i < connections; i++)
        count += ask(port) >= 0;
    return count;
}

static void serve_and_say(int connections) {
    pid_t workers[3];
    for (int i = 0; i < 3; i++)
        workers[i] = start_worker(fd, i);
    for (int i = 0; i < 3; i++)
        until_waiting(workers[i]);
    say("served %d of %d", served(connections), connections);
    for (int i = 0; i < 3; i++)
        end_worker(workers[i]);
}

/* ---- vfork: the child has the parent's memory, and descriptors of its own ---- */

/* What a spawning library does between vfork and exec, here and there with the listener. */
__attribute__((noreturn)) static void child_of_vfork(int epfd, bool executes) {
    struct epoll_event event = {.events = EPOLLIN};
    dup2(fd, 15);
    fcntl(15, F_SETFD, FD_CLOEXEC);
    epoll_ctl(epfd, EPOLL_CTL_DEL, 15, &event);
    close(15);
    close(epfd);
    close(fd);
    close_range(3, ~0U, 0);
    if (executes)
        execl("/bin/true", "true", NULL);
    _exit(executes);
}

static void by_vfork(char **arguments) {
    (void)arguments;
    begin();
    struct epoll_event event;
    int epfd = watching(fd, EPOLLIN);
    MUST(epoll_wait(epfd, &event, 1, 0));
    int failed = 0;
    for (int i = 0; i < 10000; i++) {
        pid_t pid = MUST(vfork());
        int status;
        if (pid == 0)
            child_of_vfork(epfd, i % 50 == 0);
        MUST(waitpid(pid, &status, 0));
        failed += status != 0;
    }
    say("children that failed: %d", failed);
    int count = 0;
    for (int i = 0; i < 20; i++) {
        int client = MUST(dial(port));
        if (epoll_wait(epfd, &event, 1, 5000) == 1)
            count += serve_one(fd, i);
        close(client);
    }
    say("served by the parent: %d of 20", count);
    close(epfd);
    serve_and_say(40);
}

/* ---- a clone that no library sees ---- */

static pid_t raw_clone(void) {
    fflush(stdout);
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static void by_clone(char **arguments) {
    (void)arguments;
    begin();
    struct epoll_event event;
    int epfd = watching(fd, EPOLLIN);
    MUST(epoll_wait(epfd, &event, 1, 0));
    pid_t workers[3];
    for (int i = 0; i < 3; i++) {
        workers[i] = MUST(raw_clone());
        if (workers[i])
            continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(epfd);
        serve_for_ever(fd, i);
    }
    close(epfd);
    for (int i = 0; i < 3; i++)
        until_waiting(workers[i]);
    say("served %d of 60", served(60));
    for (int i = 0; i < 3; i++)
        end_worker(workers[i]);
}

/* ---- fork while other threads are inside of everything ---- */

static _Atomic bool is_over;

static void *come_and_go(void *unused) {
    (void)unused;
    while (!is_over) {
        struct epoll_event event;
        int copy = dup(fd);
        int epfd = epoll_create1(EPOLL_CLOEXEC);
        watch_for(epfd, copy, EPOLLIN, 1);
        epoll_wait(epfd, &event, 1, 0);
        close(copy);
        close(epfd);
    }
    return NULL;
}

/* Each child uses what its parent's threads were using, and must not find it locked. */
static void forks_in_threads(char **arguments) {
    (void)arguments;
    begin();
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, come_and_go, NULL);
    int good = 0;
    for (int i = 0; i < 200; i++) {
        pid_t pid = fork_bound();
        if (pid == 0) {
            struct epoll_event event;
            alarm(10);
            int epfd = watching(fd, EPOLLIN);
            epoll_wait(epfd, &event, 1, 0);
            close(fd);
            _exit(0);
        }
        int status = 1;
        waitpid(pid, &status, 0);
        good += status == 0;
    }
    is_over = true;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    say("children that came through: %d of 200", good);
    serve_and_say(40);
}

/* ---- signal handlers ---- */

static volatile sig_atomic_t handled;

static void accept_and_close(int number) {
    (void)number;
    int saved = errno;
    int copy = dup(fd);
    int connection = accept(fd, NULL, NULL);
    if (connection >= 0)
        close(connection);
    close(copy);
    handled++;
    errno = saved;
}

/* Signals come at any moment of a worker's life; its handlers use the same descriptors. */
static void handlers(char **arguments) {
    (void)arguments;
    begin();
    struct sigaction action = {.sa_handler = accept_and_close, .sa_flags = SA_RESTART};
    MUST(sigaction(SIGUSR1, &action, NULL));
    pid_t worker = fork_bound();
    if (worker == 0) {
        for (int i = 0; i < 3000; i++) {
            struct epoll_event event;
            int epfd = watching(fd, EPOLLIN);
            epoll_wait(epfd, &event, 1, 0);
            epoll_ctl(epfd, EPOLL_CTL_DEL, fd, &event);
            close(epfd);
        }
        _exit(handled > 0 ? 0 : 2);
    }
    int status = -1;
    while (waitpid(worker, &status, WNOHANG) == 0) {
        kill(worker, SIGUSR1);
        usleep(100);
    }
    say("the worker: %s", status == 0 ? "came through" : "did not");
    serve_and_say(40);
}

static void close_in_handler(int number) {
    (void)number;
    close(fd);
    handled = 1;
}

/* The listener closed by a handler, at whatever moment: the address is free afterwards. */
static void closing_handler(char **arguments) {
    (void)arguments;
    signal(SIGALRM, close_in_handler);
    int freed = 0;
    for (int i = 0; i < 60; i++) {
        begin();
        handled = 0;
        ualarm((useconds_t)(200 + i * 10), 0);
        while (!handled) {
            struct epoll_event event;
            int epfd = epoll_create1(EPOLL_CLOEXEC);
            watch_for(epfd, fd, EPOLLIN, 1);
            epoll_wait(epfd, &event, 1, 0);
            close(epfd);
        }
        freed += dial(port) < 0 && errno == ECONNREFUSED;
    }
    say("refused afterwards: %d of 60", freed);
}

static volatile sig_atomic_t doomed; /* an epoll instance */

static void close_instance(int number) {
    (void)number;
    close(doomed);
    handled = 1;
}

/* A worker's epoll instance closed by a handler, while the same thread is at work on another one:
 * what it had claimed is free again, or else each makes one more queue. */
static void closing_instance(char **arguments) {
    (void)arguments;
    struct epoll_event event;
    begin();
    MUST(signal(SIGALRM, close_instance) == SIG_ERR ? -1 : 0);
    for (int i = 0; i < 400; i++) {
        int other = MUST(epoll_create1(EPOLL_CLOEXEC));
        doomed = watching(fd, EPOLLIN);
        MUST(epoll_wait(doomed, &event, 1, 0));
        handled = 0;
        ualarm((useconds_t)(100 + i), 0);
        while (!handled) {
            watch_for(other, fd, EPOLLIN, 1);
            epoll_wait(other, &event, 1, 0);
            epoll_ctl(other, EPOLL_CTL_DEL, fd, NULL);
            epoll_wait(other, &event, 1, 0);
        }
        close(other);
    }
    say("queues: %s", listening_on(port) <= 3 ? "as many as there were workers" : "more and more");
    serve_and_say(40);
}

/* ---- exec ---- */

/* In the program that was started: the listener is there, nothing else is. */
static void after_exec(char **arguments) {
    int found = 0;
    for (int other = 3; other < 65536; other++)
        found += syscall(SYS_fcntl, other, F_GETFD) >= 0;
    say("open descriptors: %d", found);
    fd = atoi(arguments[0]);
    say("listening: %d", get_int(fd, SOL_SOCKET, SO_ACCEPTCONN));
    port = port_of(fd);
    serve_and_say(40);
}

static void by_exec(char **arguments) {
    (void)arguments;
    begin();
    struct epoll_event event;
    char number[16];
    int epfd = watching(fd, EPOLLIN);
    MUST(epoll_wait(epfd, &event, 1, 0));
    snprintf(number, sizeof number, "%d", fd);
    fflush(stdout);
    execl("/proc/self/exe", "process", "after-exec", number, (char *)NULL);
    give_up("exec");
}

/* libc closes what it has in a FILE by itself: no call of that goes through a hook. */
static void close_behind_everyones_back(int number) {
    FILE *file = fdopen(number, "r");
    if (file)
        fclose(file);
}

/* An exec that fails says why, whatever became of the library's own descriptors meanwhile. */
static void failing_exec(char **arguments) {
    (void)arguments;
    begin();
    say("there: %s", outcome(execl("/nowhere/at/all", "all", (char *)NULL)));
    for (int number = 100; number < 16384; number++)
        close_behind_everyones_back(number);
    say("afterwards: %s", outcome(execl("/nowhere/at/all", "all", (char *)NULL)));
    say("not executable: %s", outcome(execlp("/dev/null", "null", (char *)NULL)));
}

int main(int argc, char **argv) {
    static const struct command commands[] = {
        {"vfork", by_vfork},
        {"clone", by_clone},
        {"forks-in-threads", forks_in_threads},
        {"handlers", handlers},
        {"closing-handler", closing_handler},
        {"closing-instance", closing_instance},
        {"exec", by_exec},
        {"failing-exec", failing_exec},
    };
    if (argc == 3 && !strcmp(argv[1], "after-exec")) {
        after_exec(argv + 2);
        return 0;
    }
    return RUN_COMMAND(commands, argv);
}
