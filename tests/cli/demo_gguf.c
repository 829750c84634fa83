/* demo_gguf DIR OUT.gguf [f32|bf16|q8_0] [PARTS]: a llama model in Hugging Face's format with bf16 weights, such as the
 * demo's, as a GGUF file, or as PARTS of one: OUT-00001-of-0000N.gguf and so on. For tests of the program on GGUF
 * files. q8_0 rounds weights, which are then the numbers of blocks with scales that are powers of two; f32 rounds them
 * alike if it is named as q8_0-f32. */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/gguf/gguf.h"
#include "eval/model/model.h"
#include "eval/model/weights.h"

enum { MOST_TENSORS = 512 };

struct out {
    char name[96]; /* the model's */
    char gguf[64];
    bool turns;
    const struct tensor *from;
    enum block_type type;
};

struct job {
    struct model_config config;
    struct weights *weights;
    struct out tensors[MOST_TENSORS];
    size_t count;
    const char *kind;
};

static void die(const char *message) {
    fprintf(stderr, "demo_gguf: %s\n", message);
    exit(1);
}

static void add(struct job *job, const char *name, const char *gguf, bool turns) {
    struct out *out = &job->tensors[job->count];
    *out = (struct out){.turns = turns, .from = weights_find(job->weights, name)};
    snprintf(out->name, sizeof out->name, "%s", name);
    snprintf(out->gguf, sizeof out->gguf, "%s", gguf);
    bool matrix = out->from && out->from->rank == 2;
    bool blocks = matrix && strcmp(job->kind, "q8_0") == 0 && out->from->shape[1] % 32 == 0;
    out->type = blocks ? BLOCK_Q8_0 : matrix && strcmp(job->kind, "bf16") == 0 ? BLOCK_BF16 : BLOCK_F32;
    if (out->from && ++job->count == MOST_TENSORS) die("too many tensors");
}

static void list(struct job *job) {
    static const struct {
        const char *name, *gguf;
        bool turns;
    } inner[] = {{"input_layernorm", "attn_norm", false},
                 {"self_attn.q_proj", "attn_q", true},
                 {"self_attn.k_proj", "attn_k", true},
                 {"self_attn.v_proj", "attn_v", false},
                 {"self_attn.o_proj", "attn_output", false},
                 {"mlp.gate_proj", "ffn_gate", false},
                 {"post_attention_layernorm", "ffn_norm", false},
                 {"mlp.up_proj", "ffn_up", false},
                 {"mlp.down_proj", "ffn_down", false}};
    char name[96], gguf[64];
    add(job, "model.embed_tokens.weight", "token_embd.weight", false);
    add(job, "model.norm.weight", "output_norm.weight", false);
    add(job, "lm_head.weight", "output.weight", false);
    for (int64_t l = 0; l < job->config.layers; l++) {
        for (size_t i = 0; i < sizeof inner / sizeof *inner; i++) {
            snprintf(name, sizeof name, "model.layers.%" PRId64 ".%s.weight", l, inner[i].name);
            snprintf(gguf, sizeof gguf, "blk.%" PRId64 ".%s.weight", l, inner[i].gguf);
            add(job, name, gguf, inner[i].turns);
        }
    }
}

/* ---- Bytes ---- */

static void put(FILE *file, const void *bytes, size_t size) {
    if (size > 0 && fwrite(bytes, 1, size, file) != size) die("cannot write");
}
static void put_u32(FILE *file, uint32_t number) { put(file, &number, sizeof number); }
static void put_u64(FILE *file, uint64_t number) { put(file, &number, sizeof number); }
static void put_string(FILE *file, const char *text) { put_u64(file, strlen(text)), put(file, text, strlen(text)); }
static void key_u32(FILE *file, const char *name, int64_t value) {
    put_string(file, name), put_u32(file, GGUF_U32), put_u32(file, (uint32_t)value);
}
static void key_f32(FILE *file, const char *name, double value) {
    float number = (float)value;
    put_string(file, name), put_u32(file, GGUF_F32), put(file, &number, sizeof number);
}
static void pad(FILE *file) {
    while (ftell(file) % 32 != 0) put(file, "", 1);
}

/* ---- Numbers ---- */

/* 127 times the scale is at least the largest number of the block; the scale, a power of two, is an f16. */
static float scale_of(const float *x) {
    float most = 0;
    for (int i = 0; i < 32; i++) most = fmaxf(most, fabsf(x[i]));
    return exp2f(ceilf(log2f(fmaxf(most, 0x1p-10F) / 127)));
}

static void put_q8_0(FILE *file, const float *x) {
    float scale = scale_of(x);
    uint16_t half = (uint16_t)((int)(log2f(scale) + 15) << 10);
    int8_t quants[32];
    for (int i = 0; i < 32; i++) quants[i] = (int8_t)lrintf(x[i] / scale);
    put(file, &half, sizeof half);
    put(file, quants, sizeof quants);
}

static void put_row(FILE *file, const struct job *job, const struct out *out, float *x, int64_t columns) {
    bool rounded = strncmp(job->kind, "q8_0", 4) == 0 && out->from->rank == 2 && columns % 32 == 0;
    for (int64_t c = 0; c < columns; c++) {
        if (rounded && out->type == BLOCK_Q8_0 && c % 32 == 0) put_q8_0(file, x + c);
        if (rounded && out->type != BLOCK_Q8_0 && c % 32 == 0) {
            float scale = scale_of(x + c);
            for (int i = 0; i < 32; i++) x[c + i] = scale * (float)lrintf(x[c + i] / scale);
        }
        if (out->type == BLOCK_BF16) put(file, (const char *)&x[c] + 2, 2);
        if (out->type == BLOCK_F32) put(file, &x[c], sizeof *x);
    }
}

/* Neighbouring rows of a head are the halves of a pair. */
static void put_data(FILE *file, const struct job *job, const struct out *out) {
    int64_t rows = out->from->shape[0], columns = out->from->rank == 2 ? out->from->shape[1] : 1;
    int64_t head = job->config.head_width;
    float *x = malloc((size_t)columns * sizeof *x);
    if (!x) die("no memory");
    for (int64_t row = 0; row < rows; row++) {
        int64_t in_head = row % head, from = out->turns ? row - in_head + in_head % 2 * (head / 2) + in_head / 2 : row;
        tensor_rows_to_f32(out->from, from, 1, x);
        put_row(file, job, out, x, columns);
    }
    free(x);
    pad(file);
}

static uint64_t bytes_of(const struct out *out) {
    uint64_t numbers = (uint64_t)out->from->count;
    return (numbers / block_numbers(out->type) * block_bytes(out->type) + 31) / 32 * 32;
}

/* ---- Files ---- */

static void put_keys(FILE *file, const struct model_config *c) {
    put_string(file, "general.architecture"), put_u32(file, GGUF_STRING), put_string(file, "llama");
    key_u32(file, "llama.context_length", c->window);
    key_u32(file, "llama.embedding_length", c->hidden);
    key_u32(file, "llama.feed_forward_length", c->intermediate);
    key_u32(file, "llama.block_count", c->layers);
    key_u32(file, "llama.attention.head_count", c->heads);
    key_u32(file, "llama.attention.head_count_kv", c->kv_heads);
    key_u32(file, "llama.attention.key_length", c->head_width);
    key_u32(file, "llama.attention.value_length", c->head_width);
    key_u32(file, "llama.rope.dimension_count", 2 * c->rope.pairs);
    key_f32(file, "llama.rope.freq_base", c->rope.theta);
    key_f32(file, "llama.attention.layer_norm_rms_epsilon", c->norm_eps);
}
enum { KEYS = 12 };

static void write_file(const struct job *job, const char *path, size_t part, size_t parts) {
    size_t first = job->count * part / parts, last = job->count * (part + 1) / parts;
    FILE *file = fopen(path, "wb");
    if (!file) die("cannot open the file");
    put(file, "GGUF", 4), put_u32(file, 3), put_u64(file, last - first);
    put_u64(file, (part ? 0 : KEYS) + (parts > 1 ? 2 : 0));
    if (!part) put_keys(file, &job->config);
    if (parts > 1) key_u32(file, "split.no", (int64_t)part), key_u32(file, "split.count", (int64_t)parts);
    uint64_t offset = 0;
    for (size_t i = first; i < last; offset += bytes_of(&job->tensors[i++])) {
        const struct out *out = &job->tensors[i];
        put_string(file, out->gguf), put_u32(file, (uint32_t)out->from->rank);
        for (int d = out->from->rank; d-- > 0;) put_u64(file, (uint64_t)out->from->shape[d]);
        put_u32(file, out->type), put_u64(file, offset);
    }
    pad(file);
    for (size_t i = first; i < last; i++) put_data(file, job, &job->tensors[i]);
    if (fclose(file) != 0) die("cannot write");
}

int main(int argc, char **argv) {
    static struct job job;
    struct error error;
    if (argc < 3 || argc > 5) die("DIR OUT.gguf [f32|bf16|q8_0|q8_0-f32] [PARTS]");
    job.kind = argc > 3 ? argv[3] : "f32";
    size_t parts = argc > 4 ? (size_t)atoi(argv[4]) : 1;
    if (model_read_config(argv[1], &job.config, &error) != STATUS_OK) die(error.message);
    if (weights_open(argv[1], &job.weights, &error) != STATUS_OK) die(error.message);
    list(&job);
    for (size_t part = 0; part < parts; part++) {
        char path[4096];
        snprintf(path, sizeof path, "%s", argv[2]);
        if (parts > 1) {
            snprintf(path, sizeof path, "%.*s-%05zu-of-%05zu.gguf", (int)strlen(argv[2]) - 5, argv[2], part + 1, parts);
        }
        write_file(&job, path, part, parts);
    }
    weights_close(job.weights);
    return 0;
}
