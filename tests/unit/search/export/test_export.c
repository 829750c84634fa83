/* What `longrope export` chooses and writes: the pair of tables, config.json and the model's files, and the tables
 * of LongRoPE's authors, which tell how a table that was searched on another one is made. */
#include <math.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "eval/model/model_config.h"
#include "search/base/json.h"
#include "search/evolve/genome.h"
#include "search/export/export_config.h"
#include "search/export/export_pair.h"
#include "search/export/export_source.h"
#include "search/export/model_files.h"
#include "tests/unit/scratch.h"

/* Tables and models ---------------------------------------------------------------------------- */

enum { EIGHT = 8 };

static struct factor_entry make_entry(const char *name, int64_t max_length, double most) {
    struct factor_entry entry = {.max_length = max_length,
                                 .scale = fmax(1.0, (double)max_length / 256.0),
                                 .pairs = EIGHT,
                                 .attention_factor = 1.25,
                                 .perplexity = 4.0};
    snprintf(entry.name, sizeof entry.name, "%s", name);
    for (int i = 0; i < EIGHT; i++) entry.factors[i] = 1.0 + (most - 1.0) * i / (EIGHT - 1);
    factor_entry_complete(&entry);
    return entry;
}

struct tables {
    struct factor_entry items[4], spare[2];
    struct factor_file file;
};

/* "short" for 256 tokens, "middle" for 512, "long" for 2048, in that order. */
static void make_tables(struct tables *t) {
    *t = (struct tables){
        .items = {make_entry("short", 256, 1.5), make_entry("middle", 512, 2.5), make_entry("long", 2048, 9.0)}};
    t->file = (struct factor_file){256, 10000.0, 3, t->items, 0, t->spare};
}

/* With a spare one without start tokens for the table `index`. */
static void add_start_tokens(struct tables *t, size_t index) {
    t->spare[t->file.exportable_count++] = t->items[index];
    t->items[index].start_tokens = 8;
    t->items[index].perplexity = 3.5;
    t->items[index].factors[EIGHT - 1] += 1.0;
    factor_entry_complete(&t->items[index]);
}

static const char plain_config[] =
    "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\", \"vocab_size\": 97, \"hidden_size\": 32,\n"
    " \"intermediate_size\": 48, \"num_hidden_layers\": 2, \"num_attention_heads\": 2, \"hidden_act\": \"silu\",\n"
    " \"max_position_embeddings\": 256, \"rms_norm_eps\": 1e-05, \"note\": {\"ü\": [1, 2.50, null, true]}%s}\n";

/* A model of EIGHT pairs whose config.json holds `more`, too: ", \"rope_scaling\": ...". */
static void write_model(const char *dir, const char *more) {
    char *path = NULL, *text = NULL;
    if (asprintf(&path, "%s/config.json", dir) < 0) fail_msg("out of memory");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (asprintf(&text, plain_config, more) < 0) fail_msg("out of memory");
#pragma GCC diagnostic pop
    scratch_write(path, text, strlen(text));
    free(path), free(text);
}

static struct model_config read_model(const char *dir) {
    struct model_config config;
    struct error error = {""};
    if (model_read_config(dir, &config, &error) != STATUS_OK) fail_msg("%s", error.message);
    return config;
}

static struct model_config model_with(const char *more) {
    struct scratch scratch = scratch_make();
    write_model(scratch.dir, more);
    struct model_config config = read_model(scratch.dir);
    scratch_remove(&scratch);
    return config;
}

static const char llama3[] =
    ", \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, "
    "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 64}";
static const char yarn[] = ", \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0, "
                           "\"original_max_position_embeddings\": 64}";
static const char dynamic[] = ", \"rope_scaling\": {\"rope_type\": \"dynamic\", \"factor\": 2.0}";
static const char longrope[] =
    ", \"rope_scaling\": {\"rope_type\": \"longrope\", \"original_max_position_embeddings\": 64, \"attention_factor\": "
    "1.5, \"short_factor\": [1, 1, 1, 1, 1, 1, 1, 2], \"long_factor\": [1, 2, 3, 4, 5, 6, 7, 8]}";

/* The pair ------------------------------------------------------------------------------------- */

static struct export_pair choose(const struct factor_file *file, const struct export_choice *choice,
                                 const struct model_config *model) {
    struct export_pair pair;
    struct error error = {""};
    memset(&pair, 0x55, sizeof pair);
    if (export_pair_choose(file, "given", choice, model, &pair, &error) != STATUS_OK) fail_msg("%s", error.message);
    return pair;
}

static void assert_refused(const struct factor_file *file, const struct export_choice *choice,
                           const struct model_config *model, const char *words) {
    struct export_pair pair;
    struct error error = {""};
    assert_int_equal(export_pair_choose(file, "given", choice, model, &pair, &error), STATUS_INPUT);
    assert_message(error.message, words);
}

static void assert_pair(const struct factor_file *file, const struct export_choice *choice,
                        const struct model_config *model, const char *within, const char *beyond, int64_t at) {
    struct export_pair pair = choose(file, choice, model);
    assert_string_equal(pair.short_table.used->name, within);
    assert_string_equal(pair.long_table.used->name, beyond);
    assert_int_equal(pair.switch_length, at);
    assert_int_equal(pair.recovered, strcmp(within, beyond) != 0);
    assert_int_equal(pair.long_table.max_length, pair.long_table.used->max_length);
}

static void two_of_many_tables(void **state) {
    (void)state;
    struct tables t;
    make_tables(&t);
    const struct model_config model = model_with("");
    assert_pair(&t.file, &(struct export_choice){0}, &model, "short", "long", 256);
    assert_pair(&t.file, &(struct export_choice){.stage = "middle"}, &model, "short", "middle", 256);
    assert_pair(&t.file, &(struct export_choice){.length = 300}, &model, "short", "middle", 256);
    assert_pair(&t.file, &(struct export_choice){.length = 512}, &model, "short", "middle", 256);
    assert_pair(&t.file, &(struct export_choice){.length = 513}, &model, "short", "long", 256);
    assert_pair(&t.file, &(struct export_choice){.short_length = 300}, &model, "middle", "long", 300);
    assert_pair(&t.file, &(struct export_choice){.short_length = 600}, &model, "long", "long", 600);
    assert_refused(&t.file, &(struct export_choice){.stage = "lang"}, &model,
                   "'lang' (did you mean 'long'?)|short, middle or long");
    assert_refused(&t.file, &(struct export_choice){.length = 4096}, &model, "--length 4096|2048");
    assert_refused(&t.file, &(struct export_choice){.short_length = 2048}, &model, "--short-length");
    assert_refused(&t.file, &(struct export_choice){.stage = "short"}, &model, "--short-length");
    t.file.original_length = 0; /* the model's window then */
    assert_pair(&t.file, &(struct export_choice){0}, &model, "short", "long", 256);
    t.items[2].max_length = INT64_MAX;
    assert_refused(&t.file, &(struct export_choice){0}, &model, "largest supported length");
}

/* What eval does with a file of the two tables is what an engine does with the pair. */
static void tables_of_no_stated_length(void **state) {
    (void)state;
    struct tables t;
    make_tables(&t);
    const struct model_config model = model_with("");
    t.file.count = 1;
    t.items[0].max_length = 0;
    assert_refused(&t.file, &(struct export_choice){0}, &model, "given|--length N");
    struct export_pair pair = choose(&t.file, &(struct export_choice){.length = 1024}, &model);
    assert_int_equal(pair.long_table.max_length, 1024);
    assert_false(pair.recovered);
    t.items[0].attention_factor = t.items[0].scale = 0.0; /* by formula, of that length */
    pair = choose(&t.file, &(struct export_choice){.length = 1024}, &model);
    assert_true(pair.long_table.attention_factor == rope_longrope_attention_factor(4.0, 256));
    t.items[0].scale = 2.0; /* of what the file says */
    pair = choose(&t.file, &(struct export_choice){.length = 1024}, &model);
    assert_true(pair.long_table.attention_factor == rope_longrope_attention_factor(2.0, 256));
}

static void start_tokens_are_left_out(void **state) {
    (void)state;
    struct tables t;
    make_tables(&t);
    const struct model_config model = model_with("");
    add_start_tokens(&t, 2);
    struct export_pair pair = choose(&t.file, &(struct export_choice){0}, &model);
    assert_ptr_equal(pair.long_table.best, &t.items[2]);
    assert_ptr_equal(pair.long_table.used, &t.spare[0]);
    assert_memory_equal(pair.long_table.factors, t.spare[0].factors, EIGHT * sizeof(double));
    assert_ptr_equal(pair.short_table.used, &t.items[0]);
    t.spare[0].start_tokens = 1; /* a file may lie */
    assert_refused(&t.file, &(struct export_choice){0}, &model, "'long'|8 start tokens|start_tokens: [0]|json");
    t.file.exportable_count = 0;
    assert_refused(&t.file, &(struct export_choice){0}, &model, "start_tokens: [0]");
    assert_pair(&t.file, &(struct export_choice){.stage = "middle"}, &model, "short", "middle", 256);
}

/* By what an entry and the model's own scaling divide the frequencies at a length. */
static void assert_product(const struct export_table *table, const struct model_config *model, int64_t length) {
    struct rope_table own;
    rope_model_table(&own, &model->rope, length);
    for (int i = 0; i < EIGHT; i++) assert_true(table->factors[i] == own.own_factors[i] * table->used->factors[i]);
    assert_true(table->attention_factor == own.own_attention_factor * table->used->attention_factor);
}

static void own_scaling_is_multiplied_in(void **state) {
    (void)state;
    struct tables t;
    make_tables(&t);
    const char *const scalings[] = {"", llama3, yarn};
    for (size_t s = 0; s < sizeof scalings / sizeof *scalings; s++) {
        const struct model_config model = model_with(scalings[s]);
        struct export_pair pair = choose(&t.file, &(struct export_choice){0}, &model);
        assert_product(&pair.short_table, &model, 256);
        assert_product(&pair.long_table, &model, 2048);
        if (s) assert_true(pair.long_table.factors[EIGHT - 1] > t.items[2].factors[EIGHT - 1]);
    }
}

static void own_scaling_that_changes(void **state) {
    (void)state;
    struct tables t;
    make_tables(&t);
    struct model_config model = model_with(dynamic);
    assert_refused(&t.file, &(struct export_choice){0}, &model, "\"dynamic\"");
    model = model_with(longrope);
    assert_refused(&t.file, &(struct export_choice){0}, &model, "longrope scaling|--short-length 64");
    struct export_pair pair = choose(&t.file, &(struct export_choice){.short_length = 64}, &model);
    assert_product(&pair.short_table, &model, 64);
    assert_product(&pair.long_table, &model, 2048);
    t.file.original_length = 0; /* where the model's own tables change */
    pair = choose(&t.file, &(struct export_choice){0}, &model);
    assert_int_equal(pair.switch_length, 64);
}

/* A whole table takes the place of any scaling, also of one that changes. */
static void whole_tables_are_taken_as_they_are(void **state) {
    (void)state;
    struct tables t;
    make_tables(&t);
    for (int i = 0; i < 3; i++) t.items[i].whole = true;
    t.items[2].composed = true;
    for (int i = 0; i < EIGHT; i++) t.items[2].finetuned[i] = 1.0 + i, t.items[2].searched[i] = 1.01 + i / 100.0;
    factor_entry_complete(&t.items[2]);
    const char *const scalings[] = {"", llama3, yarn, dynamic, longrope};
    for (size_t s = 0; s < sizeof scalings / sizeof *scalings; s++) {
        const struct model_config model = model_with(scalings[s]);
        struct export_pair pair = choose(&t.file, &(struct export_choice){0}, &model);
        assert_memory_equal(pair.short_table.factors, t.items[0].factors, EIGHT * sizeof(double));
        assert_memory_equal(pair.long_table.factors, t.items[2].factors, EIGHT * sizeof(double));
        assert_true(pair.long_table.attention_factor == 1.25);
    }
}

static void numbers_that_float32_cannot_hold(void **state) {
    (void)state;
    struct tables t;
    const struct model_config model = model_with("");
    for (int i = 0; i < 3; i++) {
        make_tables(&t);
        if (i == 0) t.items[2].factors[3] = 5e-324;
        if (i == 1) t.items[0].factors[3] = 1e300;
        if (i == 2) t.items[2].attention_factor = 1e300;
        factor_entry_complete(&t.items[0]), factor_entry_complete(&t.items[2]);
        assert_refused(&t.file, &(struct export_choice){0}, &model, i == 2 ? "attention factor" : "factor 3");
    }
}

static void one_table_without_a_model(void **state) {
    (void)state;
    struct tables t;
    struct export_pair pair;
    struct error error = {""};
    make_tables(&t);
    t.file.rope_theta = 0.0;
    t.file.original_length = 0;
    t.items[2].attention_factor = 0.0;
    int status = export_pair_choose_one(&t.file, "given", &(struct export_choice){0}, NULL, &pair, &error);
    assert_int_equal(status, STATUS_OK);
    assert_ptr_equal(pair.long_table.used, &t.items[2]);
    assert_true(pair.theta == 0.0 && pair.long_table.attention_factor == 0.0);
    assert_memory_equal(pair.long_table.factors, t.items[2].factors, EIGHT * sizeof(double));
}

/* config.json ---------------------------------------------------------------------------------- */

static char *config_text(const char *more, const struct factor_file *file, struct export_notes *notes) {
    struct scratch scratch = scratch_make();
    struct error error = {""};
    char *text = NULL;
    write_model(scratch.dir, more);
    const struct model_config model = read_model(scratch.dir);
    const struct export_pair pair = choose(file, &(struct export_choice){0}, &model);
    if (export_config_text(scratch.dir, &pair, &text, notes, &error) != STATUS_OK) fail_msg("%s", error.message);
    scratch_remove(&scratch);
    return text;
}

static bool holds(const char *text, const char *part) { return strstr(text, part) != NULL; }

static void config_keeps_what_is_not_rotary(void **state) {
    (void)state;
    struct tables t;
    struct export_notes notes = {0};
    make_tables(&t);
    t.items[0].attention_factor = t.items[2].attention_factor = rope_longrope_attention_factor(8.0, 256);
    char *text = config_text(", \"odd\": [NaN, 1e999, -Infinity, 99999999999999999999]", &t.file, &notes);
    assert_true(holds(text, "  \"odd\": [\n    NaN,\n    1e999,\n    -Infinity,\n    99999999999999999999\n  ],\n"));
    assert_true(
        holds(text, "{\n  \"architectures\": [\n    \"LlamaForCausalLM\"\n  ],\n  \"model_type\": \"llama\",\n"));
    assert_true(holds(text,
                      "  \"max_position_embeddings\": 2048,\n  \"rms_norm_eps\": 1e-05,\n  \"note\": {\n    \"ü\": "
                      "[\n      1,\n      2.5,\n      null,\n      true\n    ]\n  },\n"));
    assert_true(holds(text, "\"original_max_position_embeddings\": 256,\n"));
    assert_true(holds(text, "\"rope_theta\": 10000.0"));
    assert_false(holds(text, "mscale"));
    assert_false(holds(text, "partial_rotary_factor"));
    assert_int_equal(notes.count, 0);
    assert_int_equal(text[strlen(text) - 2], '}');
    free(text);
}

/* Whatever scaling the model has, in whichever block, the pair takes its place in both. */
static void config_of_every_scaling(void **state) {
    (void)state;
    static const char parameters[] = ", \"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 2.0, "
                                     "\"rope_theta\": 10000.0, \"partial_rotary_factor\": 1.0}";
    const char *const scalings[] = {"", llama3, yarn, dynamic, longrope, parameters, ", \"rope_scaling\": null"};
    for (size_t s = 0; s < sizeof scalings / sizeof *scalings; s++) {
        struct tables t;
        struct export_notes notes = {0};
        struct model_config config;
        struct error error = {""};
        make_tables(&t);
        for (int i = 0; i < 3; i++) t.items[i].whole = true;
        char *text = config_text(scalings[s], &t.file, &notes);
        assert_int_equal(model_config_parse("back", text, strlen(text), &config, &error), STATUS_OK);
        assert_int_equal(config.rope.type, ROPE_TYPE_LONGROPE);
        assert_int_equal(config.window, 2048);
        assert_int_equal(config.rope.original_length, 256);
        assert_memory_equal(config.rope.short_factors, t.items[0].factors, EIGHT * sizeof(double));
        assert_memory_equal(config.rope.long_factors, t.items[2].factors, EIGHT * sizeof(double));
        assert_true(config.rope.attention_factor == 1.25 && config.rope.factor == 8.0);
        assert_true(holds(text, "\"short_mscale\": 1.25")); /* for engines that go by the formula */
        assert_int_equal(notes.count, 1);
        free(text);
    }
}

/* phi3 by its formula: what transformers 4 takes; by another one: what it does not. */
static void config_of_a_phi3(void **state) {
    (void)state;
    static const char phi3[] = ", \"partial_rotary_factor\": 0.5, \"head_dim\": 32";
    struct scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "config.json"), text[2048];
    snprintf(text, sizeof text,
             "{\"model_type\": \"phi3\", \"vocab_size\": 97, \"hidden_size\": 64, \"intermediate_size\": 48, "
             "\"num_hidden_layers\": 2, \"num_attention_heads\": 2, \"max_position_embeddings\": 256%s}",
             phi3);
    scratch_write(path, text, strlen(text));
    const struct model_config model = read_model(scratch.dir);
    for (int formula = 0; formula < 2; formula++) {
        struct tables t;
        struct export_notes notes = {0};
        struct error error = {""};
        char *written = NULL;
        make_tables(&t);
        if (formula) t.items[0].attention_factor = t.items[2].attention_factor = rope_longrope_attention_factor(8, 256);
        const struct export_pair pair = choose(&t.file, &(struct export_choice){0}, &model);
        assert_int_equal(export_config_text(scratch.dir, &pair, &written, &notes, &error), STATUS_OK);
        json_t *root = json_loads(written, 0, NULL), *block = json_object_get(root, "rope_scaling");
        assert_int_equal(json_object_size(block), formula ? 3 : 8);
        assert_non_null(json_object_get(block, formula ? "type" : "rope_type"));
        assert_int_equal(json_object_size(json_object_get(root, "rope_parameters")), formula ? 8 : 10);
        assert_true(json_real_value(json_object_get(root, "partial_rotary_factor")) == 0.5);
        assert_int_equal(notes.count, formula ? 0 : 2);
        json_decref(root);
        free(written);
    }
    free(path);
    scratch_remove(&scratch);
}

/* Families whose config.json is not like the others'. */
static void write_family(const struct scratch *scratch, const char *settings) {
    char *path = scratch_path(scratch, "config.json"), text[2048];
    int length = snprintf(text, sizeof text,
                          "{%s, \"vocab_size\": 97, \"hidden_size\": 64, \"intermediate_size\": 48, "
                          "\"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"num_key_value_heads\": 4, "
                          "\"max_position_embeddings\": 256}",
                          settings);
    scratch_write(path, text, (size_t)length);
    free(path);
}

static json_t *family_json(const char *settings, struct export_notes *notes) {
    struct scratch scratch = scratch_make();
    struct tables t;
    struct error error = {""};
    char *written = NULL;
    write_family(&scratch, settings);
    const struct model_config model = read_model(scratch.dir);
    make_tables(&t);
    for (int i = 0; i < 3; i++) t.items[i].whole = true;
    const struct export_pair pair = choose(&t.file, &(struct export_choice){0}, &model);
    if (export_config_text(scratch.dir, &pair, &written, notes, &error) != STATUS_OK) fail_msg("%s", error.message);
    json_t *root = json_loads(written, 0, NULL);
    assert_non_null(root);
    free(written);
    scratch_remove(&scratch);
    return root;
}

static void config_of_other_families(void **state) {
    (void)state;
    struct export_notes notes = {0};
    json_t *root = family_json("\"model_type\": \"gemma3_text\", \"head_dim\": 16, \"sliding_window_pattern\": 2, "
                               "\"rope_theta\": 10000.0, \"rope_local_base_freq\": 700.0",
                               &notes);
    json_t *kinds = json_object_get(root, "rope_parameters"), *kept = json_object_get(kinds, "sliding_attention");
    assert_int_equal(json_object_size(kinds), 2);
    assert_string_equal(json_string_value(json_object_get(json_object_get(kinds, "full_attention"), "rope_type")),
                        "longrope");
    assert_string_equal(json_string_value(json_object_get(kept, "rope_type")), "default");
    assert_true(json_real_value(json_object_get(kept, "rope_theta")) == 700.0);
    json_decref(root);

    root = family_json("\"model_type\": \"mixtral\", \"rope_theta\": 10000.0", &notes);
    assert_int_equal(json_integer_value(json_object_get(root, "head_dim")), 16);
    json_decref(root);

    notes.count = 0;
    root = family_json("\"model_type\": \"minicpm\"", &notes);
    assert_string_equal(json_string_value(json_object_get(json_object_get(root, "rope_scaling"), "type")), "longrope");
    assert_non_null(strstr(
        notes.items[0], "family minicpm uses the long table for all inputs, as vLLM does, and always the attention"));
    json_decref(root);

    root =
        family_json("\"model_type\": \"ministral3\", \"head_dim\": 16, \"rope_parameters\": {\"rope_type\": \"yarn\", "
                    "\"factor\": 4, \"llama_4_scaling_beta\": 0.25, \"rope_theta\": 10000.0}",
                    &notes);
    const json_t *block = json_object_get(root, "rope_scaling");
    assert_true(json_real_value(json_object_get(block, "llama_4_scaling_beta")) == 0.25);
    json_decref(root);
}

/* Ministral 3's queries grow in steps of a window that is not the one where tables change. */
static void refuses_another_step_of_growth(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct tables t;
    struct export_pair pair;
    struct error error = {""};
    write_family(&scratch, "\"model_type\": \"ministral3\", \"head_dim\": 16, \"rope_parameters\": {\"rope_type\": "
                           "\"yarn\", \"factor\": 4, \"llama_4_scaling_beta\": 0.25, \"rope_theta\": 10000.0, "
                           "\"original_max_position_embeddings\": 64}");
    const struct model_config model = read_model(scratch.dir);
    make_tables(&t);
    int status = export_pair_choose(&t.file, "f.json", &(struct export_choice){0}, &model, &pair, &error);
    assert_int_equal(status, STATUS_INPUT);
    assert_message(error.message, "in steps of 64 tokens|not above 256|--short-length 64");
    scratch_remove(&scratch);
}

/* A model's files ------------------------------------------------------------------------------ */

static void files_are_taken_along(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error = {""};
    struct model_files files;
    volatile sig_atomic_t stop = 0;
    char *from = scratch_path(&scratch, "from"), *to = scratch_path(&scratch, "to"),
         *folder = scratch_path(&scratch, "from/checkpoint-1"), *path, text[8];
    assert_true(mkdir(from, 0777) == 0 && mkdir(to, 0777) == 0 && mkdir(folder, 0777) == 0);
    scratch_write_in(from, "config.json", "{}");
    scratch_write_in(from, ".hidden", "x");
    scratch_write_in(from, "model.safetensors", "weights");
    scratch_write_in(from, "tokenizer.json", "{}");
    scratch_write_in(scratch.dir, "blob", "blobs");
    path = scratch_path(&scratch, "from/merges.txt");
    assert_int_equal(symlink("../blob", path), 0); /* as Hugging Face's cache has it */
    assert_int_equal(model_files_list(from, &files, &error), STATUS_OK);
    assert_int_equal(files.count, 3);
    assert_string_equal(files.items[0].name, "merges.txt");
    assert_int_equal(files.items[0].bytes, 5);
    assert_string_equal(files.items[1].name, "model.safetensors");
    assert_true(files.items[1].weights && !files.items[0].weights && !files.items[2].weights);
    assert_int_equal(model_files_put(&files, from, to, MODEL_FILES_LINK, &stop, &error), STATUS_OK);
    free(path);
    path = scratch_path(&scratch, "to/merges.txt");
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    assert_non_null(fgets(text, sizeof text, stream));
    assert_string_equal(text, "blobs");
    fclose(stream);
    struct stat info;
    assert_true(lstat(path, &info) == 0 && S_ISREG(info.st_mode));
    free(path);
    path = scratch_path(&scratch, "to/model.safetensors");
    assert_true(lstat(path, &info) == 0 && S_ISLNK(info.st_mode));
    assert_int_equal(unlink(path), 0);
    stop = 1; /* the first file is there already, but nobody looks */
    assert_int_equal(model_files_put(&files, from, folder, MODEL_FILES_COPY, &stop, &error), STATUS_STOPPED);
    free(path), free(from), free(to), free(folder);
    model_files_free(&files);
    scratch_remove(&scratch);
}

/* The authors' tables -------------------------------------------------------------------------- */

/* That of `name`, from the folder beside the source, where people have put it. */
static struct factor_entry authors_table(const char *name) {
    const char *source = getenv("SOURCE");
    char *path = NULL;
    struct factor_file file;
    struct error error = {""};
    if (asprintf(&path, "%s/../shared/longrope_tables/%s.csv", source ? source : ".", name) < 0) fail_msg("no memory");
    if (!scratch_exists(path)) {
        print_message("left out: there is no %s\n", path);
        free(path);
        skip();
    }
    if (factors_read(path, &file, &error) != STATUS_OK) fail_msg("%s", error.message);
    struct factor_entry entry = file.tables[0];
    factors_free(&file);
    free(path);
    return entry;
}

/* The second search multiplies the table that the model was fine-tuned with by one of the lattice, which rises. */
static void products_are_of_the_lattice(void **state) {
    (void)state;
    static const struct genome_space space = {.pairs = 64, .unit = 100, .largest = 1000, .start_count = 1};
    static const char *const models[] = {"la2", "mis"};
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        char name[32];
        snprintf(name, sizeof name, "ft_%s_256k", models[m]);
        const struct factor_entry base = authors_table(name);
        snprintf(name, sizeof name, "2048k_%s_256k", models[m]);
        const struct factor_entry whole = authors_table(name);
        assert_int_equal(base.pairs, 64);
        assert_int_equal(whole.pairs, 64);
        double searched[64];
        struct genome genome;
        for (int i = 0; i < 64; i++) searched[i] = whole.factors[i] / base.factors[i];
        genome_from_factors(&space, searched, 0, 0.0, &genome);
        assert_true(genome_valid(&space, &genome));
        for (int i = 0; i < 64; i++) assert_true(fabs(100.0 * searched[i] - genome.genes[i]) < 1e-4);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_of_many_tables),
        cmocka_unit_test(tables_of_no_stated_length),
        cmocka_unit_test(start_tokens_are_left_out),
        cmocka_unit_test(own_scaling_is_multiplied_in),
        cmocka_unit_test(own_scaling_that_changes),
        cmocka_unit_test(whole_tables_are_taken_as_they_are),
        cmocka_unit_test(numbers_that_float32_cannot_hold),
        cmocka_unit_test(one_table_without_a_model),
        cmocka_unit_test(config_keeps_what_is_not_rotary),
        cmocka_unit_test(config_of_every_scaling),
        cmocka_unit_test(config_of_a_phi3),
        cmocka_unit_test(config_of_other_families),
        cmocka_unit_test(refuses_another_step_of_growth),
        cmocka_unit_test(files_are_taken_along),
        cmocka_unit_test(products_are_of_the_lattice),
    };
    return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
