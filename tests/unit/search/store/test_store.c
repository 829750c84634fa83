/* The store: what comes back out of it, who may open it, and what is left when a process or the disk gives up. */
#include "search/store/store.h"
#include "search/store/store_configuration.h"
#include "search/store/store_held_out.h"
#include "search/store/store_machines.h"
#include "search/store/store_ranks.h"
#include "search/store/store_snapshot.h"

#include "search/base/clock.h"
#include "tests/unit/child.h"
#include "tests/unit/scratch_run.h"

#include <fcntl.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { PAIRS = 24, WINDOWS = 3 };

/* Records to store ----------------------------------------------------------------------------- */

static struct stage_record make_stage(int64_t id, const char *name) {
    struct stage_record stage = {.id = id,
                                 .target_length = 2048,
                                 .original_length = 512,
                                 .scale = 4,
                                 .rope_theta = 10000,
                                 .attention_factor = 1.0 / 3,
                                 .iterations = 40,
                                 .planned = 64 + 40 * 32,
                                 .space = {.pairs = PAIRS,
                                           .unit = 100,
                                           .largest = 500,
                                           .start_count = 3,
                                           .attention_unit = 200,
                                           .attention_low = 180,
                                           .attention_high = 240}};
    snprintf(stage.name, sizeof stage.name, "%s", name);
    for (int i = 0; i < ROPE_MAX_PAIRS; i++) stage.base_factors[i] = 1.0;
    stage.pretrained_length = stage.original_length;
    stage.base_attention_factor = 1.0;
    stage.space.start_tokens[1] = 4;
    stage.space.start_tokens[2] = 256;
    return stage;
}

static struct setting settings[] = {
    {"search.seed", "1"}, {"data.samples", "3"}, {"objective", "perplexity"}, {"target_length", "2048"}};
enum { SETTINGS = sizeof settings / sizeof *settings };
static const struct window_record windows[WINDOWS] = {
    {.document = "a.txt", .start = 0, .tokens = 2048},
    {.document = "b.txt", .start = 0, .tokens = 2048},
    {.document = "a.txt", .start = 99, .tokens = 2048, .answer = 5, .needle = 7, .depth = 1.0 / 3, .key = "01234"}};

static void add_stage(struct fixture *f, struct store *store, int64_t id, const char *name) {
    struct stage_record stage = make_stage(id, name);
    good(f, store_add_stage(store, &stage, settings, SETTINGS, windows, WINDOWS, &f->error));
}

static double awkward(int64_t i) {
    static const double values[] = {0.1,  1.0 / 3, DBL_MIN, DBL_TRUE_MIN, DBL_MAX, 1 + DBL_EPSILON,        2.5,
                                    3,    1e300,   1e15,    123456789.1,  1e-300,  9007199254740993.0,     0,
                                    M_PI, 1e-7,    1e22,    0.3,          4.35,    2.2250738585072011e-308};
    return values[i % (int64_t)(sizeof values / sizeof *values)];
}

static struct individual make_individual(int64_t id) {
    struct individual individual = {.id = id,
                                    .generation = id / 4,
                                    .origin = (enum origin)(id % ORIGIN_COUNT),
                                    .parents = {id > 0 ? id - 1 : EVOLVE_NO_PARENT, id > 1 ? 0 : EVOLVE_NO_PARENT},
                                    .scored = true,
                                    .stopped = id % 5 == 3,
                                    .score = id % 5 == 3 ? NAN : awkward(id),
                                    .work = id % 5 == 3 ? 0 : (size_t)(id + 1) * WINDOWS};
    individual.genome.start = (int32_t)(id % 3);
    individual.genome.attention = 180 + (int32_t)(id % 61);
    for (int i = 0; i < PAIRS; i++) individual.genome.genes[i] = 100 + (int32_t)((id * i) % 17) / 16 + i * 17;
    individual.genome.genes[0] = 100;
    individual.genome.genes[PAIRS - 1] = 500;
    return individual;
}

/* Every fifth is stopped after its first window. */
static struct scored make_scored(int64_t id) {
    size_t scored = id % 5 == 3 ? 1 : WINDOWS;
    return (struct scored){scored, (size_t)id % (scored + 1), 0.25 * (double)id, 0};
}

static double make_nats(int64_t id, size_t window) { return awkward(id + (int64_t)window); }

/* Windows of 2047, 300 and 1 predictions: 16, 3 and 1 blocks. */
static const struct window scored_windows[WINDOWS] = {{.length = 2048}, {.length = 301}, {.length = 2}};
static const struct scoring scoring = {.windows = scored_windows, .count = WINDOWS};
static const size_t block_counts[WINDOWS] = {16, 3, 1};

static float make_block(int64_t id, size_t block) { return (float)(id + 1) / 3.0F + (float)block; }

static struct window_nats open_nats(void) {
    struct window_nats nats;
    struct error error;
    if (window_nats_open(&nats, &scoring, &error) != STATUS_OK) fail_msg("%s", error.message);
    return nats;
}

/* All windows; of those of odd individuals, blocks are not known. The caller closes them. */
static struct window_nats make_window_nats(int64_t id) {
    struct window_nats nats = open_nats();
    for (size_t w = 0; w < WINDOWS; w++) nats.nats[w] = make_nats(id, w);
    for (size_t b = 0; id % 2 == 0 && b < nats.first_block[WINDOWS]; b++) nats.blocks[b] = make_block(id, b);
    return nats;
}

static int add_individual(struct store *store, int64_t id, struct error *error) {
    struct individual individual = make_individual(id);
    struct scored scored = make_scored(id);
    struct window_nats nats = make_window_nats(id);
    struct stage_record stage = make_stage(0, "extend-2k");
    int status = store_add_individual(store, &stage, &individual, &scored, &nats, error);
    window_nats_close(&nats);
    return status;
}

static bool same_bits(double a, double b) { return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0; }

static void assert_individual(const struct individual_record *record, int64_t id) {
    const struct individual *got = &record->individual;
    struct individual expected = make_individual(id);
    assert_int_equal(got->id, expected.id);
    assert_int_equal(got->generation, expected.generation);
    assert_int_equal(got->origin, expected.origin);
    assert_int_equal(got->parents[0], expected.parents[0]);
    assert_int_equal(got->parents[1], expected.parents[1]);
    assert_memory_equal(&got->genome, &expected.genome, sizeof expected.genome);
    assert_true(got->scored);
    assert_int_equal(got->stopped, expected.stopped);
    assert_true(same_bits(got->score, expected.score));
    assert_int_equal(got->work, expected.work);
    struct scored scored = make_scored(id);
    assert_int_equal(record->scored.windows, scored.windows);
    assert_int_equal(record->scored.computed, scored.computed);
    assert_true(same_bits(record->scored.seconds, scored.seconds));
}

/* The store's first stage holds the individuals 0..count-1; returns count. */
static size_t check_individuals(struct fixture *f, struct store *store) {
    struct stage_record *stages;
    struct individual_record *individuals;
    size_t count;
    good(f, store_stages(store, &stages, &count, &f->error));
    assert_true(count > 0);
    good(f, store_individuals(store, &stages[0], &individuals, &count, &f->error));
    for (size_t i = 0; i < count; i++) assert_individual(&individuals[i], (int64_t)i);
    free(stages);
    free(individuals);
    return count;
}

/* A new run with one stage and `count` individuals, open. */
static struct store *make_run(struct fixture *f, int64_t count) {
    struct store *store = open_run(f, STORE_CREATE);
    good(f, store_set_name(store, "demo", &f->error));
    add_stage(f, store, 0, "extend-2k");
    for (int64_t i = 0; i < count; i++) good(f, add_individual(store, i, &f->error));
    return store;
}

static char *file_of(const struct fixture *f, const char *name) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", f->run, name) < 0) fail_msg("out of memory");
    return path;
}

static bool file_exists(const struct fixture *f, const char *name) {
    char *path = file_of(f, name);
    bool exists = access(path, F_OK) == 0;
    free(path);
    return exists;
}

/* Runs statements on run.db behind the store's back; makes the folders where they are missing. */
static void run_sql(struct fixture *f, const char *text) {
    char *results = scratch_path(&f->scratch, "results"), *path = file_of(f, "run.db");
    sqlite3 *db;
    mkdir(results, 0700);
    mkdir(f->run, 0700);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    int code = sqlite3_exec(db, text, NULL, NULL, NULL);
    if (code != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    free(results);
    free(path);
}

/* Round trips ---------------------------------------------------------------------------------- */

static void test_name(void **state) {
    struct fixture *f = *state;
    char name[STORE_NAME_SIZE];
    assert_false(store_exists(f->run));
    struct store *store = open_run(f, STORE_CREATE);
    assert_true(store_exists(f->run));
    good(f, store_name(store, name, sizeof name, &f->error));
    assert_string_equal(name, "");
    good(f, store_set_name(store, "demo", &f->error));
    good(f, store_set_name(store, "demo", &f->error));
    assert_int_equal(store_set_name(store, "other", &f->error), STATUS_INPUT);
    assert_message(f->error.message, "results/x: |'demo'|'other'");
    store_close(store);
    store = open_run(f, STORE_READ);
    good(f, store_name(store, name, sizeof name, &f->error));
    assert_string_equal(name, "demo");
    store_close(store);
    /* what is not UTF-8 cannot be JSON, and a terminal would obey an escape */
    static const char *const damages[] = {"CAST(x'64ff' AS TEXT)", "'a' || char(27) || '[2J'"};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "UPDATE run SET name = %s", damages[i]);
        run_sql(f, sql);
        store = open_run(f, STORE_READ);
        assert_int_equal(store_name(store, name, sizeof name, &f->error), STATUS_FAILED);
        assert_message(f->error.message, "run.db: is damaged|name");
        store_close(store);
    }
    store_close(NULL);
}

static void assert_stage(const struct stage_record *got, const struct stage_record *expected) {
    assert_int_equal(got->id, expected->id);
    assert_string_equal(got->name, expected->name);
    assert_int_equal(got->state, expected->state);
    assert_int_equal(got->target_length, expected->target_length);
    assert_int_equal(got->original_length, expected->original_length);
    assert_true(same_bits(got->scale, expected->scale));
    assert_true(same_bits(got->rope_theta, expected->rope_theta));
    assert_true(same_bits(got->attention_factor, expected->attention_factor));
    assert_int_equal(got->iterations, expected->iterations);
    assert_int_equal(got->planned, expected->planned);
    assert_int_equal(got->space.pairs, expected->space.pairs);
    assert_int_equal(got->space.unit, expected->space.unit);
    assert_int_equal(got->space.largest, expected->space.largest);
    assert_int_equal(got->space.start_count, expected->space.start_count);
    assert_memory_equal(got->space.start_tokens, expected->space.start_tokens, sizeof got->space.start_tokens);
    assert_int_equal(got->space.attention_unit, expected->space.attention_unit);
    assert_int_equal(got->space.attention_low, expected->space.attention_low);
    assert_int_equal(got->space.attention_high, expected->space.attention_high);
    assert_int_equal(got->space.critical_low, expected->space.critical_low);
    assert_int_equal(got->space.critical_high, expected->space.critical_high);
    assert_int_equal(got->space.smallest, expected->space.smallest);
}

/* LongRoPE2's: factors from 2 to 5, and NTK before a pair from 3 to 7. */
static struct stage_record make_critical_stage(int64_t id, const char *name) {
    struct stage_record stage = make_stage(id, name);
    stage.space.critical_low = 3;
    stage.space.critical_high = 7;
    stage.space.smallest = 200;
    return stage;
}

static void test_critical_pairs(void **state) {
    struct fixture *f = *state;
    struct store *store = open_run(f, STORE_CREATE);
    struct stage_record stage = make_critical_stage(0, "critical"), found;
    struct individual individual = make_individual(0);
    struct window_nats nats = make_window_nats(0);
    const struct scored scored = make_scored(0);
    bool there = false;
    good(f, store_add_stage(store, &stage, settings, SETTINGS, windows, WINDOWS, &f->error));
    good(f, store_find_stage(store, "critical", &found, &there, &f->error));
    assert_true(there);
    assert_stage(&found, &stage);
    good(f, store_check_stage(store, &stage, &f->error));
    struct stage_record others[] = {stage, stage, stage};
    others[0].space.critical_low--, others[1].space.critical_high--, others[2].space.smallest++;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(store_check_stage(store, &others[i], &f->error), STATUS_FAILED);
        assert_message(f->error.message, "critical_pairs");
    }
    for (int64_t id = 0; id < 2; id++) {
        individual.id = id;
        individual.genome = (struct genome){.attention = 200, .critical = id ? 7 : 3};
        for (int i = individual.genome.critical; i < PAIRS; i++) individual.genome.genes[i] = 201 + 13 * i;
        individual.parents[0] = individual.parents[1] = EVOLVE_NO_PARENT;
        good(f, store_add_individual(store, &stage, &individual, &scored, &nats, &f->error));
    }
    struct individual_record *stored = NULL;
    size_t count = 0;
    good(f, store_individuals(store, &found, &stored, &count, &f->error));
    assert_int_equal(count, 2);
    assert_true(genome_equal(&stored[1].individual.genome, &individual.genome));
    assert_true(stored[0].individual.genome.critical == 3 && stored[0].individual.genome.genes[2] == 0);
    free(stored);
    /* A pair with a gene before the critical one, and genes that do not rise. */
    individual.id = 2, individual.genome.genes[6] = 200;
    assert_int_equal(store_add_individual(store, &stage, &individual, &scored, &nats, &f->error), STATUS_FAILED);
    window_nats_close(&nats);
    store_close(store);
}

static void test_stages(void **state) {
    struct fixture *f = *state;
    struct store *store = open_run(f, STORE_CREATE);
    struct stage_record found, *stages, one = make_stage(1, "second"), zero = make_stage(0, "first");
    struct stage_record fixed = make_stage(2, "fixed");
    size_t count;
    bool there;
    good(f, store_stages(store, &stages, &count, &f->error));
    assert_int_equal(count, 0);
    free(stages);
    add_stage(f, store, 1, "second");
    add_stage(f, store, 0, "first");
    good(f, store_set_state(store, 1, STAGE_RUNNING, &f->error));
    one.state = STAGE_RUNNING;
    good(f, store_stages(store, &stages, &count, &f->error));
    assert_int_equal(count, 2);
    assert_stage(&stages[0], &zero);
    assert_stage(&stages[1], &one);
    free(stages);
    good(f, store_find_stage(store, "second", &found, &there, &f->error));
    assert_true(there);
    assert_stage(&found, &one);
    good(f, store_find_stage(store, "third", &found, &there, &f->error));
    assert_false(there);
    assert_string_equal(stage_state_name(STAGE_DONE), "done");

    /* the attention factor is not searched */
    fixed.space.attention_unit = fixed.space.attention_low = fixed.space.attention_high = 0;
    good(f, store_add_stage(store, &fixed, settings, SETTINGS, windows, WINDOWS, &f->error));
    good(f, store_find_stage(store, "fixed", &found, &there, &f->error));
    assert_true(there);
    assert_stage(&found, &fixed);

    assert_int_equal(store_set_state(store, 5, STAGE_DONE, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "no stage 5");
    store_close(store);
}

/* A stage that fails half-way leaves nothing of itself. */
static void test_stage_is_added_whole_or_not(void **state) {
    struct fixture *f = *state;
    struct store *store = open_run(f, STORE_CREATE);
    struct setting twice[] = {{"a", "1"}, {"a", "2"}};
    struct stage_record stage = make_stage(0, "first"), found;
    bool there = true;
    assert_int_equal(store_add_stage(store, &stage, twice, 2, windows, WINDOWS, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "run.db|UNIQUE");
    good(f, store_find_stage(store, "first", &found, &there, &f->error));
    assert_false(there);
    struct stage_record twice_a_start = stage, no_attention = stage, low_attention = stage, without_unit = stage;
    twice_a_start.space.start_tokens[2] = stage.space.start_tokens[1];
    no_attention.space.attention_high = stage.space.attention_low - 1;
    low_attention.space.attention_low = 0;
    without_unit.space.attention_unit = 0;
    struct stage_record no_gene = make_critical_stage(0, "first"), no_room = no_gene, below = no_gene;
    no_gene.space.critical_high = PAIRS, no_room.space.smallest = 500 - PAIRS + 5, below.space.smallest = 99;
    const struct stage_record *wrong[] = {&twice_a_start, &no_attention, &low_attention, &without_unit,
                                          &no_gene,       &no_room,      &below};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(store_add_stage(store, wrong[i], settings, SETTINGS, windows, WINDOWS, &f->error),
                         STATUS_FAILED);
        assert_message(f->error.message, "search space");
        f->error.message[0] = '\0';
    }
    add_stage(f, store, 0, "first");
    store_close(store);
}

static void test_settings(void **state) {
    struct fixture *f = *state;
    struct store *store = make_run(f, 0);
    good(f, store_check_settings(store, 0, settings, SETTINGS, &f->error));

    struct setting changed[SETTINGS + 1];
    memcpy(changed, settings, sizeof settings);
    changed[0].value = "2";
    assert_int_equal(store_check_settings(store, 0, changed, SETTINGS, &f->error), STATUS_INPUT);
    assert_string_equal(f->error.message, "stage 'extend-2k': 'search.seed' was 1 when the run began and is 2 now; "
                                          "restore it, or start a new run with -o");
    assert_int_equal(store_check_settings(store, 0, settings, SETTINGS - 1, &f->error), STATUS_INPUT);
    assert_message(f->error.message, "'target_length' was 2048 when the run began and is not set now");
    changed[0].value = "1";
    changed[SETTINGS] = (struct setting){"new", "x"};
    assert_int_equal(store_check_settings(store, 0, changed, SETTINGS + 1, &f->error), STATUS_INPUT);
    assert_message(f->error.message, "'new' was not set when the run began and is x now");
    changed[1].value = "4";
    changed[2].value = "needle"; /* others follow from it */
    assert_int_equal(store_check_settings(store, 0, changed, SETTINGS + 1, &f->error), STATUS_INPUT);
    assert_message(f->error.message, "'objective' was perplexity when the run began and is needle now");
    good(f, store_check_settings(store, 0, settings, SETTINGS, &f->error));
    run_sql(f, "UPDATE settings SET key = CAST(x'ff' AS TEXT) WHERE key = 'search.seed'");
    const struct stage_record stage = make_stage(0, "extend-2k");
    struct setting_record *stored;
    size_t count;
    assert_int_equal(store_settings(store, &stage, &stored, &count, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "damaged|stage 'extend-2k': the name of a setting");
    store_close(store);
}

static const struct configuration_record grown = {"longrope", "/a.yaml", "name: a\n", "[\"search.iterations=50\"]"};

static void assert_budget(struct fixture *f, struct store *store, enum stage_state state, int64_t iterations,
                          int64_t evaluations, int64_t planned, size_t setting_count) {
    struct stage_record stage;
    struct setting_record *stored;
    bool found = false;
    size_t count = 0;
    good(f, store_find_stage(store, "extend-2k", &stage, &found, &f->error));
    assert_true(found);
    assert_int_equal(stage.state, state);
    assert_int_equal(stage.iterations, iterations);
    assert_int_equal(stage.evaluations, evaluations);
    assert_int_equal(stage.planned, planned);
    good(f, store_settings(store, &stage, &stored, &count, &f->error));
    assert_int_equal(count, setting_count);
    free(stored);
}

/* The budget's settings are not compared, and are replaced with all that tells of the budget, or not at all. */
static void test_budget_is_replaced_whole_or_not(void **state) {
    struct fixture *f = *state;
    struct store *store = make_run(f, 3);
    struct setting with_budget[SETTINGS + 2];
    memcpy(with_budget, settings, sizeof settings);
    with_budget[SETTINGS] = (struct setting){STORE_ITERATIONS, "50"};
    with_budget[SETTINGS + 1] = (struct setting){STORE_EVALUATIONS, "77"};
    good(f, store_check_settings(store, 0, with_budget, SETTINGS + 2, &f->error));
    good(f, store_set_state(store, 0, STAGE_DONE, &f->error));

    struct stage_record stage = make_stage(0, "extend-2k");
    stage.iterations = 50;
    stage.planned = 77;
    good(f, store_set_budget(store, &stage, with_budget, SETTINGS + 2, &grown, &f->error));
    assert_budget(f, store, STAGE_RUNNING, 50, 77, 77, SETTINGS + 2);
    good(f, store_check_settings(store, 0, settings, SETTINGS, &f->error));
    struct configuration_record record;
    bool found = false;
    good(f, store_configuration(store, &record, &found, &f->error));
    assert_true(found);
    assert_string_equal(record.overrides, grown.overrides);
    configuration_record_free(&record);

    good(f, store_set_state(store, 0, STAGE_DONE, &f->error));
    struct configuration_record broken = grown;
    broken.content = NULL;
    stage.iterations = 60;
    assert_int_equal(store_set_budget(store, &stage, with_budget, SETTINGS + 1, &broken, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "NOT NULL");
    assert_budget(f, store, STAGE_DONE, 50, 77, 77, SETTINGS + 2);
    good(f, store_set_budget(store, &stage, with_budget, SETTINGS + 1, &grown, &f->error)); /* no limit any more */
    assert_budget(f, store, STAGE_RUNNING, 60, 0, 77, SETTINGS + 1);
    stage.id = 5;
    assert_int_equal(store_set_budget(store, &stage, with_budget, SETTINGS + 1, &grown, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "no stage 5");
    assert_int_equal(check_individuals(f, store), 3);
    store_close(store);
}

static void test_stage_that_is_gone_on_with(void **state) {
    struct fixture *f = *state;
    struct store *store = make_run(f, 0);
    struct stage_record same = make_stage(0, "extend-2k"), unknown = make_stage(7, "extend-2k");
    same.iterations++; /* settings have these */
    same.planned++;
    same.state = STAGE_RUNNING;
    same.attention_factor *= 1 + DBL_EPSILON;
    good(f, store_check_stage(store, &same, &f->error));
    assert_int_equal(store_check_stage(store, &unknown, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "no stage 7");

    struct stage_record now[12];
    static const char *const columns[] = {"target_length",    "original_length", "scale",         "rope_theta",
                                          "attention_factor", "pairs",           "unit",          "largest",
                                          "start_tokens",     "attention_unit",  "attention_low", "attention_high"};
    for (int i = 0; i < 12; i++) now[i] = make_stage(0, "extend-2k");
    now[0].target_length++;
    now[1].original_length++;
    now[2].scale = 4 + 4 * DBL_EPSILON;
    now[3].rope_theta = 10001;
    now[4].attention_factor = 0.334;
    now[5].space.pairs--;
    now[6].space.unit--;
    now[7].space.largest++;
    now[8].space.start_tokens[2]++;
    now[9].space.attention_unit++;
    now[10].space.attention_low--;
    now[11].space.attention_high++;
    for (int i = 0; i < 12; i++) {
        char words[100];
        snprintf(words, sizeof words, "run.db: is damaged|stage 'extend-2k': its %s is not", columns[i]);
        assert_int_equal(store_check_stage(store, &now[i], &f->error), STATUS_FAILED);
        assert_message(f->error.message, words);
    }
    now[8] = make_stage(0, "extend-2k");
    now[8].space.start_count--;
    assert_int_equal(store_check_stage(store, &now[8], &f->error), STATUS_FAILED);
    assert_message(f->error.message, "start_tokens");
    store_close(store);
}

static struct baseline_record make_baseline(enum rope_method method) {
    struct baseline_record baseline = {.method = method, .nats_per_token = awkward(1), .scored = {WINDOWS, 1, 1.5, 0}};
    baseline.table.pairs = PAIRS;
    baseline.table.attention_factor = awkward(5);
    baseline.table.own_attention_factor = awkward(6);
    baseline.table.start_tokens = method;
    for (int64_t i = 0; i < PAIRS; i++) {
        baseline.table.frequencies[i] = pow(10000, -(double)i / PAIRS);
        baseline.table.factors[i] = fmin(fmax(awkward(i), 1e-100), 1e100);
    }
    return baseline;
}

static void test_windows(void **state) {
    struct fixture *f = *state;
    struct store *store = make_run(f, 0);
    struct window_record *got;
    size_t count;
    good(f, store_windows(store, 0, &got, &count, &f->error));
    assert_int_equal(count, WINDOWS);
    for (size_t i = 0; i < WINDOWS; i++) {
        assert_string_equal(got[i].document, windows[i].document);
        assert_int_equal(got[i].start, windows[i].start);
        assert_int_equal(got[i].tokens, windows[i].tokens);
        assert_int_equal(got[i].answer, windows[i].answer);
        assert_int_equal(got[i].needle, windows[i].needle);
        assert_true(got[i].depth == windows[i].depth);
        assert_string_equal(got[i].key, windows[i].key);
    }
    free(got);
    assert_int_equal(store_windows(store, 4, &got, &count, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "no stage 4");
    store_close(store);

    static const char *const spoil[] = {"position = -1", "position = 2043", "depth = 1.5", "answer = 0"};
    for (size_t i = 0; i < sizeof spoil / sizeof *spoil; i++) {
        char sql[100];
        snprintf(sql, sizeof sql, "UPDATE needles SET %s", spoil[i]);
        run_sql(f, sql);
        store = open_run(f, STORE_READ);
        assert_int_equal(store_windows(store, 0, &got, &count, &f->error), STATUS_FAILED);
        assert_message(f->error.message, "damaged|stage 'extend-2k'|sample 2");
        store_close(store);
        run_sql(f, "UPDATE needles SET position = 7, depth = 0.5, answer = 5");
    }
    run_sql(f, "UPDATE samples SET start = -1 WHERE sample = 1");
    store = open_run(f, STORE_READ);
    assert_int_equal(store_windows(store, 0, &got, &count, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "damaged|stage 'extend-2k'|sample 1");
    assert_null(got);
    store_close(store);
}

static void test_baselines(void **state) {
    struct fixture *f = *state;
    struct store *store = make_run(f, 0);
    static const enum rope_method order[] = {ROPE_YARN, ROPE_NONE, ROPE_DYNAMIC_NTK};
    struct baseline_record *baselines, baseline = make_baseline(ROPE_PI);
    double values[WINDOWS] = {1, 0, 1.0 / 3}, more_values[WINDOWS + 1] = {0};
    const struct window_nats nats = {.windows = WINDOWS, .nats = values},
                             more = {.windows = WINDOWS + 1, .nats = more_values};
    size_t count;
    for (int i = 0; i < 3; i++) {
        baseline = make_baseline(order[i]);
        good(f, store_add_baseline(store, 0, &baseline, &nats, &f->error));
    }
    good(f, store_baselines(store, 0, &baselines, &count, &f->error));
    assert_int_equal(count, 3);
    for (int i = 0; i < 3; i++) {
        baseline = make_baseline(order[i]);
        assert_int_equal(baselines[i].method, order[i]);
        assert_memory_equal(&baselines[i].table, &baseline.table, sizeof baseline.table);
        assert_true(same_bits(baselines[i].nats_per_token, baseline.nats_per_token));
        assert_int_equal(baselines[i].scored.windows, WINDOWS);
        assert_int_equal(baselines[i].scored.computed, 1);
        assert_true(same_bits(baselines[i].scored.seconds, 1.5));
    }
    free(baselines);
    assert_int_equal(store_add_baseline(store, 0, &baseline, &nats, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "UNIQUE");
    baseline = make_baseline(ROPE_NTK);
    baseline.table.factors[3] = INFINITY;
    assert_int_equal(store_add_baseline(store, 0, &baseline, &nats, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "'ntk'|not finite");
    baseline = make_baseline(ROPE_NTK);
    baseline.scored.windows = WINDOWS + 1;
    assert_int_equal(store_add_baseline(store, 0, &baseline, &more, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "FOREIGN KEY");
    good(f, store_baselines(store, 0, &baselines, &count, &f->error));
    assert_int_equal(count, 3); /* nothing of it is left */
    free(baselines);
    assert_int_equal(store_baselines(store, 8, &baselines, &count, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "no stage 8");
    store_close(store);
}

static void test_individuals(void **state) {
    struct fixture *f = *state;
    struct store *store = make_run(f, 50);
    assert_int_equal(check_individuals(f, store), 50);
    store_close(store);
    assert_false(file_exists(f, "run.db-wal"));
    store = open_run(f, STORE_READ);
    assert_int_equal(check_individuals(f, store), 50);
    store_close(store);
    store = open_run(f, STORE_RESUME);
    assert_int_equal(check_individuals(f, store), 50);
    good(f, add_individual(store, 50, &f->error));
    assert_int_equal(check_individuals(f, store), 51);
    store_close(store);
}

/* `count` windows from `first` on are scored, the others not. */
static void assert_nats(const struct window_nats *got, int64_t id, size_t first, size_t count) {
    for (size_t i = 0; i < WINDOWS; i++) {
        size_t window = (first + i) % WINDOWS;
        assert_int_equal(window_nats_scored(got, window), i < count);
        if (i < count) assert_true(same_bits(got->nats[window], make_nats(id, window)));
        assert_int_equal(window_nats_has_blocks(got, window), i < count && id % 2 == 0);
        for (size_t b = 0; b < block_counts[window]; b++) {
            float block = window_nats_blocks(got, window)[b];
            if (i >= count || id % 2) assert_true(isnan(block));
            if (i < count && id % 2 == 0) assert_true(block == make_block(id, got->first_block[window] + b));
        }
    }
}

static void test_nats_of_windows(void **state) {
    struct fixture *f = *state;
    struct store *store = make_run(f, 9);
    double values[WINDOWS] = {1.0 / 3, 0, 4.35};
    const struct window_nats of_baseline = {.windows = WINDOWS, .nats = values};
    struct baseline_record baseline = make_baseline(ROPE_YARN);
    struct window_nats nats = open_nats();
    good(f, store_window_nats(store, 0, 2, &nats, &f->error));
    assert_nats(&nats, 2, 0, WINDOWS);
    good(f, store_window_nats(store, 0, 3, &nats, &f->error)); /* it was stopped, and has no blocks */
    assert_nats(&nats, 3, 0, 1);
    good(f, store_window_nats(store, 0, 8, &nats, &f->error)); /* it was stopped */
    assert_nats(&nats, 8, 0, 1);
    double whole[WINDOWS + 2];
    struct window_nats without = {.windows = WINDOWS + 2, .nats = whole}; /* more than the stage has; no blocks */
    good(f, store_window_nats(store, 0, 2, &without, &f->error));
    for (size_t i = 0; i < WINDOWS; i++) assert_true(same_bits(whole[i], make_nats(2, i)));
    assert_true(isnan(whole[WINDOWS]) && isnan(whole[WINDOWS + 1]));
    without.windows = WINDOWS - 1;
    assert_int_equal(store_window_nats(store, 0, 2, &without, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "damaged|number of windows");
    good(f, store_window_nats(store, 0, 99, &nats, &f->error));
    assert_nats(&nats, 99, 0, 0);

    good(f, store_add_baseline(store, 0, &baseline, &of_baseline, &f->error));
    good(f, store_baseline_nats(store, 0, ROPE_YARN, &nats, &f->error));
    for (size_t i = 0; i < WINDOWS; i++) assert_true(same_bits(nats.nats[i], values[i]));
    assert_false(window_nats_has_blocks(&nats, 0));
    good(f, store_baseline_nats(store, 0, ROPE_PI, &nats, &f->error));
    assert_nats(&nats, 0, 0, 0);
    struct window_nats with = make_window_nats(4);
    baseline = make_baseline(ROPE_NTK);
    good(f, store_add_baseline(store, 0, &baseline, &with, &f->error));
    good(f, store_baseline_nats(store, 0, ROPE_NTK, &nats, &f->error));
    assert_nats(&nats, 4, 0, WINDOWS);
    window_nats_close(&with);
    window_nats_close(&nats);
    store_close(store);
}

static void test_nats_that_are_damaged(void **state) {
    struct fixture *f = *state;
    struct store *store = make_run(f, 3);
    struct window_nats nats = make_window_nats(0);
    struct baseline_record baseline = make_baseline(ROPE_YARN);
    good(f, store_add_baseline(store, 0, &baseline, &nats, &f->error));
    store_close(store);
    run_sql(f, "DELETE FROM sample_nats WHERE individual = 2 AND sample = 1");
    store = open_run(f, STORE_READ);
    assert_int_equal(store_window_nats(store, 0, 2, &nats, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "run.db: is damaged|nats of a window are missing");
    store_close(store);

    /* one block of window 2: none, half of one, two, -1, infinite, NaN */
    static const char *const damages[] = {"nats = NULL",          "nats = -1",
                                          "nats = -9e999",        "blocks = x''",
                                          "blocks = x'0000'",     "blocks = x'0000803f0000803f'",
                                          "blocks = x'000080bf'", "blocks = x'0000807f'",
                                          "blocks = x'0000c07f'"};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        char sql[100];
        snprintf(sql, sizeof sql, "UPDATE baseline_nats SET %s WHERE sample = 2", damages[i]);
        run_sql(f, sql);
        store = open_run(f, STORE_READ);
        f->error.message[0] = '\0';
        assert_int_equal(store_baseline_nats(store, 0, ROPE_YARN, &nats, &f->error), STATUS_FAILED);
        assert_message(f->error.message, "run.db: is damaged|of a window are|negative or not finite");
        store_close(store);
        run_sql(f, "UPDATE baseline_nats SET nats = 1, blocks = x'0000803f' WHERE sample = 2");
    }
    run_sql(f, "UPDATE baseline_nats SET nats = 9e999, blocks = NULL WHERE sample = 1");
    store = open_run(f, STORE_READ);
    assert_int_equal(store_baseline_nats(store, 0, ROPE_YARN, &nats, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "nats follow a window that failed");
    store_close(store);
    run_sql(f, "UPDATE baseline_nats SET nats = 1 WHERE sample = 1");
    store = open_run(f, STORE_READ);
    good(f, store_baseline_nats(store, 0, ROPE_YARN, &nats, &f->error));
    assert_true(window_nats_blocks(&nats, 2)[0] == 1.0F);
    store_close(store);
    window_nats_close(&nats);
}

/* Their nats are infinite on their last window, which no other individual's are. */
static void test_individuals_that_failed(void **state) {
    struct fixture *f = *state;
    struct store *store = make_run(f, 3);
    struct stage_record stage = make_stage(0, "extend-2k");
    struct individual_record *all;
    size_t count;
    struct individual failed = make_individual(3); /* it is stopped */
    failed.failed = true;
    struct window_nats nats = make_window_nats(3);
    nats.nats[1] = INFINITY;
    const struct scored scored = {.windows = 2, .computed = 2};
    good(f, store_add_individual(store, &stage, &failed, &scored, &nats, &f->error));
    good(f, store_individuals(store, &stage, &all, &count, &f->error));
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++) assert_int_equal(all[i].individual.failed, i == 3);
    assert_true(all[3].individual.stopped && isnan(all[3].individual.score) && all[3].scored.windows == 2);
    free(all);
    good(f, store_window_nats(store, 0, 3, &nats, &f->error));
    assert_true(isinf(nats.nats[1]) && isnan(nats.nats[2]) && !isinf(nats.nats[0]));
    store_close(store);
    run_sql(f, "UPDATE individuals SET stopped = 0 WHERE id = 3");
    store = open_run(f, STORE_READ);
    assert_int_equal(store_individuals(store, &stage, &all, &count, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "individual 3: its score");
    store_close(store);
    window_nats_close(&nats);
}

/* ---- individuals that are scored on some windows, and then on more ---- */

static struct individual_record read_individual(struct fixture *f, struct store *store, int64_t id) {
    struct stage_record stage = make_stage(0, "extend-2k");
    struct individual_record *all, one;
    size_t count;
    good(f, store_individuals(store, &stage, &all, &count, &f->error));
    assert_true((int64_t)count > id);
    one = all[id];
    free(all);
    return one;
}

static void assert_progress(struct fixture *f, struct store *store, const struct scored *expected, double score,
                            bool stopped) {
    struct individual_record got = read_individual(f, store, 0);
    struct window_nats nats = open_nats();
    assert_int_equal(got.scored.first, expected->first);
    assert_int_equal(got.scored.windows, expected->windows);
    assert_int_equal(got.scored.computed, expected->computed);
    assert_true(same_bits(got.scored.seconds, expected->seconds));
    assert_true(same_bits(got.individual.score, score));
    assert_int_equal(got.individual.stopped, stopped);
    assert_int_equal(got.individual.work, isnan(score) ? 0 : 7);
    assert_int_equal(got.individual.scored, stopped || !isnan(score));
    good(f, store_window_nats(store, 0, 0, &nats, &f->error));
    assert_nats(&nats, 0, expected->first, expected->windows);
    window_nats_close(&nats);
}

static void test_windows_are_added(void **state) {
    struct fixture *f = *state;
    struct store *store = make_run(f, 0);
    struct stage_record stage = make_stage(0, "extend-2k");
    struct individual one = make_individual(0);
    struct window_nats nats = make_window_nats(0);
    const double score = one.score;
    const struct scored first = {.windows = 1, .computed = 1, .seconds = 0.5, .first = 2},
                        second = {.windows = 1, .computed = 0, .seconds = 0.25, .first = 0},
                        third = {.windows = 1, .computed = 1, .seconds = 1, .first = 1};
    one.score = NAN;
    one.work = 0;
    nats.nats[1] = NAN; /* is not read yet */
    good(f, store_add_individual(store, &stage, &one, &first, &nats, &f->error));
    assert_progress(f, store, &first, NAN, false);
    one.stopped = true;
    good(f, store_extend_individual(store, &stage, &one, &second, &nats, &f->error));
    const struct scored both = {.windows = 2, .computed = 1, .seconds = 0.75, .first = 2};
    assert_progress(f, store, &both, NAN, true);

    /* what does not follow changes nothing */
    nats.nats[1] = make_nats(0, 1);
    one.score = score;
    one.work = 7;
    one.stopped = false;
    assert_int_equal(store_extend_individual(store, &stage, &one, &second, &nats, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "stage 'extend-2k', individual 0|1 windows from 0 on|the next one is 1");
    const struct scored beyond = {.windows = 2, .first = 1};
    assert_int_equal(store_extend_individual(store, &stage, &one, &beyond, &nats, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "do not follow the 2 of 3 that are stored");
    struct individual unknown = make_individual(1);
    assert_int_equal(store_extend_individual(store, &stage, &unknown, &third, &nats, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "stage 'extend-2k': individual 1 is not stored");
    assert_progress(f, store, &both, NAN, true);

    good(f, store_extend_individual(store, &stage, &one, &third, &nats, &f->error));
    const struct scored all = {.windows = 3, .computed = 2, .seconds = 1.75, .first = 2};
    assert_progress(f, store, &all, score, false);
    window_nats_close(&nats);
    store_close(store);

    static const char *const damages[] = {"first_window = 3", "first_window = -1", "critical = -1", "critical = 3",
                                          "nats_per_token = NULL"};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        char sql[100];
        struct individual_record *individuals;
        size_t count;
        snprintf(sql, sizeof sql, "UPDATE individuals SET %s", damages[i]);
        run_sql(f, sql);
        store = open_run(f, STORE_READ);
        assert_int_equal(store_individuals(store, &stage, &individuals, &count, &f->error), STATUS_FAILED);
        assert_message(f->error.message, "damaged|stage 'extend-2k', individual 0");
        store_close(store);
        run_sql(f, "UPDATE individuals SET first_window = 2, critical = 0, nats_per_token = 1");
    }
    run_sql(f, "DELETE FROM sample_nats WHERE sample = 1"); /* then it cannot have a score */
    store = open_run(f, STORE_READ);
    struct individual_record *individuals;
    size_t count;
    assert_int_equal(store_individuals(store, &stage, &individuals, &count, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "damaged|its score");
    store_close(store);
}

static void test_individuals_that_are_refused(void **state) {
    struct fixture *f = *state;
    struct store *store = make_run(f, 2);
    double values[WINDOWS + 1] = {0};
    const struct window_nats nats = {.windows = WINDOWS + 1, .nats = values},
                             few = {.windows = WINDOWS - 1, .nats = values};
    const struct scored scored = {WINDOWS, WINDOWS, 0, 0}, more = {WINDOWS + 1, WINDOWS, 0, 0};
    struct individual individual = make_individual(2);
    struct stage_record stage = make_stage(0, "extend-2k"), unknown = make_stage(3, "third");
    assert_int_equal(add_individual(store, 1, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "UNIQUE");
    assert_int_equal(store_add_individual(store, &stage, &individual, &more, &nats, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "FOREIGN KEY");
    assert_int_equal(store_add_individual(store, &stage, &individual, &scored, &few, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "windows 0 to 2 cannot be stored: there are only 2");
    individual.parents[1] = 7;
    assert_int_equal(store_add_individual(store, &stage, &individual, &scored, &nats, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "FOREIGN KEY");
    individual.genome.attention = 241;
    assert_int_equal(store_add_individual(store, &stage, &individual, &scored, &nats, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "individual 2|outside");
    individual = make_individual(2);
    individual.genome.genes[3] = 501;
    assert_int_equal(store_add_individual(store, &stage, &individual, &scored, &nats, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "stage 'extend-2k'|individual 2|outside");
    individual = make_individual(2);
    assert_int_equal(store_add_individual(store, &unknown, &individual, &scored, &nats, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "FOREIGN KEY");
    assert_int_equal(check_individuals(f, store), 2);
    store_close(store);
}

/* The whole database as SQL sees it, without the columns that hold times. */
static char *dump_run(struct fixture *f) {
    static const char query[] =
        "SELECT group_concat(x, char(10)) FROM ("
        "SELECT name AS x FROM run UNION ALL SELECT quote(id) || name || state || scale || start_tokens FROM stages "
        "UNION ALL SELECT stage || key || value FROM settings "
        "UNION ALL SELECT stage || sample || document || start || tokens FROM samples "
        "UNION ALL SELECT stage || id || generation || origin || quote(parent_a) || quote(parent_b) || genes || n_hat "
        "|| attention || quote(nats_per_token) || stopped FROM individuals "
        "UNION ALL SELECT stage || individual || sample || quote(nats) FROM sample_nats)";
    char *path = file_of(f, "run.db"), *text = NULL;
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, query, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    text = strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    free(path);
    return text;
}

static void test_equal_runs_are_equal_databases(void **state) {
    struct fixture *f = *state;
    store_close(make_run(f, 9));
    char *once = dump_run(f);
    assert_null(strstr(once, f->scratch.dir));
    free(f->run);
    f->run = scratch_path(&f->scratch, "elsewhere/y/");
    store_close(make_run(f, 9));
    char *again = dump_run(f);
    assert_string_equal(once, again);
    free(once);
    free(again);
}

static void test_genes_are_json_and_times_are_utc(void **state) {
    struct fixture *f = *state;
    store_close(make_run(f, 4));
    char *path = file_of(f, "run.db");
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT json_array_length(genes), json_extract(genes, '$[0]'), n_hat, scored_at "
                           "GLOB '20[0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-9][0-9]Z' "
                           "FROM individuals WHERE id = 2",
                           -1, &statement, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(statement, 0), PAIRS);
    assert_int_equal(sqlite3_column_int(statement, 1), 100);
    assert_int_equal(sqlite3_column_int(statement, 2), 256);
    assert_int_equal(sqlite3_column_int(statement, 3), 1);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    free(path);
}

/* Opening what is there, or is not ------------------------------------------------------------- */

static void test_create_and_resume(void **state) {
    struct fixture *f = *state;
    open_bad(f, STORE_RESUME, STATUS_INPUT, "results/x: does not exist|start one without --resume, or check the path");
    open_bad(f, STORE_READ, STATUS_INPUT,
             "results/x: does not exist|check the path, or start a run with longrope search");
    assert_int_equal(access(f->run, F_OK), -1);
    store_close(make_run(f, 1));
    open_bad(f, STORE_CREATE, STATUS_INPUT,
             "results/x: already holds a run; continue with --resume, or choose another folder with -o");
    store_close(open_run(f, STORE_RESUME));
}

static void test_folder_without_a_run(void **state) {
    struct fixture *f = *state;
    free(f->run);
    f->run = scratch_path(&f->scratch, "file");
    scratch_write(f->run, "x", 1);
    open_bad(f, STORE_CREATE, STATUS_INPUT, "file: is not a folder");
    open_bad(f, STORE_READ, STATUS_INPUT, "file: is not a folder");
    free(f->run);
    f->run = scratch_path(&f->scratch, "folder");
    assert_int_equal(mkdir(f->run, 0700), 0);
    open_bad(f, STORE_READ, STATUS_INPUT, "folder: holds no run");
    open_bad(f, STORE_RESUME, STATUS_INPUT, "folder: holds no run");
    assert_int_equal(rmdir(f->run), 0); /* nothing was made in it */
    assert_int_equal(mkdir(f->run, 0700), 0);
    store_close(open_run(f, STORE_CREATE));
}

static void test_run_db_that_is_a_folder(void **state) {
    struct fixture *f = *state;
    store_close(make_run(f, 0));
    char *path = file_of(f, "run.db");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    for (enum store_mode mode = STORE_CREATE; mode <= STORE_READ; mode++) {
        open_bad(f, mode, STATUS_INPUT,
                 mode == STORE_READ ? "run.db: is not a file; name the folder of a run"
                                    : "run.db: is not a file; choose another folder with -o");
    }
    free(path);
}

/* An empty file or a database without tables is what a kill in the middle of creating may leave. */
static void test_database_without_a_schema(void **state) {
    struct fixture *f = *state;
    run_sql(f, "PRAGMA journal_mode = WAL");
    open_bad(f, STORE_RESUME, STATUS_INPUT, "holds no run");
    open_bad(f, STORE_READ, STATUS_INPUT, "holds no run");
    store_close(make_run(f, 3));

    char *path = file_of(f, "run.db"), *log = file_of(f, "run.db-wal"), *remains = file_of(f, "run.db.new");
    scratch_write(path, "", 0);
    scratch_write(log, "stale", 5);
    scratch_write(remains, "half a database", 15);
    assert_false(store_exists(f->run));
    open_bad(f, STORE_RESUME, STATUS_INPUT, "holds no run (run.db is empty)");
    open_bad(f, STORE_READ, STATUS_INPUT, "holds no run (run.db is empty)");
    store_close(make_run(f, 2));
    assert_false(file_exists(f, "run.db.new"));
    assert_true(store_exists(f->run));
    free(path);
    free(log);
    free(remains);
}

static void test_database_of_another_program(void **state) {
    struct fixture *f = *state;
    run_sql(f, "CREATE TABLE t (x)");
    for (enum store_mode mode = STORE_CREATE; mode <= STORE_READ; mode++) {
        open_bad(f, mode, STATUS_INPUT,
                 mode == STORE_READ ? "run.db: is a database of another program|name the folder of a run"
                                    : "run.db: is a database of another program|-o");
    }
    run_sql(f, "SELECT x FROM t; PRAGMA application_id = 7");
    open_bad(f, STORE_RESUME, STATUS_INPUT, "another program");
    run_sql(f, "PRAGMA application_id = 0x4c527363");
    open_bad(f, STORE_RESUME, STATUS_INPUT, "run.db: is a score cache, not a run; choose another folder with -o");
}

/* What a stage rescales comes back, to the last bit; other words, signs and sizes are damage. */
static void test_what_a_stage_rescales(void **state) {
    struct fixture *f = *state;
    struct stage_record stage = make_stage(0, "recover"), back;
    bool found;
    stage.kind = STAGE_RECOVER;
    stage.composed = true;
    stage.pretrained_length = 128;
    stage.base_attention_factor = 4.0 / 3;
    for (int i = 0; i < PAIRS; i++) stage.base_factors[i] = 1.0 + i / 7.0;
    strcpy(stage.base, "extend");
    strcpy(stage.model, "/models/a b");
    struct store *store = open_run(f, STORE_CREATE);
    good(f, store_add_stage(store, &stage, settings, SETTINGS, windows, WINDOWS, &f->error));
    good(f, store_find_stage(store, "recover", &back, &found, &f->error));
    assert_true(found && back.kind == STAGE_RECOVER && back.composed && back.pretrained_length == 128);
    assert_true(back.base_attention_factor == stage.base_attention_factor);
    assert_memory_equal(back.base_factors, stage.base_factors, sizeof back.base_factors);
    assert_string_equal(back.base, "extend");
    assert_string_equal(back.model, "/models/a b");
    good(f, store_check_stage(store, &stage, &f->error));
    stage.base_factors[1] = nextafter(stage.base_factors[1], 2.0);
    assert_int_equal(store_check_stage(store, &stage, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "base_factors");
    store_close(store);
    static const char *const damage[] = {"base_factors = '[1,2]'",        "base_factors = json_array(0)",
                                         "pretrained_length = 0",         "base_attention_factor = -1",
                                         "base_attention_factor = 1e300", "base = CAST(x'ff' AS TEXT)"};
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        char text[200];
        snprintf(text, sizeof text, "UPDATE stage_models SET %s", damage[i]);
        run_sql(f, text);
        store = open_run(f, STORE_READ);
        assert_int_equal(store_find_stage(store, "recover", &back, &found, &f->error), STATUS_FAILED);
        assert_message(f->error.message, "stage 'recover' is not valid");
        store_close(store);
        run_sql(f, "UPDATE stage_models SET base_factors = NULL, pretrained_length = 1, base_attention_factor = 1, "
                   "base = 'extend'");
    }
}

static void test_newer_schema(void **state) {
    struct fixture *f = *state;
    store_close(make_run(f, 1));
    run_sql(f, "PRAGMA user_version = 99");
    for (enum store_mode mode = STORE_CREATE; mode <= STORE_READ; mode++) {
        open_bad(f, mode, STATUS_INPUT,
                 "run.db: was written by a newer longrope (schema 99; this one supports up to 10); use the newer one");
    }
    run_sql(f, "PRAGMA user_version = 0");
    open_bad(f, STORE_READ, STATUS_FAILED, "damaged|schema");
}

static void test_not_a_database(void **state) {
    struct fixture *f = *state;
    store_close(make_run(f, 1));
    char text[5000], *path = file_of(f, "run.db");
    memset(text, 'x', sizeof text);
    scratch_write(path, text, sizeof text);
    for (enum store_mode mode = STORE_CREATE; mode <= STORE_READ; mode++) {
        open_bad(f, mode, STATUS_INPUT,
                 mode == STORE_READ ? "run.db: is not a database|name the folder of a run"
                                    : "run.db: is not a database|-o");
    }
    free(path);
}

static void test_damaged_database(void **state) {
    struct fixture *f = *state;
    store_close(make_run(f, 200));
    char *path = file_of(f, "run.db"), junk[8192];
    struct stat info;
    memset(junk, 0xa5, sizeof junk);
    assert_int_equal(stat(path, &info), 0);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, info.st_size / 8192 * 4096, SEEK_SET), 0);
    assert_int_equal(fwrite(junk, 1, sizeof junk, file), sizeof junk);
    fclose(file);
    open_bad(f, STORE_RESUME, STATUS_FAILED, "run.db: is damaged|start a new run with -o");
    assert_int_equal(truncate(path, info.st_size / 2), 0);
    open_bad(f, STORE_RESUME, STATUS_FAILED, "run.db: is damaged");
    free(path);
}

/* Rows that SQLite is content with and this program cannot be. */
static void test_damaged_rows(void **state) {
    static const struct {
        const char *damage, *words;
    } cases[] = {
        {"genes = '[100]'", "stage 'extend-2k', individual 1: its genes"},
        {"genes = json_set(genes, '$[5]', 501)", "individual 1: its genes"},
        {"genes = json_set(genes, '$[5]', 99)", "individual 1: its genes"},
        {"genes = json_set(genes, '$[5]', 100)", "individual 1: its genes"},
        {"genes = json_set(genes, '$[5]', 185.0)", "individual 1: its genes"},
        {"genes = json_set(genes, '$[5]', 4294967481)", "individual 1: its genes"},
        {"genes = genes || ' 1'", "individual 1: its genes"},
        {"genes = '{}'", "individual 1: its genes"},
        {"genes = ''", "individual 1: its genes"},
        {"n_hat = 5", "individual 1: its n_hat"},
        {"origin = 'magic'", "individual 1: its origin"},
        {"parent_a = 1", "individual 1: its parents"},
        {"parent_b = -1", "individual 1: its parents"},
        {"generation = -1", "individual 1: its id or generation"},
        {"generation = 9223372036854775807", "individual 1: its id or generation"},
        {"attention = 179", "individual 1: its attention factor"},
        {"attention = 241", "individual 1: its attention factor"},
        {"attention = 4294967496", "individual 1: its attention factor"},
        {"stopped = 1", "individual 1: its score"},
        {"nats_per_token = NULL", "individual 1: its score"},
        {"nats_per_token = -0.5", "individual 1: its score"},
        {"work = -1", "individual 1: its work"},
        {"nats_per_token = 9e999", "individual 1: its score"},
        {"computed = -1", "individual 1: its number of computed windows"},
    };
    struct fixture *f = *state;
    store_close(make_run(f, 2));
    struct stage_record stage = make_stage(0, "extend-2k");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct individual_record *individuals;
        size_t count;
        char sql[300];
        snprintf(sql, sizeof sql,
                 "CREATE TABLE kept AS SELECT * FROM individuals WHERE id = 1; UPDATE individuals SET %s WHERE id = 1",
                 cases[i].damage);
        run_sql(f, sql);
        struct store *store = open_run(f, STORE_RESUME);
        int status = store_individuals(store, &stage, &individuals, &count, &f->error);
        assert_message(f->error.message, cases[i].words);
        assert_int_equal(status, STATUS_FAILED);
        assert_null(individuals);
        store_close(store);
        run_sql(f, "PRAGMA foreign_keys = OFF; DELETE FROM individuals WHERE id = 1; "
                   "INSERT INTO individuals SELECT * FROM kept; DROP TABLE kept");
    }
    struct store *store = open_run(f, STORE_RESUME);
    assert_int_equal(check_individuals(f, store), 2);
    store_close(store);
}

static void test_damaged_stages_and_baselines(void **state) {
    struct fixture *f = *state;
    struct baseline_record baseline = make_baseline(ROPE_YARN), *baselines;
    double values[WINDOWS] = {0};
    const struct window_nats nats = {.windows = WINDOWS, .nats = values};
    struct stage_record *stages;
    size_t count;
    struct store *store = make_run(f, 0);
    good(f, store_add_baseline(store, 0, &baseline, &nats, &f->error));
    store_close(store);

    static const char *const of_baselines[] = {
        "factors = '[1, 2]'",
        "factors = json_set(factors, '$[3]', 0)",
        "factors = json_set(factors, '$[3]', -1.5)",
        "factors = json_set(factors, '$[3]', 1e-200)",
        "frequencies = json_set(frequencies, '$[3]', -1.5)",
        "frequencies = json_set(frequencies, '$[3]', 0)",
        "frequencies = json_set(frequencies, '$[3]', 1e-310)",
        "attention_factor = 0",
        "attention_factor = 9e999",
        "own_attention_factor = -1",
        "own_attention_factor = 1e300",
        "nats_per_token = NULL",
        "nats_per_token = -1",
        "computed = -1",
    };
    run_sql(f, "CREATE TABLE kept AS SELECT * FROM baselines");
    for (size_t i = 0; i < sizeof of_baselines / sizeof *of_baselines; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "UPDATE baselines SET %s", of_baselines[i]);
        run_sql(f, sql);
        store = open_run(f, STORE_RESUME);
        f->error.message[0] = '\0';
        assert_int_equal(store_baselines(store, 0, &baselines, &count, &f->error), STATUS_FAILED);
        assert_message(f->error.message, "damaged|stage 'extend-2k', baseline 'yarn'");
        store_close(store);
        run_sql(f, "PRAGMA foreign_keys = OFF; DELETE FROM baselines; INSERT INTO baselines SELECT * FROM kept");
    }

    /* times are no reason to lose a run */
    static const char *const times[] = {"-9e999", "1e300"};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "UPDATE baselines SET seconds = %s", times[i]);
        run_sql(f, sql);
        store = open_run(f, STORE_RESUME);
        good(f, store_baselines(store, 0, &baselines, &count, &f->error));
        assert_true(count == 1 && baselines[0].scored.seconds == 0);
        free(baselines);
        store_close(store);
    }

    /* a table that was made without the constraint */
    run_sql(f, "PRAGMA foreign_keys = OFF; DROP TABLE baselines; CREATE TABLE baselines AS SELECT * FROM kept;"
               "INSERT INTO baselines SELECT * FROM kept");
    store = open_run(f, STORE_RESUME);
    assert_int_equal(store_baselines(store, 0, &baselines, &count, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "damaged|stage 'extend-2k', baseline 'yarn': it has two rows");
    assert_true(!baselines && count == 0);
    store_close(store);

    static const char *const damages[] = {
        "UPDATE stages SET pairs = 257",
        "UPDATE stages SET pairs = 24, attention_low = 241",
        "UPDATE stages SET attention_low = 180, attention_unit = 4294967296",
        "UPDATE stages SET attention_unit = 200; INSERT INTO critical_pairs VALUES (0, 0, 7, 200)",
        "UPDATE critical_pairs SET low = 3, high = 24",
        "UPDATE critical_pairs SET high = 4294967299",
        "UPDATE critical_pairs SET high = 7, smallest = 99",
        "UPDATE critical_pairs SET smallest = 490",
        "DELETE FROM critical_pairs; UPDATE stages SET attention_unit = 0",
        "UPDATE stages SET attention_unit = 200, scale = 0.99",
        "UPDATE stages SET scale = 9e999",
        "UPDATE stages SET scale = 4, rope_theta = 0",
        "UPDATE stages SET rope_theta = 9e999",
        "UPDATE stages SET rope_theta = 10000, attention_factor = -1",
        "UPDATE stages SET attention_factor = 9e999",
        "UPDATE stages SET attention_factor = 1e300",
        "UPDATE stages SET attention_factor = 1.5, name = name || ''' ' || char(27)",
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        run_sql(f, damages[i]);
        store = open_run(f, STORE_RESUME);
        assert_int_equal(store_stages(store, &stages, &count, &f->error), STATUS_FAILED);
        assert_message(f->error.message, "damaged|stage 'extend-2k'");
        store_close(store);
        f->error.message[0] = '\0';
    }
    run_sql(f, "UPDATE stages SET name = 'extend-2k'");
    store = open_run(f, STORE_RESUME);
    good(f, store_stages(store, &stages, &count, &f->error));
    free(stages);
    store_close(store);
}

/* Beside other processes ------------------------------------------------------------------------ */

static int hold_run(void *state, int pipe) {
    struct fixture *f = state;
    struct store *store;
    if (store_open(f->run, STORE_RESUME, &store, &f->error) != STATUS_OK) return 1;
    if (write(pipe, "x", 1) != 1) return 2;
    for (;;) pause();
}

static bool reader_sees_search(struct fixture *f) {
    struct store *reader = open_run(f, STORE_READ);
    bool searched = store_is_searched(reader);
    store_close(reader);
    return searched;
}

static void test_lock_names_its_holder(void **state) {
    struct fixture *f = *state;
    char ready, words[400], host[256] = "";
    int pipe;
    store_close(make_run(f, 1));
    pid_t child = child_start(hold_run, f, &pipe);
    assert_int_equal(read(pipe, &ready, 1), 1);
    gethostname(host, sizeof host - 1);
    snprintf(words, sizeof words, "results/x: in use by process %ld on host %s; wait for it or choose|-o", (long)child,
             host);
    open_bad(f, STORE_RESUME, STATUS_INPUT, words);
    open_bad(f, STORE_CREATE, STATUS_INPUT, words);
    assert_true(reader_sees_search(f));
    kill(child, SIGKILL);
    child_wait(child);
    close(pipe);
    assert_false(reader_sees_search(f));
    store_close(open_run(f, STORE_RESUME)); /* the lock died with its holder */
    /* a copy from another host: its lock names a process that is not here */
    char *lock = file_of(f, "run.lock");
    FILE *file = fopen(lock, "w");
    assert_true(file && fputs("elsewhere 12\n", file) >= 0 && fclose(file) == 0);
    assert_false(reader_sees_search(f));
    assert_int_equal(unlink(lock), 0);
    assert_false(reader_sees_search(f));
    free(lock);
}

/* As a reader that asks whether a process searches, but slowly. */
static int hold_lock_briefly(void *state, int pipe) {
    struct fixture *f = state;
    char *path = file_of(f, "run.lock");
    int lock = open(path, O_RDONLY);
    if (lock < 0 || flock(lock, LOCK_SH) != 0) return 1;
    child_say(pipe, "held");
    usleep(30000);
    return 0;
}

static void test_reader_does_not_keep_a_search_out(void **state) {
    struct fixture *f = *state;
    char ready;
    int pipe;
    store_close(make_run(f, 1));
    pid_t child = child_start(hold_lock_briefly, f, &pipe);
    assert_int_equal(read(pipe, &ready, 1), 1);
    struct store *store = open_run(f, STORE_RESUME);
    assert_true(store_is_searched(store));
    store_close(store);
    child_wait(child);
    close(pipe);
}

/* Reads, so that the journal cannot be changed. */
static int hold_database(void *state, int pipe) {
    struct fixture *f = state;
    char *path = file_of(f, "run.db");
    sqlite3 *db;
    if (sqlite3_open(path, &db) != SQLITE_OK) return 1;
    if (sqlite3_exec(db, "BEGIN; SELECT name FROM run", NULL, NULL, NULL) != SQLITE_OK) return 2;
    child_say(pipe, "held");
    for (;;) pause();
}

static void test_wait_for_another_program_ends(void **state) {
    struct fixture *f = *state;
    char letter;
    int pipe;
    store_close(make_run(f, 1));
    run_sql(f, "PRAGMA journal_mode = DELETE");
    pid_t child = child_start(hold_database, f, &pipe);
    assert_int_equal(read(pipe, &letter, 1), 1);
    double began = clock_seconds();
    open_bad(f, STORE_RESUME, STATUS_FAILED,
             "run.db: is locked by another process; wait until it ends, then try again");
    double waited = clock_seconds() - began;
    if (waited < 9 || waited > 20) fail_msg("it waited for %g s", waited);
    kill(child, SIGKILL);
    child_wait(child);
    close(pipe);
    store_close(open_run(f, STORE_RESUME));
}

static int add_for_ever(void *state, int pipe) {
    struct fixture *f = state;
    struct store *store;
    if (store_open(f->run, STORE_RESUME, &store, &f->error) != STATUS_OK) return 1;
    for (int64_t id = 0;; id++) {
        if (add_individual(store, id, &f->error) != STATUS_OK) return 2;
        if (write(pipe, "x", 1) != 1) return 3;
    }
}

/* Whatever was reported as added is there after kill -9, at whatever moment that comes. */
static void test_kill_loses_nothing_reported(void **state) {
    struct fixture *f = *state;
    store_close(make_run(f, 0));
    for (int round = 0; round < 4; round++) {
        int pipe;
        char said[100000];
        run_sql(f, "DELETE FROM sample_nats; DELETE FROM individuals");
        pid_t child = child_start(add_for_ever, f, &pipe);
        for (int i = 0; i < 5 + round; i++) assert_int_equal(read(pipe, said, 1), 1);
        usleep((useconds_t)(1000 + 777 * round));
        kill(child, SIGKILL);
        child_wait(child);
        child_read_all(pipe, said, sizeof said);
        close(pipe);
        size_t reported = (size_t)(5 + round) + strlen(said);
        assert_true(file_exists(f, "run.db-wal"));
        struct store *store = open_run(f, round % 2 ? STORE_RESUME : STORE_READ);
        size_t count = check_individuals(f, store);
        if (count != reported && count != reported + 1) fail_msg("%zu reported, %zu there", reported, count);
        store_close(store);
    }
}

static void test_read_beside_a_writer(void **state) {
    struct fixture *f = *state;
    struct store *writer = make_run(f, 3);
    struct store *reader = open_run(f, STORE_READ);
    assert_int_equal(check_individuals(f, reader), 3);
    good(f, add_individual(writer, 3, &f->error));
    assert_int_equal(check_individuals(f, reader), 4);
    assert_int_equal(add_individual(reader, 4, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "results/x: cannot be written");
    good(f, add_individual(writer, 4, &f->error));
    assert_int_equal(check_individuals(f, reader), 5);
    store_close(writer);
    assert_int_equal(check_individuals(f, reader), 5);
    store_close(reader);
}

static void test_ranks_are_added_up(void **state) {
    struct fixture *f = *state;
    struct store *store = make_run(f, 1);
    const struct rank_record first[] = {{0, "a", 3, 1.5, 2.0}, {1, "b", 4, 1.0, 2.0}},
                             second[] = {{1, "c", 2, 0.5, 8.0}};
    struct stage_record stage;
    struct rank_record *ranks;
    size_t count;
    bool found;
    good(f, store_find_stage(store, "extend-2k", &stage, &found, &f->error));
    good(f, store_add_ranks(store, stage.id, first, 2, &f->error));
    good(f, store_add_ranks(store, stage.id, second, 1, &f->error));
    good(f, store_ranks(store, &stage, &ranks, &count, &f->error));
    assert_int_equal(count, 2);
    assert_int_equal(ranks[0].units, 3);
    assert_string_equal(ranks[1].host, "c");
    assert_int_equal(ranks[1].units, 6);
    assert_true(ranks[1].seconds == 1.5 && ranks[1].present == 10.0);
    free(ranks);
    static const char *const damages[] = {"units = -1", "units = 1, seconds = 1e300",
                                          "seconds = 1, host = CAST(x'ff' AS TEXT)"};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "UPDATE ranks SET %s", damages[i]);
        run_sql(f, sql);
        assert_int_equal(store_ranks(store, &stage, &ranks, &count, &f->error), STATUS_FAILED);
        assert_message(f->error.message, "damaged|ranks");
    }
    store_close(store);
}

static void test_held_out_text_comes_back(void **state) {
    struct fixture *f = *state;
    struct store *store = make_run(f, 2);
    struct held_out_window held[2] = {{.document = "a.txt", .start = 300, .tokens = 10, .predictions = 9},
                                      {.document = "b.txt", .start = 0, .tokens = 10, .predictions = 9}};
    for (size_t w = 0; w < 2; w++) {
        for (int t = 0; t < HELD_OUT_TABLES; t++) held[w].nats[t] = NAN;
        held[w].nats[HELD_OUT_SEARCHED] = 1.0 / 3.0 + (double)w;
        held[w].nats[ROPE_NONE] = w ? NAN : INFINITY; /* scoring ends behind a window that fails */
        held[w].nats[ROPE_YARN] = 2.0;
    }
    struct held_out held_out = {.individual = 1, .count = 2, .windows = held}, read;
    struct stage_record stage;
    bool found;
    good(f, store_find_stage(store, "extend-2k", &stage, &found, &f->error));
    good(f, store_held_out(store, &stage, &read, &f->error));
    assert_true(!read.known && read.count == 0);
    for (int again = 0; again < 2; again++) { /* replaced, not added */
        good(f, store_put_held_out(store, stage.id, &held_out, &f->error));
        good(f, store_held_out(store, &stage, &read, &f->error));
        assert_true(read.known && read.individual == 1 && read.count == 2);
        assert_string_equal(read.windows[1].document, "b.txt");
        assert_true(read.windows[0].start == 300 && read.windows[0].tokens == 10 && read.windows[0].predictions == 9);
        assert_true(held_out_mean(&read, HELD_OUT_SEARCHED) == (1.0 / 3.0 + (1.0 / 3.0 + 1.0)) / 18.0);
        assert_true(held_out_mean(&read, ROPE_YARN) == 4.0 / 18.0);
        assert_true(isnan(held_out_mean(&read, ROPE_PI)) && !isfinite(held_out_mean(&read, ROPE_NONE)));
        free(read.windows);
    }
    static const char *const damages[] = {"held_out SET individual = -1", "held_out_samples SET tokens = 9",
                                          "held_out_samples SET start = -1, tokens = 10",
                                          "held_out_nats SET method = 'magic' WHERE method = 'yarn' AND sample = 0",
                                          "held_out_nats SET nats = -1"};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        char sql[200];
        good(f, store_put_held_out(store, stage.id, &held_out, &f->error));
        snprintf(sql, sizeof sql, "PRAGMA foreign_keys = OFF; UPDATE %s", damages[i]);
        run_sql(f, sql);
        assert_int_equal(store_held_out(store, &stage, &read, &f->error), STATUS_FAILED);
        assert_message(f->error.message, "damaged|held out");
        free(read.windows);
    }
    const struct held_out nothing = {.count = 0};
    good(f, store_put_held_out(store, stage.id, &nothing, &f->error));
    good(f, store_held_out(store, &stage, &read, &f->error));
    assert_true(read.known && read.count == 0 && !read.windows);
    store_close(store);
}

static void test_machines_are_kept_once(void **state) {
    struct fixture *f = *state;
    struct store *store = make_run(f, 1);
    const struct machine_record first = {"a", "Model 1", 2}, second = {"a", "", 4};
    struct machine_record *machines;
    struct stage_record stage;
    size_t count;
    bool found;
    good(f, store_find_stage(store, "extend-2k", &stage, &found, &f->error));
    good(f, store_add_machine(store, stage.id, &first, &f->error));
    good(f, store_add_machine(store, stage.id, &second, &f->error));
    good(f, store_add_machine(store, stage.id, &first, &f->error));
    good(f, store_machines(store, &stage, &machines, &count, &f->error));
    assert_int_equal(count, 2);
    assert_string_equal(machines[0].processor, "Model 1");
    assert_int_equal(machines[1].threads, 4);
    free(machines);
    run_sql(f, "UPDATE machines SET threads = 0");
    assert_int_equal(store_machines(store, &stage, &machines, &count, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "damaged|machines");
    store_close(store);
}

/* Where the file system lets one process use run.db, the search has it alone, and readers have a copy that it makes. */
static void test_read_beside_a_search_that_has_it_alone(void **state) {
    struct fixture *f = *state;
    store_close(make_run(f, 3));
    struct store *search = open_run(f, STORE_RESUME);
    char *copy = NULL;
    assert_true(asprintf(&copy, "%s/" STORE_SNAPSHOT_FILE, f->run) > 0);
    store_keep_readable(search); /* the file system has all */
    assert_int_equal(access(copy, F_OK), -1);
    search->has_snapshot = true;
    search->snapshot_changes = -1;
    store_keep_readable(search);
    assert_int_equal(access(copy, F_OK), 0);
    good(f, add_individual(search, 3, &f->error));
    struct store *reader = open_run(f, STORE_READ);
    store_keep_readable(search); /* a moment ago: not yet */
    assert_int_equal(check_individuals(f, reader), 3);
    store_close(reader);
    search->snapshot_at -= STORE_SNAPSHOT_SECONDS;
    reader = open_run(f, STORE_READ); /* keeps what it has opened */
    store_keep_readable(search);
    assert_int_equal(check_individuals(f, reader), 3);
    store_close(reader);
    reader = open_run(f, STORE_READ);
    assert_int_equal(check_individuals(f, reader), 4);
    store_close(reader);
    store_close(search); /* run.db has all of it */
    assert_int_equal(access(copy, F_OK), -1);
    reader = open_run(f, STORE_READ);
    assert_int_equal(check_individuals(f, reader), 4);
    store_close(reader);
    free(copy);
}

/* Without permission, and without room ---------------------------------------------------------- */

/* Opens the run in every mode and says what came of it, one line each. */
static int open_without_permission(void *state, int pipe) {
    struct fixture *f = state;
    child_drop_root();
    for (enum store_mode mode = STORE_CREATE; mode <= STORE_READ; mode++) {
        struct store *store = NULL;
        char line[1100], name[STORE_NAME_SIZE];
        int status = store_open(f->run, mode, &store, &f->error);
        if (status == STATUS_OK && store_name(store, name, sizeof name, &f->error) != STATUS_OK) status = -1;
        snprintf(line, sizeof line, "%d %s", status, status == STATUS_OK ? name : f->error.message);
        child_say(pipe, line);
        store_close(store);
    }
    return 0;
}

/* Splits what open_without_permission() says. */
static void open_as_stranger(struct fixture *f, char lines[3][1200]) {
    int pipe;
    char said[4000], *rest = said;
    pid_t child = child_start(open_without_permission, f, &pipe);
    child_read_all(pipe, said, sizeof said);
    close(pipe);
    assert_int_equal(child_wait(child), 0);
    for (int i = 0; i < 3; i++) {
        const char *line = strsep(&rest, "\n");
        assert_non_null(line);
        snprintf(lines[i], 1200, "%s", line);
    }
}

static void set_mode(const char *path, mode_t mode) { assert_int_equal(chmod(path, mode), 0); }

static void test_read_only_folder(void **state) {
    struct fixture *f = *state;
    char lines[3][1200], *results = scratch_path(&f->scratch, "results"), *log = file_of(f, "run.db-wal");
    store_close(make_run(f, 2));
    set_mode(f->scratch.dir, 0755);
    set_mode(results, 0755);
    set_mode(f->run, 0555);
    open_as_stranger(f, lines);
    assert_message(lines[STORE_CREATE], "1 |results/x: cannot be written|Permission denied|-o");
    assert_message(lines[STORE_RESUME], "1 |results/x: cannot be written|Permission denied|-o");
    assert_string_equal(lines[STORE_READ], "0 demo");
    assert_false(file_exists(f, "run.db-shm"));

    /* a log that a killed process has left, whose shared memory is gone */
    set_mode(f->run, 0755);
    scratch_write(log, "not read", 8);
    set_mode(f->run, 0555);
    open_as_stranger(f, lines);
    assert_message(lines[STORE_READ], "1 |results/x: has a log|write permission");
    set_mode(f->run, 0755);
    free(results);
    free(log);
}

static void test_read_only_folder_beside_a_writer(void **state) {
    if (geteuid() != 0) skip(); /* it takes two users */
    struct fixture *f = *state;
    char lines[3][1200], *results = scratch_path(&f->scratch, "results");
    struct store *writer = make_run(f, 2);
    set_mode(f->scratch.dir, 0755);
    set_mode(results, 0755);
    set_mode(f->run, 0755);
    open_as_stranger(f, lines);
    assert_string_equal(lines[STORE_READ], "0 demo");
    store_close(writer);
    free(results);
}

static int create_where_it_may_not(void *state, int pipe) {
    struct fixture *f = state;
    struct store *store;
    child_drop_root();
    int status = store_open(f->run, STORE_CREATE, &store, &f->error);
    child_say(pipe, f->error.message);
    return status;
}

static void test_parent_that_is_read_only(void **state) {
    struct fixture *f = *state;
    char said[1200];
    set_mode(f->scratch.dir, 0555);
    assert_int_equal(child_run(create_where_it_may_not, f, said, sizeof said), STATUS_FAILED);
    assert_message(said, "results/x: cannot be written|Permission denied");
    set_mode(f->scratch.dir, 0700);
}

/* Files cannot grow beyond a few hundred kilobytes: adds until that fails, then says how many there were. */
static int add_until_full(void *state, int pipe) {
    struct fixture *f = state;
    struct store *store;
    if (store_open(f->run, STORE_RESUME, &store, &f->error) != STATUS_OK) return 100;
    child_limit_files(300000);
    int64_t id = 0;
    int status = STATUS_OK;
    while (status == STATUS_OK && id < 5000) {
        status = add_individual(store, id, &f->error);
        if (status == STATUS_OK) id++;
    }
    char line[1100];
    snprintf(line, sizeof line, "%" PRId64 " %s", id, f->error.message);
    child_say(pipe, line);
    store_close(store);
    return status;
}

static void test_full_disk_keeps_what_was_saved(void **state) {
    struct fixture *f = *state;
    char said[1200];
    store_close(make_run(f, 0));
    assert_int_equal(child_run(add_until_full, f, said, sizeof said), STATUS_FAILED);
    assert_message(said, "run.db: exceeds the limit on the size of files|ulimit -f), then continue with --resume|saved "
                         "results are intact");

    int64_t reported = strtoll(said, NULL, 10);
    assert_true(reported > 10);
    struct store *store = open_run(f, STORE_RESUME);
    assert_int_equal(check_individuals(f, store), reported);
    good(f, add_individual(store, reported, &f->error));
    assert_int_equal(check_individuals(f, store), reported + 1);
    store_close(store);
}

static int create_on_full_disk(void *state, int pipe) {
    struct fixture *f = state;
    struct store *store;
    child_limit_files(5000);
    int status = store_open(f->run, STORE_CREATE, &store, &f->error);
    child_say(pipe, f->error.message);
    return status;
}

static void test_full_disk_leaves_no_half_run(void **state) {
    struct fixture *f = *state;
    char said[1200];
    assert_int_equal(child_run(create_on_full_disk, f, said, sizeof said), STATUS_FAILED);
    assert_message(said, "exceeds the limit on the size of files|ulimit -f), then try again");
    assert_false(store_exists(f->run));
    assert_false(file_exists(f, "run.db.new"));
    store_close(make_run(f, 1));
}

/* Killed while it creates: afterwards there is no run, or an empty one, and either can be gone on with. */
static int create_for_ever(void *state, int pipe) {
    struct fixture *f = state;
    (void)pipe;
    for (;;) {
        struct store *store;
        if (store_open(f->run, STORE_CREATE, &store, &f->error) != STATUS_OK) return 1;
        store_close(store);
        char *path = file_of(f, "run.db");
        unlink(path);
        free(path);
    }
}

static void test_kill_while_creating(void **state) {
    struct fixture *f = *state;
    for (int round = 0; round < 8; round++) {
        int pipe;
        pid_t child = child_start(create_for_ever, f, &pipe);
        usleep((useconds_t)(3000 + 3571 * round));
        kill(child, SIGKILL);
        assert_true(WIFSIGNALED(child_wait(child)));
        close(pipe);
        struct store *store = open_run(f, store_exists(f->run) ? STORE_RESUME : STORE_CREATE);
        struct stage_record *stages;
        size_t count;
        good(f, store_stages(store, &stages, &count, &f->error));
        assert_int_equal(count, 0);
        free(stages);
        store_close(store);
        char *path = file_of(f, "run.db");
        unlink(path);
        free(path);
    }
}

/* The configuration and settings of a run ------------------------------------------------------------ */

static void test_configuration(void **state) {
    struct fixture *f = *state;
    struct configuration_record record;
    bool found = true;
    struct store *store = open_run(f, STORE_CREATE);
    good(f, store_configuration(store, &record, &found, &f->error));
    assert_false(found);
    configuration_record_free(&record);
    const struct configuration_record first = {"longrope 1", "/a.yaml", "name: a\n", "[]"};
    const struct configuration_record second = {"longrope 2", "/b.yaml", "name: 'b'\n", "[\"search.seed=2\"]"};
    good(f, store_put_configuration(store, &first, &f->error));
    good(f, store_put_configuration(store, &second, &f->error)); /* takes its place */
    good(f, store_configuration(store, &record, &found, &f->error));
    assert_true(found);
    assert_string_equal(record.program, "longrope 2");
    assert_string_equal(record.path, "/b.yaml");
    assert_string_equal(record.content, "name: 'b'\n");
    assert_string_equal(record.overrides, "[\"search.seed=2\"]");
    configuration_record_free(&record);
    store_close(store);
}

static void test_settings_are_read(void **state) {
    struct fixture *f = *state;
    struct store *store = open_run(f, STORE_CREATE);
    struct setting_record *read;
    size_t count;
    add_stage(f, store, 0, "extend-2k");
    const struct stage_record stage = make_stage(0, "extend-2k"), other = make_stage(1, "none");
    good(f, store_settings(store, &stage, &read, &count, &f->error));
    assert_int_equal(count, SETTINGS);
    assert_string_equal(read[0].key, "data.samples"); /* by key */
    assert_string_equal(read[0].value, "3");
    assert_string_equal(read[SETTINGS - 1].key, "target_length");
    free(read);
    good(f, store_settings(store, &other, &read, &count, &f->error));
    assert_int_equal(count, 0);
    store_close(store);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_configuration),
        TEST(test_settings_are_read),
        TEST(test_name),
        TEST(test_stages),
        TEST(test_critical_pairs),
        TEST(test_stage_is_added_whole_or_not),
        TEST(test_settings),
        TEST(test_budget_is_replaced_whole_or_not),
        TEST(test_stage_that_is_gone_on_with),
        TEST(test_windows),
        TEST(test_baselines),
        TEST(test_individuals),
        TEST(test_nats_of_windows),
        TEST(test_nats_that_are_damaged),
        TEST(test_individuals_that_failed),
        TEST(test_windows_are_added),
        TEST(test_individuals_that_are_refused),
        TEST(test_equal_runs_are_equal_databases),
        TEST(test_genes_are_json_and_times_are_utc),
        TEST(test_create_and_resume),
        TEST(test_folder_without_a_run),
        TEST(test_run_db_that_is_a_folder),
        TEST(test_database_without_a_schema),
        TEST(test_database_of_another_program),
        TEST(test_newer_schema),
        TEST(test_what_a_stage_rescales),
        TEST(test_not_a_database),
        TEST(test_damaged_database),
        TEST(test_damaged_rows),
        TEST(test_damaged_stages_and_baselines),
        TEST(test_lock_names_its_holder),
        TEST(test_reader_does_not_keep_a_search_out),
        TEST(test_wait_for_another_program_ends),
        TEST(test_kill_loses_nothing_reported),
        TEST(test_read_beside_a_writer),
        TEST(test_read_beside_a_search_that_has_it_alone),
        TEST(test_ranks_are_added_up),
        TEST(test_held_out_text_comes_back),
        TEST(test_machines_are_kept_once),
        TEST(test_read_only_folder),
        TEST(test_read_only_folder_beside_a_writer),
        TEST(test_parent_that_is_read_only),
        TEST(test_full_disk_keeps_what_was_saved),
        TEST(test_full_disk_leaves_no_half_run),
        TEST(test_kill_while_creating),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
