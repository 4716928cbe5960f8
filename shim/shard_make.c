/*
 * shard make: a set comes to be: its memory, its eventfd, and the spares beside the listener.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hidden.h"
#include "real.h"
#include "shard_set.h"
#include "socket_options.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* Growing a file beyond RLIMIT_FSIZE is not just refused: SIGXFSZ would end the server. */
static bool may_grow(size_t size) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || size <= limit.rlim_cur)
        return true;
    errno = EFBIG;
    return false;
}

bool set_map_memory(struct shard_set *set) {
    int place = set->shared ? MAP_FIXED : 0;
    void *memory = mmap(set->shared, SET_MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | place,
                        set->memory_fd, 0);
    if (memory == MAP_FAILED)
        return false;
    if (!set->shared) /* else it is there, where others may be looking */
        set->shared = memory;
    return true;
}

/* The memory lives as a memfd, not as an anonymous mapping: claims are record locks on its bytes.
 */
static bool make_memory(struct shard_set *set, int count) {
    if (!may_grow(SET_MEMORY_SIZE))
        return false;
    set->memory_fd = hidden_take(memfd_create("unherd", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (set->memory_fd < 0 || ftruncate(set->memory_fd, (off_t)SET_MEMORY_SIZE) < 0 ||
        real.fcntl(set->memory_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ||
        !set_map_memory(set))
        return false;
    set->shared->magic = SHARED_MAGIC;
    set->shared->version = SHARED_VERSION;
    set->shared->size = (uint32_t)SET_MEMORY_SIZE;
    set->shared->count = (uint32_t)count;
    atomic_store(&set->shared->kick_fd, -1);
    atomic_store(&set->shared->generation, 1); /* 0 stands for "no generation seen yet" */
    atomic_store(&set->shared->shards[0].state, SHARD_LISTENING);
    return true;
}

static int same_kind_of_socket(int fd) {
    int domain = 0;
    int protocol = 0;
    socklen_t length = sizeof domain;
    if (real.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0 ||
        real.getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) < 0)
        return -1;
    return socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

/*
 * A socket belongs to the network namespace that its maker was in, for ever. A kernel before 5.14
 * names none (SO_NETNS_COOKIE, socket(7)).
 */
static uint64_t network_of(int fd) {
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    return real.getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) < 0 ? 0 : cookie;
}

static bool is_beside(int listener_fd, int spare) {
    if (network_of(listener_fd) == network_of(spare))
        return true;
    errno = EXDEV;
    return false;
}

/* One spare, bound beside the listener, or -1 with errno. */
static int make_spare(int listener_fd, const struct sockaddr *address, socklen_t length) {
    int spare = hidden_take(same_kind_of_socket(listener_fd));
    if (spare < 0)
        return -1;
    if (is_beside(listener_fd, spare) && socket_options_copy(listener_fd, spare) == 0 &&
        real.setsockopt(spare, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int)) == 0 &&
        real.bind(spare, address, length) == 0)
        return spare;
    int saved = errno;
    hidden_close(spare);
    errno = saved;
    return -1;
}

/* Makes as many of the spares as it can; set->count says how many shards there are then. */
static void make_spares(struct shard_set *set, int listener_fd, int wanted) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (real.getsockname(listener_fd, (struct sockaddr *)&address, &length) < 0)
        return;
    while (set->count < wanted) {
        int spare = make_spare(listener_fd, (struct sockaddr *)&address, length);
        if (spare < 0)
            return;
        set->fd[set->count++] = spare;
    }
}

bool set_make_kick(struct shard_set *set) {
    if (set->kick_fd < 0)
        set->kick_fd = hidden_take(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    atomic_store(&set->shared->kick_fd, set->kick_fd);
    return set->kick_fd >= 0;
}

/* Turns one queue into many: the group option on the listener, the eventfd, the spares. */
static bool make_group(struct shard_set *set, int listener_fd, int wanted, const char **why) {
    *why = "SO_REUSEPORT was refused";
    int before = 0;
    socklen_t length = sizeof before;
    if (real.getsockopt(listener_fd, SOL_SOCKET, SO_REUSEPORT, &before, &length) < 0 ||
        real.setsockopt(listener_fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int)) < 0)
        return false;
    /* An earlier owner of the socket may have handed it over. */
    real.setsockopt(listener_fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &(int){0}, sizeof(int));
    *why = "no eventfd";
    if (set_make_kick(set)) {
        make_spares(set, listener_fd, wanted);
        *why =
            errno == EXDEV ? "it belongs to another network namespace" : "no spare could be bound";
    }
    if (set->count > 1) {
        *why = set->count < wanted ? "fewer spares than asked for" : NULL;
        return true;
    }
    int saved = errno;
    hidden_close(set->kick_fd);
    set->kick_fd = -1;
    atomic_store(&set->shared->kick_fd, -1);
    real.setsockopt(listener_fd, SOL_SOCKET, SO_REUSEPORT, &before, sizeof before);
    errno = saved;
    return false;
}

bool set_make(struct shard_set *set, int listener_fd, int wanted, int backlog, const char **why) {
    *why = NULL;
    set->count = 1;
    set->is_servers = false;
    set->fd[0] = set->memory_fd = set->kick_fd = -1;
    atomic_store(&set->hint, -1);
    int room = (int)hidden_room() - 2; /* the memory and the eventfd */
    int possible = wanted <= 1 + room ? wanted : 1 + (room > 0 ? room : 0);
    if (!make_memory(set, possible)) {
        *why = "no shared memory";
        int saved = errno;
        set_close(set);
        errno = saved;
        return false;
    }
    atomic_store(&set->shared->backlog, backlog);
    if (possible > 1)
        make_group(set, listener_fd, possible, why);
    else
        errno = EMFILE;
    set->shared->count = (uint32_t)set->count;
    if (possible < wanted && !*why)
        *why = "RLIMIT_NOFILE leaves room for no more";
    return true;
}
