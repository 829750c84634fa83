/* Kernels: every table that this processor runs against the reference on random data, and every
 * table, the reference included, against values known in closed form. */
#include "eval/kernels/kernels.h"

#include <float.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Random numbers and comparisons -------------------------------------------------------------- */

static gsl_rng *make_rng(unsigned long seed) {
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    assert_non_null(rng);
    gsl_rng_set(rng, seed);
    return rng;
}

/* Exactly `count` floats, so that a sanitizer sees every step beyond them. */
static float *floats(int64_t count) {
    float *out = malloc((size_t)count * sizeof *out);
    assert_non_null(out);
    return out;
}

static float *filled(int64_t count, float value) {
    float *out = floats(count);
    for (int64_t i = 0; i < count; i++) out[i] = value;
    return out;
}

static float *gaussians(gsl_rng *rng, int64_t count, double sigma) {
    float *out = floats(count);
    for (int64_t i = 0; i < count; i++) out[i] = (float)gsl_ran_gaussian_ziggurat(rng, sigma);
    return out;
}

static float *copied(const float *values, int64_t count) {
    float *out = floats(count);
    memcpy(out, values, (size_t)count * sizeof *out);
    return out;
}

static float *magnitudes(const float *values, int64_t count) {
    float *out = floats(count);
    for (int64_t i = 0; i < count; i++) out[i] = fabsf(values[i]);
    return out;
}

/* |got - expected| <= tolerance x scale, number by number; scale NULL: the expected value's own size. */
static void assert_all_near(const char *table, const float *got, const float *expected, const float *scale,
                            int64_t count, double tolerance) {
    for (int64_t i = 0; i < count; i++) {
        double room = tolerance * fabs((double)(scale ? scale[i] : expected[i]));
        if (fabs((double)got[i] - expected[i]) <= room) continue;
        fail_msg("%s: number %ld of %ld is %.9g, not %.9g (off by %.3g, %.3g allowed)", table, (long)i, (long)count,
                 (double)got[i], (double)expected[i], fabs((double)got[i] - expected[i]), room);
    }
}

static void assert_near(const char *table, double got, double expected, double room) {
    if (fabs(got - expected) <= room) return;
    fail_msg("%s: %.9g is not %.9g within %g", table, got, expected, room);
}

enum { ROW_COUNTS = 4, WIDTHS = 8 };
static const int64_t row_counts[ROW_COUNTS] = {1, 3, 7, 128};
static const int64_t widths[WIDTHS] = {8, 17, 48, 64, 80, 96, 128, 256};

/* The tables ---------------------------------------------------------------------------------- */

static void reference_comes_first(void **state) {
    (void)state;
    const struct kernels *const *tables = kernels_available();
    assert_ptr_equal(tables[0], &kernels_reference);
    assert_string_equal(tables[0]->name, "reference");
    assert_non_null(tables[1]); /* the baseline runs everywhere */
    assert_string_equal(tables[1]->name, "baseline");
    for (int a = 0; tables[a]; a++) {
        for (int b = 0; b < a; b++) assert_string_not_equal(tables[a]->name, tables[b]->name);
    }
}

static void fastest_is_the_choice(void **state) {
    (void)state;
    const struct kernels *const *last = kernels_available();
    while (last[1]) last++;
    const struct kernels *chosen = NULL;
    struct error error;
    assert_int_equal(unsetenv("LONGROPE_KERNELS"), 0);
    assert_int_equal(kernels_choose(&chosen, &error), STATUS_OK);
    assert_ptr_equal(chosen, *last);
    assert_int_equal(setenv("LONGROPE_KERNELS", "", 1), 0);
    chosen = NULL;
    assert_int_equal(kernels_choose(&chosen, &error), STATUS_OK);
    assert_ptr_equal(chosen, *last);
    assert_int_equal(unsetenv("LONGROPE_KERNELS"), 0);
}

static void environment_names_the_choice(void **state) {
    (void)state;
    for (const struct kernels *const *table = kernels_available(); *table; table++) {
        const struct kernels *chosen = NULL;
        struct error error;
        assert_int_equal(setenv("LONGROPE_KERNELS", (*table)->name, 1), 0);
        assert_int_equal(kernels_choose(&chosen, &error), STATUS_OK);
        assert_ptr_equal(chosen, *table);
    }
    assert_int_equal(unsetenv("LONGROPE_KERNELS"), 0);
}

static void unknown_choice_is_refused(void **state) {
    (void)state;
    const char *const names[] = {"avx", "Reference", "reference ", "baseline2", " "};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct kernels *chosen = NULL;
        struct error error = {""};
        assert_int_equal(setenv("LONGROPE_KERNELS", names[i], 1), 0);
        assert_int_equal(kernels_choose(&chosen, &error), STATUS_INPUT);
        assert_non_null(strstr(error.message, "LONGROPE_KERNELS"));
        assert_non_null(strstr(error.message, names[i]));
        for (const struct kernels *const *table = kernels_available(); *table; table++) {
            assert_non_null(strstr(error.message, (*table)->name));
        }
    }
    assert_int_equal(unsetenv("LONGROPE_KERNELS"), 0);
}

/* RMS norm ------------------------------------------------------------------------------------ */

/* Three roundings, of the scale and of two products, and the reference's own: 4 x 2^-24. */
static const double norm_tolerance = 2.5e-7;

static void rms_norm_like_the_reference(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(1);
    for (int i = 0; i < ROW_COUNTS * WIDTHS; i++) {
        int64_t rows = row_counts[i % ROW_COUNTS], width = widths[i / ROW_COUNTS], count = rows * width;
        float *x = gaussians(rng, count, 3.0), *weight = gaussians(rng, width, 1.0);
        float *expected = filled(count, NAN), *out = filled(count, NAN);
        kernels_reference.rms_norm(expected, x, weight, rows, width, 1e-5);
        for (const struct kernels *const *table = kernels_available() + 1; *table; table++) {
            (*table)->rms_norm(out, x, weight, rows, width, 1e-5);
            assert_all_near((*table)->name, out, expected, NULL, count, norm_tolerance);
        }
        free(x), free(weight), free(expected), free(out);
    }
    gsl_rng_free(rng);
}

static void rms_norm_in_place(void **state) {
    (void)state;
    enum { ROWS = 7, WIDTH = 80 };
    gsl_rng *rng = make_rng(2);
    float *x = gaussians(rng, ROWS * WIDTH, 3.0), *weight = gaussians(rng, WIDTH, 1.0);
    float *out = floats(ROWS * WIDTH);
    for (const struct kernels *const *table = kernels_available(); *table; table++) {
        float *same = copied(x, ROWS * WIDTH);
        (*table)->rms_norm(out, x, weight, ROWS, WIDTH, 1e-6);
        (*table)->rms_norm(same, same, weight, ROWS, WIDTH, 1e-6);
        assert_memory_equal(same, out, ROWS * WIDTH * sizeof *out);
        free(same);
    }
    free(x), free(weight), free(out);
    gsl_rng_free(rng);
}

/* (3, 4) over sqrt(12.5 + 12.5), times (10, -100); zeros stay zeros; eps is inside the root. */
static void rms_norm_by_hand(void **state) {
    (void)state;
    const float x[6] = {3, 4, 0, 0, 1e-3f, -1e-3f}, weight[2] = {10, -100};
    for (const struct kernels *const *table = kernels_available(); *table; table++) {
        float out[6];
        (*table)->rms_norm(out, x, weight, 1, 2, 12.5);
        assert_near((*table)->name, out[0], 6.0, 2e-6);
        assert_near((*table)->name, out[1], -80.0, 2e-5);
        (*table)->rms_norm(out, x, weight, 3, 2, 3e-6);
        assert_true(out[2] == 0.0f && out[3] == 0.0f);
        assert_near((*table)->name, out[4], 5.0, 2e-6);
        assert_near((*table)->name, out[5], 50.0, 2e-5);
    }
}

/* Projections --------------------------------------------------------------------------------- */

/* Relative to the sum of the products' magnitudes. */
static const double product_tolerance = 5e-7;

struct product {
    int64_t rows, outputs, inputs;
    float *x, *w, *before; /* [rows][inputs], [outputs][inputs], [rows][outputs] */
    float *scale;          /* [rows][outputs]: before and products, all with positive sign */
};

static struct product make_product(gsl_rng *rng, int64_t rows, int64_t outputs, int64_t inputs) {
    struct product p = {.rows = rows, .outputs = outputs, .inputs = inputs};
    p.x = gaussians(rng, rows * inputs, 1.0);
    p.w = gaussians(rng, outputs * inputs, 1.0);
    p.before = gaussians(rng, rows * outputs, 5.0);
    p.scale = magnitudes(p.before, rows * outputs);
    float *x = magnitudes(p.x, rows * inputs), *w = magnitudes(p.w, outputs * inputs);
    kernels_reference.project_add(p.scale, x, w, rows, outputs, inputs);
    free(x), free(w);
    return p;
}

static void check_product(const struct product *p) {
    int64_t count = p->rows * p->outputs;
    float *expected = filled(count, NAN), *expected_sum = copied(p->before, count);
    kernels_reference.project(expected, p->x, p->w, p->rows, p->outputs, p->inputs);
    kernels_reference.project_add(expected_sum, p->x, p->w, p->rows, p->outputs, p->inputs);
    for (const struct kernels *const *table = kernels_available() + 1; *table; table++) {
        float *out = filled(count, NAN), *sum = copied(p->before, count);
        (*table)->project(out, p->x, p->w, p->rows, p->outputs, p->inputs);
        (*table)->project_add(sum, p->x, p->w, p->rows, p->outputs, p->inputs);
        assert_all_near((*table)->name, out, expected, p->scale, count, product_tolerance);
        assert_all_near((*table)->name, sum, expected_sum, p->scale, count, product_tolerance);
        free(out), free(sum);
    }
    free(expected), free(expected_sum);
}

static void project_like_the_reference(void **state) {
    (void)state;
    const int64_t outputs[] = {1, 17, 96};
    gsl_rng *rng = make_rng(3);
    for (int i = 0; i < ROW_COUNTS * WIDTHS; i++) {
        for (int o = 0; o < 3; o++) {
            struct product p = make_product(rng, row_counts[i % ROW_COUNTS], outputs[o], widths[i / ROW_COUNTS]);
            check_product(&p);
            free(p.x), free(p.w), free(p.before), free(p.scale);
        }
    }
    gsl_rng_free(rng);
}

static void project_by_hand(void **state) {
    (void)state;
    const float x[4] = {1, 2, 3, 4}, w[6] = {1, 0, 0, 1, 10, -1}; /* [2][2], [3][2] */
    const float expected[6] = {1, 2, 8, 3, 4, 26};
    for (const struct kernels *const *table = kernels_available(); *table; table++) {
        float out[6] = {NAN, NAN, NAN, NAN, NAN, NAN}, sum[6] = {100, 100, 100, 100, 100, 100};
        (*table)->project(out, x, w, 2, 3, 2);
        (*table)->project_add(sum, x, w, 2, 3, 2);
        for (int i = 0; i < 6; i++) assert_true(out[i] == expected[i] && sum[i] == expected[i] + 100);
    }
}

/* Rotation ------------------------------------------------------------------------------------ */

/* Relative to (|a| + |b|) of the rotated pair. */
static const double rotate_tolerance = 1.5e-7;

static void check_rotation(gsl_rng *rng, int64_t rows, int64_t heads, int64_t width) {
    int64_t pairs = width / 2, count = rows * heads * width;
    float *x = gaussians(rng, count, 2.0), *angles = gaussians(rng, rows * pairs, 3.0);
    float *cosines = floats(rows * pairs), *sines = floats(rows * pairs), *scale = floats(count);
    for (int64_t i = 0; i < rows * pairs; i++) cosines[i] = cosf(angles[i]), sines[i] = sinf(angles[i]);
    for (int64_t i = 0; i < count; i++) {
        int64_t other = i % width < pairs ? i + pairs : i - pairs;
        scale[i] = fabsf(x[i]) + fabsf(x[other]);
    }
    float *expected = copied(x, count);
    kernels_reference.rotate(expected, cosines, sines, rows, heads, width, pairs);
    for (const struct kernels *const *table = kernels_available() + 1; *table; table++) {
        float *out = copied(x, count);
        (*table)->rotate(out, cosines, sines, rows, heads, width, pairs);
        assert_all_near((*table)->name, out, expected, scale, count, rotate_tolerance);
        free(out);
    }
    free(x), free(angles), free(cosines), free(sines), free(scale), free(expected);
}

static void rotate_like_the_reference(void **state) {
    (void)state;
    const int64_t head_widths[] = {2, 8, 48, 64, 80, 96, 128, 256}, heads[] = {1, 3, 4};
    gsl_rng *rng = make_rng(4);
    for (int w = 0; w < 8; w++) {
        for (int h = 0; h < 3; h++) {
            check_rotation(rng, 1, heads[h], head_widths[w]);
            check_rotation(rng, 7, heads[h], head_widths[w]);
        }
    }
    gsl_rng_free(rng);
}

/* Halves against each other: (1, 3) by a quarter turn, (2, 4) by none and doubled; the second head
 * likewise, the second row the other way round. */
static void rotate_by_hand(void **state) {
    (void)state;
    const float cosines[4] = {0, 2, 0, 1}, sines[4] = {1, 0, -1, 0};
    const float expected[16] = {-3, 4, 1, 8, -7, 12, 5, 16, 3, 2, -1, 4, 7, 6, -5, 8};
    for (const struct kernels *const *table = kernels_available(); *table; table++) {
        float x[16] = {1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8};
        (*table)->rotate(x, cosines, sines, 2, 2, 4, 2);
        for (int i = 0; i < 16; i++) assert_true(x[i] == expected[i]);
    }
}

/* silu ---------------------------------------------------------------------------------------- */

/* An exponential to 1.2e-7 and three roundings, and the expected value's own. */
static const double silu_tolerance = 2.5e-7;

static void silu_like_the_formula(void **state) {
    (void)state;
    enum { COUNT = 17001 };
    gsl_rng *rng = make_rng(5);
    float *gate = floats(COUNT), *up = gaussians(rng, COUNT, 1.0), *expected = floats(COUNT);
    for (int i = 0; i < COUNT; i++) {
        gate[i] = (float)(-85.0 + 0.01 * i);
        double z = gate[i];
        expected[i] = (float)(z / (1.0 + exp(-z)) * up[i]);
    }
    for (const struct kernels *const *table = kernels_available(); *table; table++) {
        float *out = copied(gate, COUNT);
        (*table)->silu_multiply(out, up, COUNT);
        assert_all_near((*table)->name, out, expected, NULL, COUNT, silu_tolerance);
        free(out);
    }
    free(gate), free(up), free(expected);
    gsl_rng_free(rng);
}

/* Counts that fill no vector, and not one number beyond them. */
static void silu_of_any_count(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(6);
    for (int64_t count = 0; count <= 67; count++) {
        float *gate = gaussians(rng, count + 1, 3.0), *up = gaussians(rng, count + 1, 1.0);
        float *expected = copied(gate, count + 1);
        kernels_reference.silu_multiply(expected, up, count);
        for (const struct kernels *const *table = kernels_available() + 1; *table; table++) {
            float *out = copied(gate, count + 1);
            (*table)->silu_multiply(out, up, count);
            assert_all_near((*table)->name, out, expected, NULL, count, silu_tolerance);
            assert_true(out[count] == gate[count]);
            free(out);
        }
        free(gate), free(up), free(expected);
    }
    gsl_rng_free(rng);
}

static void silu_at_the_ends(void **state) {
    (void)state;
    const float up[8] = {2, 2, 2, 2, 2, 2, 2, 2};
    for (const struct kernels *const *table = kernels_available(); *table; table++) {
        float z[8] = {0, 100, -100, 1000, -1000, 1e30f, -86, NAN};
        (*table)->silu_multiply(z, up, 8);
        assert_true(z[0] == 0.0f && z[1] == 200.0f && z[3] == 2000.0f && z[5] == 2e30f);
        assert_near((*table)->name, z[2], 0.0, 1e-35);
        assert_near((*table)->name, z[4], 0.0, 1e-34);
        assert_near((*table)->name, z[6], -172.0 * exp(-86.0), 172.0 * exp(-86.0) * silu_tolerance);
        assert_true(isnan(z[7]));
    }
}

/* Attention ----------------------------------------------------------------------------------- */

struct attention {
    struct attention_shape shape;
    float *q, *k, *v;
};

static int64_t attention_outputs(const struct attention_shape *shape) {
    return shape->rows * shape->heads * shape->width;
}

static struct attention make_attention(gsl_rng *rng, struct attention_shape shape, double sigma) {
    int64_t keys = (shape.first + shape.rows) * shape.kv_heads * shape.width;
    return (struct attention){.shape = shape,
                              .q = gaussians(rng, attention_outputs(&shape), sigma),
                              .k = gaussians(rng, keys, sigma),
                              .v = gaussians(rng, keys, 1.0)};
}

static void free_attention(struct attention *a) { free(a->q), free(a->k), free(a->v); }

/* Output and scratch hold NaN before, so that what a kernel reads before it writes shows. */
static float *attend(const struct kernels *table, const struct attention *a) {
    int64_t scratch_floats = table->attention_scratch(&a->shape);
    assert_true(scratch_floats >= 0);
    float *out = filled(attention_outputs(&a->shape), NAN), *scratch = filled(scratch_floats + 1, NAN);
    scratch[scratch_floats] = 5.0f;
    table->attention(out, a->q, a->k, a->v, &a->shape, scratch);
    assert_true(scratch[scratch_floats] == 5.0f);
    free(scratch);
    return out;
}

/* `room`: the error allowed in each output; values are about 1. */
static void check_attention(const struct attention *a, double room) {
    int64_t count = attention_outputs(&a->shape);
    float *expected = attend(&kernels_reference, a), *ones = filled(count, 1.0f);
    for (const struct kernels *const *table = kernels_available() + 1; *table; table++) {
        float *out = attend(*table, a);
        assert_all_near((*table)->name, out, expected, ones, count, room);
        free(out);
    }
    free(expected), free(ones);
}

enum { FIRSTS = 6, GROUPS = 3, HEAD_WIDTHS = 7 };
static const int64_t firsts[FIRSTS] = {0, 1, 127, 255, 256, 300};
static const int64_t head_widths[HEAD_WIDTHS] = {8, 48, 64, 80, 96, 128, 256};

/* Scores of about 1. */
static void attention_like_the_reference(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(7);
    for (int i = 0; i < FIRSTS * GROUPS * HEAD_WIDTHS; i++) {
        for (int64_t rows = 1; rows <= 5; rows += 4) {
            struct attention_shape shape = {.first = firsts[i % FIRSTS],
                                            .rows = rows,
                                            .heads = 4,
                                            .kv_heads = (int64_t)4 >> (i / FIRSTS % GROUPS),
                                            .width = head_widths[i / FIRSTS / GROUPS]};
            struct attention a = make_attention(rng, shape, 1.0);
            check_attention(&a, 1e-6);
            free_attention(&a);
        }
    }
    gsl_rng_free(rng);
}

/* Blocks as the forward pass makes them: whole ones, and the odd one at the end of a window. */
static void attention_of_whole_blocks(void **state) {
    (void)state;
    const int64_t shapes[][2] = {{0, 128}, {128, 128}, {0, 257}, {255, 3}, {256, 77}, {512, 2}, {640, 60}};
    gsl_rng *rng = make_rng(8);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct attention_shape shape = {
            .first = shapes[i][0], .rows = shapes[i][1], .heads = 3, .kv_heads = 1, .width = 16};
        struct attention a = make_attention(rng, shape, 1.0);
        check_attention(&a, 1e-6);
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* Scores of several hundred, of both signs: their f32 rounding, 2^-24 of some 500 in each of the
 * sum's steps, is what the room is for. */
static void attention_with_large_scores(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(9);
    for (int f = 0; f < FIRSTS; f++) {
        struct attention_shape shape = {.first = firsts[f] + 300, .rows = 5, .heads = 2, .kv_heads = 1, .width = 64};
        struct attention a = make_attention(rng, shape, 12.0);
        check_attention(&a, 2e-4);
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* Scores of 0 and one of `peak` at key `place`: all keys zero in the first component but one, and
 * every query 8 there (width 64: score = 8 x key / 8). */
static struct attention make_peak(gsl_rng *rng, int64_t first, int64_t place, float peak) {
    struct attention_shape shape = {.first = first, .rows = 3, .heads = 2, .kv_heads = 1, .width = 64};
    struct attention a = make_attention(rng, shape, 1.0);
    memset(a.q, 0, (size_t)attention_outputs(&shape) * sizeof *a.q);
    memset(a.k, 0, (size_t)((first + 3) * 64) * sizeof *a.k);
    for (int i = 0; i < 3 * 2; i++) a.q[i * 64] = 8.0f;
    a.k[place * 64] = peak;
    return a;
}

/* With a score of 300 among zeros a row returns the value of that key, wherever it lies. */
static void attention_finds_the_peak_in_any_tile(void **state) {
    (void)state;
    const int64_t places[] = {0, 1, 255, 256, 511, 512, 700};
    gsl_rng *rng = make_rng(10);
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        struct attention a = make_peak(rng, 700, places[p], 300.0f);
        for (const struct kernels *const *table = kernels_available(); *table; table++) {
            float *out = attend(*table, &a);
            for (int row = 0; row < 3 * 2; row++) {
                assert_all_near((*table)->name, out + row * 64, a.v + places[p] * 64, NULL, 64, 2e-7);
            }
            free(out);
        }
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* The same with a peak of 5, where the other keys keep a share and the running sum is shrunk. */
static void attention_shrinks_what_it_gathered(void **state) {
    (void)state;
    const int64_t places[] = {0, 255, 256, 511, 512, 702};
    gsl_rng *rng = make_rng(11);
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        struct attention a = make_peak(rng, 700, places[p], 5.0f);
        check_attention(&a, 5e-7);
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* Every score the same, however large or small: the mean of the values. */
static void attention_to_equals_is_the_mean(void **state) {
    (void)state;
    const float scores[] = {0, 500, -500, 3e4f, -3e4f};
    gsl_rng *rng = make_rng(12);
    for (size_t s = 0; s < sizeof scores / sizeof *scores; s++) {
        struct attention a = make_peak(rng, 600, 0, scores[s]);
        for (int64_t j = 0; j < 603; j++) a.k[j * 64] = scores[s];
        double sums[64] = {0};
        for (int64_t j = 0; j < 601; j++) {
            for (int i = 0; i < 64; i++) sums[i] += a.v[j * 64 + i];
        }
        for (const struct kernels *const *table = kernels_available(); *table; table++) {
            float *out = attend(*table, &a);
            for (int i = 0; i < 64; i++) assert_near((*table)->name, out[i], sums[i] / 601.0, 3e-7);
            free(out);
        }
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* A later key changes nothing for the rows before it, to the last bit. */
static void attention_is_causal(void **state) {
    (void)state;
    enum { FIRST = 254, ROWS = 5, SEEN = 3 };
    struct attention_shape shape = {.first = FIRST, .rows = ROWS, .heads = 2, .kv_heads = 2, .width = 48};
    gsl_rng *rng = make_rng(13);
    struct attention a = make_attention(rng, shape, 1.0);
    int64_t kept = (FIRST + SEEN) * 2 * 48, all = (FIRST + ROWS) * 2 * 48;
    for (const struct kernels *const *table = kernels_available(); *table; table++) {
        struct attention other = a;
        other.k = copied(a.k, all), other.v = copied(a.v, all);
        for (int64_t i = kept; i < all; i++) other.k[i] += 50.0f, other.v[i] = 1e6f;
        float *out = attend(*table, &a), *changed = attend(*table, &other);
        assert_memory_equal(out, changed, SEEN * 2 * 48 * sizeof *out);
        free(out), free(changed), free(other.k), free(other.v);
    }
    free_attention(&a);
    gsl_rng_free(rng);
}

/* A first row has one key and returns its value. */
static void attention_to_one_key(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(14);
    for (int w = 0; w < HEAD_WIDTHS; w++) {
        struct attention_shape shape = {.first = 0, .rows = 1, .heads = 4, .kv_heads = 2, .width = head_widths[w]};
        struct attention a = make_attention(rng, shape, 5.0);
        for (const struct kernels *const *table = kernels_available(); *table; table++) {
            float *out = attend(*table, &a);
            for (int h = 0; h < 4; h++) {
                assert_memory_equal(out + h * shape.width, a.v + h / 2 * shape.width,
                                    (size_t)shape.width * sizeof *out);
            }
            free(out);
        }
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* Many heads, each with two keys of scores 0 and d: the share of the second is e^d / (1 + e^d).
 * With width 64 the scores have no rounding of their own. */
static void attention_weights_are_accurate(void **state) {
    (void)state;
    enum { HEADS = 2048, WIDTH = 64 };
    gsl_rng *rng = make_rng(15);
    struct attention_shape shape = {.first = 1, .rows = 1, .heads = HEADS, .kv_heads = HEADS, .width = WIDTH};
    struct attention a = make_attention(rng, shape, 1.0);
    memset(a.q, 0, HEADS * WIDTH * sizeof *a.q);
    memset(a.k, 0, 2 * HEADS * WIDTH * sizeof *a.k);
    memset(a.v, 0, 2 * HEADS * WIDTH * sizeof *a.v);
    for (int h = 0; h < HEADS; h++) {
        a.q[h * WIDTH] = 8.0f;
        a.k[(HEADS + h) * WIDTH] = (float)gsl_ran_flat(rng, -86.9, 20.0);
        a.v[(HEADS + h) * WIDTH] = 1.0f;
    }
    for (const struct kernels *const *table = kernels_available(); *table; table++) {
        float *out = attend(*table, &a);
        for (int h = 0; h < HEADS; h++) {
            double expected = 1.0 / (1.0 + exp(-(double)a.k[(HEADS + h) * WIDTH]));
            assert_near((*table)->name, out[h * WIDTH], expected, 2e-7 * expected);
        }
        free(out);
    }
    free_attention(&a);
    gsl_rng_free(rng);
}

/* Nats ---------------------------------------------------------------------------------------- */

static const double nats_room = 4e-7;

static double exact_nats(const float *logits, int32_t target, int64_t vocabulary) {
    long double largest = -INFINITY, sum = 0.0L;
    for (int64_t j = 0; j < vocabulary; j++) largest = fmaxl(largest, logits[j]);
    for (int64_t j = 0; j < vocabulary; j++) sum += expl(logits[j] - largest);
    return (double)(largest + logl(sum) - logits[target]);
}

static void check_nats(const float *logits, const int32_t *targets, int64_t rows, int64_t vocabulary) {
    double *out = malloc((size_t)rows * sizeof *out);
    assert_non_null(out);
    for (const struct kernels *const *table = kernels_available(); *table; table++) {
        for (int64_t r = 0; r < rows; r++) out[r] = NAN;
        (*table)->nats(out, logits, targets, rows, vocabulary);
        for (int64_t r = 0; r < rows; r++) {
            double expected = exact_nats(logits + r * vocabulary, targets[r], vocabulary);
            assert_near((*table)->name, out[r], expected, nats_room);
        }
    }
    free(out);
}

static void nats_like_the_formula(void **state) {
    (void)state;
    const int64_t vocabularies[] = {1, 2, 17, 97, 256, 5000};
    const double sigmas[] = {0.01, 1.0, 5.0, 40.0};
    enum { ROWS = 7 };
    gsl_rng *rng = make_rng(16);
    for (int i = 0; i < 6 * 4; i++) {
        int64_t vocabulary = vocabularies[i % 6];
        float *logits = gaussians(rng, ROWS * vocabulary, sigmas[i / 6]);
        int32_t targets[ROWS];
        for (int r = 0; r < ROWS; r++) targets[r] = (int32_t)gsl_rng_uniform_int(rng, (unsigned long)vocabulary);
        check_nats(logits, targets, ROWS, vocabulary);
        free(logits);
    }
    gsl_rng_free(rng);
}

/* Logits of 80 and -80, the largest at either end; an offset that all share; a single word. */
static void nats_by_hand(void **state) {
    (void)state;
    const float logits[] = {80, -80, -80, -80, -80, 80, 80, 80, 80, -80, -80, -80, 1000, 1000, 1000};
    const int32_t targets[] = {0, 2, 2, 0, 0};
    const double expected[] = {0.0, 0.0, 1.0986122886681098, 1.0986122886681098, 1.0986122886681098};
    const float lone[] = {80, -80, 0};
    const int32_t only[] = {0, 0, 0}, last[] = {2, 0, 0, 0, 0};
    for (const struct kernels *const *table = kernels_available(); *table; table++) {
        double out[5];
        (*table)->nats(out, logits, targets, 5, 3);
        for (int r = 0; r < 5; r++) assert_near((*table)->name, out[r], expected[r], nats_room);
        (*table)->nats(out, logits, last, 2, 3);
        assert_near((*table)->name, out[0], 160.0, nats_room);
        assert_near((*table)->name, out[1], 160.0, nats_room);
        (*table)->nats(out, lone, only, 3, 1);
        for (int r = 0; r < 3; r++) assert_true(out[r] == 0.0);
    }
}

/* NaN ----------------------------------------------------------------------------------------- */

static float float_of_bits(uint32_t bits) {
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

/* Whatever bits a NaN has, it comes out as one: no exponential makes a number of it. */
static void nan_stays_nan(void **state) {
    (void)state;
    const uint32_t nans[] = {0x7fc00000, 0xffc00000, 0x7fffffff, 0xffffffff, 0x7fc00001, 0x7fa00000};
    const int64_t places[] = {0, 1, 40, 96};
    const int32_t target = 7;
    gsl_rng *rng = make_rng(17);
    struct attention_shape shape = {.first = 299, .rows = 1, .heads = 1, .kv_heads = 1, .width = 8};
    for (int i = 0; i < 6 * 4; i++) {
        float *logits = gaussians(rng, 97, 1.0), nan = float_of_bits(nans[i / 4]);
        struct attention a = make_attention(rng, shape, 1.0);
        logits[places[i % 4]] = nan;
        a.k[places[i % 4] * 3 * 8] = nan;
        for (const struct kernels *const *table = kernels_available(); *table; table++) {
            double nats;
            (*table)->nats(&nats, logits, &target, 1, 97);
            assert_true(isnan(nats));
            float *out = attend(*table, &a);
            for (int j = 0; j < 8; j++) assert_true(isnan(out[j]));
            free(out);
        }
        free_attention(&a), free(logits);
    }
    gsl_rng_free(rng);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_comes_first),
        cmocka_unit_test(fastest_is_the_choice),
        cmocka_unit_test(environment_names_the_choice),
        cmocka_unit_test(unknown_choice_is_refused),
        cmocka_unit_test(rms_norm_like_the_reference),
        cmocka_unit_test(rms_norm_in_place),
        cmocka_unit_test(rms_norm_by_hand),
        cmocka_unit_test(project_like_the_reference),
        cmocka_unit_test(project_by_hand),
        cmocka_unit_test(rotate_like_the_reference),
        cmocka_unit_test(rotate_by_hand),
        cmocka_unit_test(silu_like_the_formula),
        cmocka_unit_test(silu_of_any_count),
        cmocka_unit_test(silu_at_the_ends),
        cmocka_unit_test(attention_like_the_reference),
        cmocka_unit_test(attention_of_whole_blocks),
        cmocka_unit_test(attention_with_large_scores),
        cmocka_unit_test(attention_finds_the_peak_in_any_tile),
        cmocka_unit_test(attention_shrinks_what_it_gathered),
        cmocka_unit_test(attention_to_equals_is_the_mean),
        cmocka_unit_test(attention_is_causal),
        cmocka_unit_test(attention_to_one_key),
        cmocka_unit_test(attention_weights_are_accurate),
        cmocka_unit_test(nats_like_the_formula),
        cmocka_unit_test(nats_by_hand),
        cmocka_unit_test(nan_stays_nan),
    };
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
