/*
 * chain: stealing as a Markov chain. A state is three numbers: of each worker, 0 when it is idle,
 * else 1 and what waits in its shard. The equations are solved by sweeps until nothing changes.
 */
#include "theory.h"

#include <math.h>
#include <string.h>

enum { LEVELS = 32, SWEEPS_LEAST = 100, SWEEPS_MOST = 20000 };

typedef double chain[LEVELS][LEVELS][LEVELS];

static chain part;   /* of the time spent in each state */
static chain inflow; /* into it, of one sweep */

/* Who takes what comes into `shard`: its owner, else the thief before it, else it waits. */
static void arrive(int state[3], int shard) {
    int thief = (shard + 2) % 3;
    if (state[shard] > 0 && state[thief] == 0)
        state[thief] = 1;
    else
        state[shard]++;
}

/* Who is done goes on with its own queue, else with the next one's, else is idle. */
static void finish(int state[3], int worker) {
    int next = (worker + 1) % 3;
    if (state[worker] == 1 && state[next] > 1)
        state[next]--;
    else
        state[worker]--;
}

static double *at(chain values, const int state[3]) {
    return &values[state[0]][state[1]][state[2]];
}

/* Spreads what leaves one state; what would leave the bounded space stays where it is. */
static void spread(const int from[3], double load) {
    double here = *at(part, from);
    double longest = 3 * (load + 1); /* more than any state's rate of change */
    double stays = longest;
    for (int i = 0; i < 3; i++) {
        int to[3] = {from[0], from[1], from[2]};
        arrive(to, i);
        if (to[i] < LEVELS) {
            *at(inflow, to) += here * load / longest;
            stays -= load;
        }
        if (from[i] == 0)
            continue;
        memcpy(to, from, sizeof to);
        finish(to, i);
        *at(inflow, to) += here / longest;
        stays -= 1;
    }
    *at(inflow, from) += here * stays / longest;
}

static double waiting_in(const int state[3]) {
    int waiting = 0;
    for (int i = 0; i < 3; i++)
        waiting += state[i] > 1 ? state[i] - 1 : 0;
    return waiting;
}

/* One step of the chain; returns how many wait on average. */
static double sweep(double load) {
    double waiting = 0;
    int state[3];
    memset(inflow, 0, sizeof inflow);
    for (state[0] = 0; state[0] < LEVELS; state[0]++)
        for (state[1] = 0; state[1] < LEVELS; state[1]++)
            for (state[2] = 0; state[2] < LEVELS; state[2]++) {
                double here = *at(part, state);
                if (here < 1e-12)
                    continue;
                waiting += here * waiting_in(state);
                spread(state, load);
            }
    memcpy(part, inflow, sizeof part);
    return waiting;
}

/* By Little's law the mean wait is the mean number that waits, over the rate at which they come. */
double chain_mean_wait(double load) {
    double before = 0;
    double waiting = 0;
    memset(part, 0, sizeof part);
    part[0][0][0] = 1;
    for (int i = 0; i < SWEEPS_MOST; i++) {
        before = waiting;
        waiting = sweep(load);
        if (i >= SWEEPS_LEAST && fabs(waiting - before) < 1e-6)
            break;
    }
    return waiting / (3 * load);
}
