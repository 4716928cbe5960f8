/* listener carry: listeners on their way over exec, from one image of a process to the next. */
#include <fcntl.h>

#include "decision.h"
#include "listener_record.h"
#include "socket_options.h"
#include "local.h"
#include "real.h"

/* The server's own numbers for a listener that the next image will have; returns how many. */
static int list_left_open(unsigned index, int *numbers, int most) {
    int count = 0;
    for (int fd = fd_next(0, FD_LIMIT - 1); fd >= 0 && count < most;
         fd = fd_next((unsigned)fd + 1, FD_LIMIT - 1)) {
        unsigned entry = fd_entry(fd);
        bool is_its = fd_kind_of(entry) == FD_LISTENER && fd_index_of(entry) == index;
        int flags = is_its ? real.fcntl(fd, F_GETFD) : -1;
        if (flags >= 0 && !(flags & FD_CLOEXEC) && socket_cookie(fd) == listener_at(index)->cookie)
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
    set_write(listener->shard.set, text);
}

/* The next image finds the server's own shards by itself, and makes a set of them again. */
static bool is_carried(const struct listener *listener) {
    return listener->references && !listener->shard.set->is_servers;
}

bool listener_write(struct text *text) {
    bool any = false;
    for (int i = 0; i < listener_end(); i++) {
        int numbers[NUMBERS_MOST];
        int count = is_carried(listener_at((unsigned)i))
                        ? list_left_open((unsigned)i, numbers, NUMBERS_MOST)
                        : 0;
        struct text before = *text;
        if (!count)
            continue;
        write_one(listener_at((unsigned)i), numbers, count, text);
        if (text->length + 1 >= text->size) { /* no room: it goes as it would without us */
            *text = before;
            text->data[text->length] = '\0';
            continue;
        }
        set_keep_open(listener_at((unsigned)i)->shard.set, true);
        any = true;
    }
    return any;
}

void listener_keep_open(bool keep) {
    for (int i = 0; i < listener_end(); i++)
        if (listener_at((unsigned)i)->references)
            set_keep_open(listener_at((unsigned)i)->shard.set, keep);
}

/* What was written of one listener. */
struct record {
    uint64_t cookie;
    int reuseport;
    int count;
    int numbers[NUMBERS_MOST];
    struct shard_set set;
};

static bool parse_one(struct record *record, const char **at) {
    int head[4];
    for (int i = 0; i < 4; i++)
        if (!text_read(at, &head[i]))
            return false;
    record->cookie = (uint64_t)head[0] | (uint64_t)head[1] << 31;
    record->reuseport = head[2];
    record->count = head[3];
    if (record->count < 1 || record->count > NUMBERS_MOST)
        return false;
    for (int i = 0; i < record->count; i++)
        if (!text_read(at, &record->numbers[i]))
            return false;
    return set_parse(&record->set, at);
}

/* Still the listener, and none that was taken up before: each number is one reference. */
static bool is_its(const struct record *record, int fd) {
    return fd_entry(fd) == FD_OTHER && socket_cookie(fd) == record->cookie;
}

/* A number by which the listener is still there, or -1. */
static int number_of(const struct record *record) {
    for (int i = 0; i < record->count; i++)
        if (is_its(record, record->numbers[i]))
            return record->numbers[i];
    return -1;
}

static void adopt(struct listener *listener, const struct record *record, int fd) {
    struct decision decision;
    decision_make(&decision, listener_config(), fd, NULL);
    if (decision.mode == MODE_OFF) {
        decision_say(&decision, NULL, 0);
        set_close(listener->shard.set);
        return;
    }
    listener->cookie = record->cookie;
    listener->reuseport = record->reuseport;
    listener->shard.set->users = 1; /* its policy is in its memory, perhaps not as it began */
    decision.why = "carried over exec";
    decision_say(&decision, &listener->shard, 0);
    for (int i = 0; i < record->count; i++)
        if (is_its(record, record->numbers[i]))
            listener_hold(listener, record->numbers[i]);
}

static void receive_one(const struct record *record) {
    struct listener *listener = listener_free();
    int fd = number_of(record);
    struct shard_set *set = listener_free_set();
    if (!listener || !set)
        return;
    listener_be_shard(listener, set, 0);
    set_take_over(set, &record->set);
    if (set_receive(set, fd))
        adopt(listener, record, fd);
}

void listener_receive(const char *text) {
    struct record record = {0};
    if (!listener_config() || !local_start() || !guard_enter())
        return;
    while (parse_one(&record, &text))
        receive_one(&record);
    guard_leave();
}
