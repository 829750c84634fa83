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

void gguf_rope_key(const struct gguf_rope *d, const char *name, char key[GGUF_KEY_SIZE]) {
    snprintf(key, GGUF_KEY_SIZE, "%s.%s", d->architecture, name);
}

static int get_unsigned(const struct gguf_rope *d, const char *name, uint64_t *out, struct error *error) {
    char key[GGUF_KEY_SIZE];
    gguf_rope_key(d, name, key);
    return gguf_get_unsigned(d->file, key, out, error);
}

static int get_number(const struct gguf_rope *d, const char *name, double *out, struct error *error) {
    char key[GGUF_KEY_SIZE];
    gguf_rope_key(d, name, key);
    return gguf_get_number(d->file, key, out, error);
}

static int check_architecture(const struct gguf_rope *d, struct error *error) {
    const char *path = gguf_path(d->file);
    if (!d->architecture[0]) {
        return error_set(error, STATUS_INPUT, "%s: is not a model: it has no general.architecture", path);
    }
    if (name_find(architectures, ARCHITECTURES, d->architecture) != NAME_UNKNOWN) return STATUS_OK;
    char supported[256];
    name_list(architectures, ARCHITECTURES, "and", supported, sizeof supported);
    return error_set(error, STATUS_INPUT,
                     "%s: llama.cpp does not support LongRoPE tables for architecture '%s', only for %s; export with "
                     "--format hf for transformers or vLLM",
                     path, d->architecture, supported);
}

static int check_whole(const struct gguf *file, struct error *error) {
    uint64_t parts = 1;
    int status = gguf_get_unsigned(file, "split.count", &parts, error);
    if (status != STATUS_OK || parts <= 1) return status;
    return error_set(error, STATUS_INPUT, "%s: is one of %" PRIu64 " parts; join them first: llama-gguf-split --merge",
                     gguf_path(file), parts);
}

/* d, by the rules of llama.cpp. A few architectures have a list of head counts, one per layer, which is not used. */
static int read_width(struct gguf_rope *d, struct error *error) {
    d->width = 0;
    int status = get_unsigned(d, "rope.dimension_count", &d->width, error);
    if (status == STATUS_OK && d->width == 0) status = get_unsigned(d, "attention.key_length", &d->width, error);
    if (status != STATUS_OK || d->width > 0) return status;
    uint64_t hidden = 0, heads = 0;
    struct error unused;
    status = get_unsigned(d, "embedding_length", &hidden, error);
    if (status == STATUS_OK && get_unsigned(d, "attention.head_count", &heads, &unused) != STATUS_OK) heads = 0;
    if (heads > 0) d->width = hidden / heads;
    return status;
}

static int read_scaling(struct gguf_rope *d, struct error *error) {
    char key[GGUF_KEY_SIZE];
    snprintf(d->scaling, sizeof d->scaling, "linear"); /* llama.cpp's default, with a factor of 1 */
    gguf_rope_key(d, "rope.scaling.type", key);
    int status = gguf_get_string(d->file, key, d->scaling, sizeof d->scaling, error);
    d->factor = 0.0;
    if (status == STATUS_OK) status = get_number(d, "rope.scale_linear", &d->factor, error);
    if (status == STATUS_OK)
        status = get_number(d, "rope.scaling.factor", &d->factor, error); /* overrides the older key */
    if (status != STATUS_OK) return status;
    if (d->factor < 0.0) {
        return error_set(error, STATUS_INPUT, "%s: its rope.scaling.factor %g is negative; convert the model again",
                         gguf_path(d->file), d->factor);
    }
    if (d->factor == 0.0 || strcmp(d->scaling, "none") == 0) d->factor = 1.0;
    return STATUS_OK;
}

int gguf_rope_read(const struct gguf *file, struct gguf_rope *d, struct error *error) {
    *d = (struct gguf_rope){.file = file, .theta = 10000.0};
    int status = gguf_get_string(file, "general.architecture", d->architecture, sizeof d->architecture, error);
    if (status == STATUS_OK) status = check_architecture(d, error);
    if (status == STATUS_OK) status = check_whole(file, error);
    if (status == STATUS_OK) status = read_width(d, error);
    if (status == STATUS_OK) status = read_scaling(d, error);
    if (status == STATUS_OK) status = get_number(d, "rope.freq_base", &d->theta, error);
    if (status == STATUS_OK) status = get_number(d, "attention.temperature_scale", &d->temperature_scale, error);
    if (status == STATUS_OK) status = get_unsigned(d, "context_length", &d->context_length, error);
    d->original_length = d->context_length;
    if (status == STATUS_OK) {
        status = get_unsigned(d, "rope.scaling.original_context_length", &d->original_length, error);
    }
    return status;
}

/* ---- tables ---- */

static int read_table(const struct gguf_rope *d, const char *name, int64_t pairs, double *out, struct error *error) {
    const char *path = gguf_path(d->file);
    const struct gguf_tensor *tensor = gguf_find_tensor(d->file, name);
    if (!tensor) {
        return error_set(error, STATUS_INPUT, "%s: has no LongRoPE tables: tensor %s is missing", path, name);
    }
    float factors[ROPE_MAX_PAIRS];
    int status = gguf_read_vector(d->file, tensor, factors, (uint64_t)pairs, error);
    for (int64_t i = 0; i < pairs && status == STATUS_OK; i++) {
        out[i] = factors[i] * d->factor;
        if (!(factors[i] > 0.0F) || !isfinite(out[i])) {
            status = error_set(error, STATUS_INPUT, "%s: factor %" PRId64 " of %s, %g, is not a number above 0", path,
                               i, name, (double)factors[i]);
        }
    }
    return status;
}

/* STATUS_INPUT if llama.cpp would not use the tables. */
static int check_type(const struct gguf_rope *d, struct error *error) {
    const char *a = d->architecture;
    bool always = strcmp(a, "phi3") == 0 || strcmp(a, "phimoe") == 0 || strcmp(a, "minicpm3") == 0;
    if (always || strcmp(d->scaling, "longrope") == 0) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: its %s.rope.scaling.type is '%s', not 'longrope', so llama.cpp would not use its tables",
                     gguf_path(d->file), a, d->scaling);
}

static int read_tables(const struct gguf_rope *d, struct gguf_tables *out, struct error *error) {
    const char *path = gguf_path(d->file);
    if (d->width < 2 || d->width % 2 != 0 || d->width / 2 > ROPE_MAX_PAIRS) {
        return error_set(error, STATUS_INPUT,
                         "%s: its rotary width %" PRIu64
                         " is not an even number of at most %d; convert the model again",
                         path, d->width, 2 * (int)ROPE_MAX_PAIRS);
    }
    out->pairs = (int64_t)(d->width / 2);
    int status = read_table(d, GGUF_LONG_TENSOR, out->pairs, out->long_factors, error);
    if (status == STATUS_OK) status = read_table(d, GGUF_SHORT_TENSOR, out->pairs, out->short_factors, error);
    if (status == STATUS_OK) status = check_type(d, error);
    out->attention_factor = 1.0;
    if (status == STATUS_OK) status = get_number(d, "rope.scaling.attn_factor", &out->attention_factor, error);
    if (status != STATUS_OK) return status;
    bool lengths =
        d->original_length >= 1 && d->context_length >= d->original_length && d->context_length <= UINT32_MAX;
    if (!lengths || !(d->theta > 0.0) || !(out->attention_factor > 0.0)) {
        return error_set(error, STATUS_INPUT,
                         "%s: its context_length %" PRIu64 ", original_context_length %" PRIu64
                         ", freq_base %g and attn_factor %g are inconsistent; convert the model again",
                         path, d->context_length, d->original_length, d->theta, out->attention_factor);
    }
    out->original_length = (int64_t)d->original_length;
    out->context_length = (int64_t)d->context_length;
    out->theta = d->theta;
    memcpy(out->architecture, d->architecture, sizeof out->architecture);
    return STATUS_OK;
}

int gguf_tables_read(const char *path, struct gguf_tables *out, struct error *error) {
    *out = (struct gguf_tables){0};
    struct gguf *file = NULL;
    int status = gguf_open(path, &file, error);
    struct gguf_rope d;
    if (status == STATUS_OK) status = gguf_rope_read(file, &d, error);
    if (status == STATUS_OK) status = read_tables(&d, out, error);
    gguf_close(file);
    return status;
}
