/* search/stage_windows: what is scored, and of a window with a needle its answer alone. */
#include "search/recipe/stage_windows.h"

#include "tests/unit/scratch.h"

#include <math.h>

enum { LENGTH = 300, WINDOWS = 7 };

struct fixture {
    struct scratch scratch;
    char *text[2], *tokens[2]; /* files: text, and the same bytes as .npy */
    struct stage_config config;
    struct stage_config stages[2]; /* that config.base refers to */
    struct stage_windows windows;
    struct error error;
};

/* 1-byte integers in numpy's format. */
static void write_npy(const char *path, const char *bytes, size_t count) {
    char file[4096];
    int size = snprintf(file, sizeof file, "%cNUMPY%c%cv%c%-117s\n", 0x93, 1, 0, 0, "");
    int header =
        snprintf(file + 10, sizeof file - 10, "{'descr': '|u1', 'fortran_order': False, 'shape': (%zu,), }", count);
    file[10 + header] = ' ';
    assert_int_equal(size, 128);
    memcpy(file + size, bytes, count);
    scratch_write(path, file, (size_t)size + count);
}

static int set_up(void **state) {
    static char name[] = "one", bytes[] = "bytes";
    struct fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    f->scratch = scratch_make();
    for (int i = 0; i < 2; i++) {
        char text[1500];
        for (size_t c = 0; c < sizeof text; c++) text[c] = (char)('a' + (c * c + c / 3 + (size_t)i) % 26);
        f->text[i] = scratch_path(&f->scratch, i ? "b.txt" : "a.txt");
        f->tokens[i] = scratch_path(&f->scratch, i ? "b.npy" : "a.npy");
        scratch_write(f->text[i], text, sizeof text);
        write_npy(f->tokens[i], text, sizeof text);
    }
    f->config = (struct stage_config){.name = name,
                                      .target_length = LENGTH,
                                      .text = {2, f->text},
                                      .tokenizer = bytes,
                                      .samples = WINDOWS,
                                      .base = CONFIG_NO_STAGE,
                                      .finetune = {.base = CONFIG_NO_STAGE},
                                      .objective = OBJECTIVE_NEEDLE,
                                      .needle = {.prompt = NEEDLE_DEMO, .digits = 5, .seed = 1}};
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    stage_windows_close(&f->windows);
    for (int i = 0; i < 2; i++) free(f->text[i]), free(f->tokens[i]);
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

static int open_windows(struct fixture *f, int64_t vocabulary) {
    stage_windows_close(&f->windows);
    return stage_windows_open(&f->config, f->stages, f->scratch.dir, vocabulary, &f->windows, &f->error);
}

static void open_good(struct fixture *f) {
    if (open_windows(f, 256) != STATUS_OK) fail_msg("%s", f->error.message);
}

static void open_bad(struct fixture *f, int64_t vocabulary, const char *words) {
    assert_int_equal(open_windows(f, vocabulary), STATUS_INPUT);
    assert_message(f->error.message, words);
}

/* ---- tests ---- */

static void perplexity_scores_windows_of_the_text(void **state) {
    struct fixture *f = *state;
    f->config.objective = OBJECTIVE_PERPLEXITY;
    open_good(f);
    struct scoring scoring = stage_windows_scoring(&f->windows);
    struct window *samples;
    size_t count;
    assert_int_equal(windows_choose(&f->windows.text, LENGTH, WINDOWS, &samples, &count, &f->error), STATUS_OK);
    assert_ptr_equal(scoring.documents, &f->windows.text);
    assert_int_equal(scoring.count, WINDOWS);
    assert_memory_equal(scoring.windows, samples, count * sizeof *samples);
    for (size_t i = 0; i < count; i++) {
        const struct window_record *record = &f->windows.records[i];
        assert_string_equal(record->document, samples[i].document ? "b.txt" : "a.txt");
        assert_true(record->start == samples[i].start && record->tokens == LENGTH && record->answer == 0);
    }
    free(samples);
}

/* Tokens first..first+count-1 of the window with its needle are `expected`. */
static void assert_tokens(const struct document *document, int64_t first, const char *expected) {
    for (int64_t i = 0; expected[i]; i++) assert_int_equal(document->tokens[first + i], expected[i]);
}

static void needles_lie_in_the_same_windows(void **state) {
    struct fixture *f = *state;
    open_good(f);
    struct scoring scoring = stage_windows_scoring(&f->windows);
    struct window *samples;
    size_t count;
    assert_int_equal(windows_choose(&f->windows.text, LENGTH, WINDOWS, &samples, &count, &f->error), STATUS_OK);
    assert_int_equal(scoring.count, WINDOWS);
    assert_int_equal(scoring_tokens(&scoring), WINDOWS * 5);
    for (size_t i = 0; i < count; i++) {
        const struct window_record *record = &f->windows.records[i];
        const struct window *sample = &scoring.windows[i];
        const struct document *document = &scoring.documents->items[sample->document];
        const int32_t *text = f->windows.text.items[samples[i].document].tokens + samples[i].start;
        assert_true(sample->start == 0 && sample->length == LENGTH && document->count == LENGTH);
        assert_int_equal(sample->skip, LENGTH - 1 - 5);
        assert_string_equal(record->document, samples[i].document ? "b.txt" : "a.txt");
        assert_true(record->start == samples[i].start && record->tokens == LENGTH && record->answer == 5);
        char statement[64], question[64];
        int said = snprintf(statement, sizeof statement, "\nThe pass key is %s.\n", record->key);
        int asked = snprintf(question, sizeof question, "\nWhat is the pass key? The pass key is %s", record->key);
        assert_int_equal(strlen(record->key), 5);
        assert_tokens(document, record->needle - 1, statement);
        assert_tokens(document, LENGTH - asked, question);
        int64_t room = LENGTH - said - asked, before = llround(record->depth * (double)room);
        assert_int_equal(record->needle, before + 1);
        assert_memory_equal(document->tokens, text, (size_t)before * sizeof *text);
        assert_memory_equal(document->tokens + before + said, text + before, (size_t)(room - before) * sizeof *text);
    }
    free(samples);
}

/* Seven such depths, put in order on a circle, lie g^5 = 0.09 or g^4 = 0.146 or g^3 = 0.236 apart, g = (sqrt(5) - 1) /
 * 2, wherever the first one lies; and that is anywhere. */
static void depths_cover_everything(void **state) {
    struct fixture *f = *state;
    double sum = 0.0;
    for (unsigned long seed = 0; seed < 200; seed++) {
        f->config.needle.seed = seed;
        open_good(f);
        double depths[WINDOWS];
        for (size_t i = 0; i < WINDOWS; i++) {
            size_t at = i;
            double depth = f->windows.records[i].depth;
            assert_true(depth >= 0.0 && depth < 1.0);
            for (; at > 0 && depths[at - 1] > depth; at--) depths[at] = depths[at - 1];
            depths[at] = depth;
        }
        for (size_t i = 0; i < WINDOWS; i++) {
            double next = i + 1 < WINDOWS ? depths[i + 1] : depths[0] + 1.0;
            assert_true(next - depths[i] > 0.08 && next - depths[i] < 0.25);
        }
        sum += f->windows.records[0].depth;
    }
    assert_true(fabs(sum / 200 - 0.5) < 0.06); /* three standard deviations */
}

static void keys_depend_on_the_seed_alone(void **state) {
    struct fixture *f = *state;
    open_good(f);
    uint64_t first = documents_fingerprint(&f->windows.needles);
    assert_string_not_equal(f->windows.records[0].key, f->windows.records[1].key);
    open_good(f);
    assert_true(documents_fingerprint(&f->windows.needles) == first);
    f->config.needle.seed = 2;
    open_good(f);
    assert_true(documents_fingerprint(&f->windows.needles) != first);
}

/* Tokens that somebody else made need the words of needles as tokens of the same kind. */
static void tokens_may_have_needles(void **state) {
    struct fixture *f = *state;
    open_good(f);
    uint64_t of_text = documents_fingerprint(&f->windows.needles);
    f->config.text.count = 0;
    f->config.tokens = (struct string_list){2, f->tokens};
    open_good(f);
    assert_true(documents_fingerprint(&f->windows.needles) == of_text);
    f->config.tokenizer = NULL;
    open_good(f); /* a model of 256 tokens reads bytes */
    open_bad(f, 32000, "stage 'one'|'objective: needle' has words of its own|data.tokenizer|tokenizer.model");
    f->config.objective = OBJECTIVE_PERPLEXITY; /* no words, no tokenizer */
    assert_int_equal(open_windows(f, 32000), STATUS_OK);
}

static void what_does_not_go_is_said(void **state) {
    struct fixture *f = *state;
    f->config.target_length = 60;
    open_bad(f, 256, "stage 'one'|'objective: needle'|no room for a pass key");
    f->config.target_length = 1501;
    open_bad(f, 256, "no document has the 1501 tokens of a window");
    f->config.target_length = LENGTH;
    f->config.samples = 11;
    open_bad(f, 256, "11 windows of 300 tokens are required");
}

/* Of each text of 1500 tokens the search uses the first 300. */
static void other_text_is_held_out(void **state) {
    struct fixture *f = *state;
    for (int objective = 0; objective < OBJECTIVES; objective++) {
        f->config.objective = (enum objective)objective;
        f->config.samples = 2;
        f->config.held_out = 0;
        open_good(f);
        assert_int_equal(f->windows.held_out, 0);
        uint64_t needles = documents_fingerprint(&f->windows.needles);
        f->config.held_out = 9;
        open_good(f);
        struct scoring scored = stage_windows_scoring(&f->windows), all = stage_windows_all(&f->windows);
        assert_true(scored.count == 2 && all.count == 4 && f->windows.held_out == 2);
        for (size_t i = 2; i < 4; i++) {
            const struct window_record *record = &f->windows.records[i];
            assert_true(record->start == 1200 && record->tokens == LENGTH);
            assert_int_equal(window_tokens(&all.windows[i]), objective == OBJECTIVE_NEEDLE ? 5 : LENGTH - 1);
        }
        if (objective != OBJECTIVE_NEEDLE) continue;
        f->windows.needles.count -= 2; /* the needles that are scored are what they were */
        assert_true(documents_fingerprint(&f->windows.needles) == needles);
        f->windows.needles.count += 2;
        assert_string_not_equal(f->windows.records[0].key, f->windows.records[2].key);
    }
}

/* A table multiplies that of its base, so text of the base's windows is none that was not searched on. */
static void text_of_a_base_is_not_held_out(void **state) {
    struct fixture *f = *state;
    f->config.objective = OBJECTIVE_PERPLEXITY;
    f->config.samples = 1;
    f->config.held_out = 1;
    f->stages[0] = f->config;
    f->stages[0].samples = 2; /* the second one's beginning, too */
    f->stages[0].target_length = 1300;
    f->stages[1] = f->stages[0];
    f->stages[1].base = 0;
    open_good(f);
    assert_int_equal(f->windows.held_out, 1);
    assert_string_equal(f->windows.records[1].document, "b.txt"); /* no window is from it */
    f->config.base = 1;
    open_good(f);
    assert_int_equal(f->windows.held_out, 0);
    f->stages[0].target_length = 1000;
    f->stages[1].target_length = 1100;
    open_good(f);
    assert_int_equal(f->windows.held_out, 1);
    assert_true(f->windows.records[1].start == 1200);
    f->stages[1].text.count = f->stages[0].text.count = 1; /* other documents */
    open_good(f);
    assert_string_equal(f->windows.records[1].document, "b.txt");
    f->config.text = (struct string_list){1, f->text + 1}; /* of which a base among others may have read any part */
    f->stages[0].text.count = 2;
    open_good(f);
    assert_int_equal(f->windows.held_out, 0);
    f->config.base = CONFIG_NO_STAGE;
    open_good(f);
    assert_int_equal(f->windows.held_out, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(perplexity_scores_windows_of_the_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(needles_lie_in_the_same_windows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(depths_cover_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_depend_on_the_seed_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_may_have_needles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_go_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_text_is_held_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_of_a_base_is_not_held_out, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
