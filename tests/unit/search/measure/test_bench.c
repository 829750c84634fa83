/* The work of a pass, counted one multiply-add after the other, and what is measured. */
#include "search/measure/bench.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct model_config small_config(int64_t layers, int64_t sliding_window) {
    return (struct model_config){.family = "mistral",
                                 .vocabulary = 37,
                                 .hidden = 24,
                                 .intermediate = 40,
                                 .layers = layers,
                                 .heads = 6,
                                 .kv_heads = 2,
                                 .head_width = 8,
                                 .window = 512,
                                 .sliding_window = sliding_window,
                                 .rope = rope_model_plain(4, 10000.0),
                                 .norm_eps = 1e-5};
}

/* Work ---------------------------------------------------------------------------------------- */

/* Multiply-adds of one row in the matrices of one layer. */
static int64_t row_adds(const struct model_config *c, int64_t layer) {
    int64_t query = c->heads * c->head_width, key = c->kv_heads * c->head_width;
    int64_t adds = query * c->hidden;                      /* output */
    adds += 3 * c->intermediate * c->hidden;               /* gate, up, down */
    if (layer == 0) return adds;                           /* the rest is there already */
    return adds + query * c->hidden + 2 * key * c->hidden; /* query, key, value */
}

/* Of one row in the attention of one layer: a score and a weighted value a key and head. */
static int64_t attention_adds(const struct model_config *c, int64_t position) {
    int64_t adds = 0;
    for (int64_t key = 0; key <= position; key++) {
        if (c->sliding_window && key <= position - c->sliding_window) continue;
        adds += 2 * c->heads * c->head_width;
    }
    return adds;
}

static void work_is_what_a_pass_does(void **state) {
    (void)state;
    const int64_t lengths[] = {2, 3, 17, 64, 301}, windows[] = {0, 1, 16, 17, 300, 400};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
            for (int64_t layers = 1; layers <= 3; layers++) {
                const struct model_config c = small_config(layers, windows[w]);
                int64_t products = 0, attention = 0;
                for (int64_t p = 0; p < lengths[i] - 1; p++) {
                    products += c.vocabulary * c.hidden;
                    for (int64_t l = 0; l < layers; l++) {
                        products += row_adds(&c, l);
                        attention += attention_adds(&c, p);
                    }
                }
                assert_true(work_products(&c, lengths[i]) == 2.0 * (double)products);
                assert_true(work_attention(&c, lengths[i]) == 2.0 * (double)attention);
            }
        }
    }
}

/* The model ----------------------------------------------------------------------------------- */

static struct model *make_model(const struct kernels *kernels) {
    const struct model_config c = small_config(2, 0);
    struct model *model = NULL;
    struct error error = {""};
    if (bench_model(&c, kernels, &model, &error) != STATUS_OK) fail_msg("%s", error.message);
    return model;
}

static void check_matrix(const struct kernels *kernels, const struct matrix *a, const struct matrix *b) {
    float row[64], again[64];
    double squares = 0.0;
    assert_true(a->inputs <= 64);
    for (int64_t r = 0; r < a->outputs; r++) {
        kernels->unpack_row(row, a, r);
        kernels->unpack_row(again, b, r);
        for (int64_t i = 0; i < a->inputs; i++) {
            assert_true(row[i] == again[i]);
            squares += (double)row[i] * row[i];
        }
    }
    double gain = squares / (double)a->outputs; /* from inputs of variance 1 */
    if (gain < 0.8 || gain > 1.2) fail_msg("a variance of 1 becomes %g", gain);
}

static void weights_are_always_the_same(void **state) {
    (void)state;
    struct model *a = make_model(&kernels_reference_f32), *b = make_model(&kernels_reference_f32);
    check_matrix(a->kernels, &a->embedding, &b->embedding);
    check_matrix(a->kernels, &a->logits, &b->logits);
    for (int l = 0; l < 2; l++) {
        check_matrix(a->kernels, &a->layers[l].query, &b->layers[l].query);
        check_matrix(a->kernels, &a->layers[l].down, &b->layers[l].down);
    }
    float one[64], other[64];
    a->kernels->unpack_row(one, &a->layers[0].query, 0);
    a->kernels->unpack_row(other, &a->layers[1].query, 0);
    assert_true(one[0] != other[0] && one[0] != one[1]);
    for (int i = 0; i < 24; i++) assert_true(a->norm[i] == 1.0f && a->layers[1].mlp_norm[i] == 1.0f);
    model_free(a);
    model_free(b);
}

/* Measuring ----------------------------------------------------------------------------------- */

static void measure_all(const struct kernels *kernels, int threads) {
    const struct bench_setting setting = {.threads = threads, .seconds = 0.001};
    struct model *model = make_model(kernels);
    struct error error = {""};
    double rates[WORK_MATRICES];
    assert_int_equal(bench_products(model, &setting, rates, &error), STATUS_OK);
    for (int i = 0; i < WORK_MATRICES; i++) assert_true(rates[i] > 0.0 && isfinite(rates[i]));
    /* Blocks that are whole, one short of it, and many. */
    const int64_t lengths[] = {2, 65, 97, 98, 300, 500};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        double rate = 0.0;
        struct bench_passes passes = {0};
        assert_int_equal(bench_attention(model, lengths[i], &setting, &rate, &error), STATUS_OK);
        assert_true(rate > 0.0 && isfinite(rate));
        if (bench_passes(model, lengths[i], &setting, &passes, &error) != STATUS_OK) fail_msg("%s", error.message);
        assert_true(passes.count > 0 && passes.best > 0.0 && passes.median >= passes.best);
    }
    model_free(model);
}

static void every_table_is_measured(void **state) {
    (void)state;
    const enum number_type types[] = {NUMBER_F32, NUMBER_BF16};
    for (int t = 0; t < 2; t++) {
        for (const struct kernels *const *table = kernels_available(types[t]); *table; table++) {
            for (int threads = 1; threads <= 3; threads++) measure_all(*table, threads);
        }
    }
}

static void a_flag_stops_it(void **state) {
    (void)state;
    const volatile sig_atomic_t raised = 15;
    const struct bench_setting setting = {.threads = 2, .seconds = 3600.0, .stop = &raised};
    struct model *model = make_model(&kernels_reference_f32);
    struct error error;
    double rates[WORK_MATRICES];
    struct bench_passes passes;
    assert_int_equal(bench_products(model, &setting, rates, &error), STATUS_STOPPED);
    assert_int_equal(bench_attention(model, 300, &setting, rates, &error), STATUS_STOPPED);
    assert_int_equal(bench_passes(model, 300, &setting, &passes, &error), STATUS_STOPPED);
    model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_what_a_pass_does),
        cmocka_unit_test(weights_are_always_the_same),
        cmocka_unit_test(every_table_is_measured),
        cmocka_unit_test(a_flag_stops_it),
    };
    return cmocka_run_group_tests_name("bench", tests, NULL, NULL);
}
