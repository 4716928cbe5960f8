#include "watch_table.h"

#include "fd_table.h"
#include "hot.h"
#include "local.h"

_Static_assert((int)WATCH_LIMIT <= (int)FD_INDEX_LIMIT && (int)INSTANCE_LIMIT < (int)FD_INDEX_LIMIT,
               "an index has to fit an entry of the fd table");

static struct instance instances[INSTANCE_LIMIT];
struct watch watch_records[WATCH_LIMIT];
static _Atomic int watches_used; /* so that a search does not make the whole pool resident */

/* Of members of any type; another thread may be reading one. */
typedef uint32_t __attribute__((may_alias)) word;

static void clear(void *from, const void *end) {
    for (word *at = from; at < (const word *)end; at++)
        __atomic_store_n(at, 0, __ATOMIC_RELAXED);
}

/* Not the members before that one, without which a thread that still looks at it would be lost. */
#define CLEAR_FROM(record, member) clear(&(record)->member, (record) + 1)

HOT struct instance *instance_at(unsigned index) {
    return &instances[index % INSTANCE_LIMIT];
}

unsigned instance_index(const struct instance *instance) {
    return (unsigned)(instance - instances);
}

int watch_end(void) {
    return atomic_load(&watches_used);
}

int watch_index(const struct watch *watch) {
    return (int)(watch - watch_records);
}

struct instance *instance_find(int epfd) {
    unsigned entry = fd_entry(epfd);
    if (fd_kind_of(entry) == FD_HIDDEN && fd_index_of(entry))
        return instance_at(fd_index_of(entry) - 1);
    return fd_kind_of(entry) == FD_INSTANCE ? instance_at(fd_index_of(entry)) : NULL;
}

static struct instance *instance_make(int epfd) {
    for (unsigned i = 0; i < INSTANCE_LIMIT; i++) {
        if (instances[i].references)
            continue;
        struct instance *instance = &instances[i];
        CLEAR_FROM(instance, forks);
        instance->epfd = epfd;
        instance->pid = local_pid();
        instance->forks = local_forks();
        instance->references = 1;
        instance->is_own = fd_kind_of(fd_entry(epfd)) == FD_HIDDEN;
        atomic_store(&instance->first, NULL);
        fd_set_entry(epfd, instance->is_own ? FD_HIDDEN : FD_INSTANCE,
                     instance->is_own ? i + 1 : i);
        return instance;
    }
    return NULL;
}

struct instance *instance_for(int epfd) {
    struct instance *found = instance_find(epfd);
    return found ? found : instance_make(epfd);
}

HOT bool instance_is_mine(const struct instance *instance) {
    return instance->pid == local_pid();
}

bool instance_may_be_shared(const struct instance *instance) {
    return !instance->is_own && instance->forks != local_forks();
}

struct watch *watch_find(const struct instance *instance, int fd) {
    WATCHES_OF (watch, instance)
        if (watch->fd == fd && !watch->frozen)
            return watch;
    return NULL;
}

HOT struct watch *watch_find_shard(const struct instance *instance, const struct shard *own) {
    WATCHES_OF (watch, instance)
        if (watch_is_of(watch, own))
            return watch;
    return NULL;
}

HOT struct watch *watch_find_data(const struct instance *instance, uint64_t data) {
    WATCHES_OF (watch, instance)
        if (watch->is_filtered && atomic_load(&watch->data) == data)
            return watch;
    return NULL;
}

struct watch *watch_make(struct instance *instance, int fd, const struct shard *own) {
    for (int i = 0; i < WATCH_LIMIT; i++) {
        struct watch *watch = &watch_records[i];
        if (atomic_load(&watch->set))
            continue;
        atomic_store(&watch->instance, instance);
        CLEAR_FROM(watch, asked);
        atomic_store(&watch->next, atomic_load(&instance->first));
        watch->own = watch->home = own->number;
        atomic_store(&watch->place, NO_PLACE);
        watch->fd = fd;
        atomic_store(&watch->armed, true);
        atomic_store(&watch->set, own->set);
        atomic_store(&instance->first, watch);
        if (i >= watch_end())
            atomic_store(&watches_used, i + 1);
        return watch;
    }
    return NULL;
}

void watch_free(struct watch *watch) {
    _Atomic(struct watch *) *link = &watch->instance->first;
    while (atomic_load(link) && atomic_load(link) != watch)
        link = &atomic_load(link)->next;
    atomic_store(link, atomic_load(&watch->next));
    atomic_store(&watch->set, NULL);
}

void instance_refilter(struct instance *instance) {
    uint64_t filter = 0;
    WATCHES_OF (watch, instance)
        if (watch->is_filtered)
            filter |= filter_bits(atomic_load(&watch->data));
    atomic_store(&instance->filter, filter);
    atomic_store(&instance->filtered, filter != 0);
}
