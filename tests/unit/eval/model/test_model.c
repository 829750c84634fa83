/* eval/model/model: where each family's tensors land, from one file or from shards, and what is refused of them.
 * What config.json may say is test_model_config's. */
#include "tests/unit/tensors.h"

#include <math.h>
#include <sys/stat.h>

#include "eval/base/file.h"
#include "eval/clex.h"
#include "eval/model/model.h"

/* Address sanitizer stops a program that asks for absurd amounts of memory; here it is to be told no. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "allocator_may_return_null=1"; }

/* ---- A small model on disk ---- */

/* 3 query heads of 4 on 1 key/value head, so that no two sides that could be mixed up are equal. */
enum { VOCABULARY = 11, HIDDEN = 10, INTERMEDIATE = 14, LAYERS = 2, QUERY = 12, KEY = 4, HEAD = 4 };

static const char small_config[] = "{%s, \"vocab_size\": 11, \"hidden_size\": 10, \"intermediate_size\": 14,"
                                   " \"num_hidden_layers\": %d, \"num_attention_heads\": 3, \"num_key_value_heads\": 1,"
                                   " \"head_dim\": 4, \"max_position_embeddings\": 64}";

/* Where a vector or matrix of a layer comes from. */
struct piece {
    size_t field; /* of struct model_layer */
    const char *tensor;
    int rows, columns; /* 0 columns: a vector */
    int first;         /* of the tensor's rows */
};

/* A family's tensors, by name of one layer, and its pieces. */
struct layout {
    const char *name;
    const char *settings; /* of config.json */
    struct entry entries[20];
    struct piece pieces[20];
};

#define FIELD(member) offsetof(struct model_layer, member)

#define NORM_ENTRIES                                                                                                   \
    {"input_layernorm.weight", 1, HIDDEN, 0}, { "post_attention_layernorm.weight", 2, HIDDEN, 0 }
#define OUTPUT_ENTRIES                                                                                                 \
    {"self_attn.o_proj.weight", 3, HIDDEN, QUERY}, { "mlp.down_proj.weight", 4, HIDDEN, INTERMEDIATE }
#define COMMON_PIECES                                                                                                  \
    {FIELD(attention_norm), "input_layernorm.weight", HIDDEN, 0, 0},                                                   \
        {FIELD(mlp_norm), "post_attention_layernorm.weight", HIDDEN, 0, 0},                                            \
        {FIELD(output), "self_attn.o_proj.weight", HIDDEN, QUERY, 0}, {                                                \
        FIELD(down), "mlp.down_proj.weight", HIDDEN, INTERMEDIATE, 0                                                   \
    }

#define LLAMA_ENTRIES                                                                                                  \
    NORM_ENTRIES, OUTPUT_ENTRIES, {"self_attn.q_proj.weight", 5, QUERY, HIDDEN},                                       \
        {"self_attn.k_proj.weight", 6, KEY, HIDDEN}, {"self_attn.v_proj.weight", 7, KEY, HIDDEN},                      \
        {"mlp.gate_proj.weight", 8, INTERMEDIATE, HIDDEN}, {                                                           \
        "mlp.up_proj.weight", 9, INTERMEDIATE, HIDDEN                                                                  \
    }
#define LLAMA_PIECES                                                                                                   \
    COMMON_PIECES, {FIELD(query), "self_attn.q_proj.weight", QUERY, HIDDEN, 0},                                        \
        {FIELD(key), "self_attn.k_proj.weight", KEY, HIDDEN, 0},                                                       \
        {FIELD(value), "self_attn.v_proj.weight", KEY, HIDDEN, 0},                                                     \
        {FIELD(gate), "mlp.gate_proj.weight", INTERMEDIATE, HIDDEN, 0}, {                                              \
        FIELD(up), "mlp.up_proj.weight", INTERMEDIATE, HIDDEN, 0                                                       \
    }

#define QKV_BIAS_ENTRIES                                                                                               \
    {"self_attn.q_proj.bias", 10, QUERY, 0}, {"self_attn.k_proj.bias", 11, KEY, 0}, {                                  \
        "self_attn.v_proj.bias", 12, KEY, 0                                                                            \
    }
#define QKV_BIAS_PIECES                                                                                                \
    {FIELD(query_bias), "self_attn.q_proj.bias", QUERY, 0, 0}, {FIELD(key_bias), "self_attn.k_proj.bias", KEY, 0, 0},  \
    {                                                                                                                  \
        FIELD(value_bias), "self_attn.v_proj.bias", KEY, 0, 0                                                          \
    }

enum { LAYOUTS = 12 };
static const struct layout layouts[LAYOUTS] = {
    {.name = "llama", .settings = "\"model_type\": \"llama\"", .entries = {LLAMA_ENTRIES}, .pieces = {LLAMA_PIECES}},
    {.name = "llama with attention_bias",
     .settings = "\"model_type\": \"llama\", \"attention_bias\": true",
     .entries = {LLAMA_ENTRIES, QKV_BIAS_ENTRIES, {"self_attn.o_proj.bias", 13, HIDDEN, 0}},
     .pieces = {LLAMA_PIECES, QKV_BIAS_PIECES, {FIELD(output_bias), "self_attn.o_proj.bias", HIDDEN, 0, 0}}},
    {.name = "llama with mlp_bias",
     .settings = "\"model_type\": \"llama\", \"mlp_bias\": true",
     .entries = {LLAMA_ENTRIES,
                 {"mlp.gate_proj.bias", 10, INTERMEDIATE, 0},
                 {"mlp.up_proj.bias", 11, INTERMEDIATE, 0},
                 {"mlp.down_proj.bias", 12, HIDDEN, 0}},
     .pieces = {LLAMA_PIECES,
                {FIELD(gate_bias), "mlp.gate_proj.bias", INTERMEDIATE, 0, 0},
                {FIELD(up_bias), "mlp.up_proj.bias", INTERMEDIATE, 0, 0},
                {FIELD(down_bias), "mlp.down_proj.bias", HIDDEN, 0, 0}}},
    {.name = "mistral",
     .settings = "\"model_type\": \"mistral\"",
     .entries = {LLAMA_ENTRIES},
     .pieces = {LLAMA_PIECES}},
    {.name = "qwen2",
     .settings = "\"model_type\": \"qwen2\"",
     .entries = {LLAMA_ENTRIES, QKV_BIAS_ENTRIES},
     .pieces = {LLAMA_PIECES, QKV_BIAS_PIECES}},
    {.name = "qwen3",
     .settings = "\"model_type\": \"qwen3\"",
     .entries = {LLAMA_ENTRIES, {"self_attn.q_norm.weight", 10, HEAD, 0}, {"self_attn.k_norm.weight", 11, HEAD, 0}},
     .pieces = {LLAMA_PIECES,
                {FIELD(query_norm), "self_attn.q_norm.weight", HEAD, 0, 0},
                {FIELD(key_norm), "self_attn.k_norm.weight", HEAD, 0, 0}}},
    {.name = "phi3",
     .settings = "\"model_type\": \"phi3\"",
     .entries = {NORM_ENTRIES,
                 OUTPUT_ENTRIES,
                 {"self_attn.qkv_proj.weight", 5, QUERY + 2 * KEY, HIDDEN},
                 {"mlp.gate_up_proj.weight", 6, 2 * INTERMEDIATE, HIDDEN}},
     .pieces = {COMMON_PIECES,
                {FIELD(query), "self_attn.qkv_proj.weight", QUERY, HIDDEN, 0},
                {FIELD(key), "self_attn.qkv_proj.weight", KEY, HIDDEN, QUERY},
                {FIELD(value), "self_attn.qkv_proj.weight", KEY, HIDDEN, QUERY + KEY},
                {FIELD(gate), "mlp.gate_up_proj.weight", INTERMEDIATE, HIDDEN, 0},
                {FIELD(up), "mlp.gate_up_proj.weight", INTERMEDIATE, HIDDEN, INTERMEDIATE}}},
    {.name = "smollm3",
     .settings = "\"model_type\": \"smollm3\", \"no_rope_layers\": [1, 0], \"tie_word_embeddings\": false",
     .entries = {LLAMA_ENTRIES},
     .pieces = {LLAMA_PIECES}},
    {.name = "olmo2",
     .settings = "\"model_type\": \"olmo2\"",
     .entries = {OUTPUT_ENTRIES,
                 {"self_attn.q_proj.weight", 5, QUERY, HIDDEN},
                 {"self_attn.k_proj.weight", 6, KEY, HIDDEN},
                 {"self_attn.v_proj.weight", 7, KEY, HIDDEN},
                 {"mlp.gate_proj.weight", 8, INTERMEDIATE, HIDDEN},
                 {"mlp.up_proj.weight", 9, INTERMEDIATE, HIDDEN},
                 {"self_attn.q_norm.weight", 10, QUERY, 0},
                 {"self_attn.k_norm.weight", 11, KEY, 0},
                 {"post_attention_layernorm.weight", 12, HIDDEN, 0},
                 {"post_feedforward_layernorm.weight", 13, HIDDEN, 0}},
     .pieces = {{FIELD(output), "self_attn.o_proj.weight", HIDDEN, QUERY, 0},
                {FIELD(down), "mlp.down_proj.weight", HIDDEN, INTERMEDIATE, 0},
                {FIELD(query), "self_attn.q_proj.weight", QUERY, HIDDEN, 0},
                {FIELD(key), "self_attn.k_proj.weight", KEY, HIDDEN, 0},
                {FIELD(value), "self_attn.v_proj.weight", KEY, HIDDEN, 0},
                {FIELD(gate), "mlp.gate_proj.weight", INTERMEDIATE, HIDDEN, 0},
                {FIELD(up), "mlp.up_proj.weight", INTERMEDIATE, HIDDEN, 0},
                {FIELD(query_norm), "self_attn.q_norm.weight", QUERY, 0, 0},
                {FIELD(key_norm), "self_attn.k_norm.weight", KEY, 0, 0},
                {FIELD(attention_post_norm), "post_attention_layernorm.weight", HIDDEN, 0, 0},
                {FIELD(mlp_post_norm), "post_feedforward_layernorm.weight", HIDDEN, 0, 0}}},
    {.name = "ministral3",
     .settings = "\"model_type\": \"ministral3\"",
     .entries = {LLAMA_ENTRIES},
     .pieces = {LLAMA_PIECES}},
    {.name = "minicpm",
     .settings = "\"model_type\": \"minicpm\", \"tie_word_embeddings\": false",
     .entries = {LLAMA_ENTRIES},
     .pieces = {LLAMA_PIECES}},
    {.name = "mixtral with one expert",
     .settings = "\"model_type\": \"mixtral\", \"num_local_experts\": 1, \"num_experts_per_tok\": 1",
     .entries = {NORM_ENTRIES,
                 {"self_attn.o_proj.weight", 3, HIDDEN, QUERY},
                 {"self_attn.q_proj.weight", 5, QUERY, HIDDEN},
                 {"self_attn.k_proj.weight", 6, KEY, HIDDEN},
                 {"self_attn.v_proj.weight", 7, KEY, HIDDEN},
                 {"block_sparse_moe.gate.weight", 8, 1, HIDDEN},
                 {"block_sparse_moe.experts.0.w1.weight", 9, INTERMEDIATE, HIDDEN},
                 {"block_sparse_moe.experts.0.w2.weight", 10, HIDDEN, INTERMEDIATE},
                 {"block_sparse_moe.experts.0.w3.weight", 11, INTERMEDIATE, HIDDEN}},
     .pieces = {{FIELD(attention_norm), "input_layernorm.weight", HIDDEN, 0, 0},
                {FIELD(mlp_norm), "post_attention_layernorm.weight", HIDDEN, 0, 0},
                {FIELD(output), "self_attn.o_proj.weight", HIDDEN, QUERY, 0},
                {FIELD(query), "self_attn.q_proj.weight", QUERY, HIDDEN, 0},
                {FIELD(key), "self_attn.k_proj.weight", KEY, HIDDEN, 0},
                {FIELD(value), "self_attn.v_proj.weight", KEY, HIDDEN, 0},
                {FIELD(router), "block_sparse_moe.gate.weight", 1, HIDDEN, 0}}},
};

/* All tensors of a model: layer l's number e is 20 l + e; then the outer ones'. */
enum { EMBEDDING = 100, NORM, LOGITS, MOST_ENTRIES = 64 };

static int list_entries(const struct layout *layout, struct entry out[MOST_ENTRIES]) {
    static const struct entry outer[] = {{"model.embed_tokens.weight", EMBEDDING, VOCABULARY, HIDDEN},
                                         {"model.norm.weight", NORM, HIDDEN, 0},
                                         {"lm_head.weight", LOGITS, VOCABULARY, HIDDEN}};
    int count = 0;
    for (int l = 0; l < LAYERS; l++) {
        for (const struct entry *entry = layout->entries; *entry->name; entry++) {
            out[count] = *entry;
            out[count].id = 20 * l + entry->id;
            snprintf(out[count++].name, sizeof out->name, "model.layers.%d.%.40s", l, entry->name);
        }
    }
    memcpy(out + count, outer, sizeof outer);
    return count + 3;
}

struct fixture {
    struct scratch scratch;
    char *config;  /* path of config.json */
    char *weights; /* path of model.safetensors */
};

static void write_config(const struct fixture *fixture, const char *settings, int layers) {
    char text[1024];
    int length = snprintf(text, sizeof text, small_config, settings, layers);
    scratch_write(fixture->config, text, (size_t)length);
}

static void write_model(const struct fixture *fixture, const struct layout *layout, bool half) {
    struct entry entries[MOST_ENTRIES];
    int count = list_entries(layout, entries);
    write_config(fixture, layout->settings, LAYERS);
    tensors_write(fixture->weights, entries, count, half);
}

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->scratch = scratch_make();
    fixture->config = scratch_path(&fixture->scratch, "config.json");
    fixture->weights = scratch_path(&fixture->scratch, "model.safetensors");
    write_model(fixture, &layouts[0], false);
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

static struct model *load(const struct fixture *fixture, enum model_type type) {
    struct model *model = NULL;
    struct error error;
    if (model_load(fixture->scratch.dir, type, &model, &error) != STATUS_OK) fail_msg("%s", error.message);
    return model;
}

/* ---- CLEX ---- */

/* Behind the tensors of the first layout: U and D of 2 pairs and 4 columns, whose numbers are 0, 1, 2, ... */
enum { CLEX_PAIRS = HEAD / 2, CLEX_WIDTH = HEAD, CLEX_UP = 0, CLEX_FREQUENCIES, CLEX_DOWN, CLEX_ENTRIES };

static const char clex_settings[] = "\"model_type\": \"llama\", \"rope_theta\": 2.5e5, \"rope_scaling\":"
                                    " {\"type\": \"clex\", \"max_factor\": %d, \"param_factor\": 1,"
                                    " \"act\": \"tanh\", \"time_dt\": 0.1}";

static int list_clex(struct entry out[MOST_ENTRIES]) {
    const struct entry clex[CLEX_ENTRIES] = {
        [CLEX_UP] = {"model.clex_layer.proj_func.ode_up_proj", 0, CLEX_PAIRS, CLEX_WIDTH},
        [CLEX_DOWN] = {"model.clex_layer.proj_func.ode_down_proj", 0, CLEX_WIDTH, CLEX_PAIRS},
        [CLEX_FREQUENCIES] = {"model.clex_layer.inv_freq", 0, 0, 0}};
    int count = list_entries(&layouts[0], out);
    memcpy(out + count, clex, sizeof clex);
    return count + CLEX_ENTRIES;
}

static void write_clex_config(const struct fixture *fixture, int max_factor) {
    char settings[256];
    snprintf(settings, sizeof settings, clex_settings, max_factor);
    write_config(fixture, settings, LAYERS);
}

/* Loading ends with a message of those words. */
static void assert_refused(const struct fixture *fixture, const char *words) {
    struct model *model = NULL;
    struct error error = {""};
    int status = model_load(fixture->scratch.dir, MODEL_F32, &model, &error);
    if (status == STATUS_OK) fail_msg("not refused: %s", words);
    assert_null(model);
    assert_int_equal(status, STATUS_INPUT);
    assert_message(error.message, fixture->scratch.dir);
    assert_message(error.message, words);
}

/* ---- What lies where ---- */

/* As the file holds it and the kernels round it. */
static float number_of(const struct model *model, int id, int at, bool half) {
    float number = (float)(1000 * id + at);
    if (half) {
        uint32_t bits;
        memcpy(&bits, &number, 4);
        number = number_of_bf16((uint16_t)(bits >> 16)); /* what BF16 keeps of it */
    }
    return model->kernels->type == NUMBER_BF16 ? number_of_bf16(number_to_bf16(number)) : number;
}

/* The matrix is rows first.. of tensor `id`. */
static void assert_matrix(const struct model *model, const struct matrix *matrix, int id, const struct piece *piece,
                          bool half) {
    float row[INTERMEDIATE];
    assert_int_equal(matrix->outputs, piece->rows);
    assert_int_equal(matrix->inputs, piece->columns);
    assert_int_equal((uintptr_t)matrix->data % KERNELS_ALIGNMENT, 0);
    for (int r = 0; r < piece->rows; r++) {
        model->kernels->unpack_row(row, matrix, r);
        for (int c = 0; c < piece->columns; c++) {
            assert_true(row[c] == number_of(model, id, (piece->first + r) * piece->columns + c, half));
        }
    }
}

/* Vectors are not operands of products: they stay f32 whatever the kernels. */
static void assert_vector(const float *vector, int id, int count, bool half) {
    assert_non_null(vector);
    assert_int_equal((uintptr_t)vector % KERNELS_ALIGNMENT, 0);
    for (int i = 0; i < count; i++) {
        float number = (float)(1000 * id + i);
        uint32_t bits;
        memcpy(&bits, &number, 4);
        assert_true(vector[i] == (half ? number_of_bf16((uint16_t)(bits >> 16)) : number));
    }
}

static void assert_layer(const struct model *model, const struct layout *layout, int l, bool half) {
    const char *layer = (const char *)&model->layers[l];
    for (const struct piece *piece = layout->pieces; piece->tensor; piece++) {
        const struct entry *entry = layout->entries;
        while (strcmp(entry->name, piece->tensor) != 0) entry++;
        int id = 20 * l + entry->id;
        if (piece->columns) {
            assert_matrix(model, (const struct matrix *)(layer + piece->field), id, piece, half);
        } else {
            assert_vector(*(float *const *)(layer + piece->field), id, piece->rows, half);
        }
    }
}

/* Vectors that the layout does not have are NULL. */
static void assert_no_more(const struct model *model, const struct layout *layout) {
    static const size_t vectors[] = {
        FIELD(query_bias), FIELD(key_bias),       FIELD(value_bias), FIELD(output_bias),         FIELD(query_norm),
        FIELD(key_norm),   FIELD(attention_norm), FIELD(mlp_norm),   FIELD(attention_post_norm), FIELD(mlp_post_norm),
        FIELD(gate_bias),  FIELD(up_bias),        FIELD(down_bias)};
    for (size_t v = 0; v < sizeof vectors / sizeof *vectors; v++) {
        const struct piece *piece = layout->pieces;
        while (piece->tensor && piece->field != vectors[v]) piece++;
        const char *layer = (const char *)&model->layers[LAYERS - 1];
        if (!piece->tensor) assert_null(*(float *const *)(layer + vectors[v]));
    }
}

static void assert_model(const struct model *model, const struct layout *layout, bool half) {
    const struct piece outer = {.rows = VOCABULARY, .columns = HIDDEN};
    assert_matrix(model, &model->embedding, EMBEDDING, &outer, half);
    assert_vector(model->norm, NORM, HIDDEN, half);
    for (int l = 0; l < LAYERS; l++) assert_layer(model, layout, l, half);
    assert_no_more(model, layout);
    if (!model->config.tied_embeddings) assert_matrix(model, &model->logits, LOGITS, &outer, half);
}

/* ---- Loading ---- */

static void test_loads_each_family(void **state) {
    const struct fixture *fixture = *state;
    static const enum model_type types[] = {MODEL_F32, MODEL_BF16};
    for (int i = 0; i < LAYOUTS; i++) {
        for (int half = 0; half < 2; half++) {
            write_model(fixture, &layouts[i], half);
            for (int t = 0; t < 2; t++) {
                struct model *model = load(fixture, types[t]);
                assert_int_equal(model->kernels->type, types[t] == MODEL_F32 ? NUMBER_F32 : NUMBER_BF16);
                assert_model(model, &layouts[i], half);
                model_free(model);
            }
        }
    }
    model_free(NULL);
}

/* Each expert's matrices are those of its number. */
static void test_loads_experts(void **state) {
    const struct fixture *fixture = *state;
    enum { EXPERTS = 3, WIDTH = 6 };
    struct entry entries[MOST_ENTRIES];
    const struct layout *layout = &layouts[5]; /* qwen3's attention */
    int count = list_entries(layout, entries), kept = 0;
    for (int e = 0; e < count; e++) {
        bool dense = strstr(entries[e].name, "layers.1.mlp.") != NULL; /* the second layer has experts */
        if (!dense) entries[kept++] = entries[e];
    }
    static const char *const parts[] = {"gate", "up", "down"};
    for (int e = 0; e < EXPERTS; e++) {
        for (int p = 0; p < 3; p++) {
            struct entry *entry = &entries[kept++];
            snprintf(entry->name, sizeof entry->name, "model.layers.1.mlp.experts.%d.%s_proj.weight", e, parts[p]);
            entry->id = 40 + 3 * e + p;
            entry->rows = p < 2 ? WIDTH : HIDDEN;
            entry->columns = p < 2 ? HIDDEN : WIDTH;
        }
    }
    entries[kept++] = (struct entry){"model.layers.1.mlp.gate.weight", 60, EXPERTS, HIDDEN};
    write_config(fixture,
                 "\"model_type\": \"qwen3_moe\", \"num_experts\": 3, \"num_experts_per_tok\": 2,"
                 " \"moe_intermediate_size\": 6, \"mlp_only_layers\": [0]",
                 LAYERS);
    tensors_write(fixture->weights, entries, kept, false);
    struct model *model = load(fixture, MODEL_F32);
    const struct piece router = {.rows = EXPERTS, .columns = HIDDEN}, in = {.rows = WIDTH, .columns = HIDDEN},
                       out = {.rows = HIDDEN, .columns = WIDTH};
    assert_null(model->layers[0].experts);
    assert_matrix(model, &model->layers[1].router, 60, &router, false);
    for (int e = 0; e < EXPERTS; e++) {
        const struct expert *expert = &model->layers[1].experts[e];
        assert_matrix(model, &expert->gate, 40 + 3 * e, &in, false);
        assert_matrix(model, &expert->up, 41 + 3 * e, &in, false);
        assert_matrix(model, &expert->down, 42 + 3 * e, &out, false);
    }
    model_free(model);
}

/* Gemma 3 stores norms less 1, and its sliding layers keep their table. */
static void test_loads_norms_less_one(void **state) {
    const struct fixture *fixture = *state;
    struct entry entries[MOST_ENTRIES];
    int count = list_entries(&layouts[5], entries);
    for (int l = 0; l < LAYERS; l++) {
        for (int n = 0; n < 2; n++) {
            struct entry *entry = &entries[count++];
            snprintf(entry->name, sizeof entry->name, "model.layers.%d.%s_feedforward_layernorm.weight", l,
                     n ? "post" : "pre");
            entry->id = 40 + 2 * l + n, entry->rows = HIDDEN, entry->columns = 0;
        }
    }
    write_config(fixture,
                 "\"model_type\": \"gemma3_text\", \"sliding_window_pattern\": 2, \"sliding_window\": 5,"
                 " \"tie_word_embeddings\": false",
                 LAYERS);
    tensors_write(fixture->weights, entries, count, false);
    struct model *model = load(fixture, MODEL_F32);
    for (int i = 0; i < HIDDEN; i++) {
        assert_true(model->norm[i] == (float)(1000 * NORM + i) + 1.0f);
        assert_true(model->layers[1].mlp_norm[i] == (float)(1000 * 42 + i) + 1.0f);
        assert_true(model->layers[1].mlp_post_norm[i] == (float)(1000 * 43 + i) + 1.0f);
        assert_true(model->layers[0].attention_post_norm[i] == (float)(1000 * 2 + i) + 1.0f);
    }
    for (int i = 0; i < HEAD; i++) assert_true(model->layers[0].query_norm[i] == (float)(1000 * 10 + i) + 1.0f);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    model_print_notes(model, "DIR", out);
    fclose(out);
    assert_string_equal(text, "DIR: factor tables rescale 1 of its 2 layers, those with full attention; layers with a "
                              "window of 5 tokens and a rotary table of their own: 1\n");
    free(text);
    model_free(model);
}

/* q = W x for Phi-3's fused queries, keys and values, worked out from the numbers in the file. */
static void test_products_of_fused_tensors(void **state) {
    const struct fixture *fixture = *state;
    write_model(fixture, &layouts[6], false);
    struct model *model = load(fixture, MODEL_F32);
    const struct kernels *kernels = model->kernels;
    float x[HIDDEN], out[QUERY];
    for (int i = 0; i < HIDDEN; i++) x[i] = (float)(i - 4);
    void *narrow = aligned_alloc(KERNELS_ALIGNMENT, 4096);
    assert_non_null(narrow);
    assert_true((size_t)kernels->row_length(HIDDEN) * number_bytes(kernels->type) <= 4096);
    kernels->narrow(narrow, x, 1, HIDDEN);
    const struct matrix *parts[] = {&model->layers[1].query, &model->layers[1].key, &model->layers[1].value};
    for (int p = 0, row = 0; p < 3; p++) {
        kernels->project(out, narrow, parts[p], 1, false);
        for (int r = 0; r < parts[p]->outputs; r++, row++) {
            double sum = 0;
            for (int c = 0; c < HIDDEN; c++) sum += (25000.0 + row * HIDDEN + c) * x[c];
            assert_true(fabs(out[r] - sum) < 0.1);
        }
    }
    free(narrow);
    model_free(model);
}

static void test_chooses_arithmetic(void **state) {
    const struct fixture *fixture = *state;
    for (int half = 0; half < 2; half++) {
        write_model(fixture, &layouts[0], half);
        struct model *model = load(fixture, MODEL_AUTO);
        bool bf16 = half && kernels_bf16_is_fast();
        assert_int_equal(model->kernels->type, bf16 ? NUMBER_BF16 : NUMBER_F32);
        assert_model(model, &layouts[0], half);
        model_free(model);
    }
}

/* With tied embeddings the output matrix is the embedding, unless the file has one with other numbers. */
static void test_ties_embeddings(void **state) {
    const struct fixture *fixture = *state;
    struct entry entries[MOST_ENTRIES];
    int count = list_entries(&layouts[0], entries);
    struct entry *embedding = &entries[count - 3], *output = &entries[count - 1];
    write_config(fixture, "\"model_type\": \"llama\", \"tie_word_embeddings\": true", LAYERS);
    for (int both = 0; both < 2; both++) {
        output->rows = both ? VOCABULARY : 0;
        output->id = EMBEDDING;
        tensors_write(fixture->weights, entries, count, false);
        struct model *model = load(fixture, MODEL_F32);
        assert_true(model->config.tied_embeddings);
        assert_null(model->notes);
        assert_ptr_equal(model->logits.data, model->embedding.data);
        assert_int_equal(model->logits.outputs, VOCABULARY);
        assert_model(model, &layouts[0], false);
        model_free(model);
    }

    output->id = LOGITS;
    tensors_write(fixture->weights, entries, count, false);
    struct model *model = load(fixture, MODEL_F32);
    assert_false(model->config.tied_embeddings);
    assert_non_null(strstr(model->notes, "tie_word_embeddings is true, but lm_head.weight differs"));
    assert_model(model, &layouts[0], false);
    uint64_t untied = model->fingerprint;
    model_free(model);
    write_config(fixture, "\"model_type\": \"llama\", \"tie_word_embeddings\":true", LAYERS);
    model = load(fixture, MODEL_F32);
    assert_true(model->fingerprint != untied);
    model_free(model);

    /* the output matrix alone stands for both */
    output->id = EMBEDDING;
    embedding->rows = 0;
    tensors_write(fixture->weights, entries, count, false);
    model = load(fixture, MODEL_F32);
    assert_true(model->config.tied_embeddings);
    assert_model(model, &layouts[0], false);
    model_free(model);

    embedding->rows = VOCABULARY;
    output->rows = 1;
    tensors_write(fixture->weights, entries, count, false);
    assert_refused(fixture, "tensor 'lm_head.weight' has shape [1, 10]|requires [11, 10]");
}

/* As transformers finds them: without "model." before them, or with one more. */
static void test_finds_other_names(void **state) {
    const struct fixture *fixture = *state;
    for (int more = 0; more < 2; more++) {
        struct entry entries[MOST_ENTRIES];
        int count = list_entries(&layouts[0], entries);
        for (int e = more ? 0 : 3; e < count; e++) { /* some keep their names */
            char name[96];
            bool inner = strncmp(entries[e].name, "model.", 6) == 0;
            snprintf(name, sizeof name, "%s%.80s", more ? "model." : "", entries[e].name + (inner && !more ? 6 : 0));
            memcpy(entries[e].name, name, sizeof name);
        }
        tensors_write(fixture->weights, entries, count, false);
        struct model *model = load(fixture, MODEL_F32);
        assert_model(model, &layouts[0], false);
        model_free(model);
    }
}

/* Tensors of a type that cannot be read are refused only if they are used. */
static void test_refuses_types_that_are_used(void **state) {
    const struct fixture *fixture = *state;
    struct entry entries[MOST_ENTRIES];
    int count = list_entries(&layouts[0], entries);
    entries[count++] = (struct entry){"model.layers.0.self_attn.rotary_emb.inv_freq", 7, 2, 0};
    static const char *const names[] = {"rotary_emb.inv_freq", "model.norm.weight"};
    for (int used = 0; used < 2; used++) {
        tensors_write(fixture->weights, entries, count, false);
        unsigned char *bytes = NULL;
        size_t size = 0;
        struct error error;
        assert_int_equal(file_read(fixture->weights, &bytes, &size, &error), STATUS_OK);
        unsigned char *name = memmem(bytes, size, names[used], strlen(names[used]));
        assert_non_null(name);
        unsigned char *type = memmem(name, 100, "F32", 3);
        assert_non_null(type);
        *type = 'I';
        scratch_write(fixture->weights, bytes, size);
        free(bytes);
        if (used) {
            assert_refused(fixture, "tensor 'model.norm.weight': number type 'I32' is not supported|F32, F16 or BF16");
        } else {
            model_free(load(fixture, MODEL_F32));
        }
    }
}

/* What is said of a model: whatever its owner may not expect. */
static void test_notes(void **state) {
    const struct fixture *fixture = *state;
    char *other = scratch_path(&fixture->scratch, "consolidated.safetensors"), *text = NULL;
    size_t size = 0;
    struct model *model = load(fixture, MODEL_F32);
    assert_null(model->notes);
    model_free(model);

    scratch_write(other, "", 0);
    scratch_write_in(fixture->scratch.dir, "pytorch_model.bin", "");
    scratch_write_in(fixture->scratch.dir, "training_args.bin", "");
    write_config(fixture,
                 "\"model_type\": \"llama\", \"x\": 1, \"x\": 2, \"rope_scaling\": {\"type\": \"yarn\","
                 " \"original_max_position_embeddings\": 16, \"attn_factor\": 0.87, \"extrapolation_factor\": 1}",
                 LAYERS);
    model = load(fixture, MODEL_F32);
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    model_print_notes(model, "DIR", out);
    fclose(out);
    assert_string_equal(text, "DIR: config.json:1: duplicate object key near '\"x\"'; the last of them counts, as in "
                              "transformers\n"
                              "DIR: rope_scaling.attn_factor 0.87 has no effect, as in transformers; vLLM heeds it\n"
                              "DIR: the model's own rope scaling (yarn, factor 4, attention factor 1.1386) is what "
                              "method none computes; other methods multiply it\n"
                              "DIR: weights are read from model.safetensors; not read: consolidated.safetensors, "
                              "pytorch_model.bin\n");
    model_free(model);
    free(text);
    free(other);
}

/* Which layers a table rescales. */
static void test_notes_kinds_of_layers(void **state) {
    const struct fixture *fixture = *state;
    char *text = NULL;
    size_t size = 0;
    write_model(fixture, &layouts[7], false);
    struct model *model = load(fixture, MODEL_F32);
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    model_print_notes(model, "DIR", out);
    fclose(out);
    assert_string_equal(text, "DIR: factor tables rescale 1 of its 2 layers; layers that are not rotated: 1\n");
    model_free(model);
    free(text);
}

/* Tensor e in shard e mod 3. */
static void test_loads_shards(void **state) {
    const struct fixture *fixture = *state;
    static const char *const names[] = {"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                                        "model-00003-of-00003.safetensors"};
    for (int i = 0; i < LAYOUTS; i++) {
        struct entry entries[MOST_ENTRIES], shard[MOST_ENTRIES];
        const char *files[MOST_ENTRIES];
        int count = list_entries(&layouts[i], entries);
        for (int s = 0; s < 3; s++) {
            int held = 0;
            for (int e = s; e < count; e += 3) shard[held++] = entries[e];
            char *path = scratch_path(&fixture->scratch, names[s]);
            tensors_write(path, shard, held, false);
            free(path);
        }
        for (int e = 0; e < count; e++) files[e] = names[e % 3];
        char *index = scratch_path(&fixture->scratch, "model.safetensors.index.json");
        index_write(index, entries, count, files);
        free(index);
        remove(fixture->weights);
        write_config(fixture, layouts[i].settings, LAYERS);

        struct model *model = load(fixture, MODEL_F32);
        assert_model(model, &layouts[i], false);
        model_free(model);
    }
}

static uint64_t fingerprint(const struct fixture *fixture) {
    struct model *model = load(fixture, MODEL_F32);
    uint64_t out = model->fingerprint;
    model_free(model);
    return out;
}

static void test_fingerprint_follows_the_bytes(void **state) {
    const struct fixture *fixture = *state;
    uint64_t first = fingerprint(fixture);
    assert_true(first != 0);
    assert_true(fingerprint(fixture) == first);

    FILE *file = fopen(fixture->weights, "r+b"); /* the last number's least bit */
    assert_non_null(file);
    assert_int_equal(fseek(file, -4, SEEK_END), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, -4, SEEK_END), 0);
    fputc(byte ^ 1, file);
    assert_int_equal(fclose(file), 0);
    uint64_t second = fingerprint(fixture);
    assert_true(second != first);

    file = fopen(fixture->config, "ab"); /* a blank: the same model, but not the same file */
    assert_non_null(file);
    fputc(' ', file);
    assert_int_equal(fclose(file), 0);
    uint64_t third = fingerprint(fixture);
    assert_true(third != first && third != second);
}

/* ---- Refusing ---- */

static void test_refuses_configurations_before_weights(void **state) {
    const struct fixture *fixture = *state;
    struct model_config config;
    struct error error;
    assert_int_equal(remove(fixture->weights), 0);
    write_config(fixture, "\"model_type\": \"llama\", \"hidden_act\": \"gelu\"", LAYERS);
    assert_refused(fixture, "config.json|hidden_act \"gelu\"");
    assert_int_equal(model_read_config(fixture->scratch.dir, &config, &error), STATUS_INPUT);
    write_config(fixture, "\"model_type\": \"phi3\", \"rope_scaling\": {\"type\": \"yarn\"}", LAYERS);
    assert_refused(fixture, "config.json|short_factor");
    write_config(fixture, "\"model_type\": \"llama\"", LAYERS);
    assert_refused(fixture, "holds no weights|model.safetensors");
    assert_int_equal(model_read_config(fixture->scratch.dir, &config, &error), STATUS_OK);
    assert_int_equal(config.hidden, HIDDEN);
    scratch_write(fixture->config, "", 0);
    assert_refused(fixture, "config.json|empty");
    assert_int_equal(remove(fixture->config), 0);
    assert_refused(fixture, "holds no config.json");
}

static void write_changed(const struct fixture *fixture, const struct layout *layout, int changed, int rows,
                          int columns) {
    struct entry entries[MOST_ENTRIES];
    int count = list_entries(layout, entries);
    entries[changed].rows = rows;
    entries[changed].columns = columns;
    tensors_write(fixture->weights, entries, count, false);
}

/* Each tensor in turn: left out, with a row more, transposed or of another rank. */
static void assert_each_tensor_checked(const struct fixture *fixture, const struct layout *layout) {
    struct entry entries[MOST_ENTRIES];
    int count = list_entries(layout, entries);
    write_config(fixture, layout->settings, LAYERS);
    for (int e = 0; e < count; e++) {
        const struct entry *entry = &entries[e];
        char words[256], wanted[32];
        snprintf(wanted, sizeof wanted, entry->columns ? "[%d, %d]" : "[%d]", entry->rows, entry->columns);
        write_changed(fixture, layout, e, 0, 0);
        snprintf(words, sizeof words, "model.safetensors|no tensor '%.90s'|%s", entry->name, wanted);
        assert_refused(fixture, words);

        write_changed(fixture, layout, e, entry->rows + 1, entry->columns);
        snprintf(words, sizeof words,
                 entry->columns ? "'%.90s' has shape [%d, %d]|requires %s" : "'%.90s' has shape [%d]", entry->name,
                 entry->rows + 1, entry->columns, wanted);
        assert_refused(fixture, words);

        /* a vector as a matrix of one column, a matrix transposed (none is square) */
        int rows = entry->columns ? entry->columns : entry->rows, columns = entry->columns ? entry->rows : 1;
        write_changed(fixture, layout, e, rows, columns);
        snprintf(words, sizeof words, "'%.90s' has shape [%d, %d]|requires %s", entry->name, rows, columns, wanted);
        assert_refused(fixture, words);
    }
}

static void test_refuses_wrong_tensors(void **state) {
    for (int i = 0; i < LAYOUTS; i++) assert_each_tensor_checked(*state, &layouts[i]);
}

static void test_loads_clex(void **state) {
    const struct fixture *fixture = *state;
    struct entry entries[MOST_ENTRIES];
    struct error error;
    float numbers[CLEX_PAIRS * CLEX_WIDTH];
    double times[] = {1, 2, 3}, expected[3 * CLEX_PAIRS], *factors = NULL;
    for (int i = 0; i < CLEX_PAIRS * CLEX_WIDTH; i++) numbers[i] = (float)i;
    const struct clex clex = {CLEX_PAIRS, CLEX_WIDTH, ROPE_ACTIVATION_TANH, 2.5e5, 0.1, numbers, numbers};
    assert_int_equal(clex_factors(&clex, "", times, 3, expected, &error), STATUS_OK);
    assert_true(expected[CLEX_PAIRS + 1] != expected[2 * CLEX_PAIRS + 1]);

    tensors_write(fixture->weights, entries, list_clex(entries), false);
    write_clex_config(fixture, 2);
    struct model *model = load(fixture, MODEL_F32);
    assert_ptr_equal(model->config.rope.clex_factors, model->clex_factors);
    assert_memory_equal(model->clex_factors, expected, 2 * CLEX_PAIRS * sizeof *expected);
    assert_non_null(strstr(model->notes, "clex, up to 2 times the window of 64 tokens"));

    /* without the model: to that of config.json, or further */
    struct model_config config;
    assert_int_equal(model_read_config(fixture->scratch.dir, &config, &error), STATUS_OK);
    assert_null(config.rope.clex_factors);
    assert_int_equal(model_read_clex(fixture->scratch.dir, 3, &config, &factors, &error), STATUS_OK);
    assert_true(config.rope.max_factor == 3 && config.rope.clex_factors == factors);
    assert_memory_equal(factors, expected, sizeof expected);
    model_free(model); /* and the model then takes them over */
    if (model_load_again(fixture->scratch.dir, MODEL_F32, &config.rope, &model, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
    assert_true(model->config.rope.clex_factors == factors && model->config.rope.max_factor == 3);
    assert_null(model->clex_factors);
    assert_non_null(strstr(model->notes, "clex, up to 3 times the window of 64 tokens"));
    model_free(model);
    free(factors);
    assert_int_equal(model_read_clex(fixture->scratch.dir, 1.5, &config, &factors, &error), STATUS_INPUT);
    assert_null(factors);

    write_model(fixture, &layouts[0], false); /* of other types nothing is read */
    assert_int_equal(model_read_config(fixture->scratch.dir, &config, &error), STATUS_OK);
    assert_int_equal(remove(fixture->weights), 0);
    assert_int_equal(model_read_clex(fixture->scratch.dir, 0, &config, &factors, &error), STATUS_OK);
    assert_null(factors);
}

static void assert_clex_refused(const struct fixture *fixture, int entry, int rows, int columns, const char *words) {
    struct entry entries[MOST_ENTRIES];
    int count = list_clex(entries);
    struct entry *changed = &entries[count - CLEX_ENTRIES + entry];
    changed->rows = rows, changed->columns = columns;
    tensors_write(fixture->weights, entries, count, false);
    assert_refused(fixture, words);
}

static void test_refuses_wrong_clex_tensors(void **state) {
    const struct fixture *fixture = *state;
    write_clex_config(fixture, 2);
    assert_clex_refused(fixture, CLEX_UP, 0, 0, "no tensor 'model.clex_layer.proj_func.ode_up_proj'|[2, 4]");
    assert_clex_refused(fixture, CLEX_UP, 4, 2, "ode_up_proj' has shape [4, 2]|requires [2, 4]");
    assert_clex_refused(fixture, CLEX_UP, 8, 0, "ode_up_proj' has shape [8]|requires [2, 4]");
    assert_clex_refused(fixture, CLEX_DOWN, 0, 0, "no tensor 'model.clex_layer.proj_func.ode_down_proj'|[4, 2]");
    assert_clex_refused(fixture, CLEX_DOWN, 5, 2, "ode_down_proj' has shape [5, 2]|requires [4, 2]");
    assert_clex_refused(fixture, CLEX_FREQUENCIES, 3, 0, "inv_freq' has shape [3]|requires [2]");
    assert_clex_refused(fixture, CLEX_FREQUENCIES, 2, 0, "inv_freq': number 0 is 0|rope_theta 250000 makes it 1");

    write_clex_config(fixture, 100); /* the factors grow without end */
    assert_clex_refused(fixture, CLEX_FREQUENCIES, 0, 0, "model.safetensors|factor of pair|extension factor");
}

static void test_refuses_clex_tensors_that_are_no_numbers(void **state) {
    const struct fixture *fixture = *state;
    struct entry entries[MOST_ENTRIES];
    const float nan_number = NAN;
    tensors_write(fixture->weights, entries, list_clex(entries), false);
    write_clex_config(fixture, 2);
    model_free(load(fixture, MODEL_F32));
    FILE *file = fopen(fixture->weights, "r+b"); /* D is the last tensor */
    assert_non_null(file);
    assert_int_equal(fseek(file, -4, SEEK_END), 0);
    assert_int_equal(fwrite(&nan_number, sizeof nan_number, 1, file), 1);
    assert_int_equal(fclose(file), 0);
    assert_refused(fixture, "ode_down_proj': number [3, 1] is nan|fetch the file again");
}

/* A configuration of terabytes with a file of kilobytes: the shapes say no before memory is asked for. */
static void test_checks_shapes_before_allocating(void **state) {
    const struct fixture *fixture = *state;
    static const char huge[] =
        "{\"model_type\": \"llama\", \"vocab_size\": 16777216, \"hidden_size\": 1048576,"
        " \"intermediate_size\": 4194304, \"num_hidden_layers\": 4096, \"num_attention_heads\": 8192,"
        " \"num_key_value_heads\": 8192, \"head_dim\": 512, \"max_position_embeddings\": 64}";
    scratch_write(fixture->config, huge, strlen(huge));
    assert_refused(fixture, "tensor 'model.layers.0.input_layernorm.weight' has shape [10]|requires [1048576]");
    write_config(fixture, "\"model_type\": \"llama\"", 4096);
    assert_refused(fixture, "no tensor 'model.layers.2.input_layernorm.weight'");
}

static void test_refuses_every_truncation_of_weights(void **state) {
    const struct fixture *fixture = *state;
    struct stat info;
    assert_int_equal(stat(fixture->weights, &info), 0);
    for (off_t size = info.st_size - 1; size >= 0; size--) {
        assert_int_equal(truncate(fixture->weights, size), 0);
        assert_refused(fixture, "model.safetensors");
    }
}

static void test_refuses_paths(void **state) {
    const struct fixture *fixture = *state;
    struct model *model = NULL;
    struct error error;
    assert_int_equal(model_load(fixture->weights, MODEL_AUTO, &model, &error), STATUS_INPUT); /* a file, no GGUF */
    assert_message(error.message, "is neither the folder of a model nor a GGUF file");

    char path[2 * PATH_MAX];
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    assert_int_equal(model_load(path, MODEL_AUTO, &model, &error), STATUS_INPUT);
    assert_message(error.message, "too long");
    assert_null(model);
}

/* ---- Models made in memory ---- */

static struct model_config memory_config(void) {
    return (struct model_config){
        .family = "llama",
        .vocabulary = 300, /* more than one step of packing */
        .hidden = 10,
        .intermediate = 70,
        .layers = 2,
        .heads = 3,
        .kv_heads = 1,
        .head_width = 4,
        .window = 64,
        .rope = rope_model_plain(2, 10000),
        .norm_eps = 1e-5,
    };
}

/* Numbers by where they stand; notes what was asked for. */
struct source_state {
    int64_t asked;    /* numbers, of all tensors */
    int64_t fails_at; /* of them: the call that passes it fails; -1: none */
    int64_t most;     /* of one call for a matrix */
};

static int read_source(void *state, const char *name, int64_t first, int64_t rows, int64_t columns, float *out,
                       struct error *error) {
    struct source_state *source = state;
    source->asked += rows * columns;
    if (source->fails_at >= 0 && source->asked > source->fails_at) {
        return error_set(error, STATUS_FAILED, "%s: no more", name);
    }
    if (columns > 1 && rows * columns > source->most) source->most = rows * columns;
    for (int64_t i = 0; i < rows * columns; i++) out[i] = (float)(first * columns + i);
    return STATUS_OK;
}

static void test_builds_for_every_table(void **state) {
    (void)state;
    static const enum number_type types[] = {NUMBER_F32, NUMBER_BF16};
    struct model_config config = memory_config();
    for (int t = 0; t < 2; t++) {
        for (const struct kernels *const *kernels = kernels_available(types[t]); *kernels; kernels++) {
            struct source_state numbers = {.fails_at = -1};
            const struct weight_source source = {.state = &numbers, .read = read_source};
            struct model *model = NULL;
            struct error error;
            assert_int_equal(model_build(&config, *kernels, &source, &model, &error), STATUS_OK);
            assert_ptr_equal(model->kernels, *kernels);
            assert_int_equal(model->fingerprint, 0);
            float row[10];
            for (int r = 0; r < 300; r++) {
                (*kernels)->unpack_row(row, &model->logits, r);
                float wanted = (float)(r * 10 + 3);
                if (types[t] == NUMBER_BF16) wanted = number_of_bf16(number_to_bf16(wanted));
                assert_true(row[3] == wanted);
            }
            model_free(model);
        }
    }
}

/* Rows of twenty thousand numbers come in steps of PACK_ROWS, not all at once. */
static void test_packs_in_small_steps(void **state) {
    (void)state;
    struct model_config config = memory_config();
    config.layers = 1;
    config.hidden = 20000;
    config.intermediate = 20;
    struct source_state numbers = {.fails_at = -1};
    const struct weight_source source = {.state = &numbers, .read = read_source};
    struct model *model = NULL;
    struct error error;
    assert_int_equal(model_build(&config, &kernels_reference_f32, &source, &model, &error), STATUS_OK);
    float *row = malloc(20000 * sizeof *row);
    assert_non_null(row);
    for (int r = 0; r < 300; r++) {
        model->kernels->unpack_row(row, &model->embedding, r);
        assert_true(row[19999] == (float)((int64_t)r * 20000 + 19999));
    }
    free(row);
    assert_int_equal(numbers.most, PACK_ROWS * 20000); /* more than a buffer, so no more than must be */
    model_free(model);
}

static void test_build_passes_errors_on(void **state) {
    (void)state;
    struct model_config config = memory_config();
    for (int64_t at = 0; at < 20000; at += 997) {
        struct source_state numbers = {.fails_at = at};
        const struct weight_source source = {.state = &numbers, .read = read_source};
        struct model *model = NULL;
        struct error error;
        int status = model_build(&config, &kernels_reference_f32, &source, &model, &error);
        if (status == STATUS_OK) {
            assert_true(numbers.asked <= at);
            model_free(model);
            continue;
        }
        assert_int_equal(status, STATUS_FAILED);
        assert_message(error.message, "no more");
        assert_null(model);
    }
}

static void build_refuses(const struct model_config *config, int wanted, const char *words) {
    struct source_state numbers = {.fails_at = 0}; /* nothing is read */
    const struct weight_source source = {.state = &numbers, .read = read_source};
    struct model *model = NULL;
    struct error error;
    assert_int_equal(model_build(config, &kernels_reference_f32, &source, &model, &error), wanted);
    assert_message(error.message, words);
    assert_null(model);
    assert_int_equal(numbers.asked, 0);
}

static void test_build_refuses(void **state) {
    (void)state;
    struct model_config config = memory_config();
    config.layers = 0;
    build_refuses(&config, STATUS_INPUT, "num_hidden_layers is 0");
    config = memory_config();
    config.head_width = 3;
    build_refuses(&config, STATUS_INPUT, "head_dim is 3|even");
    config = memory_config();
    config.rope.theta = NAN;
    build_refuses(&config, STATUS_INPUT, "rope_theta");
    config = memory_config();
    config.rope.pairs = 3;
    build_refuses(&config, STATUS_INPUT, "3 rotary pairs|heads of 4");
    config = memory_config();
    config.rope.type = ROPE_TYPE_LINEAR;
    build_refuses(&config, STATUS_INPUT, "factor is 0");
    config = memory_config();
    config.norm_eps = NAN;
    build_refuses(&config, STATUS_INPUT, "rms_norm_eps");
    config = memory_config();
    snprintf(config.family, sizeof config.family, "gpt2");
    build_refuses(&config, STATUS_INPUT, "unknown family 'gpt2'");
}

/* The largest sizes that are let through: no product overflows, and the memory cannot be had. */
static void test_reports_lack_of_memory(void **state) {
    (void)state;
    struct model_config config = memory_config();
    config.vocabulary = 1 << 24;
    config.hidden = 1 << 20;
    config.intermediate = 1 << 22;
    config.layers = 1 << 12;
    config.heads = config.kv_heads = 1 << 13;
    config.head_width = 512;
    build_refuses(&config, STATUS_FAILED, "out of memory|MiB|weights");
    snprintf(config.family, sizeof config.family, "phi3");
    build_refuses(&config, STATUS_FAILED, "out of memory|MiB|weights");
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FILES(test_loads_each_family),
        WITH_FILES(test_loads_experts),
        WITH_FILES(test_loads_norms_less_one),
        WITH_FILES(test_products_of_fused_tensors),
        WITH_FILES(test_chooses_arithmetic),
        WITH_FILES(test_ties_embeddings),
        WITH_FILES(test_finds_other_names),
        WITH_FILES(test_refuses_types_that_are_used),
        WITH_FILES(test_notes),
        WITH_FILES(test_notes_kinds_of_layers),
        WITH_FILES(test_loads_shards),
        WITH_FILES(test_fingerprint_follows_the_bytes),
        WITH_FILES(test_refuses_configurations_before_weights),
        WITH_FILES(test_refuses_wrong_tensors),
        WITH_FILES(test_loads_clex),
        WITH_FILES(test_refuses_wrong_clex_tensors),
        WITH_FILES(test_refuses_clex_tensors_that_are_no_numbers),
        WITH_FILES(test_checks_shapes_before_allocating),
        WITH_FILES(test_refuses_every_truncation_of_weights),
        WITH_FILES(test_refuses_paths),
        cmocka_unit_test(test_builds_for_every_table),
        cmocka_unit_test(test_packs_in_small_steps),
        cmocka_unit_test(test_build_passes_errors_on),
        cmocka_unit_test(test_build_refuses),
        cmocka_unit_test(test_reports_lack_of_memory),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
