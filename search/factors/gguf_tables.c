#include "search/factors/gguf_tables.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "eval/base/name.h"

/* The architectures of llama.cpp that load and use the tables (its src/models/, as in llama-cpp-python 0.3.36). refact
 * and pangu-embedded load them without using them; step35 uses them in some layers. */
static const char *const architectures[] = {"apertus",    "deci",     "granite",     "granite_swa",
                                            "granitemoe", "llama",    "llama-embed", "minicpm",
                                            "minicpm3",   "mistral3", "phi3",        "phimoe"};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures };

/* ---- the rotary embedding ---- */

void gguf_rope_key(const struct gguf_rope *rope, const char *name, char key[GGUF_KEY_SIZE]) {
    snprintf(key, GGUF_KEY_SIZE, "%s.%s", rope->architecture, name);
}

static int get_unsigned(const struct gguf_rope *rope, const char *name, uint64_t *out, struct error *error) {
    char key[GGUF_KEY_SIZE];
    gguf_rope_key(rope, name, key);
    return gguf_get_unsigned(rope->file, key, out, error);
}

static int get_number(const struct gguf_rope *rope, const char *name, double *out, struct error *error) {
    char key[GGUF_KEY_SIZE];
    gguf_rope_key(rope, name, key);
    return gguf_get_number(rope->file, key, out, error);
}

static int check_architecture(const struct gguf_rope *rope, struct error *error) {
    const char *path = gguf_path(rope->file);
    if (!rope->architecture[0]) {
        return error_set(error, STATUS_INPUT, "%s: is not a model: it has no general.architecture", path);
    }
    if (name_find(architectures, ARCHITECTURES, rope->architecture) != NAME_UNKNOWN) return STATUS_OK;
    char supported[256];
    name_list(architectures, ARCHITECTURES, "and", supported, sizeof supported);
    return error_set(error, STATUS_INPUT,
                     "%s: llama.cpp does not support LongRoPE tables for architecture '%s', only for %s; export with "
                     "--format hf for transformers or vLLM",
                     path, rope->architecture, supported);
}

static int check_whole(const struct gguf *file, struct error *error) {
    uint64_t parts = 1;
    int status = gguf_get_unsigned(file, "split.count", &parts, error);
    if (status != STATUS_OK || parts <= 1) return status;
    return error_set(error, STATUS_INPUT, "%s: is one of %" PRIu64 " parts; join them first: llama-gguf-split --merge",
                     gguf_path(file), parts);
}

/* d, by the rules of llama.cpp. A few architectures have a list of head counts, one per layer, which is not used. */
static int read_width(struct gguf_rope *rope, struct error *error) {
    rope->width = 0;
    int status = get_unsigned(rope, "rope.dimension_count", &rope->width, error);
    if (status == STATUS_OK && rope->width == 0)
        status = get_unsigned(rope, "attention.key_length", &rope->width, error);
    if (status != STATUS_OK || rope->width > 0) return status;
    uint64_t hidden = 0, heads = 0;
    struct error unused;
    status = get_unsigned(rope, "embedding_length", &hidden, error);
    if (status == STATUS_OK && get_unsigned(rope, "attention.head_count", &heads, &unused) != STATUS_OK) heads = 0;
    if (heads > 0) rope->width = hidden / heads;
    return status;
}

static int read_scaling(struct gguf_rope *rope, struct error *error) {
    char key[GGUF_KEY_SIZE];
    snprintf(rope->scaling, sizeof rope->scaling, "linear"); /* llama.cpp's default, with a factor of 1 */
    gguf_rope_key(rope, "rope.scaling.type", key);
    int status = gguf_get_string(rope->file, key, rope->scaling, sizeof rope->scaling, error);
    rope->factor = 0.0;
    if (status == STATUS_OK) status = get_number(rope, "rope.scale_linear", &rope->factor, error);
    if (status == STATUS_OK)
        status = get_number(rope, "rope.scaling.factor", &rope->factor, error); /* overrides the older key */
    if (status != STATUS_OK) return status;
    if (rope->factor < 0.0) {
        return error_set(error, STATUS_INPUT, "%s: its rope.scaling.factor %g is negative; convert the model again",
                         gguf_path(rope->file), rope->factor);
    }
    if (rope->factor == 0.0 || strcmp(rope->scaling, "none") == 0) rope->factor = 1.0;
    return STATUS_OK;
}

int gguf_rope_read(const struct gguf *file, struct gguf_rope *rope, struct error *error) {
    *rope = (struct gguf_rope){.file = file, .theta = 10000.0};
    int status = gguf_get_string(file, "general.architecture", rope->architecture, sizeof rope->architecture, error);
    if (status == STATUS_OK) status = check_architecture(rope, error);
    if (status == STATUS_OK) status = check_whole(file, error);
    if (status == STATUS_OK) status = read_width(rope, error);
    if (status == STATUS_OK) status = read_scaling(rope, error);
    if (status == STATUS_OK) status = get_number(rope, "rope.freq_base", &rope->theta, error);
    if (status == STATUS_OK) status = get_number(rope, "attention.temperature_scale", &rope->temperature_scale, error);
    if (status == STATUS_OK) status = get_unsigned(rope, "context_length", &rope->context_length, error);
    rope->original_length = rope->context_length;
    if (status == STATUS_OK) {
        status = get_unsigned(rope, "rope.scaling.original_context_length", &rope->original_length, error);
    }
    return status;
}

/* ---- tables ---- */

static int read_table(const struct gguf_rope *rope, const char *name, int64_t pairs, double *out, struct error *error) {
    const char *path = gguf_path(rope->file);
    const struct gguf_tensor *tensor = gguf_find_tensor(rope->file, name);
    if (!tensor) {
        return error_set(error, STATUS_INPUT, "%s: has no LongRoPE tables: tensor %s is missing", path, name);
    }
    float factors[ROPE_MAX_PAIRS];
    int status = gguf_read_vector(rope->file, tensor, factors, (uint64_t)pairs, error);
    for (int64_t i = 0; i < pairs && status == STATUS_OK; i++) {
        out[i] = factors[i] * rope->factor;
        if (!(factors[i] > 0.0F) || !isfinite(out[i])) {
            status = error_set(error, STATUS_INPUT, "%s: factor %" PRId64 " of %s, %g, is not a number above 0", path,
                               i, name, (double)factors[i]);
        }
    }
    return status;
}

/* STATUS_INPUT if llama.cpp would not use the tables. */
static int check_type(const struct gguf_rope *rope, struct error *error) {
    const char *a = rope->architecture;
    bool always = strcmp(a, "phi3") == 0 || strcmp(a, "phimoe") == 0 || strcmp(a, "minicpm3") == 0;
    if (always || strcmp(rope->scaling, "longrope") == 0) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: its %s.rope.scaling.type is '%s', not 'longrope', so llama.cpp would not use its tables",
                     gguf_path(rope->file), a, rope->scaling);
}

static int read_tables(const struct gguf_rope *rope, struct gguf_tables *out, struct error *error) {
    const char *path = gguf_path(rope->file);
    if (rope->width < 2 || rope->width % 2 != 0 || rope->width / 2 > ROPE_MAX_PAIRS) {
        return error_set(error, STATUS_INPUT,
                         "%s: its rotary width %" PRIu64
                         " is not an even number of at most %d; convert the model again",
                         path, rope->width, 2 * (int)ROPE_MAX_PAIRS);
    }
    out->pairs = (int64_t)(rope->width / 2);
    int status = read_table(rope, GGUF_LONG_TENSOR, out->pairs, out->long_factors, error);
    if (status == STATUS_OK) status = read_table(rope, GGUF_SHORT_TENSOR, out->pairs, out->short_factors, error);
    if (status == STATUS_OK) status = check_type(rope, error);
    out->attention_factor = 1.0;
    if (status == STATUS_OK) status = get_number(rope, "rope.scaling.attn_factor", &out->attention_factor, error);
    if (status != STATUS_OK) return status;
    bool lengths = rope->original_length >= 1 && rope->context_length >= rope->original_length &&
                   rope->context_length <= UINT32_MAX;
    if (!lengths || !(rope->theta > 0.0) || !(out->attention_factor > 0.0)) {
        return error_set(error, STATUS_INPUT,
                         "%s: its context_length %" PRIu64 ", original_context_length %" PRIu64
                         ", freq_base %g and attn_factor %g are inconsistent; convert the model again",
                         path, rope->context_length, rope->original_length, rope->theta, out->attention_factor);
    }
    out->original_length = (int64_t)rope->original_length;
    out->context_length = (int64_t)rope->context_length;
    out->theta = rope->theta;
    memcpy(out->architecture, rope->architecture, sizeof out->architecture);
    return STATUS_OK;
}

int gguf_tables_read(const char *path, struct gguf_tables *out, struct error *error) {
    *out = (struct gguf_tables){0};
    struct gguf *file = NULL;
    int status = gguf_open(path, &file, error);
    struct gguf_rope rope;
    if (status == STATUS_OK) status = gguf_rope_read(file, &rope, error);
    if (status == STATUS_OK) status = read_tables(&rope, out, error);
    gguf_close(file);
    return status;
}
