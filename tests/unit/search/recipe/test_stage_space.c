/* The space of a stage: the lattice, its bounds, and LongRoPE2's critical pair. */
#include "search/recipe/stage_space.h"

#include <string.h>

#include "tests/unit/scratch.h"

/* A stage of a model without scaling of its own. */
struct plan {
    int64_t pairs, window, target;
    double theta;
    struct stage_config config;
};

/* Llama-3-8B: 64 pairs, theta 500000, 8192 tokens; to 131072. */
static struct plan llama3(enum critical_rule rule) {
    static char name[] = "stage";
    return (struct plan){.pairs = 64,
                         .window = 8192,
                         .target = 131072,
                         .theta = 500000.0,
                         .config = {.name = name,
                                    .base = CONFIG_NO_STAGE,
                                    .target_length = 131072,
                                    .attention_rule = ATTENTION_NONE,
                                    .lattice_unit = 100,
                                    .start_count = 1,
                                    .critical_rule = rule}};
}

static int make(const struct plan *plan, struct genome_space *out, struct error *error) {
    const struct search_context context = {0};
    const struct model_config model = {.window = plan->window, .rope = rope_model_plain(plan->pairs, plan->theta)};
    struct stage_base base;
    struct stage_record record = {0};
    int status = stage_base_resolve(&plan->config, &model, NULL, &base, error);
    if (status == STATUS_OK) {
        status = stage_space_record(&context, &plan->config, "model", &model, &base, &record, error);
    }
    *out = record.space;
    return status;
}

static struct genome_space good(const struct plan *plan) {
    struct genome_space space;
    struct error error = {""};
    if (make(plan, &space, &error) != STATUS_OK) fail_msg("%s", error.message);
    return space;
}

static void bad(const struct plan *plan, const char *words) {
    struct genome_space space;
    struct error error = {""};
    assert_int_equal(make(plan, &space, &error), STATUS_INPUT);
    assert_message(error.message, words);
}

static void assert_critical(const struct plan *plan, int32_t low, int32_t high) {
    struct genome_space space = good(plan);
    assert_int_equal(space.critical_low, low);
    assert_int_equal(space.critical_high, high);
}

static void without_a_critical_pair(void **state) {
    (void)state;
    struct plan plan = llama3(CRITICAL_NONE);
    struct genome_space space = good(&plan);
    assert_true(space.largest == 2000 && space.unit == 100 && space.smallest == 0); /* 1.25 s */
    assert_critical(&plan, 0, 0);
}

/* The paper's (arXiv 2502.20082): 35 for Llama-3-8B, 31 for Phi3-mini with its sliding window of 2048. */
static void the_theoretical_pair_is_the_papers(void **state) {
    (void)state;
    struct plan plan = llama3(CRITICAL_THEORETICAL);
    assert_critical(&plan, 35, 35);
    struct genome_space space = good(&plan);
    assert_true(space.smallest == 1600 && space.largest == 3200); /* s to 2 s */
    plan.pairs = 48, plan.theta = 10000.0, plan.window = 2048;
    assert_critical(&plan, 31, 31);
    plan.pairs = 4, plan.window = 1000000; /* beyond the pairs: the last one */
    plan.config.target_length = 2000000;
    assert_critical(&plan, 3, 3);
    plan.window = 5, plan.config.target_length = 10; /* before them: the second */
    assert_critical(&plan, 1, 1);
}

static void a_searched_pair_reaches_eight_below(void **state) {
    (void)state;
    struct plan plan = llama3(CRITICAL_SEARCHED);
    assert_critical(&plan, 27, 35);
    plan.window = 16, plan.config.target_length = 256; /* theoretical: 5 */
    assert_critical(&plan, 1, 5);
}

static void a_given_pair_is_one_of_the_models(void **state) {
    (void)state;
    struct plan plan = llama3(CRITICAL_NUMBER);
    plan.config.critical_pair = 33;
    assert_critical(&plan, 33, 33);
    plan.config.critical_pair = 63;
    assert_critical(&plan, 63, 63);
    plan.config.critical_pair = 64;
    bad(&plan,
        "stage 'stage': 'critical_pair' is 64, but the model has only 64 rotary pairs|theoretical critical pair is 35");
}

static void the_lattice_must_hold_all_genes(void **state) {
    (void)state;
    struct plan plan = llama3(CRITICAL_NUMBER);
    plan.config.critical_pair = 33;
    plan.config.lattice_unit = 2; /* 16, 16.5, ..., 32: 33 values for 31 pairs */
    assert_true(good(&plan).largest == 64);
    plan.config.critical_pair = 31; /* 33 pairs */
    assert_true(good(&plan).smallest == 32);
    plan.config.critical_pair = 30;
    bad(&plan,
        "34 pairs from the critical pair 30 on must increase strictly from 16 to 32|33 values; lower lambda_step");
    plan.config.lambda_max = 40;
    assert_true(good(&plan).largest == 80);
    plan.config.lambda_max = 12;
    bad(&plan, "0 values; raise lambda_max or lower lambda_step");
    /* s between two steps is rounded up, 2 s down */
    plan = llama3(CRITICAL_THEORETICAL);
    plan.config.target_length = 10000;
    struct genome_space space = good(&plan);
    assert_true(space.smallest == 123 && space.largest == 244);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_critical_pair),
        cmocka_unit_test(the_theoretical_pair_is_the_papers),
        cmocka_unit_test(a_searched_pair_reaches_eight_below),
        cmocka_unit_test(a_given_pair_is_one_of_the_models),
        cmocka_unit_test(the_lattice_must_hold_all_genes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
