/* Models of GGUF files: what the metadata mean, where tensors land, and what is refused. The numbers of quantised
 * blocks are test_block's. */
#include "eval/model/model.h"
#include "tests/unit/gguf_bytes.h"

#define SCRATCH_FILE_NAME "model.gguf"
#include "tests/unit/scratch_file.h"

#include <math.h>

/* ---- A small model as a GGUF, and the same in memory ---- */

/* 3 query heads of 4 on 1 key/value head. Rows of HIDDEN and INTERMEDIATE numbers are whole blocks. */
enum { VOCABULARY = 11, HIDDEN = 32, INTERMEDIATE = 64, LAYERS = 2, QUERY = 12, KEY = 4, HEAD = 4 };

/* A tensor of a layer, or of none (below). */
struct entry {
    const char *gguf, *family; /* its names */
    int rows, columns;         /* 0 columns: a vector */
    bool turns;                /* its rows are neighbours in files of architecture llama */
    int experts;               /* that have such a matrix each; 0: it is one for all */
};

#define NORMS                                                                                                          \
    {"attn_norm.weight", "input_layernorm.weight", HIDDEN, 0, false, 0}, {                                             \
        "ffn_norm.weight", "post_attention_layernorm.weight", HIDDEN, 0, false, 0                                      \
    }
#define OUTPUTS                                                                                                        \
    {"attn_output.weight", "self_attn.o_proj.weight", HIDDEN, QUERY, false, 0}, {                                      \
        "ffn_down.weight", "mlp.down_proj.weight", HIDDEN, INTERMEDIATE, false, 0                                      \
    }
#define APART                                                                                                          \
    {"attn_q.weight", "self_attn.q_proj.weight", QUERY, HIDDEN, true, 0},                                              \
        {"attn_k.weight", "self_attn.k_proj.weight", KEY, HIDDEN, true, 0},                                            \
        {"attn_v.weight", "self_attn.v_proj.weight", KEY, HIDDEN, false, 0},                                           \
        {"ffn_gate.weight", "mlp.gate_proj.weight", INTERMEDIATE, HIDDEN, false, 0}, {                                 \
        "ffn_up.weight", "mlp.up_proj.weight", INTERMEDIATE, HIDDEN, false, 0                                          \
    }
#define QKV_BIASES                                                                                                     \
    {"attn_q.bias", "self_attn.q_proj.bias", QUERY, 0, true, 0},                                                       \
        {"attn_k.bias", "self_attn.k_proj.bias", KEY, 0, true, 0}, {                                                   \
        "attn_v.bias", "self_attn.v_proj.bias", KEY, 0, false, 0                                                       \
    }

static const struct entry outer[] = {{"token_embd.weight", "model.embed_tokens.weight", VOCABULARY, HIDDEN, false, 0},
                                     {"output_norm.weight", "model.norm.weight", HIDDEN, 0, false, 0},
                                     {"output.weight", "lm_head.weight", VOCABULARY, HIDDEN, false, 0}};
enum { OUTER = 3, MOST = 20 };

static const struct layout {
    const char *architecture;
    bool neighbours, qkv_bias, output_bias, mlp_bias, head_norms;
    struct entry entries[MOST];
    const char *family; /* NULL: called like the architecture */
    bool whole_norms;
} layouts[] = {
    {"llama", .neighbours = true, .entries = {NORMS, OUTPUTS, APART}},
    {"llama", .neighbours = true, .qkv_bias = true, .output_bias = true, .mlp_bias = true,
     .entries = {NORMS,
                 OUTPUTS,
                 APART,
                 QKV_BIASES,
                 {"attn_output.bias", "self_attn.o_proj.bias", HIDDEN, 0, false, 0},
                 {"ffn_gate.bias", "mlp.gate_proj.bias", INTERMEDIATE, 0, false, 0},
                 {"ffn_up.bias", "mlp.up_proj.bias", INTERMEDIATE, 0, false, 0},
                 {"ffn_down.bias", "mlp.down_proj.bias", HIDDEN, 0, false, 0}}},
    {"qwen2", .qkv_bias = true, .entries = {NORMS, OUTPUTS, APART, QKV_BIASES}},
    {"qwen3", .head_norms = true,
     .entries = {NORMS,
                 OUTPUTS,
                 APART,
                 {"attn_q_norm.weight", "self_attn.q_norm.weight", HEAD, 0, false, 0},
                 {"attn_k_norm.weight", "self_attn.k_norm.weight", HEAD, 0, false, 0}}},
    {"phi3", .entries = {NORMS,
                         OUTPUTS,
                         {"attn_qkv.weight", "self_attn.qkv_proj.weight", QUERY + 2 * KEY, HIDDEN, false, 0},
                         {"ffn_up.weight", "mlp.gate_up_proj.weight", 2 * INTERMEDIATE, HIDDEN, false, 0}}},
    {"gemma3", .head_norms = true,
     .entries = {{"attn_norm.weight", "input_layernorm.weight", HIDDEN, 0, false, 0},
                 {"post_attention_norm.weight", "post_attention_layernorm.weight", HIDDEN, 0, false, 0},
                 {"ffn_norm.weight", "pre_feedforward_layernorm.weight", HIDDEN, 0, false, 0},
                 {"post_ffw_norm.weight", "post_feedforward_layernorm.weight", HIDDEN, 0, false, 0},
                 OUTPUTS,
                 APART,
                 {"attn_q_norm.weight", "self_attn.q_norm.weight", HEAD, 0, false, 0},
                 {"attn_k_norm.weight", "self_attn.k_norm.weight", HEAD, 0, false, 0}}},
    {"mistral3", .family = "mistral", .neighbours = true, .entries = {NORMS, OUTPUTS, APART}},
    {"smollm3", .neighbours = true, .entries = {NORMS, OUTPUTS, APART}},
    {"olmo2", .whole_norms = true,
     .entries = {{"post_attention_norm.weight", "post_attention_layernorm.weight", HIDDEN, 0, false, 0},
                 {"post_ffw_norm.weight", "post_feedforward_layernorm.weight", HIDDEN, 0, false, 0},
                 OUTPUTS,
                 APART,
                 {"attn_q_norm.weight", "self_attn.q_norm.weight", QUERY, 0, false, 0},
                 {"attn_k_norm.weight", "self_attn.k_norm.weight", KEY, 0, false, 0}}},
};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

static int count_of(const struct layout *layout) {
    int count = 0;
    while (layout->entries[count].gguf) count++;
    return count;
}

/* Number `at` of tensor `id`: halves of whole numbers that fit into a byte. */
static int quant_of(int id, int at) { return (id * 31 + at * 7) % 255 - 127; }
static float number_of(int id, int at) { return 0.5F * (float)quant_of(id, at); }

/* ---- The file ---- */

struct options {
    const struct layout *layout;
    bool tied;
    enum block_type type;                            /* of matrices whose rows are whole blocks of it; else f32 */
    bool vectors;                                    /* also of vectors that are */
    int first, tensors;                              /* part of the tensors, for a split model; 0 tensors: all */
    uint32_t part, parts;                            /* 0 parts: not split */
    void (*more)(struct gguf_bytes *b, void *state); /* writes more keys; NULL: none */
    void *state;
    uint64_t more_keys;
    const char *extra;          /* one more tensor, a vector of 2 numbers: */
    const float *extra_numbers; /* 1 and 2 where this is NULL */
    const char *second;         /* and one of 1 and 2 behind it */
    const char *left_out;       /* a key */
};

/* Where row `row` of Hugging Face's order lies in the file. */
static int row_in_file(const struct options *o, const struct entry *entry, int row) {
    if (!o->layout->neighbours || !entry->turns) return row;
    int in_head = row % HEAD;
    return row - in_head + (in_head % (HEAD / 2)) * 2 + in_head / (HEAD / 2);
}

static void put_row(struct gguf_bytes *b, int id, int row, int columns, enum block_type type) {
    for (int c = 0; c < columns; c++) {
        float number = number_of(id, row * columns + c);
        int8_t quant = (int8_t)quant_of(id, row * columns + c);
        if (type == BLOCK_Q8_0 && c % 32 == 0) put_bytes(b, "\x00\x38", 2); /* 0.5 */
        if (type == BLOCK_Q8_0) {
            put_bytes(b, &quant, 1);
        } else if (type == BLOCK_BF16) { /* exact: the numbers have 8 bits */
            put_bytes(b, (const char *)&number + 2, 2);
        } else {
            put_bytes(b, &number, sizeof number);
        }
    }
}

struct listed {
    char name[64];
    const struct entry *entry;
    int id;
};

/* Layer l's entry e is tensor 20 l + e + 1, the outer ones are 101 and up. */
static int list_tensors(const struct options *o, struct listed *out) {
    int count = 0;
    for (int l = 0; l < LAYERS; l++) {
        for (int e = 0; e < count_of(o->layout); e++, count++) {
            out[count] = (struct listed){.entry = &o->layout->entries[e], .id = 20 * l + e + 1};
            snprintf(out[count].name, sizeof out->name, "blk.%d.%s", l, o->layout->entries[e].gguf);
        }
    }
    for (int e = 0; e < OUTER - (o->tied ? 1 : 0); e++, count++) {
        out[count] = (struct listed){.entry = &outer[e], .id = 101 + e};
        snprintf(out[count].name, sizeof out->name, "%s", outer[e].gguf);
    }
    return count;
}

static enum block_type type_of(const struct options *o, const struct entry *entry) {
    bool router = strcmp(entry->gguf, "ffn_gate_inp.weight") == 0;
    int width = entry->columns == 0 && o->vectors ? entry->rows : entry->columns;
    bool whole = width > 0 && (uint64_t)width % block_numbers(o->type) == 0;
    return whole && !router ? o->type : BLOCK_F32;
}

static int rows_of(const struct entry *entry) { return entry->rows * (entry->experts ? entry->experts : 1); }

static uint64_t bytes_of(const struct options *o, const struct entry *entry) {
    enum block_type type = type_of(o, entry);
    uint64_t numbers = (uint64_t)(rows_of(entry) * (entry->columns ? entry->columns : 1));
    return (numbers / block_numbers(type) * block_bytes(type) + 31) / 32 * 32;
}

static void put_data(struct gguf_bytes *b, const struct options *o, const struct listed *tensor) {
    const struct entry *entry = tensor->entry;
    int columns = entry->columns ? entry->columns : 1;
    int order[2 * INTERMEDIATE];
    for (int row = 0; row < rows_of(entry); row++) order[row_in_file(o, entry, row)] = row;
    for (int row = 0; row < rows_of(entry); row++) put_row(b, tensor->id, order[row], columns, type_of(o, entry));
    put_padding(b, 32);
}

static void put_info(struct gguf_bytes *b, const struct options *o, const struct listed *tensor, uint64_t offset) {
    const struct entry *entry = tensor->entry;
    const uint64_t shape[] = {(uint64_t)(entry->columns ? entry->columns : entry->rows), (uint64_t)entry->rows,
                              (uint64_t)entry->experts};
    put_tensor(b, tensor->name, entry->columns ? (entry->experts ? 3 : 2) : 1, shape, type_of(o, entry), offset);
}

static void put_own_key(struct gguf_bytes *b, const struct options *o, const char *name, uint32_t value) {
    char key[64];
    if (o->left_out && strcmp(o->left_out, name) == 0) name = "tensor_data_layout"; /* says nothing */
    snprintf(key, sizeof key, "%s.%s", o->layout->architecture, name);
    put_key_u32(b, key, value);
}

/* All but those of `more`. */
enum { KEYS = 10 };
static void put_keys(struct gguf_bytes *b, const struct options *o) {
    char key[64];
    put_key_string(b, "general.architecture", o->layout->architecture);
    put_own_key(b, o, "context_length", 64);
    put_own_key(b, o, "embedding_length", HIDDEN);
    put_own_key(b, o, "feed_forward_length", INTERMEDIATE);
    put_own_key(b, o, "block_count", LAYERS);
    put_own_key(b, o, "attention.head_count", 3);
    put_own_key(b, o, "attention.head_count_kv", 1);
    put_own_key(b, o, "attention.key_length", HEAD);
    put_own_key(b, o, "vocab_size", VOCABULARY);
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", o->layout->architecture);
    put_key_f32(b, key, 1e-5F);
}

static void write_gguf(const struct options *o, const char *path) {
    static const float two[] = {1, 2};
    struct listed all[2 * MOST + OUTER];
    struct gguf_bytes b;
    int last = list_tensors(o, all), extra = o->extra ? 1 : 0, second = o->second ? 1 : 0;
    uint64_t offset = 0, split = o->parts ? 2 : 0;
    if (o->tensors) last = o->first + o->tensors < last ? o->first + o->tensors : last;
    gguf_bytes_begin(&b);
    put_prefix(&b, 3, (uint64_t)(last - o->first + extra + second), split + (o->part ? 0 : KEYS + o->more_keys));
    if (split) put_key_u32(&b, "split.no", o->part), put_key_u32(&b, "split.count", o->parts);
    if (!o->part) put_keys(&b, o);
    if (!o->part && o->more) o->more(&b, o->state);
    for (int t = o->first; t < last; offset += bytes_of(o, all[t++].entry)) put_info(&b, o, &all[t], offset);
    if (extra) put_vector(&b, o->extra, 2, offset);
    if (second) put_vector(&b, o->second, 2, offset + 32);
    put_padding(&b, 32);
    for (int t = o->first; t < last; t++) put_data(&b, o, &all[t]);
    if (extra) put_numbers(&b, o->extra_numbers ? o->extra_numbers : two, 2);
    put_padding(&b, 32);
    if (second) put_numbers(&b, two, 2);
    gguf_bytes_write(&b, path);
}

/* ---- The same in memory ---- */

static int read_entry(void *state, const char *name, int64_t first, int64_t rows, int64_t columns, float *out,
                      struct error *error) {
    (void)error;
    const struct options *o = state;
    struct listed all[2 * MOST + OUTER];
    int count = list_tensors(o, all), layer = 0, id = 0;
    const char *rest = name;
    if (strncmp(name, "model.layers.", 13) == 0) layer = name[13] - '0', rest = name + 15;
    for (int t = 0; t < count; t++) {
        bool same = strcmp(all[t].entry->family, rest) == 0;
        if (same && (all[t].id > 100 || all[t].id / 20 == layer)) id = all[t].id;
    }
    assert_int_not_equal(id, 0);
    for (int64_t i = 0; i < rows * columns; i++) out[i] = number_of(id, (int)(first * columns + i));
    return STATUS_OK;
}

static struct model_config expected_config(const struct options *o) {
    struct model_config config = {.vocabulary = VOCABULARY,
                                  .hidden = HIDDEN,
                                  .intermediate = INTERMEDIATE,
                                  .layers = LAYERS,
                                  .heads = 3,
                                  .kv_heads = 1,
                                  .head_width = HEAD,
                                  .window = 64,
                                  .rope = rope_model_plain(HEAD / 2, 10000.0),
                                  .norm_eps = 1e-5,
                                  .tied_embeddings = o->tied,
                                  .qkv_bias = o->layout->qkv_bias,
                                  .output_bias = o->layout->output_bias,
                                  .mlp_bias = o->layout->mlp_bias,
                                  .head_norms = o->layout->head_norms,
                                  .whole_norms = o->layout->whole_norms};
    strcpy(config.family, o->layout->family ? o->layout->family : o->layout->architecture);
    if (strcmp(config.family, "gemma3") == 0) {
        strcpy(config.family, "gemma3_text");
        config.gelu = true;
        config.embedding_scale = (double)sqrtf(HIDDEN);
        config.query_scale = 1.0;
    }
    return config;
}

static void assert_same_config(const struct model_config *a, const struct model_config *b) {
    assert_string_equal(a->family, b->family);
    assert_int_equal(a->vocabulary, b->vocabulary);
    assert_int_equal(a->hidden, b->hidden);
    assert_int_equal(a->intermediate, b->intermediate);
    assert_int_equal(a->layers, b->layers);
    assert_int_equal(a->heads, b->heads);
    assert_int_equal(a->kv_heads, b->kv_heads);
    assert_int_equal(a->head_width, b->head_width);
    assert_int_equal(a->window, b->window);
    assert_int_equal(a->sliding_window, b->sliding_window);
    assert_int_equal(a->rope.pairs, b->rope.pairs);
    assert_int_equal(a->rope.type, b->rope.type);
    assert_true(a->rope.theta == b->rope.theta);
    assert_true(a->norm_eps == b->norm_eps);
    assert_int_equal(a->tied_embeddings, b->tied_embeddings);
    assert_int_equal(a->qkv_bias, b->qkv_bias);
    assert_int_equal(a->output_bias, b->output_bias);
    assert_int_equal(a->mlp_bias, b->mlp_bias);
    assert_int_equal(a->head_norms, b->head_norms);
    assert_int_equal(a->whole_norms, b->whole_norms);
    assert_int_equal(a->gelu, b->gelu);
    assert_int_equal(a->norms_less_one, b->norms_less_one);
    assert_true(a->embedding_scale == b->embedding_scale && a->query_scale == b->query_scale);
    assert_memory_equal(a->layer_kinds, b->layer_kinds, sizeof a->layer_kinds);
    assert_int_equal(a->window_rope.pairs, b->window_rope.pairs);
}

static void assert_same_matrix(const struct kernels *kernels, const struct matrix *a, const struct matrix *b) {
    float left[INTERMEDIATE], right[INTERMEDIATE];
    assert_int_equal(a->outputs, b->outputs);
    assert_int_equal(a->inputs, b->inputs);
    for (int64_t row = 0; row < a->outputs; row++) {
        kernels->unpack_row(left, a, row);
        kernels->unpack_row(right, b, row);
        assert_memory_equal(left, right, (size_t)a->inputs * sizeof *left);
    }
}

static void assert_same_vector(const float *a, const float *b, size_t count) {
    assert_int_equal(a == NULL, b == NULL);
    if (a) assert_memory_equal(a, b, count * sizeof *a);
}

static void assert_same_layer(const struct kernels *kernels, const struct model_layer *a, const struct model_layer *b) {
    assert_same_matrix(kernels, &a->query, &b->query);
    assert_same_matrix(kernels, &a->key, &b->key);
    assert_same_matrix(kernels, &a->value, &b->value);
    assert_same_matrix(kernels, &a->output, &b->output);
    assert_same_matrix(kernels, &a->gate, &b->gate);
    assert_same_matrix(kernels, &a->up, &b->up);
    assert_same_matrix(kernels, &a->down, &b->down);
    assert_same_vector(a->attention_norm, b->attention_norm, HIDDEN);
    assert_same_vector(a->mlp_norm, b->mlp_norm, HIDDEN);
    assert_same_vector(a->attention_post_norm, b->attention_post_norm, HIDDEN);
    assert_same_vector(a->mlp_post_norm, b->mlp_post_norm, HIDDEN);
    assert_same_vector(a->query_bias, b->query_bias, QUERY);
    assert_same_vector(a->key_bias, b->key_bias, KEY);
    assert_same_vector(a->value_bias, b->value_bias, KEY);
    assert_same_vector(a->output_bias, b->output_bias, HIDDEN);
    assert_same_vector(a->query_norm, b->query_norm, HEAD);
    assert_same_vector(a->key_norm, b->key_norm, HEAD);
    assert_same_vector(a->gate_bias, b->gate_bias, INTERMEDIATE);
    assert_same_vector(a->up_bias, b->up_bias, INTERMEDIATE);
    assert_same_vector(a->down_bias, b->down_bias, HIDDEN);
}

static struct model *load(const char *path) {
    struct model *model = NULL;
    struct error error = {""};
    if (model_load(path, MODEL_F32, &model, &error) != STATUS_OK) fail_msg("%s", error.message);
    return model;
}

static void assert_loads(const char *path, const struct options *o) {
    struct error error = {""};
    const struct model_config config = expected_config(o);
    const struct weight_source source = {(void *)o, read_entry};
    struct model *model = load(path), *expected = NULL;
    if (model_build(&config, model->kernels, &source, &expected, &error) != STATUS_OK) fail_msg("%s", error.message);
    assert_same_config(&model->config, &config);
    assert_same_matrix(model->kernels, &model->embedding, &expected->embedding);
    assert_same_matrix(model->kernels, &model->logits, &expected->logits);
    assert_same_vector(model->norm, expected->norm, HIDDEN);
    for (int l = 0; l < LAYERS; l++) assert_same_layer(model->kernels, &model->layers[l], &expected->layers[l]);
    assert_true(model->fingerprint != 0);
    model_free(model);
    model_free(expected);
}

static void assert_refused(const char *path, const char *words) {
    struct model *model = NULL;
    struct error error = {""};
    int status = model_load(path, MODEL_F32, &model, &error);
    if (status == STATUS_OK) fail_msg("not refused: %s", words);
    assert_null(model);
    assert_int_equal(status, STATUS_INPUT);
    assert_message(error.message, path);
    assert_message(error.message, words);
}

/* ---- Loading ---- */

static void test_loads_each_architecture(void **state) {
    const struct fixture *f = *state;
    static const enum block_type types[] = {BLOCK_F32, BLOCK_Q8_0, BLOCK_BF16};
    for (int i = 0; i < LAYOUTS; i++) {
        for (int t = 0; t < 3; t++) {
            const struct options o = {.layout = &layouts[i], .tied = t == 1, .type = types[t]};
            write_gguf(&o, f->path);
            assert_loads(f->path, &o);
        }
    }
}

static void write_parts(const struct fixture *f, const struct options *o, uint32_t parts, char *paths[]) {
    for (uint32_t p = 0; p < parts; p++) {
        struct options part = *o;
        char name[64];
        snprintf(name, sizeof name, "model-%05u-of-%05u.gguf", (unsigned)p + 1, (unsigned)parts);
        paths[p] = scratch_path(&f->scratch, name);
        part.part = p, part.parts = parts;
        part.first = (int)p * 8, part.tensors = p + 1 < parts ? 8 : 2 * MOST;
        write_gguf(&part, paths[p]);
    }
}

static void test_loads_the_parts_of_a_split_model(void **state) {
    const struct fixture *f = *state;
    const struct options o = {.layout = &layouts[0]};
    char *paths[3];
    write_parts(f, &o, 3, paths);
    assert_loads(paths[0], &o);
    struct model *model = load(paths[0]);
    uint64_t before = model->fingerprint;
    model_free(model);

    assert_refused(paths[1], "is part 2 of 3; name the first: ");
    struct options changed = {.layout = &layouts[0], .part = 2, .parts = 3, .first = 16, .tensors = 2 * MOST};
    changed.type = BLOCK_BF16;
    write_gguf(&changed, paths[2]);
    model = load(paths[0]);
    assert_int_not_equal(model->fingerprint, before);
    model_free(model);

    changed.part = 1;
    write_gguf(&changed, paths[2]);
    assert_refused(paths[2], "is part 2 of 3, but its name does not end in -00002-of-00003.gguf");
    struct error error = {""};
    struct model_config config;
    assert_int_equal(model_read_config(paths[0], &config, &error), STATUS_INPUT);
    assert_message(error.message, "states that it is part 2 of 3, not 3 of 3; fetch all parts again");
    remove(paths[2]);
    assert_int_equal(model_read_config(paths[0], &config, &error), STATUS_INPUT);
    assert_message(error.message, paths[2]);
    for (int p = 0; p < 3; p++) free(paths[p]);
}

static void test_refuses_what_is_no_model(void **state) {
    const struct fixture *f = *state;
    scratch_write(f->path, "{\"model_type\": \"llama\"}", 23);
    assert_refused(f->path, "is neither the folder of a model nor a GGUF file");
    const struct options o = {.layout = &(struct layout){"gpt2", .entries = {NORMS}}};
    write_gguf(&o, f->path);
    assert_refused(
        f->path,
        "architecture 'gpt2' is not supported; supported: llama, mistral3, qwen2, qwen3, qwen3moe, smollm3, olmo2, "
        "minicpm, phi3 and gemma3");
}

static void test_refuses_missing_keys(void **state) {
    const struct fixture *f = *state;
    static const char *const keys[] = {"context_length", "embedding_length", "feed_forward_length", "block_count",
                                       "attention.head_count"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct options o = {.layout = &layouts[0], .left_out = keys[i]};
        char words[64];
        write_gguf(&o, f->path);
        snprintf(words, sizeof words, "has no key 'llama.%s'; convert the model again", keys[i]);
        assert_refused(f->path, words);
    }
}

static void put_number(struct gguf_bytes *b, void *state) { put_key_f32(b, state, 0.25F); }
static void put_size(struct gguf_bytes *b, void *state) { put_key_u32(b, state, 2); }
static void put_text(struct gguf_bytes *b, void *state) { put_key_string(b, state, "ntk"); }
static void put_clex(struct gguf_bytes *b, void *state) { put_key_string(b, state, "clex"); }
static void put_no(struct gguf_bytes *b, void *state) { put_key(b, state, GGUF_BOOL), put_bytes(b, "", 1); }

static void test_refuses_keys_that_change_the_model(void **state) {
    const struct fixture *f = *state;
    static const struct {
        void (*put)(struct gguf_bytes *b, void *state);
        const char *key, *words;
    } refused[] = {
        {put_number, "llama.logit_scale", "key 'llama.logit_scale' is not supported"},
        {put_size, "llama.expert_count", "has no key 'llama.expert_used_count'"},
        {put_size, "llama.attention.temperature_scale", "'llama.attention.temperature_scale' is not supported"},
        {put_size, "llama.rope.scaling.yarn_log_multiplier", "yarn_log_multiplier 2 is not supported, only 0"},
        {put_no, "llama.attention.causal", "llama.attention.causal false is not supported, only true"},
        {put_size, "llama.attention.causal", "'llama.attention.causal', of type u32, is not true or false"},
        {put_size, "llama.attention.value_length", "llama.attention.value_length 2 is not supported, only 4"},
        {put_size, "llama.attention.sliding_window", "llama.attention.sliding_window 2 is not supported for llama"},
        {put_size, "llama.rope.dimension_count", "llama.rope.dimension_count 2 is not supported for heads of 4"},
        {put_text, "llama.rope.scaling.type", "rope.scaling.type 'ntk' is not supported"},
        {put_clex, "llama.rope.scaling.type", "rope.scaling.type 'clex' is not supported"},
        {put_number, "llama.rope.scaling.yarn_ext_factor", "yarn_ext_factor 0.25 is not supported, only 1"},
        {put_size, "llama.attention.sliding_window_pattern",
         "'llama.attention.sliding_window_pattern' is not supported"},
        {put_number, "llama.rope.freq_base_swa", "'llama.rope.freq_base_swa' is not supported"},
        {put_number, "llama.rope.freq_base", "rope_theta is 0.25; it must lie above 1"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const struct options o = {
            .layout = &layouts[0], .more = refused[i].put, .state = (void *)refused[i].key, .more_keys = 1};
        write_gguf(&o, f->path);
        assert_refused(f->path, refused[i].words);
    }
}

/* Keys of one architecture each, which has no others that differ. */
static void put_experts(struct gguf_bytes *b, void *state) {
    char key[64];
    snprintf(key, sizeof key, "%s.expert_count", (const char *)state), put_key_u32(b, key, 2);
    snprintf(key, sizeof key, "%s.expert_used_count", (const char *)state), put_key_u32(b, key, 1);
}

static void put_scales(struct gguf_bytes *b, void *state) {
    (void)state;
    put_key_f32(b, "minicpm.embedding_scale", 12.0F);
    put_key_f32(b, "minicpm.residual_scale", 0.25F);
    put_key_f32(b, "minicpm.logit_scale", 4.0F);
}

static void put_growth(struct gguf_bytes *b, void *state) {
    (void)state;
    put_key_string(b, "mistral3.rope.scaling.type", "yarn");
    put_key_f32(b, "mistral3.rope.scaling.factor", 4.0F);
    put_key_u32(b, "mistral3.rope.scaling.original_context_length", 16);
    put_key_f32(b, "mistral3.rope.scaling.yarn_log_multiplier", 0.5F);
    put_key_f32(b, "mistral3.attention.temperature_scale", 0.25F);
}

/* Of mistral3; *state is the scale. No scaling says what the original window of 0 is that of. */
static void put_temperature(struct gguf_bytes *b, void *state) {
    put_key_f32(b, "mistral3.attention.temperature_scale", *(const float *)state);
    put_key_u32(b, "mistral3.rope.scaling.original_context_length", 0);
}

static struct model_config read_config(const struct fixture *f, const struct options *o) {
    struct model_config config;
    struct error error = {""};
    write_gguf(o, f->path);
    if (model_read_config(f->path, &config, &error) != STATUS_OK) fail_msg("%s", error.message);
    return config;
}

static void test_reads_what_one_architecture_has(void **state) {
    const struct fixture *f = *state;
    struct layout layout = layouts[0];
    struct options o = {.layout = &layout, .more = put_scales, .more_keys = 3};
    layout.architecture = "minicpm";
    struct model_config config = read_config(f, &o);
    assert_true(config.embedding_scale == 12 && config.residual_scale == 0.25 && config.output_scale == 0.25);
    o.more = NULL, o.more_keys = 0;
    write_gguf(&o, f->path);
    assert_refused(f->path, "has no key 'minicpm.embedding_scale'; convert the model again");

    layout.architecture = "mistral3", o.more = put_growth, o.more_keys = 5;
    config = read_config(f, &o);
    assert_string_equal(config.family, "ministral3");
    assert_true(config.query_growth == 0.25 && config.query_growth_length == 16);
    assert_true(config.rope.mscale == 1 && config.rope.mscale_all_dim == 0.5);

    float scale = 0.25F;
    struct options grows = {.layout = &layout, .more = put_temperature, .state = &scale, .more_keys = 2};
    grows.extra = "rope_freqs.weight";
    write_gguf(&grows, f->path);
    assert_refused(f->path, "queries are scaled in steps of 0 tokens, the original window; it must lie within 1 to");
    scale = 0.0F;
    assert_string_equal(read_config(f, &grows).family, "mistral");

    static const char *const mixtures[][2] = {{"llama", "mixtral"}, {"qwen3moe", "qwen3_moe"}};
    for (int i = 0; i < 2; i++) {
        layout.architecture = mixtures[i][0];
        o.more = put_experts, o.more_keys = 2, o.state = (void *)mixtures[i][0];
        config = read_config(f, &o);
        assert_string_equal(config.family, mixtures[i][1]);
        assert_true(config.experts == 2 && config.experts_per_token == 1 && config.expert_width == INTERMEDIATE);
        assert_true(config.expert_weights_normed && config.layer_kinds[0] == LAYER_HAS_EXPERTS);
    }
    o.more = NULL, o.more_keys = 0;
    write_gguf(&o, f->path);
    assert_refused(f->path, "has no key 'qwen3moe.expert_count'; convert the model again");
}

/* And a window that llama.cpp does not heed. */
static void put_window(struct gguf_bytes *b, void *state) {
    char key[64];
    snprintf(key, sizeof key, "%s.attention.sliding_window", (const char *)state), put_key_u32(b, key, 5);
    if (strcmp(state, "llama") == 0) put_experts(b, state);
    if (strcmp(state, "mistral3") == 0) put_temperature(b, &(float){0.25F});
}

static void test_refuses_windows_that_an_architecture_does_not_have(void **state) {
    const struct fixture *f = *state;
    static const struct {
        const char *architecture;
        int more_keys;
        const char *family;
    } refused[] = {{"llama", 3, "mixtral"}, {"mistral3", 3, "ministral3"}, {"smollm3", 1, "smollm3"}};
    struct layout layout = layouts[0];
    struct options o = {.layout = &layout, .more = put_window};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char words[96];
        layout.architecture = refused[i].architecture;
        o.state = (void *)refused[i].architecture, o.more_keys = refused[i].more_keys;
        write_gguf(&o, f->path);
        snprintf(words, sizeof words, "sliding_window 5 is not supported for %s;", refused[i].family);
        assert_refused(f->path, words);
    }
    layout.architecture = "phi3", o.state = "phi3", o.more_keys = 1;
    assert_int_equal(read_config(f, &o).sliding_window, 5);
}

static void test_refuses_experts_that_do_not_fit(void **state) {
    const struct fixture *f = *state;
    struct layout layout = layouts[0];
    const struct options o = {.layout = &layout, .more = put_experts, .more_keys = 2, .state = "llama"};
    write_gguf(&o, f->path); /* the feed-forward layers of a llama */
    assert_refused(f->path, "tensor 'blk.0.ffn_down.weight' is not one of family mixtral");
    layout.entries[3].gguf = "ffn_down_exps.weight";
    write_gguf(&o, f->path);
    assert_refused(f->path, "tensor 'blk.0.ffn_down_exps.weight' does not hold a matrix for each of 2 experts");
    for (int e = 4; e < 9; e++) {
        if (strncmp(layout.entries[e].gguf, "ffn", 3) == 0) layout.entries[e] = (struct entry){.gguf = NULL};
    }
    layout.entries[3] = (struct entry){"ffn_gate_inp.weight", "block_sparse_moe.gate.weight", 2, HIDDEN, false, 0};
    write_gguf(&o, f->path);
    assert_refused(f->path, "has no tensor 'blk.0.ffn_gate_exps.weight'");
}

/* A file of bf16 but for its routers, as converters write it, is one of bf16. */
static void test_takes_routers_for_no_matrices_of_the_type(void **state) {
    const struct fixture *f = *state;
    const struct layout layout = {
        "llama", .neighbours = true,
        .entries = {NORMS,
                    {"attn_output.weight", "self_attn.o_proj.weight", HIDDEN, QUERY, false, 0},
                    {"attn_q.weight", "self_attn.q_proj.weight", QUERY, HIDDEN, true, 0},
                    {"attn_k.weight", "self_attn.k_proj.weight", KEY, HIDDEN, true, 0},
                    {"attn_v.weight", "self_attn.v_proj.weight", KEY, HIDDEN, false, 0},
                    {"ffn_gate_inp.weight", "block_sparse_moe.gate.weight", 2, HIDDEN, false, 0},
                    {"ffn_gate_exps.weight", "", INTERMEDIATE, HIDDEN, .experts = 2},
                    {"ffn_up_exps.weight", "", INTERMEDIATE, HIDDEN, .experts = 2},
                    {"ffn_down_exps.weight", "", HIDDEN, INTERMEDIATE, .experts = 2}}};
    struct options o = {.layout = &layout, .type = BLOCK_BF16, .more = put_experts, .state = "llama", .more_keys = 2};
    for (int round = 0; round < 2; round++) {
        struct model *model = NULL;
        struct error error = {""};
        bool bf16 = o.type == BLOCK_BF16;
        assert_int_equal(read_config(f, &o).says_bf16, bf16);
        if (model_load(f->path, MODEL_AUTO, &model, &error) != STATUS_OK) fail_msg("%s", error.message);
        assert_int_equal(model->kernels->type, bf16 && kernels_bf16_is_fast() ? NUMBER_BF16 : NUMBER_F32);
        model_free(model);
        o.type = BLOCK_F32;
    }
}

/* Gemma 3's layers: `pattern` 0 writes no such key. */
struct gemma_keys {
    uint32_t window, pattern;
    float theta; /* of sliding layers; 0: no key */
};

static void put_gemma(struct gguf_bytes *b, void *state) {
    const struct gemma_keys *keys = state;
    put_key_u32(b, "gemma3.attention.sliding_window", keys->window);
    if (keys->pattern > 0) put_key_u32(b, "gemma3.attention.sliding_window_pattern", keys->pattern);
    if (keys->theta > 0) put_key_f32(b, "gemma3.rope.freq_base_swa", keys->theta);
}

static void test_reads_kinds_of_layers(void **state) {
    const struct fixture *f = *state;
    struct gemma_keys keys = {.window = 5, .pattern = 2, .theta = 700};
    struct options o = {.layout = &layouts[5], .more = put_gemma, .state = &keys, .more_keys = 3};
    struct model_config config;
    struct error error = {""};
    write_gguf(&o, f->path);
    if (model_read_config(f->path, &config, &error) != STATUS_OK) fail_msg("%s", error.message);
    assert_int_equal(config.sliding_window, 5);
    assert_int_equal(config.layer_kinds[0], LAYER_ROTATED_APART);
    assert_int_equal(config.layer_kinds[1], LAYER_SEES_ALL);
    assert_true(config.window_rope.theta == 700 && config.window_rope.pairs == HEAD / 2);
    assert_int_equal(config.window_rope.type, ROPE_TYPE_DEFAULT);

    keys = (struct gemma_keys){.window = 5, .pattern = 3};
    o.more_keys = 2;
    write_gguf(&o, f->path);
    assert_refused(f->path, "gemma3.attention.sliding_window_pattern is 3|1 to 2, the number of layers");
}

static void test_refuses_tensors_that_do_not_fit(void **state) {
    const struct fixture *f = *state;
    struct layout changed = layouts[0];
    struct options o = {.layout = &changed, .extra = "blk.0.attn_sub_norm.weight"};
    write_gguf(&o, f->path);
    assert_refused(f->path, "tensor 'blk.0.attn_sub_norm.weight' is not one of family llama");
    o.extra = "blk.2.attn_q.weight"; /* of a layer that the model does not have */
    write_gguf(&o, f->path);
    assert_refused(f->path, "tensor 'blk.2.attn_q.weight' is not one of family llama");
    o.extra = "blk.00.attn_q.weight";
    write_gguf(&o, f->path);
    assert_refused(f->path, "tensor 'blk.0.attn_q.weight' occurs twice");
    o.extra = NULL;
    changed.entries[4].rows = 16;
    write_gguf(&o, f->path);
    assert_refused(f->path, "tensor 'blk.0.attn_q.weight' has shape [16, 32], its metadata requires [12, 32]");
    changed.entries[4].gguf = "attn_qkv.weight";
    write_gguf(&o, f->path);
    assert_refused(f->path, "tensor 'blk.0.attn_qkv.weight' is not one of family llama");
    memmove(changed.entries + 4, changed.entries + 5, 5 * sizeof *changed.entries);
    write_gguf(&o, f->path);
    assert_refused(f->path, "has no tensor 'blk.0.attn_q.weight'; its metadata requires it with shape [12, 32]");
}

/* Tensors that the family has in some models, and this one does not use. */
static void test_refuses_tensors_that_would_be_left_out(void **state) {
    const struct fixture *f = *state;
    static const struct {
        const char *architecture, *tensor;
    } cases[] = {{"llama", "blk.1.attn_q.bias"},
                 {"llama", "blk.0.attn_q_norm.weight"},
                 {"mistral3", "blk.0.attn_v.bias"},
                 {"smollm3", "blk.0.attn_k_norm.weight"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct layout layout = layouts[0];
        layout.architecture = cases[i].architecture;
        const struct options o = {.layout = &layout, .extra = cases[i].tensor};
        char words[128];
        snprintf(words, sizeof words, "tensor '%s'|choose another model", cases[i].tensor);
        write_gguf(&o, f->path);
        assert_refused(f->path, words);
    }
}

static void test_refuses_number_types_that_are_not_read(void **state) {
    const struct fixture *f = *state;
    const struct options vectors = {.layout = &layouts[0], .type = BLOCK_Q8_0, .vectors = true};
    write_gguf(&vectors, f->path); /* puts more bytes than that */
    assert_refused(f->path, "number type 'q8_0' is supported for matrices, not for vectors");
    const struct options o = {.layout = &layouts[0], .type = (enum block_type)39}; /* mxfp4, of 32 numbers */
    write_gguf(&o, f->path);                                                       /* puts more bytes than that */
    assert_refused(f->path, "number type 'mxfp4' is not supported; convert it to f32, f16, q4_0");
}

/* ---- Rotary settings ---- */

struct rope_keys {
    const char *type; /* NULL: no key */
    float factor, attention;
    uint32_t original;
    float theta; /* 0: 500 000 */
};

static void put_rope(struct gguf_bytes *b, void *state) {
    const struct rope_keys *keys = state;
    put_key_f32(b, "llama.rope.freq_base", keys->theta > 0 ? keys->theta : 500000.0F);
    if (keys->type) put_key_string(b, "llama.rope.scaling.type", keys->type);
    if (keys->factor > 0) put_key_f32(b, "llama.rope.scaling.factor", keys->factor);
    if (keys->attention > 0) put_key_f32(b, "llama.rope.scaling.attn_factor", keys->attention);
    if (keys->original) put_key_u32(b, "llama.rope.scaling.original_context_length", keys->original);
}

static struct rope_model read_rope(const struct fixture *f, struct rope_keys keys, const char *extra,
                                   const float *numbers) {
    struct options o = {.layout = &layouts[0], .more = put_rope, .state = &keys, .extra = extra};
    struct error error = {""};
    struct model_config config;
    o.extra_numbers = numbers;
    o.more_keys = 1 + (keys.type != NULL) + (keys.factor > 0) + (keys.attention > 0) + (keys.original > 0);
    write_gguf(&o, f->path);
    if (model_read_config(f->path, &config, &error) != STATUS_OK) fail_msg("%s", error.message);
    assert_true(config.rope.theta == (keys.theta > 0 ? keys.theta : 500000.0));
    return config.rope;
}

static void test_reads_scalings(void **state) {
    const struct fixture *f = *state;
    struct rope_model rope = read_rope(f, (struct rope_keys){0}, NULL, NULL);
    assert_int_equal(rope.type, ROPE_TYPE_DEFAULT);
    rope = read_rope(f, (struct rope_keys){.type = "none", .factor = 4}, NULL, NULL);
    assert_int_equal(rope.type, ROPE_TYPE_DEFAULT);
    rope = read_rope(f, (struct rope_keys){.factor = 4}, NULL, NULL);
    assert_int_equal(rope.type, ROPE_TYPE_LINEAR);
    assert_true(rope.factor == 4);
    rope = read_rope(f, (struct rope_keys){.type = "yarn", .factor = 4, .original = 16}, NULL, NULL);
    assert_int_equal(rope.type, ROPE_TYPE_YARN);
    assert_true(rope.factor == 4 && rope.original_length == 16 && rope.attention_factor == 0);
    assert_true(rope.beta_fast == 32 && rope.beta_slow == 1 && rope.truncate);
    rope = read_rope(f, (struct rope_keys){.type = "yarn", .factor = 4, .original = 16, .attention = 2}, NULL, NULL);
    assert_true(fabs(rope.attention_factor - 2 * (0.1 * log(4) + 1)) < 1e-12);
}

static void test_reads_divisors(void **state) {
    const struct fixture *f = *state;
    const float divisors[] = {1, 8};
    struct rope_table table;
    struct rope_model rope = read_rope(f, (struct rope_keys){0}, "rope_freqs.weight", divisors);
    assert_int_equal(rope.type, ROPE_TYPE_LONGROPE);
    assert_true(rope.attention_factor == 1 && rope.original_length == 64);
    for (int64_t length = 64; length < 66; length++) {
        rope_model_table(&table, &rope, length);
        assert_true(table.own_factors[0] == 1 && table.own_factors[1] == 8 && table.own_attention_factor == 1);
    }
    /* With a theta of 1e8 the second pair turns 0.1 times in 8192 tokens, which Llama 3.1's formula divides by all of
     * the factor; with 500 000 it turns 1.8 times. */
    rope = read_rope(f, (struct rope_keys){.theta = 1e8F}, "rope_freqs.weight", divisors);
    assert_int_equal(rope.type, ROPE_TYPE_LLAMA3);
    assert_true(rope.factor == 8 && rope.original_length == 8192);
    assert_true(rope.low_freq_factor == 1 && rope.high_freq_factor == 4);
}

/* phi3's tables count without a type, and rope.scaling.attn_factor is 1 without a key. */
static void put_phi3_rope(struct gguf_bytes *b, void *state) {
    (void)state;
    put_key_u32(b, "phi3.rope.scaling.original_context_length", 16);
}

static void test_reads_longrope_tables(void **state) {
    const struct fixture *f = *state;
    const float numbers[] = {2, 4};
    struct options o = {.layout = &layouts[4], .more = put_phi3_rope, .more_keys = 1, .extra_numbers = numbers};
    struct error error = {""};
    struct model_config config;
    o.extra = "rope_factors_long.weight";
    write_gguf(&o, f->path);
    assert_int_equal(model_read_config(f->path, &config, &error), STATUS_INPUT);
    assert_message(error.message, "has no tensors rope_factors_long.weight and rope_factors_short.weight");
    o.second = "rope_factors_short.weight";
    write_gguf(&o, f->path);
    if (model_read_config(f->path, &config, &error) != STATUS_OK) fail_msg("%s", error.message);
    assert_int_equal(config.rope.type, ROPE_TYPE_LONGROPE);
    assert_true(config.rope.original_length == 16 && config.rope.attention_factor == 1 && config.rope.factor == 4);
    for (int i = 0; i < 2; i++) {
        assert_true(config.rope.long_factors[i] == numbers[i]);
        assert_true(config.rope.short_factors[i] == (float)(i + 1));
    }
    model_free(load(f->path)); /* the tables are no weights that are left over */
}

/* ---- main ---- */

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_loads_each_architecture),
        TEST(test_loads_the_parts_of_a_split_model),
        TEST(test_refuses_what_is_no_model),
        TEST(test_refuses_missing_keys),
        TEST(test_refuses_keys_that_change_the_model),
        TEST(test_reads_what_one_architecture_has),
        TEST(test_refuses_windows_that_an_architecture_does_not_have),
        TEST(test_refuses_experts_that_do_not_fit),
        TEST(test_takes_routers_for_no_matrices_of_the_type),
        TEST(test_reads_kinds_of_layers),
        TEST(test_refuses_tensors_that_do_not_fit),
        TEST(test_refuses_tensors_that_would_be_left_out),
        TEST(test_refuses_number_types_that_are_not_read),
        TEST(test_reads_scalings),
        TEST(test_reads_divisors),
        TEST(test_reads_longrope_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
