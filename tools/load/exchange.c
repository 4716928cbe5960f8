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

static void begin(struct exchange *e, bool is_reused) {
    e->sent = e->received = 0;
    e->is_idle = false;
    e->is_reused = is_reused;
    e->framing = (struct framing){0};
}

enum outcome exchange_start(struct exchange *e, const struct target *target, long number) {
    begin(e, false);
    e->fd = target_connect(target, number);
    return e->fd < 0 ? blame(errno) : send_request(e);
}

enum outcome exchange_again(struct exchange *e) {
    begin(e, true);
    enum outcome outcome = send_request(e);
    return outcome == UNDECIDED ? UNDECIDED : STALE;
}

bool exchange_can_go_on(const struct exchange *e) {
    return e->request->keeps && e->framing.state == FRAME_DONE && !e->framing.closes;
}

/* Who closes without a byte has answered only where nothing else was expected of it. */
static enum outcome judge_plain(const struct exchange *e, struct answer *answer, int problem) {
    if (e->received == 0 && (problem || !e->request->may_be_silent))
        return problem ? blame(problem) : UNANSWERED;
    *answer = (struct answer){.whole = true, .status = 200};
    return ANSWERED;
}

static size_t kept_of(const struct exchange *e) {
    return e->received < KEPT_SIZE ? e->received : KEPT_SIZE;
}

/* It ended. A server may close a connection that it keeps at any time, between two requests too. */
static enum outcome judge(const struct exchange *e, struct answer *answer, int problem) {
    if (e->is_reused && e->received == 0)
        return STALE;
    if (e->request->is_plain)
        return judge_plain(e, answer, problem);
    answer_parse(answer, e->kept, kept_of(e), e->received);
    /* Where it was to be kept, an end that nothing has announced is one in the middle. */
    if (e->request->keeps && e->framing.state != FRAME_DONE && e->framing.state != FRAME_CLOSE)
        return problem ? blame(problem) : UNANSWERED;
    /* A server that closes with some of our bytes unread resets an answer that is complete. */
    if (answer->whole && (!problem || answer->sealed))
        return ANSWERED;
    return problem ? blame(problem) : UNANSWERED;
}

/* Whether the answer is whole before the connection ends. */
static bool is_complete(struct exchange *e, const char *bytes, size_t count) {
    if (e->request->is_plain)
        return true;
    if (!e->request->keeps)
        return false;
    framing_feed(&e->framing, e->kept, kept_of(e), bytes, count);
    return e->framing.state == FRAME_DONE;
}

static enum outcome read_answer(struct exchange *e, struct answer *answer) {
    static char beyond[16384]; /* what does not fit is not looked at */
    for (;;) {
        bool has_room = e->received < KEPT_SIZE;
        char *to = has_room ? e->kept + e->received : beyond;
        ssize_t n = recv(e->fd, to, has_room ? KEPT_SIZE - e->received : sizeof beyond, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return UNDECIDED;
        if (n <= 0)
            return judge(e, answer, n < 0 ? errno : 0);
        e->received += (size_t)n;
        if (is_complete(e, to, (size_t)n))
            return judge(e, answer, 0);
    }
}

enum outcome exchange_continue(struct exchange *e, struct answer *answer) {
    return e->sent < e->request->length ? send_request(e) : read_answer(e, answer);
}
