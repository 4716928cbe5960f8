/* schedule, the clients: each sends four bytes of its own, and wants them back once. */
#include "schedule.h"

enum { CLIENTS_MOST = 256 };

static struct {
    int fd;
    uint32_t token;
} clients[CLIENTS_MOST];
static int waiting;
static uint32_t last_token;

void clients_connect(int count) {
    uint16_t port = port_of(listener_fd);
    for (int i = 0; i < count && waiting < CLIENTS_MOST; i++) {
        uint32_t token = ++last_token * 2654435761U;
        int fd = dial(port);
        if (fd < 0)
            violation("a connection was refused: %s", strerror(errno));
        if (send(fd, &token, sizeof token, 0) != sizeof token)
            violation("a connection was reset at once: %s", strerror(errno));
        clients[waiting].fd = fd;
        clients[waiting++].token = token;
    }
}

void clients_forget(void) {
    for (int i = 0; i < waiting; i++)
        close(clients[i].fd);
    waiting = 0;
}

int clients_waiting(void) {
    return waiting;
}

/* The answer and the end after it, which are five bytes: more would be somebody else's. */
static void settle(int i, long long end) {
    unsigned char bytes[16];
    size_t size = 0;
    ssize_t got = 1;
    while (got > 0 && size < sizeof bytes) {
        struct pollfd list = {.fd = clients[i].fd, .events = POLLIN};
        long long left = end - milliseconds();
        if (poll(&list, 1, left > 0 ? (int)left : 0) != 1)
            violation("a connection waits, and so do %d workers", crew_count_watching());
        got = recv(clients[i].fd, bytes + size, sizeof bytes - size, 0);
        size += got > 0 ? (size_t)got : 0;
    }
    if (got < 0)
        violation("a connection was reset after %zu bytes: %s", size, strerror(errno));
    if (size != 5 || memcmp(bytes, &clients[i].token, 4) != 0 || bytes[4] >= WORKERS)
        violation("%zu bytes for an answer, or not the client's own", size);
}

/* Reset after all is said, or thousands of them would linger in TIME_WAIT. */
void clients_settle(void) {
    static const struct linger at_once = {.l_onoff = 1};
    long long end = milliseconds() + PATIENCE_MS;
    for (int i = 0; i < waiting; i++) {
        settle(i, end);
        setsockopt(clients[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(clients[i].fd);
    }
    waiting = 0;
}
