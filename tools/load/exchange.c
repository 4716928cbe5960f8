#include "exchange.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static enum outcome blame(int problem) {
    switch (problem) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EADDRNOTAVAIL:
        return NOT_STARTED;
    case ECONNREFUSED:
    case ENOENT:
    case EACCES:
    case EAGAIN:
        return REFUSED;
    case ETIMEDOUT:
        return TIMED_OUT;
    default:
        return RESET;
    }
}

/* While the connection is being made send() says EAGAIN, and then what became of it. */
static enum outcome send_request(struct exchange *e) {
    const struct request *request = e->request;
    ssize_t n = send(e->fd, request->text + e->sent, request->length - e->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return blame(errno);
    e->sent += n > 0 ? (size_t)n : 0;
    e->events = e->sent < request->length ? EPOLLOUT : EPOLLIN;
    return UNDECIDED;
}

enum outcome exchange_start(struct exchange *e, const struct target *target, long number) {
    e->sent = e->received = 0;
    e->fd = target_connect(target, number);
    return e->fd < 0 ? blame(errno) : send_request(e);
}

static enum outcome judge(const struct exchange *e, struct answer *answer, int problem) {
    size_t kept = e->received < KEPT_SIZE ? e->received : KEPT_SIZE;
    answer_parse(answer, e->kept, kept, e->received);
    /* A server that closes with some of our bytes unread resets an answer that is complete. */
    if (answer->whole && (!problem || answer->sealed))
        return ANSWERED;
    return problem ? blame(problem) : UNANSWERED;
}

static enum outcome read_answer(struct exchange *e, struct answer *answer) {
    char beyond[16384];
    for (;;) {
        bool room = e->received < KEPT_SIZE;
        ssize_t n = room ? recv(e->fd, e->kept + e->received, KEPT_SIZE - e->received, 0)
                         : recv(e->fd, beyond, sizeof beyond, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return UNDECIDED;
        if (n <= 0)
            return judge(e, answer, n < 0 ? errno : 0);
        e->received += (size_t)n;
    }
}

enum outcome exchange_continue(struct exchange *e, struct answer *answer) {
    return e->sent < e->request->length ? send_request(e) : read_answer(e, answer);
}
