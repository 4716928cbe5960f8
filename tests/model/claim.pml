/*
 * The claims of a shard set, and what becomes of connections meanwhile: workers that come, wait, are
 * told, accept, hang, leave in good order, and are killed at any moment.
 *
 * A step here is a system call, or what one thread does under the guard between two of them. The
 * kernel is taken at its worst: of all who wait for a shard it may wake any one, and tell any of
 * those who do not wait at the moment; a worker that is killed after it was woken takes that with
 * it. What must hold in the end, when nothing moves any more: where anybody waits, nothing is queued.
 *
 * Built with -DMUTEX only the holder of an accept mutex waits; with -DFREE=1 too one worker takes no
 * part in that, as those that a reload leaves over, and nobody comes before it has left. The
 * mutations, each a mistake that the code could have: NO_KICK, NO_PROOF, NO_LOOK, SEEN_LATE,
 * SILENT_LEAVING, ALWAYS_KNOWN, STALE_PROOF.
 */
#ifndef WORKERS
#define WORKERS 3
#endif
#ifndef SHARDS
#define SHARDS 3
#endif
#ifndef STEAL
#define STEAL 1
#endif
#ifndef CONNECTIONS
#define CONNECTIONS 2
#endif
#ifndef KILLED
#define KILLED 1 /* workers that are killed; the master makes another in the place of each */
#endif
#ifndef HANGING
#define HANGING 1 /* at most STEAL: an owner and all its thieves may not hang at once */
#endif
#ifndef LEAVING
#define LEAVING 1
#endif

#ifndef FREE
#define FREE 0
#endif

#define NOBODY 255
#define AT(w, s) ((w) * SHARDS + (s))

bit listening[SHARDS];
byte owner[SHARDS];  /* record locks: the kernel drops them at death */
byte queue[SHARDS];
byte waiter = NOBODY; /* shared memory: who began to wait last, and has not ended */
byte generation = 1;
byte concurrent = 0;
bit in_wait[WORKERS]; /* shared memory, and the lock: it waits, woken or not, and lives */

bit registered[WORKERS * SHARDS];
bit told[WORKERS * SHARDS]; /* the ready list of its epoll instance */
bit has_kick[WORKERS];
bit kicked[WORKERS];
bit waiting[WORKERS]; /* inside epoll_wait, and not woken yet: the kernel wakes nobody twice */
bit alive[WORKERS];

byte to_come = CONNECTIONS;
byte to_kill = KILLED;
byte to_hang = HANGING;
byte to_leave = LEAVING;
#ifdef MUTEX
byte mutex = NOBODY;
#endif

/* ---- the kernel ---- */

inline register(w, s) {
    registered[AT(w, s)] = 1;
    told[AT(w, s)] = (queue[s] > 0) /* EPOLL_CTL_ADD reports what is there already */
}

inline unregister(w, s) {
    registered[AT(w, s)] = 0;
    told[AT(w, s)] = 0
}

inline kick_all() {
    kicks = 0;
    do
    :: kicks < WORKERS && has_kick[kicks] -> kicked[kicks] = 1; waiting[kicks] = 0; kicks++
    :: kicks < WORKERS && !has_kick[kicks] -> kicks++
    :: kicks == WORKERS -> break
    od;
    kicks = 0
}

/* The owner stands first. If it does not wait, any one of those that wait is woken; any of the busy
 * may stand before it, and is told too, as the owner is. With nobody to wake, all are told. */
inline connection_at(s) {
    queue[s]++;
    woken = NOBODY;
    x = 0;
    do
    :: x < WORKERS && registered[AT(x, s)] && waiting[x] ->
        if
        :: woken = x
        :: woken != NOBODY -> skip
        fi;
        if
        :: owner[s] == x -> break
        :: else -> x++
        fi
    :: x < WORKERS && !(registered[AT(x, s)] && waiting[x]) -> x++
    :: x == WORKERS -> break
    od;
    x = 0;
    do
    :: x < WORKERS && registered[AT(x, s)] && (x == woken || !waiting[x]) -> told[AT(x, s)] = 1; x++
    :: x < WORKERS && x != woken && woken != NOBODY && owner[s] != x -> x++
    :: x < WORKERS && waiting[x] && owner[s] == x && x != woken -> x++
    :: x < WORKERS && !registered[AT(x, s)] -> x++
    :: x == WORKERS -> break
    od;
    if
    :: woken != NOBODY -> waiting[woken] = 0
    :: else -> skip
    fi;
    woken = 0;
    x = 0
}

proctype clients() {
    byte s, x, woken;
    do
    :: to_come > 0 && !(FREE && to_leave) -> atomic {
        to_come--;
        s = 0;
        do /* the hash picks one that listens; while none does, the client is refused */
        :: s < SHARDS - 1 -> s++
        :: break
        od;
        if
        :: listening[s] -> connection_at(s)
        :: else -> skip
        fi;
        s = 0 }
    :: to_come == 0 -> break
    od
}

/* ---- a worker ---- */

inline view_of(w, s, is_in) {
    /* home, the next STEAL that listen, and those that nobody owns; all, until two were seen waiting */
    x = (home + 1) % SHARDS;
    near = 0;
    do
    :: x == s || x == home -> break
    :: else -> near = near + listening[x]; x = (x + 1) % SHARDS
    od;
#ifdef NO_PROOF
    is_in = (s == home || near < STEAL || owner[s] == NOBODY);
#else
    is_in = (s == home || near < STEAL || owner[s] == NOBODY || concurrent != seen);
#endif
    x = 0;
    near = 0
}

inline look_at_claims(w) {
#ifndef SEEN_LATE
    seen = generation;
#endif
    s = 0;
    do
    :: s < SHARDS ->
        d_step { view_of(w, s, wanted) };
        if
        :: wanted && listening[s] && !registered[AT(w, s)] -> atomic { register(w, s) }
        :: !wanted && registered[AT(w, s)] -> atomic { unregister(w, s) }
        :: else -> skip
        fi;
        s++
    :: else -> break
    od;
    s = 0;
    wanted = 0;
#ifdef SEEN_LATE
    seen = generation
#endif
}

/* An orphan first, else a spare, which then begins to listen. Taken and listening are one step for
 * the others: a spare receives nothing, and nobody else wants one that is locked. */
inline claim(w) {
    atomic {
        s = 0;
        do
        :: s < SHARDS && !(listening[s] && owner[s] == NOBODY) -> s++
        :: s < SHARDS && listening[s] && owner[s] == NOBODY -> home = s; break
        :: s == SHARDS -> break
        od;
        if
        :: s == SHARDS ->
            s = 0;
            do
            :: s < SHARDS && owner[s] != NOBODY -> s++
            :: s < SHARDS && owner[s] == NOBODY -> home = s; break
            od
        :: else -> skip
        fi;
        assert(owner[home] == NOBODY);
        owner[home] = w;
        s = 0
    };
    listening[home] = 1
}

#ifdef ALWAYS_KNOWN
#define TWO_WAIT 1
#else
#define TWO_WAIT                                                                                   \
    (in_wait[0] + (WORKERS > 1 -> in_wait[1 % WORKERS] : 0) +                                      \
         (WORKERS > 2 -> in_wait[2 % WORKERS] : 0) >=                                              \
     2)
#endif

/* That two were seen to wait at once stays known while two others do. */
inline announce() {
    atomic {
        if
        :: concurrent == generation && TWO_WAIT -> concurrent++
        :: else -> skip
        fi;
        generation++;
#ifndef NO_KICK
        kick_all();
#endif
    }
}

inline begin(w) {
    claim(w);
    atomic { register(w, home) };
    has_kick[w] = 1;
    announce();
    look_at_claims(w)
}

/* As long as there may be an accept mutex, whoever is going to wait looks for what another was told
 * of and left. */
inline look(w) {
#ifndef NO_LOOK
    s = 0;
    do
    :: s < SHARDS ->
        atomic {
            if
            :: concurrent != generation && registered[AT(w, s)] -> told[AT(w, s)] = queue[s] > 0
            :: else -> skip
            fi
        };
        s++
    :: else -> break
    od;
    s = 0
#else
    skip
#endif
}

/* Two that wait at the same moment: there is no accept mutex. Said by the one that was there first,
 * when it comes back. */
inline begin_wait(w) {
    atomic { waiter = w; in_wait[w] = 1; begun = generation }
}

/* Else one that was seen may have left since. */
#ifdef STALE_PROOF
#define IS_OF_NOW 1
#else
#define IS_OF_NOW (begun == generation)
#endif

inline end_wait(w) {
    atomic {
        in_wait[w] = 0;
        if
        :: waiter == w -> waiter = NOBODY
        :: waiter != w && concurrent != generation && IS_OF_NOW ->
            concurrent = generation;
            kick_all()
        :: else -> skip
        fi
    }
}

#define IS_TOLD(w)                                                                                 \
    (told[AT(w, 0)] || (SHARDS > 1 && told[AT(w, 1 % SHARDS)]) ||                                  \
     (SHARDS > 2 && told[AT(w, 2 % SHARDS)]))

/* Home first, then whatever is within reach. Level-triggered: what is still there stays in the ready
 * list. */
inline accept(w) {
    atomic {
        if
        :: queue[home] > 0 -> queue[home]--
        :: else ->
            s = 0;
            do
            :: s < SHARDS && !(registered[AT(w, s)] && queue[s] > 0) -> s++
            :: s < SHARDS && registered[AT(w, s)] && queue[s] > 0 -> queue[s]--; break
            :: s == SHARDS -> break
            od
        fi;
        s = 0;
        do
        :: s < SHARDS -> told[AT(w, s)] = told[AT(w, s)] && queue[s] > 0; s++
        :: else -> break
        od;
        s = 0
    }
}

/* Everything that the kernel gives back for a process that is gone. */
inline give_back(w) {
    s = 0;
    do
    :: s < SHARDS ->
        unregister(w, s);
        if
        :: owner[s] == w -> owner[s] = NOBODY
        :: else -> skip
        fi;
        s++
    :: else -> break
    od;
    s = 0;
    has_kick[w] = 0;
    kicked[w] = 0;
    waiting[w] = 0;
    in_wait[w] = 0;
    home = 0;
    seen = 0;
    begun = 0;
#ifdef MUTEX
    if
    :: mutex == w -> mutex = NOBODY
    :: else -> skip
    fi
#endif
}

proctype worker(byte w) {
    byte home, seen, begun, s, x, near, kicks;
    bit wanted;
born:
    alive[w] = 1;
    begin(w);
    do
    :: true ->
#ifdef MUTEX
end_mutex:
        if
        :: atomic { w >= FREE && mutex == NOBODY -> mutex = w }
        :: w < FREE -> skip
        fi;
#endif
        if
        :: seen != generation || concurrent != seen -> look_at_claims(w)
        :: else -> skip
        fi;
        look(w);
        begin_wait(w);
        waiting[w] = !(kicked[w] || IS_TOLD(w));
end_waiting:
        if
        :: atomic { kicked[w] || IS_TOLD(w) -> waiting[w] = 0; kicked[w] = 0 }
        :: atomic { to_kill > 0 -> to_kill--; give_back(w) }; goto born
        :: atomic { w < FREE && to_leave > 0 -> to_leave--; waiting[w] = 0 }; /* a signal says so */
            end_wait(w);
            goto leave
        fi;
        end_wait(w);
        if
        :: seen != generation -> look_at_claims(w) /* a kick: it comes round before it accepts */
        :: else -> skip
        fi;
        if
        :: accept(w)
        :: atomic { to_kill > 0 -> to_kill--; give_back(w) }; goto born
        fi;
#ifdef MUTEX
        if
        :: mutex == w -> mutex = NOBODY
        :: else -> skip
        fi;
#endif
        if
        :: true
        :: atomic { to_hang > 0 -> to_hang-- }; goto end_hanging
        :: atomic { to_leave > 0 && !(FREE && w >= FREE) -> to_leave-- }; goto leave
        fi
    od;
leave:
#ifdef SILENT_LEAVING
    atomic { give_back(w); alive[w] = 0 };
#else
    atomic { give_back(w); alive[w] = 0 };
    announce();
#endif
    goto end_gone;
end_hanging:
    false;
end_gone:
    skip
}

#define IS_QUEUED (queue[0] > 0 || (SHARDS > 1 && queue[1 % SHARDS] > 0) || (SHARDS > 2 && queue[2 % SHARDS] > 0))
#define IS_ANY_WAITING (waiting[0] || (WORKERS > 1 && waiting[1 % WORKERS]) || (WORKERS > 2 && waiting[2 % WORKERS]))

/* When nothing moves any more. */
proctype monitor() {
    timeout -> assert(!(IS_QUEUED && IS_ANY_WAITING))
}

init {
    byte i;
    atomic {
        i = 0;
        do
        :: i < SHARDS -> owner[i] = NOBODY; i++
        :: else -> break
        od;
        listening[0] = 1;
        i = 0;
        do
        :: i < WORKERS -> run worker(i); i++
        :: else -> break
        od;
        run clients();
        run monitor()
    }
}
