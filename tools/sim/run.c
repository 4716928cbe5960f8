#include "run.h"

#include <math.h>

struct state {
    struct model *model;
    struct random choices;
    struct random stalls;
    int turn;
    double next_stall; /* or infinity */
};

static int least_present(const struct model *model, int first) {
    int workers = model->plan->workers;
    int least = first;
    for (int step = 1; step < workers && model->shard[least].present; step++) {
        int shard = (first + step) % workers;
        if (model->shard[shard].present < model->shard[least].present)
            least = shard;
    }
    return least;
}

static int better_of_two(const struct model *model, struct random *random) {
    int shards = model->plan->shards;
    int first = random_below(random, shards);
    int second = shards > 1 ? random_below(random, shards - 1) : 0;
    second += shards > 1 && second >= first;
    return model->shard[second].present < model->shard[first].present ? second : first;
}

static int choose(struct state *state) {
    const struct model *model = state->model;
    int shards = model->plan->shards;
    switch (model->plan->choice) {
    case LEAST:
        return least_present(model, random_below(&state->choices, shards));
    case TWO:
        return better_of_two(model, &state->choices);
    case ROBIN:
        return state->turn++ % shards;
    default:
        return random_below(&state->choices, shards);
    }
}

static double after(struct state *state, double now) {
    const struct plan *plan = state->model->plan;
    return plan->stall > 0 ? now + plan->stall_every * random_exponential(&state->stalls)
                           : INFINITY;
}

static void stall(struct state *state) {
    const struct plan *plan = state->model->plan;
    int first = random_below(&state->stalls, plan->workers);
    for (int i = 0; i < plan->stall_workers; i++)
        model_stall(state->model, state->next_stall, (first + i) % plan->workers, plan->stall);
    state->next_stall = after(state, state->next_stall);
}

/* Whatever is due before that time. */
static void advance(struct state *state, double until) {
    for (;;) {
        double done = model_next(state->model);
        if (state->next_stall < done && state->next_stall < until)
            stall(state);
        else if (done < until)
            model_finish_next(state->model);
        else
            return;
    }
}

/* The streams are apart, so that the same connections come whatever the policy asks of chance. */
void run(struct model *model, const struct plan *plan, uint64_t seed) {
    struct state state = {.model = model};
    struct traffic traffic;
    double now = 0;
    long uncounted = plan->replay ? 0 : plan->connections / 5;
    model_begin(model, plan);
    traffic_begin(&traffic, 1 / (plan->load * plan->workers), plan->service,
                  plan->replay ? plan->seed : seed);
    random_seed(&state.choices, seed, 1);
    random_seed(&state.stalls, seed, 2);
    state.next_stall = after(&state, 0);
    for (long i = 0; i < plan->connections; i++) {
        struct connection connection = traffic_next(&traffic);
        now += connection.gap;
        advance(&state, now);
        model_arrive(model, now, choose(&state), connection.service + plan->overhead,
                     i >= uncounted);
    }
    state.next_stall = INFINITY; /* nobody comes any more: it has an end */
    advance(&state, INFINITY);
}
