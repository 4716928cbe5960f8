/*
 * schedule: random schedules of workers around one listener, checked against what must hold.
 *
 * A master makes the listener, forks workers, and commands each over a socket pair of its own; it
 * is also the client. The files: worker.c is what a worker does, crew.c the master's view of them,
 * clients.c the connections, queues.c and holdings.c what the kernel shows of it all, steps.c the
 * steps, ../schedule.c the schedule.
 */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "../lab.h"
#include "policy.h"

enum { WORKERS = 8, PATIENCE_MS = 5000 };

enum kind { LEVEL, EDGE, POLL, SELECT, ACCEPT, KINDS };

enum mood {
    BUSY, /* waits for nothing but orders */
    IDLE, /* waits, and serves */
    ONCE  /* waits once, serves and is busy again: which of the two it is now, only it knows */
};

enum what { BE_BUSY, SERVE_ONE, SERVE_ALL, SERVE_ONCE, DELETE, ADD, CLOSE, LET_GO, HOST, END };

struct order {
    enum what what;
    int number;     /* HOST: of the thread that is to be started */
    enum kind kind; /* and its kind */
};

struct report {
    pid_t tid;
    int epfd; /* -1: it has none */
};

struct worker {
    bool lives, is_thread, is_stopped;
    bool is_pending; /* an order was given, the report is still to come */
    bool is_open;    /* it has an instance */
    bool is_added;   /* the listener, to the instance */
    bool is_deaf;    /* its process has closed the listener */
    bool has_waited; /* while its process had the listener */
    bool holds;      /* it has waited, and nothing has ended that yet for the library */
    enum kind kind;
    enum mood mood;
    pid_t pid, tid;
    int epfd;
};

extern struct worker crew[WORKERS];
extern int channels[WORKERS][2]; /* the master's end, the worker's */
extern int listener_fd;
extern bool listener_blocks;

static inline bool has_instance(enum kind kind) {
    return kind == LEVEL || kind == EDGE;
}

/* ---- worker.c ---- */

extern bool worker_leaves_told; /* of connections, and does not take them first */

__attribute__((noreturn)) void worker_live(int number, enum kind kind);

/* ---- crew.c ---- */

void crew_open(bool blocks);
void crew_start(int number, enum kind kind);
void crew_host(int number, int host, enum kind kind);
void crew_order(int number, enum what what);
void crew_stop(pid_t pid);
void crew_continue(pid_t pid);
/* A process and all its threads, in good order or not. */
void crew_end(pid_t pid, bool is_kill);
int crew_size_of(pid_t pid);
/* It waits for connections, or would be woken if it were not stopped. */
bool crew_can_watch(const struct worker *worker);
bool crew_watches(const struct worker *worker);
int crew_count_watching(void);
/* Those that the library takes for waiting, sooner or later, and that will not come. */
int crew_count_stuck(void);
/* Every order has been reported. */
void crew_collect(void);
/* Everybody sleeps, and nobody is about to wake another. */
bool crew_is_at_rest(void);
/* The system call in which a thread sleeps; -1: it does not. */
long sleeps_in(pid_t tid);

/* ---- clients.c ---- */

void clients_connect(int count);
void clients_forget(void); /* in a child: they are the master's */
int clients_waiting(void);
/* Every one has its answer, its own and only once. */
void clients_settle(void);

/* ---- queues.c ---- */

enum { QUEUES_MOST = 256, SAID_MOST = 200 };

/* What is wrong, in the text `said` of each file. */
#define WRONG(...) (snprintf(said, sizeof said, __VA_ARGS__), said)

extern unsigned long listener_inode;

/* Looks which queues there are at that port. */
void queues_list(uint16_t ours);
int queues_count(void);
/* NULL, or what is wrong: a queue that nobody watches. */
const char *queues_check(void);
/* Whether one of those that were there when they were looked at last is still. */
bool queues_any_left(uint16_t port);
void queues_print(void);
DIR *open_directory(pid_t pid);
bool is_link(pid_t pid, const char *number, const char *wanted);

/* ---- holdings.c ---- */

void holdings_begin(void);
/* NULL, or what is wrong; the queues were looked at just now. */
const char *holdings_check_claims(void);
const char *holdings_check_descriptors(void);
/* All are gone, and the master closes its listener: nothing of it is left. */
void holdings_end(void);
void holdings_print(void);
/* As unherd set does it. */
void holdings_set_policy(struct policy policy, bool kicks);

/* ---- steps.c ---- */

void steps_make_one(void);
/* Everybody answered, and gone. */
void steps_finish(void);

/* ---- ../schedule.c ---- */

struct plan {
    int seed, schedules, steps, stuck, abrupt, leaving, policy, trace;
};
extern struct plan plan;

enum { LOG_SIZE = 1 << 16 };

struct totals {
    long schedules, steps, connections, kills;
    int queues;
    size_t log_size;
    char log[LOG_SIZE]; /* the steps of this schedule; they outlive the process that makes them */
};
extern struct totals *totals;
extern const char *const kinds[];

/* A number below that, by the seed. */
unsigned below(unsigned end);
/* One more line of the steps. */
__attribute__((format(printf, 1, 2))) void note(const char *format, ...);
/* Waits until nothing moves, and checks all that must hold then. */
void quiet(void);
__attribute__((noreturn, format(printf, 1, 2))) void violation(const char *format, ...);
long long milliseconds(void);

#endif
