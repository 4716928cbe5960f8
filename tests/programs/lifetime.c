/*
 * lifetime: listen() again, queues, shutdown, copies of the descriptor, close, the address
 * afterwards.
 */
#include "lab.h"

enum { WORKERS = 3 };

static pid_t workers[WORKERS];

static void start_workers(int fd) {
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start_worker(fd, i);
    for (int i = 0; i < WORKERS; i++)
        until_waiting(workers[i]);
}

static void end_workers(void) {
    for (int i = 0; i < WORKERS; i++)
        end_worker(workers[i]);
}

static int served(uint16_t port, int connections) {
    int count = 0;
    for (int i = 0; i < connections; i++)
        count += ask(port) >= 0;
    return count;
}

/* ---- listen() again; whoever runs this looks at the sockets while it waits for a line ---- */

static void wait_for_line(const char *what) {
    char byte;
    say("%s", what);
    while (read(0, &byte, 1) == 1 && byte != '\n')
        continue;
}

static void backlog(char **arguments) {
    (void)arguments;
    int fd = bound(AF_INET, 0, SOCK_NONBLOCK);
    MUST(listen(fd, 17));
    say("port %d", port_of(fd));
    start_workers(fd);
    wait_for_line("listening");
    MUST(listen(fd, 33));
    wait_for_line("listening again");
    end_workers();
}

/* ---- queues ---- */

static unsigned queued(int fd) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    MUST(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
    return info.tcpi_unacked;
}

/* Workers that have waited once, and are stopped: nobody accepts what comes then. */
static void queues(char **arguments) {
    (void)arguments;
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    start_workers(fd);
    for (int i = 0; i < WORKERS; i++)
        kill(workers[i], SIGSTOP);
    for (int i = 0; i < WORKERS; i++)
        MUST(waitpid(workers[i], NULL, WUNTRACED));
    int clients[50];
    for (int i = 0; i < 50; i++)
        clients[i] = MUST(dial(port_of(fd)));
    for (int i = 0; i < 2000 && queued(fd) < 50; i++)
        moment();
    say("queued: %u", queued(fd));
    for (int i = 0; i < WORKERS; i++)
        kill(workers[i], SIGCONT);
    int count = 0;
    for (int i = 0; i < 50; i++)
        count += answer(clients[i]) >= 0;
    say("answered: %d, queued then: %u", count, queued(fd));
    end_workers();
}

/* ---- shutdown ---- */

static bool is_refused(uint16_t port) {
    for (int i = 0; i < 20; i++) {
        int fd = dial(port);
        if (fd >= 0)
            close(fd);
        if (fd >= 0 || errno != ECONNREFUSED)
            return false;
    }
    return true;
}

/* The port is asked for by its number: one that the kernel chose is lost by shutdown(). */
static int listener_at_a_number(void) {
    int fd = listener(AF_INET, 0);
    uint16_t port = port_of(fd);
    MUST(close(fd));
    fd = bound(AF_INET, port, SOCK_NONBLOCK);
    MUST(listen(fd, 100));
    return fd;
}

/* HAProxy pauses a listener so: connecting to AF_UNSPEC ends the listening, as shutdown() does. */
static int disconnect(int fd) {
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    return connect(fd, &nobody, sizeof nobody);
}

static void shut(char **arguments) {
    bool is_disconnected = !strcmp(arguments[0], "disconnect");
    int fd = listener_at_a_number();
    uint16_t port = port_of(fd);
    start_workers(fd);
    say("before: %d of 20", served(port, 20));
    say("%s: %s", arguments[0],
        outcome(is_disconnected ? disconnect(fd) : shutdown(fd, SHUT_RDWR)));
    say("all refused: %s", is_refused(port) ? "yes" : "no");
    say("accept: %s", outcome(accept(fd, NULL, NULL)));
    say("listening: %d", get_int(fd, SOL_SOCKET, SO_ACCEPTCONN));
    pid_t late = start_worker(fd, 9);
    for (int i = 0; i < 20; i++)
        moment();
    say("a late worker changes nothing: %s", is_refused(port) ? "yes" : "no");
    say("listen: %s", outcome(listen(fd, 100)));
    say("afterwards: %d of 40", served(port, 40));
    end_worker(late);
    end_workers();
}

/* ---- copies ---- */

/* The listener under another number, the first one closed; made before the workers are. */
static int moved(int fd, const char *how) {
    int copy = -1;
    if (!strcmp(how, "dup"))
        copy = dup(fd);
    else if (!strcmp(how, "dup2"))
        copy = dup2(fd, 20);
    else if (!strcmp(how, "dup3"))
        copy = dup3(fd, 20, O_CLOEXEC);
    else if (!strcmp(how, "F_DUPFD"))
        copy = fcntl(fd, F_DUPFD, 20);
    else if (!strcmp(how, "F_DUPFD_CLOEXEC"))
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 20);
    else if (!strcmp(how, "over"))
        copy = dup2(fd, listener(AF_INET, 0)); /* over another listener, which ends thereby */
    MUST(copy);
    MUST(close(fd));
    return copy;
}

static void copies(char **arguments) {
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    uint16_t port = port_of(fd);
    int copy = moved(fd, arguments[0] ? arguments[0] : "dup");
    say("the copy is %d", copy);
    start_workers(copy);
    say("served %d of 40", served(port, 40));
    end_workers();
    close(copy);
    say("afterwards: %s", outcome(dial(port)));
}

/* The epoll instance under another number, while it is in use. */
static void instances(char **arguments) {
    (void)arguments;
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    int epfd = watching(fd, EPOLLIN);
    struct epoll_event event;
    MUST(epoll_wait(epfd, &event, 1, 0));
    int copy = MUST(dup(epfd));
    MUST(close(epfd));
    int count = 0;
    for (int i = 0; i < 40; i++) {
        int client = MUST(dial(port_of(fd)));
        if (epoll_wait(copy, &event, 1, 5000) == 1)
            count += serve_one(fd, i);
        close(client);
    }
    say("served %d of 40 by a copied instance, %s", count,
        event.data.u64 == (uint64_t)fd ? "its data as given" : "its data changed");
    say("DEL: %s", outcome(epoll_ctl(copy, EPOLL_CTL_DEL, fd, NULL)));
    say("DEL again: %s", outcome(epoll_ctl(copy, EPOLL_CTL_DEL, fd, NULL)));
    say("ADD: %s", outcome(watch_for(copy, fd, EPOLLIN, 5)));
    say("ADD again: %s", outcome(watch_for(copy, fd, EPOLLIN, 5)));
}

/* A copy stays while the number that is registered goes: the kernel goes on reporting. */
static void outlives(char **arguments) {
    (void)arguments;
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    uint16_t port = port_of(fd);
    int epfd = watching(fd, EPOLLIN);
    struct epoll_event event = {0};
    MUST(epoll_wait(epfd, &event, 1, 0));
    int copy = MUST(dup(fd));
    MUST(close(fd));
    int count = 0;
    for (int i = 0; i < 20; i++) {
        int client = MUST(dial(port));
        if (epoll_wait(epfd, &event, 1, 5000) == 1 && event.data.u64 == (uint64_t)fd)
            count += serve_one(copy, i);
        close(client);
    }
    say("served %d of 20 through a registration whose number is closed", count);
}

/* ---- the end ---- */

static void address_again(char **arguments) {
    (void)arguments;
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    uint16_t port = port_of(fd);
    start_workers(fd);
    say("served %d of 20", served(port, 20));
    end_workers();
    MUST(close(fd));
    say("connect: %s", outcome(dial(port)));
    for (int i = 0; i < 3; i++) {
        fd = bound(AF_INET, port, SOCK_NONBLOCK);
        say("listen: %s", outcome(listen(fd, 100)));
        close(fd);
    }
}

/* Every process closes its own; workers that go on living hold nothing. */
static void closed_by_workers(char **arguments) {
    (void)arguments;
    int fd = listener(AF_INET, SOCK_NONBLOCK);
    uint16_t port = port_of(fd);
    pid_t worker = fork_bound();
    if (worker == 0) {
        int epfd = watching(fd, EPOLLIN);
        struct epoll_event event;
        epoll_wait(epfd, &event, 1, 0);
        close(fd);
        epoll_wait(epfd, &event, 1, -1);
        _exit(0);
    }
    until_waiting(worker);
    say("while the parent has it: %s", outcome(dial(port)));
    close(fd);
    int connected = dial(port);
    for (int i = 0; i < 2000 && connected >= 0; i++, connected = dial(port)) {
        close(connected);
        moment();
    }
    say("when nobody has: %s", outcome(connected));
    fd = bound(AF_INET, port, 0);
    say("the address again: %s", outcome(listen(fd, 5)));
    end_worker(worker);
}

/* A second start of the same server. */
static void second_start(char **arguments) {
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, AF_INET, (uint16_t)atoi(arguments[0]));
    int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
    MUST(set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1));
    say("bind: %s", outcome(bind(fd, (struct sockaddr *)&address, length)));
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {
        {"backlog", backlog},
        {"queues", queues},
        {"ends", shut},
        {"copies", copies},
        {"instances", instances},
        {"outlives", outlives},
        {"second-start", second_start},
        {"address-again", address_again},
        {"closed-by-workers", closed_by_workers},
    };
    return RUN_COMMAND(commands, argv);
}
