/*
 * events: what a server sees of epoll. One process, so that what comes is known to the event.
 */
#include "lab.h"

enum { MOST = 8 };

static int fd;
static uint16_t port;

static void listen_here(void) {
    fd = listener(AF_INET, SOCK_NONBLOCK);
    port = port_of(fd);
}

/* The events in words, so that a bit too many shows. */
static const char *bits(uint32_t events) {
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {{EPOLLIN, " IN"},         {EPOLLOUT, " OUT"},       {EPOLLPRI, " PRI"},
                 {EPOLLRDNORM, " RDNORM"}, {EPOLLERR, " ERR"},       {EPOLLHUP, " HUP"},
                 {EPOLLRDHUP, " RDHUP"},   {EPOLLWRNORM, " WRNORM"}, {EPOLLRDBAND, " RDBAND"}};
    static char text[100];
    text[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (events & names[i].bit)
            strcat(text, names[i].name);
    return text;
}

static void wait_and_say(int epfd, int most, int timeout) {
    struct epoll_event events[MOST];
    int count = epoll_wait(epfd, events, most, timeout);
    say("%d events (%s)", count, outcome(count));
    for (int i = 0; i < count; i++)
        say("  data %llx,%s", (unsigned long long)events[i].data.u64, bits(events[i].events));
}

/* A client comes; the server is told, accepts, and is told no more. */
static void one_visit(int epfd) {
    int client = MUST(dial(port));
    wait_and_say(epfd, MOST, 5000);
    say("accepted: %s", serve_one(fd, 1) ? "yes" : "no");
    say("another: %s", outcome(accept(fd, NULL, NULL)));
    wait_and_say(epfd, MOST, 0);
    close(client);
}

/* ---- data ---- */

static void data(char **arguments) {
    (void)arguments;
    listen_here();
    static const uint64_t values[] = {0, 7, UINT64_C(0xfedcba9876543210), ~UINT64_C(0)};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        int epfd = MUST(epoll_create1(0));
        MUST(watch_for(epfd, fd, EPOLLIN, values[i]));
        one_visit(epfd);
        one_visit(epfd);
        MUST(close(epfd));
    }
}

/* Two listeners with the same data: the server tries both, and must find both. */
static void same_data(char **arguments) {
    (void)arguments;
    int fds[2] = {listener(AF_INET, SOCK_NONBLOCK), listener(AF_INET, SOCK_NONBLOCK)};
    int epfd = MUST(epoll_create1(0));
    struct epoll_event events[MOST];
    MUST(watch_for(epfd, fds[0], EPOLLIN, 1));
    MUST(watch_for(epfd, fds[1], EPOLLIN, 1));
    say("nothing yet: %d", epoll_wait(epfd, events, MOST, 30));
    int found = 0;
    for (int i = 0; i < 40; i++) {
        int client = MUST(dial(port_of(fds[i % 2])));
        uint32_t seen = epoll_wait(epfd, events, MOST, 5000) >= 1 ? events[0].events : 0;
        int served = serve_one(fds[0], 1) + serve_one(fds[1], 1);
        found += served == 1 && seen == EPOLLIN;
        close(client);
    }
    say("found %d of 40", found);
    say("nothing more: %d", epoll_wait(epfd, events, MOST, 0));
}

/* A connection that carries the listener's data: every event of it is the server's. */
static void connection_data(char **arguments) {
    (void)arguments;
    listen_here();
    int epfd = MUST(epoll_create1(0));
    struct epoll_event event;
    MUST(watch_for(epfd, fd, EPOLLIN, 1));
    MUST(epoll_wait(epfd, &event, 1, 0));
    int client = MUST(dial(port));
    MUST(epoll_wait(epfd, &event, 1, 5000));
    int connection = MUST(accept(fd, NULL, NULL));
    MUST(watch_for(epfd, connection, EPOLLIN | EPOLLOUT | EPOLLET, 1));
    wait_and_say(epfd, MOST, 1000);
    int seen = 0;
    for (int i = 0; i < 50; i++) {
        char byte;
        MUST(write(client, "x", 1));
        seen += epoll_wait(epfd, &event, 1, 5000) == 1 && (event.events & EPOLLIN);
        MUST(read(connection, &byte, 1));
    }
    say("seen %d of 50", seen);
}

/* ---- what was asked for ---- */

static void asked(char **arguments) {
    (void)arguments;
    static const uint32_t masks[] = {
        EPOLLIN,
        EPOLLIN | EPOLLET,
        EPOLLIN | EPOLLRDHUP,
        EPOLLIN | EPOLLPRI,
        EPOLLIN | EPOLLRDNORM | EPOLLPRI | EPOLLRDHUP,
        EPOLLIN | EPOLLOUT,
        EPOLLIN | EPOLLEXCLUSIVE,
        EPOLLIN | EPOLLRDHUP | EPOLLONESHOT,
    };
    listen_here();
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        int epfd = MUST(epoll_create1(0));
        MUST(watch_for(epfd, fd, masks[i], 3));
        say("mask %zu", i);
        one_visit(epfd);
        MUST(close(epfd));
    }
}

static int change(int epfd, int op, uint32_t events, uint64_t value) {
    struct epoll_event event = {.events = events, .data.u64 = value};
    return epoll_ctl(epfd, op, fd, &event);
}

static void oneshot(char **arguments) {
    (void)arguments;
    listen_here();
    int epfd = MUST(epoll_create1(0));
    MUST(watch_for(epfd, fd, EPOLLIN | EPOLLONESHOT, 3));
    int clients[3];
    for (int i = 0; i < 3; i++)
        clients[i] = MUST(dial(port));
    wait_and_say(epfd, MOST, 5000);
    wait_and_say(epfd, MOST, 50);
    for (int i = 0; i < 3; i++) {
        say("accepted: %s", serve_one(fd, 1) ? "yes" : "no");
        wait_and_say(epfd, MOST, 0);
        say("armed: %s", outcome(change(epfd, EPOLL_CTL_MOD, EPOLLIN | EPOLLONESHOT, 4)));
        wait_and_say(epfd, MOST, i < 2 ? 5000 : 0);
        close(clients[i]);
    }
    int client = MUST(dial(port));
    wait_and_say(epfd, MOST, 5000);
    say("DEL: %s", outcome(change(epfd, EPOLL_CTL_DEL, 0, 0)));
    say("ADD: %s", outcome(change(epfd, EPOLL_CTL_ADD, EPOLLIN | EPOLLONESHOT, 4)));
    wait_and_say(epfd, MOST, 1000);
    close(client);
}

/* MOD, as the kernel has it: new data, new events, nothing, and back. */
static void modified(char **arguments) {
    (void)arguments;
    listen_here();
    int epfd = MUST(epoll_create1(0));
    say("MOD before ADD: %s", outcome(change(epfd, EPOLL_CTL_MOD, EPOLLIN, 1)));
    say("ADD: %s", outcome(change(epfd, EPOLL_CTL_ADD, EPOLLIN, 1)));
    one_visit(epfd);
    say("MOD: %s", outcome(change(epfd, EPOLL_CTL_MOD, EPOLLIN | EPOLLET | EPOLLRDHUP, 2)));
    one_visit(epfd);
    say("MOD to nothing: %s", outcome(change(epfd, EPOLL_CTL_MOD, 0, 3)));
    int client = MUST(dial(port));
    wait_and_say(epfd, MOST, 50);
    say("MOD back: %s", outcome(change(epfd, EPOLL_CTL_MOD, EPOLLIN, 4)));
    wait_and_say(epfd, MOST, 5000);
    say("to EPOLLEXCLUSIVE: %s", outcome(change(epfd, EPOLL_CTL_MOD, EPOLLIN | EPOLLEXCLUSIVE, 5)));
    wait_and_say(epfd, MOST, 5000);
    close(client);
    say("no event: %s", outcome(epoll_ctl(epfd, EPOLL_CTL_MOD, fd, NULL)));
    say("no such operation: %s", outcome(change(epfd, 77, EPOLLIN, 1)));
}

/* Exclusive by its own wish: MOD is refused, and the rest goes on. */
static void own_exclusive(char **arguments) {
    (void)arguments;
    listen_here();
    int epfd = MUST(epoll_create1(0));
    say("ADD: %s", outcome(change(epfd, EPOLL_CTL_ADD, EPOLLIN | EPOLLEXCLUSIVE, 1)));
    one_visit(epfd);
    say("MOD: %s", outcome(change(epfd, EPOLL_CTL_MOD, EPOLLIN, 2)));
    one_visit(epfd);
    say("DEL: %s", outcome(change(epfd, EPOLL_CTL_DEL, 0, 0)));
    say("with EPOLLONESHOT: %s",
        outcome(change(epfd, EPOLL_CTL_ADD, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 1)));
    int outer = MUST(epoll_create1(0));
    say("an instance in it: %s", outcome(watch_for(outer, epfd, EPOLLIN, 9)));
    say("ADD: %s", outcome(change(epfd, EPOLL_CTL_ADD, EPOLLIN, 1)));
    int client = MUST(dial(port));
    wait_and_say(outer, MOST, 5000);
    close(client);
}

/* ---- DEL and ADD at run time ---- */

static void removed(char **arguments) {
    (void)arguments;
    listen_here();
    int epfd = MUST(epoll_create1(0));
    MUST(change(epfd, EPOLL_CTL_ADD, EPOLLIN, 1));
    one_visit(epfd);
    say("DEL: %s", outcome(change(epfd, EPOLL_CTL_DEL, 0, 0)));
    say("MOD: %s", outcome(change(epfd, EPOLL_CTL_MOD, EPOLLIN, 1)));
    int client = MUST(dial(port));
    wait_and_say(epfd, MOST, 50);
    say("ADD: %s", outcome(change(epfd, EPOLL_CTL_ADD, EPOLLIN, 2)));
    wait_and_say(epfd, MOST, 5000);
    say("accepted: %s", serve_one(fd, 1) ? "yes" : "no");
    close(client);
    for (int i = 0; i < 3; i++) {
        MUST(change(epfd, EPOLL_CTL_DEL, 0, 0));
        MUST(change(epfd, EPOLL_CTL_ADD, EPOLLIN, 2));
        one_visit(epfd);
    }
}

/* Edge-triggered, told once, then DEL and ADD: the kernel tells again, as the queue is not empty.
 */
static void removed_edge(char **arguments) {
    (void)arguments;
    listen_here();
    int epfd = MUST(epoll_create1(0));
    MUST(change(epfd, EPOLL_CTL_ADD, EPOLLIN | EPOLLET, 1));
    int client = MUST(dial(port));
    wait_and_say(epfd, MOST, 5000);
    wait_and_say(epfd, MOST, 20);
    MUST(change(epfd, EPOLL_CTL_DEL, 0, 0));
    MUST(change(epfd, EPOLL_CTL_ADD, EPOLLIN | EPOLLET, 1));
    wait_and_say(epfd, MOST, 1000);
    MUST(change(epfd, EPOLL_CTL_MOD, EPOLLIN | EPOLLET, 1));
    wait_and_say(epfd, MOST, 1000);
    close(client);
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {
        {"data", data},
        {"same-data", same_data},
        {"connection-data", connection_data},
        {"asked", asked},
        {"oneshot", oneshot},
        {"modified", modified},
        {"removed", removed},
        {"own-exclusive", own_exclusive},
        {"removed-edge", removed_edge},
    };
    return RUN_COMMAND(commands, argv);
}
