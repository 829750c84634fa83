/* What a stage's tables rescale: the model as it is, with the table it was fine-tuned with, or nothing of it. */
#include "search/recipe/stage_base.h"

#include <math.h>
#include <string.h>

#include "tests/unit/scratch.h"

enum { PAIRS = 4, WINDOW = 256 };

static struct model_config make_model(void) {
    return (struct model_config){.family = "llama", .window = WINDOW, .rope = rope_model_plain(PAIRS, 10000.0)};
}

/* A table that model was fine-tuned with at 1024 tokens. */
static struct factor_entry make_base(void) {
    struct factor_entry base = {.name = "base",
                                .max_length = 1024,
                                .scale = 4.0,
                                .pairs = PAIRS,
                                .factors = {1.0, 1.5, 3.0, 4.0},
                                .whole = true,
                                .attention_factor = 1.25};
    factor_entry_complete(&base);
    return base;
}

static struct model_config make_tuned(void) {
    struct model_config model = make_model();
    struct factor_entry base = make_base();
    model.window = 1024;
    model.rope.type = ROPE_TYPE_LONGROPE;
    model.rope.original_length = WINDOW;
    model.rope.attention_factor = base.attention_factor;
    memcpy(model.rope.long_factors, base.factors, sizeof base.factors);
    memcpy(model.rope.short_factors, base.factors, sizeof base.factors);
    return model;
}

static struct stage_base resolve(enum stage_kind kind, const struct model_config *model,
                                 const struct factor_entry *base) {
    char name[] = "stage";
    const struct stage_config config = {.name = name, .kind = kind};
    struct stage_base out;
    struct error error = {""};
    if (stage_base_resolve(&config, model, base, &out, &error) != STATUS_OK) fail_msg("%s", error.message);
    return out;
}

static void refuse(const struct model_config *model, const struct factor_entry *base, const char *words) {
    char name[] = "stage";
    const struct stage_config config = {.name = name};
    struct stage_base out;
    struct error error = {""};
    assert_int_equal(stage_base_resolve(&config, model, base, &out, &error), STATUS_INPUT);
    assert_message(error.message, words);
}

/* Cosines and sines far out, as a model computes them with factors of 1 on top. */
static void assert_same_angles(const struct rope_model *a, const struct rope_model *b, int64_t length) {
    struct rope_table x, y;
    rope_model_table(&x, a, length);
    rope_model_table(&y, b, length);
    for (int i = 0; i < PAIRS; i++) assert_true(x.frequencies[i] == y.frequencies[i]);
    assert_true(x.own_attention_factor == y.own_attention_factor);
}

static void models_without_scaling(void **state) {
    (void)state;
    struct model_config model = make_model();
    struct stage_base rope = resolve(STAGE_EXTEND, &model, NULL);
    assert_int_equal(rope.window, WINDOW);
    assert_int_equal(rope.pretrained_length, WINDOW);
    assert_int_equal(rope.searched.type, ROPE_TYPE_DEFAULT);
    rope = resolve(STAGE_RECOVER, &model, NULL);
    assert_int_equal(rope.window, WINDOW);
    assert_int_equal(rope.searched.type, ROPE_TYPE_DEFAULT);
}

/* Whether the trainer wrote the table into config.json or not, the stage rescales the same. */
static void models_fine_tuned_with_a_table(void **state) {
    (void)state;
    struct model_config plain = make_model(), tuned = make_tuned();
    struct factor_entry base = make_base();
    struct stage_base of_plain = resolve(STAGE_EXTEND, &plain, &base), of_tuned = resolve(STAGE_EXTEND, &tuned, &base);
    struct stage_base alone = resolve(STAGE_EXTEND, &tuned, NULL); /* the model says it all */
    assert_int_equal(of_plain.window, 1024);
    assert_int_equal(of_tuned.window, 1024);
    assert_int_equal(alone.window, 1024);
    assert_int_equal(of_plain.pretrained_length, WINDOW);
    assert_int_equal(of_tuned.pretrained_length, WINDOW);
    for (int64_t length = 100; length <= 8192; length *= 9) {
        assert_same_angles(&of_plain.searched, &of_tuned.searched, length);
        assert_same_angles(&alone.searched, &of_tuned.searched, length);
    }
}

/* The searched table takes the place of the model's; what it has to better is the model as it is. */
static void short_windows_are_searched_outright(void **state) {
    (void)state;
    struct model_config plain = make_model(), tuned = make_tuned();
    struct factor_entry base = make_base();
    struct stage_base of_plain = resolve(STAGE_RECOVER, &plain, &base),
                      of_tuned = resolve(STAGE_RECOVER, &tuned, &base);
    assert_int_equal(of_plain.window, WINDOW);
    assert_int_equal(of_tuned.window, WINDOW);
    assert_int_equal(of_plain.searched.type, ROPE_TYPE_DEFAULT);
    assert_int_equal(of_tuned.searched.type, ROPE_TYPE_DEFAULT);
    assert_same_angles(&of_plain.own, &of_tuned.own, WINDOW);
}

static void windows_before_the_models_own_scaling(void **state) {
    (void)state;
    struct model_config model = make_model();
    model.rope.factor = 4.0;
    model.rope.original_length = 64;
    static const struct {
        enum rope_type type;
        int64_t pretrained;
    } cases[] = {{ROPE_TYPE_LLAMA3, 64}, {ROPE_TYPE_YARN, 64}, {ROPE_TYPE_LINEAR, 64}, {ROPE_TYPE_DYNAMIC, WINDOW}};
    model.rope.low_freq_factor = 1.0, model.rope.high_freq_factor = 4.0;
    model.rope.beta_fast = 32.0, model.rope.beta_slow = 1.0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        model.rope.type = cases[i].type;
        struct stage_base rope = resolve(STAGE_EXTEND, &model, NULL);
        assert_int_equal(rope.pretrained_length, cases[i].pretrained);
        assert_int_equal(rope.window, WINDOW);
        assert_int_equal(rope.searched.type, cases[i].type); /* is multiplied */
    }
}

/* Dynamic NTK at L = 1024 of a window of 256: s = 4 L/L0 - 3 = 13. */
static void own_tables_are_those_of_the_target_length(void **state) {
    (void)state;
    struct model_config model = make_model(), tuned = make_tuned();
    struct rope_table table;
    model.rope.type = ROPE_TYPE_DYNAMIC, model.rope.factor = 4.0, model.rope.original_length = WINDOW;
    struct stage_base base = resolve(STAGE_RECOVER, &model, NULL);
    stage_base_own_table(&base, 1024, &table);
    for (int i = 0; i < PAIRS; i++) assert_true(fabs(table.own_factors[i] - pow(13.0, i / 3.0)) < 1e-9);
    stage_base_own_table(&base, WINDOW, &table);
    for (int i = 0; i < PAIRS; i++) assert_true(table.own_factors[i] == 1.0);
    /* CLEX at t = 4 and t = 1, with an attention factor of its own at every length */
    const double clex[4 * PAIRS] = {1, 1, 1, 1, 1, 1.1, 1.5, 2, 1, 1.2, 2, 3, 1, 1.3, 3, 4};
    model.rope.type = ROPE_TYPE_CLEX, model.rope.max_factor = 4.0, model.rope.clex_factors = clex;
    model.rope.log_scale = true;
    base = resolve(STAGE_RECOVER, &model, NULL);
    stage_base_own_table(&base, 1024, &table);
    assert_memory_equal(table.own_factors, clex + 3 * PAIRS, PAIRS * sizeof *clex);
    assert_true(fabs(table.own_attention_factor - sqrt(10.0 / 8.0)) < 1e-12);
    stage_base_own_table(&base, WINDOW, &table);
    assert_memory_equal(table.own_factors, clex, PAIRS * sizeof *clex);
    assert_true(table.own_attention_factor == 1.0);
    /* longrope has one for long inputs */
    tuned.rope.short_factors[3] = 2.0;
    base = resolve(STAGE_RECOVER, &tuned, NULL);
    for (int64_t length = WINDOW; length <= 1024; length *= 4) {
        stage_base_own_table(&base, length, &table);
        assert_memory_equal(table.own_factors, tuned.rope.long_factors, PAIRS * sizeof *clex);
    }
}

static void models_of_another_table_are_refused(void **state) {
    (void)state;
    struct model_config tuned = make_tuned(), linear = make_model();
    struct factor_entry base = make_base(), wide = make_base();
    struct rope_table dynamic;
    tuned.rope.long_factors[2] *= 1.0 + 1e-7; /* rounded to f32 */
    resolve(STAGE_EXTEND, &tuned, &base);
    tuned.rope.long_factors[2] *= 1.001;
    refuse(&tuned, &base, "is not the table of its base 'base'");
    tuned = make_tuned();
    tuned.rope.attention_factor = 1.0;
    refuse(&tuned, &base, "is not the table of its base 'base'");
    linear.rope.type = ROPE_TYPE_LINEAR;
    linear.rope.factor = 4.0;
    refuse(&linear, &base, "(linear) is not the table");
    /* not even where they agree at one length */
    linear.rope.type = ROPE_TYPE_DYNAMIC;
    linear.rope.original_length = WINDOW;
    rope_model_table(&dynamic, &linear.rope, WINDOW + 1);
    memcpy(base.factors, dynamic.own_factors, PAIRS * sizeof *base.factors);
    base.attention_factor = 1.0;
    refuse(&linear, &base, "(dynamic) is not the table");
    wide.pairs = PAIRS + 1;
    refuse(&tuned, &wide, "has 5 factors, but its model 4 rotary pairs");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_without_scaling),
        cmocka_unit_test(models_fine_tuned_with_a_table),
        cmocka_unit_test(short_windows_are_searched_outright),
        cmocka_unit_test(windows_before_the_models_own_scaling),
        cmocka_unit_test(own_tables_are_those_of_the_target_length),
        cmocka_unit_test(models_of_another_table_are_refused),
    };
    return cmocka_run_group_tests_name("stage_rope", tests, NULL, NULL);
}
