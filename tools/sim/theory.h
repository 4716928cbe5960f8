/* What theory knows of waits, for Poisson arrivals, in mean service times. */
#ifndef SIM_THEORY_H
#define SIM_THEORY_H

/* M/M/c: one queue, exponential service. */
double erlang_mean_wait(int workers, double load);
double erlang_percentile(int workers, double load, double part); /* above those who do not wait */

/* M/G/1: one worker, service of that second moment (Pollaczek and Khinchine). */
double khinchine_mean_wait(double load, double second_moment);

/*
 * The same, exponential service, while the worker is now and then stuck for `stall`, at random, on
 * average once in `every`: stalls are as customers that go before all others.
 */
double stalled_mean_wait(double load, double stall, double every);

/* Exponential service, connections dealt out in turn: what comes to one worker is Erlang. */
double robin_mean_wait(int workers, double load);

/* Exponential service, the better of two at random, many workers (Mitzenmacher). */
double two_mean_wait(double load);

/*
 * Exponential service, stealing, solved as a Markov chain that shares nothing with the model: three
 * workers, each with a shard, each the thief of the next one's.
 */
double chain_mean_wait(double load);

#endif
