/* search/measure/choice: files of items, hostile ones too, and which choice is the answer. The vocabulary of the tiny
 * model ends before small letters, so texts are in capitals. */
#include "search/measure/choice.h"

#include <math.h>

#include "search/base/proportion.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tiny_model.h"

static const struct tokenizer bytes = {.bos = -1, .eos = -1};
static const struct choice_reader reader = {&bytes, VOCABULARY};

struct fixture {
    struct scratch scratch;
    char *path;
    struct choice_tasks tasks;
    struct error error;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    f->scratch = scratch_make();
    f->path = scratch_path(&f->scratch, "own.name.jsonl");
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    choice_tasks_free(&f->tasks);
    scratch_remove(&f->scratch);
    free(f->path);
    free(f);
    return 0;
}

static int read_bytes(struct fixture *f, const void *text, size_t size) {
    scratch_write(f->path, text, size);
    choice_tasks_free(&f->tasks);
    return choice_tasks_read(&reader, &f->path, 1, &f->tasks, &f->error);
}

static void read_text(struct fixture *f, const char *text) {
    if (read_bytes(f, text, strlen(text)) != STATUS_OK) fail_msg("%s", f->error.message);
}

/* ---- Files ---- */

#define ITEM "{\"context\": \"Q: 1+1=\", \"choices\": [\"2\", \"THREE\"], \"answer\": 1}"

static void test_items(void **state) {
    struct fixture *f = *state;
    read_text(f, "\n" ITEM "\r\n \t\r\n{\"task\": \"B\", \"answer\": 0, \"choices\": [\"X\"], \"context\": \"A \", "
                 "\"delimiter\": \"\\n\", \"doc_id\": 17}\n" ITEM);
    assert_int_equal(f->tasks.count, 2);
    const struct choice_task *own = &f->tasks.items[0], *other = &f->tasks.items[1];
    assert_string_equal(own->name, "own.name");
    assert_int_equal(own->count, 2);
    assert_int_equal(own->items[0].line, 2);
    assert_int_equal(own->items[1].line, 5);
    assert_string_equal(own->items[1].file, f->path);
    assert_int_equal(own->items[0].answer, 1);
    assert_int_equal(own->items[0].count, 2);
    assert_int_equal(own->items[0].choices[1].tokens.scored, 5);
    assert_int_equal(own->items[0].choices[1].tokens.count, 12);
    assert_string_equal(other->name, "B");
    assert_int_equal(other->items[0].line, 4);
    assert_int_equal(other->items[0].choices[0].bytes, 1); /* without the delimiter */
    assert_int_equal(other->items[0].choices[0].tokens.count, 4);
    assert_int_equal(other->items[0].choices[0].tokens.scored, 3); /* the blank, the line end, X */
}

static void test_lengths_of_choices(void **state) {
    struct fixture *f = *state;
    const struct choice_reader wide = {&bytes, 256};
    const char *text = "{\"context\": \"A\", \"choices\": [\" \xc3\xa9\xf0\x9f\x99\x82\", \"\\u00e9\"], \"answer\": 0}";
    scratch_write(f->path, text, strlen(text));
    assert_int_equal(choice_tasks_read(&wide, &f->path, 1, &f->tasks, &f->error), STATUS_OK);
    const struct choice_text *choices = f->tasks.items[0].items[0].choices;
    assert_int_equal(choices[0].characters, 3);
    assert_int_equal(choices[0].bytes, 7);
    assert_int_equal(choices[1].characters, 1);
    assert_int_equal(choices[1].bytes, 2);
}

static void test_hostile_lines(void **state) {
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"{\"context\": \"A\"", "own.name.jsonl:2: is not valid JSON at byte|write one object per line"},
        {"{} {}", ":2: is not valid JSON"},
        {"[\"context\"]", ":2: is not an object; an item is {\"context\": TEXT"},
        {"17", ":2: is not"},
        {"{\"choices\": [\"A\"], \"answer\": 0}", ":2: has no 'context'; an item is"},
        {"{\"context\": \"A\", \"answer\": 0}", ":2: has no 'choices'"},
        {"{\"context\": \"A\", \"choices\": [\"A\"]}", ":2: has no 'answer'"},
        {"{\"context\": 1, \"choices\": [\"A\"], \"answer\": 0}", ":2: 'context' is not a text"},
        {"{\"context\": null, \"choices\": [\"A\"], \"answer\": 0}", ":2: 'context' is not a text"},
        {"{\"context\": \"A\", \"choices\": \"A\", \"answer\": 0}", ":2: 'choices' is not a list"},
        {"{\"context\": \"A\", \"choices\": [], \"answer\": 0}", ":2: 'choices' is empty"},
        {"{\"context\": \"A\", \"choices\": [\"A\", 2], \"answer\": 0}", ":2: choice 1 is not a text"},
        {"{\"context\": \"A\", \"choices\": [\"A\", \"\"], \"answer\": 0}", ":2: choice 1 is empty"},
        {"{\"context\": \"A\", \"choices\": [\"A\", \"B\"], \"answer\": 2}",
         ":2: answer 2 is not an index of the 2 choices; the first choice is 0"},
        {"{\"context\": \"A\", \"choices\": [\"A\"], \"answer\": -1}", ":2: answer -1 is not an index"},
        {"{\"context\": \"A\", \"choices\": [\"A\"], \"answer\": 9223372036854775807}",
         ":2: answer 9223372036854775807"},
        {"{\"context\": \"A\", \"choices\": [\"A\"], \"answer\": 1e99}", ":2: 'answer' is not an integer"},
        {"{\"context\": \"A\", \"choices\": [\"A\"], \"answer\": 99999999999999999999}", ":2: is not valid JSON"},
        {"{\"context\": \"A\", \"choices\": [\"A\"], \"answer\": \"0\"}", ":2: 'answer' is not an integer"},
        {"{\"context\": \"A\", \"choices\": [\"A\"], \"answer\": true}", ":2: 'answer' is not an integer"},
        {"{\"context\": \"A\", \"choices\": [\"A\"], \"answer\": 0, \"answer\": 0}", ":2: is not valid JSON|duplicate"},
        {"{\"context\": \"A\", \"choices\": [\"A\"], \"answer\": 0, \"task\": 5}", ":2: 'task' is not a text"},
        {"{\"context\": \"A\", \"choices\": [\"A\"], \"answer\": 0, \"task\": \"\"}",
         ":2: the name of the 'task' is empty"},
        {"{\"context\": \"A\", \"choices\": [\"A\"], \"answer\": 0, \"task\": \"\\u001b[\"}", "contains a control"},
        {"{\"context\": \"A\", \"choices\": [\"A\"], \"answer\": 0, \"delimiter\": []}",
         ":2: 'delimiter' is not a text"},
        {"{\"context\": \"\", \"choices\": [\"A\"], \"answer\": 0}", ":2: no token precedes the continuation"},
        {"{\"context\": \"A\", \"choices\": [\"abc\"], \"answer\": 0}",
         ":2: token 97 at position 1 is not in the model's"},
        {"{\"context\": \"A\\u0000\", \"choices\": [\"A\"], \"answer\": 0}", ":2: is not valid JSON"},
        {"{\"context\": \"A\\ud800\", \"choices\": [\"A\"], \"answer\": 0}", ":2: is not valid JSON"},
        {"{\"context\": \"A\xff\", \"choices\": [\"A\"], \"answer\": 0}",
         ":2: byte 14 is not UTF-8 (0xff); convert the text"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = NULL;
        assert_true(asprintf(&text, ITEM "\n%s\n" ITEM "\n", cases[i].line) > 0);
        assert_int_equal(read_bytes(f, text, strlen(text)), STATUS_INPUT);
        assert_message(f->error.message, cases[i].words);
        free(text);
    }
}

static void test_hostile_files(void **state) {
    struct fixture *f = *state;
    assert_int_equal(read_bytes(f, "\xef\xbb\xbf" ITEM, strlen(ITEM) + 3), STATUS_INPUT);
    assert_message(f->error.message, "own.name.jsonl: begins with a byte order mark; save it as UTF-8 without one");
    assert_int_equal(read_bytes(f, " \n\r\n", 4), STATUS_INPUT);
    assert_message(f->error.message, "own.name.jsonl: has no item");
    assert_int_equal(read_bytes(f, "", 0), STATUS_INPUT);
    assert_int_equal(read_bytes(f, ITEM "\n\0\n", sizeof ITEM + 2), STATUS_INPUT);
    assert_message(f->error.message, ":2: is not valid JSON");
    remove(f->path);
    choice_tasks_free(&f->tasks);
    assert_int_equal(choice_tasks_read(&reader, &f->path, 1, &f->tasks, &f->error), STATUS_INPUT);

    enum { SIZE = 8 << 20 };
    char *huge = malloc(SIZE);
    assert_non_null(huge);
    memset(huge, '[', SIZE); /* nested deeper than any stack */
    assert_int_equal(read_bytes(f, huge, SIZE), STATUS_INPUT);
    assert_message(f->error.message, ":1: is not valid JSON");
    memset(huge, 'A', SIZE); /* a line of megabytes */
    memcpy(huge, "{\"context\": \"", 13);
    strcpy(huge + SIZE - 40, "\", \"choices\": [\"B\"], \"answer\": 0}");
    assert_int_equal(read_bytes(f, huge, strlen(huge)), STATUS_OK);
    assert_int_equal(f->tasks.items[0].items[0].choices[0].tokens.count, SIZE - 40 - 13 + 1);
    free(huge);
}

/* ---- Answers ---- */

static void test_largest(void **state) {
    (void)state;
    assert_int_equal(choice_largest((const double[]){-3.0}, 1), 0);
    assert_int_equal(choice_largest((const double[]){-3.0, -2.0, -2.0, -5.0}, 4), 1); /* the first of equal ones */
    assert_int_equal(choice_largest((const double[]){-1.0, -1.0}, 2), 0);
    assert_int_equal(choice_largest((const double[]){-1.0, -0.5, 0.0}, 3), 2);
}

/* Values of lm_eval.api.metrics.mean_stderr() 0.4.13. */
static void test_standard_error(void **state) {
    (void)state;
    assert_float_equal(proportion_standard_error(1, 2), 0.5, 1e-15);
    assert_float_equal(proportion_standard_error(3, 4), 0.25, 1e-15);
    assert_float_equal(proportion_standard_error(37, 100), 0.04852365870939103, 1e-15);
    assert_true(proportion_standard_error(0, 7) == 0.0 && proportion_standard_error(7, 7) == 0.0);
    assert_true(isnan(proportion_standard_error(1, 1)));
}

/* -ln p of the last `scored` tokens. */
static double nats_of(struct forward *forward, const char *text, int64_t scored) {
    const struct rope_table table = make_table();
    struct error error;
    int32_t tokens[64];
    double nats[64];
    int64_t count = (int64_t)strlen(text);
    for (int64_t i = 0; i < count; i++) tokens[i] = text[i];
    assert_int_equal(forward_nats(forward, &table, tokens, count, count - 1 - scored, nats, &error), STATUS_OK);
    return nats_sum(nats, (size_t)scored);
}

static void count_items(void *state, size_t items) { *(size_t *)state = items; }

static void test_answers(void **state) {
    struct fixture *f = *state;
    const struct rope_table table = make_table();
    const struct forward_options options = {.threads = 2};
    struct forward *forward;
    struct choice_sheet sheet;
    struct model *model = make_model(NULL);
    size_t done = 0;
    assert_int_equal(forward_new(model, &options, &forward, &f->error), STATUS_OK);
    struct choice_asker asker = {.forward = forward, .answered = count_items, .state = &done};
    read_text(f, "{\"context\": \"THE CAT SAT ON \", \"choices\": [\"A\", \"THE MAT\", \"A\"], \"answer\": 0}\n"
                 "{\"context\": \"THE CAT SAT ON \", \"choices\": [\"B\", \"B\"], \"answer\": 1}\n");
    const struct choice_task *task = &f->tasks.items[0];
    assert_int_equal(choice_ask(task, &asker, &table, 128, &sheet, &f->error), STATUS_OK);
    assert_int_equal(done, 2);
    const double *got = sheet.answers[0].log_likelihoods;
    double a = -nats_of(forward, "THE CAT SAT ON A", 2), mat = -nats_of(forward, "THE CAT SAT ON THE MAT", 8);
    assert_true(got[0] == a && got[1] == mat && got[2] == a);
    assert_int_equal(sheet.answers[0].chosen[CHOICE_PLAIN], a >= mat ? 0 : 1);
    assert_int_equal(sheet.answers[0].chosen[CHOICE_CHARACTERS], a >= mat / 7 ? 0 : 1);
    assert_int_equal(sheet.answers[0].chosen[CHOICE_PLAIN], 0);      /* seven letters are less likely than one, */
    assert_int_equal(sheet.answers[0].chosen[CHOICE_CHARACTERS], 1); /* but not seven times */
    assert_int_equal(sheet.answers[0].chosen[CHOICE_BYTES], 1);
    assert_int_equal(sheet.answers[1].chosen[CHOICE_PLAIN], 0);
    assert_int_equal(sheet.correct[CHOICE_PLAIN], 1);
    assert_int_equal(sheet.correct[CHOICE_CHARACTERS], 0);
    assert_float_equal(choice_chance(task), (1.0 / 3 + 0.5) / 2, 1e-15);
    choice_sheet_free(&sheet);

    /* inputs of ten tokens: the last eleven, one of which is predicted only */
    assert_int_equal(choice_cut_items(task, 10), 2);
    assert_int_equal(choice_cut_items(task, 15), 1);
    assert_int_equal(choice_cut_items(task, 21), 0);
    assert_int_equal(choice_ask(task, &asker, &table, 10, &sheet, &f->error), STATUS_OK);
    assert_true(sheet.answers[0].log_likelihoods[0] == -nats_of(forward, "AT SAT ON A", 2));
    assert_true(sheet.answers[0].log_likelihoods[1] == -nats_of(forward, " ON THE MAT", 8));
    choice_sheet_free(&sheet);
    assert_int_equal(choice_check_length(&f->tasks, 8, &f->error), STATUS_OK);
    assert_int_equal(choice_check_length(&f->tasks, 7, &f->error), STATUS_INPUT);
    assert_message(f->error.message, "own.name.jsonl:1: choice 1 has 8 tokens, more than the 7 of --length");
    forward_free(forward);
    model_free(model);
}

static void ask_with(struct fixture *f, const struct model *model, size_t kept_bytes, struct choice_sheet *out) {
    const struct rope_table table = make_table();
    const struct forward_options options = {.threads = 2, .kept_bytes = kept_bytes};
    struct forward *forward;
    size_t done = 0;
    assert_int_equal(forward_new(model, &options, &forward, &f->error), STATUS_OK);
    struct choice_asker asker = {.forward = forward, .answered = count_items, .state = &done};
    assert_int_equal(choice_ask(&f->tasks.items[0], &asker, &table, 128, out, &f->error), STATUS_OK);
    forward_free(forward);
}

/* The blank at the end of a context belongs to the choices: they share 13 tokens, and the 14th predicts. */
static void test_shared_tokens(void **state) {
    struct fixture *f = *state;
    struct model *model = make_model(NULL);
    struct choice_sheet whole, shared;
    read_text(f, "{\"context\": \"THE CAT SAT ON \", \"choices\": [\"A\", \"THE MAT\", \"A\"], \"answer\": 0}\n"
                 "{\"context\": \"THE CAT SAT IN \", \"choices\": [\"B\", \"BED\"], \"answer\": 1}\n"
                 "{\"context\": \"A\", \"choices\": [\"BC\", \"BD\"], \"answer\": 1}\n");
    ask_with(f, model, 0, &whole);
    ask_with(f, model, CHOICE_KEPT_BYTES, &shared);
    assert_int_equal(whole.tokens, 15 + 21 + 15 + 15 + 17 + 2 + 2);
    assert_int_equal(whole.computed, whole.tokens);
    assert_int_equal(shared.tokens, whole.tokens);
    assert_int_equal(shared.answers[0].computed, 15 + 8 + 2);
    assert_int_equal(shared.answers[1].computed, 3 + 4); /* after "THE CAT SAT " */
    assert_int_equal(shared.answers[2].computed, 2 + 2); /* the only token of the context predicts */
    assert_int_equal(shared.computed, 25 + 7 + 4);
    for (size_t i = 0; i < 3; i++) {
        assert_memory_equal(shared.answers[i].log_likelihoods, whole.answers[i].log_likelihoods,
                            f->tasks.items[0].items[i].count * sizeof(double));
    }
    choice_sheet_free(&whole), choice_sheet_free(&shared);
    model_free(model);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_items),         TEST(test_lengths_of_choices),  TEST(test_hostile_lines),
        TEST(test_hostile_files), cmocka_unit_test(test_largest), cmocka_unit_test(test_standard_error),
        TEST(test_answers),       TEST(test_shared_tokens),
    };
    return cmocka_run_group_tests_name("choice", tests, NULL, NULL);
}
