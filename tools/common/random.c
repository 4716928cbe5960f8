#include "random.h"

/* Seeds are small numbers, most of whose bits are alike: they are stirred until no word is. */
static uint64_t stirred(uint64_t *counter) {
    *counter += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t word = *counter;
    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return word ^ word >> 31;
}

void random_seed(struct random *random, uint64_t seed, uint64_t stream) {
    uint64_t counter = stream;
    counter = stirred(&counter) ^ seed;
    for (int i = 0; i < 4; i++)
        random->state[i] = stirred(&counter);
}
