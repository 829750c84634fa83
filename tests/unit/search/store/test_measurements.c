/* Measurements in a run: what comes back of them, also beside a search that holds the run, and what is refused. */
#include "search/store/store_measurements.h"

#include "search/base/clock.h"
#include "tests/unit/child.h"
#include "tests/unit/scratch_run.h"

#include <math.h>
#include <sqlite3.h>
#include <sys/stat.h>

enum { PAIRS = 3 };

/* A run and records ---------------------------------------------------------------------------- */

/* A new run with one stage, held as a search holds it. */
static struct store *make_run(struct fixture *f) {
    static struct setting setting = {"search.seed", "1"};
    static const struct window_record window = {.document = "a.txt", .tokens = 2048};
    struct stage_record stage = {.name = "extend-2k",
                                 .target_length = 2048,
                                 .original_length = 512,
                                 .scale = 4,
                                 .rope_theta = 10000,
                                 .attention_factor = 1,
                                 .iterations = 40,
                                 .planned = 64,
                                 .space = {.pairs = PAIRS, .unit = 100, .largest = 500, .start_count = 1},
                                 .pretrained_length = 512,
                                 .base_attention_factor = 1.0};
    struct store *store = open_run(f, STORE_CREATE);
    good(f, store_set_name(store, "demo", &f->error));
    good(f, store_add_stage(store, &stage, &setting, 1, &window, 1, &f->error));
    return store;
}

static int add_individual(struct store *store, int64_t id, struct error *error) {
    const struct stage_record stage = {.name = "extend-2k",
                                       .space = {.pairs = PAIRS, .unit = 100, .largest = 500, .start_count = 1}};
    const struct scored scored = {1, 1, 0.5, 0};
    double value = 2.5;
    const struct window_nats nats = {.windows = 1, .nats = &value};
    struct individual one = {
        .id = id, .parents = {EVOLVE_NO_PARENT, EVOLVE_NO_PARENT}, .scored = true, .score = 1.0 + (double)id};
    for (int i = 0; i < PAIRS; i++) one.genome.genes[i] = 100 + i;
    return store_add_individual(store, &stage, &one, &scored, &nats, error);
}

static struct measurement make_measured(const char *label, int64_t length) {
    struct measurement m = {.length = length,
                            .model = "models/a model",
                            .scale = (double)length / 3,
                            .start_tokens = 4,
                            .attention_factor = 1.0 / 3,
                            .pairs = PAIRS,
                            .factors = {1.0, 2.5, 1e100},
                            .dtype = "bf16",
                            .kernels = "avx512bf16",
                            .angles = "f64",
                            .seconds = 0.1};
    snprintf(m.label, sizeof m.label, "%s", label);
    return m;
}

static struct length_record make_length(const char *label, int64_t length) {
    return (struct length_record){.measurement = make_measured(label, length),
                                  .windows = 5,
                                  .tokens = 5 * (length - 1),
                                  .stride = length % 2 ? 0 : 64,
                                  .nats_per_token = 1.0 / (double)length};
}

static struct passkey_record make_passkeys(const char *label, int64_t length, double depth) {
    return (struct passkey_record){.measurement = make_measured(label, length),
                                   .depth = depth,
                                   .digits = 5,
                                   .trials = 10,
                                   .correct = (int64_t)(10.0 * depth),
                                   .seed = INT64_MAX,
                                   .wording = "demo"};
}

static struct choice_record make_choice(const char *label, int64_t length, const char *task) {
    struct choice_record r = {.measurement = make_measured(label, length),
                              .items = 7,
                              .chance = 1.0 / 3,
                              .correct = 3,
                              .correct_norm = 0,
                              .correct_bytes = 7};
    snprintf(r.task, sizeof r.task, "%s", task);
    return r;
}

static bool same_bits(double a, double b) { return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0; }

static void assert_measured(const struct measurement *got, const struct measurement *expected) {
    assert_string_equal(got->label, expected->label);
    assert_string_equal(got->model, expected->model);
    assert_int_equal(got->length, expected->length);
    assert_true(same_bits(got->scale, expected->scale));
    assert_int_equal(got->start_tokens, expected->start_tokens);
    assert_true(same_bits(got->attention_factor, expected->attention_factor));
    assert_int_equal(got->pairs, expected->pairs);
    assert_memory_equal(got->factors, expected->factors, (size_t)expected->pairs * sizeof *got->factors);
    assert_string_equal(got->dtype, expected->dtype);
    assert_string_equal(got->kernels, expected->kernels);
    assert_string_equal(got->angles, expected->angles);
    assert_true(same_bits(got->seconds, expected->seconds));
}

static void assert_length(const struct length_record *got, const struct length_record *expected) {
    assert_measured(&got->measurement, &expected->measurement);
    assert_int_equal(got->windows, expected->windows);
    assert_int_equal(got->tokens, expected->tokens);
    assert_int_equal(got->stride, expected->stride);
    assert_true(same_bits(got->nats_per_token, expected->nats_per_token));
}

static void assert_passkeys(const struct passkey_record *got, const struct passkey_record *expected) {
    assert_measured(&got->measurement, &expected->measurement);
    assert_true(same_bits(got->depth, expected->depth));
    assert_int_equal(got->digits, expected->digits);
    assert_int_equal(got->trials, expected->trials);
    assert_int_equal(got->correct, expected->correct);
    assert_int_equal(got->seed, expected->seed);
    assert_string_equal(got->wording, expected->wording);
}

static void check_lengths(struct fixture *f, struct store *store, const struct length_record *expected, size_t count) {
    struct length_record *got;
    size_t found;
    good(f, store_lengths(store, &got, &found, &f->error));
    assert_int_equal(found, count);
    for (size_t i = 0; i < count; i++) assert_length(&got[i], &expected[i]);
    free(got);
}

static void check_passkeys(struct fixture *f, struct store *store, const struct passkey_record *expected,
                           size_t count) {
    struct passkey_record *got;
    size_t found;
    good(f, store_passkeys(store, &got, &found, &f->error));
    assert_int_equal(found, count);
    for (size_t i = 0; i < count; i++) assert_passkeys(&got[i], &expected[i]);
    free(got);
}

static void check_choices(struct fixture *f, struct store *store, const struct choice_record *expected, size_t count) {
    struct choice_record *got;
    size_t found;
    good(f, store_choices(store, &got, &found, &f->error));
    assert_int_equal(found, count);
    for (size_t i = 0; i < count; i++) {
        assert_measured(&got[i].measurement, &expected[i].measurement);
        assert_string_equal(got[i].task, expected[i].task);
        assert_int_equal(got[i].items, expected[i].items);
        assert_true(same_bits(got[i].chance, expected[i].chance));
        assert_int_equal(got[i].correct, expected[i].correct);
        assert_int_equal(got[i].correct_norm, expected[i].correct_norm);
        assert_int_equal(got[i].correct_bytes, expected[i].correct_bytes);
    }
    free(got);
}

/* Runs statements on run.db behind the store's back. */
static void run_sql(struct fixture *f, const char *text) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* What comes back ------------------------------------------------------------------------------ */

/* Labels in the order of their first row, ascending lengths; the same label and length again is the same row. */
static void test_lengths(void **state) {
    struct fixture *f = *state;
    store_close(make_run(f));
    struct store *store = open_run(f, STORE_RECORD);
    check_lengths(f, store, NULL, 0);
    struct length_record yarn_512 = make_length("yarn", 512), yarn_255 = make_length("yarn", 255),
                         none_1 = make_length("none", 1), none_512 = make_length("none", 512);
    none_1.nats_per_token = NAN; /* one token predicts nothing */
    none_1.tokens = 0;
    good(f, store_put_length(store, &yarn_512, &f->error));
    good(f, store_put_length(store, &none_512, &f->error));
    good(f, store_put_length(store, &none_1, &f->error));
    good(f, store_put_length(store, &yarn_255, &f->error));
    check_lengths(f, store, (const struct length_record[]){yarn_255, yarn_512, none_1, none_512}, 4);

    yarn_512 = make_length("yarn", 512);
    yarn_512.measurement.pairs = 1;
    yarn_512.measurement.seconds = 7;
    strcpy(yarn_512.measurement.model, "");
    strcpy(yarn_512.measurement.kernels, "amx");
    yarn_512.nats_per_token = 0.0;
    yarn_512.stride = 0;
    good(f, store_put_length(store, &yarn_512, &f->error));
    store_close(store);
    store = open_run(f, STORE_READ);
    check_lengths(f, store, (const struct length_record[]){yarn_255, yarn_512, none_1, none_512}, 4);
    store_close(store);
}

static void test_passkeys(void **state) {
    struct fixture *f = *state;
    store_close(make_run(f));
    struct store *store = open_run(f, STORE_RECORD);
    check_passkeys(f, store, NULL, 0);
    struct passkey_record records[] = {make_passkeys("yarn", 512, 1.0 / 3), make_passkeys("yarn", 512, 1),
                                       make_passkeys("yarn", 1024, 0), make_passkeys("none", 512, 1)};
    good(f, store_put_passkeys(store, &records[1], 2, &f->error));
    good(f, store_put_passkeys(store, records, 4, &f->error));
    check_passkeys(f, store, records, 4);
    records[2].correct = 3;
    records[2].trials = 4;
    good(f, store_put_passkeys(store, &records[2], 1, &f->error));
    good(f, store_put_passkeys(store, NULL, 0, &f->error));
    check_passkeys(f, store, records, 4);

    records[0].correct = 9; /* all or none of a call */
    records[3].correct = 11;
    assert_int_equal(store_put_passkeys(store, records, 4, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "'none' at 512 tokens cannot be recorded: its correct is not valid");
    records[0].correct = 3;
    records[3].correct = 10;
    check_passkeys(f, store, records, 4);
    store_close(store);
}

/* Labels, then lengths, then tasks, labels and tasks in the order of their first row. */
static void test_choices(void **state) {
    struct fixture *f = *state;
    store_close(make_run(f));
    struct store *store = open_run(f, STORE_RECORD);
    check_choices(f, store, NULL, 0);
    struct choice_record records[] = {make_choice("yarn", 256, "b"), make_choice("yarn", 256, "a"),
                                      make_choice("yarn", 512, "b"), make_choice("none", 256, "a")};
    static const int order[] = {2, 3, 0, 1};
    for (int i = 0; i < 4; i++) good(f, store_put_choice(store, &records[order[i]], &f->error));
    check_choices(f, store, records, 4);
    records[1].items = 2;
    records[1].correct = 2;
    records[1].correct_bytes = 0;
    good(f, store_put_choice(store, &records[1], &f->error)); /* the same row */
    store_close(store);
    store = open_run(f, STORE_READ);
    check_choices(f, store, records, 4);
    store_close(store);
}

static void test_choices_that_cannot_be(void **state) {
    struct fixture *f = *state;
    store_close(make_run(f));
    struct store *store = open_run(f, STORE_RECORD);
#define REFUSED_CHOICE(change, field)                                                                                  \
    do {                                                                                                               \
        struct choice_record r = make_choice("yarn", 512, "a");                                                        \
        change;                                                                                                        \
        assert_int_equal(store_put_choice(store, &r, &f->error), STATUS_FAILED);                                       \
        assert_message(f->error.message, "cannot be recorded: its " field " is not valid");                            \
    } while (0)
    REFUSED_CHOICE(r.measurement.length = 0, "length");
    REFUSED_CHOICE(r.task[0] = '\n', "task");
    REFUSED_CHOICE(r.items = 0, "items");
    REFUSED_CHOICE(r.chance = 0.0, "chance");
    REFUSED_CHOICE(r.chance = NAN, "chance");
    REFUSED_CHOICE(r.correct = 8, "correct");
    REFUSED_CHOICE(r.correct_norm = -1, "correct_norm");
    REFUSED_CHOICE(r.correct_bytes = 8, "correct_bytes");
    check_choices(f, store, NULL, 0);
    const struct choice_record record = make_choice("yarn", 512, "a");
    good(f, store_put_choice(store, &record, &f->error));
    run_sql(f, "UPDATE choices SET task = 'a' || char(10)");
    struct choice_record *choices;
    size_t count;
    assert_int_equal(store_choices(store, &choices, &count, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "choices, 'yarn' at 512 tokens: its task is not valid");
    store_close(store);
}

/* Nothing of a search changes by what is recorded beside it, and it goes on writing. */
static void test_beside_a_search(void **state) {
    enum { ROUNDS = 50 };
    struct fixture *f = *state;
    struct store *search = make_run(f), *log = open_run(f, STORE_RECORD);
    struct length_record records[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        good(f, add_individual(search, i, &f->error));
        records[i] = make_length("yarn", 100 + i);
        good(f, store_put_length(log, &records[i], &f->error));
    }
    open_bad(f, STORE_RESUME, STATUS_INPUT, "in use by process"); /* it still holds the run */
    store_close(search);
    check_lengths(f, log, records, ROUNDS);
    store_close(log);
    struct store *store = open_run(f, STORE_RESUME);
    struct stage_record *stages;
    struct individual_record *individuals;
    size_t count;
    good(f, store_stages(store, &stages, &count, &f->error));
    good(f, store_individuals(store, stages, &individuals, &count, &f->error));
    assert_int_equal(count, ROUNDS);
    for (int i = 0; i < ROUNDS; i++) assert_true(individuals[i].individual.score == 1.0 + i);
    store_close(store);
    free(stages);
    free(individuals);
}

/* Two processes that record and one that searches, as fast as they can: each waits for the others. */
static int record_many(void *state, int pipe) {
    struct fixture *f = state;
    struct store *store;
    int status = store_open(f->run, STORE_RECORD, &store, &f->error);
    char label[32];
    snprintf(label, sizeof label, "process %ld", (long)getpid());
    for (int i = 1; i <= 100 && status == STATUS_OK; i++) {
        const struct length_record record = make_length(label, i);
        status = store_put_length(store, &record, &f->error);
    }
    child_say(pipe, status == STATUS_OK ? "recorded" : f->error.message);
    return status;
}

static void test_many_at_once(void **state) {
    struct fixture *f = *state;
    int pipes[2];
    pid_t children[2];
    store_close(make_run(f));
    for (int c = 0; c < 2; c++) children[c] = child_start(record_many, f, &pipes[c]);
    struct store *search = open_run(f, STORE_RESUME);
    for (int i = 0; i < 100; i++) good(f, add_individual(search, i, &f->error));
    for (int c = 0; c < 2; c++) {
        char said[1200];
        child_read_all(pipes[c], said, sizeof said);
        close(pipes[c]);
        assert_int_equal(child_wait(children[c]), 0);
        assert_string_equal(said, "recorded\n");
    }
    struct length_record *lengths;
    size_t count;
    good(f, store_lengths(search, &lengths, &count, &f->error));
    assert_int_equal(count, 200);
    free(lengths);
    store_close(search);
}

/* What is refused ------------------------------------------------------------------------------ */

static void test_where_nothing_is_recorded(void **state) {
    struct fixture *f = *state;
    open_bad(f, STORE_RECORD, STATUS_INPUT, "results/x: does not exist; check the path");
    store_close(open_run(f, STORE_CREATE));
    open_bad(f, STORE_RECORD, STATUS_INPUT,
             "results/x: its search has not started a stage yet; record measurements when it has");
    store_close(make_run(f));
    run_sql(f, "PRAGMA application_id = 7");
    open_bad(f, STORE_RECORD, STATUS_INPUT, "a database of another program, not a run; name the folder of a run");
    run_sql(f, "PRAGMA application_id = 0x4c526f70; PRAGMA user_version = 99");
    open_bad(f, STORE_RECORD, STATUS_INPUT, "was written by a newer longrope (schema 99");
}

static int record_as_stranger(void *state, int pipe) {
    struct fixture *f = state;
    struct store *store;
    child_drop_root();
    int status = store_open(f->run, STORE_RECORD, &store, &f->error);
    child_say(pipe, status == STATUS_OK ? "opened" : f->error.message);
    return status;
}

static void test_protected_folder(void **state) {
    struct fixture *f = *state;
    char said[1200];
    store_close(make_run(f));
    assert_int_equal(chmod(f->scratch.dir, 0755), 0);
    assert_int_equal(chmod(f->run, 0555), 0);
    int status = child_run(record_as_stranger, f, said, sizeof said);
    assert_int_equal(chmod(f->run, 0755), 0);
    assert_message(said, "cannot be written|make the folder and its files writable");
    assert_null(strstr(said, " -o"));
    assert_int_equal(status, STATUS_FAILED);
}

/* The wait for another's transaction has an end. */
static void test_locked(void **state) {
    struct fixture *f = *state;
    sqlite3 *db;
    store_close(make_run(f));
    struct store *store = open_run(f, STORE_RECORD);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    const struct length_record record = make_length("yarn", 512);
    double began = clock_seconds();
    assert_int_equal(store_put_length(store, &record, &f->error), STATUS_FAILED);
    assert_true(clock_seconds() - began < 60);
    assert_message(f->error.message, "run.db: is locked by another process; wait until it ends, then try again");
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    good(f, store_put_length(store, &record, &f->error));
    check_lengths(f, store, &record, 1);
    store_close(store);
}

static int record_on_full_disk(void *state, int pipe) {
    struct fixture *f = state;
    struct store *store;
    int status = store_open(f->run, STORE_RECORD, &store, &f->error);
    if (status != STATUS_OK) return 100;
    child_limit_files(1000);
    const struct length_record record = make_length("yarn", 512);
    status = store_put_length(store, &record, &f->error);
    child_say(pipe, status == STATUS_OK ? "recorded" : f->error.message);
    return status;
}

static void test_full_disk(void **state) {
    struct fixture *f = *state;
    char said[1200];
    store_close(make_run(f));
    int status = child_run(record_on_full_disk, f, said, sizeof said);
    assert_message(said, "run.db: exceeds the limit on the size of files|ulimit -f), then try again");
    assert_int_equal(status, STATUS_FAILED);
    struct store *store = open_run(f, STORE_RESUME);
    check_lengths(f, store, NULL, 0);
    store_close(store);
}

static void test_labels(void **state) {
    (void)state;
    struct error error;
    char full[STORE_NAME_SIZE + 1];
    memset(full, 'x', sizeof full);
    full[STORE_NAME_SIZE - 1] = '\0';
    assert_int_equal(store_check_label(full, &error), STATUS_OK);
    assert_int_equal(store_check_label("fine-tuned, 3 µs", &error), STATUS_OK);
    full[STORE_NAME_SIZE - 1] = 'x';
    full[STORE_NAME_SIZE] = '\0';
    assert_int_equal(store_check_label(full, &error), STATUS_INPUT);
    assert_message(error.message, "--label: '|is too long");
    assert_int_equal(store_check_label("", &error), STATUS_INPUT);
    assert_message(error.message, "--label: '' is empty");
    assert_int_equal(store_check_label("a\x1b[31m", &error), STATUS_INPUT);
    assert_message(error.message, "contains a control character");
    assert_int_equal(store_check_label("caf\xe9", &error), STATUS_INPUT);
    assert_message(error.message, "is not UTF-8");
}

static void test_records_that_cannot_be(void **state) {
    struct fixture *f = *state;
    store_close(make_run(f));
    struct store *store = open_run(f, STORE_RECORD);
#define REFUSED(change, field)                                                                                         \
    do {                                                                                                               \
        struct length_record r = make_length("yarn", 512);                                                             \
        change;                                                                                                        \
        assert_int_equal(store_put_length(store, &r, &f->error), STATUS_FAILED);                                       \
        assert_message(f->error.message, "cannot be recorded: its " field " is not valid");                            \
    } while (0)
    REFUSED(r.measurement.label[0] = '\0', "label");
    REFUSED(r.measurement.length = 0, "length");
    REFUSED(r.measurement.scale = NAN, "scale");
    REFUSED(r.measurement.start_tokens = -1, "start_tokens");
    REFUSED(r.measurement.attention_factor = 0, "attention_factor");
    REFUSED(r.measurement.pairs = 0, "factors");
    REFUSED(r.measurement.pairs = ROPE_MAX_PAIRS + 1, "factors");
    REFUSED(r.measurement.factors[1] = INFINITY, "factors");
    REFUSED(r.windows = 0, "samples");
    REFUSED(r.tokens = -1, "tokens");
    REFUSED(r.stride = -1, "stride");
    REFUSED(r.nats_per_token = INFINITY, "nats_per_token");
    REFUSED(r.nats_per_token = -0.5, "nats_per_token");
    check_lengths(f, store, NULL, 0);
    store_close(store);
}

/* Rows that somebody else wrote. */
static void test_damaged_rows(void **state) {
    static const struct {
        const char *change, *field;
    } cases[] = {
        {"UPDATE lengths SET label = ''", "the label of a row is not valid"},
        {"UPDATE lengths SET label = CAST(x'ff' AS TEXT)", "the label of a row is not valid"},
        {"UPDATE lengths SET label = 'a' || char(10)", "the label of a row is not valid"},
        {"UPDATE lengths SET length = -5", "its length is not valid"},
        {"UPDATE lengths SET factors = '[]'", "its factors is not valid"},
        {"UPDATE lengths SET factors = '[1,\"x\"]'", "its factors is not valid"},
        {"UPDATE lengths SET factors = '{'", "its factors is not valid"},
        {"UPDATE lengths SET factors = '[1,-2]'", "its factors is not valid"},
        {"UPDATE lengths SET nats_per_token = 9e999", "its nats_per_token is not valid"},
        {"UPDATE lengths SET attention_factor = 0", "its attention_factor is not valid"},
        {"UPDATE lengths SET scale = 1e300", "its scale is not valid"},
        {"UPDATE lengths SET kernels = CAST(x'ff' AS TEXT)", "its kernels is not valid"},
    };
    struct fixture *f = *state;
    store_close(make_run(f));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct store *store = open_run(f, STORE_RECORD);
        const struct length_record record = make_length("yarn", 512);
        good(f, store_put_length(store, &record, &f->error));
        run_sql(f, cases[i].change);
        struct length_record *lengths;
        size_t count;
        assert_int_equal(store_lengths(store, &lengths, &count, &f->error), STATUS_FAILED);
        assert_message(f->error.message, "run.db: is damaged (|restore a copy of it");
        assert_message(f->error.message, cases[i].field);
        assert_null(lengths);
        assert_int_equal(count, 0);
        store_close(store);
        run_sql(f, "DELETE FROM lengths");
    }
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_lengths),
        TEST(test_passkeys),
        TEST(test_choices),
        TEST(test_choices_that_cannot_be),
        TEST(test_beside_a_search),
        TEST(test_many_at_once),
        TEST(test_where_nothing_is_recorded),
        TEST(test_protected_folder),
        TEST(test_locked),
        TEST(test_full_disk),
        TEST(test_labels),
        TEST(test_records_that_cannot_be),
        TEST(test_damaged_rows),
    };
    return cmocka_run_group_tests_name("measurements", tests, NULL, NULL);
}
