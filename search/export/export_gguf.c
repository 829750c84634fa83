#include "search/export/export_gguf.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/factors/gguf_tables.h"

/* ---- Checks that the GGUF is the model of the tables ---- */

static bool is_near(double a, double b) { return fabs(a - b) <= 1e-3 * fabs(b); }

static double own_factor(const struct export_gguf *what, int64_t pair) {
    return what->own_factors ? what->own_factors[pair] : 1.0;
}

static int check_width(const struct export_gguf *what, const struct gguf_rope *rope, struct error *error) {
    if (rope->width == 0) {
        return error_set(
            error, STATUS_INPUT,
            "%s: its rotary width is unknown: there is no %s.rope.dimension_count; convert the model again",
            what->input, rope->architecture);
    }
    if ((uint64_t)what->pairs * 2 == rope->width) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: has %" PRIu64 " rotary pairs, but the tables have %" PRId64
                     "; were they made for another model?",
                     what->input, rope->width / 2, what->pairs);
}

static int check_theta(const struct export_gguf *what, const struct gguf_rope *rope, struct error *error) {
    /* The GGUF stores theta as f32. */
    if (what->theta == 0.0 || fabs(what->theta - rope->theta) <= 1e-6 * rope->theta) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: its rope.freq_base is %g, but the tables were made for %g; their factors do not apply to it",
                     what->input, rope->theta, what->theta);
}

static int refuse_own(const struct export_gguf *what, const char *scaling, double of_file, int64_t pair,
                      struct error *error) {
    return error_set(error, STATUS_INPUT,
                     "%s: its own %s divides the frequency of pair %" PRId64 " by %g, but the model of the tables does "
                     "by %g; is it a GGUF of that model?",
                     what->input, scaling, pair, of_file, own_factor(what, pair));
}

static int check_llama3(const struct export_gguf *what, const struct gguf_rope *rope, struct error *error) {
    const struct gguf_tensor *tensor = gguf_find_tensor(rope->file, GGUF_LLAMA3_TENSOR);
    if (!tensor) return STATUS_OK;
    float own[ROPE_MAX_PAIRS];
    int status = gguf_read_vector(rope->file, tensor, own, (uint64_t)what->pairs, error);
    for (int64_t i = 0; i < what->pairs && status == STATUS_OK; i++) {
        if (!is_near(own_factor(what, i), own[i])) status = refuse_own(what, GGUF_LLAMA3_TENSOR, own[i], i, error);
    }
    return status;
}

/* YaRN's factors lie between 1 and the factor of the scaling, and the slowest pair has the largest. Nothing more is
 * checked, because programs compute the ramp between them differently. */
static int check_yarn(const struct export_gguf *what, const struct gguf_rope *rope, struct error *error) {
    double slowest = own_factor(what, what->pairs - 1);
    bool inside = slowest > 1.0 && (slowest < rope->factor || is_near(slowest, rope->factor));
    return inside ? STATUS_OK : refuse_own(what, "YaRN scaling", rope->factor, what->pairs - 1, error);
}

static int check_own_scaling(const struct export_gguf *what, const struct gguf_rope *rope, struct error *error) {
    int status = check_llama3(what, rope, error);
    if (status != STATUS_OK || is_near(rope->factor, 1.0)) return status;
    if (strcmp(rope->scaling, "longrope") == 0) return STATUS_OK; /* its tables are replaced */
    if (strcmp(rope->scaling, "yarn") == 0) return check_yarn(what, rope, error);
    for (int64_t i = 0; i < what->pairs; i++) {
        if (!is_near(own_factor(what, i), rope->factor))
            return refuse_own(what, "linear scaling", rope->factor, i, error);
    }
    return STATUS_OK;
}

static int check_temperature(const struct export_gguf *what, const struct gguf_rope *rope, struct error *error) {
    bool scaled = strcmp(rope->architecture, "mistral3") == 0 && rope->temperature_scale != 0.0;
    if (!scaled || (uint64_t)what->original_length == rope->original_length) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: llama.cpp scales its attention by original_context_length %" PRIu64
                     ", so the tables cannot change at %" PRId64 " tokens; make tables for a window of %" PRIu64,
                     what->input, rope->original_length, what->original_length, rope->original_length);
}

static int check_model(const struct export_gguf *what, const struct gguf_rope *rope, struct error *error) {
    int status = check_width(what, rope, error);
    if (status == STATUS_OK) status = check_theta(what, rope, error);
    if (status == STATUS_OK) status = check_own_scaling(what, rope, error);
    if (status == STATUS_OK) status = check_temperature(what, rope, error);
    return status;
}

/* ---- Writing ---- */

static bool is_positive_f32(double number) { return (float)number > 0.0F && isfinite((float)number); }

static int round_factors(const struct export_gguf *what, const char *name, const double *factors, float *out,
                         struct error *error) {
    for (int64_t i = 0; i < what->pairs; i++) {
        if (!is_positive_f32(factors[i])) {
            return error_set(error, STATUS_INPUT, "%s: factor %" PRId64 " of the %s table, %g, is not a number above 0",
                             what->output, i, name, factors[i]);
        }
        out[i] = (float)factors[i];
    }
    return STATUS_OK;
}

static int check_numbers(const struct export_gguf *what, struct error *error) {
    if (what->pairs < 1 || what->pairs > ROPE_MAX_PAIRS) {
        return error_set(error, STATUS_INPUT, "%s: tables of %" PRId64 " factors; 1 to %d are supported", what->output,
                         what->pairs, (int)ROPE_MAX_PAIRS);
    }
    if (!is_positive_f32(what->attention_factor)) {
        return error_set(error, STATUS_INPUT, "%s: attention factor %g is not a number above 0", what->output,
                         what->attention_factor);
    }
    if (what->original_length < 1 || what->context_length < what->original_length ||
        what->context_length > UINT32_MAX) {
        return error_set(error, STATUS_INPUT,
                         "%s: a context of %" PRId64 " tokens with a window of %" PRId64
                         " is not possible: 1 <= window <= context < 2^32",
                         what->output, what->context_length, what->original_length);
    }
    return STATUS_OK;
}

/* The keys of the input's scaling, which would change the effect of the tables. Those that the copy needs are set again
 * (struct gguf_edit). Allocates *keys; the names in it are borrowed from the file. */
static int stale_keys(const struct gguf_rope *rope, const char ***keys, size_t *count, struct error *error) {
    char prefix[GGUF_KEY_SIZE], kept[GGUF_KEY_SIZE], older[GGUF_KEY_SIZE];
    gguf_rope_key(rope, "rope.scaling.", prefix);
    gguf_rope_key(rope, "rope.scaling.finetuned", kept);
    gguf_rope_key(rope, "rope.scale_linear", older);
    size_t total = gguf_key_count(rope->file);
    *count = 0;
    *keys = calloc(total + 1, sizeof **keys);
    if (!*keys) return error_memory(error, (double)(total * sizeof **keys), gguf_path(rope->file));
    for (size_t i = 0; i < total; i++) {
        const char *name = gguf_key_name(rope->file, i);
        bool scaling = strncmp(name, prefix, strlen(prefix)) == 0 && strcmp(name, kept) != 0;
        if (scaling || strcmp(name, older) == 0) (*keys)[(*count)++] = name;
    }
    return STATUS_OK;
}

static int write_copy(const struct export_gguf *what, const struct gguf_rope *rope, const float *long_factors,
                      const float *short_factors, struct error *error) {
    char type[GGUF_KEY_SIZE], original[GGUF_KEY_SIZE], attention[GGUF_KEY_SIZE], context[GGUF_KEY_SIZE];
    gguf_rope_key(rope, "rope.scaling.type", type);
    gguf_rope_key(rope, "rope.scaling.original_context_length", original);
    gguf_rope_key(rope, "rope.scaling.attn_factor", attention);
    gguf_rope_key(rope, "context_length", context);
    const struct gguf_setting settings[] = {
        {.key = context, .type = GGUF_U32, .u32 = (uint32_t)what->context_length},
        {.key = type, .type = GGUF_STRING, .string = "longrope"},
        {.key = original, .type = GGUF_U32, .u32 = (uint32_t)what->original_length},
        {.key = attention, .type = GGUF_F32, .f32 = (float)what->attention_factor},
    };
    const struct gguf_vector vectors[] = {{GGUF_LONG_TENSOR, (uint64_t)what->pairs, long_factors},
                                          {GGUF_SHORT_TENSOR, (uint64_t)what->pairs, short_factors}};
    const char *const removed_tensors[] = {GGUF_LLAMA3_TENSOR};
    const char **stale = NULL;
    size_t stale_count = 0;
    int status = stale_keys(rope, &stale, &stale_count, error);
    if (status == STATUS_OK) {
        const struct gguf_edit edit = {settings, 4, stale, stale_count, vectors, 2, removed_tensors, 1};
        status = gguf_write(rope->file, &edit, what->output, &what->control, error);
    }
    free(stale);
    return status;
}

int export_gguf(const struct export_gguf *what, struct error *error) {
    float long_factors[ROPE_MAX_PAIRS], short_factors[ROPE_MAX_PAIRS];
    int status = check_numbers(what, error);
    if (status == STATUS_OK) status = round_factors(what, "long", what->long_factors, long_factors, error);
    if (status == STATUS_OK) status = round_factors(what, "short", what->short_factors, short_factors, error);
    struct gguf *file = NULL;
    if (status == STATUS_OK) status = gguf_open(what->input, &file, error);
    struct gguf_rope rope;
    if (status == STATUS_OK) status = gguf_rope_read(file, &rope, error);
    if (status == STATUS_OK) status = check_model(what, &rope, error);
    if (status == STATUS_OK) status = write_copy(what, &rope, long_factors, short_factors, error);
    gguf_close(file);
    return status;
}
