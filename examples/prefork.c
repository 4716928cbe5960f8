/*
 * prefork: a legacy server, the kind that unherd is for. It knows nothing of unherd.
 *
 * The master opens one listening socket and forks its workers. Each worker has an epoll instance
 * of its own, and all of these hold the one shared socket. So a connection makes the socket
 * readable for every idle worker: all of them wake, one gets it from accept4(), the others find
 * EAGAIN and go back to sleep. That is the herd.
 *
 * It answers each request with the number of the worker that did it, and closes the connection.
 * GET /busy?ms=N blocks that worker for N ms first (0.5 is half of one): a stand-in for slow disks
 * and long loops.
 *
 * usage: prefork [-a ADDRESS] -p PORT [-w WORKERS]
 *   ADDRESS  127.0.0.1 if not given; 0.0.0.0, ::1, :: (IPv4 too), or unix:/path, without PORT
 *   PORT     0 lets the kernel choose; WORKERS are numbered from 1, 4 if not given
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_WORKERS = 1024, FDS = 4096, REQUEST_SIZE = 4096, EVENTS = 64 };
enum { PATIENCE_S = 5, MAX_BUSY_MS = 10000, REPLACE_DELAY_MS = 10 };

/* What a worker knows of its connections, by descriptor; a deadline of 0 is "not open". */
static time_t deadlines[FDS];
static size_t lengths[FDS];
static char requests[FDS][REQUEST_SIZE];
static int open_connections;
static int worker_number;
static int epoll_fd;

static const char *address = "127.0.0.1";
static const char *unix_path; /* in `address`, behind "unix:" */
static pid_t workers[MAX_WORKERS];
static int worker_count = 4;

static _Noreturn void usage(const char *problem) {
    fprintf(stderr, "prefork: %s\nusage: prefork [-a ADDRESS] -p PORT [-w WORKERS]\n", problem);
    exit(2);
}

static time_t seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void sleep_ms(double ms) {
    long us = (long)(ms * 1000);
    struct timespec rest = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
        ;
}

/* --- a worker --- */

static int watch(int fd) {
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd,
                     &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
}

static void drop(int fd) {
    close(fd);
    deadlines[fd] = 0;
    open_connections--;
}

static void answer(int fd, const char *request) {
    static const char busy[] = "GET /busy?ms=";
    if (strncmp(request, busy, sizeof busy - 1) == 0) {
        double ms = strtod(request + sizeof busy - 1, NULL);
        if (ms > 0)
            sleep_ms(ms < MAX_BUSY_MS ? ms : MAX_BUSY_MS);
    }
    char body[64], response[512];
    bool understood = strncmp(request, "GET ", 4) == 0;
    int size = snprintf(body, sizeof body, "worker %d pid %d\n", worker_number, (int)getpid());
    int total = snprintf(response, sizeof response,
                         "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
                         "Connection: close\r\nX-Worker: %d\r\n\r\n%s",
                         understood ? "200 OK" : "400 Bad Request", size, worker_number, body);
    /* A new connection's send buffer holds this many times over: no partial writes to continue. */
    send(fd, response, (size_t)total, MSG_NOSIGNAL);
}

static void read_request(int fd) {
    size_t room = REQUEST_SIZE - 1 - lengths[fd];
    ssize_t n = recv(fd, requests[fd] + lengths[fd], room, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0) {
        lengths[fd] += (size_t)n;
        requests[fd][lengths[fd]] = '\0';
        if ((size_t)n < room && !strstr(requests[fd], "\r\n\r\n"))
            return;
        answer(fd, requests[fd]);
    }
    drop(fd);
}

/* One accept per event, as most servers of this kind do: whoever is idle takes the next one. */
static void accept_one(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return; /* another worker was faster: woken for nothing */
    if (fd >= FDS || watch(fd) < 0) {
        close(fd);
        return;
    }
    deadlines[fd] = seconds_now() + PATIENCE_S;
    lengths[fd] = 0;
    open_connections++;
    read_request(fd); /* most often it has come already, and saves a round through epoll_wait */
}

static void drop_overdue(time_t now) {
    for (int fd = 0; fd < FDS; fd++)
        if (deadlines[fd] && deadlines[fd] <= now)
            drop(fd);
}

static _Noreturn void work(int listener) {
    for (time_t swept = 0;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(epoll_fd, events, EVENTS, open_connections ? 1000 : -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_one(listener);
            else
                read_request(events[i].data.fd);
        }
        time_t now = open_connections ? seconds_now() : swept;
        if (now != swept)
            drop_overdue(now);
        swept = now;
    }
}

/* Closing the pipe tells the master that this worker waits for connections. */
static _Noreturn void become_worker(int number, int listener, const int *ready, pid_t master) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != master)
        _exit(1);
    if (ready)
        close(ready[0]);
    worker_number = number;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0 || watch(listener) < 0) {
        perror("prefork: epoll");
        _exit(1);
    }
    if (ready)
        close(ready[1]);
    work(listener);
}

/* --- the master --- */

static void start_worker(int index, int listener, const int *ready, const sigset_t *mask) {
    pid_t master = getpid();
    workers[index] = fork();
    if (workers[index] < 0)
        perror("prefork: fork");
    if (workers[index] == 0) {
        sigprocmask(SIG_SETMASK, mask, NULL);
        become_worker(index + 1, listener, ready, master);
    }
}

/* The pipe ends when the last worker has closed it: each of them waits then, or is dead. */
static void start_workers(int listener, const sigset_t *mask) {
    int ready[2];
    char nothing;
    if (pipe(ready) < 0)
        exit(1);
    for (int i = 0; i < worker_count; i++)
        start_worker(i, listener, ready, mask);
    close(ready[1]);
    while (read(ready[0], &nothing, 1) < 0 && errno == EINTR)
        ;
    close(ready[0]);
}

static void replace_dead(int listener, const sigset_t *mask) {
    for (pid_t dead; (dead = waitpid(-1, NULL, WNOHANG)) > 0;) {
        sleep_ms(REPLACE_DELAY_MS); /* a worker that dies at once must not become a fork bomb */
        for (int i = 0; i < worker_count; i++) {
            if (workers[i] != dead)
                continue;
            start_worker(i, listener, NULL, mask);
            fprintf(stderr, "prefork: worker %d: pid %d died, pid %d replaces it\n", i + 1,
                    (int)dead, (int)workers[i]);
        }
    }
}

static void stop_workers(void) {
    for (int i = 0; i < worker_count; i++) {
        if (workers[i] <= 0)
            continue;
        kill(workers[i], SIGTERM);
        kill(workers[i], SIGCONT); /* a stopped process does not die of SIGTERM */
        waitpid(workers[i], NULL, 0);
    }
    if (unix_path)
        unlink(unix_path);
}

static int listen_at(const struct sockaddr *name, socklen_t length) {
    int fd = socket(name->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (name->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
    if (fd < 0 || bind(fd, name, length) < 0 || listen(fd, SOMAXCONN) < 0) {
        fprintf(stderr, "prefork: cannot listen on %s: %s\n", address, strerror(errno));
        exit(1);
    }
    return fd;
}

static int open_tcp(const char *port) {
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    if (strtoul(port, NULL, 10) > 65535 || getaddrinfo(address, port, &hints, &found) != 0)
        usage("not a numeric address and port");
    int fd = listen_at(found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return fd;
}

/* A path that exists is an error, as for TCP: somebody may be listening there. */
static int open_unix(void) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (!*unix_path || strlen(unix_path) >= sizeof name.sun_path)
        usage("-a: not the path of a socket");
    memcpy(name.sun_path, unix_path, strlen(unix_path));
    return listen_at((struct sockaddr *)&name, sizeof name);
}

static void print_ready(int listener) {
    struct sockaddr_in6 name = {0}; /* IPv4 has the port at the same place */
    getsockname(listener, (struct sockaddr *)&name, &(socklen_t){sizeof name});
    printf(strchr(address, ':') && !unix_path ? "listening on [%s]" : "listening on %s", address);
    if (!unix_path)
        printf(":%d", ntohs(name.sin6_port));
    printf(", master %d, workers", (int)getpid());
    for (int i = 0; i < worker_count; i++)
        printf(" %d", (int)workers[i]);
    printf("\n");
    fflush(stdout);
}

static int open_listener(int argc, char **argv) {
    const char *port = NULL;
    for (int option; (option = getopt(argc, argv, "a:p:w:")) != -1;) {
        if (option == 'a')
            address = optarg;
        else if (option == 'p')
            port = optarg;
        else if (option == 'w')
            worker_count = (int)strtol(optarg, NULL, 10);
        else
            usage("an option cannot be read");
    }
    if (optind < argc || worker_count < 1 || worker_count > MAX_WORKERS)
        usage(optind < argc ? "too many arguments" : "-w: not a number of workers");
    if (strncmp(address, "unix:", 5) == 0) {
        unix_path = address + 5;
        return open_unix();
    }
    if (!port)
        usage("-p is missing");
    return open_tcp(port);
}

int main(int argc, char **argv) {
    int listener = open_listener(argc, argv);
    sigset_t awaited, before;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGTERM);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGCHLD);
    sigprocmask(SIG_BLOCK, &awaited, &before);
    start_workers(listener, &before);
    print_ready(listener);
    for (int signal; (signal = sigwaitinfo(&awaited, NULL)) == SIGCHLD || signal < 0;)
        replace_dead(listener, &before);
    stop_workers();
    return 0;
}
