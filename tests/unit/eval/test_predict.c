/* forward_predict(): what the model would say itself, beside the nats of what is there. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/tiny_model.h"

enum { COUNT = 300 };

static struct forward *make_forward(const struct model *model, int threads) {
    struct forward_options options = {.threads = threads};
    struct forward *forward = NULL;
    struct error error = {""};
    if (forward_new(model, &options, &forward, &error) != STATUS_OK) fail_msg("%s", error.message);
    return forward;
}

static void predict(struct forward *forward, const int32_t *tokens, int64_t count, int64_t skip, double *nats,
                    int32_t *arg_max) {
    struct rope_table table = make_table();
    struct error error = {""};
    if (forward_predict(forward, &table, tokens, count, skip, nats, arg_max, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
}

/* The likeliest token behind tokens[0..count-1], the first of equals, found by asking for each one's nats. */
static int32_t likeliest(struct forward *forward, const int32_t *tokens, int64_t count) {
    struct rope_table table = make_table();
    struct error error = {""};
    int32_t window[COUNT + 1], best = 0;
    double least = INFINITY, nats;
    memcpy(window, tokens, (size_t)count * sizeof *tokens);
    for (int32_t v = 0; v < VOCABULARY; v++) {
        window[count] = v;
        assert_int_equal(forward_nats(forward, &table, window, count + 1, count - 1, &nats, &error), STATUS_OK);
        if (nats < least) least = nats, best = v;
    }
    return best;
}

/* ---- Against nats ---- */

static void the_arg_max_has_the_fewest_nats(void **state) {
    (void)state;
    /* A place takes a pass per token of the vocabulary: all of them with the fastest kernels, two with the others. */
    static const int64_t places[] = {96, COUNT - 2, 0, 1, 40, 94, 95, 97, 191, 192};
    struct corpus corpus;
    make_corpus(&corpus);
    for (int type = 0; type < 2; type++) {
        const struct kernels *const *kernels = kernels_available(type ? NUMBER_BF16 : NUMBER_F32);
        for (; *kernels; kernels++) {
            size_t asked = kernels[1] ? 2 : sizeof places / sizeof *places;
            struct model *model = make_model_with(*kernels, NULL);
            struct forward *forward = make_forward(model, 2);
            double nats[COUNT];
            int32_t arg_max[COUNT];
            predict(forward, corpus.tokens, COUNT, 0, nats, arg_max);
            for (size_t p = 0; p < asked; p++) {
                assert_int_equal(arg_max[places[p]], likeliest(forward, corpus.tokens, places[p] + 1));
            }
            forward_free(forward);
            model_free(model);
        }
    }
}

/* Wherever scoring begins; and the nats are those that forward_nats() gives. */
static void skipped_rows_are_left_out(void **state) {
    (void)state;
    static const int64_t skips[] = {0, 1, 95, 96, 97, 250, COUNT - 2, COUNT - 1};
    struct corpus corpus;
    make_corpus(&corpus);
    struct model *model = make_model(NULL);
    struct forward *forward = make_forward(model, 1);
    struct rope_table table = make_table();
    struct error error = {""};
    double all_nats[COUNT], nats[COUNT + 1];
    int32_t all[COUNT], arg_max[COUNT + 1];
    assert_int_equal(forward_nats(forward, &table, corpus.tokens, COUNT, 0, all_nats, &error), STATUS_OK);
    predict(forward, corpus.tokens, COUNT, 0, nats, all);
    assert_memory_equal(nats, all_nats, (COUNT - 1) * sizeof *nats);
    for (size_t s = 0; s < sizeof skips / sizeof *skips; s++) {
        int64_t left = COUNT - 1 - skips[s];
        nats[left] = -1.0, arg_max[left] = -1;
        predict(forward, corpus.tokens, COUNT, skips[s], nats, arg_max);
        for (int64_t i = 0; i < left; i++) {
            assert_true(nats[i] == all_nats[skips[s] + i]);
            assert_int_equal(arg_max[i], all[skips[s] + i]);
        }
        assert_true(nats[left] == -1.0);
        assert_int_equal(arg_max[left], -1);
    }
    forward_free(forward);
    model_free(model);
}

/* ---- Equal logits ---- */

/* Each row of the output matrix with an odd number is the one before it. */
static int read_twins(void *state, const char *name, int64_t first, int64_t rows, int64_t columns, float *out,
                      struct error *error) {
    int status = read_weights(state, name, first, rows, columns, out, error);
    if (strcmp(name, "lm_head.weight") != 0) return status;
    assert_int_equal(first % 2, 0);
    for (int64_t r = 1; r < rows; r += 2) {
        memcpy(out + r * columns, out + (r - 1) * columns, (size_t)columns * sizeof *out);
    }
    return status;
}

static void the_lowest_of_equals_is_taken(void **state) {
    (void)state;
    struct corpus corpus;
    make_corpus(&corpus);
    struct model_config config;
    struct model *plain = make_model(NULL);
    config = plain->config;
    model_free(plain);
    for (int type = 0; type < 2; type++) {
        const struct kernels *const *kernels = kernels_available(type ? NUMBER_BF16 : NUMBER_F32);
        for (; *kernels; kernels++) {
            const struct weight_source source = {NULL, read_twins};
            struct model *model = NULL;
            struct error error = {""};
            assert_int_equal(model_build(&config, *kernels, &source, &model, &error), STATUS_OK);
            struct forward *forward = make_forward(model, 1);
            double nats[COUNT];
            int32_t arg_max[COUNT];
            predict(forward, corpus.tokens, COUNT, 0, nats, arg_max);
            for (int i = 0; i < COUNT - 1; i++) assert_int_equal(arg_max[i] % 2, 0);
            forward_free(forward);
            model_free(model);
        }
    }
}

/* ---- Greedy decoding ---- */

/* What is decoded token by token is what one pass over all of it calls the likeliest; and where the text goes another
 * way, the pass still says what would have been decoded up to there, and that this token would not. */
static void one_pass_tells_what_greedy_decoding_does(void **state) {
    (void)state;
    enum { PROMPT = 120, ANSWER = 12 };
    struct corpus corpus;
    make_corpus(&corpus);
    struct model *model = make_model(NULL);
    struct forward *forward = make_forward(model, 1);
    int32_t tokens[PROMPT + ANSWER], arg_max[ANSWER];
    double nats[ANSWER];
    memcpy(tokens, corpus.tokens, PROMPT * sizeof *tokens);
    for (int i = PROMPT; i < PROMPT + ANSWER; i++) tokens[i] = likeliest(forward, tokens, i);
    predict(forward, tokens, PROMPT + ANSWER, PROMPT - 1, nats, arg_max);
    assert_memory_equal(arg_max, tokens + PROMPT, sizeof arg_max);
    for (int wrong = 0; wrong < ANSWER; wrong++) {
        int32_t other[PROMPT + ANSWER];
        memcpy(other, tokens, sizeof other);
        other[PROMPT + wrong] = (tokens[PROMPT + wrong] + 1) % VOCABULARY;
        predict(forward, other, PROMPT + ANSWER, PROMPT - 1, nats, arg_max);
        assert_memory_equal(arg_max, tokens + PROMPT, (size_t)(wrong + 1) * sizeof *tokens);
        assert_int_not_equal(arg_max[wrong], other[PROMPT + wrong]);
    }
    forward_free(forward);
    model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_arg_max_has_the_fewest_nats),
        cmocka_unit_test(skipped_rows_are_left_out),
        cmocka_unit_test(the_lowest_of_equals_is_taken),
        cmocka_unit_test(one_pass_tells_what_greedy_decoding_does),
    };
    return cmocka_run_group_tests_name("predict", tests, NULL, NULL);
}
