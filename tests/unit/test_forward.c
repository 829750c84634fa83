/* The forward pass against a plain double-precision one, written here from the formulas; the same
 * bits whatever the threads and the history; what it refuses; and the sums over windows. */
#include "eval/forward.h"
#include "eval/perplexity.h"

#include <gsl/gsl_randist.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Models, tables, tokens ---------------------------------------------------------------------- */

enum { VOCABULARY = 97, HEADS = 6, WIDTH = 16, PAIRS = WIDTH / 2, MOST_TOKENS = 700 };

static gsl_rng *make_rng(unsigned long seed) {
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    assert_non_null(rng);
    gsl_rng_set(rng, seed);
    return rng;
}

static void randomise(gsl_rng *rng, float *weights, int64_t count, double mean, double sigma) {
    for (int64_t i = 0; i < count; i++) weights[i] = (float)(mean + gsl_ran_gaussian_ziggurat(rng, sigma));
}

/* Weights large enough that every part of the model moves its answer. */
static struct model *make_model(int64_t kv_heads, bool tied) {
    const struct model_config c = {.family = "llama",
                                   .vocabulary = VOCABULARY,
                                   .hidden = 48,
                                   .intermediate = 80,
                                   .layers = 3,
                                   .heads = HEADS,
                                   .kv_heads = kv_heads,
                                   .head_width = WIDTH,
                                   .window = 128,
                                   .rope_theta = 10000.0,
                                   .norm_eps = 1e-5,
                                   .tied_embeddings = tied};
    struct model *model = NULL;
    struct error error;
    assert_int_equal(model_create(&c, &model, &error), STATUS_OK);
    gsl_rng *rng = make_rng(20 + (unsigned long)kv_heads);
    int64_t query_width = HEADS * WIDTH, kv_width = kv_heads * WIDTH;
    randomise(rng, model->embedding, VOCABULARY * c.hidden, 0.0, tied ? 0.3 : 1.0);
    if (!tied) randomise(rng, model->logits, VOCABULARY * c.hidden, 0.0, 0.3);
    randomise(rng, model->norm, c.hidden, 1.0, 0.1);
    for (int64_t l = 0; l < c.layers; l++) {
        struct model_layer *layer = &model->layers[l];
        randomise(rng, layer->attention_norm, c.hidden, 1.0, 0.1);
        randomise(rng, layer->query, query_width * c.hidden, 0.0, 0.2);
        randomise(rng, layer->key, kv_width * c.hidden, 0.0, 0.2);
        randomise(rng, layer->value, kv_width * c.hidden, 0.0, 0.2);
        randomise(rng, layer->output, c.hidden * query_width, 0.0, 0.1);
        randomise(rng, layer->mlp_norm, c.hidden, 1.0, 0.1);
        randomise(rng, layer->gate, c.intermediate * c.hidden, 0.0, 0.2);
        randomise(rng, layer->up, c.intermediate * c.hidden, 0.0, 0.2);
        randomise(rng, layer->down, c.hidden * c.intermediate, 0.0, 0.1);
    }
    gsl_rng_free(rng);
    return model;
}

static struct rope_table plain_table(void) {
    struct rope_table table;
    rope_base(&table, PAIRS, 10000.0);
    return table;
}

/* Rising factors, start tokens and an attention factor, as a search makes them. */
static struct rope_table searched_table(void) {
    struct rope_table table = plain_table();
    const double factors[PAIRS] = {1.0, 1.03, 1.5, 2.25, 2.25, 4.0, 5.13, 6.4};
    memcpy(table.factors, factors, sizeof factors);
    table.start_tokens = 28;
    table.attention_factor = 1.2;
    return table;
}

static void make_tokens(int32_t *tokens, int64_t count) {
    gsl_rng *rng = make_rng(3);
    for (int64_t i = 0; i < count; i++) tokens[i] = (int32_t)gsl_rng_uniform_int(rng, VOCABULARY);
    gsl_rng_free(rng);
}

static struct forward *make_forward(const struct model *model, int threads, const struct kernels *kernels) {
    struct forward_options options = {.threads = threads, .kernels = kernels};
    struct forward *forward = NULL;
    struct error error;
    assert_int_equal(forward_new(model, &options, &forward, &error), STATUS_OK);
    assert_non_null(forward);
    return forward;
}

static void run(struct forward *forward, const struct rope_table *table, const int32_t *tokens, int64_t count,
                double *nats) {
    struct error error = {""};
    if (forward_nats(forward, table, tokens, count, nats, &error) != STATUS_OK) fail_msg("%s", error.message);
}

/* The plain pass ------------------------------------------------------------------------------ */

static double *doubles(int64_t count) {
    double *out = calloc((size_t)count, sizeof *out);
    assert_non_null(out);
    return out;
}

/* out[outputs] = w[outputs][inputs] x[inputs] */
static void plain_multiply(double *out, const float *w, const double *x, int64_t outputs, int64_t inputs) {
    for (int64_t o = 0; o < outputs; o++) {
        out[o] = 0.0;
        for (int64_t i = 0; i < inputs; i++) out[o] += w[o * inputs + i] * x[i];
    }
}

static void plain_norm(double *out, const double *x, const float *weight, int64_t hidden, double eps) {
    double squares = 0.0;
    for (int64_t i = 0; i < hidden; i++) squares += x[i] * x[i];
    for (int64_t i = 0; i < hidden; i++) out[i] = x[i] / sqrt(squares / (double)hidden + eps) * weight[i];
}

/* Pairs of one head are (i, i + width/2), as Hugging Face lays them out. */
static void plain_rotate(double *x, int64_t heads, const struct rope_table *table, int64_t position) {
    for (int64_t h = 0; h < heads; h++) {
        for (int64_t i = 0; i < PAIRS; i++) {
            double slow = position < table->start_tokens ? 1.0 : table->factors[i];
            double angle = (double)position * pow(10000.0, -2.0 * (double)i / WIDTH) / slow;
            double c = table->attention_factor * cos(angle), s = table->attention_factor * sin(angle);
            double *a = &x[h * WIDTH + i], *b = &x[h * WIDTH + i + PAIRS], before = *a;
            *a = before * c - *b * s;
            *b = *b * c + before * s;
        }
    }
}

/* One head of one row; k and v are [keys][stride]. */
static void plain_attend(double *out, const double *q, const double *k, const double *v, int64_t keys, int64_t stride) {
    double scores[MOST_TOKENS], largest = -INFINITY, sum = 0.0;
    for (int64_t j = 0; j < keys; j++) {
        scores[j] = 0.0;
        for (int64_t i = 0; i < WIDTH; i++) scores[j] += q[i] * k[j * stride + i];
        scores[j] /= 4.0; /* the root of the width */
        largest = fmax(largest, scores[j]);
    }
    for (int64_t i = 0; i < WIDTH; i++) out[i] = 0.0;
    for (int64_t j = 0; j < keys; j++) {
        double weight = exp(scores[j] - largest);
        sum += weight;
        for (int64_t i = 0; i < WIDTH; i++) out[i] += weight * v[j * stride + i];
    }
    for (int64_t i = 0; i < WIDTH; i++) out[i] /= sum;
}

static void plain_feed(double *x, const struct model_layer *layer, const struct model_config *c) {
    double normed[48], gate[80], up[80], down[48];
    plain_norm(normed, x, layer->mlp_norm, c->hidden, c->norm_eps);
    plain_multiply(gate, layer->gate, normed, c->intermediate, c->hidden);
    plain_multiply(up, layer->up, normed, c->intermediate, c->hidden);
    for (int64_t i = 0; i < c->intermediate; i++) gate[i] *= up[i] / (1.0 + exp(-gate[i]));
    plain_multiply(down, layer->down, gate, c->hidden, c->intermediate);
    for (int64_t i = 0; i < c->hidden; i++) x[i] += down[i];
}

/* Token by token: by the time a row is asked for, its own and all earlier keys are there. */
static void plain_layer(double *x, const struct model_layer *layer, const struct model_config *c,
                        const struct rope_table *table, int64_t rows) {
    int64_t kv_width = c->kv_heads * WIDTH;
    double *k = doubles(rows * kv_width), *v = doubles(rows * kv_width);
    for (int64_t r = 0; r < rows; r++) {
        double normed[48], q[HEADS * WIDTH], attended[HEADS * WIDTH], added[48];
        plain_norm(normed, x + r * c->hidden, layer->attention_norm, c->hidden, c->norm_eps);
        plain_multiply(q, layer->query, normed, HEADS * WIDTH, c->hidden);
        plain_multiply(k + r * kv_width, layer->key, normed, kv_width, c->hidden);
        plain_multiply(v + r * kv_width, layer->value, normed, kv_width, c->hidden);
        plain_rotate(q, HEADS, table, r);
        plain_rotate(k + r * kv_width, c->kv_heads, table, r);
        for (int64_t h = 0; h < HEADS; h++) {
            int64_t shared = h * c->kv_heads / HEADS * WIDTH;
            plain_attend(attended + h * WIDTH, q + h * WIDTH, k + shared, v + shared, r + 1, kv_width);
        }
        plain_multiply(added, layer->output, attended, c->hidden, HEADS * WIDTH);
        for (int64_t i = 0; i < c->hidden; i++) x[r * c->hidden + i] += added[i];
        plain_feed(x + r * c->hidden, layer, c);
    }
    free(k);
    free(v);
}

static double plain_answer(const struct model *model, const double *x, int32_t next) {
    const struct model_config *c = &model->config;
    const float *matrix = c->tied_embeddings ? model->embedding : model->logits;
    double normed[48], logits[VOCABULARY], sum = 0.0;
    plain_norm(normed, x, model->norm, c->hidden, c->norm_eps);
    plain_multiply(logits, matrix, normed, VOCABULARY, c->hidden);
    for (int j = 0; j < VOCABULARY; j++) sum += exp(logits[j]);
    return log(sum) - logits[next];
}

static void plain_nats(const struct model *model, const struct rope_table *table, const int32_t *tokens, int64_t count,
                       double *nats) {
    const struct model_config *c = &model->config;
    double *x = doubles(count * c->hidden);
    for (int64_t i = 0; i < count * c->hidden; i++) {
        x[i] = model->embedding[tokens[i / c->hidden] * c->hidden + i % c->hidden];
    }
    for (int64_t l = 0; l < c->layers; l++) plain_layer(x, &model->layers[l], c, table, count - 1);
    for (int64_t r = 0; r + 1 < count; r++) nats[r] = plain_answer(model, x + r * c->hidden, tokens[r + 1]);
    free(x);
}

/* Accuracy ------------------------------------------------------------------------------------ */

static void assert_nats_near(const double *got, const double *expected, int64_t count) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        if (!(fabs(got[i] - expected[i]) < 1e-4)) {
            fail_msg("token %ld of %ld: %.9g nats, not %.9g", (long)i + 1, (long)count, got[i], expected[i]);
        }
        sum += got[i] - expected[i];
    }
    if (count) assert_true(fabs(sum / (double)count) < 1e-5);
}

/* Attention looks back only, so the plain nats of the longest window hold for every shorter one. */
static void check_model(int64_t kv_heads, bool tied, const struct rope_table *table) {
    const int64_t counts[] = {1, 2, 127, 128, 129, 130, 300, MOST_TOKENS};
    struct model *model = make_model(kv_heads, tied);
    int32_t tokens[MOST_TOKENS];
    double expected[MOST_TOKENS], nats[MOST_TOKENS];
    make_tokens(tokens, MOST_TOKENS);
    plain_nats(model, table, tokens, MOST_TOKENS, expected);
    struct forward *forward = make_forward(model, 1, NULL);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        for (int64_t t = 0; t < MOST_TOKENS; t++) nats[t] = -1.0;
        run(forward, table, tokens, counts[i], nats);
        assert_nats_near(nats, expected, counts[i] - 1);
        for (int64_t t = counts[i] - 1; t < MOST_TOKENS; t++) assert_true(nats[t] == -1.0);
    }
    forward_free(forward);
    model_free(model);
}

static void nats_are_those_of_the_formulas(void **state) {
    (void)state;
    struct rope_table plain = plain_table(), searched = searched_table();
    check_model(2, false, &plain);
    check_model(2, false, &searched);
}

static void nats_with_a_key_head_for_each_head(void **state) {
    (void)state;
    struct rope_table searched = searched_table();
    check_model(HEADS, false, &searched);
}

static void nats_with_tied_embeddings(void **state) {
    (void)state;
    struct rope_table searched = searched_table();
    check_model(2, true, &searched);
}

static void every_kernel_table_serves(void **state) {
    (void)state;
    enum { COUNT = 260 };
    struct model *model = make_model(2, false);
    struct rope_table table = searched_table();
    int32_t tokens[COUNT];
    double expected[COUNT], nats[COUNT];
    make_tokens(tokens, COUNT);
    plain_nats(model, &table, tokens, COUNT, expected);
    for (const struct kernels *const *kernels = kernels_available(); *kernels; kernels++) {
        struct forward *forward = make_forward(model, 1, *kernels);
        run(forward, &table, tokens, COUNT, nats);
        assert_nats_near(nats, expected, COUNT - 1);
        forward_free(forward);
    }
    model_free(model);
}

/* All logits zero: every token costs ln of the vocabulary. */
static void nats_of_a_model_that_knows_nothing(void **state) {
    (void)state;
    enum { COUNT = 140 };
    struct model *model = make_model(2, false);
    memset(model->logits, 0, VOCABULARY * 48 * sizeof *model->logits);
    struct rope_table table = plain_table();
    int32_t tokens[COUNT];
    double nats[COUNT];
    make_tokens(tokens, COUNT);
    struct forward *forward = make_forward(model, 1, NULL);
    run(forward, &table, tokens, COUNT, nats);
    for (int i = 0; i + 1 < COUNT; i++) assert_true(fabs(nats[i] - 4.5747109785033828) < 1e-6);
    forward_free(forward);
    model_free(model);
}

/* The same bits ------------------------------------------------------------------------------- */

static void assert_same_bits(const double *a, const double *b, int64_t count) {
    assert_memory_equal(a, b, (size_t)count * sizeof *a);
}

static void threads_do_not_change_a_bit(void **state) {
    (void)state;
    const int threads[] = {2, 3, 5};
    struct model *model = make_model(2, false);
    struct rope_table table = searched_table();
    int32_t tokens[MOST_TOKENS];
    double alone[MOST_TOKENS], nats[MOST_TOKENS];
    make_tokens(tokens, MOST_TOKENS);
    for (const struct kernels *const *kernels = kernels_available(); *kernels; kernels++) {
        int64_t count = *kernels == &kernels_reference ? 200 : MOST_TOKENS;
        struct forward *forward = make_forward(model, 1, *kernels);
        run(forward, &table, tokens, count, alone);
        forward_free(forward);
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
            forward = make_forward(model, threads[t], *kernels);
            run(forward, &table, tokens, count, nats);
            assert_same_bits(nats, alone, count - 1);
            forward_free(forward);
        }
    }
    model_free(model);
}

/* Windows of many lengths and tables through one struct forward, each against a fresh one. */
static void history_does_not_change_a_bit(void **state) {
    (void)state;
    const struct {
        int64_t count;
        int table;
    } history[] = {{300, 0}, {300, 4}, {300, 0}, {700, 0}, {300, 0}, {129, 1}, {300, 1}, {300, 2}, {300, 1},
                   {300, 3}, {300, 1}, {2, 1},   {300, 0}, {1, 0},   {300, 0}, {128, 0}, {700, 4}, {300, 0}};
    struct rope_table tables[5] = {plain_table(), searched_table(), searched_table(), searched_table(), plain_table()};
    tables[2].start_tokens = 32;
    tables[3].attention_factor = 1.1;
    tables[4].factors[PAIRS - 1] = 1.01; /* each differs in one thing from one before it */
    struct model *model = make_model(2, false);
    int32_t tokens[MOST_TOKENS];
    double expected[MOST_TOKENS], nats[MOST_TOKENS];
    make_tokens(tokens, MOST_TOKENS);
    struct forward *forward = make_forward(model, 2, NULL);
    for (size_t i = 0; i < sizeof history / sizeof *history; i++) {
        struct forward *fresh = make_forward(model, 1, NULL);
        run(fresh, &tables[history[i].table], tokens, history[i].count, expected);
        run(forward, &tables[history[i].table], tokens, history[i].count, nats);
        assert_same_bits(nats, expected, history[i].count - 1);
        forward_free(fresh);
    }
    forward_free(forward);
    model_free(model);
}

/* A base frequency is part of a table too. */
static void frequencies_are_part_of_the_table(void **state) {
    (void)state;
    enum { COUNT = 150 };
    struct model *model = make_model(2, false);
    struct rope_table table = plain_table(), slower = plain_table();
    for (int i = 0; i < PAIRS; i++) slower.frequencies[i] /= 2.0;
    int32_t tokens[COUNT];
    double expected[COUNT], nats[COUNT];
    make_tokens(tokens, COUNT);
    struct forward *forward = make_forward(model, 1, NULL);
    run(forward, &table, tokens, COUNT, nats);
    run(forward, &slower, tokens, COUNT, nats);
    for (int i = 0; i < PAIRS; i++) table.factors[i] = 2.0; /* the same thing said otherwise */
    run(forward, &table, tokens, COUNT, expected);
    assert_same_bits(nats, expected, COUNT - 1);
    forward_free(forward);
    model_free(model);
}

/* Refusals ------------------------------------------------------------------------------------ */

static void stop_flag_stops_the_pass(void **state) {
    (void)state;
    enum { COUNT = 300 };
    struct model *model = make_model(2, false);
    struct rope_table table = searched_table();
    int32_t tokens[COUNT];
    double expected[COUNT], nats[COUNT];
    make_tokens(tokens, COUNT);
    volatile sig_atomic_t stop = 0;
    struct forward_options options = {.threads = 2, .stop = &stop};
    struct forward *forward = NULL;
    struct error error = {""};
    assert_int_equal(forward_new(model, &options, &forward, &error), STATUS_OK);
    run(forward, &table, tokens, COUNT, expected);
    stop = 1;
    assert_int_equal(forward_nats(forward, &table, tokens, COUNT, nats, &error), STATUS_STOPPED);
    assert_true(error.message[0] != '\0');
    stop = 0; /* and it can go on afterwards */
    run(forward, &table, tokens, COUNT, nats);
    assert_same_bits(nats, expected, COUNT - 1);
    forward_free(forward);
    model_free(model);
}

static float float_of_bits(uint32_t bits) {
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

/* One weight of each kind in turn; a NaN of the processor's making and one as GPUs make it. */
static void broken_weights_are_noticed(void **state) {
    (void)state;
    enum { COUNT = 140, PLACES = 12 };
    const uint32_t broken[] = {0x7fc00000, 0x7fffffff, 0x7f800000};
    struct model *model = make_model(2, false);
    struct model_layer *layer = &model->layers[1];
    struct rope_table table = searched_table();
    int32_t tokens[COUNT];
    double nats[COUNT];
    make_tokens(tokens, COUNT);
    float *const places[PLACES] = {&model->embedding[tokens[COUNT - 2] * 48],
                                   layer->attention_norm,
                                   layer->query,
                                   layer->key,
                                   layer->value,
                                   layer->output,
                                   layer->mlp_norm,
                                   layer->gate,
                                   layer->up,
                                   layer->down,
                                   model->norm,
                                   model->logits};
    struct forward *forward = make_forward(model, 1, NULL);
    for (int i = 0; i < 3 * PLACES; i++) {
        float *place = places[i % PLACES], before = *place;
        struct error error = {""};
        *place = float_of_bits(broken[i / PLACES]);
        if (forward_nats(forward, &table, tokens, COUNT, nats, &error) != STATUS_FAILED) {
            fail_msg("weights of kind %d: %08x went unnoticed", i % PLACES, broken[i / PLACES]);
        }
        assert_non_null(strstr(error.message, "not a number"));
        *place = before;
    }
    run(forward, &table, tokens, COUNT, nats);
    forward_free(forward);
    model_free(model);
}

static void unknown_kernels_are_refused(void **state) {
    (void)state;
    struct model *model = make_model(2, false);
    struct forward_options options = {.threads = 1};
    struct forward *forward = NULL;
    struct error error = {""};
    assert_int_equal(setenv("LONGROPE_KERNELS", "quantum", 1), 0);
    assert_int_equal(forward_new(model, &options, &forward, &error), STATUS_INPUT);
    assert_non_null(strstr(error.message, "quantum"));
    assert_int_equal(unsetenv("LONGROPE_KERNELS"), 0);
    forward_free(NULL);
    model_free(model);
}

/* Windows of documents ------------------------------------------------------------------------ */

/* Two documents in one array, and windows in no particular order. */
struct corpus {
    int32_t tokens[500];
    struct document items[2];
    struct documents documents;
    struct sample samples[4];
};

static struct scoring make_corpus(struct corpus *corpus, int64_t length) {
    make_tokens(corpus->tokens, 500);
    corpus->items[0] = (struct document){.count = 320, .tokens = corpus->tokens};
    corpus->items[1] = (struct document){.count = 180, .tokens = corpus->tokens + 320};
    corpus->documents = (struct documents){2, corpus->items};
    const struct sample samples[4] = {{1, 0}, {0, 0}, {0, 170}, {1, 30}};
    memcpy(corpus->samples, samples, sizeof samples);
    return (struct scoring){&corpus->documents, corpus->samples, 4, length};
}

static void scores_are_sums_over_windows(void **state) {
    (void)state;
    enum { LENGTH = 150, PREDICTED = LENGTH - 1 };
    const int64_t begins[4] = {320, 0, 170, 350};
    struct corpus corpus;
    struct scoring scoring = make_corpus(&corpus, LENGTH);
    struct model *model = make_model(2, false);
    struct rope_table table = searched_table();
    struct forward *forward = make_forward(model, 1, NULL);
    struct error error = {""};
    double sums[4], again[4], token_nats[4 * PREDICTED], nats[PREDICTED], total = 0.0;
    assert_int_equal(scoring_tokens(&scoring), 4 * PREDICTED);
    assert_int_equal(perplexity_score(forward, &table, &scoring, sums, token_nats, &error), STATUS_OK);
    assert_int_equal(perplexity_score(forward, &table, &scoring, again, NULL, &error), STATUS_OK);
    assert_same_bits(sums, again, 4);
    for (int s = 0; s < 4; s++) {
        run(forward, &table, corpus.tokens + begins[s], LENGTH, nats);
        assert_same_bits(token_nats + s * PREDICTED, nats, PREDICTED);
        double sum = 0.0;
        for (int i = 0; i < PREDICTED; i++) sum += nats[i];
        assert_true(sums[s] == sum);
        total += sum;
    }
    assert_true(perplexity_mean_nats(&scoring, sums) == total / (4.0 * PREDICTED));
    forward_free(forward);
    model_free(model);
}

static void mean_nats_by_hand(void **state) {
    (void)state;
    const double sums[3] = {1.0, 2.5, 8.5};
    struct scoring scoring = {.count = 3, .length = 5};
    assert_int_equal(scoring_tokens(&scoring), 12);
    assert_true(perplexity_mean_nats(&scoring, sums) == 1.0);
    scoring.length = 1;
    assert_int_equal(scoring_tokens(&scoring), 0);
    assert_true(isnan(perplexity_mean_nats(&scoring, sums)));
    scoring = (struct scoring){.count = 0, .length = 5};
    assert_true(isnan(perplexity_mean_nats(&scoring, sums)));
}

static void scores_of_nothing(void **state) {
    (void)state;
    struct corpus corpus;
    struct scoring scoring = make_corpus(&corpus, 1);
    struct model *model = make_model(2, false);
    struct rope_table table = plain_table();
    struct forward *forward = make_forward(model, 1, NULL);
    struct error error = {""};
    double sums[4] = {9, 9, 9, 9};
    assert_int_equal(perplexity_score(forward, &table, &scoring, sums, NULL, &error), STATUS_OK);
    for (int s = 0; s < 4; s++) assert_true(sums[s] == 0.0);
    forward_free(forward);
    model_free(model);
}

static void scoring_hands_on_errors(void **state) {
    (void)state;
    struct corpus corpus;
    struct scoring scoring = make_corpus(&corpus, 40);
    struct model *model = make_model(2, false);
    struct rope_table table = plain_table();
    volatile sig_atomic_t stop = 1;
    struct forward_options options = {.threads = 1, .stop = &stop};
    struct forward *forward = NULL;
    struct error error = {""};
    double sums[4];
    assert_int_equal(forward_new(model, &options, &forward, &error), STATUS_OK);
    assert_int_equal(perplexity_score(forward, &table, &scoring, sums, NULL, &error), STATUS_STOPPED);
    stop = 0;
    model->norm[0] = NAN;
    assert_int_equal(perplexity_score(forward, &table, &scoring, sums, NULL, &error), STATUS_FAILED);
    forward_free(forward);
    model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nats_are_those_of_the_formulas),
        cmocka_unit_test(nats_with_a_key_head_for_each_head),
        cmocka_unit_test(nats_with_tied_embeddings),
        cmocka_unit_test(every_kernel_table_serves),
        cmocka_unit_test(nats_of_a_model_that_knows_nothing),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(history_does_not_change_a_bit),
        cmocka_unit_test(frequencies_are_part_of_the_table),
        cmocka_unit_test(stop_flag_stops_the_pass),
        cmocka_unit_test(broken_weights_are_noticed),
        cmocka_unit_test(unknown_kernels_are_refused),
        cmocka_unit_test(scores_are_sums_over_windows),
        cmocka_unit_test(mean_nats_by_hand),
        cmocka_unit_test(scores_of_nothing),
        cmocka_unit_test(scoring_hands_on_errors),
    };
    return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
