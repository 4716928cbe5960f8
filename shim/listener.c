#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>

#include "decision.h"
#include "local.h"
#include "log.h"
#include "real.h"
#include "socket_options.h"
#include "watch.h"

enum { LISTENER_LIMIT = 512 };

static struct listener listeners[LISTENER_LIMIT];
static int listeners_used; /* one past the highest that was ever used */
static const struct config *config;

void listener_start(const struct config *from) {
    config = from;
}

struct listener *listener_at(unsigned index) {
    return &listeners[index % LISTENER_LIMIT];
}

static uint64_t cookie_of(int fd) {
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    return real.getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0 ? 0 : cookie;
}

bool listener_is_real(int fd) {
    unsigned entry = fd_entry(fd);
    if (fd_kind_of(entry) != FD_LISTENER)
        return false;
    if (cookie_of(fd) == listener_at(fd_index_of(entry))->cookie)
        return true;
    listener_closing(fd);
    return false;
}

/* ---- adoption ---- */

/* The first time at `warn`, after that only for who asks: a server may have a thousand listeners.
 */
static enum log_level once(atomic_bool *said) {
    return atomic_exchange(said, true) ? LOG_DEBUG : LOG_WARN;
}

static struct listener *find_free(void) {
    for (int i = 0; i < LISTENER_LIMIT; i++)
        if (!listeners[i].references)
            return &listeners[i];
    return NULL;
}

/* What the configuration says of any set. */
static void configure(struct shard_set *set) {
    unsigned most = (unsigned)set->count - 1;
    set->steal = config->steal < most ? config->steal : most;
    set->rotate = config->rotate;
}

/* The record is in use, by that number of the server's. */
static void hold(struct listener *listener, int fd) {
    int index = (int)(listener - listeners);
    listener->references++;
    listeners_used = index < listeners_used ? listeners_used : index + 1;
    fd_set_entry(fd, FD_LISTENER, (unsigned)index);
}

static struct listener *make(int fd, struct decision *decision, int backlog) {
    static atomic_bool said_full;
    static atomic_bool said_refused;
    struct listener *listener = find_free();
    if (!listener) {
        log_line(once(&said_full), "%s: left alone (too many listeners)", decision->address);
        return NULL;
    }
    const char *shortfall = NULL;
    int wanted = decision->mode == MODE_REUSEPORT ? (int)config->shards : 1;
    listener->cookie = cookie_of(fd);
    listener->reuseport = socket_int(fd, SOL_SOCKET, SO_REUSEPORT) == 1;
    errno = 0;
    if (!set_make(&listener->set, fd, wanted, backlog, &shortfall)) {
        log_line(once(&said_refused), "%s: left alone (%s: %s)", decision->address, shortfall,
                 log_errno(errno));
        return NULL;
    }
    if (shortfall)
        decision->why = shortfall, decision->falls_short = true;
    configure(&listener->set);
    decision_say(decision, &listener->set, errno);
    return listener;
}

static void complain_once(void) {
    static atomic_bool said;
    if (atomic_exchange(&said, true))
        return;
    for (unsigned i = 0; i < config->complaint_count; i++)
        log_line(LOG_WARN, "%s", config->complaints[i]);
}

static void adopt(int fd, int backlog, bool was_listening) {
    struct decision decision;
    decision_make(&decision, config, fd, was_listening);
    if (decision.mode == MODE_OFF) {
        decision_say(&decision, NULL, 0);
        return;
    }
    if (!guard_enter())
        return;
    struct listener *listener = NULL;
    if (fd_entry(fd) == FD_OTHER) /* else another thread has just done it */
        listener = make(fd, &decision, backlog);
    if (listener)
        hold(listener, fd);
    guard_leave();
}

int listener_listen(int fd, int backlog) {
    bool is_known = listener_is_real(fd);
    bool was_listening = !is_known && config && socket_int(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1;
    int result = real.listen(fd, backlog);
    if (result < 0 || !config)
        return result;
    int saved = errno;
    complain_once();
    if (!local_start())
        log_line(LOG_WARN, "nothing is done: MADV_WIPEONFORK: %s", log_errno(errno));
    else if (is_known)
        set_listen_again(&listener_at(fd_index_of(fd_entry(fd)))->set, backlog);
    else if (!local_is_borrowed())
        adopt(fd, backlog, was_listening);
    errno = saved;
    return result;
}

/* ---- numbers that come and go ---- */

static void release(struct listener *listener, int fd) {
    if (!guard_enter()) {
        atomic_fetch_add(&listener->orphaned, 1);
        return;
    }
    bool last = --listener->references <= atomic_load(&listener->orphaned);
    watch_listener_closing(&listener->set, fd, last);
    if (last) {
        set_close(&listener->set);
        listener->references = 0;
        atomic_store(&listener->orphaned, 0);
    }
    guard_leave();
}

void listener_closing(int fd) {
    unsigned entry = fd_entry(fd);
    if (local_is_borrowed())
        return;
    int saved = errno;
    fd_clear(fd); /* before the close: another thread may be given the number at once */
    release(listener_at(fd_index_of(entry)), fd);
    errno = saved;
}

void listener_copied(int fd, int copy) {
    unsigned entry = fd_entry(fd);
    if (local_is_borrowed() || !guard_enter())
        return;
    listener_at(fd_index_of(entry))->references++;
    fd_set_entry(copy, FD_LISTENER, fd_index_of(entry));
    guard_leave();
}

void listener_move_up(void) {
    for (int i = 0; i < listeners_used; i++)
        if (listeners[i].references && !watch_has(&listeners[i].set) && guard_enter()) {
            set_move_up(&listeners[i].set);
            guard_leave();
        }
}

/* ---- over exec ---- */

bool listener_any(void) {
    for (int i = 0; i < listeners_used; i++)
        if (listeners[i].references)
            return true;
    return false;
}

/* The server's own numbers for a listener that the next image will have; returns how many. */
static int list_left_open(unsigned index, int *numbers, int most) {
    int count = 0;
    for (int fd = fd_next(0, FD_LIMIT - 1); fd >= 0 && count < most;
         fd = fd_next((unsigned)fd + 1, FD_LIMIT - 1)) {
        unsigned entry = fd_entry(fd);
        bool is_its = fd_kind_of(entry) == FD_LISTENER && fd_index_of(entry) == index;
        int flags = is_its ? real.fcntl(fd, F_GETFD) : -1;
        if (flags >= 0 && !(flags & FD_CLOEXEC) && cookie_of(fd) == listeners[index].cookie)
            numbers[count++] = fd;
    }
    return count;
}

enum { NUMBERS_MOST = 16, COOKIE_PART = 0x7fffffff };

static void write_one(const struct listener *listener, const int *numbers, int count,
                      struct text *text) {
    const int head[] = {(int)(listener->cookie & COOKIE_PART),
                        (int)(listener->cookie >> 31 & COOKIE_PART), listener->reuseport, count};
    for (int i = 0; i < 4 + count; i++) {
        text_num(text, i < 4 ? head[i] : numbers[i - 4]);
        text_char(text, ',');
    }
    set_write(&listener->set, text);
}

bool listener_write(struct text *text) {
    bool any = false;
    for (int i = 0; i < listeners_used; i++) {
        int numbers[NUMBERS_MOST];
        int count =
            listeners[i].references ? list_left_open((unsigned)i, numbers, NUMBERS_MOST) : 0;
        struct text before = *text;
        if (!count)
            continue;
        write_one(&listeners[i], numbers, count, text);
        if (text->length + 1 >= text->size) { /* no room: it goes as it would without us */
            *text = before;
            text->data[text->length] = '\0';
            continue;
        }
        set_keep_open(&listeners[i].set, true);
        any = true;
    }
    return any;
}

void listener_keep_open(bool keep) {
    for (int i = 0; i < listeners_used; i++)
        if (listeners[i].references)
            set_keep_open(&listeners[i].set, keep);
}

static bool receive_one(const char **at) {
    int head[4];
    int numbers[NUMBERS_MOST];
    for (int i = 0; i < 4; i++)
        if (!text_read(at, &head[i]))
            return false;
    if (head[3] < 1 || head[3] > NUMBERS_MOST)
        return false;
    for (int i = 0; i < head[3]; i++)
        if (!text_read(at, &numbers[i]))
            return false;
    struct listener *listener = find_free();
    uint64_t cookie = (uint64_t)head[0] | (uint64_t)head[1] << 31;
    if (!listener || cookie_of(numbers[0]) != cookie || !set_read(&listener->set, numbers[0], at))
        return false;
    struct decision decision;
    decision_make(&decision, config, numbers[0], false);
    if (decision.mode == MODE_OFF) {
        decision_say(&decision, NULL, 0);
        set_close(&listener->set);
        return true;
    }
    listener->cookie = cookie;
    listener->reuseport = head[2];
    configure(&listener->set);
    decision.why = "carried over exec";
    decision_say(&decision, &listener->set, 0);
    for (int i = 0; i < head[3]; i++)
        if (cookie_of(numbers[i]) == cookie)
            hold(listener, numbers[i]);
    return true;
}

void listener_receive(const char *text) {
    if (!config || !local_start() || !guard_enter())
        return;
    while (*text && receive_one(&text))
        continue;
    guard_leave();
}
