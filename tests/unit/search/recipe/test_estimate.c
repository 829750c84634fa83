/* What a search is said to take: work counted by hand, memory as it is allocated, models that are not there yet. */
#include "search/recipe/estimate.h"

#include "tests/unit/scratch.h"
#include "tests/unit/tiny_model.h"

#include <malloc.h>
#include <math.h>
#include <sys/stat.h>

/* Configurations ------------------------------------------------------------------------------ */

struct fixture {
    struct scratch scratch;
    char *model, *tuned; /* folders; nothing is in `tuned` */
    struct config config;
    struct stage_config stages[3];
    struct estimate estimate;
    struct error error;
};

static char file_a[] = "a", file_b[] = "b", *two_files[] = {file_a, file_b};

/* Stage `index` of the fixture: 4 + 3 (2 + 1) = 13 tables. */
static struct stage_config *add_stage(struct fixture *f, char *name, int64_t target_length) {
    struct stage_config *stage = &f->stages[f->config.stage_count++];
    *stage = (struct stage_config){
        .name = name,
        .target_length = target_length,
        .model = f->model,
        .base = CONFIG_NO_STAGE,
        .finetune = {.base = CONFIG_NO_STAGE},
        .type = MODEL_F32,
        .text = {2, two_files},
        .samples = 2,
        .search = {.population = 4, .parents = 2, .mutations = 2, .crossovers = 1, .iterations = 3},
        .initial_count = 3,
    };
    return stage;
}

static void write_model_of(const struct fixture *f, int window, const char *more) {
    char *path = scratch_path(&f->scratch, "model/config.json"), text[512];
    int size = snprintf(text, sizeof text,
                        "{\"model_type\": \"mistral\", \"vocab_size\": 10, \"hidden_size\": 4, "
                        "\"intermediate_size\": 6, \"num_hidden_layers\": 2, \"num_attention_heads\": 2, "
                        "\"num_key_value_heads\": 1, \"head_dim\": 2, \"max_position_embeddings\": %d, %s}",
                        window, more);
    scratch_write(path, text, (size_t)size);
    free(path);
}

static void write_model(const struct fixture *f, const char *more) { write_model_of(f, 8, more); }

static int set_up(void **state) {
    static char name[] = "tiny";
    struct fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    f->scratch = scratch_make();
    f->model = scratch_path(&f->scratch, "model");
    f->tuned = scratch_path(&f->scratch, "tuned");
    f->config = (struct config){.name = name, .stages = f->stages};
    assert_int_equal(mkdir(f->model, 0700), 0);
    write_model(f, "\"sliding_window\": 3");
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    estimate_free(&f->estimate);
    scratch_remove(&f->scratch);
    free(f->model), free(f->tuned);
    free(f);
    return 0;
}

static int make(struct fixture *f) {
    estimate_free(&f->estimate);
    f->error.message[0] = '\0';
    return estimate_make(&f->config, f->scratch.dir, 2, &f->estimate, &f->error);
}

static const struct estimate_stage *make_good(struct fixture *f) {
    if (make(f) != STATUS_OK) fail_msg("%s", f->error.message);
    return f->estimate.stages;
}

/* Work ---------------------------------------------------------------------------------------- */

/* 6 tokens, of which 5 predict one. Multiply-adds of each in the matrices: output 4 x 4 and gate, up, down 3 x 6 x 4 in
 * both layers, query 4 x 4 and key and value 2 x 2 x 4 in the second, output matrix 10 x 4: 248. Attention: two for
 * each of 4 query numbers and key seen, in 2 layers: 16 a key. */
static void work_is_what_a_hand_counts(void **state) {
    struct fixture *f = *state;
    static char name[] = "one";
    write_model_of(f, 3, "\"sliding_window\": 3");
    struct stage_config *config = add_stage(f, name, 6);
    const struct estimate_stage *stage = make_good(f);
    assert_true(stage->evaluations == 13);
    assert_int_equal(stage->baselines, 5);
    assert_true(stage->windows == 36);
    assert_true(stage->tokens == 180);
    assert_true(stage->operations == 36.0 * 2 * (5 * 248 + 16 * (1 + 2 + 3 + 3 + 3)));

    write_model_of(f, 3, "\"sliding_window\": null");
    stage = make_good(f);
    assert_true(stage->operations == 36.0 * 2 * (5 * 248 + 16 * (1 + 2 + 3 + 4 + 5)));
    assert_true(f->estimate.operations == stage->operations && f->estimate.tokens == 180);
    assert_true(f->estimate.evaluations == 18 && f->estimate.windows == 36);

    config->kind = STAGE_RECOVER; /* the model as it is, is its only baseline */
    assert_true(make_good(f)->windows == 28);
    config->samples = 0; /* one a document */
    assert_true(make_good(f)->windows_per_table == 2);
}

/* Of 105 rows the last 4 predict an answer of 3 digits and a blank: 101 do not pass the output matrix, and the first
 * 96, a whole block, nothing of the last layer but its keys and values: not query and output (4 x 4 each), gate, up,
 * down (3 x 6 x 4), and half of the attention to 1 + 2 + 94 x 3 keys. */
static void needles_need_less(void **state) {
    struct fixture *f = *state;
    static char name[] = "one";
    write_model_of(f, 3, "\"sliding_window\": 3");
    struct stage_config *config = add_stage(f, name, 106);
    double all = 105 * 248 + 16 * (1 + 2 + 103 * 3);
    assert_true(make_good(f)->operations == 36.0 * 2 * all);
    config->objective = OBJECTIVE_NEEDLE;
    config->needle.digits = 3;
    const struct estimate_stage *stage = make_good(f);
    assert_true(stage->operations == 36.0 * 2 * (all - 101 * 40 - 96 * (2 * 16 + 72) - 8 * (1 + 2 + 94 * 3)));
    assert_true(stage->windows == 36 && stage->tokens == 36 * 105);
    config->target_length = 4; /* no room for an answer, which is for the search to say */
    assert_true(make_good(f)->operations > 0);
}

static void budgets_are_added_up_and_the_largest_memory_is_told(void **state) {
    struct fixture *f = *state;
    static char first[] = "first", second[] = "second";
    add_stage(f, first, 600);
    add_stage(f, second, 60)->search.iterations = 0;
    const struct estimate_stage *stages = make_good(f);
    assert_true(f->estimate.windows == 36 + 18);
    assert_true(f->estimate.tokens == 36 * 599 + 18 * 59);
    assert_true(f->estimate.operations == stages[0].operations + stages[1].operations);
    assert_int_equal(f->estimate.bytes, estimate_bytes(&stages[0].memory));
    assert_true(f->estimate.bytes > estimate_bytes(&stages[1].memory));
}

/* Memory -------------------------------------------------------------------------------------- */

static size_t heap_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Some sanitizers have a heap of their own, of which this tells nothing. */
static bool heap_is_told(void) {
    size_t before = heap_bytes();
    void *volatile block = malloc(1 << 20);
    size_t after = heap_bytes();
    free(block);
    return after >= before + (1 << 20);
}

static size_t distinct_of(const int32_t *tokens, int64_t count) {
    bool seen[VOCABULARY] = {false};
    size_t distinct = 0;
    for (int64_t i = 0; i < count; i++) {
        distinct += !seen[tokens[i]];
        seen[tokens[i]] = true;
    }
    return distinct;
}

/* What the heap grows by when a window is scored. */
static size_t grown(const struct model *model, const int32_t *tokens, int64_t count, int threads) {
    static double nats[TOKENS];
    struct forward_options options = {.threads = threads};
    struct forward *forward = NULL;
    struct error error = {""};
    const struct rope_table table = make_table();
    size_t before = heap_bytes();
    assert_int_equal(forward_new(model, &options, &forward, &error), STATUS_OK);
    if (forward_nats(forward, &table, tokens, count, 0, nats, &error) != STATUS_OK) fail_msg("%s", error.message);
    size_t after = heap_bytes();
    forward_free(forward);
    return after - before;
}

/* The allocator's own, the padding to its alignment, and struct forward itself, which holds a table. */
static size_t overhead(int threads) {
    return (size_t)(8 + 12 * threads) * 3 * KERNELS_ALIGNMENT + 2 * sizeof(struct rope_table);
}

static void check_memory(const struct kernels *kernels, const struct corpus *corpus) {
    const int64_t counts[] = {2, 100, TOKENS};
    struct model *model = make_model_with(kernels, NULL);
    for (int threads = 1; threads <= 2; threads++) {
        grown(model, corpus->tokens, TOKENS, threads); /* makes the threads */
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            int64_t distinct = (int64_t)distinct_of(corpus->tokens, counts[i] - 1);
            struct forward_memory told = forward_memory(&model->config, kernels, counts[i], distinct, threads);
            size_t bytes = told.window + told.first_layer + told.threads;
            size_t real = grown(model, corpus->tokens, counts[i], threads);
            if (real < bytes || real > bytes + overhead(threads)) {
                fail_msg("%s: %zu bytes are said of %d tokens on %d threads, %zu are allocated", kernels->name, bytes,
                         (int)counts[i], threads, real);
            }
        }
    }
    model_free(model);
}

static void memory_is_what_a_pass_allocates(void **state) {
    (void)state;
    struct corpus corpus;
    make_corpus(&corpus);
    if (!heap_is_told()) skip();
    for (int type = NUMBER_F32; type <= NUMBER_BF16; type++) {
        if (type == NUMBER_F16) continue; /* products have none */
        const struct kernels *const *tables = kernels_available((enum number_type)type);
        for (size_t i = 0; tables[i]; i++) check_memory(tables[i], &corpus);
    }
}

static void auto_is_what_config_json_says(void **state) {
    struct fixture *f = *state;
    static char name[] = "one";
    enum number_type fast = kernels_bf16_is_fast() ? NUMBER_BF16 : NUMBER_F32;
    write_model_of(f, 3, "\"sliding_window\": 3");
    add_stage(f, name, 6)->type = MODEL_AUTO;
    assert_int_equal(make_good(f)->kernels->type, NUMBER_F32);
    write_model_of(f, 3, "\"torch_dtype\": \"bfloat16\"");
    assert_int_equal(make_good(f)->kernels->type, fast);
    write_model_of(f, 3, "\"dtype\": \"bfloat16\"");
    assert_int_equal(make_good(f)->kernels->type, fast);
    write_model_of(f, 3, "\"torch_dtype\": \"float16\"");
    assert_int_equal(make_good(f)->kernels->type, NUMBER_F32);
    f->stages[0].type = MODEL_BF16;
    const struct estimate_stage *stage = make_good(f);
    assert_int_equal(stage->kernels->type, NUMBER_BF16);
    assert_int_equal(stage->memory.weights, model_bytes(&stage->architecture, stage->kernels));
}

/* Recipes ------------------------------------------------------------------------------------- */

/* A base with fine-tuning, a stage on what that makes, and the short window of it. */
static void make_recipe(struct fixture *f) {
    static char middle[] = "middle", longer[] = "longer", back[] = "back", sh[] = "true";
    struct stage_config *stage = add_stage(f, middle, 32);
    stage->finetune = (struct finetune_config){.given = true, .base = CONFIG_NO_STAGE, .command = sh};
    stage = add_stage(f, longer, 64);
    stage->model = NULL, stage->base = 0;
    stage->finetune = (struct finetune_config){.given = true, .base = 0, .output = f->tuned};
    stage = add_stage(f, back, 8);
    stage->kind = STAGE_RECOVER, stage->model = NULL, stage->base = 1, stage->lambda_max = 4;
}

static void models_to_come_are_like_those_that_they_come_from(void **state) {
    struct fixture *f = *state;
    make_recipe(f);
    const struct estimate_stage *stages = make_good(f);
    const int64_t windows[] = {8, 32, 8};
    const int awaits[] = {CONFIG_NO_STAGE, 0, 1};
    for (int i = 0; i < 3; i++) {
        assert_string_equal(stages[i].shape, f->model);
        assert_int_equal(stages[i].window, windows[i]);
        assert_int_equal(stages[i].awaits, awaits[i]);
    }
    assert_true(stages[0].scale == 4 && stages[1].scale == 2 && stages[2].scale == 1);
    char *output = scratch_path(&f->scratch, "middle-finetuned");
    assert_string_equal(stages[0].tune_from, f->model);
    assert_string_equal(stages[0].tune_to, output);
    assert_string_equal(stages[1].model, output);
    assert_string_equal(stages[1].tune_from, output);
    assert_string_equal(stages[1].tune_to, f->tuned);
    assert_string_equal(stages[2].model, f->tuned);
    assert_null(stages[2].tune_from);
    assert_false(stages[0].tuned || stages[1].tuned);
    free(output);
}

/* Fine-tuned already, it is read itself. */
static void models_that_have_come_are_read(void **state) {
    struct fixture *f = *state;
    make_recipe(f);
    assert_int_equal(rename(f->model, f->tuned), 0);
    char *weights = scratch_path(&f->scratch, "tuned/model.safetensors");
    scratch_write(weights, "unread", 6);
    free(weights);
    f->stages[0].model = f->tuned;
    f->stages[0].finetune.model = f->tuned;
    const struct estimate_stage *stages = make_good(f);
    assert_int_equal(stages[2].awaits, CONFIG_NO_STAGE);
    assert_string_equal(stages[2].shape, f->tuned);
    assert_true(stages[1].tuned && !stages[0].tuned);
    assert_string_equal(stages[1].shape, f->tuned); /* what middle-finetuned is to be made of */
}

static void what_is_missing_is_named(void **state) {
    struct fixture *f = *state;
    make_recipe(f);
    f->stages[0].model = f->tuned; /* nothing is there, and it is what the second stage's tuning makes of it */
    assert_int_equal(make(f), STATUS_INPUT);
    assert_message(f->error.message, "stage 'middle'|config.json|--set model=DIR");
    assert_null(f->estimate.stages);
    f->stages[0].model = f->model;
    write_model(f, "\"head_dim\"");
    assert_int_equal(make(f), STATUS_INPUT);
    assert_message(f->error.message, "model/config.json:1: is not valid JSON");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(work_is_what_a_hand_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(needles_need_less, set_up, tear_down),
        cmocka_unit_test_setup_teardown(budgets_are_added_up_and_the_largest_memory_is_told, set_up, tear_down),
        cmocka_unit_test(memory_is_what_a_pass_allocates),
        cmocka_unit_test_setup_teardown(auto_is_what_config_json_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(models_to_come_are_like_those_that_they_come_from, set_up, tear_down),
        cmocka_unit_test_setup_teardown(models_that_have_come_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_missing_is_named, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
