/* Kernels: every table that this processor runs against the reference of its type on random data, and
 * every table, the references included, against values known in closed form. Attention has a file of
 * its own. */
#include "tests/unit/kernel_data.h"

#include <float.h>

/* The tables ---------------------------------------------------------------------------------- */

static void reference_comes_first(void **state) {
    (void)state;
    for (int t = 0; t < TYPES; t++) {
        const struct kernels *const *tables = kernels_available(types[t]);
        assert_ptr_equal(tables[0], reference_of(types[t]));
        assert_string_equal(tables[0]->name, "reference");
        assert_non_null(tables[1]); /* the baseline runs everywhere */
        assert_string_equal(tables[1]->name, "baseline");
        for (int a = 0; tables[a]; a++) {
            assert_int_equal(tables[a]->type, types[t]);
            for (int b = 0; b < a; b++) assert_string_not_equal(tables[a]->name, tables[b]->name);
        }
    }
}

/* Where bf16 is fast there is a table for it that f32 has no like of. */
static void fast_bf16_has_a_table_of_its_own(void **state) {
    (void)state;
    int counts[TYPES];
    for (int t = 0; t < TYPES; t++) {
        const struct kernels *const *tables = kernels_available(types[t]);
        for (counts[t] = 0; tables[counts[t]];) counts[t]++;
    }
    assert_int_equal(counts[1] > counts[0], kernels_bf16_is_fast());
}

static void emulated_tiles_are_tested(void **state) {
    (void)state;
    const struct kernels *table = emulated_table();
    if (!table) {
        print_message("AMX's kernels with emulated tiles need AVX512-BF16, which this processor has not: not tested\n");
        skip();
    }
    assert_string_equal(table->name, "amx_emulated");
    assert_int_equal(table->type, NUMBER_BF16);
}

static void fastest_is_the_choice(void **state) {
    (void)state;
    for (int t = 0; t < TYPES; t++) {
        const struct kernels *const *last = kernels_available(types[t]);
        while (last[1]) last++;
        const struct kernels *chosen = NULL;
        struct error error;
        assert_int_equal(unsetenv("LONGROPE_KERNELS"), 0);
        assert_int_equal(kernels_choose(types[t], &chosen, &error), STATUS_OK);
        assert_ptr_equal(chosen, *last);
        assert_int_equal(setenv("LONGROPE_KERNELS", "", 1), 0);
        chosen = NULL;
        assert_int_equal(kernels_choose(types[t], &chosen, &error), STATUS_OK);
        assert_ptr_equal(chosen, *last);
    }
    assert_int_equal(unsetenv("LONGROPE_KERNELS"), 0);
}

static void environment_names_the_choice(void **state) {
    (void)state;
    for (int t = 0; t < TYPES; t++) {
        for (const struct kernels *const *table = kernels_available(types[t]); *table; table++) {
            const struct kernels *chosen = NULL;
            struct error error;
            assert_int_equal(setenv("LONGROPE_KERNELS", (*table)->name, 1), 0);
            assert_int_equal(kernels_choose(types[t], &chosen, &error), STATUS_OK);
            assert_ptr_equal(chosen, *table);
        }
    }
    assert_int_equal(unsetenv("LONGROPE_KERNELS"), 0);
}

static void assert_refused(enum number_type type, const char *name) {
    const struct kernels *chosen = NULL;
    struct error error = {""};
    assert_int_equal(setenv("LONGROPE_KERNELS", name, 1), 0);
    assert_int_equal(kernels_choose(type, &chosen, &error), STATUS_INPUT);
    assert_non_null(strstr(error.message, "LONGROPE_KERNELS"));
    assert_non_null(strstr(error.message, name));
    assert_non_null(strstr(error.message, number_type_name(type)));
    for (const struct kernels *const *table = kernels_available(type); *table; table++) {
        assert_non_null(strstr(error.message, (*table)->name));
    }
    assert_int_equal(unsetenv("LONGROPE_KERNELS"), 0);
}

/* The last two are tables of bf16 alone. */
static void unknown_choice_is_refused(void **state) {
    (void)state;
    const char *const names[] = {"avx", "Reference", "reference ", "baseline2", " ", "amx_emulated", "reference_f32"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (int t = 0; t < TYPES; t++) assert_refused(types[t], names[i]);
    }
    assert_refused(NUMBER_F32, "avx512bf16");
    assert_refused(NUMBER_F32, "amx");
}

/* Numbers ------------------------------------------------------------------------------------- */

static bool bf16_is_nan(uint32_t number) { return (number & 0x7fff) > 0x7f80; }

static void every_bf16_survives_f32(void **state) {
    (void)state;
    for (uint32_t n = 0; n <= 0xffff; n++) {
        float x = number_of_bf16((uint16_t)n);
        assert_int_equal(bits_of_float(x), n << 16);
        assert_int_equal(isnan(x) != 0, bf16_is_nan(n));
        /* A signalling NaN may come back quiet. */
        assert_int_equal(number_to_bf16(x), bf16_is_nan(n) ? n | 0x40 : n);
    }
}

/* Between two neighbours: the nearer one, and of a tie the even one. The largest number's neighbour is
 * infinity. */
static void bf16_is_the_nearest(void **state) {
    (void)state;
    for (uint32_t sign = 0; sign <= 0x8000; sign += 0x8000) {
        for (uint32_t n = sign; n < sign + 0x7f80; n++) {
            uint32_t bits = n << 16;
            assert_int_equal(number_to_bf16(float_of_bits(bits + 1)), n);
            assert_int_equal(number_to_bf16(float_of_bits(bits + 0x7fff)), n);
            assert_int_equal(number_to_bf16(float_of_bits(bits + 0x8000)), n + n % 2);
            assert_int_equal(number_to_bf16(float_of_bits(bits + 0x8001)), n + 1);
            assert_int_equal(number_to_bf16(float_of_bits(bits + 0xffff)), n + 1);
        }
    }
}

static void nan_narrows_to_nan(void **state) {
    (void)state;
    for (int kind = 0; kind < NANS; kind++) assert_true(bf16_is_nan(number_to_bf16(nan_of_kind(kind))));
    for (uint32_t low = 1; low <= 0xffff; low++) {
        assert_true(bf16_is_nan(number_to_bf16(float_of_bits(0x7f800000 + low))));
        assert_true(bf16_is_nan(number_to_bf16(float_of_bits(0xffff0000 + low))));
    }
}

/* Narrowing ----------------------------------------------------------------------------------- */

static float operand_at(const struct kernels *table, const void *rows, int64_t index) {
    if (table->type == NUMBER_F32 || table == reference_of(table->type)) return ((const float *)rows)[index];
    return number_of_bf16(((const uint16_t *)rows)[index]);
}

/* Instructions for bf16 take and give denormals as zero: of those either will do. */
static void assert_operand(const struct kernels *table, float got, float x) {
    float expected = as_operand(table->type, x);
    if (bits_of_float(got) == bits_of_float(expected)) return;
    if (isnan(x) && isnan(got)) return;
    if (table->type == NUMBER_BF16 && fabsf(x) < FLT_MIN && got == 0.0f && signbit(got) == signbit(x)) return;
    fail_msg("%s %s: %a narrows to %a, not to %a", table->name, number_type_name(table->type), (double)x, (double)got,
             (double)expected);
}

static void check_narrow(const float *x, int64_t rows, int64_t width) {
    for (const struct kernels *const *table = all_tables(); *table; table++) {
        int64_t length = (*table)->row_length(width);
        assert_true(length >= width);
        void *out = narrowed(*table, x, rows, width);
        for (int64_t r = 0; r < rows; r++) {
            for (int64_t i = 0; i < length; i++) {
                float got = operand_at(*table, out, r * length + i);
                if (i < width) assert_operand(*table, got, x[r * width + i]);
                if (i >= width) assert_int_equal(bits_of_float(got), 0);
            }
        }
        free(out);
    }
}

/* Ties, numbers beside them, infinities, what becomes infinite, zeros and NaN, at every place in a row; and
 * numbers of random bits. */
static void narrow_rounds_to_the_nearest(void **state) {
    (void)state;
    const float interesting[] = {1.0f,         1.00390625f,  1.01171875f, 0x1.00fffep0f,   0x1.010002p0f,
                                 -1.00390625f, -1.01171875f, 0.0f,        -0.0f,           INFINITY,
                                 -INFINITY,    FLT_MAX,      -FLT_MAX,    0x1.fefffep127f, 0x1.ffp127f,
                                 FLT_MIN,      -FLT_MIN,     0x1p-127f,   0x1p-149f};
    enum { INTERESTING = sizeof interesting / sizeof *interesting, ROWS = 3 };
    gsl_rng *rng = make_rng(20);
    for (int64_t width = 1; width <= 70; width++) {
        float *x = floats(ROWS * width);
        for (int64_t i = 0; i < width; i++) {
            x[i] = interesting[(width + i) % INTERESTING];
            x[width + i] = nan_of_kind((int)((width + i) % NANS));
            x[2 * width + i] = float_of_bits((uint32_t)gsl_rng_get(rng));
        }
        check_narrow(x, ROWS, width);
        free(x);
    }
    gsl_rng_free(rng);
}

/* Ties of every exponent of normal numbers, in rows as wide as a model's. */
static void narrow_rounds_ties_to_even(void **state) {
    (void)state;
    enum { WIDTH = 0x7f80 - 0x80 };
    float *x = floats(WIDTH);
    for (uint32_t i = 0; i < WIDTH; i++) x[i] = float_of_bits((0x80 + i) << 16 | 0x8000);
    check_narrow(x, 1, WIDTH);
    free(x);
}

/* Packing ------------------------------------------------------------------------------------- */

/* w[outputs][inputs] packed `step` rows at a time. */
static struct matrix packed(const struct kernels *table, const float *w, int64_t outputs, int64_t inputs,
                            int64_t step) {
    struct matrix out = {outputs, inputs, operands(table->matrix_bytes(outputs, inputs))};
    for (int64_t first = 0; first < outputs; first += step) {
        float *part = copied(w + first * inputs, (first + step < outputs ? step : outputs - first) * inputs);
        table->pack(&out, part, first, first + step < outputs ? step : outputs - first);
        free(part);
    }
    return out;
}

enum { PACKED_OUTPUTS = 10, PACKED_INPUTS = 9, PACK_STEPS = 4 };
static const int64_t packed_outputs[PACKED_OUTPUTS] = {1, 15, 16, 17, 63, 64, 65, 96, 130, 330};
static const int64_t packed_inputs[PACKED_INPUTS] = {1, 2, 17, 31, 33, 48, 64, 80, 130};
static const int64_t pack_steps[PACK_STEPS] = {64, 128, 192, 384};

/* Rows come back as they were rounded, whatever the steps they were packed in. */
static void unpacked_is_what_was_packed(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(21);
    for (int i = 0; i < PACKED_OUTPUTS * PACKED_INPUTS * PACK_STEPS; i++) {
        int64_t outputs = packed_outputs[i % PACKED_OUTPUTS],
                inputs = packed_inputs[i / PACKED_OUTPUTS % PACKED_INPUTS];
        float *w = gaussians(rng, outputs * inputs, 1.0), *row = floats(inputs), *expected = floats(outputs * inputs);
        for (const struct kernels *const *table = all_tables(); *table; table++) {
            struct matrix m = packed(*table, w, outputs, inputs, pack_steps[i / PACKED_OUTPUTS / PACKED_INPUTS]);
            for (int64_t j = 0; j < outputs * inputs; j++) expected[j] = as_operand((*table)->type, w[j]);
            for (int64_t o = 0; o < outputs; o++) {
                (*table)->unpack_row(row, &m, o);
                assert_all_same(*table, row, expected + o * inputs, inputs);
            }
            free(m.data);
        }
        free(w), free(row), free(expected);
    }
    gsl_rng_free(rng);
}

/* A row of NaN and infinities does not reach its neighbours, and comes back. */
static void packed_nan_stays_in_its_row(void **state) {
    (void)state;
    enum { OUTPUTS = 70, INPUTS = 33 };
    float *w = filled(OUTPUTS * INPUTS, 1.0f), row[INPUTS];
    float *x = filled(INPUTS, 1.0f), out[OUTPUTS];
    for (int i = 0; i < INPUTS; i++) w[5 * INPUTS + i] = nan_of_kind(i % NANS), w[66 * INPUTS + i] = -INFINITY;
    for (const struct kernels *const *table = all_tables(); *table; table++) {
        struct matrix m = packed(*table, w, OUTPUTS, INPUTS, PACK_ROWS);
        (*table)->unpack_row(row, &m, 5);
        for (int i = 0; i < INPUTS; i++) assert_true(isnan(row[i]));
        (*table)->unpack_row(row, &m, 66);
        for (int i = 0; i < INPUTS; i++) assert_true(row[i] == -INFINITY);
        void *numbers = narrowed(*table, x, 1, INPUTS);
        (*table)->project(out, numbers, &m, 1, false);
        for (int o = 0; o < OUTPUTS; o++) {
            if (o == 5) assert_true(isnan(out[o]));
            if (o == 66) assert_true(out[o] == -INFINITY);
            if (o != 5 && o != 66) assert_true(out[o] == INPUTS);
        }
        free(numbers), free(m.data);
    }
    free(w), free(x);
}

/* RMS norm ------------------------------------------------------------------------------------ */

enum { ROW_COUNTS = 6, WIDTHS = 8 };
static const int64_t row_counts[ROW_COUNTS] = {1, 3, 7, 96, 128, 192};
static const int64_t widths[WIDTHS] = {8, 17, 48, 64, 80, 96, 128, 256};

/* Three roundings, of the scale and of two products, and the reference's own: 4 x 2^-24. */
static const double norm_tolerance = 2.5e-7;

static void rms_norm_like_the_reference(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(1);
    for (int i = 0; i < ROW_COUNTS * WIDTHS; i++) {
        int64_t rows = row_counts[i % ROW_COUNTS], width = widths[i / ROW_COUNTS], count = rows * width;
        float *x = gaussians(rng, count, 3.0), *weight = gaussians(rng, width, 1.0);
        float *expected = filled(count, NAN), *out = filled(count, NAN);
        kernels_reference_f32.rms_norm(expected, x, weight, rows, width, 1e-5);
        for (const struct kernels *const *table = all_tables() + 1; *table; table++) {
            (*table)->rms_norm(out, x, weight, rows, width, 1e-5);
            assert_all_near(*table, out, expected, NULL, count, norm_tolerance);
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
    for (const struct kernels *const *table = all_tables(); *table; table++) {
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
    for (const struct kernels *const *table = all_tables(); *table; table++) {
        float out[6];
        (*table)->rms_norm(out, x, weight, 1, 2, 12.5);
        assert_near(*table, out[0], 6.0, 2e-6);
        assert_near(*table, out[1], -80.0, 2e-5);
        (*table)->rms_norm(out, x, weight, 3, 2, 3e-6);
        assert_true(out[2] == 0.0f && out[3] == 0.0f);
        assert_near(*table, out[4], 5.0, 2e-6);
        assert_near(*table, out[5], 50.0, 2e-5);
    }
}

/* Projections --------------------------------------------------------------------------------- */

/* Relative to the sum of the products' magnitudes. The same for bf16 as for f32: both sides multiply the
 * same rounded numbers, whose products f32 holds exactly, and sum in f32. */
static const double product_tolerance = 5e-7;

struct product {
    int64_t rows, outputs, inputs;
    float *x, *w, *before; /* [rows][inputs], [outputs][inputs], [rows][outputs] */
};

static struct product make_product(gsl_rng *rng, int64_t rows, int64_t outputs, int64_t inputs) {
    struct product p = {.rows = rows, .outputs = outputs, .inputs = inputs};
    p.x = gaussians(rng, rows * inputs, 1.0);
    p.w = gaussians(rng, outputs * inputs, 1.0);
    p.before = gaussians(rng, rows * outputs, 5.0);
    return p;
}

static void free_product(struct product *p) { free(p->x), free(p->w), free(p->before); }

/* In calls of at most `group` rows. */
static float *product_of(const struct kernels *table, const struct product *p, bool add, int64_t group) {
    float *out = add ? copied(p->before, p->rows * p->outputs) : filled(p->rows * p->outputs, NAN);
    struct matrix w = packed(table, p->w, p->outputs, p->inputs, 2 * PACK_ROWS);
    unsigned char *x = narrowed(table, p->x, p->rows, p->inputs);
    for (int64_t r = 0; r < p->rows; r += group) {
        table->project(out + r * p->outputs, x + operand_bytes(table, r, p->inputs), &w,
                       p->rows - r < group ? p->rows - r : group, add);
    }
    free(x), free(w.data);
    return out;
}

/* [rows][outputs]: before and products, all with positive sign. */
static float *product_scale(const struct product *p) {
    struct product sizes = {p->rows,
                            p->outputs,
                            p->inputs,
                            magnitudes(p->x, p->rows * p->inputs),
                            magnitudes(p->w, p->outputs * p->inputs),
                            magnitudes(p->before, p->rows * p->outputs)};
    float *out = product_of(&kernels_reference_f32, &sizes, true, p->rows);
    free_product(&sizes);
    return out;
}

static void check_product(const struct product *p) {
    int64_t count = p->rows * p->outputs;
    float *scale = product_scale(p);
    for (int i = 0; i < 2 * TYPES; i++) {
        bool add = i % 2;
        float *expected = product_of(reference_of(types[i / 2]), p, add, p->rows);
        for (const struct kernels *const *table = tables_of(types[i / 2]) + 1; *table; table++) {
            float *out = product_of(*table, p, add, p->rows);
            assert_all_near(*table, out, expected, scale, count, product_tolerance);
            free(out);
        }
        free(expected);
    }
    free(scale);
}

/* Every pair of them occurs. The widest inputs are more than one block and one sum of terms. */
static void project_like_the_reference(void **state) {
    (void)state;
    enum { ROWS = 6, OUTPUTS = 6, INPUTS = 13 };
    const int64_t rows[ROWS] = {1, 3, 7, 96, 128, 192}, outputs[OUTPUTS] = {1, 17, 64, 65, 96, 130};
    const int64_t inputs[INPUTS] = {1, 2, 17, 31, 33, 48, 64, 80, 96, 128, 256, 2050, 4100};
    gsl_rng *rng = make_rng(3);
    for (int i = 0; i < OUTPUTS * INPUTS; i++) {
        struct product p =
            make_product(rng, rows[(i % INPUTS + i / INPUTS) % ROWS], outputs[i / INPUTS], inputs[i % INPUTS]);
        check_product(&p);
        free_product(&p);
    }
    gsl_rng_free(rng);
}

static void project_by_hand(void **state) {
    (void)state;
    const float x[4] = {1, 2, 3, 4}, w[6] = {1, 0, 0, 1, 10, -1}; /* [2][2], [3][2] */
    const float expected[6] = {1, 2, 8, 3, 4, 26};
    for (const struct kernels *const *table = all_tables(); *table; table++) {
        float out[6] = {NAN, NAN, NAN, NAN, NAN, NAN}, sum[6] = {100, 100, 100, 100, 100, 100};
        struct matrix m = packed(*table, w, 3, 2, PACK_ROWS);
        void *numbers = narrowed(*table, x, 2, 2);
        (*table)->project(out, numbers, &m, 2, false);
        (*table)->project(sum, numbers, &m, 2, true);
        for (int i = 0; i < 6; i++) assert_true(out[i] == expected[i] && sum[i] == expected[i] + 100);
        free(numbers), free(m.data);
    }
}

/* Whole numbers small enough for exact sums in any order: each term once, at every place of its block. */
static void project_misses_no_term(void **state) {
    (void)state;
    enum { ROWS = 5, OUTPUTS = 70 };
    const int64_t inputs[] = {31, 33, 64, 65, 511, 513, 1025, 2047, 2049, 4100};
    gsl_rng *rng = make_rng(22);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        struct product p = make_product(rng, ROWS, OUTPUTS, inputs[i]);
        for (int64_t j = 0; j < ROWS * inputs[i]; j++) p.x[j] = (float)gsl_rng_uniform_int(rng, 33) - 16.0f;
        for (int64_t j = 0; j < OUTPUTS * inputs[i]; j++) p.w[j] = (float)gsl_rng_uniform_int(rng, 33) - 16.0f;
        float *expected = product_of(&kernels_reference_f32, &p, false, ROWS);
        for (const struct kernels *const *table = all_tables() + 1; *table; table++) {
            float *out = product_of(*table, &p, false, ROWS);
            assert_all_near(*table, out, expected, NULL, ROWS * OUTPUTS, 0.0);
            free(out);
        }
        free(expected), free_product(&p);
    }
    gsl_rng_free(rng);
}

/* A row's result is the same to the last bit, whatever rows come with it. */
static void project_rows_on_their_own(void **state) {
    (void)state;
    const int64_t groups[] = {1, 5, 6, 16, 17, 32}, inputs[] = {33, 80, 2050, 4100};
    enum { ROWS = 96, OUTPUTS = 130 };
    gsl_rng *rng = make_rng(23);
    for (int i = 0; i < 4 * 2; i++) {
        struct product p = make_product(rng, ROWS, OUTPUTS, inputs[i / 2]);
        for (const struct kernels *const *table = all_tables(); *table; table++) {
            float *whole = product_of(*table, &p, i % 2, ROWS);
            for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
                float *parts = product_of(*table, &p, i % 2, groups[g]);
                assert_all_same(*table, parts, whole, ROWS * OUTPUTS);
                free(parts);
            }
            free(whole);
        }
        free_product(&p);
    }
    gsl_rng_free(rng);
}

/* Not one byte beyond a matrix, a row of operands, or the results. */
static void nothing_is_written_beyond(void **state) {
    (void)state;
    const int64_t outputs[] = {1, 17, 64, 130}, inputs[] = {1, 31, 48, 65}, rows[] = {1, 7, 33};
    for (int i = 0; i < 4 * 4 * 3; i++) {
        int64_t o = outputs[i % 4], n = inputs[i / 4 % 4], r = rows[i / 16];
        float *w = filled(o * n, 1.0f), *x = filled(r * n, 1.0f);
        for (const struct kernels *const *table = all_tables(); *table; table++) {
            size_t matrix_bytes = (*table)->matrix_bytes(o, n), x_bytes = operand_bytes(*table, r, n);
            size_t out_bytes = (size_t)(r * o) * sizeof(float), row_bytes = (size_t)n * sizeof(float);
            struct matrix m = {o, n, guarded(matrix_bytes)};
            void *numbers = guarded(x_bytes), *out = guarded(out_bytes), *row = guarded(row_bytes);
            (*table)->pack(&m, w, 0, o);
            (*table)->narrow(numbers, x, r, n);
            (*table)->project(out, numbers, &m, r, false);
            (*table)->unpack_row(row, &m, o - 1);
            assert_guarded(*table, "matrix", m.data, matrix_bytes);
            assert_guarded(*table, "rows", numbers, x_bytes);
            assert_guarded(*table, "results", out, out_bytes);
            assert_guarded(*table, "unpacked row", row, row_bytes);
            free(m.data), free(numbers), free(out), free(row);
        }
        free(w), free(x);
    }
}

/* Rotation ------------------------------------------------------------------------------------ */

/* Relative to (|a| + |b|) of the rotated pair. */
static const double rotate_tolerance = 1.5e-7;

static void check_rotation(gsl_rng *rng, int64_t rows, int64_t heads, int64_t width, int64_t pairs) {
    int64_t count = rows * heads * width;
    float *x = gaussians(rng, count, 2.0), *angles = gaussians(rng, rows * pairs, 3.0);
    float *cosines = floats(rows * pairs), *sines = floats(rows * pairs), *scale = floats(count);
    for (int64_t i = 0; i < rows * pairs; i++) cosines[i] = cosf(angles[i]), sines[i] = sinf(angles[i]);
    for (int64_t i = 0; i < count; i++) {
        int64_t other = i % width < pairs ? i + pairs : i - pairs;
        scale[i] = i % width < 2 * pairs ? fabsf(x[i]) + fabsf(x[other]) : 0.0f; /* the rest stays as it is */
    }
    float *expected = copied(x, count);
    kernels_reference_f32.rotate(expected, cosines, sines, rows, heads, width, pairs);
    for (const struct kernels *const *table = all_tables() + 1; *table; table++) {
        float *out = copied(x, count);
        (*table)->rotate(out, cosines, sines, rows, heads, width, pairs);
        assert_all_near(*table, out, expected, scale, count, rotate_tolerance);
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
            check_rotation(rng, 1, heads[h], head_widths[w], head_widths[w] / 2);
            check_rotation(rng, 7, heads[h], head_widths[w], head_widths[w] / 2);
            check_rotation(rng, 3, heads[h], head_widths[w], (head_widths[w] + 7) / 8);
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
    for (const struct kernels *const *table = all_tables(); *table; table++) {
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
    for (const struct kernels *const *table = all_tables(); *table; table++) {
        float *out = copied(gate, COUNT);
        (*table)->silu_multiply(out, up, COUNT);
        assert_all_near(*table, out, expected, NULL, COUNT, silu_tolerance);
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
        kernels_reference_f32.silu_multiply(expected, up, count);
        for (const struct kernels *const *table = all_tables() + 1; *table; table++) {
            float *out = copied(gate, count + 1);
            (*table)->silu_multiply(out, up, count);
            assert_all_near(*table, out, expected, NULL, count, silu_tolerance);
            assert_true(out[count] == gate[count]);
            free(out);
        }
        free(gate), free(up), free(expected);
    }
    gsl_rng_free(rng);
}

/* gelu ---------------------------------------------------------------------------------------- */

/* Of |z up|: the exponential's error grows with its argument, by as much as the quotient shrinks. */
static const double gelu_tolerance = 4e-7;

static void gelu_like_the_formula(void **state) {
    (void)state;
    enum { COUNT = 4003 };
    gsl_rng *rng = make_rng(7);
    float *gate = floats(COUNT), *up = gaussians(rng, COUNT, 1.0);
    for (int i = 0; i < COUNT; i++) gate[i] = (float)(-20.0 + 0.01 * i);
    for (const struct kernels *const *table = all_tables(); *table; table++) {
        float *out = copied(gate, COUNT);
        (*table)->gelu_multiply(out, up, COUNT);
        for (int i = 0; i < COUNT; i++) {
            double z = gate[i], scale = fabs(z * up[i]);
            double gelu = 0.5 * z * (1.0 + tanh(0.79788456080286536 * (z + 0.044715 * z * z * z)));
            assert_near(*table, out[i], gelu * up[i], gelu_tolerance * scale + 1e-37);
        }
        free(out);
    }
    free(gate), free(up);
    gsl_rng_free(rng);
}

/* Counts that fill no vector, and not one number beyond them. */
static void gelu_of_any_count(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(8);
    for (int64_t count = 0; count <= 67; count++) {
        float *gate = gaussians(rng, count + 1, 3.0), *up = gaussians(rng, count + 1, 1.0);
        float *expected = copied(gate, count + 1);
        kernels_reference_f32.gelu_multiply(expected, up, count);
        for (const struct kernels *const *table = all_tables() + 1; *table; table++) {
            float *out = copied(gate, count + 1);
            (*table)->gelu_multiply(out, up, count);
            for (int64_t i = 0; i < count; i++) {
                assert_near(*table, out[i], expected[i], gelu_tolerance * fabs((double)gate[i] * up[i]));
            }
            assert_true(out[count] == gate[count]);
            free(out);
        }
        free(gate), free(up), free(expected);
    }
    gsl_rng_free(rng);
}

static void gelu_at_the_ends(void **state) {
    (void)state;
    const float up[8] = {2, 2, 2, 2, 2, 2, 2, 2};
    for (const struct kernels *const *table = all_tables(); *table; table++) {
        float z[8] = {0, 100, -100, 1e30f, -1e30f, -3e38f, 12, NAN};
        (*table)->gelu_multiply(z, up, 8);
        assert_true(z[0] == 0.0f && z[1] == 200.0f && z[3] == 2e30f && z[6] == 24.0f);
        assert_near(*table, z[2], 0.0, 1e-34);
        assert_near(*table, z[4], 0.0, 1e-34);
        assert_near(*table, z[5], 0.0, 1e-34);
        assert_true(isnan(z[7]));
        float far[2] = {-INFINITY, INFINITY};
        (*table)->gelu_multiply(far, up, 2);
        assert_true(isnan(far[0]) && isinf(far[1]));
    }
}

static void silu_at_the_ends(void **state) {
    (void)state;
    const float up[8] = {2, 2, 2, 2, 2, 2, 2, 2};
    for (const struct kernels *const *table = all_tables(); *table; table++) {
        float z[8] = {0, 100, -100, 1000, -1000, 1e30f, -86, NAN};
        (*table)->silu_multiply(z, up, 8);
        assert_true(z[0] == 0.0f && z[1] == 200.0f && z[3] == 2000.0f && z[5] == 2e30f);
        assert_near(*table, z[2], 0.0, 1e-35);
        assert_near(*table, z[4], 0.0, 1e-34);
        assert_near(*table, z[6], -172.0 * exp(-86.0), 172.0 * exp(-86.0) * silu_tolerance);
        assert_true(isnan(z[7]));
        float far[4] = {-1e30f, -3e38f, -INFINITY, INFINITY};
        (*table)->silu_multiply(far, up, 4);
        for (int i = 0; i < 2; i++) assert_near(*table, far[i], 0.0, 1e-34);
        assert_true(isnan(far[2]) && isinf(far[3]));
    }
}

/* Nats ---------------------------------------------------------------------------------------- */

/* An exponential to 2.4e-7, and sums of at most 64 of them in f32. */
static const double nats_room = 6e-7;

static double exact_nats(const float *logits, int32_t target, int64_t vocabulary) {
    long double largest = -INFINITY, sum = 0.0L;
    for (int64_t j = 0; j < vocabulary; j++) largest = fmaxl(largest, logits[j]);
    for (int64_t j = 0; j < vocabulary; j++) sum += expl(logits[j] - largest);
    return (double)(largest + logl(sum) - logits[target]);
}

static void check_nats(const float *logits, const int32_t *targets, int64_t rows, int64_t vocabulary) {
    double *out = malloc((size_t)rows * sizeof *out);
    assert_non_null(out);
    for (const struct kernels *const *table = all_tables(); *table; table++) {
        for (int64_t r = 0; r < rows; r++) out[r] = NAN;
        (*table)->nats(out, logits, targets, rows, vocabulary);
        for (int64_t r = 0; r < rows; r++) {
            double expected = exact_nats(logits + r * vocabulary, targets[r], vocabulary);
            assert_near(*table, out[r], expected, nats_room);
        }
    }
    free(out);
}

static void nats_like_the_formula(void **state) {
    (void)state;
    const int64_t vocabularies[] = {1, 2, 17, 97, 256, 40000};
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
    for (const struct kernels *const *table = all_tables(); *table; table++) {
        double out[5];
        (*table)->nats(out, logits, targets, 5, 3);
        for (int r = 0; r < 5; r++) assert_near(*table, out[r], expected[r], nats_room);
        (*table)->nats(out, logits, last, 2, 3);
        assert_near(*table, out[0], 160.0, nats_room);
        assert_near(*table, out[1], 160.0, nats_room);
        (*table)->nats(out, lone, only, 3, 1);
        for (int r = 0; r < 3; r++) assert_true(out[r] == 0.0);
    }
}

/* NaN ----------------------------------------------------------------------------------------- */

/* Whatever bits a NaN has, it comes out as one: no exponential makes a number of it. */
static void nan_stays_nan(void **state) {
    (void)state;
    const int64_t places[] = {0, 1, 40, 96};
    const int32_t target = 7;
    gsl_rng *rng = make_rng(17);
    for (int i = 0; i < NANS * 4; i++) {
        int64_t place = places[i % 4];
        float *logits = gaussians(rng, 97, 1.0), nan = nan_of_kind(i / 4);
        logits[place] = nan;
        struct product p = make_product(rng, 3, 5, 97);
        p.x[97 + place] = nan;
        for (const struct kernels *const *table = all_tables(); *table; table++) {
            double nats;
            (*table)->nats(&nats, logits, &target, 1, 97);
            assert_true(isnan(nats));
            float *gate = copied(logits, 97);
            (*table)->silu_multiply(gate, p.w, 97);
            for (int j = 0; j < 97; j++) assert_int_equal(isnan(gate[j]) != 0, j == place);
            float *out = product_of(*table, &p, false, 3);
            for (int j = 0; j < 3 * 5; j++) assert_int_equal(isnan(out[j]) != 0, j / 5 == 1);
            free(gate), free(out);
        }
        free(logits), free_product(&p);
    }
    gsl_rng_free(rng);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_comes_first),
        cmocka_unit_test(fast_bf16_has_a_table_of_its_own),
        cmocka_unit_test(emulated_tiles_are_tested),
        cmocka_unit_test(fastest_is_the_choice),
        cmocka_unit_test(environment_names_the_choice),
        cmocka_unit_test(unknown_choice_is_refused),
        cmocka_unit_test(every_bf16_survives_f32),
        cmocka_unit_test(bf16_is_the_nearest),
        cmocka_unit_test(nan_narrows_to_nan),
        cmocka_unit_test(narrow_rounds_to_the_nearest),
        cmocka_unit_test(narrow_rounds_ties_to_even),
        cmocka_unit_test(unpacked_is_what_was_packed),
        cmocka_unit_test(packed_nan_stays_in_its_row),
        cmocka_unit_test(rms_norm_like_the_reference),
        cmocka_unit_test(rms_norm_in_place),
        cmocka_unit_test(rms_norm_by_hand),
        cmocka_unit_test(project_like_the_reference),
        cmocka_unit_test(project_by_hand),
        cmocka_unit_test(project_misses_no_term),
        cmocka_unit_test(project_rows_on_their_own),
        cmocka_unit_test(nothing_is_written_beyond),
        cmocka_unit_test(rotate_like_the_reference),
        cmocka_unit_test(rotate_by_hand),
        cmocka_unit_test(silu_like_the_formula),
        cmocka_unit_test(silu_of_any_count),
        cmocka_unit_test(gelu_like_the_formula),
        cmocka_unit_test(gelu_of_any_count),
        cmocka_unit_test(gelu_at_the_ends),
        cmocka_unit_test(silu_at_the_ends),
        cmocka_unit_test(nats_like_the_formula),
        cmocka_unit_test(nats_by_hand),
        cmocka_unit_test(nan_stays_nan),
    };
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
