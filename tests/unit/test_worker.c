#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "lab.h"
#include "local.h"
#include "real.h"
#include "stats.h"
#include "worker.h"
#include "worker_answers.h"
#include "worker_orphans.h"
#include "worker_short.h"
#include "worker_stuck.h"

enum { SHARDS = 8 };

static struct shard_set set;
static int listener_fd;
static const struct shard_bits none;

static int make_set(void **state) {
    (void)state;
    const char *why = NULL;
    assert_true(local_start());
    listener_fd = listening_socket();
    assert_true(set_make(&set, listener_fd, SHARDS, 64, &why));
    assert_int_equal(set.count, SHARDS);
    begin_stealing(&set, 2);
    return 0;
}

static int close_set(void **state) {
    (void)state;
    set_close(&set);
    close(listener_fd);
    return 0;
}

static int claim(void *unused) {
    (void)unused;
    int shard = worker_claim(&set, &none, ANY_SHARD);
    if (shard >= 0)
        worker_announce(&set, shard);
    return shard;
}

static int wait_and_end(void *unused) {
    (void)unused;
    worker_end_wait(&set, 2, worker_begin_wait(&set, 2));
    return 0;
}

static int wait_for_good(void *unused) {
    (void)unused;
    worker_begin_wait(&set, 2);
    return 0;
}

/* ---- claims ---- */

static void claims_of_processes_differ(void **state) {
    (void)state;
    struct child children[SHARDS];
    for (int i = 0; i < SHARDS; i++) {
        children[i] = start_child(claim, NULL);
        assert_int_equal(children[i].said, i); /* the listener's own first, then spare by spare */
        assert_true(set_accepts(&set, i));
    }
    assert_int_equal(claim(NULL), -1);
    for (int i = 0; i < SHARDS; i++)
        end_child(children[i]);
}

static void claims_of_one_process_differ(void **state) {
    (void)state;
    struct shard_bits ours = {0};
    for (int i = 0; i < SHARDS; i++) {
        int shard = worker_claim(&set, &ours, ANY_SHARD);
        assert_in_range(shard, 0, SHARDS - 1);
        assert_false(bits_has(&ours, shard));
        bits_add(&ours, shard);
    }
    assert_int_equal(worker_claim(&set, &ours, ANY_SHARD), -1);
}

static void the_dead_leave_their_shard_to_the_next(void **state) {
    (void)state;
    struct child first = start_child(claim, NULL);
    struct child second = start_child(claim, NULL);
    end_child(first);
    assert_true(set_accepts(&set, first.said)); /* it is drained, not closed */
    struct child third = start_child(claim, NULL);
    assert_int_equal(third.said, first.said);
    assert_false(set_is_listening(&set, 2)); /* no spare was needed */
    struct child fourth = start_child(claim, NULL);
    assert_int_equal(fourth.said, 2);
    end_child(second);
    end_child(third);
    end_child(fourth);
}

static void a_released_shard_is_claimed_again(void **state) {
    (void)state;
    int shard = claim(NULL);
    uint32_t generation = atomic_load(&set.shared->generation);
    begin_stealing(&set, 0);
    struct child other = start_child(claim, NULL);
    worker_release(&set, shard);
    assert_true(atomic_load(&set.shared->generation) != generation);
    struct child next = start_child(claim, NULL);
    assert_int_equal(next.said, shard);
    end_child(other);
    end_child(next);
}

static void a_spare_that_cannot_listen_is_not_claimed(void **state) {
    (void)state;
    struct child first = start_child(claim, NULL);
    set_shutdown(&set, SHUT_RDWR);
    assert_int_equal(claim(NULL), -1);
    set_listen_again(&set, listener_fd, 64);
    assert_int_equal(claim(NULL), 1);
    end_child(first);
}

/* As a worker that found no shard free does. */
static int sit_down(void) {
    int home = worker_least_shared(&set);
    worker_share(&set, home);
    return home;
}

static void those_without_a_home_spread_over_all(void **state) {
    (void)state;
    int count[SHARDS] = {0};
    struct child owners[4];
    for (int i = 0; i < 4; i++)
        owners[i] = start_child(claim, NULL);
    for (int i = 0; i < 8; i++)
        count[sit_down()]++;
    for (int i = 0; i < SHARDS; i++) {
        assert_int_equal(count[i], i < 4 ? 2 : 0); /* a spare is nobody's home */
        assert_int_equal(worker_is_shared(&set, i), i < 4);
    }
    worker_unshare(&set, 3);
    worker_unshare(&set, 3);
    assert_false(worker_is_shared(&set, 3));
    assert_int_equal(sit_down(), 3);
    for (int i = 0; i < 4; i++)
        end_child(owners[i]);
}

/* ---- views ---- */

static uint64_t view_with(unsigned steal, int home, const struct shard_bits *stuck,
                          bool *unproven) {
    struct shard_bits view;
    begin_stealing(&set, steal);
    struct seat seat = {.home = home};
    worker_view(&set, &seat, stuck, &view, unproven);
    return view.word[0];
}

static uint64_t view_of(unsigned steal, int home, bool *unproven) {
    return view_with(steal, home, &none, unproven);
}

static void until_two_wait_at_once_everybody_sees_all(void **state) {
    (void)state;
    struct child owners[6];
    bool unproven = false;
    for (int i = 0; i < 6; i++)
        owners[i] = start_child(claim, NULL);
    assert_int_equal(view_of(0, 2, &unproven), 0x3f);
    assert_true(unproven);
    assert_int_equal(view_of(1, 2, &unproven), 0x3f);
    assert_true(unproven);
    assert_int_equal(view_of(8, 2, &unproven), 0x3f);
    assert_false(unproven); /* it sees all anyway: nothing to prove */
    for (int i = 0; i < 6; i++)
        end_child(owners[i]);
}

/* So soon after its death an owner may be missed: the kernel was asked just now. */
static void until_view_is(uint64_t view) {
    bool unproven;
    for (int i = 0; i < 500 && view_of(0, 2, &unproven) != view; i++)
        usleep(10000);
    assert_int_equal(view_of(0, 2, &unproven), view);
}

static void then_home_its_neighbours_and_the_orphans(void **state) {
    (void)state;
    struct child owners[6];
    bool unproven = true;
    for (int i = 0; i < 6; i++)
        owners[i] = start_child(claim, NULL);
    see_two_wait(&set);
    assert_int_equal(view_of(0, 2, &unproven), 1 << 2);
    assert_false(unproven);
    assert_int_equal(view_of(1, 2, &unproven), 1 << 2 | 1 << 3);
    assert_int_equal(view_of(2, 5, &unproven), 1 << 5 | 1 << 0 | 1 << 1); /* a ring */
    end_child(owners[0]);
    until_view_is(1 << 2 | 1 << 0);
    assert_int_equal(view_of(1, 2, &unproven), 1 << 2 | 1 << 3 | 1 << 0);
    for (int i = 1; i < 6; i++)
        end_child(owners[i]);
}

static __typeof__(real.fcntl) own_fcntl;
static int asked; /* the kernel, of a claim */

static int count_asked(int fd, int command, ...) {
    va_list list;
    va_start(list, command);
    void *word = va_arg(list, void *);
    va_end(list);
    asked += command == F_GETLK;
    return own_fcntl(fd, command, word);
}

static int asked_for_a_view(void) {
    bool unproven;
    asked = 0;
    see_two_wait(&set);
    view_of(0, 1, &unproven);
    return asked;
}

/* Where claims change all look at once. Twice where the clock goes on just then. */
static void the_kernel_is_asked_once_for_all(void **state) {
    (void)state;
    struct shard_bits ours = {0};
    for (int i = 0; i < SHARDS; i++)
        bits_add(&ours, worker_claim(&set, &ours, ANY_SHARD));
    view_of(0, 1, &(bool){false});
    own_fcntl = real.fcntl;
    real.fcntl = count_asked;
    int again = SHARDS;
    for (int i = 0; i < 10 && again; i++)
        again = asked_for_a_view();
    set_changed(&set);
    int after_a_change = asked_for_a_view();
    usleep(220000);
    int some_time_later = asked_for_a_view();
    real.fcntl = own_fcntl;
    assert_int_equal(again, 0);
    assert_in_range(after_a_change, 1, SHARDS);
    assert_in_range(some_time_later, 1, SHARDS);
}

/* What is in the shared memory is not believed of who asks itself. */
static void an_answer_is_good_for_its_moment(void **state) {
    (void)state;
    struct shared_answer *answer = &set.shared->stuck;
    struct shard_bits told = {.word = {0x85}};
    struct shard_bits heard;
    assert_false(answers_find(&set, answer, answers_stamp(1, 100), &heard));
    assert_false(answers_find(&set, answer, 0, &heard)); /* nobody has left any */
    uint32_t stamp = answers_stamp(1, 100);
    answers_leave(&set, answer, stamp, &told);
    assert_true(answers_find(&set, answer, stamp, &heard));
    assert_memory_equal(&heard, &told, sizeof told);
    assert_false(answers_find(&set, answer, answers_stamp(2, 100), &heard));
    usleep(220000);
    assert_false(answers_find(&set, answer, answers_stamp(1, 100), &heard));
}

static void its_own_are_no_orphans(void **state) {
    (void)state;
    struct shard_bits orphans;
    struct shard_bits ours = {0};
    for (int i = 0; i < 3; i++)
        bits_add(&ours, worker_claim(&set, &ours, ANY_SHARD));
    worker_orphans(&set, &none, &orphans); /* as it seems to whoever does not know */
    assert_int_equal(bits_count(&orphans), 3);
    worker_orphans(&set, &ours, &orphans);
    assert_int_equal(bits_count(&orphans), 0);
}

/* Some of its processes know of fewer than others. */
static void of_a_servers_own_everybody_asks(void **state) {
    (void)state;
    struct shard_bits told = {.word = {1}};
    struct shard_bits heard;
    uint32_t stamp = answers_stamp(1, 100);
    answers_leave(&set, &set.shared->stuck, stamp, &told);
    assert_true(answers_find(&set, &set.shared->stuck, stamp, &heard));
    set.is_servers = true;
    assert_false(answers_find(&set, &set.shared->stuck, stamp, &heard));
    set.is_servers = false;
    answers_forget(&set, &set.shared->stuck);
    assert_false(answers_find(&set, &set.shared->stuck, stamp, &heard));
}

static void many_have_each_their_place(void **state) {
    (void)state;
    enum { MANY = 100 };
    struct shard_set many = {0};
    struct shard_bits orphans;
    const char *why = NULL;
    int fd = listening_socket();
    assert_true(set_make(&many, fd, MANY, 64, &why));
    for (int i = 30; i < MANY; i++) /* spares are nobody's either */
        assert_int_equal(worker_claim(&many, &none, i), i);
    worker_orphans(&many, &none, &orphans);
    for (int i = 1; i < SHARDS_MAX; i++)
        assert_int_equal(bits_has(&orphans, i), i >= 30 && i < MANY);
    set_close(&many);
    close(fd);
}

/* By whoever does not anyway, and for good: it may be done again at any moment. */
static void and_the_first_once_all_was_gathered_there(void **state) {
    (void)state;
    struct child owners[6];
    bool unproven = true;
    for (int i = 0; i < 6; i++)
        owners[i] = start_child(claim, NULL);
    uint32_t before = atomic_load(&set.shared->generation);
    worker_gather(&set);
    assert_int_equal(atomic_load(&set.shared->generation), before + 1);
    for (int i = 0; i < 2; i++) {
        see_two_wait(&set);
        assert_int_equal(view_of(1, 2, &unproven), 1 << 2 | 1 << 3 | 1 << 0);
        set_gather(&set, false);
    }
    worker_gather(&set);
    assert_int_equal(atomic_load(&set.shared->generation), before + 1);
    see_two_wait(&set);
    assert_int_equal(view_of(0, 2, &unproven), 1 << 2); /* without thieves each has its own */
    for (int i = 0; i < 6; i++)
        end_child(owners[i]);
}

/* Where all see all, there is nothing to be told. */
static void a_few_need_not_be_told_of_that(void **state) {
    (void)state;
    struct child owners[2] = {start_child(claim, NULL), start_child(claim, NULL)};
    uint32_t before = atomic_load(&set.shared->generation);
    worker_gather(&set);
    assert_int_equal(atomic_load(&set.shared->gathers), GATHERS);
    assert_int_equal(atomic_load(&set.shared->generation), before);
    end_child(owners[0]);
    end_child(owners[1]);
}

/* They are watched beside as many neighbours as otherwise. */
static void and_those_whose_owners_are_stuck(void **state) {
    (void)state;
    struct child owners[6];
    struct shard_bits stuck = {.word = {1 << 3 | 1 << 0}};
    bool unproven = true;
    for (int i = 0; i < 6; i++)
        owners[i] = start_child(claim, NULL);
    see_two_wait(&set);
    assert_int_equal(view_with(1, 2, &stuck, &unproven), 1 << 2 | 1 << 3 | 1 << 4 | 1 << 0);
    assert_int_equal(view_with(1, 4, &stuck, &unproven), 1 << 4 | 1 << 5 | 1 << 3 | 1 << 0);
    for (int i = 0; i < 6; i++)
        end_child(owners[i]);
}

/* With the owner they are as many thieves, all together, as it is alone; and where there is an
 * accept mutex, one of them waits alone. */
static void sharers_watch_fewer(void **state) {
    (void)state;
    struct child owners[SHARDS];
    struct seat seat = {.home = 2};
    struct shard_bits view;
    bool unproven = false;
    begin_stealing(&set, SHARDS - 1);
    for (int i = 0; i < SHARDS; i++)
        owners[i] = start_child(claim, NULL);
    for (int i = 0; i < 2; i++)
        worker_share(&set, 2);
    worker_view(&set, &seat, &none, &view, &unproven);
    assert_true(unproven);
    assert_int_equal(bits_count(&view), SHARDS);
    see_two_wait(&set);
    seat.is_short = true;
    worker_view(&set, &seat, &none, &view, &unproven);
    assert_int_equal(view.word[0], 1 << 2 | 1 << 3 | 1 << 4);
    seat.number = 1; /* each watches others */
    worker_view(&set, &seat, &none, &view, &unproven);
    assert_int_equal(view.word[0], 1 << 2 | 1 << 5 | 1 << 6);
    seat.number = 3;
    worker_view(&set, &seat, &none, &view, &unproven);
    assert_int_equal(view.word[0], 1 << 2 | 1 << 1 | 1 << 3);
    seat.number = 0;
    for (int i = 0; i < SHARDS; i++)
        worker_share(&set, 2);
    worker_view(&set, &seat, &none, &view, &unproven);
    assert_int_equal(view.word[0], 1 << 2 | 1 << 3); /* one, however many they are */
    begin_stealing(&set, 0);
    worker_view(&set, &seat, &none, &view, &unproven);
    assert_int_equal(view.word[0], 1 << 2);
    for (int i = 0; i < SHARDS; i++)
        end_child(owners[i]);
}

static void is_proven(bool wanted) {
    assert_int_equal(worker_may_be_one_at_a_time(&set), !wanted);
}

/* The owner, and one more, who has said so. */
static void and_two_of_them_while_they_are_enough(void **state) {
    (void)state;
    struct child owners[SHARDS];
    static const struct seat seats[] = {{.home = 2},
                                        {.home = 2, .number = 3, .is_second = true},
                                        {.home = 2, .number = 1},
                                        {.home = 2, .number = 1, .is_short = true}};
    static const uint64_t watched[] = {1 << 2 | 1 << 3, 1 << 2 | 1 << 4, 1 << 2, 1 << 2 | 1 << 4};
    struct shard_bits view;
    bool unproven = false;
    begin_stealing(&set, SHARDS - 1);
    for (int i = 0; i < SHARDS; i++)
        owners[i] = start_child(claim, NULL);
    for (int i = 0; i < SHARDS - 2; i++)
        worker_share(&set, 2);
    see_two_wait(&set);
    for (int i = 0; i < 4; i++) {
        worker_view(&set, &seats[i], &none, &view, &unproven);
        assert_int_equal(view.word[0], watched[i]);
    }
    worker_view(&set, &(struct seat){.home = 3}, &none, &view, &unproven);
    assert_int_equal(bits_count(&view), SHARDS); /* who is alone watches as many as ever */
    for (int i = 0; i < SHARDS; i++)
        end_child(owners[i]);
}

/* With that few queues all watch all; and who asked for two thieves has as many for each. */
static void but_not_where_that_is_no_fewer(void **state) {
    (void)state;
    struct child owners[SHARDS];
    struct shard_bits view;
    bool unproven = false;
    begin_stealing(&set, 2 * SHARDS);
    for (int i = 0; i < SHARDS; i++)
        owners[i] = start_child(claim, NULL);
    worker_share(&set, 2);
    see_two_wait(&set);
    worker_view(&set, &(struct seat){.home = 2, .number = 1}, &none, &view, &unproven);
    assert_int_equal(bits_count(&view), SHARDS);
    begin_stealing(&set, 2);
    worker_view(&set, &(struct seat){.home = 2, .number = 1}, &none, &view, &unproven);
    assert_int_equal(view.word[0], 1 << 2 | 1 << 4);
    for (int i = 0; i < SHARDS; i++)
        end_child(owners[i]);
}

/* By the one that waited when the other began, whether that still waits or not. */
static void two_that_wait_at_once_are_noticed(void **state) {
    (void)state;
    int (*others[])(void *) = {wait_and_end, wait_for_good};
    for (int i = 0; i < 2; i++) {
        atomic_fetch_add(&set.shared->generation, 1);
        is_proven(false);
        worker_begin_wait(&set, 1);
        end_child(start_child(others[i], NULL));
        assert_false(worker_end_wait(
            &set, 1, set_generation(&set))); /* so few shards that no view shrinks */
        is_proven(true);
    }
}

static void those_that_take_turns_are_not(void **state) {
    (void)state;
    for (uint64_t who = 1; who < 10; who++) {
        worker_begin_wait(&set, who);
        assert_false(worker_end_wait(&set, who, set_generation(&set)));
    }
    is_proven(false);
}

static void one_that_died_waiting_does_not_count(void **state) {
    (void)state;
    end_child(start_child(wait_for_good, NULL));
    worker_begin_wait(&set, 1);
    assert_false(worker_end_wait(&set, 1, set_generation(&set)));
    is_proven(false);
}

static void views_that_shrink_are_told(void **state) {
    (void)state;
    struct child owners[SHARDS];
    begin_stealing(&set, 1);
    for (int i = 0; i < SHARDS; i++)
        owners[i] = start_child(claim, NULL);
    worker_begin_wait(&set, 1);
    worker_begin_wait(&set, 2);
    assert_true(worker_end_wait(&set, 1, set_generation(&set)));
    assert_false(worker_end_wait(&set, 1, set_generation(&set)));
    for (int i = 0; i < SHARDS; i++)
        end_child(owners[i]);
}

/* ---- shared memory is untrusted ---- */

static void fill(int kind) {
    unsigned char *bytes = (unsigned char *)set.shared;
    for (size_t i = 0; i < SET_MEMORY_SIZE; i++)
        bytes[i] = kind == 0 ? 0xff : kind == 1 ? 0 : (unsigned char)rand();
}

/* ---- what a change of the claims takes from what is known ---- */

/* Who has claimed a shard in the shared memory is there until it goes to work. */
static void change_claims(void) {
    int shard = worker_claim(&set, &none, ANY_SHARD);
    worker_announce(&set, shard);
}

static void it_stays_known_while_two_wait(void **state) {
    (void)state;
    struct child one = start_child(claim, NULL), other = start_child(claim, NULL);
    change_claims();
    assert_false(set_is_concurrent(&set)); /* it was not known before */
    see_two_wait(&set);
    change_claims();
    assert_true(set_is_concurrent(&set));
    worker_goes_to_work(&set, 0, clock_coarse_ms());
    change_claims();
    assert_false(set_is_concurrent(&set));
    end_child(one);
    end_child(other);
}

/* The shared memory says of one that was killed in its wait that it waits. */
static void and_both_live(void **state) {
    (void)state;
    struct child one = start_child(claim, NULL), other = start_child(claim, NULL);
    see_two_wait(&set);
    end_child(other);
    worker_announce(&set, 0);
    assert_false(set_is_concurrent(&set));
    end_child(one);
}

/* Else nobody would look at a whole row of them. */
static void that_an_owner_was_killed_all_are_told_once(void **state) {
    (void)state;
    struct child owner = start_child(claim, NULL);
    uint32_t before = set_generation(&set);
    end_child(owner);
    worker_lost(&set, 0);
    assert_int_equal(set_generation(&set), before + 1);
    worker_lost(&set, 0);
    assert_int_equal(set_generation(&set), before + 1);
    worker_is_there(&set, 0); /* another owner */
    worker_lost(&set, 0);
    assert_int_equal(set_generation(&set), before + 2);
}

/* The one that comes is not yet there. */
static void and_are_others(void **state) {
    (void)state;
    struct child one = start_child(claim, NULL);
    see_two_wait(&set);
    change_claims();
    assert_false(set_is_concurrent(&set));
    end_child(one);
}

static void who_sits_at_anothers_home_tells_nothing(void **state) {
    (void)state;
    struct child one = start_child(claim, NULL), other = start_child(claim, NULL);
    worker_share(&set, 1);
    see_two_wait(&set);
    change_claims();
    assert_false(set_is_concurrent(&set));
    end_child(one);
    end_child(other);
}

/* The other may have left since. */
static void nor_is_it_seen_where_the_claims_changed_meanwhile(void **state) {
    (void)state;
    uint32_t generation = worker_begin_wait(&set, 1);
    set_changed(&set);
    assert_false(set_is_concurrent(&set));
    worker_begin_wait(&set, 2);
    worker_end_wait(&set, 1, generation);
    assert_false(set_is_concurrent(&set));
    worker_is_not_alone(&set, generation);
    assert_false(set_is_concurrent(&set));
    worker_is_not_alone(&set, set_generation(&set));
    assert_true(set_is_concurrent(&set));
}

/* ---- who is stuck ---- */

static struct shard_bits queued;

static bool is_stuck(int shard) {
    struct shard_bits stuck;
    worker_stuck(&set, &queued, &stuck);
    return bits_has(&stuck, shard);
}

/* The clock is the kernel's coarse one: the wait is for as long as the test of it takes, at most 5
 * s. */
static void wait_until_stuck(int shard) {
    for (int i = 0; i < 500 && !is_stuck(shard); i++)
        usleep(10000);
    assert_true(is_stuck(shard));
}

/* As many in a row as no owner misses that is there. */
enum { IN_A_ROW = 8 };

static void steal(int shard, int times) {
    for (int i = 0; i < times; i++)
        worker_took_stolen(&set, shard);
}

static void began_to_be_stolen_from(int shard, uint32_t ms_ago) {
    atomic_store(&set.shared->shards[shard].stolen_since,
                 (uint32_t)(clock_coarse_ms() - ms_ago) | 1U);
}

static void an_owner_that_is_not_there_for_long_is_stuck(void **state) {
    (void)state;
    steal(0, IN_A_ROW);
    assert_false(worker_took_stolen(&set, 0));
    assert_false(is_stuck(0));
    wait_until_stuck(0);
    assert_true(worker_took_stolen(&set, 0));
    assert_false(worker_took_stolen(&set, 1));
    worker_is_there(&set, 0);
    assert_false(is_stuck(0));
    assert_false(worker_took_stolen(&set, 0));
}

/* It may be long from one that it misses to the next, where little comes. All look, but it is not
 * thought away. */
static void who_waits_comes_too_late_at_times(void **state) {
    (void)state;
    worker_is_there(&set, 0);
    steal(0, 1);
    began_to_be_stolen_from(0, 900);
    for (int i = 2; i < IN_A_ROW; i++) {
        assert_true(worker_took_stolen(&set, 0));
        assert_true(worker_comes_soon(&set, 0));
        assert_false(is_stuck(0));
    }
    assert_false(worker_sees_slow(&set));
    worker_took_stolen(&set, 0);
    assert_false(worker_comes_soon(&set, 0));
    assert_true(worker_sees_slow(&set));
    assert_true(is_stuck(0));
    worker_took_home(&set, 0);
    steal(0, 1);
    began_to_be_stolen_from(0, 900);
    assert_false(is_stuck(0));
}

static void but_not_for_long(void **state) {
    (void)state;
    worker_is_there(&set, 0);
    steal(0, 1);
    began_to_be_stolen_from(0, 900);
    assert_false(is_stuck(0));
    began_to_be_stolen_from(0, 1100);
    assert_true(is_stuck(0));
}

/* How long others had taken before that does not matter. */
static void nor_is_one_away_that_has_just_gone_to_work(void **state) {
    (void)state;
    steal(0, IN_A_ROW);
    began_to_be_stolen_from(0, 5000);
    worker_goes_to_work(&set, 0, clock_coarse_ms());
    worker_took_stolen(&set, 0);
    assert_false(worker_sees_slow(&set));
    assert_true(worker_comes_soon(&set, 0));
    assert_false(is_stuck(0));
    worker_goes_to_work(&set, 0, clock_coarse_ms() - 1000);
    worker_took_stolen(&set, 0);
    assert_true(worker_sees_slow(&set));
    assert_true(is_stuck(0));
}

static void what_was_given_back_nobody_comes_late_to(void **state) {
    (void)state;
    worker_is_gone(&set, 0);
    steal(0, 1);
    assert_true(worker_comes_soon(&set, 0));
    began_to_be_stolen_from(0, 5000);
    assert_false(worker_comes_soon(&set, 0));
    assert_true(worker_took_stolen(&set, 0));
}

/* Where several sit at a shard they are behind its thieves at times, but may be stopped as well.
 * And that nobody had come for a while counts no more when one has just gone to work. */
static void who_waits_at_a_shared_home_is_not_slow(void **state) {
    (void)state;
    worker_share(&set, 0);
    steal(0, IN_A_ROW);
    wait_until_stuck(0);
    assert_true(worker_took_stolen(&set, 0));
    assert_false(worker_sees_slow(&set));
    worker_goes_to_work(&set, 0, clock_coarse_ms());
    worker_took_stolen(&set, 0);
    assert_false(worker_sees_slow(&set));
    assert_true(worker_comes_soon(&set, 0));
    worker_goes_to_work(&set, 0, clock_coarse_ms() - 30);
    worker_took_stolen(&set, 0);
    assert_true(worker_sees_slow(&set));
}

/* As many listen, each with an owner that is at work; then so many of them wait. */
static void let_wait(int waiting, int of) {
    for (int i = 0; i < of; i++) {
        atomic_store(&set.shared->shards[i].state, SHARD_LISTENING);
        worker_is_there(&set, i);
        if (i >= waiting)
            worker_goes_to_work(&set, i, clock_coarse_ms());
    }
}

static void few_are_a_quarter_and_many_more_than_half(void **state) {
    (void)state;
    for (int of = 2; of <= SHARDS; of++)
        for (int waiting = 0; waiting <= of; waiting++) {
            let_wait(waiting, of);
            assert_int_equal(worker_few_wait(&set), 4 * waiting <= of);
            assert_int_equal(worker_many_wait(&set), 2 * waiting > of);
        }
}

static void of_one_there_are_no_few(void **state) {
    (void)state;
    let_wait(0, 1);
    assert_false(worker_few_wait(&set));
    assert_false(worker_many_wait(&set));
}

static void who_waits_is_guessed_of_some(void **state) {
    (void)state;
    let_wait(1, 2);
    assert_false(worker_few_wait(&set));
    worker_took_stolen(&set, 0); /* it is stopped, or so it seems */
    assert_true(worker_few_wait(&set));
    worker_share(&set, 0); /* of two, the other may wait */
    assert_false(worker_few_wait(&set));
    worker_share(&set, 1);
    assert_true(worker_many_wait(&set));
}

/* They would be at work for ever. */
static void who_is_gone_does_not_count(void **state) {
    (void)state;
    let_wait(0, SHARDS);
    for (int i = 2; i < SHARDS; i++)
        worker_is_gone(&set, i);
    assert_true(worker_few_wait(&set));
    worker_is_there(&set, 0);
    assert_false(worker_few_wait(&set));
    assert_false(worker_many_wait(&set));
    worker_is_there(&set, 1);
    assert_true(worker_many_wait(&set));
    worker_is_gone(&set, 1);
    worker_goes_to_work(&set, 0, clock_coarse_ms());
    assert_false(worker_few_wait(&set)); /* it is alone */
}

static void go_to_work_long_ago(int from, uint32_t ms) {
    for (int i = from; i < SHARDS; i++)
        worker_goes_to_work(&set, i, clock_coarse_ms() - ms);
}

/* But all may be at work for long. */
static void nor_who_may_be_dead_for_those_who_wait(void **state) {
    (void)state;
    let_wait(2, SHARDS);
    go_to_work_long_ago(2, 900);
    assert_true(worker_few_wait(&set));
    assert_false(worker_many_wait(&set));
    go_to_work_long_ago(2, 1010);
    assert_false(worker_few_wait(&set));
    assert_true(worker_many_wait(&set));
    go_to_work_long_ago(0, 1010);
    assert_true(worker_few_wait(&set));
}

static int times_at_once(bool (*may)(const struct shard_set *, int), const struct shard_set *of) {
    int times = 0;
    worker_goes_to_work(of, 0, clock_coarse_ms() - 1000);
    while (times < 1000 && may(of, 0))
        times++;
    return times;
}

static bool looks(const struct shard_set *of, int shard) {
    (void)shard;
    return worker_may_look_for_slow(of);
}

/* All who wait there wake, and these may be all workers. */
static void among_many_all_are_woken_now_and_then(void **state) {
    (void)state;
    enum { MANY = 64 };
    struct shard_set many = {0};
    const char *why = NULL;
    int fd = listening_socket();
    assert_true(set_make(&many, fd, MANY, 64, &why));
    assert_int_equal(times_at_once(worker_passes_on, &set), 1000);
    assert_int_equal(times_at_once(looks, &set), 1000);
    assert_in_range(times_at_once(worker_passes_on, &many), 32, 64); /* the clock may go on */
    assert_in_range(times_at_once(looks, &many), 128, 256);
    usleep(150000);
    assert_true(worker_passes_on(&many, 0));
    assert_true(worker_may_look_for_slow(&many));
    set_close(&many);
    close(fd);
}

/* Anybody may have written there. */
static void a_budget_of_the_future_is_over(void **state) {
    (void)state;
    struct shared_budget *looks_left = &set.shared->looks;
    atomic_store(&looks_left->count, UINT32_MAX);
    atomic_store(&looks_left->since_ms, (uint32_t)(clock_coarse_ms() + 1000000) | 1U);
    assert_true(worker_may_look(&set));
}

static void all_are_told_once_in_a_while(void **state) {
    (void)state;
    uint32_t news = worker_stuck_news(&set);
    steal(0, IN_A_ROW);
    wait_until_stuck(0);
    assert_true(worker_took_stolen(&set, 0));
    worker_tell_stuck(&set);
    assert_int_not_equal(worker_stuck_news(&set), news);
    assert_false(worker_took_stolen(&set, 0));
}

/* Nothing needs to be stolen from it, as a whole row may be stuck. */
static void a_worker_that_went_to_work_long_ago_is_stuck(void **state) {
    (void)state;
    worker_goes_to_work(&set, 1, clock_coarse_ms());
    assert_true(worker_comes_soon(&set, 1));
    wait_until_stuck(1);
    assert_false(worker_comes_soon(&set, 1));
    assert_false(is_stuck(0));
    worker_is_there(&set, 1);
    assert_false(is_stuck(1));
    assert_true(worker_comes_soon(&set, 1));
}

/* And one that was stopped while it waited, if something is queued for it. */
static void a_worker_that_waits_beside_its_queue_is_stuck(void **state) {
    (void)state;
    enum { place = 3 };
    atomic_store(&set.shared->workers, 1);
    atomic_store(&set.shared->worker[place].pid, getpid());
    stats_home(&set, place, 1);
    stats_wait(&set, place, 1, clock_coarse_ms() - 5000);
    assert_false(is_stuck(1));
    bits_add(&queued, 1);
    assert_true(is_stuck(1));
    stats_wait(&set, place, 1, clock_coarse_ms());
    assert_false(is_stuck(1));
    bits_remove(&queued, 1);
}

static void use_everything(void) {
    struct shard_bits view;
    bool unproven;
    int shard = worker_claim(&set, &none, ANY_SHARD);
    assert_in_range(shard + 1, 0, SHARDS);
    int home = sit_down();
    assert_in_range(home, 0, SHARDS - 1);
    worker_view(&set, &(struct seat){.home = home}, &none, &view, &unproven);
    BITS_EACH (i, &view)
        assert_in_range(i, 0, SHARDS - 1);
    worker_took_stolen(&set, home);
    worker_note_theft(&set, home);
    worker_is_second(&set, home, 0);
    worker_gets_up(&set, home);
    worker_note_empty(&set, home, clock_coarse_ms());
    worker_sits_down(&set, home);
    worker_look_at_homes(&set, clock_coarse_ms());
    is_stuck(home);
    worker_is_there(&set, home);
    worker_end_wait(&set, 1, worker_begin_wait(&set, 1));
    worker_may_be_one_at_a_time(&set);
    worker_unshare(&set, home);
    worker_announce(&set, home);
    if (shard >= 0)
        worker_release(&set, shard);
}

static void garbage_is_survived(void **state) {
    (void)state;
    srand(1);
    for (int round = 0; round < 600; round++) {
        fill(round % 3);
        use_everything();
    }
    assert_int_equal(set.count, SHARDS);
}

int main(void) {
#define WITH_SET(test) cmocka_unit_test_setup_teardown(test, make_set, close_set)
    const struct CMUnitTest tests[] = {
        WITH_SET(claims_of_processes_differ),
        WITH_SET(claims_of_one_process_differ),
        WITH_SET(the_dead_leave_their_shard_to_the_next),
        WITH_SET(a_released_shard_is_claimed_again),
        WITH_SET(a_spare_that_cannot_listen_is_not_claimed),
        WITH_SET(an_owner_that_is_not_there_for_long_is_stuck),
        WITH_SET(who_waits_comes_too_late_at_times),
        WITH_SET(but_not_for_long),
        WITH_SET(nor_is_one_away_that_has_just_gone_to_work),
        WITH_SET(what_was_given_back_nobody_comes_late_to),
        WITH_SET(who_waits_at_a_shared_home_is_not_slow),
        WITH_SET(few_are_a_quarter_and_many_more_than_half),
        WITH_SET(of_one_there_are_no_few),
        WITH_SET(who_waits_is_guessed_of_some),
        WITH_SET(who_is_gone_does_not_count),
        WITH_SET(nor_who_may_be_dead_for_those_who_wait),
        WITH_SET(all_are_told_once_in_a_while),
        WITH_SET(among_many_all_are_woken_now_and_then),
        WITH_SET(a_budget_of_the_future_is_over),
        WITH_SET(a_worker_that_went_to_work_long_ago_is_stuck),
        WITH_SET(a_worker_that_waits_beside_its_queue_is_stuck),
        WITH_SET(those_without_a_home_spread_over_all),
        WITH_SET(until_two_wait_at_once_everybody_sees_all),
        WITH_SET(then_home_its_neighbours_and_the_orphans),
        WITH_SET(the_kernel_is_asked_once_for_all),
        WITH_SET(an_answer_is_good_for_its_moment),
        WITH_SET(its_own_are_no_orphans),
        WITH_SET(of_a_servers_own_everybody_asks),
        WITH_SET(many_have_each_their_place),
        WITH_SET(and_the_first_once_all_was_gathered_there),
        WITH_SET(a_few_need_not_be_told_of_that),
        WITH_SET(and_those_whose_owners_are_stuck),
        WITH_SET(sharers_watch_fewer),
        WITH_SET(and_two_of_them_while_they_are_enough),
        WITH_SET(but_not_where_that_is_no_fewer),
        WITH_SET(two_that_wait_at_once_are_noticed),
        WITH_SET(those_that_take_turns_are_not),
        WITH_SET(one_that_died_waiting_does_not_count),
        WITH_SET(views_that_shrink_are_told),
        WITH_SET(it_stays_known_while_two_wait),
        WITH_SET(and_both_live),
        WITH_SET(and_are_others),
        WITH_SET(that_an_owner_was_killed_all_are_told_once),
        WITH_SET(who_sits_at_anothers_home_tells_nothing),
        WITH_SET(nor_is_it_seen_where_the_claims_changed_meanwhile),
        WITH_SET(garbage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
