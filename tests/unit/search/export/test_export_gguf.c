/* Tables in GGUF models: what is written for llama.cpp, what is read back, and what is refused. */
#include "eval/gguf/gguf_private.h"
#include "search/export/export_gguf.h"
#include "search/factors/gguf_tables.h"

#include <math.h>

#include "tests/unit/gguf_bytes.h"

enum { PAIRS = 4 };

struct fixture {
    struct scratch scratch;
    char *input, *output, *part;
    struct export_gguf what; /* of `input` to `output`, with the numbers below */
};

static const double long_factors[PAIRS] = {1, 1.5, 10.0 / 3.0, 8}, short_factors[PAIRS] = {1, 1, 1.01, 1.25};
static const double llama3_factors[PAIRS] = {1, 1, 3.7, 8};
static const double fours[PAIRS] = {4, 4, 4, 4};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->scratch = scratch_make();
    f->input = scratch_path(&f->scratch, "in.gguf");
    f->output = scratch_path(&f->scratch, "out.gguf");
    f->part = scratch_path(&f->scratch, "out.gguf.part");
    f->what = (struct export_gguf){.input = f->input,
                                   .output = f->output,
                                   .pairs = PAIRS,
                                   .long_factors = long_factors,
                                   .short_factors = short_factors,
                                   .attention_factor = 1.25,
                                   .theta = 500000.0,
                                   .original_length = 256,
                                   .context_length = 2048};
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    scratch_remove(&f->scratch);
    free(f->input), free(f->output), free(f->part), free(f);
    return 0;
}

/* ---- Models ---- */

/* A model of one weight and whatever a test wants besides. Its streams point into it: it stays where it is. */
struct model {
    struct gguf_bytes keys, infos, data;
    uint64_t key_count, tensor_count;
    const char *architecture;
};

static const char *key_of(const struct model *m, const char *name) {
    static char key[128];
    snprintf(key, sizeof key, "%s.%s", m->architecture, name);
    return key;
}

static void add_u32(struct model *m, const char *name, uint32_t value) {
    put_key_u32(&m->keys, key_of(m, name), value);
    m->key_count++;
}

static void add_f32(struct model *m, const char *name, float value) {
    put_key_f32(&m->keys, key_of(m, name), value);
    m->key_count++;
}

static void add_string(struct model *m, const char *name, const char *value) {
    put_key_string(&m->keys, key_of(m, name), value);
    m->key_count++;
}

static void add_vector(struct model *m, const char *name, const double *numbers, size_t count) {
    fflush(m->data.stream);
    put_vector(&m->infos, name, count, m->data.size);
    for (size_t i = 0; i < count; i++) {
        float number = (float)numbers[i];
        put_numbers(&m->data, &number, 1);
    }
    put_padding(&m->data, 32);
    m->tensor_count++;
}

/* Begins one, without width and theta; write_model() ends it. */
static void bare_model(struct model *m, const char *architecture) {
    *m = (struct model){.architecture = architecture};
    gguf_bytes_begin(&m->keys), gguf_bytes_begin(&m->infos), gguf_bytes_begin(&m->data);
    put_key_string(&m->keys, "general.architecture", architecture);
    m->key_count++;
    add_u32(m, "context_length", 256);
    add_vector(m, "token_embd.weight", (const double[]){1, 2, 3, 4, 5, 6, 7, 8}, 8);
}

static void plain_model(struct model *m, const char *architecture) {
    bare_model(m, architecture);
    add_u32(m, "rope.dimension_count", 2 * PAIRS);
    add_f32(m, "rope.freq_base", 500000.0F);
}

static void write_model(struct model *m, const char *path) {
    struct gguf_bytes whole;
    gguf_bytes_end(&m->keys), gguf_bytes_end(&m->infos), gguf_bytes_end(&m->data);
    gguf_bytes_begin(&whole);
    put_prefix(&whole, 3, m->tensor_count, m->key_count);
    put_bytes(&whole, m->keys.data, m->keys.size);
    put_bytes(&whole, m->infos.data, m->infos.size);
    put_padding(&whole, 32);
    put_bytes(&whole, m->data.data, m->data.size);
    gguf_bytes_write(&whole, path);
    free(m->keys.data), free(m->infos.data), free(m->data.data);
}

/* ---- Exporting ---- */

static void export_or_fail(const struct fixture *f) {
    struct error error = {""};
    remove(f->output);
    if (export_gguf(&f->what, &error) != STATUS_OK) fail_msg("%s", error.message);
}

/* Of the input that is there; nothing is left behind. */
static void assert_not_exported(const struct fixture *f, const char *words) {
    struct error error = {""};
    remove(f->output);
    int status = export_gguf(&f->what, &error);
    if (status == STATUS_OK) fail_msg("not refused: %s", words);
    assert_int_equal(status, STATUS_INPUT);
    assert_message(error.message, words);
    assert_true(access(f->output, F_OK) != 0 && access(f->part, F_OK) != 0);
}

static struct gguf *open_output(const struct fixture *f) {
    struct gguf *file = NULL;
    struct error error = {""};
    if (gguf_open(f->output, &file, &error) != STATUS_OK) fail_msg("%s", error.message);
    return file;
}

/* The keys of what was exported of that architecture. */
static void assert_keys(const struct gguf *file, const char *architecture) {
    const struct model named = {.architecture = architecture};
    struct error error;
    char type[16] = "";
    uint64_t original = 0, context = 0;
    double attention = 0;
    assert_int_equal(gguf_get_string(file, key_of(&named, "rope.scaling.type"), type, sizeof type, &error), 0);
    assert_string_equal(type, "longrope");
    const char *key = key_of(&named, "rope.scaling.original_context_length");
    assert_int_equal(gguf_get_unsigned(file, key, &original, &error), 0);
    assert_int_equal(original, 256);
    assert_int_equal(gguf_get_unsigned(file, key_of(&named, "context_length"), &context, &error), 0);
    assert_int_equal(context, 2048);
    assert_int_equal(gguf_get_number(file, key_of(&named, "rope.scaling.attn_factor"), &attention, &error), 0);
    assert_true(attention == 1.25);
}

static void assert_vector(const struct gguf *file, const char *name, const double *wanted, uint64_t count) {
    const struct gguf_tensor *tensor = gguf_find_tensor(file, name);
    float numbers[8];
    struct error error;
    assert_non_null(tensor);
    assert_int_equal(gguf_read_vector(file, tensor, numbers, count, &error), STATUS_OK);
    for (uint64_t i = 0; i < count; i++) assert_true(numbers[i] == (float)wanted[i]);
}

static void assert_exported(const struct fixture *f, const char *architecture) {
    struct gguf *file = open_output(f);
    assert_keys(file, architecture);
    assert_vector(file, "rope_factors_long.weight", long_factors, PAIRS);
    assert_vector(file, "rope_factors_short.weight", short_factors, PAIRS);
    assert_vector(file, "token_embd.weight", (const double[]){1, 2, 3, 4, 5, 6, 7, 8}, 8);
    assert_int_equal(file->tensor_count, 3);
    gguf_close(file);
}

static void test_exports_each_architecture(void **state) {
    const struct fixture *f = *state;
    static const char *const known[] = {"apertus",  "deci",        "granite", "granite_swa", "granitemoe", "llama",
                                        "minicpm3", "llama-embed", "minicpm", "mistral3",    "phi3",       "phimoe"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct model m;
        plain_model(&m, known[i]);
        write_model(&m, f->input);
        export_or_fail(f);
        assert_exported(f, known[i]);
    }
}

static void test_refuses_architectures_that_ignore_tables(void **state) {
    const struct fixture *f = *state;
    static const char *const others[] = {"qwen2", "qwen3", "gemma3", "refact", "pangu-embedded", "step35", "llama4"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct model m;
        plain_model(&m, others[i]);
        write_model(&m, f->input);
        assert_not_exported(f, "not support LongRoPE tables|llama, |phi3 and phimoe|vLLM");
        struct error error;
        struct gguf_tables tables;
        assert_not_exported(f, others[i]);
        assert_int_equal(gguf_tables_read(f->input, &tables, &error), STATUS_INPUT);
    }
    struct gguf_bytes b;
    gguf_bytes_begin(&b);
    put_prefix(&b, 3, 0, 0);
    gguf_bytes_write(&b, f->input);
    assert_not_exported(f, "no general.architecture");
}

/* What is read is what was written, in f32. */
static void test_reads_back(void **state) {
    const struct fixture *f = *state;
    struct model m;
    plain_model(&m, "llama");
    write_model(&m, f->input);
    export_or_fail(f);
    struct gguf_tables tables;
    struct error error = {""};
    if (gguf_tables_read(f->output, &tables, &error) != STATUS_OK) fail_msg("%s", error.message);
    assert_string_equal(tables.architecture, "llama");
    assert_int_equal(tables.pairs, PAIRS);
    assert_int_equal(tables.original_length, 256);
    assert_int_equal(tables.context_length, 2048);
    assert_true(tables.theta == 500000.0 && tables.attention_factor == 1.25);
    for (int i = 0; i < PAIRS; i++) {
        assert_true(tables.long_factors[i] == (float)long_factors[i]);
        assert_true(tables.short_factors[i] == (float)short_factors[i]);
    }
}

/* Nothing that llama.cpp would apply on top stays, and tables that were there are replaced. */
static void test_replaces_scaling_that_was_there(void **state) {
    const struct fixture *f = *state;
    struct model m;
    plain_model(&m, "granite");
    add_string(&m, "rope.scaling.type", "longrope");
    add_f32(&m, "rope.scaling.factor", 32);
    add_f32(&m, "rope.scale_linear", 2);
    add_f32(&m, "rope.scaling.alpha", 1000);
    add_f32(&m, "rope.scaling.yarn_ext_factor", 1);
    add_f32(&m, "rope.scaling.yarn_attn_factor", 2);
    add_f32(&m, "rope.scaling.attn_factor", 7);
    add_u32(&m, "rope.scaling.original_context_length", 4096);
    add_string(&m, "rope.scaling.finetuned", "kept");
    add_vector(&m, "rope_factors_long.weight", (const double[]){9, 9}, 2);
    add_vector(&m, "rope_factors_short.weight", (const double[]){9, 9}, 2);
    write_model(&m, f->input);
    export_or_fail(f);
    assert_exported(f, "granite");
    struct gguf *file = open_output(f);
    static const char *const gone[] = {"factor", "alpha", "yarn_ext_factor", "yarn_attn_factor"};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        char key[64];
        snprintf(key, sizeof key, "granite.rope.scaling.%s", gone[i]);
        assert_false(gguf_has_key(file, key));
    }
    assert_false(gguf_has_key(file, "granite.rope.scale_linear"));
    assert_true(gguf_has_key(file, "granite.rope.scaling.finetuned"));
    assert_true(gguf_has_key(file, "granite.rope.freq_base"));
    gguf_close(file);
}

/* ---- A model's own scaling ---- */

/* Exported with it among the tables, refused without. */
static void check_own(struct fixture *f, struct model *m, const double *own, const char *words) {
    write_model(m, f->input);
    f->what.own_factors = own;
    export_or_fail(f);
    assert_exported(f, "llama");
    f->what.own_factors = NULL;
    assert_not_exported(f, words);
    f->what.own_factors = (const double[PAIRS]){1, 1, 1, 2};
    assert_not_exported(f, "GGUF of that model");
}

static void test_replaces_llama3_scaling(void **state) {
    struct model m;
    plain_model(&m, "llama");
    add_vector(&m, "rope_freqs.weight", llama3_factors, PAIRS);
    check_own(*state, &m, llama3_factors, "rope_freqs.weight|pair 2|by 3.7|by 1;");
}

static void test_replaces_linear_scaling(void **state) {
    struct model m;
    plain_model(&m, "llama");
    add_string(&m, "rope.scaling.type", "linear");
    add_f32(&m, "rope.scaling.factor", 4);
    check_own(*state, &m, fours, "linear scaling|pair 0|by 4|by 1;");
    plain_model(&m, "llama");
    add_f32(&m, "rope.scale_linear", 4); /* as older files have it, without a type */
    check_own(*state, &m, fours, "linear scaling|pair 0|by 4|by 1;");
}

static void test_replaces_yarn_scaling(void **state) {
    struct fixture *f = *state;
    struct model m;
    plain_model(&m, "llama");
    add_string(&m, "rope.scaling.type", "yarn");
    add_f32(&m, "rope.scaling.factor", 4);
    write_model(&m, f->input);
    assert_not_exported(f, "YaRN scaling|pair 3|by 4|by 1;");
    f->what.own_factors = (const double[PAIRS]){1, 2, 3, 4.5};
    assert_not_exported(f, "YaRN scaling");
    f->what.own_factors = (const double[PAIRS]){1, 1.5, 3, 4};
    export_or_fail(f);
    assert_exported(f, "llama");
}

/* A factor that says nothing: of 1, of 0, or of the type "none". */
static void test_ignores_scaling_that_does_nothing(void **state) {
    const struct fixture *f = *state;
    static const struct {
        const char *type;
        float factor;
    } cases[] = {{"linear", 1}, {"yarn", 1}, {"linear", 0}, {"none", 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model m;
        plain_model(&m, "llama");
        add_string(&m, "rope.scaling.type", cases[i].type);
        add_f32(&m, "rope.scaling.factor", cases[i].factor);
        write_model(&m, f->input);
        export_or_fail(f);
        assert_exported(f, "llama");
    }
}

/* ---- Is it the model? ---- */

static void test_finds_the_width(void **state) {
    const struct fixture *f = *state;
    struct model m;
    bare_model(&m, "llama");
    add_f32(&m, "rope.freq_base", 500000.0F);
    write_model(&m, f->input);
    assert_not_exported(f, "rotary width|llama.rope.dimension_count");

    bare_model(&m, "llama");
    add_f32(&m, "rope.freq_base", 500000.0F);
    add_u32(&m, "attention.head_count", 3), add_u32(&m, "embedding_length", 6 * PAIRS);
    write_model(&m, f->input);
    export_or_fail(f);

    bare_model(&m, "llama");
    add_f32(&m, "rope.freq_base", 500000.0F);
    add_u32(&m, "attention.head_count", 2), add_u32(&m, "embedding_length", 99);
    add_u32(&m, "attention.key_length", 2 * PAIRS); /* goes before */
    write_model(&m, f->input);
    export_or_fail(f);

    bare_model(&m, "llama");
    add_f32(&m, "rope.freq_base", 500000.0F);
    add_u32(&m, "rope.dimension_count", 2 * PAIRS), add_u32(&m, "attention.key_length", 99);
    write_model(&m, f->input);
    export_or_fail(f);

    bare_model(&m, "llama"); /* a head count for each layer */
    put_key(&m.keys, "llama.attention.head_count", GGUF_ARRAY);
    put_u32(&m.keys, GGUF_U32), put_u64(&m.keys, 1), put_u32(&m.keys, 3);
    m.key_count++;
    add_u32(&m, "embedding_length", 6 * PAIRS);
    write_model(&m, f->input);
    assert_not_exported(f, "rotary width");
}

static void test_refuses_tables_of_another_width(void **state) {
    struct fixture *f = *state;
    struct model m;
    plain_model(&m, "llama");
    write_model(&m, f->input);
    f->what.pairs = PAIRS - 1;
    assert_not_exported(f, "has 4 rotary pairs|tables have 3|another model");
}

static void test_compares_theta(void **state) {
    struct fixture *f = *state;
    struct model m;
    plain_model(&m, "llama");
    write_model(&m, f->input);
    f->what.theta = 10000.0;
    assert_not_exported(f, "freq_base is 500000|made for 10000");
    f->what.theta = 0.0; /* not known */
    export_or_fail(f);
    bare_model(&m, "llama"); /* the default of llama.cpp */
    add_u32(&m, "rope.dimension_count", 2 * PAIRS);
    write_model(&m, f->input);
    f->what.theta = 10000.0;
    export_or_fail(f);
    f->what.theta = 500000.0;
    assert_not_exported(f, "freq_base is 10000|made for 500000");
    bare_model(&m, "llama"); /* not exact in f32 */
    add_u32(&m, "rope.dimension_count", 2 * PAIRS);
    add_f32(&m, "rope.freq_base", (float)8061305.3);
    write_model(&m, f->input);
    f->what.theta = 8061305.3;
    export_or_fail(f);
}

static void test_refuses_parts_of_a_model(void **state) {
    const struct fixture *f = *state;
    struct model m;
    plain_model(&m, "llama");
    put_key(&m.keys, "split.count", GGUF_U16), put_bytes(&m.keys, "\x03", 2);
    m.key_count++;
    write_model(&m, f->input);
    assert_not_exported(f, "one of 3 parts|--merge");
}

static void test_heeds_attention_temperature(void **state) {
    struct fixture *f = *state;
    struct model m;
    plain_model(&m, "mistral3");
    add_f32(&m, "attention.temperature_scale", 0.1F);
    add_u32(&m, "rope.scaling.original_context_length", 128);
    write_model(&m, f->input);
    assert_not_exported(f, "original_context_length 128|at 256 tokens|window of 128");
    f->what.original_length = 128;
    export_or_fail(f);
}

/* ---- Numbers ---- */

static void assert_factor_refused(struct fixture *f, double factor) {
    double factors[PAIRS] = {1, 1, 1, 1};
    factors[2] = factor;
    f->what.long_factors = factors;
    assert_not_exported(f, "factor 2 of the long table|not a number above 0");
    f->what.long_factors = long_factors, f->what.short_factors = factors;
    assert_not_exported(f, "factor 2 of the short table");
    f->what.short_factors = short_factors;
}

static void test_refuses_numbers_out_of_range(void **state) {
    struct fixture *f = *state;
    struct model m;
    plain_model(&m, "llama");
    write_model(&m, f->input);
    const double factors[] = {0, -1, NAN, INFINITY, 1e39, 1e-60}; /* the last two are none in f32 */
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        assert_factor_refused(f, factors[i]);
        f->what.attention_factor = factors[i];
        assert_not_exported(f, "attention factor|not a number above 0");
        f->what.attention_factor = 1.25;
    }
    const int64_t pairs[] = {0, -1, ROPE_MAX_PAIRS + 1};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        f->what.pairs = pairs[i];
        assert_not_exported(f, "tables of|256 are supported");
    }
    f->what.pairs = PAIRS;
    const int64_t lengths[][2] = {{0, 1}, {-1, 1}, {256, 255}, {256, (int64_t)1 << 32}};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        f->what.original_length = lengths[i][0], f->what.context_length = lengths[i][1];
        assert_not_exported(f, "not possible|window <= context");
    }
}

static void test_overwrites_nothing(void **state) {
    const struct fixture *f = *state;
    struct model m;
    plain_model(&m, "llama");
    struct error error;
    write_model(&m, f->input);
    export_or_fail(f);
    assert_int_equal(export_gguf(&f->what, &error), STATUS_INPUT);
    assert_message(error.message, "out.gguf|exists");
    assert_exported(f, "llama");
}

static void test_passes_signals_on(void **state) {
    struct fixture *f = *state;
    struct model m;
    plain_model(&m, "llama");
    struct error error;
    const volatile sig_atomic_t stop = 1;
    write_model(&m, f->input);
    f->what.control.stop = &stop;
    assert_int_equal(export_gguf(&f->what, &error), STATUS_STOPPED);
    assert_true(access(f->output, F_OK) != 0 && access(f->part, F_OK) != 0);
}

/* ---- Reading tables ---- */

static void model_with_tables(struct model *m, const char *architecture) {
    plain_model(m, architecture);
    add_vector(m, "rope_factors_long.weight", long_factors, PAIRS);
    add_vector(m, "rope_factors_short.weight", short_factors, PAIRS);
}

static void assert_not_read(const struct fixture *f, struct model *m, const char *words) {
    struct gguf_tables tables;
    struct error error = {""};
    write_model(m, f->input);
    int status = gguf_tables_read(f->input, &tables, &error);
    if (status == STATUS_OK) fail_msg("not refused: %s", words);
    assert_int_equal(status, STATUS_INPUT);
    assert_message(error.message, f->input);
    assert_message(error.message, words);
}

/* As llama.cpp's converter writes phi3: no type, and the window among the keys. */
static void test_reads_what_others_write(void **state) {
    const struct fixture *f = *state;
    struct model m;
    model_with_tables(&m, "phi3");
    add_u32(&m, "rope.scaling.original_context_length", 64);
    add_f32(&m, "rope.scaling.factor", 2); /* llama.cpp divides by it as well */
    write_model(&m, f->input);
    struct gguf_tables tables;
    struct error error = {""};
    if (gguf_tables_read(f->input, &tables, &error) != STATUS_OK) fail_msg("%s", error.message);
    assert_true(tables.original_length == 64 && tables.context_length == 256 && tables.attention_factor == 1.0);
    for (int i = 0; i < PAIRS; i++) assert_true(tables.long_factors[i] == 2.0 * (float)long_factors[i]);
}

static void test_refuses_tables_that_make_no_sense(void **state) {
    const struct fixture *f = *state;
    struct model m;
    plain_model(&m, "llama");
    assert_not_read(f, &m, "no LongRoPE tables|rope_factors_long.weight");
    plain_model(&m, "phi3");
    add_vector(&m, "rope_factors_long.weight", long_factors, PAIRS);
    assert_not_read(f, &m, "no LongRoPE tables|rope_factors_short.weight");
    model_with_tables(&m, "llama");
    assert_not_read(f, &m, "llama.rope.scaling.type is 'linear'|'longrope'");
    plain_model(&m, "phi3");
    add_vector(&m, "rope_factors_long.weight", long_factors, PAIRS - 1);
    add_vector(&m, "rope_factors_short.weight", short_factors, PAIRS);
    assert_not_read(f, &m, "rope_factors_long.weight|vector of 4");
    const double wrong[] = {0, -1, NAN, INFINITY};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        plain_model(&m, "phi3");
        add_vector(&m, "rope_factors_long.weight", long_factors, PAIRS);
        add_vector(&m, "rope_factors_short.weight", (const double[]){1, wrong[i], 1, 1}, PAIRS);
        assert_not_read(f, &m, "factor 1 of rope_factors_short.weight|not a number above 0");
    }
    model_with_tables(&m, "phi3");
    add_u32(&m, "rope.scaling.original_context_length", 512);
    assert_not_read(f, &m, "context_length 256|original_context_length 512|inconsistent");
    model_with_tables(&m, "phi3");
    add_f32(&m, "rope.scaling.attn_factor", -1);
    assert_not_read(f, &m, "attn_factor -1");
    model_with_tables(&m, "phi3");
    add_f32(&m, "rope.scaling.factor", -2);
    assert_not_read(f, &m, "rope.scaling.factor -2|negative");
    bare_model(&m, "phi3");
    add_u32(&m, "rope.dimension_count", 1 << 20);
    assert_not_read(f, &m, "rotary width 1048576|at most 512");
}

static void test_survives_every_truncation(void **state) {
    const struct fixture *f = *state;
    struct model m;
    model_with_tables(&m, "phi3");
    struct gguf_tables tables;
    struct error error = {""};
    size_t whole;
    write_model(&m, f->input);
    char *bytes = read_whole(f->input, &whole);
    size_t end = whole - 16; /* the last vector is padded by as much */
    for (size_t size = 0; size < end; size++) {
        scratch_write(f->input, bytes, size);
        assert_int_equal(gguf_tables_read(f->input, &tables, &error), STATUS_INPUT);
        assert_message(error.message, f->input);
    }
    scratch_write(f->input, bytes, end);
    assert_int_equal(gguf_tables_read(f->input, &tables, &error), STATUS_OK);
    free(bytes);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_exports_each_architecture),
        TEST(test_refuses_architectures_that_ignore_tables),
        TEST(test_reads_back),
        TEST(test_replaces_scaling_that_was_there),
        TEST(test_replaces_llama3_scaling),
        TEST(test_replaces_linear_scaling),
        TEST(test_replaces_yarn_scaling),
        TEST(test_ignores_scaling_that_does_nothing),
        TEST(test_finds_the_width),
        TEST(test_refuses_tables_of_another_width),
        TEST(test_compares_theta),
        TEST(test_refuses_parts_of_a_model),
        TEST(test_heeds_attention_temperature),
        TEST(test_refuses_numbers_out_of_range),
        TEST(test_overwrites_nothing),
        TEST(test_passes_signals_on),
        TEST(test_reads_what_others_write),
        TEST(test_refuses_tables_that_make_no_sense),
        TEST(test_survives_every_truncation),
    };
#undef TEST
    return cmocka_run_group_tests_name("export_gguf", tests, NULL, NULL);
}
