/* Attention: every table that this processor runs against the reference of its type on random data,
 * and every table, the references included, against values known in closed form. */
#include <float.h>

#include "tests/unit/kernel_data.h"

/* Calls --------------------------------------------------------------------------------------- */

/* What every query head of `shape` sees; shape.head does not matter. */
struct attention {
    struct attention_shape shape;
    int64_t kv_heads, width;
    float *q, *k, *v; /* [rows][heads][width], [first + rows][kv_heads][width] twice */
};

static int64_t tokens_of(const struct attention *a) { return a->shape.first + a->shape.rows; }
static int64_t outputs_of(const struct attention *a) { return a->shape.rows * a->shape.heads * a->width; }
static int64_t kv_numbers(const struct attention *a) { return tokens_of(a) * a->kv_heads * a->width; }

static struct attention make_attention(gsl_rng *rng, struct attention_shape shape, int64_t kv_heads, int64_t width,
                                       double sigma) {
    struct attention a = {.shape = shape, .kv_heads = kv_heads, .width = width};
    a.q = gaussians(rng, outputs_of(&a), sigma);
    a.k = gaussians(rng, kv_numbers(&a), sigma);
    a.v = exact_gaussians(rng, kv_numbers(&a), 1.0);
    return a;
}

static void free_attention(struct attention *a) { free(a->q), free(a->k), free(a->v); }

/* Keys and values packed `step` tokens at a time, 0: all at once, with room for `room` more tokens. */
static struct key_values packed(const struct kernels *table, const struct attention *a, int64_t step, int64_t room) {
    int64_t tokens = tokens_of(a), each = a->kv_heads * a->width;
    struct key_values out = {.tokens = tokens + room, .heads = a->kv_heads, .width = a->width};
    out.keys = operands(table->key_bytes(out.tokens, out.heads, out.width));
    out.values = operands(table->key_bytes(out.tokens, out.heads, out.width));
    if (step == 0) step = tokens;
    for (int64_t first = 0; first < tokens; first += step) {
        int64_t rows = tokens - first < step ? tokens - first : step;
        float *k = copied(a->k + first * each, rows * each), *v = copied(a->v + first * each, rows * each);
        table->pack_keys(&out, k, first, rows);
        table->pack_values(&out, v, first, rows);
        free(k), free(v);
    }
    return out;
}

static void free_packed(struct key_values *kv) { free(kv->keys), free(kv->values); }

/* In calls of at most `group` rows. Outputs and scratch hold NaN before, so that what a kernel reads before it
 * writes shows. */
static float *attend_to(const struct kernels *table, const struct attention *a, const struct key_values *kv,
                        int64_t group) {
    int64_t heads = a->shape.heads, rows = a->shape.rows;
    float *out = filled(outputs_of(a), NAN);
    unsigned char *q = narrowed(table, a->q, rows * heads, a->width);
    for (int64_t r = 0; r < rows; r += group) {
        struct attention_shape shape = a->shape;
        shape.first += r, shape.rows = rows - r < group ? rows - r : group;
        void *scratch = operands(table->attention_scratch(&shape, kv));
        for (shape.head = 0; shape.head < heads; shape.head++) {
            table->attention(out + r * heads * a->width, q + operand_bytes(table, r * heads, a->width), kv, &shape,
                             scratch);
        }
        free(scratch);
    }
    free(q);
    return out;
}

static float *attend(const struct kernels *table, const struct attention *a) {
    struct key_values kv = packed(table, a, 0, 0);
    float *out = attend_to(table, a, &kv, a->shape.rows);
    free_packed(&kv);
    return out;
}

/* Against the reference ----------------------------------------------------------------------- */

/* For each output, relative to the mean of its values' magnitudes, weighted as attention weighs them. bf16:
 * tables but the reference round attention weights too, by 2^-8 of each at most, and their exponential may
 * be off by 6e-4 of each, in the weights and in their sum. */
static const double weight_tolerance = 0x1p-8 + 2 * 6e-4;

static float *attended_magnitudes(const struct kernels *table, const struct attention *a) {
    struct attention sizes = *a;
    sizes.v = magnitudes(a->v, kv_numbers(a));
    float *out = attend(table, &sizes);
    free(sizes.v);
    return out;
}

/* `room`: the error allowed in each output of f32 tables; values are about 1. */
static void check_attention(const struct attention *a, double room) {
    int64_t count = outputs_of(a);
    for (int t = 0; t < TYPES; t++) {
        const struct kernels *reference = reference_of(types[t]);
        bool rounded = types[t] == NUMBER_BF16;
        float *expected = attend(reference, a);
        float *scale = rounded ? attended_magnitudes(reference, a) : filled(count, 1.0f);
        for (const struct kernels *const *table = tables_of(types[t]) + 1; *table; table++) {
            float *out = attend(*table, a);
            assert_all_near(*table, out, expected, scale, count, rounded ? weight_tolerance : room);
            free(out);
        }
        free(expected), free(scale);
    }
}

enum { HEAD_WIDTHS = 7, GROUPS = 3, ROW_COUNTS = 13, FIRSTS = 11, WINDOWS = 8 };
static const int64_t head_widths[HEAD_WIDTHS] = {8, 48, 64, 80, 96, 128, 256};
static const int64_t groups[GROUPS] = {1, 2, 4};
static const int64_t row_counts[ROW_COUNTS] = {1, 2, 3, 5, 6, 7, 16, 17, 31, 64, 96, 128, 192};
static const int64_t firsts[FIRSTS] = {0, 1, 60, 64, 127, 200, 255, 256, 300, 511, 643};
static const int64_t windows[WINDOWS] = {0, 1, 5, 64, 100, 256, 257, 1000};

/* Of all these, so that every pair occurs in the first ROW_COUNTS x FIRSTS: no two counts have a divisor in
 * common. */
enum { SHAPES = ROW_COUNTS * FIRSTS };
static struct attention make_shape(gsl_rng *rng, int i) {
    struct attention_shape shape = {
        .first = firsts[i % FIRSTS], .rows = row_counts[i % ROW_COUNTS], .heads = 4, .window = windows[i % WINDOWS]};
    return make_attention(rng, shape, groups[i % GROUPS], head_widths[i % HEAD_WIDTHS], 1.0);
}

/* Scores of about 1, up to 5: three roundings of such a score are what the room is for. */
static void attention_like_the_reference(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(7);
    for (int i = 0; i < SHAPES; i++) {
        struct attention a = make_shape(rng, i);
        check_attention(&a, 1.5e-6);
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* Which keys a row sees, to the last one, also where weights are rounded: with queries of zero all weights are 1,
 * which is exact, and the result is the mean of their values. */
static void attention_sees_its_keys_only(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(18);
    for (int i = 0; i < SHAPES; i++) {
        struct attention a = make_shape(rng, i);
        int64_t count = outputs_of(&a);
        memset(a.q, 0, (size_t)count * sizeof *a.q);
        float *expected = attend(&kernels_reference_f32, &a), *ones = filled(count, 1.0f);
        for (const struct kernels *const *table = all_tables() + 1; *table; table++) {
            float *out = attend(*table, &a);
            assert_all_near(*table, out, expected, ones, count, 5e-7);
            free(out);
        }
        free(expected), free(ones), free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* Blocks as the forward pass makes them: whole ones, and the odd one at the end of a window. */
static void attention_of_whole_blocks(void **state) {
    (void)state;
    const int64_t shapes[][2] = {{0, 128}, {128, 128}, {0, 257}, {255, 3}, {256, 77}, {512, 2}, {640, 60}};
    gsl_rng *rng = make_rng(8);
    for (size_t i = 0; i < 2 * sizeof shapes / sizeof *shapes; i++) {
        struct attention_shape shape = {
            .first = shapes[i / 2][0], .rows = shapes[i / 2][1], .heads = 3, .window = i % 2 ? 100 : 0};
        struct attention a = make_attention(rng, shape, 1, 16, 1.0);
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
        struct attention_shape shape = {
            .first = firsts[f] + 300, .rows = 5, .heads = 2, .window = windows[f % WINDOWS]};
        struct attention a = make_attention(rng, shape, 1, 64, 12.0);
        check_attention(&a, 2e-4);
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* Scores 2^exponent times whole numbers from `least` to `least` + 16, times 1 or -1: exact in every type and in every
 * order of adding up, so that what is compared is what attention does to scores. */
static struct attention make_scores(gsl_rng *rng, int exponent, int least, bool negative) {
    struct attention_shape shape = {.first = 600, .rows = 3, .heads = 2};
    struct attention a = make_attention(rng, shape, 1, 64, 1.0);
    memset(a.q, 0, (size_t)outputs_of(&a) * sizeof *a.q);
    memset(a.k, 0, (size_t)kv_numbers(&a) * sizeof *a.k);
    double half = ldexp(1.0, exponent / 2), rest = ldexp(1.0, exponent - exponent / 2); /* width 64: score = q k / 8 */
    for (int i = 0; i < 3 * 2; i++) a.q[i * 64] = (float)(negative ? -8.0 * half : 8.0 * half);
    for (int64_t j = 0; j < tokens_of(&a); j++) {
        a.k[j * 64] = (float)(rest * (least + (double)gsl_rng_uniform_int(rng, 17)));
    }
    return a;
}

/* From 1e-30 to 1e30, of one sign and of both: a score's rounding is an exponent of its own from about 1e7 on, unless
 * the largest score is subtracted first. */
static void attention_with_scores_of_any_size(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(29);
    for (int exponent = -100; exponent <= 96; exponent += 7) {
        for (int kind = 0; kind < 4; kind++) {
            struct attention a = make_scores(rng, exponent, kind < 2 ? -8 : 3, kind % 2);
            check_attention(&a, 1e-6);
            free_attention(&a);
        }
    }
    gsl_rng_free(rng);
}

/* Rows and packing ---------------------------------------------------------------------------- */

/* A row's result is the same to the last bit, whatever rows come with it. */
static void attention_rows_on_their_own(void **state) {
    (void)state;
    const int64_t calls[] = {1, 5, 6, 16, 17, 32}, some_firsts[] = {0, 77, 300, 563};
    enum { ROWS = 96 };
    gsl_rng *rng = make_rng(19);
    for (int i = 0; i < 4 * WINDOWS; i++) {
        struct attention_shape shape = {
            .first = some_firsts[i % 4], .rows = ROWS, .heads = 2, .window = windows[i / 4]};
        struct attention a = make_attention(rng, shape, 1, head_widths[i % HEAD_WIDTHS], 2.0);
        for (const struct kernels *const *table = all_tables(); *table; table++) {
            struct key_values kv = packed(*table, &a, 0, 0);
            float *whole = attend_to(*table, &a, &kv, ROWS);
            for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
                float *parts = attend_to(*table, &a, &kv, calls[c]);
                assert_all_same(*table, parts, whole, outputs_of(&a));
                free(parts);
            }
            free(whole), free_packed(&kv);
        }
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

static const int64_t token_counts[] = {1, 63, 64, 65, 130, 200, 333};
enum { TOKEN_COUNTS = sizeof token_counts / sizeof *token_counts };

/* The last few of `tokens` tokens. */
static struct attention make_end(gsl_rng *rng, int64_t tokens, int64_t width) {
    int64_t rows = tokens < 7 ? tokens : 7;
    struct attention_shape shape = {.first = tokens - rows, .rows = rows, .heads = 4};
    return make_attention(rng, shape, 2, width, 1.0);
}

/* Keys and values packed in steps are those packed at once, whatever room there is beyond them: memory there
 * holds NaN. */
static void keys_packed_in_steps(void **state) {
    (void)state;
    enum { STEPS = 6 };
    const int64_t steps[STEPS] = {64, 128, 192, 1, 37, 100}, rooms[] = {0, 1, 100};
    gsl_rng *rng = make_rng(24);
    for (int i = 0; i < TOKEN_COUNTS * STEPS; i++) {
        struct attention a = make_end(rng, token_counts[i / STEPS], head_widths[i % HEAD_WIDTHS]);
        for (const struct kernels *const *table = all_tables(); *table; table++) {
            float *expected = attend(*table, &a);
            for (int r = 0; r < 3; r++) {
                struct key_values kv = packed(*table, &a, steps[i % STEPS], rooms[r]);
                float *out = attend_to(*table, &a, &kv, a.shape.rows);
                assert_all_same(*table, out, expected, outputs_of(&a));
                free(out), free_packed(&kv);
            }
            free(expected);
        }
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* A shorter text in the memory of a longer one, whose keys and values were NaN and infinite, but for the first, which
 * are those of the shorter text and stay. */
static void keys_packed_over_others(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(25);
    for (int i = 0; i < 2 * TOKEN_COUNTS; i++) {
        struct attention a = make_end(rng, token_counts[i / 2], head_widths[i / 2]), longer = a;
        int64_t first = i % 2 ? tokens_of(&a) * 2 / 3 : 0, before = first * a.kv_heads * a.width;
        longer.shape.first += 150;
        longer.k = filled(kv_numbers(&longer), NAN), longer.v = filled(kv_numbers(&longer), INFINITY);
        memcpy(longer.k, a.k, (size_t)before * sizeof *a.k), memcpy(longer.v, a.v, (size_t)before * sizeof *a.v);
        for (const struct kernels *const *table = all_tables(); *table; table++) {
            float *expected = attend(*table, &a);
            struct key_values kv = packed(*table, &longer, 0, 0);
            (*table)->pack_keys(&kv, a.k + before, first, tokens_of(&a) - first);
            (*table)->pack_values(&kv, a.v + before, first, tokens_of(&a) - first);
            float *out = attend_to(*table, &a, &kv, a.shape.rows);
            assert_all_same(*table, out, expected, outputs_of(&a));
            free(expected), free(out), free_packed(&kv);
        }
        free_attention(&a), free(longer.k), free(longer.v);
    }
    gsl_rng_free(rng);
}

/* One head's call, with memory behind everything that may be written. */
static void check_written(const struct kernels *table, const struct attention *a) {
    struct key_values kv = {.tokens = tokens_of(a), .heads = a->kv_heads, .width = a->width};
    struct attention_shape shape = a->shape;
    shape.head = 1;
    size_t key_bytes = table->key_bytes(kv.tokens, kv.heads, kv.width),
           out_bytes = sizeof(float) * (size_t)outputs_of(a);
    size_t scratch_bytes = table->attention_scratch(&shape, &kv);
    kv.keys = guarded(key_bytes), kv.values = guarded(key_bytes);
    void *scratch = guarded(scratch_bytes), *q = narrowed(table, a->q, shape.rows * shape.heads, a->width);
    float *out = guarded(out_bytes);
    table->pack_keys(&kv, a->k, 0, kv.tokens);
    table->pack_values(&kv, a->v, 0, kv.tokens);
    table->attention(out, q, &kv, &shape, scratch);
    assert_guarded(table, "keys", kv.keys, key_bytes);
    assert_guarded(table, "values", kv.values, key_bytes);
    assert_guarded(table, "scratch", scratch, scratch_bytes);
    assert_guarded(table, "results", out, out_bytes);
    for (int64_t i = 0; i < outputs_of(a); i++) {
        bool own = i / a->width % shape.heads == shape.head;
        if (own) assert_false(isnan(out[i]));
        if (!own) assert_int_equal(bits_of_float(out[i]), 0xffffffff);
    }
    free(scratch), free(q), free(out), free_packed(&kv);
}

/* Not one byte beyond keys, values, scratch and results, and of those nothing but the head's part. */
static void nothing_else_is_written(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(26);
    for (int i = 0; i < SHAPES; i += 2) {
        struct attention a = make_shape(rng, i);
        for (const struct kernels *const *table = all_tables(); *table; table++) check_written(*table, &a);
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* Known results ------------------------------------------------------------------------------- */

/* Scores of 0 and one of `peak` at key `place`: all keys zero in the first component but one, and
 * every query 8 there (width 64: score = 8 x key / 8). */
static struct attention make_peak(gsl_rng *rng, int64_t first, int64_t place, float peak) {
    struct attention_shape shape = {.first = first, .rows = 3, .heads = 2};
    struct attention a = make_attention(rng, shape, 1, 64, 1.0);
    memset(a.q, 0, (size_t)outputs_of(&a) * sizeof *a.q);
    memset(a.k, 0, (size_t)kv_numbers(&a) * sizeof *a.k);
    for (int i = 0; i < 3 * 2; i++) a.q[i * 64] = 8.0f;
    a.k[place * 64] = peak;
    return a;
}

/* With a score of 300 among zeros a row returns the value of that key, wherever it lies. A score is rounded in
 * f32; what that does to a weight and to the sum cancels but where the weight is rounded to bf16. */
static void attention_finds_the_peak_in_any_tile(void **state) {
    (void)state;
    const int64_t places[] = {0, 1, 255, 256, 511, 512, 700};
    gsl_rng *rng = make_rng(10);
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        struct attention a = make_peak(rng, 700, places[p], 300.0f);
        for (const struct kernels *const *table = all_tables(); *table; table++) {
            float *out = attend(*table, &a);
            for (int row = 0; row < 3 * 2; row++) {
                double tolerance = (*table)->type == NUMBER_BF16 ? 2e-7 + 300 * 0x1p-24 : 2e-7;
                assert_all_near(*table, out + row * 64, a.v + places[p] * 64, NULL, 64, tolerance);
            }
            free(out);
        }
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* The same with a window that the peak leaves as rows go on: they give the mean of the rest. */
static void attention_forgets_what_left_its_window(void **state) {
    (void)state;
    const int64_t sizes[] = {5, 64, 100, 256, 257, 600};
    gsl_rng *rng = make_rng(27);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int64_t window = sizes[s];
        struct attention a = make_peak(rng, 700, 702 - window, 300.0f); /* seen by the first two rows */
        a.shape.window = window;
        double sums[64] = {0};
        for (int64_t j = 703 - window; j < 703; j++) {
            for (int i = 0; i < 64; i++) sums[i] += a.v[j * 64 + i];
        }
        for (const struct kernels *const *table = all_tables(); *table; table++) {
            float *out = attend(*table, &a);
            for (int i = 0; i < 2 * 2 * 64; i++) {
                assert_near(*table, out[i], a.v[(702 - window) * 64 + i % 64], 1e-4);
            }
            for (int i = 0; i < 2 * 64; i++) {
                assert_near(*table, out[2 * 2 * 64 + i], sums[i % 64] / (double)window, 5e-7);
            }
            free(out);
        }
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* With a peak of 5 the other keys keep a share and the running sum is shrunk. */
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

/* Attention lets subnormal numbers become 0. What runs after it on the same thread does not. */
static void subnormals_survive_attention(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(12);
    struct attention a = make_scores(rng, 4, -20, false);
    for (const struct kernels *const *table = all_tables(); *table; table++) {
        free(attend(*table, &a));
        volatile float smallest = FLT_MIN;
        assert_true(smallest / 2.0f > 0.0f);
    }
    free_attention(&a);
    gsl_rng_free(rng);
}

/* Every score the same, however large or small: the mean of the values. For bf16 with room for the scores'
 * rounding, as above. */
static void attention_to_equals_is_the_mean(void **state) {
    (void)state;
    const float scores[] = {0, 500, -500, 32768, -32768};
    gsl_rng *rng = make_rng(12);
    for (size_t s = 0; s < sizeof scores / sizeof *scores; s++) {
        struct attention a = make_peak(rng, 600, 0, scores[s]);
        for (int64_t j = 0; j < 603; j++) a.k[j * 64] = scores[s];
        double sums[64] = {0};
        for (int64_t j = 0; j < 601; j++) {
            for (int i = 0; i < 64; i++) sums[i] += a.v[j * 64 + i];
        }
        for (const struct kernels *const *table = all_tables(); *table; table++) {
            double rounding = (*table)->type == NUMBER_BF16 ? 0x1p-24 * fabs((double)scores[s]) : 0.0;
            float *out = attend(*table, &a);
            for (int i = 0; i < 64; i++) {
                double mean = sums[i] / 601.0;
                assert_near(*table, out[i], mean, 3e-7 + rounding * fabs(mean));
            }
            free(out);
        }
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* A later key changes nothing for the rows before it, to the last bit. */
static void attention_is_causal(void **state) {
    (void)state;
    enum { FIRST = 254, ROWS = 5, SEEN = 3, HEADS = 2, WIDTH = 48 };
    gsl_rng *rng = make_rng(13);
    for (int w = 0; w < WINDOWS; w++) {
        struct attention_shape shape = {.first = FIRST, .rows = ROWS, .heads = HEADS, .window = windows[w]};
        struct attention a = make_attention(rng, shape, HEADS, WIDTH, 1.0);
        int64_t kept = (FIRST + SEEN) * HEADS * WIDTH, all = kv_numbers(&a);
        for (const struct kernels *const *table = all_tables(); *table; table++) {
            struct attention other = a;
            other.k = copied(a.k, all), other.v = copied(a.v, all);
            for (int64_t i = kept; i < all; i++) other.k[i] += 50.0f, other.v[i] = 1e6f;
            float *out = attend(*table, &a), *changed = attend(*table, &other);
            assert_all_same(*table, changed, out, SEEN * HEADS * WIDTH);
            free(out), free(changed), free(other.k), free(other.v);
        }
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* With a window, neither does a key before it. */
static void attention_sees_nothing_before_its_window(void **state) {
    (void)state;
    enum { FIRST = 390, ROWS = 5, HEADS = 2, WIDTH = 48 };
    gsl_rng *rng = make_rng(28);
    for (int w = 1; w < WINDOWS && windows[w] < FIRST; w++) {
        struct attention_shape shape = {.first = FIRST, .rows = ROWS, .heads = HEADS, .window = windows[w]};
        struct attention a = make_attention(rng, shape, HEADS, WIDTH, 1.0);
        for (const struct kernels *const *table = all_tables(); *table; table++) {
            struct attention other = a;
            other.k = copied(a.k, kv_numbers(&a)), other.v = copied(a.v, kv_numbers(&a));
            for (int64_t i = 0; i < (FIRST + 1 - windows[w]) * HEADS * WIDTH; i++)
                other.k[i] += 50.0f, other.v[i] = 1e6f;
            float *out = attend(*table, &a), *changed = attend(*table, &other);
            assert_all_same(*table, changed, out, outputs_of(&a));
            free(out), free(changed), free(other.k), free(other.v);
        }
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* A first row, and any row whose window is 1, has one key and returns its value; but for the score's rounding,
 * as above, and two of the division. Scores are a few hundred at most. */
static void attention_to_one_key(void **state) {
    (void)state;
    enum { HEADS = 4 };
    gsl_rng *rng = make_rng(14);
    for (int i = 0; i < HEAD_WIDTHS * 3; i++) {
        int64_t first = i / HEAD_WIDTHS * 150, width = head_widths[i % HEAD_WIDTHS];
        struct attention_shape shape = {.first = first, .rows = 1, .heads = HEADS, .window = first > 0};
        struct attention a = make_attention(rng, shape, 2, width, 5.0);
        for (const struct kernels *const *table = all_tables(); *table; table++) {
            double tolerance = (*table)->type == NUMBER_BF16 ? 2e-7 + 300 * 0x1p-24 : 2e-7;
            float *out = attend(*table, &a);
            for (int h = 0; h < HEADS; h++) {
                assert_all_near(*table, out + h * width, a.v + (first * 2 + h / 2) * width, NULL, width, tolerance);
            }
            free(out);
        }
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

/* Many heads, each with two keys of scores 0 and d: the share of the second is e^d / (1 + e^d). With width 64 the
 * scores have no rounding of their own, but the exponent in f32 has: 2^-24 of it, log2(e) and its product with d.
 * d goes down to where shares stay normal numbers. */
static void attention_weights_are_accurate(void **state) {
    (void)state;
    enum { HEADS = 2048, WIDTH = 64 };
    gsl_rng *rng = make_rng(15);
    struct attention_shape shape = {.first = 1, .rows = 1, .heads = HEADS};
    struct attention a = make_attention(rng, shape, HEADS, WIDTH, 1.0);
    memset(a.q, 0, HEADS * WIDTH * sizeof *a.q);
    memset(a.k, 0, 2 * HEADS * WIDTH * sizeof *a.k);
    memset(a.v, 0, 2 * HEADS * WIDTH * sizeof *a.v);
    for (int h = 0; h < HEADS; h++) {
        a.q[h * WIDTH] = 8.0f;
        a.k[(HEADS + h) * WIDTH] = (float)gsl_ran_flat(rng, -86.4, 20.0);
        a.v[(HEADS + h) * WIDTH] = 1.0f;
    }
    for (const struct kernels *const *table = all_tables(); *table; table++) {
        bool rounded = (*table)->type == NUMBER_BF16 && *table != &kernels_reference_bf16;
        float *out = attend(*table, &a);
        for (int h = 0; h < HEADS; h++) {
            double d = as_operand((*table)->type, a.k[(HEADS + h) * WIDTH]), expected = 1.0 / (1.0 + exp(-d));
            double tolerance = 2e-7 + 1e-7 * fabs(d) + (rounded ? weight_tolerance : 0.0);
            assert_near(*table, out[h * WIDTH], expected, tolerance * expected);
        }
        free(out);
    }
    free_attention(&a);
    gsl_rng_free(rng);
}

/* NaN ----------------------------------------------------------------------------------------- */

/* Whatever bits a NaN has and wherever it is, in a query, a key or a value, it comes out as one: no
 * exponential makes a number of it. */
static void nan_stays_nan(void **state) {
    (void)state;
    const int64_t places[] = {0, 1, 40, 255, 256, 299};
    enum { WIDTH = 24, PLACES = sizeof places / sizeof *places };
    struct attention_shape shape = {.first = 299, .rows = 1, .heads = 1};
    gsl_rng *rng = make_rng(17);
    for (int i = 0; i < NANS * PLACES * 3; i++) {
        struct attention a = make_attention(rng, shape, 1, WIDTH, 1.0);
        int64_t place = places[i / 3 % PLACES];
        float *const numbers[3] = {a.q + place % WIDTH, a.k + place * WIDTH + place % WIDTH,
                                   a.v + place * WIDTH + place % WIDTH};
        *numbers[i % 3] = nan_of_kind(i / 3 / PLACES);
        for (const struct kernels *const *table = all_tables(); *table; table++) {
            float *out = attend(*table, &a);
            for (int j = 0; j < WIDTH; j++) assert_int_equal(isnan(out[j]) != 0, i % 3 < 2 || j == place % WIDTH);
            free(out);
        }
        free_attention(&a);
    }
    gsl_rng_free(rng);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_like_the_reference),
        cmocka_unit_test(attention_sees_its_keys_only),
        cmocka_unit_test(attention_of_whole_blocks),
        cmocka_unit_test(attention_with_large_scores),
        cmocka_unit_test(attention_with_scores_of_any_size),
        cmocka_unit_test(attention_rows_on_their_own),
        cmocka_unit_test(keys_packed_in_steps),
        cmocka_unit_test(keys_packed_over_others),
        cmocka_unit_test(nothing_else_is_written),
        cmocka_unit_test(attention_finds_the_peak_in_any_tile),
        cmocka_unit_test(attention_forgets_what_left_its_window),
        cmocka_unit_test(attention_shrinks_what_it_gathered),
        cmocka_unit_test(subnormals_survive_attention),
        cmocka_unit_test(attention_to_equals_is_the_mean),
        cmocka_unit_test(attention_is_causal),
        cmocka_unit_test(attention_sees_nothing_before_its_window),
        cmocka_unit_test(attention_to_one_key),
        cmocka_unit_test(attention_weights_are_accurate),
        cmocka_unit_test(nan_stays_nan),
    };
    return cmocka_run_group_tests_name("attention", tests, NULL, NULL);
}
