#include "search/export_gguf.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* llama.cpp's architectures that both load the tables and turn by them (src/models/ of it, as in llama-cpp-python
 * 0.3.36). refact and pangu-embedded only load them; step35 uses them in some layers. */
static const char *const architectures[] = {"apertus",    "deci",     "granite",     "granite_swa",
                                            "granitemoe", "llama",    "llama-embed", "minicpm",
                                            "minicpm3",   "mistral3", "phi3",        "phimoe"};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures };

#define LONG_TENSOR "rope_factors_long.weight"
#define SHORT_TENSOR "rope_factors_short.weight"
#define LLAMA3_TENSOR "rope_freqs.weight"

enum { KEY_BYTES = 128 };

/* What a model says of itself. */
struct description {
    const struct gguf *file;
    char architecture[64];
    char scaling[32]; /* type; "linear" where it does not say */
    double factor;    /* of the scaling; 1 where there is none */
    double theta;
    double temperature_scale; /* 0 where there is none */
    uint64_t width;           /* d; 0: it does not say */
    uint64_t context_length;  /* 0: it does not say */
    uint64_t original_length;
};

/* ---- Reading a model's description ---- */

/* "llama.rope.freq_base" */
static void make_key(const struct description *d, const char *name, char key[KEY_BYTES]) {
    snprintf(key, KEY_BYTES, "%s.%s", d->architecture, name);
}

static int get_unsigned(const struct description *d, const char *name, uint64_t *out, struct error *error) {
    char key[KEY_BYTES];
    make_key(d, name, key);
    return gguf_get_unsigned(d->file, key, out, error);
}

static int get_number(const struct description *d, const char *name, double *out, struct error *error) {
    char key[KEY_BYTES];
    make_key(d, name, key);
    return gguf_get_number(d->file, key, out, error);
}

static int check_architecture(const struct description *d, struct error *error) {
    const char *path = gguf_path(d->file);
    if (!d->architecture[0]) {
        return error_set(error, STATUS_INPUT, "%s: has no general.architecture, so it is not a model's GGUF", path);
    }
    char known[256] = "";
    for (size_t i = 0, used = 0; i < ARCHITECTURES; i++) {
        if (strcmp(d->architecture, architectures[i]) == 0) return STATUS_OK;
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", architectures[i]);
    }
    return error_set(error, STATUS_INPUT,
                     "%s: llama.cpp has no LongRoPE tables for models of architecture '%s', only for %s; transformers "
                     "and vLLM may read them: export for these",
                     path, d->architecture, known);
}

static int check_whole(const struct gguf *file, struct error *error) {
    uint64_t parts = 1;
    int status = gguf_get_unsigned(file, "split.count", &parts, error);
    if (status != STATUS_OK || parts <= 1) return status;
    return error_set(error, STATUS_INPUT, "%s: is one of %" PRIu64 " parts; join them first: llama-gguf-split --merge",
                     gguf_path(file), parts);
}

/* d, as llama.cpp finds it. The head count of a few architectures is a list, one a layer; then it is not used. */
static int read_width(struct description *d, struct error *error) {
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

static int read_scaling(struct description *d, struct error *error) {
    char key[KEY_BYTES];
    snprintf(d->scaling, sizeof d->scaling, "linear"); /* llama.cpp's default, with a factor of 1 */
    make_key(d, "rope.scaling.type", key);
    int status = gguf_get_string(d->file, key, d->scaling, sizeof d->scaling, error);
    d->factor = 0.0;
    if (status == STATUS_OK) status = get_number(d, "rope.scale_linear", &d->factor, error);
    if (status == STATUS_OK)
        status = get_number(d, "rope.scaling.factor", &d->factor, error); /* goes before the older */
    if (status != STATUS_OK) return status;
    if (d->factor < 0.0) {
        return error_set(error, STATUS_INPUT, "%s: its rope.scaling.factor %g is negative; convert the model again",
                         gguf_path(d->file), d->factor);
    }
    if (d->factor == 0.0 || strcmp(d->scaling, "none") == 0) d->factor = 1.0;
    return STATUS_OK;
}

static int read_description(const struct gguf *file, struct description *d, struct error *error) {
    *d = (struct description){.file = file, .theta = 10000.0};
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

/* ---- Is it the tables' model? ---- */

static bool is_near(double a, double b) { return fabs(a - b) <= 1e-3 * fabs(b); }

static double own_factor(const struct gguf_export *what, int64_t pair) {
    return what->own_factors ? what->own_factors[pair] : 1.0;
}

static int check_width(const struct gguf_export *what, const struct description *d, struct error *error) {
    if (d->width == 0) {
        return error_set(error, STATUS_INPUT,
                         "%s: does not say how wide its rotary embedding is (%s.rope.dimension_count); convert the "
                         "model again",
                         what->input, d->architecture);
    }
    if ((uint64_t)what->pairs * 2 == d->width) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: has %" PRIu64 " rotary pairs, but the tables are of %" PRId64
                     "; were they made for another model?",
                     what->input, d->width / 2, what->pairs);
}

static int check_theta(const struct gguf_export *what, const struct description *d, struct error *error) {
    /* The GGUF's is rounded to f32. */
    if (what->theta == 0.0 || fabs(what->theta - d->theta) <= 1e-6 * d->theta) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: its rope.freq_base is %g, but the tables were made for %g; their factors mean nothing there",
                     what->input, d->theta, what->theta);
}

static int refuse_own(const struct gguf_export *what, const char *scaling, double of_file, int64_t pair,
                      struct error *error) {
    return error_set(error, STATUS_INPUT,
                     "%s: its own %s slows pair %" PRId64 " down by %g, but what the tables were made on top of does "
                     "by %g; is it a GGUF of the model that the tables are for?",
                     what->input, scaling, pair, of_file, own_factor(what, pair));
}

static int check_llama3(const struct gguf_export *what, const struct description *d, struct error *error) {
    const struct gguf_tensor *tensor = gguf_find_tensor(d->file, LLAMA3_TENSOR);
    if (!tensor) return STATUS_OK;
    float own[ROPE_MAX_PAIRS];
    int status = gguf_read_vector(d->file, tensor, own, (uint64_t)what->pairs, error);
    for (int64_t i = 0; i < what->pairs && status == STATUS_OK; i++) {
        if (!is_near(own_factor(what, i), own[i])) status = refuse_own(what, LLAMA3_TENSOR, own[i], i, error);
    }
    return status;
}

/* YaRN's factors lie between 1 and that of the scaling, the slowest pair's being the largest; where between is a
 * matter of its ramp, which programs lay differently. */
static int check_yarn(const struct gguf_export *what, const struct description *d, struct error *error) {
    double slowest = own_factor(what, what->pairs - 1);
    bool inside = slowest > 1.0 && (slowest < d->factor || is_near(slowest, d->factor));
    return inside ? STATUS_OK : refuse_own(what, "YaRN scaling", d->factor, what->pairs - 1, error);
}

static int check_own_scaling(const struct gguf_export *what, const struct description *d, struct error *error) {
    int status = check_llama3(what, d, error);
    if (status != STATUS_OK || is_near(d->factor, 1.0)) return status;
    if (strcmp(d->scaling, "longrope") == 0) return STATUS_OK; /* tables of its own; they are replaced */
    if (strcmp(d->scaling, "yarn") == 0) return check_yarn(what, d, error);
    for (int64_t i = 0; i < what->pairs; i++) {
        if (!is_near(own_factor(what, i), d->factor)) return refuse_own(what, "linear scaling", d->factor, i, error);
    }
    return STATUS_OK;
}

static int check_temperature(const struct gguf_export *what, const struct description *d, struct error *error) {
    bool scaled = strcmp(d->architecture, "mistral3") == 0 && d->temperature_scale != 0.0;
    if (!scaled || (uint64_t)what->original_length == d->original_length) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: llama.cpp scales its attention by original_context_length %" PRIu64
                     ", so that the tables cannot change at %" PRId64 " tokens; make them for a window of %" PRIu64,
                     what->input, d->original_length, what->original_length, d->original_length);
}

static int check_model(const struct gguf_export *what, const struct description *d, struct error *error) {
    int status = check_width(what, d, error);
    if (status == STATUS_OK) status = check_theta(what, d, error);
    if (status == STATUS_OK) status = check_own_scaling(what, d, error);
    if (status == STATUS_OK) status = check_temperature(what, d, error);
    return status;
}

/* ---- Writing ---- */

static bool is_positive_f32(double number) { return (float)number > 0.0F && isfinite((float)number); }

static int round_factors(const struct gguf_export *what, const char *name, const double *factors, float *out,
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

static int check_numbers(const struct gguf_export *what, struct error *error) {
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
                         "%s: a context of %" PRId64 " tokens on a window of %" PRId64
                         " cannot be: 1 <= window <= context < 2^32",
                         what->output, what->context_length, what->original_length);
    }
    return STATUS_OK;
}

/* Keys that would change what the tables mean: all of the scaling but the one that says nothing of it. Those among
 * them that the copy needs are set anew. Allocates *keys, whose names belong to the file. */
static int stale_keys(const struct description *d, const char ***keys, size_t *count, struct error *error) {
    char prefix[KEY_BYTES], kept[KEY_BYTES], older[KEY_BYTES];
    make_key(d, "rope.scaling.", prefix);
    make_key(d, "rope.scaling.finetuned", kept);
    make_key(d, "rope.scale_linear", older);
    size_t total = gguf_key_count(d->file);
    *count = 0;
    *keys = calloc(total + 1, sizeof **keys);
    if (!*keys) return error_memory(error, (double)(total * sizeof **keys), gguf_path(d->file));
    for (size_t i = 0; i < total; i++) {
        const char *name = gguf_key_name(d->file, i);
        bool scaling = strncmp(name, prefix, strlen(prefix)) == 0 && strcmp(name, kept) != 0;
        if (scaling || strcmp(name, older) == 0) (*keys)[(*count)++] = name;
    }
    return STATUS_OK;
}

static int write_copy(const struct gguf_export *what, const struct description *d, const float *long_factors,
                      const float *short_factors, struct error *error) {
    char type[KEY_BYTES], original[KEY_BYTES], attention[KEY_BYTES], context[KEY_BYTES];
    make_key(d, "rope.scaling.type", type);
    make_key(d, "rope.scaling.original_context_length", original);
    make_key(d, "rope.scaling.attn_factor", attention);
    make_key(d, "context_length", context);
    const struct gguf_setting settings[] = {
        {.key = context, .type = GGUF_U32, .u32 = (uint32_t)what->context_length},
        {.key = type, .type = GGUF_STRING, .string = "longrope"},
        {.key = original, .type = GGUF_U32, .u32 = (uint32_t)what->original_length},
        {.key = attention, .type = GGUF_F32, .f32 = (float)what->attention_factor},
    };
    const struct gguf_vector vectors[] = {{LONG_TENSOR, (uint64_t)what->pairs, long_factors},
                                          {SHORT_TENSOR, (uint64_t)what->pairs, short_factors}};
    const char *const removed_tensors[] = {LLAMA3_TENSOR};
    const char **stale = NULL;
    size_t stale_count = 0;
    int status = stale_keys(d, &stale, &stale_count, error);
    if (status == STATUS_OK) {
        const struct gguf_edit edit = {settings, 4, stale, stale_count, vectors, 2, removed_tensors, 1};
        status = gguf_write(d->file, &edit, what->output, &what->control, error);
    }
    free(stale);
    return status;
}

int export_gguf(const struct gguf_export *what, struct error *error) {
    float long_factors[ROPE_MAX_PAIRS], short_factors[ROPE_MAX_PAIRS];
    int status = check_numbers(what, error);
    if (status == STATUS_OK) status = round_factors(what, "long", what->long_factors, long_factors, error);
    if (status == STATUS_OK) status = round_factors(what, "short", what->short_factors, short_factors, error);
    struct gguf *file = NULL;
    if (status == STATUS_OK) status = gguf_open(what->input, &file, error);
    struct description d;
    if (status == STATUS_OK) status = read_description(file, &d, error);
    if (status == STATUS_OK) status = check_model(what, &d, error);
    if (status == STATUS_OK) status = write_copy(what, &d, long_factors, short_factors, error);
    gguf_close(file);
    return status;
}

/* ---- Reading ---- */

static int read_table(const struct description *d, const char *name, int64_t pairs, double *out, struct error *error) {
    const char *path = gguf_path(d->file);
    const struct gguf_tensor *tensor = gguf_find_tensor(d->file, name);
    if (!tensor) {
        return error_set(error, STATUS_INPUT, "%s: holds no LongRoPE tables: there is no tensor %s", path, name);
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

/* Whether llama.cpp would look at the tables at all. */
static int check_type(const struct description *d, struct error *error) {
    const char *a = d->architecture;
    bool always = strcmp(a, "phi3") == 0 || strcmp(a, "phimoe") == 0 || strcmp(a, "minicpm3") == 0;
    if (always || strcmp(d->scaling, "longrope") == 0) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: its %s.rope.scaling.type is '%s' and not 'longrope', so llama.cpp would use no tables of it",
                     gguf_path(d->file), a, d->scaling);
}

static int read_tables(const struct description *d, struct gguf_tables *out, struct error *error) {
    const char *path = gguf_path(d->file);
    if (d->width < 2 || d->width % 2 != 0 || d->width / 2 > ROPE_MAX_PAIRS) {
        return error_set(error, STATUS_INPUT,
                         "%s: its rotary width %" PRIu64
                         " is not an even number of at most %d; convert the model again",
                         path, d->width, 2 * (int)ROPE_MAX_PAIRS);
    }
    out->pairs = (int64_t)(d->width / 2);
    int status = read_table(d, LONG_TENSOR, out->pairs, out->long_factors, error);
    if (status == STATUS_OK) status = read_table(d, SHORT_TENSOR, out->pairs, out->short_factors, error);
    if (status == STATUS_OK) status = check_type(d, error);
    out->attention_factor = 1.0;
    if (status == STATUS_OK) status = get_number(d, "rope.scaling.attn_factor", &out->attention_factor, error);
    if (status != STATUS_OK) return status;
    bool lengths =
        d->original_length >= 1 && d->context_length >= d->original_length && d->context_length <= UINT32_MAX;
    if (!lengths || !(d->theta > 0.0) || !(out->attention_factor > 0.0)) {
        return error_set(error, STATUS_INPUT,
                         "%s: its context_length %" PRIu64 ", original_context_length %" PRIu64
                         ", freq_base %g and attn_factor %g make no sense together; convert the model again",
                         path, d->context_length, d->original_length, d->theta, out->attention_factor);
    }
    out->original_length = (int64_t)d->original_length;
    out->context_length = (int64_t)d->context_length;
    out->theta = d->theta;
    memcpy(out->architecture, d->architecture, sizeof out->architecture);
    return STATUS_OK;
}

int export_gguf_read(const char *path, struct gguf_tables *out, struct error *error) {
    *out = (struct gguf_tables){0};
    struct gguf *file = NULL;
    int status = gguf_open(path, &file, error);
    struct description d;
    if (status == STATUS_OK) status = read_description(file, &d, error);
    if (status == STATUS_OK) status = read_tables(&d, out, error);
    gguf_close(file);
    return status;
}
