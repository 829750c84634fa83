/* search/recipe/window_pool, through search/recipe/scorer: with workers that answer late, in any order and twice, a
 * search hears what it hears without them. */
#include "search/recipe/window_pool.h"

#include "search/evolve/racing.h"
#include "search/recipe/scorer.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tiny_model.h"

#include <math.h>

enum { WINDOWS = 4, LENGTH = 40, TABLES = 12, MOST_WORKERS = 5, MOST_RESULTS = 256 };
static const struct window windows[WINDOWS] = {
    {0, 0, LENGTH, 0}, {0, 100, LENGTH, 0}, {1, 0, LENGTH, 0}, {0, 200, LENGTH, 0}};
static const struct window_range all = {0, WINDOWS};

struct fixture {
    struct scratch scratch;
    struct corpus corpus;
    struct scoring scoring;
    struct model *model;
    struct score_keys keys;
    struct forward *forward; /* of the workers */
    struct rope_table tables[TABLES];
    double nats[TABLES][WINDOWS]; /* once they are computed; 0: not yet */
    float blocks[TABLES][WINDOWS];
    volatile sig_atomic_t stop;
    char *path; /* of a cache that is not there yet */
    struct score_cache *cache;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    struct error error = {""};
    const struct forward_options options = {.threads = 1};
    f->scratch = scratch_make();
    f->path = scratch_path(&f->scratch, "scores.db");
    make_corpus(&f->corpus);
    f->scoring = (struct scoring){.documents = &f->corpus.documents, .windows = windows, .count = WINDOWS};
    f->model = make_model(NULL);
    assert_int_equal(score_keys_open(&f->keys, f->model, &f->scoring, &error), STATUS_OK);
    assert_int_equal(forward_new(f->model, &options, &f->forward, &error), STATUS_OK);
    for (int t = 0; t < TABLES; t++) {
        f->tables[t] = make_table();
        for (int i = 0; i < PAIRS; i++) f->tables[t].factors[i] *= 1.0 + 0.05 * (t * 5 % TABLES) * i / PAIRS;
    }
    assert_int_equal(score_cache_open(f->path, NULL, &f->cache, &error), STATUS_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    score_cache_close(f->cache);
    forward_free(f->forward);
    score_keys_close(&f->keys);
    model_free(f->model);
    free(f->path);
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

static void empty_cache(struct fixture *f) {
    struct error error = {""};
    score_cache_close(f->cache);
    scratch_remove(&f->scratch);
    free(f->path);
    f->scratch = scratch_make();
    f->path = scratch_path(&f->scratch, "scores.db");
    assert_int_equal(score_cache_open(f->path, NULL, &f->cache, &error), STATUS_OK);
}

/* Simulated workers --------------------------------------------------------------------------- */

struct pending {
    size_t worker;
    struct work_unit unit;
    bool cancelled;
    uint32_t due;
};

struct crew {
    struct fixture *f;
    struct workers workers;
    uint32_t seed, now;
    struct pending pending[MOST_RESULTS];
    size_t count;
    size_t given[WINDOWS]; /* units of each window */
    size_t cancelled;
    float blocks[2]; /* of the result taken last */
    int fails_at;    /* a window, or -1 */
    bool absurd;     /* results are of no window */
    bool once;       /* no result comes twice */
};

static int give(void *state, size_t worker, const struct work_unit *unit, struct error *error) {
    (void)error;
    struct crew *crew = state;
    assert_true(worker < crew->workers.count && crew->count + 2 < MOST_RESULTS);
    int copies = draw(&crew->seed) % 6 == 0 && !crew->once ? 2 : 1;
    for (int i = 0; i < copies; i++) {
        crew->pending[crew->count++] = (struct pending){worker, *unit, false, crew->now + draw(&crew->seed) % 20};
    }
    crew->given[unit->window]++;
    return STATUS_OK;
}

static void cancel(void *state, size_t worker, uint64_t unit) {
    struct crew *crew = state;
    for (size_t i = 0; i < crew->count; i++) {
        struct pending *one = &crew->pending[i];
        if (one->worker != worker || one->unit.id != unit) continue;
        one->cancelled = draw(&crew->seed) % 2; /* or it is done by then */
        crew->cancelled++;
    }
}

/* Computed once for all workers and tests of a fixture. */
static int score(struct fixture *f, const struct work_unit *unit, double *nats, float *block, struct error *error) {
    int t = 0;
    while (t < TABLES && !rope_same(&f->tables[t], &unit->table)) t++;
    assert_true(t < TABLES);
    double *known = &f->nats[t][unit->window];
    float *known_block = &f->blocks[t][unit->window];
    int status = *known > 0 ? STATUS_OK
                            : perplexity_window_blocks(f->forward, &unit->table, &f->scoring, unit->window, known,
                                                       known_block, error);
    *nats = *known, *block = *known_block;
    return status;
}

static void compute(struct crew *crew, const struct pending *one, struct work_result *out) {
    size_t window = one->unit.window;
    *out = (struct work_result){
        .worker = one->worker, .id = one->unit.id, .details = crew->blocks, .size = sizeof *crew->blocks};
    if (one->cancelled) {
        out->status = error_set(&out->error, STATUS_STOPPED, "cancelled");
    } else if ((int)window == crew->fails_at) {
        out->status = error_set(&out->error, STATUS_FAILED, "window %zu cannot be scored", window);
    } else {
        out->status = score(crew->f, &one->unit, &out->nats, crew->blocks, &out->error);
    }
    if (crew->absurd) out->size *= 2;
}

static int take(void *state, struct work_result *out, bool *taken, struct error *error) {
    (void)error;
    struct crew *crew = state;
    *taken = false;
    for (size_t tries = 0; tries < crew->count && !*taken; tries++) {
        size_t at = draw(&crew->seed) % crew->count;
        if (crew->pending[at].due > crew->now) continue;
        struct pending one = crew->pending[at];
        crew->pending[at] = crew->pending[--crew->count];
        compute(crew, &one, out);
        *taken = true;
    }
    return STATUS_OK;
}

static void wait_a_moment(void *state) {
    struct crew *crew = state;
    crew->now++;
    assert_true(crew->now < 100000);
}

static void make_crew(struct fixture *f, size_t count, uint32_t seed, struct crew *out) {
    *out = (struct crew){.f = f, .seed = seed, .fails_at = -1};
    out->workers = (struct workers){out, count, give, cancel, take, wait_a_moment};
}

/* A generation -------------------------------------------------------------------------------- */

/* All tables, each against the best so far. */
struct generation {
    struct fixture *f;
    enum racing racing;
    double best; /* mean nats per token */
    size_t held;
    double nats[TABLES][WINDOWS];
    float blocks[TABLES][WINDOWS];
    struct scored scored[TABLES];
};

/* All tables are about as good as each other: some have to beat a part of the best score only, so that they lose sooner
 * or later. */
static struct race race_of(const struct generation *g, int64_t t) {
    static const double parts[] = {1.0, 0.2, 0.7, 0.45, 1.0};
    return (struct race){.racing = isfinite(g->best) ? g->racing : RACING_NONE, .rival_score = parts[t % 5] * g->best};
}

static int is_hopeless(void *state, int64_t tag, const struct window_nats *known, bool *out, struct error *error) {
    (void)error;
    struct generation *g = state;
    assert_true(tag >= 0 && tag < TABLES);
    const struct race race = race_of(g, tag);
    *out = racing_lost(&race, &g->f->scoring, known);
    g->held += *out;
    return STATUS_OK;
}

static struct scorer *make_scorer(struct generation *g, const struct workers *workers) {
    struct fixture *f = g->f;
    const struct scorer_options options = {.model = f->model,
                                           .scoring = &f->scoring,
                                           .keys = &f->keys,
                                           .cache = f->cache,
                                           .blocks = true,
                                           .threads = 1,
                                           .stop = &f->stop,
                                           .workers = workers,
                                           .hopeless = is_hopeless,
                                           .workers_state = g};
    struct scorer *scorer = NULL;
    struct error error = {""};
    if (scorer_new(&options, &scorer, &error) != STATUS_OK) fail_msg("%s", error.message);
    return scorer;
}

static int score_table(struct generation *g, struct scorer *scorer, int t, struct error *error) {
    struct window_nats nats;
    const struct race race = race_of(g, t);
    assert_int_equal(window_nats_open(&nats, &g->f->scoring, error), STATUS_OK);
    int status = scorer_score(scorer, &g->f->tables[t], &race, all, &nats, &g->scored[t], error);
    memcpy(g->nats[t], nats.nats, sizeof g->nats[t]);
    memcpy(g->blocks[t], nats.blocks, sizeof g->blocks[t]);
    g->scored[t].seconds = 0;
    double score = perplexity_mean_nats(&g->f->scoring, nats.nats);
    if (score < g->best) g->best = score;
    window_nats_close(&nats);
    return status;
}

/* Everything is expected but some tables, which come as a surprise. */
static void run(struct generation *g, struct scorer *scorer, bool surprise) {
    struct error error = {""};
    for (int t = 0; t < TABLES; t++) {
        if (surprise && t % 3 == 0) continue;
        assert_int_equal(scorer_expect(scorer, &g->f->tables[t], all, 0, t, &error), STATUS_OK);
    }
    for (int t = 0; t < TABLES; t++) {
        if (score_table(g, scorer, t, &error) != STATUS_OK) fail_msg("%s", error.message);
    }
}

static struct generation serially(struct fixture *f, enum racing racing) {
    struct generation g = {.f = f, .racing = racing, .best = INFINITY};
    struct scorer *scorer = make_scorer(&g, NULL);
    run(&g, scorer, false);
    scorer_free(scorer);
    return g;
}

static bool same(const struct generation *a, const struct generation *b) {
    return memcmp(a->nats, b->nats, sizeof a->nats) == 0 && memcmp(a->blocks, b->blocks, sizeof a->blocks) == 0 &&
           memcmp(a->scored, b->scored, sizeof a->scored) == 0 && a->best == b->best;
}

/* With one of the tables, the model's numbers overflow. */
static void workers_change_nothing(void **state) {
    enum { OVERFLOWS = 4 };
    struct fixture *f = *state;
    f->tables[OVERFLOWS].attention_factor = 1e25;
    const enum racing kinds[] = {RACING_NONE, RACING_BOUND};
    for (size_t k = 0; k < 2; k++) {
        empty_cache(f);
        const struct generation expected = serially(f, kinds[k]);
        size_t stopped = 0, held = 0, cancelled = 0;
        for (int t = 0; t < TABLES; t++) stopped += t != OVERFLOWS && expected.scored[t].windows < WINDOWS;
        assert_true(expected.scored[OVERFLOWS].windows == 1 && isinf(expected.nats[OVERFLOWS][0]));
        assert_true(isnan(expected.nats[OVERFLOWS][1]) && isnan(expected.blocks[OVERFLOWS][0]));
        assert_true(kinds[k] == RACING_NONE ? stopped == 0 : stopped > 2);
        for (uint32_t seed = 0; seed < 12; seed++) {
            struct generation g = {.f = f, .racing = kinds[k], .best = INFINITY};
            struct crew crew;
            empty_cache(f);
            make_crew(f, 1 + seed % MOST_WORKERS, seed, &crew);
            struct scorer *scorer = make_scorer(&g, &crew.workers);
            run(&g, scorer, seed % 2);
            scorer_free(scorer);
            assert_true(same(&g, &expected));
            held += g.held, cancelled += crew.cancelled;
        }
        assert_true(kinds[k] == RACING_NONE ? held == 0
                                            : held > 0 && cancelled > 0); /* what failed is cancelled, too */
    }
}

/* Tables that are given up cost less than all windows also with workers: most are held back before. */
static void hopeless_tables_wait(void **state) {
    struct fixture *f = *state;
    struct generation g = {.f = f, .racing = RACING_BOUND, .best = 0.0}; /* nobody beats it */
    struct crew crew;
    make_crew(f, 3, 1, &crew);
    struct scorer *scorer = make_scorer(&g, &crew.workers);
    run(&g, scorer, false);
    scorer_free(scorer);
    for (int t = 0; t < TABLES; t++) assert_int_equal(g.scored[t].windows, 1);
    assert_int_equal(crew.given[0], TABLES);
    assert_true(crew.given[1] + crew.given[2] + crew.given[3] < TABLES);
}

/* What is in the cache is computed by nobody, also what a search before put there in vain. */
static void the_cache_answers_first(void **state) {
    struct fixture *f = *state;
    struct crew crew;
    make_crew(f, 2, 1, &crew);
    for (int again = 0; again < 2; again++) {
        struct generation g = {.f = f, .racing = RACING_NONE, .best = INFINITY};
        struct scorer *scorer = make_scorer(&g, &crew.workers);
        run(&g, scorer, false);
        scorer_free(scorer);
        for (int t = 0; t < TABLES; t++) assert_int_equal(g.scored[t].computed, again ? 0 : WINDOWS);
        for (int w = 0; w < WINDOWS; w++) assert_int_equal(crew.given[w], TABLES);
    }
}

/* Two that expect the same table get it computed once, as without workers. */
static void equal_tables_are_computed_once(void **state) {
    struct fixture *f = *state;
    f->tables[4] = f->tables[1];
    f->tables[7] = f->tables[1];
    const struct generation expected = serially(f, RACING_NONE);
    assert_true(expected.scored[1].computed == WINDOWS && expected.scored[4].computed == 0);
    empty_cache(f);
    struct generation g = {.f = f, .racing = RACING_NONE, .best = INFINITY};
    struct crew crew;
    make_crew(f, 3, 5, &crew);
    struct scorer *scorer = make_scorer(&g, &crew.workers);
    run(&g, scorer, false);
    scorer_free(scorer);
    assert_true(same(&g, &expected));
    for (int w = 0; w < WINDOWS; w++) assert_int_equal(crew.given[w], TABLES - 2);
}

/* Only the windows behind those that are there already are asked for. */
static void known_windows_are_not_asked_for(void **state) {
    struct fixture *f = *state;
    struct generation g = {.f = f, .racing = RACING_NONE, .best = INFINITY};
    struct crew crew;
    make_crew(f, 2, 3, &crew);
    struct scorer *scorer = make_scorer(&g, &crew.workers);
    struct error error = {""};
    struct window_nats nats;
    struct scored scored;
    const struct window_range range = {2, 3};
    assert_int_equal(window_nats_open(&nats, &f->scoring, &error), STATUS_OK);
    nats.nats[2] = 7.5;
    assert_int_equal(scorer_expect(scorer, &f->tables[0], range, 1, 0, &error), STATUS_OK);
    assert_int_equal(scorer_score(scorer, &f->tables[0], NULL, range, &nats, &scored, &error), STATUS_OK);
    assert_true(scored.first == 3 && scored.windows == 2 && scored.computed == 2 && nats.nats[2] == 7.5);
    assert_true(isnan(nats.nats[1]) && !isnan(nats.nats[0]) && !isnan(nats.nats[3]));
    const size_t expected[WINDOWS] = {1, 0, 0, 1};
    assert_memory_equal(crew.given, expected, sizeof expected);
    window_nats_close(&nats);
    scorer_free(scorer);
}

/* A window that cannot be scored is an error when the search comes to it, and not before. */
static void failures_come_when_they_are_heard(void **state) {
    struct fixture *f = *state;
    struct error error = {""};
    struct crew crew;
    make_crew(f, 3, 2, &crew);
    crew.fails_at = 1;
    struct generation g = {.f = f, .racing = RACING_BOUND, .best = 0.0}; /* given up after window 0 */
    struct scorer *scorer = make_scorer(&g, &crew.workers);
    run(&g, scorer, false);
    g.best = INFINITY;
    assert_int_equal(score_table(&g, scorer, 0, &error), STATUS_FAILED);
    assert_string_equal(error.message, "window 1 cannot be scored");
    scorer_free(scorer);

    make_crew(f, 3, 2, &crew);
    crew.absurd = true;
    g.best = INFINITY;
    scorer = make_scorer(&g, &crew.workers);
    f->tables[0].factors[1] *= 1.5; /* not in the cache */
    f->nats[0][0] = 0;
    assert_int_equal(score_table(&g, scorer, 0, &error), STATUS_FAILED);
    assert_non_null(strstr(error.message, "answered with 8 bytes of blocks"));
    scorer_free(scorer);
}

/* A search is over while windows that it asked for are under way. What comes of them is nothing for the next one. */
static void results_come_to_their_own_search(void **state) {
    struct fixture *f = *state;
    struct error error = {""};
    const struct generation expected = serially(f, RACING_NONE);
    size_t under_way = 0;
    for (uint32_t seed = 0; seed < 12; seed++) {
        struct crew crew;
        struct generation first = {.f = f, .racing = RACING_NONE, .best = INFINITY}, second = first;
        empty_cache(f);
        make_crew(f, 1 + seed % MOST_WORKERS, seed, &crew);
        crew.once = true;
        struct scorer *scorer = make_scorer(&first, &crew.workers);
        for (int t = TABLES - 1; t >= 0; t--) {
            assert_int_equal(scorer_expect(scorer, &f->tables[t], all, 0, t, &error), STATUS_OK);
        }
        assert_int_equal(score_table(&first, scorer, TABLES - 1, &error), STATUS_OK);
        under_way += crew.count;
        scorer_free(scorer);
        assert_int_equal(crew.count, 0);
        empty_cache(f);
        scorer = make_scorer(&second, &crew.workers);
        run(&second, scorer, false);
        scorer_free(scorer);
        assert_true(same(&second, &expected));
    }
    assert_true(under_way > 12);
}

static void a_signal_stops_it(void **state) {
    struct fixture *f = *state;
    struct error error = {""};
    struct crew crew;
    make_crew(f, 3, 2, &crew);
    struct generation g = {.f = f, .racing = RACING_NONE, .best = INFINITY};
    struct scorer *scorer = make_scorer(&g, &crew.workers);
    for (int t = 0; t < TABLES; t++) {
        assert_int_equal(scorer_expect(scorer, &f->tables[t], all, 0, t, &error), STATUS_OK);
    }
    assert_int_equal(score_table(&g, scorer, 0, &error), STATUS_OK);
    f->stop = 1;
    assert_int_equal(score_table(&g, scorer, 1, &error), STATUS_STOPPED);
    f->stop = 0;
    size_t under_way = crew.count;
    scorer_free(scorer);
    assert_true(crew.cancelled <= under_way);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(workers_change_nothing),           TEST(hopeless_tables_wait),
        TEST(the_cache_answers_first),          TEST(equal_tables_are_computed_once),
        TEST(known_windows_are_not_asked_for),  TEST(failures_come_when_they_are_heard),
        TEST(results_come_to_their_own_search), TEST(a_signal_stops_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
