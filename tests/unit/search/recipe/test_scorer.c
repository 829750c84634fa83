/* search/scorer: windows from the cache or computed, and races. */
#include "search/recipe/scorer.h"

#include "search/recipe/score_keys.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tiny_model.h"

#include <math.h>
#include <sqlite3.h>

enum { WINDOWS = 4, LENGTH = 60 };
static const struct window windows[WINDOWS] = {
    {0, 0, LENGTH, 0}, {0, 100, LENGTH, 0}, {1, 0, LENGTH, 0}, {0, 200, LENGTH, 0}};

struct fixture {
    struct scratch scratch;
    char *path; /* of the cache */
    struct corpus corpus;
    struct scoring scoring;
    struct score_keys keys;
    struct model *model;
    struct rope_table table;
    struct score_cache *cache;
    volatile sig_atomic_t stop;
    double progress; /* as it was said last */
    bool blocks;     /* are required */
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->scratch = scratch_make();
    f->path = scratch_path(&f->scratch, "scores.db");
    make_corpus(&f->corpus);
    f->scoring = (struct scoring){.documents = &f->corpus.documents, .windows = windows, .count = WINDOWS};
    f->model = make_model(NULL);
    f->table = make_table();
    struct error error = {""};
    if (score_cache_open(f->path, NULL, &f->cache, &error) != STATUS_OK) fail_msg("%s", error.message);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    score_keys_close(&f->keys);
    score_cache_close(f->cache);
    model_free(f->model);
    free(f->path);
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

static void note_progress(void *state, double fraction) {
    struct fixture *f = state;
    assert_true(fraction >= f->progress && fraction <= 1.0);
    f->progress = fraction;
}

static struct scorer *make_scorer(struct fixture *f) {
    struct error error = {""};
    score_keys_close(&f->keys);
    if (score_keys_open(&f->keys, f->model, &f->scoring, &error) != STATUS_OK) fail_msg("%s", error.message);
    const struct scorer_options options = {.model = f->model,
                                           .scoring = &f->scoring,
                                           .keys = &f->keys,
                                           .cache = f->cache,
                                           .blocks = f->blocks,
                                           .threads = 1,
                                           .stop = &f->stop,
                                           .progress = note_progress,
                                           .progress_state = f};
    struct scorer *scorer = NULL;
    if (scorer_new(&options, &scorer, &error) != STATUS_OK) fail_msg("%s", error.message);
    return scorer;
}

enum { BLOCKS = WINDOWS }; /* a window of 59 predictions has one */
static const struct window_range all = {0, WINDOWS};

struct outcome {
    double nats[WINDOWS], mean;
    float blocks[BLOCKS];
    struct scored scored;
};

static struct outcome score(struct fixture *f, struct scorer *scorer, const struct race *race) {
    struct outcome out = {.mean = 0.0};
    struct error error = {""};
    struct window_nats nats;
    f->progress = 0.0;
    assert_int_equal(window_nats_open(&nats, &f->scoring, &error), STATUS_OK);
    if (scorer_score(scorer, &f->table, race, all, &nats, &out.scored, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
    memcpy(out.nats, nats.nats, sizeof out.nats);
    memcpy(out.blocks, nats.blocks, sizeof out.blocks);
    out.mean = perplexity_mean_nats(&f->scoring, out.nats);
    window_nats_close(&nats);
    return out;
}

static void first_computed_then_remembered(void **state) {
    struct fixture *f = *state;
    struct scorer *scorer = make_scorer(f);
    struct outcome first = score(f, scorer, NULL), again = score(f, scorer, NULL);
    assert_int_equal(first.scored.windows, WINDOWS);
    assert_int_equal(first.scored.computed, WINDOWS);
    assert_int_equal(again.scored.windows, WINDOWS);
    assert_int_equal(again.scored.computed, 0);
    assert_memory_equal(first.nats, again.nats, sizeof first.nats);
    assert_true(first.mean == perplexity_mean_nats(&f->scoring, first.nats) && again.mean == first.mean);
    scorer_free(scorer);

    /* the evaluator's own sums, and a process of its own that finds them */
    struct forward_options options = {.threads = 1};
    struct forward *forward = NULL;
    struct error error = {""};
    double nats[WINDOWS];
    assert_int_equal(forward_new(f->model, &options, &forward, &error), STATUS_OK);
    assert_int_equal(score_windows(forward, &f->table, &f->scoring, nats, NULL, &error), STATUS_OK);
    assert_memory_equal(first.nats, nats, sizeof nats);
    forward_free(forward);
    score_cache_close(f->cache);
    assert_int_equal(score_cache_open(f->path, NULL, &f->cache, &error), STATUS_OK);
    scorer = make_scorer(f);
    again = score(f, scorer, NULL);
    assert_int_equal(again.scored.computed, 0);
    assert_memory_equal(first.nats, again.nats, sizeof first.nats);
    scorer_free(scorer);
}

/* Whatever changes a window's nats changes its key. */
static void what_matters_is_in_the_key(void **state) {
    struct fixture *f = *state;
    struct scorer *scorer = make_scorer(f);
    const struct rope_table table = f->table;
    score(f, scorer, NULL);
    for (int change = 0; change < 6; change++) {
        f->table = table;
        if (change == 0) f->table.factors[PAIRS - 1] = nextafter(table.factors[PAIRS - 1], 10.0);
        if (change == 1) f->table.factors[0] = 1.01;
        if (change == 2) f->table.frequencies[3] *= 0.5;
        if (change == 3) f->table.start_tokens = 24;
        if (change == 4) f->table.attention_factor = 1.1;
        if (change == 5) f->table.own_attention_factor = 1.1;
        assert_int_equal(score(f, scorer, NULL).scored.computed, WINDOWS);
    }
    f->table = table;
    f->table.own_factors[2] = 3.0; /* is in the frequencies, or changes nothing */
    assert_int_equal(score(f, scorer, NULL).scored.computed, 0);
    scorer_free(scorer);

    /* another window beside three that are known; of one, the same tokens in another place */
    struct window others[WINDOWS];
    memcpy(others, windows, sizeof others);
    others[1].start++;
    f->scoring.windows = others;
    scorer = make_scorer(f);
    assert_int_equal(score(f, scorer, NULL).scored.computed, 1);
    scorer_free(scorer);
    others[1] = windows[1];
    others[1].skip = 5;
    scorer = make_scorer(f);
    assert_int_equal(score(f, scorer, NULL).scored.computed, 1);
    scorer_free(scorer);
    others[1] = windows[0];
    scorer = make_scorer(f);
    assert_int_equal(score(f, scorer, NULL).scored.computed, 0);
    scorer_free(scorer);

    /* the arithmetic: other kernels */
    struct model *same = f->model, *other = make_model_with(&kernels_reference_bf16, NULL);
    f->model = other;
    scorer = make_scorer(f);
    assert_int_equal(score(f, scorer, NULL).scored.computed, WINDOWS - 1); /* one of them is there twice */
    scorer_free(scorer);
    f->model = same;
    model_free(other);

    f->model->fingerprint++;
    scorer = make_scorer(f);
    assert_int_equal(score(f, scorer, NULL).scored.computed, WINDOWS - 1); /* one of them is there twice */
    scorer_free(scorer);
}

static void a_lost_race_ends_early(void **state) {
    struct fixture *f = *state;
    struct scorer *scorer = make_scorer(f);
    struct race race = {.racing = RACING_BOUND, .rival_score = INFINITY};
    struct outcome whole = score(f, scorer, &race);
    assert_int_equal(whole.scored.windows, WINDOWS);
    double tokens = (double)scoring_tokens(&f->scoring);
    race.rival_score = (whole.nats[0] + whole.nats[1]) / tokens;
    struct outcome cut = score(f, scorer, &race);
    assert_int_equal(cut.scored.windows, 2);
    assert_true(isnan(cut.mean));
    assert_memory_equal(cut.nats, whole.nats, 2 * sizeof *whole.nats);
    race.rival_score = 1e-9;
    assert_int_equal(score(f, scorer, &race).scored.windows, 1);
    race.rival_score = whole.mean; /* lost by a tie, but nothing is saved by saying so of a whole score */
    struct outcome tie = score(f, scorer, &race);
    assert_true(tie.scored.windows == WINDOWS && tie.mean == whole.mean);
    scorer_free(scorer);
}

/* The flag is looked at before every window: what was finished is kept, and windows of the cache do not hide it. */
static void stopping_keeps_whole_windows(void **state) {
    struct fixture *f = *state;
    struct scorer *scorer = make_scorer(f);
    struct race race = {.racing = RACING_BOUND, .rival_score = 1e-9};
    struct error error = {""};
    struct window_nats nats;
    struct scored scored;
    assert_int_equal(window_nats_open(&nats, &f->scoring, &error), STATUS_OK);
    score(f, scorer, &race); /* one window is known */
    f->stop = 1;
    assert_int_equal(scorer_score(scorer, &f->table, NULL, all, &nats, &scored, &error), STATUS_STOPPED);
    f->stop = 0;
    assert_int_equal(score(f, scorer, NULL).scored.computed, WINDOWS - 1);
    f->stop = 1;
    assert_int_equal(scorer_score(scorer, &f->table, NULL, all, &nats, &scored, &error), STATUS_STOPPED);
    window_nats_close(&nats);
    scorer_free(scorer);
}

/* A cyclic range, then the rest: what is scored is not scored again, and sums are those of a whole score. */
static void ranges_of_windows(void **state) {
    struct fixture *f = *state;
    struct scorer *scorer = make_scorer(f);
    struct outcome whole = score(f, scorer, NULL);
    struct window_nats nats;
    struct scored scored;
    struct error error = {""};
    assert_int_equal(window_nats_open(&nats, &f->scoring, &error), STATUS_OK);
    assert_int_equal(scorer_score(scorer, &f->table, NULL, (struct window_range){3, 2}, &nats, &scored, &error), 0);
    assert_int_equal(scored.first, 3);
    assert_int_equal(scored.windows, 2);
    for (size_t w = 0; w < WINDOWS; w++) assert_int_equal(window_nats_scored(&nats, w), w == 3 || w == 0);
    assert_true(isnan(perplexity_mean_nats(&f->scoring, nats.nats)));
    nats.nats[0] = 1e-9; /* of the caller: it is kept */
    assert_int_equal(scorer_score(scorer, &f->table, NULL, (struct window_range){3, WINDOWS}, &nats, &scored, &error),
                     0);
    assert_int_equal(scored.first, 1);
    assert_int_equal(scored.windows, 2);
    assert_true(nats.nats[0] == 1e-9);
    nats.nats[0] = whole.nats[0];
    assert_memory_equal(nats.nats, whole.nats, sizeof whole.nats);
    assert_memory_equal(nats.blocks, whole.blocks, sizeof whole.blocks);
    assert_int_equal(scorer_score(scorer, &f->table, NULL, (struct window_range){2, 3}, &nats, &scored, &error), 0);
    assert_true(scored.windows == 0 && scored.first == 1);

    /* a race within a range: the rest of it is not scored */
    const struct race race = {.racing = RACING_BOUND, .rival_score = 1e-9};
    window_nats_clear(&nats);
    assert_int_equal(scorer_score(scorer, &f->table, &race, (struct window_range){2, 3}, &nats, &scored, &error), 0);
    assert_true(scored.windows == 1 && scored.first == 2 && !window_nats_scored(&nats, 3));
    window_nats_close(&nats);
    scorer_free(scorer);
}

/* Entries of the cache without blocks are used, unless blocks are required. */
static void blocks_are_computed_where_required(void **state) {
    struct fixture *f = *state;
    struct scorer *scorer = make_scorer(f);
    struct outcome whole = score(f, scorer, NULL), cached = score(f, scorer, NULL);
    struct forward_options options = {.threads = 1};
    struct forward *forward = NULL;
    struct error error = {""};
    double sums[WINDOWS], nats[WINDOWS * LENGTH];
    assert_int_equal(forward_new(f->model, &options, &forward, &error), STATUS_OK);
    assert_int_equal(score_windows(forward, &f->table, &f->scoring, sums, nats, &error), STATUS_OK);
    for (size_t w = 0; w < WINDOWS; w++) {
        float block;
        nats_blocks(nats + w * (LENGTH - 1), LENGTH - 1, &block);
        assert_true(whole.blocks[w] == block && cached.blocks[w] == block);
    }
    forward_free(forward);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE scores SET blocks = NULL", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    cached = score(f, scorer, NULL);
    assert_int_equal(cached.scored.computed, 0);
    assert_memory_equal(cached.nats, whole.nats, sizeof whole.nats);
    assert_true(isnan(cached.blocks[0]));
    scorer_free(scorer);
    f->blocks = true;
    scorer = make_scorer(f);
    cached = score(f, scorer, NULL);
    assert_int_equal(cached.scored.computed, WINDOWS);
    assert_memory_equal(cached.nats, whole.nats, sizeof whole.nats);
    assert_memory_equal(cached.blocks, whole.blocks, sizeof whole.blocks);
    assert_int_equal(score(f, scorer, NULL).scored.computed, 0);
    scorer_free(scorer);
}

static void progress_reaches_the_end(void **state) {
    struct fixture *f = *state;
    struct scorer *scorer = make_scorer(f);
    score(f, scorer, NULL);
    assert_true(f->progress == 1.0);
    scorer_free(scorer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_computed_then_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(what_matters_is_in_the_key, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_race_ends_early, setup, teardown),
        cmocka_unit_test_setup_teardown(stopping_keeps_whole_windows, setup, teardown),
        cmocka_unit_test_setup_teardown(ranges_of_windows, setup, teardown),
        cmocka_unit_test_setup_teardown(blocks_are_computed_where_required, setup, teardown),
        cmocka_unit_test_setup_teardown(progress_reaches_the_end, setup, teardown),
    };
    return cmocka_run_group_tests_name("scorer", tests, NULL, NULL);
}
