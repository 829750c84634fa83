/* search/evolve/window_schedule, and the driver with it: few windows first, more when the parents are within their
 * noise, all for the best few. The scorer is made up: nats have noise per window and block. */
#include "search/evolve/window_schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/evolve/evolve_state.h"
#include "search/evolve/racing.h"

enum { WINDOWS = 6, BLOCKS = 8, TOKENS = BLOCKS * SCORING_BLOCK, PAIRS = 12, INITIAL = 3 };
static const int64_t window_predictions[WINDOWS] = {TOKENS, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS};
static const struct window windows[WINDOWS] = {{.length = TOKENS + 1}, {.length = TOKENS + 1}, {.length = TOKENS + 1},
                                               {.length = TOKENS + 1}, {.length = TOKENS + 1}, {.length = TOKENS + 1}};
static const struct scoring scoring = {.windows = windows, .count = WINDOWS};

/* The schedule alone --------------------------------------------------------------------------- */

static void the_number_of_windows_doubles(void **state) {
    (void)state;
    const int64_t tokens[7] = {1, 1, 1, 1, 1, 1, 1};
    struct window_schedule schedule;
    const size_t expected[] = {1, 2, 4, 7, 7};
    assert_true(window_schedule_open(&schedule, 1, 7, tokens, 2));
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_int_equal(schedule.now, expected[i]);
        assert_int_equal(window_schedule_is_partial(&schedule), schedule.now < 7);
        schedule.now = window_schedule_next(&schedule);
    }
    window_schedule_close(&schedule);
    const size_t all[] = {0, 7, 8, SIZE_MAX};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_true(window_schedule_open(&schedule, all[i], 7, tokens, 2));
        assert_true(schedule.now == 7 && !schedule.nats && !window_schedule_is_partial(&schedule));
        assert_int_equal(window_schedule_reserve(&schedule, 0, 100), 0);
        window_schedule_close(&schedule);
    }
}

static void the_end_takes_an_eighth_of_the_budget(void **state) {
    (void)state;
    const size_t evaluations[] = {0, 1, 7, 8, 16, 63, 64, 1000, SIZE_MAX}, finalists[] = {8, 1, 1, 1, 2, 7, 8, 8, 8};
    const struct window_schedule schedule = {.now = 2, .windows = 5};
    for (size_t i = 0; i < sizeof finalists / sizeof *finalists; i++) {
        assert_int_equal(window_schedule_finalists(evaluations[i]), finalists[i]);
        assert_int_equal(window_schedule_reserve(&schedule, evaluations[i], 100), 3 * finalists[i]);
        assert_int_equal(window_schedule_reserve(&schedule, evaluations[i], 1), 3);
    }
}

/* Five parents whose blocks differ from the best one's by `off`, the later ones too, and alternately by `noise`. */
static bool is_noisy(const double off[4], double noise) {
    enum { PARENTS = 5 };
    struct window_schedule schedule;
    struct ranking parents;
    struct window_nats nats;
    struct error error;
    assert_true(window_schedule_open(&schedule, 1, WINDOWS, window_predictions, PARENTS));
    assert_true(ranking_open(&parents, PARENTS));
    assert_int_equal(window_nats_open(&nats, &scoring, &error), STATUS_OK);
    for (size_t i = 0; i < PARENTS; i++) {
        nats.nats[0] = 0.0;
        for (size_t b = 0; b < BLOCKS; b++) {
            double difference = i ? off[i - 1] + (b % 2 ? noise : -noise) : 0.0;
            nats.blocks[b] = (float)(200.0 + difference);
            nats.nats[0] += 200.0 + difference;
        }
        const struct ranked *parent = ranking_add(&parents, i, nats.nats[0] / TOKENS);
        assert_ptr_equal(parent, &parents.items[i]);
        window_schedule_keep(&schedule, parent, &nats);
    }
    bool noisy = window_schedule_is_noisy(&schedule, &parents);
    schedule.now = WINDOWS;
    assert_false(window_schedule_is_noisy(&schedule, &parents));
    window_nats_close(&nats);
    ranking_close(&parents);
    window_schedule_close(&schedule);
    return noisy;
}

static void half_of_the_parents_are_within_the_noise(void **state) {
    (void)state;
    const double near[4] = {0.1, 0.1, 0.1, 0.1}, half[4] = {0.1, 0.1, 50.0, 50.0}, far[4] = {0.1, 50.0, 50.0, 50.0};
    assert_true(is_noisy(near, 1.0));
    assert_false(is_noisy(near, 0.0)); /* whatever is certain is not within any noise */
    assert_true(is_noisy(half, 1.0));
    assert_false(is_noisy(far, 1.0));
}

static void one_parent_is_in_no_noise(void **state) {
    (void)state;
    struct window_schedule schedule;
    struct ranking parents;
    assert_true(window_schedule_open(&schedule, 1, WINDOWS, window_predictions, 2));
    assert_true(ranking_open(&parents, 2));
    assert_false(window_schedule_is_noisy(&schedule, &parents));
    ranking_add(&parents, 0, 1.0);
    assert_false(window_schedule_is_noisy(&schedule, &parents));
    ranking_add(&parents, 1, NAN); /* it failed */
    assert_false(window_schedule_is_noisy(&schedule, &parents));
    ranking_close(&parents);
    window_schedule_close(&schedule);
}

/* Searches ------------------------------------------------------------------------------------- */

static struct genome_space make_space(int32_t start_count) {
    struct genome_space space = {.pairs = PAIRS, .unit = 100, .largest = 1000, .start_count = start_count};
    for (int32_t i = 0; i < start_count; i++) space.start_tokens[i] = i;
    return space;
}

static struct evolve *make_search(const struct evolve_settings *settings, const struct genome_space *space) {
    struct initial_genome initial[INITIAL];
    for (int k = 0; k < INITIAL; k++) {
        double factors[PAIRS];
        for (int i = 0; i < PAIRS; i++) factors[i] = pow(8.0, pow((i + 1.0) / PAIRS, 0.4 + 0.8 * k));
        initial[k].origin = ORIGIN_FILE;
        genome_from_factors(space, factors, 0, 1.0, &initial[k].genome);
    }
    const struct evolve_problem problem = {.space = space,
                                           .windows = WINDOWS,
                                           .window_tokens = window_predictions,
                                           .initial = initial,
                                           .initial_count = INITIAL,
                                           .attention_factor = 1.0};
    struct evolve *evolve = evolve_new(settings, &problem);
    assert_non_null(evolve);
    return evolve;
}

static struct evolve_settings genetic(enum algorithm algorithm) {
    return (struct evolve_settings){.algorithm = algorithm,
                                    .population = 24,
                                    .parents = 12,
                                    .mutations = 8,
                                    .crossovers = 8,
                                    .iterations = 15,
                                    .first_windows = 1,
                                    .mutation_probability = 0.3,
                                    .seed = 1};
}

static struct evolve_settings cma(void) {
    return (struct evolve_settings){
        .algorithm = ALGORITHM_CMA_ES, .population = 12, .parents = 6, .iterations = 20, .first_windows = 1, .seed = 1};
}

enum { SEARCHES = 8 };

/* Every algorithm, with and without knots, that are refined, from one window and from two, with few parents. */
static void all_settings(struct evolve_settings out[SEARCHES]) {
    for (int i = 0; i < SEARCHES; i++) out[i] = genetic(ALGORITHM_PAPER);
    out[1].algorithm = ALGORITHM_MICROSOFT;
    out[2].algorithm = ALGORITHM_LONGROPE2;
    out[3].knots = 3, out[3].iterations = 30;
    out[4] = cma();
    out[5] = cma(), out[5].knots = 3, out[5].iterations = 30;
    out[6].first_windows = 2;
    out[7] = cma(), out[7].parents = 2;
}

static double uniform(uint64_t *bits) {
    *bits = *bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*bits >> 11) * 0x1p-53 - 0.5;
}

/* Distance from a table that no genome is, differences between texts, and the noise of each block. */
static void score(const struct genome_space *space, const struct individual *one, struct window_nats *out) {
    double distance = 0.0;
    for (int i = 0; i < PAIRS; i++) {
        double best = log(8.0) * pow((i + 1.0) / PAIRS, 1.3);
        distance += pow(log((double)one->genome.genes[i] / space->unit) - best, 2) / PAIRS;
    }
    distance += 0.01 * fabs(one->genome.start - 1.0);
    for (size_t w = 0; w < WINDOWS; w++) {
        uint64_t bits = genome_hash(&one->genome) ^ (w + 1) * UINT64_C(0x9e3779b97f4a7c15);
        double text = sin(2.0 * (double)w), taste = 0.03 * uniform(&bits);
        out->nats[w] = 0.0;
        for (size_t b = 0; b < BLOCKS; b++) {
            double per_token = 3.0 + text + 0.2 * distance + taste + 0.05 * uniform(&bits);
            out->blocks[out->first_block[w] + b] = (float)(SCORING_BLOCK * per_token);
            out->nats[w] += SCORING_BLOCK * per_token;
        }
    }
}

static double mean_of(const struct genome_space *space, const struct individual *one, size_t count) {
    struct window_nats nats;
    struct error error;
    assert_int_equal(window_nats_open(&nats, &scoring, &error), STATUS_OK);
    score(space, one, &nats);
    double mean = nats_sum(nats.nats, count) / (double)(TOKENS * (int64_t)count);
    window_nats_close(&nats);
    return mean;
}

/* What is ranked was scored on the windows of the generation that follows, and is ranked by them. */
static void assert_ranked(const struct evolve *evolve, const struct genome_space *space,
                          const struct ranking *ranking) {
    for (size_t i = 0; i < ranking->count; i++) {
        const struct individual *one = &evolve->individuals[ranking->items[i].id];
        assert_int_equal(one->windows, evolve->schedule.now);
        assert_true(one->mean == ranking->items[i].mean && one->mean == mean_of(space, one, one->windows));
        assert_true(i == 0 || ranking->items[i - 1].mean <= one->mean);
    }
}

struct course {
    size_t windows[WINDOWS + 1]; /* new individuals that were asked for on so many windows */
    size_t finalists;            /* individuals that were scored on further windows at the end */
};

/* Before the first request of a generation. */
static void assert_generation(const struct evolve *evolve, const struct genome_space *space) {
    if (evolve->settings.algorithm != ALGORITHM_CMA_ES) assert_ranked(evolve, space, &evolve->parents);
    assert_ranked(evolve, space, &evolve->elite);
    if (evolve->elite.count == 0) return;
    assert_int_equal(evolve->best, evolve->elite.items[0].id);
    assert_int_equal(evolve->individuals[evolve->best_exportable].windows, evolve->schedule.now);
}

static void note_request(const struct evolve *evolve, const struct genome_space *space, struct course *course) {
    const struct evolve_request *request = &evolve->request;
    const struct individual *one = request->individual;
    assert_true(one->first_window == 0 && request->count > one->windows && request->count <= WINDOWS);
    if (one->windows > 0) {
        assert_true(evolve->phase != EVOLVE_SCORING && !one->stopped && !evolve_rival(evolve, request));
        course->finalists += evolve->phase == EVOLVE_FINISHING;
        return;
    }
    assert_int_equal(request->count, evolve->schedule.now);
    bool first = one->id == 0 || evolve->individuals[one->id - 1].generation < one->generation;
    if (first) assert_generation(evolve, space);
    course->windows[request->count]++;
}

/* Gives up those whose mean is not below the rival's, if `racing`. */
static void answer(struct evolve *evolve, const struct genome_space *space, bool racing, struct window_nats *nats) {
    const struct evolve_request *request = &evolve->request;
    const struct individual *rival = evolve_rival(evolve, request);
    score(space, request->individual, nats);
    for (size_t w = request->count; w < WINDOWS; w++) nats->nats[w] = NAN; /* not to be read */
    if (racing && rival && request->count > 1) {
        assert_true(rival->windows >= request->count && rival->mean == mean_of(space, rival, request->count));
        if (!(mean_of(space, request->individual, request->count) < rival->mean)) {
            evolve_tell_stopped(evolve, nats, 1);
            return;
        }
    }
    evolve_tell(evolve, nats);
}

static struct course run(struct evolve *evolve, const struct genome_space *space, bool racing) {
    struct course course = {.finalists = 0};
    struct window_nats nats;
    struct error error;
    size_t limit = evolve->settings.evaluations ? evolve->settings.evaluations * WINDOWS : SIZE_MAX;
    assert_int_equal(window_nats_open(&nats, &scoring, &error), STATUS_OK);
    while (evolve_ask(evolve)) {
        note_request(evolve, space, &course);
        answer(evolve, space, racing, &nats);
        assert_true(evolve_window_scores(evolve) <= limit);
    }
    assert_null(evolve_ask(evolve));
    window_nats_close(&nats);
    return course;
}

/* The best one has all windows, and nobody of those that have is better, nor anybody of the elite. */
static void assert_result(const struct evolve *evolve, const struct genome_space *space) {
    const struct individual *best = evolve_best(evolve);
    bool exportable = false;
    assert_non_null(best);
    assert_true(best->windows == WINDOWS && best->score == mean_of(space, best, WINDOWS) && best->work > 0);
    for (size_t i = 0; i < evolve->count; i++) {
        const struct individual *one = &evolve->individuals[i];
        assert_true(isnan(one->score) == (one->windows < WINDOWS || one->stopped));
        if (!isnan(one->score)) assert_true(best->score <= one->score);
        exportable = exportable || (!isnan(one->score) && one->genome.start == 0);
    }
    assert_true(exportable);
}

static void assert_all_new(const struct evolve *evolve) {
    for (size_t i = 0; i < evolve->count; i++) {
        for (size_t j = 0; j < i; j++)
            assert_false(genome_equal(&evolve->individuals[i].genome, &evolve->individuals[j].genome));
    }
}

static size_t same_beginning(const struct evolve *a, const struct evolve *b) {
    size_t i = 0;
    while (i < a->count && i < b->count && a->individuals[i].generation == b->individuals[i].generation &&
           genome_equal(&a->individuals[i].genome, &b->individuals[i].genome))
        i++;
    return i;
}

static void searches_begin_with_few_windows_and_end_with_all(void **state) {
    (void)state;
    struct evolve_settings settings[SEARCHES];
    all_settings(settings);
    for (int i = 0; i < SEARCHES; i++) {
        struct genome_space space = make_space(i % 2 ? 1 : 4);
        struct evolve *few = make_search(&settings[i], &space);
        const struct course course = run(few, &space, false);
        size_t first = settings[i].first_windows;
        assert_true(course.windows[first] >= (i == 4 || i == 5 || i == 7 ? INITIAL : 24));
        assert_true(course.windows[2 * first] > 0); /* the noise is that of a window soon */
        assert_int_equal(few->told, few->count);
        assert_true(evolve_window_scores(few) < few->count * WINDOWS);
        assert_int_equal(few->count, evolve_planned(&settings[i], INITIAL));
        assert_result(few, &space);
        assert_all_new(few);
        assert_true(course.finalists == 0 || few->schedule.now < WINDOWS);
        evolve_free(few);
    }
}

/* Where windows say the same, few are enough, and the end alone takes all. */
static void without_noise_the_number_stays(void **state) {
    (void)state;
    struct genome_space space = make_space(1);
    struct evolve_settings settings = genetic(ALGORITHM_PAPER);
    settings.evaluations = 16; /* two finalists */
    struct evolve *evolve = make_search(&settings, &space);
    struct window_nats nats;
    struct error error;
    size_t finalists = 0;
    assert_int_equal(window_nats_open(&nats, &scoring, &error), STATUS_OK);
    for (const struct evolve_request *request; (request = evolve_ask(evolve));) {
        for (size_t w = 0; w < WINDOWS; w++) {
            nats.nats[w] = TOKENS * (1.0 + (double)(genome_hash(&request->individual->genome) % 4096));
            for (size_t b = 0; b < BLOCKS; b++) nats.blocks[nats.first_block[w] + b] = (float)(nats.nats[w] / BLOCKS);
        }
        assert_int_equal(request->count, request->individual->windows ? WINDOWS : 1);
        finalists += request->individual->windows > 0;
        evolve_tell(evolve, &nats);
    }
    assert_int_equal(finalists, 2);
    assert_int_equal(evolve_window_scores(evolve), 16 * WINDOWS);
    assert_int_equal(evolve->told, 16 * WINDOWS - 2 * (WINDOWS - 1));
    assert_int_equal(evolve_best(evolve)->id, evolve->elite.items[0].id);
    window_nats_close(&nats);
    evolve_free(evolve);
}

/* Neither evaluations nor iterations change what is proposed before the end, and none is exceeded. */
static void a_smaller_budget_proposes_the_first_of_a_larger(void **state) {
    (void)state;
    struct evolve_settings settings[SEARCHES];
    all_settings(settings);
    for (int i = 0; i < SEARCHES; i++) {
        struct genome_space space = make_space(4);
        struct evolve *whole = make_search(&settings[i], &space);
        run(whole, &space, false);
        const size_t budgets[] = {1, 2, 5, 9, 20, 33, 50, 64, 100};
        for (size_t k = 0; k < sizeof budgets / sizeof *budgets; k++) {
            struct evolve_settings limited = settings[i];
            limited.evaluations = budgets[k];
            struct evolve *search = make_search(&limited, &space);
            run(search, &space, false);
            assert_true(search->told >= 1 && same_beginning(search, whole) >= search->told);
            assert_result(search, &space);
            evolve_free(search);
        }
        for (size_t iterations = 0; iterations < settings[i].iterations; iterations += 3) {
            struct evolve_settings limited = settings[i];
            limited.iterations = iterations;
            struct evolve *search = make_search(&limited, &space);
            run(search, &space, false);
            assert_int_equal(same_beginning(search, whole), search->count);
            assert_result(search, &space);
            evolve_free(search);
        }
        evolve_free(whole);
    }
}

/* Whoever is given up for certain changes nothing. */
static void giving_up_changes_nothing(void **state) {
    (void)state;
    struct evolve_settings settings[SEARCHES];
    all_settings(settings);
    for (int i = 0; i < SEARCHES; i++) {
        struct genome_space space = make_space(i % 2 ? 4 : 1);
        settings[i].first_windows = 2;
        struct evolve *whole = make_search(&settings[i], &space), *raced = make_search(&settings[i], &space);
        run(whole, &space, false), run(raced, &space, true);
        assert_int_equal(raced->count, whole->count);
        assert_int_equal(same_beginning(whole, raced), whole->count);
        assert_int_equal(evolve_best(raced)->id, evolve_best(whole)->id);
        assert_true(evolve_window_scores(raced) < evolve_window_scores(whole));
        evolve_free(whole), evolve_free(raced);
    }
}

/* A driver that is told the same asks the same: what a resume rests on. What is ahead comes. */
static void telling_again_asks_again(void **state) {
    (void)state;
    struct evolve_settings settings[SEARCHES];
    all_settings(settings);
    for (int i = 0; i < SEARCHES; i++) {
        struct genome_space space = make_space(4);
        settings[i].evaluations = 60;
        struct evolve *one = make_search(&settings[i], &space), *two = make_search(&settings[i], &space);
        struct window_nats nats;
        struct error error;
        struct evolve_request ahead = {.count = 0};
        assert_int_equal(window_nats_open(&nats, &scoring, &error), STATUS_OK);
        while (evolve_ask(one)) {
            const struct evolve_request *again = evolve_ask(two);
            assert_true(again && again->individual->id == one->request.individual->id);
            assert_true(again->count == one->request.count && evolve_ask(one) == &one->request);
            if (ahead.count) {
                assert_ptr_equal(ahead.individual, one->request.individual);
                assert_int_equal(ahead.count, one->request.count);
            }
            ahead = evolve_ahead(one) > 1 ? evolve_ahead_at(one, 1) : (struct evolve_request){.count = 0};
            answer(one, &space, true, &nats), answer(two, &space, true, &nats);
            assert_int_equal(evolve_ahead(one), 0);
        }
        assert_null(evolve_ask(two));
        window_nats_close(&nats);
        evolve_free(one), evolve_free(two);
    }
}

/* Tables that fail on the first windows or on later ones are never the result. */
static void failed_tables_are_the_worst(void **state) {
    (void)state;
    struct evolve_settings settings[SEARCHES];
    all_settings(settings);
    for (int i = 0; i < SEARCHES; i++) {
        struct genome_space space = make_space(4);
        struct evolve *evolve = make_search(&settings[i], &space);
        struct window_nats nats;
        struct error error;
        size_t failed = 0;
        assert_int_equal(window_nats_open(&nats, &scoring, &error), STATUS_OK);
        while (evolve_ask(evolve)) {
            const struct evolve_request *request = &evolve->request;
            size_t from = request->individual->windows,
                   fails = (size_t)(genome_hash(&request->individual->genome) % 12);
            if (fails < from || fails >= request->count) {
                answer(evolve, &space, true, &nats);
                continue;
            }
            score(&space, request->individual, &nats);
            nats.nats[fails] = INFINITY;
            evolve_tell_failed(evolve, &nats, fails + 1);
            failed++;
        }
        assert_true(failed >= 10);
        assert_non_null(evolve_best(evolve));
        assert_true(genome_hash(&evolve_best(evolve)->genome) % 12 >= WINDOWS);
        window_nats_close(&nats);
        evolve_free(evolve);
    }
}

/* Whoever has a score on few windows may be the result where all of the best few fail on further ones. */
static void those_behind_take_the_place_of_failed_finalists(void **state) {
    (void)state;
    struct evolve_settings settings[SEARCHES];
    all_settings(settings);
    for (int i = 0; i < 2 * SEARCHES; i++) {
        struct genome_space space = make_space(4);
        const size_t evaluations = i < SEARCHES ? 0 : 40, limit = evaluations ? evaluations * WINDOWS : SIZE_MAX;
        settings[i % SEARCHES].evaluations = evaluations;
        struct evolve *evolve = make_search(&settings[i % SEARCHES], &space);
        struct window_nats nats;
        struct error error;
        assert_int_equal(window_nats_open(&nats, &scoring, &error), STATUS_OK);
        while (evolve_ask(evolve)) {
            const struct evolve_request *request = &evolve->request;
            if (request->individual->id == 1 || request->count <= 3) {
                answer(evolve, &space, false, &nats);
            } else {
                score(&space, request->individual, &nats);
                nats.nats[3] = INFINITY;
                evolve_tell_failed(evolve, &nats, 4);
            }
            assert_true(evolve_window_scores(evolve) <= limit);
        }
        const struct individual *best = evolve_best(evolve);
        if (!evaluations) assert_true(best && best->id == 1 && best->windows == WINDOWS);
        for (size_t k = 0; k < evolve->count && !best; k++) {
            const struct individual *one = &evolve->individuals[k];
            assert_true(isnan(one->mean) || WINDOWS - one->windows > evolve_windows_left(evolve));
        }
        window_nats_close(&nats);
        evolve_free(evolve);
    }
}

/* All windows are what a search has that says nothing of first windows. */
static void all_windows_are_the_published_search(void **state) {
    (void)state;
    struct evolve_settings settings[SEARCHES];
    all_settings(settings);
    for (int i = 0; i < SEARCHES; i++) {
        struct genome_space space = make_space(4);
        settings[i].first_windows = 0;
        struct evolve *published = make_search(&settings[i], &space);
        settings[i].first_windows = WINDOWS;
        struct evolve *all = make_search(&settings[i], &space);
        run(published, &space, false);
        const struct course course = run(all, &space, false);
        assert_int_equal(course.windows[WINDOWS], all->count);
        assert_int_equal(same_beginning(published, all), published->count);
        assert_int_equal(evolve_window_scores(all), evolve_window_scores(published));
        assert_int_equal(evolve_best(all)->id, evolve_best(published)->id);
        evolve_free(published), evolve_free(all);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_number_of_windows_doubles),
        cmocka_unit_test(the_end_takes_an_eighth_of_the_budget),
        cmocka_unit_test(half_of_the_parents_are_within_the_noise),
        cmocka_unit_test(one_parent_is_in_no_noise),
        cmocka_unit_test(searches_begin_with_few_windows_and_end_with_all),
        cmocka_unit_test(without_noise_the_number_stays),
        cmocka_unit_test(a_smaller_budget_proposes_the_first_of_a_larger),
        cmocka_unit_test(giving_up_changes_nothing),
        cmocka_unit_test(telling_again_asks_again),
        cmocka_unit_test(failed_tables_are_the_worst),
        cmocka_unit_test(those_behind_take_the_place_of_failed_finalists),
        cmocka_unit_test(all_windows_are_the_published_search),
    };
    return cmocka_run_group_tests_name("window_schedule", tests, NULL, NULL);
}
