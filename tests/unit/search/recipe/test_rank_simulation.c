/* Searches on simulated ranks: what they hear does not depend on the number of ranks, and what they take is what a
 * hand-out on a clock takes. */
#include "search/recipe/rank_simulation.h"

#include "search/recipe/simulated_workers.h"
#include "tests/unit/scratch.h"

#include <math.h>

static const struct model_config model = {.rope = {.pairs = 16, .theta = 10000}};

static struct stage_config make_config(enum algorithm algorithm, enum racing racing) {
    struct stage_config config = {
        .target_length = 4096,
        .search =
            {.algorithm = algorithm, .population = 12, .parents = 6, .iterations = 4, .evaluations = 30, .seed = 1},
        .initial_count = 3,
        .racing = racing,
        .racing_risk = 0.2,
        .lattice_unit = 100,
        .start_count = 1,
        .attention_rule = ATTENTION_LONGROPE,
    };
    if (algorithm == ALGORITHM_PAPER) config.search.mutations = config.search.crossovers = 6;
    if (algorithm == ALGORITHM_PAPER) config.search.mutation_probability = 0.3;
    return config;
}

static struct simulated_time simulate(const struct stage_config *config, size_t ranks) {
    const struct simulated_stage stage = {.config = config,
                                          .model = &model,
                                          .window = 512,
                                          .scale = 8,
                                          .baselines = 5,
                                          .windows = 4,
                                          .window_seconds = 10};
    struct simulated_time time;
    struct error error = {""};
    if (rank_simulation_run(&stage, ranks, &time, &error) != STATUS_OK) fail_msg("%s", error.message);
    return time;
}

static void the_search_is_that_of_one_rank(void **state) {
    (void)state;
    static const enum algorithm algorithms[] = {ALGORITHM_PAPER, ALGORITHM_CMA_ES, ALGORITHM_BAYESIAN};
    for (size_t a = 0; a < 3; a++) {
        for (int racing = 0; racing < RACINGS; racing++) {
            const struct stage_config config = make_config(algorithms[a], (enum racing)racing);
            const struct simulated_time one = simulate(&config, 1);
            for (size_t ranks = 2; ranks <= 32; ranks *= 4) {
                const struct simulated_time many = simulate(&config, ranks);
                assert_true(many.windows == one.windows);
                assert_true(many.seconds <= one.seconds * 1.001);
                assert_true(many.busy <= (double)ranks * many.seconds * (1 + 1e-9));
                /* every window that is heard was computed */
                assert_true(many.busy >= many.windows * 10 * (1 - simulated_spread));
            }
        }
    }
}

/* One rank is never idle, and computes nothing in vain but windows that were on their way when their table was given
 * up; without racing there is none. */
static void one_rank_takes_the_sum(void **state) {
    (void)state;
    const struct stage_config config = make_config(ALGORITHM_PAPER, RACING_NONE);
    const struct simulated_time time = simulate(&config, 1);
    assert_true(time.windows == (5 + 30) * 4);
    assert_true(fabs(time.seconds - time.busy) < 1e-6);
    assert_true(fabs(time.busy / (time.windows * 10) - 1) < simulated_spread);
}

/* More ranks than windows: the baselines and the first population, then a generation after the other, each as long as
 * its longest window. */
static void rounds_cannot_be_shortened(void **state) {
    (void)state;
    struct stage_config config = make_config(ALGORITHM_PAPER, RACING_NONE);
    config.search.evaluations = 0; /* 12 tables, then 12 in each of four generations */
    const struct simulated_time time = simulate(&config, 80);
    assert_true(time.windows == (5 + 12 + 4 * 12) * 4);
    assert_true(time.seconds > 5 * 10 * (1 - simulated_spread) && time.seconds < 5 * 10 * (1 + simulated_spread));
}

/* ---- the clock ---- */

static double no_nats(void *state, const struct work_unit *unit, float *blocks) {
    (void)state, (void)blocks;
    return (double)unit->window;
}

static void give(struct workers *workers, size_t worker, uint64_t id) {
    struct error error = {""};
    const struct work_unit unit = {.id = id, .window = (size_t)id};
    assert_int_equal(workers->give(workers->state, worker, &unit, &error), STATUS_OK);
}

static uint64_t take(struct workers *workers, int status) {
    struct work_result result;
    struct error error = {""};
    bool taken = false;
    assert_int_equal(workers->take(workers->state, &result, &taken, &error), STATUS_OK);
    if (!taken) return 0;
    assert_int_equal(result.status, status);
    return result.id;
}

static void units_take_their_time(void **state) {
    (void)state;
    const struct simulated_workers_options options = {.count = 2, .unit_seconds = 10, .nats = no_nats};
    struct simulated_workers *simulated = NULL;
    struct error error = {""};
    assert_int_equal(simulated_workers_new(&options, &simulated, &error), STATUS_OK);
    struct workers workers = simulated_workers_interface(simulated);
    give(&workers, 0, 1);
    give(&workers, 0, 2); /* behind 1 */
    assert_int_equal(take(&workers, STATUS_OK), 0);
    workers.wait(workers.state);
    assert_true(simulated_workers_now(simulated) == 10);
    give(&workers, 1, 3); /* ends at 20, as 2 does */
    give(&workers, 1, 4);
    assert_int_equal(take(&workers, STATUS_OK), 1);
    assert_int_equal(take(&workers, STATUS_OK), 0);
    workers.cancel(workers.state, 1, 3); /* at once; 4 begins */
    assert_int_equal(take(&workers, STATUS_STOPPED), 3);
    workers.wait(workers.state);
    assert_true(simulated_workers_now(simulated) == 20);
    assert_int_equal(take(&workers, STATUS_OK) + take(&workers, STATUS_OK), 2 + 4);
    assert_true(simulated_workers_busy(simulated) == 30);
    workers.wait(workers.state); /* for nothing: an error, not an endless loop */
    struct work_result result;
    bool taken = false;
    assert_int_equal(workers.take(workers.state, &result, &taken, &error), STATUS_FAILED);
    simulated_workers_free(simulated);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_search_is_that_of_one_rank),
        cmocka_unit_test(one_rank_takes_the_sum),
        cmocka_unit_test(rounds_cannot_be_shortened),
        cmocka_unit_test(units_take_their_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
