/* eval/perplexity: sums over windows, each of them as forward_nats() gives it. */
#include "eval/perplexity.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/tiny_model.h"

static struct forward *make_forward(const struct model *model, const volatile sig_atomic_t *stop) {
    struct forward_options options = {.threads = 1, .stop = stop};
    struct forward *forward = NULL;
    struct error error = {""};
    if (forward_new(model, &options, &forward, &error) != STATUS_OK) fail_msg("%s", error.message);
    return forward;
}

/* Sums ---------------------------------------------------------------------------------------- */

/* Windows of many lengths, in no particular order, some of them with context that is not scored. */
static const struct window windows[] = {{1, 0, 150, 0}, {0, 0, 150, 0}, {0, 170, 150, 20}, {1, 30, 99, 97},
                                        {0, 5, 2, 0},   {1, 179, 1, 0}, {0, 0, 320, 318},  {1, 20, 150, 149}};
enum { WINDOWS = sizeof windows / sizeof *windows };

static void scores_are_sums_over_windows(void **state) {
    (void)state;
    struct corpus corpus;
    make_corpus(&corpus);
    const struct scoring scoring = {.documents = &corpus.documents, .windows = windows, .count = WINDOWS};
    struct model *model = make_model(NULL);
    struct rope_table table = make_table();
    struct forward *forward = make_forward(model, NULL);
    struct error error = {""};
    double sums[WINDOWS], again[WINDOWS], token_nats[TOKENS], nats[TOKENS], total = 0.0;
    const double *next = token_nats;
    const int64_t predictions = 149 + 149 + 129 + 1 + 1 + 0 + 1 + 0;
    assert_int_equal(scoring_tokens(&scoring), predictions);
    assert_int_equal(score_windows(forward, &table, &scoring, sums, token_nats, &error), STATUS_OK);
    assert_int_equal(score_windows(forward, &table, &scoring, again, NULL, &error), STATUS_OK);
    assert_memory_equal(sums, again, sizeof sums);
    for (int s = 0; s < WINDOWS; s++) {
        const int32_t *tokens = corpus.items[windows[s].document].tokens + windows[s].start;
        assert_int_equal(forward_nats(forward, &table, tokens, windows[s].length, 0, nats, &error), STATUS_OK);
        double sum = 0.0;
        for (int64_t i = windows[s].skip; i < windows[s].length - 1; i++, next++) {
            assert_true(*next == nats[i]); /* whatever of its window is left out */
            sum += nats[i];
        }
        assert_true(sums[s] == sum);
        total += sum;
    }
    assert_true(perplexity_mean_nats(&scoring, sums) == total / (double)predictions);
    forward_free(forward);
    model_free(model);
}

/* Sliding windows: every token but each document's first is scored once, with the context that the
 * last window before it has. */
static void sliding_windows_score_all_of_a_document(void **state) {
    (void)state;
    enum { LENGTH = 64, STRIDE = 24 };
    struct corpus corpus;
    make_corpus(&corpus);
    struct scoring scoring = {.documents = &corpus.documents};
    struct window *sliding = NULL;
    struct model *model = make_model(NULL);
    struct rope_table table = make_table();
    struct forward *forward = make_forward(model, NULL);
    struct error error = {""};
    assert_int_equal(windows_slide(&corpus.documents, LENGTH, STRIDE, &sliding, &scoring.count, &error), STATUS_OK);
    scoring.windows = sliding;
    assert_int_equal(scoring_tokens(&scoring), TOKENS - 2);
    double sums[64], token_nats[TOKENS], nats[LENGTH];
    assert_true(scoring.count <= 64);
    assert_int_equal(score_windows(forward, &table, &scoring, sums, token_nats, &error), STATUS_OK);
    const double *next = token_nats;
    for (size_t d = 0; d < 2; d++) {
        for (int64_t at = 1; at < corpus.items[d].count; at++) {
            /* the first window that reaches as far */
            int64_t begin = at < LENGTH ? 0 : (at - LENGTH) / STRIDE * STRIDE + STRIDE;
            const int32_t *tokens = corpus.items[d].tokens + begin;
            assert_int_equal(forward_nats(forward, &table, tokens, at - begin + 1, at - begin - 1, nats, &error),
                             STATUS_OK);
            assert_true(*next++ == nats[0]);
        }
    }
    free(sliding);
    forward_free(forward);
    model_free(model);
}

/* Terms whose sum depends on the order: exact results of the order from first to last. */
static void nats_are_added_in_order(void **state) {
    (void)state;
    const double rising[3] = {0x1p-53, 0x1p-53, 1.0}, falling[3] = {1.0, 0x1p-53, 0x1p-53};
    assert_true(nats_sum(rising, 3) == 1.0 + 0x1p-52);
    assert_true(nats_sum(falling, 3) == 1.0);
    assert_true(nats_sum(falling, 0) == 0.0);
}

/* 300 numbers: blocks of 128, 128 and 44. */
static void blocks_are_sums_of_128(void **state) {
    (void)state;
    double nats[300];
    float blocks[5] = {-1, -1, -1, -1, -1};
    for (int i = 0; i < 300; i++) nats[i] = 1.0 / (i + 3);
    assert_int_equal(nats_block_count(0), 0);
    assert_int_equal(nats_block_count(1), 1);
    assert_int_equal(nats_block_count(SCORING_BLOCK), 1);
    assert_int_equal(nats_block_count(SCORING_BLOCK + 1), 2);
    assert_int_equal(nats_block_count(300), 3);
    nats_blocks(nats, 300, blocks);
    assert_true(blocks[0] == (float)nats_sum(nats, 128));
    assert_true(blocks[1] == (float)nats_sum(nats + 128, 128));
    assert_true(blocks[2] == (float)nats_sum(nats + 256, 44));
    assert_true(blocks[3] == -1.0F);
    nats_blocks(nats, 128, blocks + 3);
    assert_true(blocks[3] == blocks[0] && blocks[4] == -1.0F);
    nats_blocks(nats, 0, blocks + 4);
    assert_true(blocks[4] == -1.0F);
}

/* Means --------------------------------------------------------------------------------------- */

static void mean_nats_by_hand(void **state) {
    (void)state;
    const double sums[3] = {1.0, 2.5, 8.5};
    const struct window uneven[3] = {{.length = 5}, {.length = 9, .skip = 5}, {.length = 6}};
    const struct window single[3] = {{.length = 1}, {.length = 1}, {.length = 7, .skip = 6}};
    struct scoring scoring = {.windows = uneven, .count = 3};
    assert_int_equal(scoring_tokens(&scoring), 12);
    assert_true(perplexity_mean_nats(&scoring, sums) == 1.0);
    scoring.windows = single;
    assert_int_equal(scoring_tokens(&scoring), 0);
    assert_true(isnan(perplexity_mean_nats(&scoring, sums)));
    scoring.count = 0;
    assert_true(isnan(perplexity_mean_nats(&scoring, sums)));
}

/* Errors -------------------------------------------------------------------------------------- */

static void scoring_hands_on_errors(void **state) {
    (void)state;
    float not_a_number = NAN;
    struct corpus corpus;
    make_corpus(&corpus);
    const struct scoring scoring = {.documents = &corpus.documents, .windows = windows, .count = WINDOWS};
    struct model *model = make_model(NULL), *bad_model = make_model(&not_a_number);
    struct rope_table table = make_table();
    volatile sig_atomic_t stop = 1;
    struct error error = {""};
    double sums[WINDOWS];
    struct forward *forward = make_forward(model, &stop);
    assert_int_equal(score_windows(forward, &table, &scoring, sums, NULL, &error), STATUS_STOPPED);
    forward_free(forward);
    forward = make_forward(bad_model, NULL);
    assert_int_equal(score_windows(forward, &table, &scoring, sums, NULL, &error), STATUS_FAILED);
    forward_free(forward);
    model_free(bad_model);
    model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_sums_over_windows),
        cmocka_unit_test(sliding_windows_score_all_of_a_document),
        cmocka_unit_test(nats_are_added_in_order),
        cmocka_unit_test(blocks_are_sums_of_128),
        cmocka_unit_test(mean_nats_by_hand),
        cmocka_unit_test(scoring_hands_on_errors),
    };
    return cmocka_run_group_tests_name("perplexity", tests, NULL, NULL);
}
