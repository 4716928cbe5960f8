/* clock: what is left of a time limit. */
#ifndef UNHERD_CLOCK_H
#define UNHERD_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline struct timespec clock_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time;
}

/* To a few milliseconds, and without a system call. */
static inline uint64_t clock_coarse_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static inline uint64_t clock_us(void) {
    struct timespec now = clock_now();
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* a plus or minus b; sign is 1 or -1, both are in normal form. */
static inline struct timespec clock_plus(struct timespec a, struct timespec b, int sign) {
    struct timespec sum = {a.tv_sec + sign * b.tv_sec, a.tv_nsec + sign * b.tv_nsec};
    if (sum.tv_nsec < 0 || sum.tv_nsec >= 1000000000) {
        long carry = sum.tv_nsec < 0 ? -1 : 1;
        sum.tv_sec += carry;
        sum.tv_nsec -= carry * 1000000000;
    }
    return sum;
}

/* In normal form the nanoseconds are not negative, so the sign of both together is that of the
 * seconds. */
static inline bool clock_is_positive(struct timespec time) {
    return (time.tv_sec | time.tv_nsec) > 0;
}

/* Whether its nanoseconds are some; else the kernel refuses it (EINVAL). */
static inline bool clock_is_valid(struct timespec time) {
    return (unsigned long)time.tv_nsec < 1000000000;
}

static inline struct timespec clock_of_milliseconds(int milliseconds) {
    return (struct timespec){milliseconds / 1000, (milliseconds % 1000) * 1000000L};
}

/* Rounded up, so that a rest of a millisecond does not become a busy loop. */
static inline int clock_milliseconds(struct timespec time) {
    long long sum = (long long)time.tv_sec * 1000 + (time.tv_nsec + 999999) / 1000000;
    return sum > INT32_MAX ? INT32_MAX : (int)sum;
}

#endif
