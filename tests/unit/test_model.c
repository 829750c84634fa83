/* eval/model: what is read from config.json and model.safetensors, and what is refused. */
#include "tests/unit/scratch.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "eval/model.h"

/* Address sanitizer stops a program that asks for absurd amounts of memory; here it is to be told no. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "allocator_may_return_null=1"; }

/* ---- A small model on disk ---- */

/* 3 query heads of 4 on 1 key/value head, so that no two sides that could be mixed up are equal. */
static const char small_config[] = "{\"model_type\": \"llama\", \"vocab_size\": 11, \"hidden_size\": 10,"
                                   " \"intermediate_size\": 14, \"num_hidden_layers\": 2, \"num_attention_heads\": 3,"
                                   " \"num_key_value_heads\": 1, \"head_dim\": 4, \"max_position_embeddings\": 64,"
                                   " \"rms_norm_eps\": 1e-5, \"rope_theta\": 500000, \"pretraining_tp\": 2,"
                                   " \"hidden_act\": \"silu\", \"architectures\": [\"LlamaForCausalLM\"]}";

static const struct entry {
    const char *name;
    int64_t rows, columns; /* 0 columns: a vector */
} small_tensors[] = {
    {"model.embed_tokens.weight", 11, 10},
    {"model.layers.0.input_layernorm.weight", 10, 0},
    {"model.layers.0.self_attn.q_proj.weight", 12, 10},
    {"model.layers.0.self_attn.k_proj.weight", 4, 10},
    {"model.layers.0.self_attn.v_proj.weight", 4, 10},
    {"model.layers.0.self_attn.o_proj.weight", 10, 12},
    {"model.layers.0.post_attention_layernorm.weight", 10, 0},
    {"model.layers.0.mlp.gate_proj.weight", 14, 10},
    {"model.layers.0.mlp.up_proj.weight", 14, 10},
    {"model.layers.0.mlp.down_proj.weight", 10, 14},
    {"model.layers.1.input_layernorm.weight", 10, 0},
    {"model.layers.1.self_attn.q_proj.weight", 12, 10},
    {"model.layers.1.self_attn.k_proj.weight", 4, 10},
    {"model.layers.1.self_attn.v_proj.weight", 4, 10},
    {"model.layers.1.self_attn.o_proj.weight", 10, 12},
    {"model.layers.1.post_attention_layernorm.weight", 10, 0},
    {"model.layers.1.mlp.gate_proj.weight", 14, 10},
    {"model.layers.1.mlp.up_proj.weight", 14, 10},
    {"model.layers.1.mlp.down_proj.weight", 10, 14},
    {"model.norm.weight", 10, 0},
    {"lm_head.weight", 11, 10},
};
enum { SMALL_TENSORS = sizeof small_tensors / sizeof *small_tensors };

struct fixture {
    struct scratch scratch;
    char *config;  /* path of config.json */
    char *weights; /* path of model.safetensors */
};

/* The numbers of tensor t are 1000 t, 1000 t + 1, ... F32, or BF16 where `half`: they are then cut.
 * Tensor `changed` gets the shape given, or is left out where that has no rows; -1: none. */
static void write_weights(const char *path, bool half, int changed, int64_t rows, int64_t columns) {
    char *header = NULL, *data = NULL;
    size_t header_size = 0, data_size = 0;
    FILE *header_text = open_memstream(&header, &header_size), *numbers = open_memstream(&data, &data_size);
    assert_true(header_text && numbers);
    int64_t offset = 0, width = half ? 2 : 4;
    fputs("{\"__metadata__\": {\"format\": \"pt\"}", header_text);
    for (int t = 0; t < SMALL_TENSORS; t++) {
        struct entry entry = small_tensors[t];
        if (t == changed) entry.rows = rows, entry.columns = columns;
        if (entry.rows == 0) continue;
        int64_t count = entry.rows * (entry.columns ? entry.columns : 1);
        fprintf(header_text, ", \"%s\": {\"dtype\": \"%s\", \"shape\": [%d", entry.name, half ? "BF16" : "F32",
                (int)entry.rows);
        if (entry.columns) fprintf(header_text, ", %d", (int)entry.columns);
        fprintf(header_text, "], \"data_offsets\": [%d, %d]}", (int)offset, (int)(offset + count * width));
        offset += count * width;
        for (int64_t i = 0; i < count; i++) {
            float number = (float)(1000 * t + i);
            unsigned char bytes[4];
            memcpy(bytes, &number, sizeof bytes);
            fwrite(bytes + (half ? 2 : 0), 1, (size_t)width, numbers);
        }
    }
    fputs("}", header_text);
    assert_int_equal(fclose(header_text) | fclose(numbers), 0);

    unsigned char *file = malloc(8 + header_size + data_size);
    assert_non_null(file);
    uint64_t length = header_size;
    memcpy(file, &length, 8);
    memcpy(file + 8, header, header_size);
    memcpy(file + 8 + header_size, data, data_size);
    scratch_write(path, file, 8 + header_size + data_size);
    free(file);
    free(header);
    free(data);
}

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->scratch = scratch_make();
    fixture->config = scratch_path(&fixture->scratch, "config.json");
    fixture->weights = scratch_path(&fixture->scratch, "model.safetensors");
    scratch_write(fixture->config, small_config, strlen(small_config));
    write_weights(fixture->weights, false, -1, 0, 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    scratch_remove(&fixture->scratch);
    free(fixture->config);
    free(fixture->weights);
    free(fixture);
    return 0;
}

/* Writes config.json with the keys of `edit` set; a key whose value is "REMOVE" is taken out. */
static void edit_config(const struct fixture *fixture, const char *edit) {
    json_error_t reason;
    json_t *config = json_loads(small_config, 0, &reason), *changes = json_loads(edit, 0, &reason);
    if (!config || !changes) fail_msg("%s: %s", edit, reason.text);
    const char *key;
    json_t *value;
    json_object_foreach(changes, key, value) {
        const char *text = json_string_value(value);
        if (text && strcmp(text, "REMOVE") == 0) {
            assert_int_equal(json_object_del(config, key), 0);
        } else {
            assert_int_equal(json_object_set(config, key, value), 0);
        }
    }
    remove(fixture->config);
    assert_int_equal(json_dump_file(config, fixture->config, 0), 0);
    json_decref(config);
    json_decref(changes);
}

static struct model *load(const struct fixture *fixture) {
    struct model *model = NULL;
    struct error error;
    if (model_load(fixture->scratch.dir, &model, &error) != STATUS_OK) fail_msg("%s", error.message);
    return model;
}

/* Loading ends with `status` and a message of those words. */
static void assert_refused(const struct fixture *fixture, const char *edit, const char *words) {
    struct model *model = NULL;
    struct error error = {""};
    int status = model_load(fixture->scratch.dir, &model, &error);
    if (status == STATUS_OK) fail_msg("not refused: %s", edit);
    assert_null(model);
    assert_int_equal(status, STATUS_INPUT);
    assert_message(error.message, fixture->scratch.dir);
    assert_message(error.message, words);
}

/* ---- Loading ---- */

/* Tensor t lies at `found`, as write_weights() numbered it. */
static void assert_tensor(const float *found, int t) {
    int64_t count = small_tensors[t].rows * (small_tensors[t].columns ? small_tensors[t].columns : 1);
    assert_int_equal((uintptr_t)found % 64, 0);
    for (int64_t i = 0; i < count; i++) assert_true(found[i] == (float)(1000 * t + i));
}

static void test_loads_a_model(void **state) {
    const struct fixture *fixture = *state;
    struct model *model = load(fixture);
    assert_string_equal(model->config.family, "llama");
    assert_int_equal(model->config.vocabulary, 11);
    assert_int_equal(model->config.hidden, 10);
    assert_int_equal(model->config.intermediate, 14);
    assert_int_equal(model->config.layers, 2);
    assert_int_equal(model->config.heads, 3);
    assert_int_equal(model->config.kv_heads, 1);
    assert_int_equal(model->config.head_width, 4);
    assert_int_equal(model->config.window, 64);
    assert_true(model->config.rope_theta == 500000);
    assert_true(model->config.norm_eps == 1e-5);
    assert_false(model->config.tied_embeddings);

    assert_tensor(model->embedding, 0);
    for (int l = 0; l < 2; l++) {
        const struct model_layer *layer = &model->layers[l];
        const float *const matrices[] = {layer->attention_norm, layer->query, layer->key, layer->value, layer->output,
                                         layer->mlp_norm,       layer->gate,  layer->up,  layer->down};
        for (int m = 0; m < 9; m++) assert_tensor(matrices[m], 1 + 9 * l + m);
    }
    assert_tensor(model->norm, 19);
    assert_tensor(model->logits, 20);
    model_free(model);
    model_free(NULL);
}

static void test_loads_half_precision(void **state) {
    const struct fixture *fixture = *state;
    write_weights(fixture->weights, true, -1, 0, 0);
    struct model *model = load(fixture);
    float number = 19003;
    uint32_t bits;
    memcpy(&bits, &number, 4);
    bits &= 0xffff0000u; /* what BF16 keeps of it */
    memcpy(&number, &bits, 4);
    assert_true(model->norm[3] == number);
    model_free(model);
}

/* With tied embeddings the output matrix is the embedding, whether the file has one or not. */
static void test_ties_embeddings(void **state) {
    const struct fixture *fixture = *state;
    edit_config(fixture, "{\"tie_word_embeddings\": true}");
    for (int rows = 0; rows < 2; rows++) {
        write_weights(fixture->weights, false, 20, rows, 1);
        struct model *model = load(fixture);
        assert_true(model->config.tied_embeddings);
        assert_ptr_equal(model->logits, model->embedding);
        assert_tensor(model->norm, 19);
        model_free(model);
    }
}

static void test_fills_in_defaults(void **state) {
    const struct fixture *fixture = *state;
    edit_config(fixture, "{\"rope_theta\": \"REMOVE\", \"rms_norm_eps\": \"REMOVE\", \"hidden_act\": \"REMOVE\"}");
    struct model *model = load(fixture);
    assert_true(model->config.rope_theta == 10000);
    assert_true(model->config.norm_eps == 1e-6);
    model_free(model);
}

/* Without the key or with null: heads for key/value heads, hidden / heads for the head width. The
 * small model's tensors then have other shapes, and the message tells which were wanted. */
static void test_derives_heads(void **state) {
    const struct fixture *fixture = *state;
    static const char *const edits[][2] = {
        {"{\"num_key_value_heads\": \"REMOVE\"}", "layers.0.self_attn.k_proj.weight|shape [4, 10]|wants [12, 10]"},
        {"{\"num_key_value_heads\": null}", "layers.0.self_attn.k_proj.weight|shape [4, 10]|wants [12, 10]"},
        {"{\"num_attention_heads\": 1, \"head_dim\": \"REMOVE\"}", "q_proj.weight|shape [12, 10]|wants [10, 10]"},
        {"{\"num_attention_heads\": 1, \"head_dim\": null}", "q_proj.weight|shape [12, 10]|wants [10, 10]"},
    };
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        edit_config(fixture, edits[i][0]);
        assert_refused(fixture, edits[i][0], edits[i][1]);
    }
}

static void test_reads_rope_settings(void **state) {
    const struct fixture *fixture = *state;
    static const struct {
        const char *edit;
        double theta;
    } cases[] = {
        {"{\"rope_theta\": 1234.5}", 1234.5},
        {"{\"rope_scaling\": null}", 500000},
        {"{\"rope_parameters\": null}", 500000},
        {"{\"rope_scaling\": {\"rope_type\": \"default\"}}", 500000},
        {"{\"rope_scaling\": {\"type\": \"default\", \"factor\": 1.0}}", 500000},
        {"{\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 500000.0}}", 500000},
        {"{\"rope_theta\": \"REMOVE\", \"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 20000.0}}",
         20000},
        {"{\"rope_theta\": \"REMOVE\", \"rope_parameters\": {\"rope_type\": \"default\"}}", 10000},
        {"{\"partial_rotary_factor\": 1.0}", 500000},
        {"{\"rope_parameters\": {\"rope_type\": \"default\", \"partial_rotary_factor\": 1}}", 500000},
        {"{\"attention_bias\": false, \"mlp_bias\": false, \"pretraining_tp\": 1}", 500000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        edit_config(fixture, cases[i].edit);
        struct model *model = load(fixture);
        assert_true(model->config.rope_theta == cases[i].theta);
        model_free(model);
    }
}

static void test_fingerprint_follows_the_bytes(void **state) {
    const struct fixture *fixture = *state;
    struct model *model = load(fixture);
    uint64_t first = model->fingerprint;
    assert_true(first != 0);
    model_free(model);

    model = load(fixture);
    assert_true(model->fingerprint == first);
    model_free(model);

    FILE *file = fopen(fixture->weights, "r+b"); /* the last number's least bit */
    assert_non_null(file);
    assert_int_equal(fseek(file, -4, SEEK_END), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, -4, SEEK_END), 0);
    fputc(byte ^ 1, file);
    assert_int_equal(fclose(file), 0);
    model = load(fixture);
    uint64_t second = model->fingerprint;
    assert_true(second != first);
    model_free(model);

    file = fopen(fixture->config, "ab"); /* a blank: the same model, but not the same file */
    assert_non_null(file);
    fputc(' ', file);
    assert_int_equal(fclose(file), 0);
    model = load(fixture);
    assert_true(model->fingerprint != first && model->fingerprint != second);
    model_free(model);
}

/* ---- Refusing ---- */

static void test_refuses_configurations(void **state) {
    const struct fixture *fixture = *state;
    static const char *const cases[][2] = {
        {"{\"model_type\": \"REMOVE\"}", "config.json|model_type"},
        {"{\"model_type\": 3}", "config.json|model_type"},
        {"{\"model_type\": \"gpt2\"}", "config.json|\"gpt2\"|llama"},
        {"{\"hidden_act\": \"gelu\"}", "hidden_act \"gelu\"|\"silu\""},
        {"{\"attention_bias\": true}", "attention_bias true|false"},
        {"{\"mlp_bias\": true}", "mlp_bias true|false"},
        {"{\"mlp_bias\": 0}", "mlp_bias 0|false"},
        {"{\"quantization_config\": {\"quant_method\": \"awq\"}}", "quantization_config|awq"},
        {"{\"partial_rotary_factor\": 0.5}", "partial_rotary_factor 0.5|only 1"},
        {"{\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0}}", "rope_scaling.rope_type \"llama3\""},
        {"{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 8.0}}", "rope_scaling.type \"linear\"|\"default\""},
        {"{\"rope_scaling\": {\"type\": \"default\", \"rope_type\": \"yarn\"}}", "rope_scaling.rope_type \"yarn\""},
        {"{\"rope_scaling\": {\"factor\": 8.0}}", "rope_scaling has no rope_type"},
        {"{\"rope_scaling\": \"linear\"}", "rope_scaling is not an object"},
        {"{\"rope_parameters\": {\"rope_type\": \"longrope\"}}", "rope_parameters.rope_type \"longrope\""},
        {"{\"rope_parameters\": {\"rope_theta\": 500000}}", "rope_parameters has no rope_type"},
        {"{\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\"}}}", "rope_parameters|rope_type"},
        {"{\"rope_parameters\": [1]}", "rope_parameters is not an object"},
        {"{\"rope_parameters\": {\"rope_type\": \"default\", \"partial_rotary_factor\": 0.25}}",
         "rope_parameters.partial_rotary_factor 0.25|only 1"},
        {"{\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 10000.0}}",
         "rope_theta|500000|10000|contradict"},
        {"{\"rope_theta\": \"10000\"}", "rope_theta is not a number"},
        {"{\"rope_theta\": 0}", "rope_theta is 0"},
        {"{\"rope_theta\": 1}", "rope_theta is 1"},
        {"{\"rope_theta\": -10000.0}", "rope_theta is -10000"},
        {"{\"rope_theta\": 1e300}", "rope_theta is 1e+300"},
        {"{\"rms_norm_eps\": 0}", "rms_norm_eps is 0"},
        {"{\"rms_norm_eps\": 1.5}", "rms_norm_eps is 1.5"},
        {"{\"rms_norm_eps\": true}", "rms_norm_eps is not a number"},
        {"{\"tie_word_embeddings\": 1}", "tie_word_embeddings|true or false"},
        {"{\"vocab_size\": \"REMOVE\"}", "no vocab_size"},
        {"{\"vocab_size\": null}", "no vocab_size"},
        {"{\"vocab_size\": 11.0}", "vocab_size is not an integer"},
        {"{\"vocab_size\": 0}", "vocab_size is 0"},
        {"{\"vocab_size\": 16777217}", "vocab_size is 16777217|16777216"},
        {"{\"hidden_size\": -10}", "hidden_size is -10"},
        {"{\"hidden_size\": 9223372036854775807}", "hidden_size is 9223372036854775807"},
        {"{\"intermediate_size\": \"REMOVE\"}", "no intermediate_size"},
        {"{\"intermediate_size\": 0}", "intermediate_size is 0"},
        {"{\"num_hidden_layers\": 0}", "num_hidden_layers is 0"},
        {"{\"num_hidden_layers\": 4097}", "num_hidden_layers is 4097"},
        {"{\"num_attention_heads\": 0}", "num_attention_heads is 0"},
        {"{\"num_attention_heads\": 0, \"head_dim\": \"REMOVE\"}", "num_attention_heads is 0"},
        {"{\"num_attention_heads\": \"REMOVE\"}", "no num_attention_heads"},
        {"{\"num_key_value_heads\": 0}", "num_key_value_heads is 0"},
        {"{\"num_key_value_heads\": 2}", "num_attention_heads (3)|num_key_value_heads (2)"},
        {"{\"num_key_value_heads\": 6}", "num_attention_heads (3)|num_key_value_heads (6)"},
        {"{\"head_dim\": 0}", "head_dim is 0"},
        {"{\"head_dim\": 5}", "head_dim is 5|even"},
        {"{\"head_dim\": 514}", "head_dim is 514|512"},
        {"{\"head_dim\": \"REMOVE\"}", "no head_dim|hidden_size (10)|num_attention_heads (3)"},
        {"{\"max_position_embeddings\": \"REMOVE\"}", "no max_position_embeddings"},
        {"{\"max_position_embeddings\": 0}", "max_position_embeddings is 0"},
    };
    assert_int_equal(remove(fixture->weights), 0); /* refused before any weight is looked for */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        edit_config(fixture, cases[i][0]);
        assert_refused(fixture, cases[i][0], cases[i][1]);
        assert_refused(fixture, cases[i][0], "config.json");
    }
}

static void test_refuses_malformed_configurations(void **state) {
    const struct fixture *fixture = *state;
    static const char *const cases[][2] = {
        {"", "config.json|empty"},
        {"{\n\n\"a\": }", "config.json:3|JSON"},
        {"[1]", "config.json|not a JSON object"},
        {"{\"model_type\": \"llama\", \"model_type\": \"llama\"}", "config.json|duplicate"},
        {"{\"model_type\": \"\xff\"}", "config.json|JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scratch_write(fixture->config, cases[i][0], strlen(cases[i][0]));
        assert_refused(fixture, cases[i][0], cases[i][1]);
    }
    for (size_t size = 0; size < strlen(small_config); size++) {
        scratch_write(fixture->config, small_config, size);
        assert_refused(fixture, "truncated config.json", "config.json");
    }
    assert_int_equal(remove(fixture->config), 0);
    assert_refused(fixture, "no config.json", "config.json|No such file");
}

static void test_refuses_missing_and_sharded_weights(void **state) {
    const struct fixture *fixture = *state;
    assert_int_equal(remove(fixture->weights), 0);
    assert_refused(fixture, "no weights", "model.safetensors|No such file");

    char *index = scratch_path(&fixture->scratch, "model.safetensors.index.json");
    scratch_write(index, "{}", 2);
    assert_refused(fixture, "sharded weights", "model.safetensors.index.json|sharded weights are not supported");

    /* Where both are there, the one file is enough. */
    write_weights(fixture->weights, false, -1, 0, 0);
    model_free(load(fixture));
    free(index);
}

/* Each tensor in turn: left out, with a row more, transposed or of another rank. */
static void test_refuses_wrong_tensors(void **state) {
    const struct fixture *fixture = *state;
    for (int t = 0; t < SMALL_TENSORS; t++) {
        const struct entry *entry = &small_tensors[t];
        char words[128], wanted[32];
        snprintf(wanted, sizeof wanted, entry->columns ? "[%d, %d]" : "[%d]", (int)entry->rows, (int)entry->columns);
        write_weights(fixture->weights, false, t, 0, 0);
        snprintf(words, sizeof words, "model.safetensors|no tensor '%s'|%s", entry->name, wanted);
        assert_refused(fixture, entry->name, words);

        int64_t rows = entry->rows + 1, columns = entry->columns;
        write_weights(fixture->weights, false, t, rows, columns);
        snprintf(words, sizeof words, columns ? "tensor '%s' has shape [%d, %d]" : "tensor '%s' has shape [%d]",
                 entry->name, (int)rows, (int)columns);
        assert_refused(fixture, entry->name, words);
        snprintf(words, sizeof words, "wants %s", wanted);
        assert_refused(fixture, entry->name, words);

        /* a vector as a matrix of one column, a matrix transposed (none is square) */
        rows = columns ? entry->columns : entry->rows;
        columns = columns ? entry->rows : 1;
        write_weights(fixture->weights, false, t, rows, columns);
        snprintf(words, sizeof words, "tensor '%s' has shape [%d, %d]|wants %s", entry->name, (int)rows, (int)columns,
                 wanted);
        assert_refused(fixture, entry->name, words);
    }
}

/* A configuration of terabytes with a file of kilobytes: the shapes say no before memory is asked for. */
static void test_checks_shapes_before_allocating(void **state) {
    const struct fixture *fixture = *state;
    static const char *const cases[][2] = {
        {"{\"vocab_size\": 16777216, \"hidden_size\": 1048576, \"intermediate_size\": 4194304,"
         " \"num_hidden_layers\": 4096, \"num_attention_heads\": 8192, \"num_key_value_heads\": 8192,"
         " \"head_dim\": 512}",
         "tensor 'model.layers.0.input_layernorm.weight' has shape [10]|wants [1048576]"},
        {"{\"num_hidden_layers\": 4096}", "no tensor 'model.layers.2.input_layernorm.weight'"},
        {"{\"vocab_size\": 16777216}", "'model.embed_tokens.weight' has shape [11, 10]|wants [16777216, 10]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        edit_config(fixture, cases[i][0]);
        assert_refused(fixture, cases[i][0], cases[i][1]);
    }
}

static void test_refuses_damaged_weights(void **state) {
    const struct fixture *fixture = *state;
    struct stat info;
    assert_int_equal(stat(fixture->weights, &info), 0);
    assert_int_equal(truncate(fixture->weights, info.st_size - 1), 0);
    assert_refused(fixture, "truncated weights", "model.safetensors|lm_head.weight|truncated");
}

static void test_refuses_paths(void **state) {
    const struct fixture *fixture = *state;
    struct model *model = NULL;
    struct error error;
    assert_int_equal(model_load(fixture->weights, &model, &error), STATUS_INPUT); /* a file, not a folder */
    assert_message(error.message, "config.json|Not a directory");

    char path[2 * PATH_MAX];
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    assert_int_equal(model_load(path, &model, &error), STATUS_INPUT);
    assert_message(error.message, "too long");
    assert_null(model);
}

/* ---- Models made in memory ---- */

static const struct model_config small = {
    .family = "llama",
    .vocabulary = 11,
    .hidden = 10,
    .intermediate = 14,
    .layers = 2,
    .heads = 3,
    .kv_heads = 1,
    .head_width = 4,
    .window = 64,
    .rope_theta = 10000,
    .norm_eps = 1e-5,
};

static void collect(const struct model *model, const float *out[SMALL_TENSORS]) {
    out[0] = model->embedding;
    for (int l = 0; l < 2; l++) {
        const struct model_layer *layer = &model->layers[l];
        const float *const matrices[] = {layer->attention_norm, layer->query, layer->key, layer->value, layer->output,
                                         layer->mlp_norm,       layer->gate,  layer->up,  layer->down};
        memcpy(out + 1 + 9 * l, matrices, sizeof matrices);
    }
    out[19] = model->norm;
    out[20] = model->logits;
}

/* Every matrix can be filled without touching another. */
static void test_creates_separate_matrices(void **state) {
    (void)state;
    struct model *model = NULL;
    struct error error;
    assert_int_equal(model_create(&small, &model, &error), STATUS_OK);
    assert_int_equal(model->fingerprint, 0);
    assert_memory_equal(&model->config.vocabulary, &small.vocabulary, sizeof(int64_t));

    const float *matrices[SMALL_TENSORS];
    collect(model, matrices);
    for (int pass = 0; pass < 2; pass++) {
        for (int t = 0; t < SMALL_TENSORS; t++) {
            int64_t count = small_tensors[t].rows * (small_tensors[t].columns ? small_tensors[t].columns : 1);
            float *matrix = model->storage + (matrices[t] - model->storage);
            assert_int_equal((uintptr_t)matrix % 64, 0);
            for (int64_t i = 0; i < count; i++) {
                if (pass == 0) matrix[i] = (float)(1000 * t + i);
                assert_true(matrix[i] == (float)(1000 * t + i)); /* on the second pass: as it was left */
            }
        }
    }
    model_free(model);
}

static void test_creates_tied_models(void **state) {
    (void)state;
    struct model_config config = small;
    config.tied_embeddings = true;
    struct model *model = NULL;
    struct error error;
    assert_int_equal(model_create(&config, &model, &error), STATUS_OK);
    assert_ptr_equal(model->logits, model->embedding);
    model_free(model);
}

static void test_create_refuses(void **state) {
    (void)state;
    struct model *model = NULL;
    struct error error;
    struct model_config config = small;
    config.layers = 0;
    assert_int_equal(model_create(&config, &model, &error), STATUS_INPUT);
    assert_message(error.message, "num_hidden_layers is 0");
    config = small;
    config.head_width = 3;
    assert_int_equal(model_create(&config, &model, &error), STATUS_INPUT);
    assert_message(error.message, "head_dim is 3|even");
    config = small;
    config.rope_theta = NAN;
    assert_int_equal(model_create(&config, &model, &error), STATUS_INPUT);
    assert_message(error.message, "rope_theta");
    config = small;
    config.norm_eps = NAN;
    assert_int_equal(model_create(&config, &model, &error), STATUS_INPUT);
    assert_message(error.message, "rms_norm_eps");
    assert_null(model);
}

/* The largest sizes that are let through: no product overflows, and the memory cannot be had. */
static void test_reports_lack_of_memory(void **state) {
    (void)state;
    struct model_config config = small;
    config.vocabulary = 1 << 24;
    config.hidden = 1 << 20;
    config.intermediate = 1 << 22;
    config.layers = 1 << 12;
    config.heads = config.kv_heads = 1 << 13;
    config.head_width = 512;
    struct model *model = NULL;
    struct error error;
    assert_int_equal(model_create(&config, &model, &error), STATUS_FAILED);
    assert_message(error.message, "out of memory|MiB|weights");
    assert_null(model);
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FILES(test_loads_a_model),
        WITH_FILES(test_loads_half_precision),
        WITH_FILES(test_ties_embeddings),
        WITH_FILES(test_fills_in_defaults),
        WITH_FILES(test_derives_heads),
        WITH_FILES(test_reads_rope_settings),
        WITH_FILES(test_fingerprint_follows_the_bytes),
        WITH_FILES(test_refuses_configurations),
        WITH_FILES(test_refuses_malformed_configurations),
        WITH_FILES(test_refuses_missing_and_sharded_weights),
        WITH_FILES(test_refuses_wrong_tensors),
        WITH_FILES(test_checks_shapes_before_allocating),
        WITH_FILES(test_refuses_damaged_weights),
        WITH_FILES(test_refuses_paths),
        cmocka_unit_test(test_creates_separate_matrices),
        cmocka_unit_test(test_creates_tied_models),
        cmocka_unit_test(test_create_refuses),
        cmocka_unit_test(test_reports_lack_of_memory),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
