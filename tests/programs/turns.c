/*
 * turns: workers behind an accept mutex. Its holder waits for two listeners, takes one connection,
 * of those it is told of the last, and lets the next go and wait, as Apache's prefork children and
 * uwsgi's with a thunder lock do. Two connections at once: what the first was told of and left is
 * the next one's.
 */
#include "lab.h"

#include <sys/select.h>

#include <pthread.h>

enum { WORKERS = 4, ROUNDS = 150 };

static int fds[2];
static pthread_mutex_t *mutex;
static const char *way;

static int with_epoll(void) {
    static int epfd = -1;
    struct epoll_event events[2];
    if (epfd < 0) {
        epfd = watching(fds[0], EPOLLIN);
        MUST(watch_for(epfd, fds[1], EPOLLIN, (uint64_t)fds[1]));
    }
    int count = epoll_wait(epfd, events, 2, -1);
    return count > 0 ? (int)events[count - 1].data.u64 : -1;
}

static int with_poll(void) {
    struct pollfd list[2] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};
    if (poll(list, 2, -1) <= 0)
        return -1;
    return list[1].revents ? fds[1] : fds[0];
}

static int with_select(void) {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(fds[0], &readable);
    FD_SET(fds[1], &readable);
    if (select(fds[1] + 1, &readable, NULL, NULL, NULL) <= 0)
        return -1;
    return FD_ISSET(fds[1], &readable) ? fds[1] : fds[0];
}

static int ready_one(void) {
    return *way == 'e' ? with_epoll() : *way == 'p' ? with_poll() : with_select();
}

__attribute__((noreturn)) static void take_turns(void) {
    for (;;) {
        pthread_mutex_lock(mutex);
        int fd = ready_one();
        int connection = fd < 0 ? -1 : accept(fd, NULL, NULL);
        pthread_mutex_unlock(mutex);
        if (connection >= 0 && write(connection, "x", 1) < 0)
            say("the answer could not be written: %s", strerror(errno));
        close(connection);
        moment(); /* the work, during which the others have their turns */
    }
}

static void make_mutex(void) {
    pthread_mutexattr_t attributes;
    mutex = shared_memory(sizeof *mutex);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(mutex, &attributes);
}

/* Neither is waited for before the other is there. */
static int ask_twice(uint16_t first, uint16_t second) {
    uint16_t ports[2] = {first, second};
    int clients[2];
    int answered = 0;
    for (int i = 0; i < 2; i++) {
        struct sockaddr_storage address;
        socklen_t length = loopback(&address, AF_INET, ports[i]);
        clients[i] = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
        if (connect(clients[i], (struct sockaddr *)&address, length) < 0 && errno != EINPROGRESS)
            give_up("connect");
    }
    for (int i = 0; i < 2; i++) {
        struct pollfd answer = {.fd = clients[i], .events = POLLIN};
        answered += poll(&answer, 1, 5000) == 1 && (answer.revents & POLLIN);
        close(clients[i]);
    }
    return answered;
}

static int ask_in_pairs(uint16_t first, uint16_t second) {
    int answered = 0;
    for (int i = 0; i < ROUNDS && answered == 2 * i; i++)
        answered += ask_twice(first, second);
    return answered;
}

static void pairs(char **arguments) {
    pid_t pids[WORKERS];
    way = arguments[0] ? arguments[0] : "epoll";
    make_mutex();
    for (int i = 0; i < 2; i++)
        fds[i] = listener(AF_INET, SOCK_NONBLOCK);
    for (int i = 0; i < WORKERS; i++) {
        pids[i] = fork_bound();
        if (pids[i] == 0)
            take_turns();
    }
    say("both: %d of %d", ask_in_pairs(port_of(fds[0]), port_of(fds[1])), 2 * ROUNDS);
    say("one: %d of %d", ask_in_pairs(port_of(fds[0]), port_of(fds[0])), 2 * ROUNDS);
    for (int i = 0; i < WORKERS; i++)
        end_worker(pids[i]);
}

/* ---- told, and gone ---- */

/* Waits once, and ends in good order, without what it was told of. */
__attribute__((noreturn)) static void wait_and_leave(void) {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(fds[0], &readable);
    select(fds[0] + 1, &readable, NULL, NULL, NULL);
    exit(0);
}

__attribute__((noreturn)) static void accept_for_ever(void) {
    for (;;)
        serve_one(fds[0], 1);
}

/* Blocked in accept it shows in no call that until_waiting() knows. */
static void settle(pid_t pid) {
    for (int i = 0; i < 20 && !is_waiting(pid); i++)
        moment();
}

static int ask_beside_a_leaver(bool blocks) {
    fds[0] = listener(AF_INET, blocks ? 0 : SOCK_NONBLOCK);
    pid_t server = fork_bound();
    if (server == 0 && blocks)
        accept_for_ever();
    if (server == 0)
        serve_for_ever(fds[0], 1);
    settle(server);
    pid_t leaver = fork_bound();
    if (leaver == 0)
        wait_and_leave();
    settle(leaver);
    int answered = ask(port_of(fds[0])) == 1;
    end_worker(server);
    end_worker(leaver);
    close(fds[0]);
    return answered;
}

static void leavers(char **arguments) {
    (void)arguments;
    for (int blocks = 0; blocks < 2; blocks++) {
        int answered = 0;
        for (int i = 0; i < 12 && answered == i; i++)
            answered += ask_beside_a_leaver(blocks);
        say("%s: %d of 12", blocks ? "accept" : "epoll", answered);
    }
}

/* ---- the leaver is the one that is woken ---- */

enum leaving { EXITS, CLOSES_INSTANCE, CLOSES_LISTENER, DEREGISTERS };

__attribute__((noreturn)) static void wait_first_and_leave(enum leaving how) {
    struct epoll_event event;
    int epfd = watching(fds[0], EPOLLIN);
    epoll_wait(epfd, &event, 1, -1);
    if (how == EXITS)
        exit(0);
    if (how == DEREGISTERS) {
        MUST(epoll_ctl(epfd, EPOLL_CTL_DEL, fds[0], NULL));
        epoll_wait(epfd, &event, 1, -1);
    }
    close(how == CLOSES_INSTANCE ? epfd : fds[0]);
    for (;;)
        pause();
}

static int ask_behind_a_leaver(enum leaving how) {
    fds[0] = listener(AF_INET, SOCK_NONBLOCK);
    uint16_t port = port_of(fds[0]);
    pid_t leaver = fork_bound();
    if (leaver == 0)
        wait_first_and_leave(how);
    settle(leaver);
    pid_t server = start_worker(fds[0], 1);
    settle(server);
    struct pollfd client = {.fd = dial(port), .events = POLLIN};
    int answered = poll(&client, 1, 3000) == 1;
    close(client.fd);
    end_worker(server);
    end_worker(leaver);
    close(fds[0]);
    return answered;
}

static void first_leaves(char **arguments) {
    (void)arguments;
    static const char *const names[] = {"exit", "close the instance", "close the listener",
                                        "deregister"};
    for (int how = EXITS; how <= DEREGISTERS; how++) {
        int answered = 0;
        for (int i = 0; i < 4 && answered == i; i++)
            answered += ask_behind_a_leaver((enum leaving)how);
        say("%s: %d of 4", names[how], answered);
    }
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {
        {"pairs", pairs}, {"leavers", leavers}, {"first-leaves", first_leaves}};
    return RUN_COMMAND(commands, argv);
}
