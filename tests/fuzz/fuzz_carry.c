/*
 * fuzz carry: what an earlier image wrote down of its listeners, as somebody else would have it.
 * The library makes its sets and writes them down; the process then is as it is after exec, its
 * descriptors open and nothing known of them; and takes up a text that the input has made of the
 * true one. Nothing that is not the sets' may be touched, and nothing of them may be left.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#include "carry.h"
#include "fuzz.h"
#include "inherit.h"
#include "listener_record.h"
#include "socket_options.h"
#include "poller.h"
#include "text.h"

enum {
    LISTENERS =
        4, /* of the server, from FIRST: two, of TCP, a copy of the first, and one of unix */
    STRANGERS = FIRST + LISTENERS, /* other descriptors of the server */
    STRANGERS_END = STRANGERS + 16,
    ASIDE = 600,
    TRUTH_MOST = 128,
    TEXT_SIZE = 16384,
    SHARDS = 4
};

/* Whether the text may make the library close or hide it: it is the sets', or cannot be told from
 * what is. */
static int is_takeable[END];
static struct open_file before[END];

static int truth[TRUTH_MOST];
static int truth_count;

/* ---- what is there before exec ---- */

static int unix_listener(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX}; /* the kernel finds a name */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    MUST_BE(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
    return fd;
}

static void make_listeners(void) {
    MUST_BE(bound_socket(SOCK_STREAM, 0, 0) == FIRST);
    MUST_BE(bound_socket(SOCK_STREAM, 0, 0) == FIRST + 1);
    MUST_BE(listen(FIRST, 8) == 0 && listen(FIRST + 1, 8) == 0);
    MUST_BE(dup(FIRST) == FIRST + 2);
    MUST_BE(unix_listener() == FIRST + 3);
    MUST_BE(listen(FIRST + 3, 8) == 0);
}

static void read_truth(const char *text) {
    truth_count = 0;
    while (truth_count < TRUTH_MOST && text_read(&text, &truth[truth_count]))
        truth_count++;
    MUST_BE(!*text && truth_count > 24);
}

static void write_down(void) {
    static struct carry carry;
    char *none[] = {NULL};
    char *list[CARRY_ADDED_MOST];
    carry_begin(&carry, none, list, true);
    MUST_BE(carry.has_sets);
    read_truth(strchr(carry.sets, '=') + 1);
}

/* Everything that the library knows of is put aside, closed by it, and put back. */
static void execute(void) {
    int numbers[64];
    int aside[64];
    int count = 0;
    for (int fd = fd_next(0, END); fd >= 0; fd = fd_next((unsigned)fd + 1, END)) {
        is_takeable[fd] = fd_kind_of(fd_entry(fd)) == FD_HIDDEN;
        aside[count] = real.fcntl(fd, F_DUPFD, ASIDE);
        numbers[count++] = fd;
    }
    for (int fd = FIRST; fd < FIRST + LISTENERS; fd++)
        close(fd);
    MUST_BE(fd_next(0, FD_LIMIT - 1) < 0 && !listener_any());
    for (int i = 0; i < count; i++) {
        MUST_BE(real.dup2(aside[i], numbers[i]) == numbers[i]);
        real.close(aside[i]);
    }
}

/* ---- what has nothing to do with it ---- */

static int memory(int size, int seals) {
    int fd = memfd_create("stranger", MFD_ALLOW_SEALING);
    MUST_BE(ftruncate(fd, size) == 0);
    MUST_BE(!seals || real.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
    return fd;
}

static void make_strangers(void) {
    int ends[2];
    int other = bound_socket(SOCK_STREAM, 1, 0);
    MUST_BE(other == STRANGERS && real.listen(other, 8) == 0);
    bound_socket(SOCK_STREAM, 0, 0);
    bound_socket(SOCK_DGRAM, 1, 0);
    memory(SET_MEMORY_SIZE + 1, 1);
    memory(SET_MEMORY_SIZE, 0);
    MUST_BE(pipe(ends) == 0);
    open("/dev/null", O_RDWR);
    open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST_BE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    /* These cannot be told from the sets' own, but for what the text says. */
    is_takeable[memory(SET_MEMORY_SIZE, 1)] = 1;
    is_takeable[eventfd(0, 0)] = 1;
    is_takeable[epoll_create1(0)] = 1;
    int beside = bound_socket(SOCK_STREAM, 1, port_of(FIRST));
    is_takeable[beside] = 1;
    MUST_BE(beside < STRANGERS_END);
}

/* ---- the text ---- */

static void add_number(struct text *text, long long number) {
    text_num(text, number);
    text_char(text, ',');
}

static long long number(struct input *in) {
    static const long long special[] = {
        -1,        0,         1,         2,         3,        4,       255,        256,         257,
        INT32_MAX, INT32_MIN, 1LL << 31, 1LL << 32, FD_LIMIT, END - 1, -INT32_MAX, FD_LIMIT - 1};
    unsigned kind = next_byte(in);
    unsigned value = next_byte(in);
    if (kind % 4 == 0)
        return special[value % (sizeof special / sizeof special[0])];
    if (kind % 4 == 1)
        return FIRST + value % 32;
    return kind % 4 == 2 ? truth[value % (unsigned)truth_count] : END - 1 - value % 16;
}

/* The true one, with some numbers replaced. */
static void patch(struct text *text, struct input *in) {
    long long numbers[TRUTH_MOST] = {0};
    for (int i = 0; i < truth_count; i++)
        numbers[i] = truth[i];
    while (in->left) {
        unsigned place = next_byte(in) % (unsigned)truth_count;
        numbers[place] = number(in);
    }
    for (int i = 0; i < truth_count; i++)
        add_number(text, numbers[i]);
}

static void add_cookie(struct text *text, int fd) {
    uint64_t cookie = socket_cookie(fd);
    add_number(text, (long long)(cookie & INT32_MAX));
    add_number(text, (long long)(cookie >> 31 & INT32_MAX));
}

/* Pieces of the true one, and others. */
static void compose(struct text *text, struct input *in) {
    while (in->left) {
        unsigned kind = next_byte(in) % 8;
        unsigned value = next_byte(in);
        long long repeated = kind == 0 ? number(in) : 0;
        if (kind == 0)
            for (unsigned i = 0; i < value; i++)
                add_number(text, repeated);
        else if (kind < 4)
            for (unsigned i = 0; i < value % 32U; i++)
                add_number(text, truth[(value / 8U + i) % (unsigned)truth_count]);
        else if (kind == 4)
            add_cookie(text, FIRST + (int)(value % 32));
        else if (kind == 5)
            text_char(text, (char)(value ? value : ','));
        else
            add_number(text, kind == 6 ? value % 16 : number(in));
    }
}

static void raw(struct text *text, struct input *in) {
    while (in->left)
        text_char(text, (char)next_byte(in));
}

static void make_text(struct text *text, struct input *in) {
    static void (*const ways[])(struct text *, struct input *) = {patch, patch, compose, raw};
    text_str(text, "_UNHERD_SETS=");
    ways[next_byte(in) % 4](text, in);
}

/* ---- what must be so afterwards ---- */

static int is_servers_listener(int fd) {
    int accepts = 0;
    socklen_t length = sizeof accepts;
    return real.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) == 0 && accepts;
}

static void check_number(int fd, struct open_file now) {
    enum fd_kind kind = fd_kind_of(fd_entry(fd));
    if (!now.is_open)
        MUST_BE(kind == FD_OTHER);
    if (is_takeable[fd] && kind != FD_LISTENER) {
        MUST_BE(!now.is_open || is_same_file(&now, &before[fd]));
        return;
    }
    MUST_BE(kind != FD_HIDDEN);
    MUST_BE(is_same_file(&now, &before[fd]));
    MUST_BE(now.flags == before[fd].flags);
    MUST_BE(kind == FD_OTHER || is_servers_listener(fd));
}

/* One descriptor belongs to one set, and is hidden. */
static void check_held(int fd, int *held) {
    MUST_BE(fd >= FIRST && fd < END && fd_kind_of(fd_entry(fd)) == FD_HIDDEN);
    MUST_BE(!held[fd]++);
}

static void check_sets(void) {
    int held[END] = {0};
    for (int i = 0; i < listener_end(); i++) {
        const struct shard_set *set = listener_at((unsigned)i)->shard.set;
        if (!listener_at((unsigned)i)->references)
            continue;
        MUST_BE(set->count >= 1 && set->count <= SHARDS_MAX);
        check_held(set->memory_fd, held);
        if (set->count > 1)
            check_held(set->kick_fd, held);
        for (int shard = 1; shard < set->count; shard++)
            check_held(set->fd[shard], held);
    }
}

static int received(int fd) {
    unsigned entry = fd_entry(fd);
    return fd_kind_of(entry) == FD_LISTENER ? listener_at(fd_index_of(entry))->shard.set->count : 0;
}

/* ---- what was taken up is used, and given back ---- */

static void dial(int fd) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = port_of(fd), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    end_by_reset(client);
    real.connect(client, (struct sockaddr *)&address, sizeof address);
}

static void use(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    int epfd = epoll_create1(0);
    MUST_BE(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == 0);
    for (int i = 0; i < 3; i++) {
        epoll_wait(epfd, &event, 1, 0);
        dial(fd);
        accept4(fd, NULL, NULL, SOCK_NONBLOCK);
    }
}

static void give_back(void) {
    for (int fd = FIRST; fd < ASIDE; fd++)
        close(fd);
    MUST_BE(fd_next(0, FD_LIMIT - 1) < 0 && !listener_any());
    real.close_range(FIRST, END, 0);
}

static void receive(struct input *in) {
    static char data[TEXT_SIZE];
    struct open_file now[END];
    struct text text = text_of(data, sizeof data);
    int is_true = in->left == 0;
    make_text(&text, in);
    carry_start((char *const[]){data, NULL});
    open_files(now);
    for (int fd = FIRST; fd < END; fd++)
        check_number(fd, now[fd]);
    check_sets();
    if (is_true)
        MUST_BE(received(FIRST) == SHARDS && received(FIRST + 1) == SHARDS &&
                received(FIRST + 2) == SHARDS && received(FIRST + 3) == 1);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static struct config config;
    (void)argc;
    (void)argv;
    real_find();
    config_read(&config,
                (char *const[]){"UNHERD_MODE=reuseport", "UNHERD_SHARDS=4", "UNHERD_LOG=off", NULL},
                1);
    listener_start(&config);
    poller_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    unsigned finds = next_byte(&in);
    prepare_numbers();
    memset(is_takeable, 0, sizeof is_takeable);
    make_listeners();
    write_down();
    execute();
    make_strangers();
    open_files(before);
    receive(&in);
    if (finds & 1)
        inherit_start((char *const[]){NULL});
    check_sets();
    for (int fd = FIRST; fd < FIRST + LISTENERS; fd++)
        use(fd);
    give_back();
    return 0;
}
