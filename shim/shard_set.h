/*
 * shard set: all the shards of one listener. Knows how spares are made and kept alike; not who
 * waits.
 *
 * Shard 0 is the listener's own socket, under whatever number the server has for it. The others are
 * made when the server calls listen(), by the process that does (later workers have given up the
 * privileges for it): bound, with SO_REUSEPORT, but not listening, so that they receive nothing
 * until a worker claims one. The listener gets SO_REUSEPORT only after its own bind(), which
 * therefore failed or succeeded exactly as without us.
 *
 * A set is copied by fork like everything else; its descriptors are the same numbers in each
 * process.
 */
#ifndef UNHERD_SHARD_SET_H
#define UNHERD_SHARD_SET_H

#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "config.h"
#include "hot.h"
#include "policy.h"
#include "shard_bits.h"
#include "shared.h"
#include "text.h"

/* As large for every set; what no shard uses is never touched, and takes no memory. */
enum { SET_MEMORY_SIZE = sizeof(struct shared) };

struct shard_set {
    _Alignas(64) _Atomic int users; /* listeners of this process that are shards of it; 0: the
                                       record is free */
    _Atomic int count;              /* shards, 1 to SHARDS_MAX; 1: nothing is sharded */
    _Atomic bool is_servers;        /* the server shards by itself: see shard_own.c */
    _Atomic int
        memory_fd; /* hidden: the memfd behind `shared`; its bytes carry the claims' record locks */
    _Atomic int kick_fd;   /* hidden: an eventfd that wakes every worker once; -1 when count is 1 */
    struct shared *shared; /* NULL until the record is first used, the same address ever after */
    _Atomic pid_t
        acceptor; /* watch_prove.c: the process that is known to accept from it, or a parent */
    _Atomic uint64_t attendant; /* attendant.c: the place of those that are not seen to wait */
    _Atomic pid_t entered; /* worker.c: the process that is in worker_enter_own(), or a parent */
    _Atomic int hint;      /* watch.c: the watch that was last used with this set, an index or -1 */
    /* Up to here is what every connection needs, on one line. */
    _Atomic int fd[SHARDS_MAX];  /* hidden; fd[0] is -1 where shard 0 is all that is the server's */
    struct shard_bits abandoned; /* the server's own that it has closed in this process */
    struct shard_bits unkept;    /* its own that are not kept then */
};

/* One shard, the one by which the server knows its listener: number 0 unless it has several. */
struct shard {
    _Atomic(struct shard_set *) set;
    _Atomic int number;
};

/* ---- making one: shard_make.c ---- */

/*
 * *set must be zeroed, or once made and closed, or refused. Makes the set of a socket that has just
 * begun to listen. wanted: shards in all; 1 asks for the shared memory alone. Returns true, perhaps
 * with fewer shards than wanted; then *why says the cause in a few words (else NULL). False when
 * there is not even shared memory; *why says the cause, nothing is left.
 */
bool set_make(struct shard_set *set, int listener_fd, int wanted, int backlog, const char **why);

/* The eventfd, if it is not there yet. False with errno. */
bool set_make_kick(struct shard_set *set);

/*
 * Maps the set's memory; in the place of the last set's, if the record had one: a thread that still
 * looks at that sees the old or the new, and is never without.
 */
bool set_map_memory(struct shard_set *set);

/* ---- what it does: shard_set.c ---- */

/* Makes spare `shard` listen. 0, or -1 with errno. */
int set_listen(struct shard_set *set, int shard);

/* The server called listen() again on own_fd: the new backlog for all shards that listen, or
 * should. */
void set_listen_again(struct shard_set *set, int own_fd, int backlog);

/* What the server did to its listener, done to the other shards; of its own, it does it itself. */
void set_shutdown(const struct shard_set *set, int how);
void set_option(const struct shard_set *set, int level, int name, const void *value,
                socklen_t length);

/* Adds the queues (tcpi_unacked) and backlogs (tcpi_sacked) of the other listening shards to *info.
 */
void set_add_queues(const struct shard_set *set, struct tcp_info *info);

/* The descriptor of a shard; own_fd is the server's number for its own. */
static inline int set_fd(const struct shard *own, int shard, int own_fd) {
    return shard == own->number ? own_fd : own->set->fd[shard];
}

static inline bool set_is_listening(const struct shard_set *set, int shard) {
    return atomic_load(&set->shared->shards[shard].state) == SHARD_LISTENING;
}

/* Whether the kernel says that the shard listens; one system call. One that is the server's alone,
 * always; one that was dropped, never. */
bool set_accepts(const struct shard_set *set, int shard);

/*
 * Whether accept on fd, a descriptor of the shard, would block. Asked of the kernel until it was
 * seen with O_NONBLOCK, and again after anybody changed its flags; `nonblocking` in the shared
 * memory remembers.
 */
bool set_blocks(const struct shard_set *set, int shard, int fd);

/* The same, asked of the kernel; errno stays. */
bool set_blocks_really(const struct shard_set *set, int shard, int fd);

/* Wakes every worker of the set once, so that each looks at the claims again. */
void set_kick(const struct shard_set *set);

/* Wakes all who wait for a socket that listens, one of the set's: what is queued there, somebody
 * was told of and leaves. And before the server listens on one again: takes back what that may have
 * left behind. errno may change. */
void set_wake_waiters(const struct shard_set *set, int fd);
void set_before_listen(const struct shard_set *set, int fd);

/* Wakes whoever waits for the set's queues, so that each looks at what somebody was told of and
 * leaves; own_fd: the server's number for its own, if that is still open, else -1. */
void set_pass_on(const struct shard_set *set, int own_fd);

/* What is to be watched has changed: a new generation, and a kick. errno may change. */
void set_changed(const struct shard_set *set);

/* The first half of that; returns the generation that has ended. */
uint32_t set_advance(const struct shard_set *set);

/* Changes with what is to be watched. */
uint32_t set_generation(const struct shard_set *set);

/* Whether two workers were seen waiting at once in this generation, or in that one, so that there
 * is no accept mutex; else there may be one. */
bool set_is_concurrent(const struct shard_set *set);
bool set_was_concurrent(const struct shard_set *set, uint32_t generation);

/* It was seen in that generation. True: it is news, and holds for now. */
bool set_note_concurrent(const struct shard_set *set, uint32_t generation);

/* In that generation it was; and it is so in the next, as two wait now. */
void set_stays_concurrent(const struct shard_set *set, uint32_t generation);

/* Moves the hidden descriptors up after RLIMIT_NOFILE grew; only while nothing is registered here.
 */
void set_move_up(struct shard_set *set);

/* ---- where new connections go: shard_policy.c ---- */

/*
 * The listener, own_fd, goes to a process that knows nothing of the other shards, perhaps to take
 * this one's place: from now on every new connection goes to shard 0, which both have, so that the
 * others are empty when this process closes them.
 */
void set_hand_over(const struct shard_set *set, int own_fd);

/* Whether every new connection is to go to shard 0 whatever the workers do: no further spare is to
 * listen. */
bool set_goes_to_first(const struct shard_set *set);

/* From now on every new connection goes to shard 0, or to any again. True: to shard 0 for the first
 * time. errno may change. */
bool set_gather(const struct shard_set *set, bool gathers);

/* Whether that was ever done, and so may be again. */
bool set_has_gathered(const struct shard_set *set);

/* Tells the kernel once more, in case that whoever did was killed half way. errno may change. */
void set_choose_again(const struct shard_set *set);

/* The server makes the choice itself. */
void set_leave_choice(const struct shard_set *set);

static inline bool set_gathers(const struct shard_set *set) {
    return UNLIKELY(atomic_load_explicit(&set->shared->gathers, memory_order_relaxed) == GATHERS);
}

/* Whether shard 0 goes first: it is so, or was until that was almost full. */
static inline bool set_empties_first(const struct shard_set *set) {
    return UNLIKELY(atomic_load_explicit(&set->shared->gathers, memory_order_relaxed) >=
                    GATHERS_DRAINS);
}

/* Not gathered any more, shard 0 is to be emptied first; or it has been. */
void set_drain(const struct shard_set *set, bool drains);

/* Tells the kernel what new connections go to now, by one of the group's sockets that listens.
 * Whether it would. */
bool set_choose(const struct shard_set *set, int fd);

/* The policy that a new set begins with: that of the variables. */
void set_begin_policy(const struct shard_set *set, struct policy policy);

/* Whether every worker knows the policy that is in force, or will at once. */
bool set_is_followed(const struct shard_set *set);

/* The caller has seen a new policy, by that word, and has done what is its own to do. */
void set_follow(const struct shard_set *set, uint32_t word);

static inline uint32_t set_policy_word(const struct shard_set *set) {
    return atomic_load_explicit(&set->shared->policy, memory_order_relaxed);
}

static inline struct policy set_policy(const struct shard_set *set) {
    return policy_of(set_policy_word(set));
}

/* The mode in force. */
static inline enum mode set_mode_by(const struct shard_set *set, uint32_t word) {
    return policy_mode(policy_of(word), set->count > 1, set->is_servers);
}

static inline enum mode set_mode(const struct shard_set *set) {
    return set_mode_by(set, set_policy_word(set));
}

/* Whether a set with several shards is to be as if it had one. What waits in the others, and those
 * connections that were on the way to them, are taken by whoever waits. */
static inline bool set_is_one_queue_by(const struct shard_set *set, uint32_t word) {
    return LIKELY(set->count > 1) && LIKELY(!set->is_servers) &&
           UNLIKELY(policy_is_one_queue(policy_of(word)));
}

static inline bool set_is_one_queue(const struct shard_set *set) {
    return set_is_one_queue_by(set, set_policy_word(set));
}

/* Thieves per shard. */
static inline unsigned set_steal(const struct shard_set *set) {
    return set_mode(set) == MODE_OFF ? 0 : set_policy(set).steal;
}

/* ---- the server's own shards: shard_own.c ---- */

/*
 * Makes the socket fd a shard of the set, to which first_fd, shard 0, belongs already; both are the
 * server's numbers, and listen. shard: a number that was dropped, or the next; a second shard's is
 * 1. False with errno: the set is what it was.
 */
bool set_join(struct shard_set *set, int shard, int first_fd, int fd);

/*
 * One that the server had closed becomes fd, with what is queued in it: its number, or -1. fd has
 * no other number, and is in no epoll instance: what is known by those would not be it any more.
 */
int set_revive(struct shard_set *set, int fd);

/* The server adds its shard to an epoll instance by itself: it may not outlive the server's own
 * descriptor, whose end ends the registration. */
void set_unkeep(struct shard_set *set, int shard);

/*
 * The server has closed the last descriptor of its shard in this process; others are open. True: it
 * is kept, for the others to empty. False: nobody is to use it, and set_drop() follows.
 */
bool set_abandon(struct shard_set *set, int shard);

/* Closes a shard of the server's own that nothing of this process has registered. Its number is
 * nobody's in this process any more; other processes may have it open. */
void set_drop(struct shard_set *set, int shard);

/* The server has shut its shard down, or has listen()ed on it again. */
void set_own_listens(const struct shard_set *set, int shard, bool listens);

/* ---- over exec ---- */

/* The descriptors of a set, as a text that the next image can read. */
void set_write(const struct shard_set *set, struct text *text);

/* Whether the set's descriptors stay open when this process executes another image. */
void set_keep_open(const struct shard_set *set, bool keep);

/* Reads what set_write() wrote, into a set that has no memory yet; *at moves on. False: no set. */
bool set_parse(struct shard_set *set, const char **at);

/* The numbers of a set that was parsed, into a record that may have been used before. */
void set_take_over(struct shard_set *set, const struct shard_set *from);

/* Takes up the descriptors, if each is what it was; else those of them that are the set's are
 * closed. */
bool set_receive(struct shard_set *set, int listener_fd);

/* Gives everything back, in this process. */
void set_close(struct shard_set *set);

#endif
