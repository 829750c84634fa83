#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "eval/base/name.h"
#include "eval/model/model_config.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Bounds of the numbers of rotary settings: frequencies and angles then stay finite. */
static const double number_min = 1e-15, number_max = 1e15;

/* Of CLEX: its table is integrated when the model is loaded, and these bound the time and memory of that. The last is
 * of steps x pairs x the width of the hidden layer. */
static const double max_factor_most = 1024.0, param_factor_most = 64.0, clex_work_most = 0x1p32;

/* ---- Keys of rope_scaling and rope_parameters ---- */

enum {
    DEFAULT = 1 << ROPE_TYPE_DEFAULT,
    LINEAR = 1 << ROPE_TYPE_LINEAR,
    DYNAMIC = 1 << ROPE_TYPE_DYNAMIC,
    LLAMA3 = 1 << ROPE_TYPE_LLAMA3,
    YARN = 1 << ROPE_TYPE_YARN,
    LONGROPE = 1 << ROPE_TYPE_LONGROPE,
    CLEX = 1 << ROPE_TYPE_CLEX,
    EVERY = (1 << ROPE_TYPES) - 1,
};

/* How a key is read. */
enum kind {
    READ_APART, /* by its own function, or without effect on results */
    NUMBER,
    SWITCH,
    ACTIVATION,
    FACTORS, /* a list of a number for each pair */
};

static const struct rope_key {
    const char *name;
    enum kind kind;
    unsigned types;    /* that support it */
    unsigned required; /* that require it */
    size_t field;      /* of struct rope_model */
    bool may_be_zero;
} rope_keys[] = {
    {.name = "rope_type", .types = EVERY},
    {.name = "type", .types = EVERY},
    {.name = "rope_theta", .types = EVERY},
    {.name = "partial_rotary_factor", .types = EVERY},
    {.name = "original_max_position_embeddings", .types = LLAMA3 | YARN | LONGROPE},
    {.name = "finetuned", .types = YARN}, /* in models of YaRN's authors; without effect on results */
    /* transformers does not read these two, vLLM does; see model_notes.c */
    {.name = "attn_factor", .types = YARN},
    {.name = "extrapolation_factor", .types = YARN},
    {.name = "ignore_keys_at_rope_validation", .types = EVERY}, /* transformers' own; says what it does not check */
    {.name = "llama_4_scaling_beta", .types = LLAMA3 | YARN | LONGROPE}, /* see is_of_growth() */
    {.name = "max_position_embeddings", .types = EVERY},
    {.name = "short_mscale", .types = LONGROPE},
    {.name = "long_mscale", .types = LONGROPE},
    {"factor", NUMBER, EVERY & ~DEFAULT, LINEAR | DYNAMIC | LLAMA3, offsetof(struct rope_model, factor), false},
    {"attention_factor", NUMBER, YARN | LONGROPE, 0, offsetof(struct rope_model, attention_factor), false},
    {"beta_fast", NUMBER, YARN, 0, offsetof(struct rope_model, beta_fast), false},
    {"beta_slow", NUMBER, YARN, 0, offsetof(struct rope_model, beta_slow), false},
    {"mscale", NUMBER, YARN, 0, offsetof(struct rope_model, mscale), true},
    {"mscale_all_dim", NUMBER, YARN, 0, offsetof(struct rope_model, mscale_all_dim), true},
    {"truncate", SWITCH, YARN, 0, offsetof(struct rope_model, truncate), false},
    {"low_freq_factor", NUMBER, LLAMA3, LLAMA3, offsetof(struct rope_model, low_freq_factor), false},
    {"high_freq_factor", NUMBER, LLAMA3, LLAMA3, offsetof(struct rope_model, high_freq_factor), false},
    {"max_factor", NUMBER, CLEX, CLEX, offsetof(struct rope_model, max_factor), false},
    {"param_factor", NUMBER, CLEX, CLEX, offsetof(struct rope_model, param_factor), false},
    {"time_dt", NUMBER, CLEX, 0, offsetof(struct rope_model, time_dt), false},
    {"act", ACTIVATION, CLEX, 0, offsetof(struct rope_model, activation), false},
    {"short_factor", FACTORS, LONGROPE, LONGROPE, offsetof(struct rope_model, short_factors), false},
    {"long_factor", FACTORS, LONGROPE, LONGROPE, offsetof(struct rope_model, long_factors), false},
};

static const struct rope_key *key_find(const char *name) {
    for (size_t i = 0; i < COUNT(rope_keys); i++) {
        if (strcmp(name, rope_keys[i].name) == 0) return &rope_keys[i];
    }
    return NULL;
}

/* ---- Values, wherever they are stated ---- */

enum { BLOCKS = 2 };

/* Where the settings of one rotary table stand. */
struct place {
    const struct config_file *file;
    struct {
        const char *name;     /* in messages */
        const json_t *object; /* NULL: absent */
    } blocks[BLOCKS];
    const char *theta_key; /* at top level */
    double theta;          /* if there is none */
    unsigned types;        /* that are supported */
    bool of_layers;        /* of one kind of layer: transformers then looks for some keys in the blocks alone */
};

/* What config.json states for a key. */
struct stated {
    char where[96];      /* "rope_scaling.factor" */
    const json_t *value; /* NULL: nothing */
};

/* Adds one more statement. */
static int state(const struct config_file *file, struct stated *stated, const json_t *object, const char *block,
                 const char *key, struct error *error) {
    const json_t *value = config_value(object, key);
    if (!value) return STATUS_OK;
    char where[sizeof stated->where];
    snprintf(where, sizeof where, "%s%s%s", block ? block : "", block ? "." : "", key);
    if (stated->value && !config_values_equal(stated->value, value)) {
        return error_set(error, STATUS_INPUT, "%s: %s and %s contradict each other; remove one", file->path,
                         stated->where, where);
    }
    memcpy(stated->where, where, sizeof where);
    stated->value = value;
    return STATUS_OK;
}

/* transformers reads rope_scaling, if it has keys, in the place of rope_parameters, not beside it. Where it allows
 * three keys in the former, the others are what follows from these: so longrope export writes them. */
static int check_replaced(const struct place *at, const char *key, struct error *error) {
    const json_t *scaling = at->blocks[0].object, *value = config_value(at->blocks[1].object, key);
    if (at->of_layers || at->file->family->three_keys || !value || !json_is_object(scaling) ||
        json_object_size(scaling) == 0)
        return STATUS_OK;
    const json_t *also = config_value(scaling, key) ? value : config_value(at->file->root, key);
    if (also && config_values_equal(also, value)) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: %s.%s has no effect beside %s, which takes the place of that block; move it there",
                     at->file->path, at->blocks[1].name, key, at->blocks[0].name);
}

static int state_in_blocks(const struct place *at, struct stated *stated, const char *key, struct error *error) {
    int status = check_replaced(at, key, error);
    for (size_t b = 0; b < BLOCKS && status == STATUS_OK; b++) {
        status = state(at->file, stated, at->blocks[b].object, at->blocks[b].name, key, error);
    }
    return status;
}

/* Top level and blocks. */
static int state_anywhere(const struct place *at, struct stated *stated, const char *key, struct error *error) {
    int status = state(at->file, stated, at->file->root, NULL, key, error);
    return status == STATUS_OK ? state_in_blocks(at, stated, key, error) : status;
}

static int read_number(const struct config_file *file, const struct stated *stated, double *out, struct error *error) {
    if (!json_is_number(stated->value)) {
        return error_set(error, STATUS_INPUT, "%s: %s is not a number", file->path, stated->where);
    }
    *out = json_number_value(stated->value);
    return STATUS_OK;
}

/* ---- Types ---- */

static void list_types(char *out, size_t size, unsigned types) {
    const char *names[ROPE_TYPES];
    size_t count = 0;
    for (int t = 0; t < ROPE_TYPES; t++) {
        if (types >> t & 1u) names[count++] = rope_type_name((enum rope_type)t);
    }
    name_list(names, count, "and", out, size);
}

static int type_of_name(const struct place *at, const char *where, const char *name, enum rope_type *out,
                        struct error *error) {
    const struct family *family = at->file->family;
    for (const struct family_rope_name *other = family->rope_names; other->name; other++) {
        if (strcmp(name, other->name) != 0 || !(at->types >> other->type & 1u)) continue;
        *out = other->type;
        return STATUS_OK;
    }
    if (rope_type_parse(name, out) && at->types >> *out & 1u) return STATUS_OK;
    char supported[128];
    list_types(supported, sizeof supported, at->types);
    return error_set(error, STATUS_INPUT, "%s: %s \"%.60s\" is not supported for %s; supported: %s", at->file->path,
                     where, name, family->name, supported);
}

/* rope_type, or type, its older name. Without either transformers takes "default". */
static int block_type(const struct place *at, size_t b, enum rope_type *out, struct error *error) {
    static const char *const keys[] = {"rope_type", "type"};
    const char *path = at->file->path, *block = at->blocks[b].name;
    bool seen = false;
    for (size_t k = 0; k < COUNT(keys); k++) {
        const json_t *value = config_value(at->blocks[b].object, keys[k]);
        if (!value) continue;
        char where[96];
        snprintf(where, sizeof where, "%s.%s", block, keys[k]);
        if (!json_is_string(value)) return error_set(error, STATUS_INPUT, "%s: %s is not a name", path, where);
        enum rope_type type = ROPE_TYPE_DEFAULT;
        int status = type_of_name(at, where, json_string_value(value), &type, error);
        if (status != STATUS_OK) return status;
        if (seen && type != *out) {
            return error_set(error, STATUS_INPUT, "%s: %s.rope_type and %s contradict each other; remove one", path,
                             block, where);
        }
        *out = type;
        seen = true;
    }
    if (seen || at->types >> ROPE_TYPE_DEFAULT & 1u) return STATUS_OK;
    return type_of_name(at, block, rope_type_name(ROPE_TYPE_DEFAULT), out, error); /* refuses it */
}

/* A key of another type has no effect in transformers. It is refused: whoever wrote it meant something. */
static int wrong_key(const struct place *at, size_t b, const char *name, enum rope_type type, struct error *error) {
    const json_t *object = at->blocks[b].object;
    const char *path = at->file->path, *block = at->blocks[b].name;
    if (config_value(object, "rope_type") || config_value(object, "type")) {
        return error_set(error, STATUS_INPUT, "%s: %s.%s does not belong to rope_type \"%s\"; remove it", path, block,
                         name, rope_type_name(type));
    }
    return error_set(error, STATUS_INPUT,
                     "%s: %s has no rope_type, which means \"default\", so %s would have no effect; set rope_type or "
                     "remove %s",
                     path, block, name, name);
}

/* Whether only Ministral 3 has the key; max_position_embeddings is a copy of that at top level, which is not read. */
static bool is_of_growth(const char *name) {
    return strcmp(name, "llama_4_scaling_beta") == 0 || strcmp(name, "max_position_embeddings") == 0;
}

static int keys_check(const struct place *at, size_t b, enum rope_type type, struct error *error) {
    const char *name;
    const json_t *value;
    json_object_foreach((json_t *)at->blocks[b].object, name, value) {
        const struct rope_key *key = key_find(name);
        if (!key || (is_of_growth(name) && !at->file->family->grows)) {
            return error_set(error, STATUS_INPUT, "%s: %s: unknown key '%.60s'; remove it if nothing depends on it",
                             at->file->path, at->blocks[b].name, name);
        }
        if (!json_is_null(value) && !(key->types >> type & 1u)) return wrong_key(at, b, name, type, error);
    }
    return STATUS_OK;
}

/* Refuses blocks with one block per kind of layer. */
static int layers_check(const struct place *at, size_t b, struct error *error) {
    const char *name;
    const json_t *value;
    json_object_foreach((json_t *)at->blocks[b].object, name, value) {
        if (!json_is_object(value)) continue;
        return error_set(error, STATUS_INPUT,
                         "%s: %s.%.60s: settings for one kind of layer are not supported%s; choose another model",
                         at->file->path, at->blocks[b].name, name, at->of_layers ? " here" : "");
    }
    return STATUS_OK;
}

static int block_read(const struct place *at, size_t b, enum rope_type *type, struct error *error) {
    if (!json_is_object(at->blocks[b].object)) {
        return error_set(error, STATUS_INPUT, "%s: %s is not an object", at->file->path, at->blocks[b].name);
    }
    int status = layers_check(at, b, error);
    if (status == STATUS_OK) status = block_type(at, b, type, error);
    if (status == STATUS_OK) status = keys_check(at, b, *type, error);
    return status;
}

static int read_type(const struct place *at, enum rope_type *out, struct error *error) {
    const char *seen = NULL;
    *out = ROPE_TYPE_DEFAULT;
    for (size_t b = 0; b < BLOCKS; b++) {
        const json_t *value = at->blocks[b].object;
        if (!value || (json_is_object(value) && json_object_size(value) == 0)) continue; /* {}: as if it were absent */
        enum rope_type type = ROPE_TYPE_DEFAULT;
        int status = block_read(at, b, &type, error);
        if (status != STATUS_OK) return status;
        if (seen && type != *out) {
            return error_set(error, STATUS_INPUT, "%s: the types of %s and %s contradict each other; remove one",
                             at->file->path, seen, at->blocks[b].name);
        }
        *out = type;
        seen = at->blocks[b].name;
    }
    return STATUS_OK;
}

/* ---- Settings of every type ---- */

static int read_theta(const struct place *at, double *out, struct error *error) {
    struct stated stated = {.value = NULL};
    *out = at->theta;
    int status = state(at->file, &stated, at->file->root, NULL, at->theta_key, error);
    if (status == STATUS_OK) status = state_in_blocks(at, &stated, "rope_theta", error);
    return status == STATUS_OK && stated.value ? read_number(at->file, &stated, out, error) : status;
}

/* d, whole as transformers rounds it: towards zero. */
static int read_pairs(const struct place *at, int64_t head_width, int64_t *out, struct error *error) {
    const struct config_file *file = at->file;
    struct stated stated = {.value = NULL};
    double part = 1.0;
    int status = state_anywhere(at, &stated, "partial_rotary_factor", error);
    if (status == STATUS_OK && stated.value) status = read_number(file, &stated, &part, error);
    if (status != STATUS_OK) return status;
    int64_t width = part > 0.0 && part <= 1.0 ? (int64_t)((double)head_width * part) : 0;
    if (width < 2) {
        return error_set(error, STATUS_INPUT,
                         "%s: %s is %g; it must lie within 0 to 1 and turn at least 2 numbers of head_dim (%" PRId64
                         ")",
                         file->path, stated.where, part, head_width);
    }
    if (part < 1.0 && !file->family->turns_part) {
        return error_set(error, STATUS_INPUT,
                         "%s: %s %g is not supported for %s, only 1: transformers turns its heads whole whatever is "
                         "said there; remove it",
                         file->path, stated.where, part, file->family->name);
    }
    if (width % 2 != 0) {
        return error_set(error, STATUS_INPUT,
                         "%s: %s %g turns %" PRId64 " of the %" PRId64
                         " numbers of a head, an odd width, which is not supported: transformers rounds it up, and "
                         "inference engines do not",
                         file->path, stated.where, part, width, head_width);
    }
    *out = width / 2;
    return STATUS_OK;
}

static const double most_whole = 0x1p53; /* a double holds each up to it */

/* Of llama3, yarn and longrope: an integer, also written as 64.0. At top level only Phi-3's class of transformers 5
 * reads it, and has a default for it, which must not be contradicted either. */
static int read_original_length(const struct place *at, int64_t window, int64_t *out, struct error *error) {
    const struct config_file *file = at->file;
    static const char key[] = "original_max_position_embeddings";
    struct stated stated = {.value = NULL};
    int status = state_anywhere(at, &stated, key, error);
    if (status != STATUS_OK) return status;
    double length = json_number_value(stated.value);
    if (stated.value && !(json_is_number(stated.value) && length == floor(length) && fabs(length) <= most_whole)) {
        return error_set(error, STATUS_INPUT, "%s: %s is not an integer", file->path, stated.where);
    }
    int64_t silent = file->family->original_length;
    if (stated.value && silent == 0 && strcmp(stated.where, key) == 0 && length != (double)window) {
        return error_set(error, STATUS_INPUT,
                         "%s: %s has no effect at top level for %s in transformers 5; write it beside the rope_type "
                         "that it belongs to",
                         file->path, key, file->family->name);
    }
    *out = stated.value ? (int64_t)length : silent ? silent : window;
    if (silent && *out != silent && !config_value(file->root, key)) {
        return error_set(error, STATUS_INPUT,
                         "%s: %s is %" PRId64
                         ", but at top level, where %s keeps it, there is none, which means %" PRId64
                         "; write it there",
                         file->path, stated.where, *out, file->family->name, silent);
    }
    return STATUS_OK;
}

/* ---- Settings of one type ---- */

static int read_factors(const struct config_file *file, const struct stated *stated, int64_t pairs, double *out,
                        struct error *error) {
    if (!json_is_array(stated->value) || json_array_size(stated->value) != (size_t)pairs) {
        return error_set(error, STATUS_INPUT, "%s: %s is not a list of %" PRId64 " numbers, one for each rotary pair",
                         file->path, stated->where, pairs);
    }
    for (int64_t i = 0; i < pairs; i++) {
        const json_t *value = json_array_get(stated->value, (size_t)i);
        if (!json_is_number(value)) {
            return error_set(error, STATUS_INPUT, "%s: %s: item %" PRId64 " is not a number", file->path, stated->where,
                             i);
        }
        out[i] = json_number_value(value);
    }
    return STATUS_OK;
}

static int read_activation(const struct config_file *file, const struct stated *stated, enum rope_activation *out,
                           struct error *error) {
    const char *name = json_string_value(stated->value);
    int found = name ? name_find(rope_activation_names, ROPE_ACTIVATIONS, name) : NAME_UNKNOWN;
    if (found == NAME_UNKNOWN) {
        return error_set(error, STATUS_INPUT, "%s: %s is %s%.60s%s; it must be \"silu\" or \"tanh\"", file->path,
                         stated->where, name ? "\"" : "not a name", name ? name : "", name ? "\"" : "");
    }
    *out = (enum rope_activation)found;
    return STATUS_OK;
}

static int read_switch(const struct config_file *file, const struct stated *stated, bool *out, struct error *error) {
    if (!json_is_boolean(stated->value)) {
        return error_set(error, STATUS_INPUT, "%s: %s is not true or false", file->path, stated->where);
    }
    *out = json_is_true(stated->value);
    return STATUS_OK;
}

static int read_key(const struct place *at, const struct rope_key *key, struct rope_model *out, struct error *error) {
    const struct config_file *file = at->file;
    struct stated stated = {.value = NULL};
    int status = state_in_blocks(at, &stated, key->name, error);
    if (status != STATUS_OK) return status;
    if (!stated.value && key->required >> out->type & 1u) {
        return error_set(error, STATUS_INPUT, "%s: rope_type \"%s\" has no %s", file->path, rope_type_name(out->type),
                         key->name);
    }
    if (!stated.value) return STATUS_OK;
    void *field = (char *)out + key->field;
    if (key->kind == FACTORS) return read_factors(file, &stated, out->pairs, field, error);
    if (key->kind == SWITCH) return read_switch(file, &stated, field, error);
    if (key->kind == ACTIVATION) return read_activation(file, &stated, field, error);
    double *number = field;
    status = read_number(file, &stated, number, error);
    if (status == STATUS_OK && *number == 0.0 && !key->may_be_zero) {
        /* 0 in struct rope_model means "by formula", which config.json says by leaving the key out */
        return error_set(error, STATUS_INPUT, "%s: %s is 0; it must be positive", file->path, stated.where);
    }
    return status;
}

/* transformers reads attention_factor; vLLM and SGLang read these keys if they exist. If they differ, engines compute
 * the model differently. */
static int check_mscale(const struct place *at, const struct rope_model *rope, const char *key, struct error *error) {
    const struct config_file *file = at->file;
    struct stated stated = {.value = NULL};
    struct rope_table table;
    double mscale = 0.0;
    int status = state_in_blocks(at, &stated, key, error);
    if (status == STATUS_OK && stated.value) status = read_number(file, &stated, &mscale, error);
    if (status != STATUS_OK || !stated.value) return status;
    rope_model_table(&table, rope, rope->original_length);
    if (fabs(mscale - table.own_attention_factor) <= 1e-6 * table.own_attention_factor) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: %s is %g, but the attention factor is %g: engines disagree about such a model; remove one",
                     file->path, stated.where, mscale, table.own_attention_factor);
}

/* The authors' key at top level. Their class takes `true` if it is absent, but their trainer always writes it, and only
 * one of their three ways to compute attention heeds it: false is what a config.json of another writer means. */
static int read_log_scale(const struct config_file *file, bool *out, struct error *error) {
    struct stated stated = {.value = NULL};
    int status = state(file, &stated, file->root, NULL, "log_scale", error);
    return status == STATUS_OK && stated.value ? read_switch(file, &stated, out, error) : status;
}

/* MiniCPM's own code takes longrope's attention factor from the two windows alone, and so do engines, but that vLLM
 * reads short_mscale and long_mscale. */
static int check_own_code(const struct place *at, int64_t window, const struct rope_model *rope, struct error *error) {
    const struct config_file *file = at->file;
    struct stated mscale = {.value = NULL};
    struct rope_table table;
    double factor = (double)window / (double)rope->original_length;
    double formula = rope_longrope_attention_factor(factor, rope->original_length);
    if (fabs(rope->factor / factor - 1.0) > 1e-6) {
        return error_set(error, STATUS_INPUT,
                         "%s: the factor of longrope is %g, but the code of %s takes max_position_embeddings / "
                         "original_max_position_embeddings, %g; remove it",
                         file->path, rope->factor, file->family->name, factor);
    }
    rope_model_table(&table, rope, rope->original_length);
    int status = state_in_blocks(at, &mscale, "long_mscale", error);
    if (status != STATUS_OK || mscale.value) return status;
    if (fabs(table.own_attention_factor / formula - 1.0) <= 1e-6) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: attention_factor is %g, but the code of %s computes %g from the two windows; remove it, or "
                     "write short_mscale and long_mscale as well, which vLLM reads",
                     file->path, table.own_attention_factor, file->family->name, formula);
}

/* yarn and longrope may leave out the factor or the original window; it is then derived from the other.
 * The original window of dynamic NTK and of CLEX is the model's. */
static int read_scaling(const struct place *at, int64_t window, struct rope_model *out, struct error *error) {
    int status = STATUS_OK;
    out->original_length = window;
    if (1u << out->type & (LLAMA3 | YARN | LONGROPE)) {
        status = read_original_length(at, window, &out->original_length, error);
    }
    for (size_t k = 0; k < COUNT(rope_keys) && status == STATUS_OK; k++) {
        const struct rope_key *key = &rope_keys[k];
        if (key->kind != READ_APART && key->types >> out->type & 1u) status = read_key(at, key, out, error);
    }
    if (status == STATUS_OK && out->factor == 0.0 && out->original_length > 0) {
        out->factor = (double)window / (double)out->original_length;
    }
    if (out->type == ROPE_TYPE_CLEX && status == STATUS_OK) status = read_log_scale(at->file, &out->log_scale, error);
    if (out->type != ROPE_TYPE_LONGROPE) return status;
    if (status == STATUS_OK) status = check_mscale(at, out, "short_mscale", error);
    if (status == STATUS_OK) status = check_mscale(at, out, "long_mscale", error);
    bool own = at->file->family->own_code && out->original_length > 0 && isfinite(out->factor);
    return status == STATUS_OK && own ? check_own_code(at, window, out, error) : status;
}

static int read_table(const struct place *at, const struct model_config *config, struct rope_model *out,
                      struct error *error) {
    enum rope_type type = ROPE_TYPE_DEFAULT;
    int64_t pairs = 1;
    double theta = 0.0;
    int status = read_type(at, &type, error);
    if (status == STATUS_OK) status = read_pairs(at, config->head_width, &pairs, error);
    if (status == STATUS_OK) status = read_theta(at, &theta, error);
    if (status != STATUS_OK) return status;

    *out = rope_model_plain(pairs, theta);
    if (type == ROPE_TYPE_DEFAULT) return STATUS_OK;
    out->type = type;
    out->beta_fast = 32.0;
    out->beta_slow = 1.0;
    out->truncate = true;
    out->time_dt = 0.01; /* of CLEX's first version, which has neither time_dt nor act; its activation is silu, 0 */
    return read_scaling(at, config->window, out, error);
}

/* ---- A table for all layers, or one for each kind of layer ---- */

/* Ministral 3: queries grow with their position, in steps of the original window. */
static int read_growth(const struct place *at, struct model_config *config, struct error *error) {
    static const char key[] = "llama_4_scaling_beta";
    static const double most = 100.0;
    struct stated stated = {.value = NULL};
    int status = state_in_blocks(at, &stated, key, error);
    if (status != STATUS_OK) return status;
    if (!stated.value) {
        return error_set(error, STATUS_INPUT,
                         "%s: has no %s in rope_parameters, which transformers requires for %s; write 0 for none",
                         at->file->path, key, at->file->family->name);
    }
    status = read_number(at->file, &stated, &config->query_growth, error);
    config->query_growth_length = config->rope.original_length;
    if (status != STATUS_OK || (config->query_growth >= 0.0 && config->query_growth <= most)) return status;
    return error_set(error, STATUS_INPUT, "%s: %s is %g; it must lie within 0 to %g", at->file->path, stated.where,
                     config->query_growth, most);
}

/* The settings of a Ministral 3 whose config.json has none. */
static int read_silent_growth(const struct config_file *file, struct model_config *config, struct error *error) {
    struct stated stated = {.value = NULL};
    struct rope_model *rope = &config->rope;
    *rope = rope_model_plain(config->head_width / 2, 1e6);
    rope->type = ROPE_TYPE_YARN;
    rope->factor = 16.0;
    rope->original_length = 16384;
    rope->beta_fast = 32.0, rope->beta_slow = 1.0;
    rope->mscale = rope->mscale_all_dim = 1.0;
    rope->truncate = true;
    config->query_growth = 0.1;
    config->query_growth_length = rope->original_length;
    int status = state(file, &stated, file->root, NULL, "rope_theta", error);
    if (status != STATUS_OK || !stated.value) return status;
    return error_set(error, STATUS_INPUT,
                     "%s: rope_theta has no effect without rope_parameters for %s; write both into rope_parameters",
                     file->path, file->family->name);
}

static bool is_silent(const struct place *at) { return !at->blocks[0].object && !at->blocks[1].object; }

static int read_one_table(const struct config_file *file, struct model_config *config, struct error *error) {
    const struct place all = {.file = file,
                              .blocks = {{"rope_scaling", config_value(file->root, "rope_scaling")},
                                         {"rope_parameters", config_value(file->root, "rope_parameters")}},
                              .theta_key = "rope_theta",
                              .theta = file->family->theta > 0.0 ? file->family->theta : 10000.0,
                              .types = file->family->rope_types};
    if (file->family->grows && is_silent(&all)) return read_silent_growth(file, config, error);
    int status = read_table(&all, config, &config->rope, error);
    return status == STATUS_OK && file->family->grows ? read_growth(&all, config, error) : status;
}

/* rope_parameters holds a block per kind of layer; what else is in it has no effect in transformers. */
static int check_kinds(const struct config_file *file, const json_t *parameters, struct error *error) {
    const char *name;
    const json_t *value;
    if (parameters && !json_is_object(parameters)) {
        return error_set(error, STATUS_INPUT, "%s: rope_parameters is not an object", file->path);
    }
    json_object_foreach((json_t *)parameters, name, value) {
        if (strcmp(name, layer_type_full) == 0 || strcmp(name, layer_type_sliding) == 0) continue;
        return error_set(error, STATUS_INPUT,
                         "%s: rope_parameters.%.60s would have no effect: for %s it holds two blocks, %s and %s; move "
                         "it into one of them",
                         file->path, name, file->family->name, layer_type_full, layer_type_sliding);
    }
    return STATUS_OK;
}

/* transformers looks for YaRN's `truncate` outside of the blocks. */
static int check_truncate(const struct config_file *file, const struct rope_model *rope, struct error *error) {
    if (rope->type != ROPE_TYPE_YARN || rope->truncate) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "%s: \"truncate\": false has no effect for %s in transformers; remove it",
                     file->path, file->family->name);
}

static int read_table_per_kind(const struct config_file *file, struct model_config *config, struct error *error) {
    const json_t *parameters = config_value(file->root, "rope_parameters");
    const struct place full = {
        .file = file,
        .blocks = {{"rope_scaling", config_value(file->root, "rope_scaling")},
                   {"rope_parameters.full_attention", config_value(parameters, layer_type_full)}},
        .theta_key = "rope_theta",
        .theta = file->family->theta,
        .types = file->family->rope_types,
        .of_layers = true};
    const struct place window = {
        .file = file,
        .blocks = {{"rope_parameters.sliding_attention", config_value(parameters, layer_type_sliding)},
                   {"rope_parameters.sliding_attention", NULL}},
        .theta_key = "rope_local_base_freq",
        .theta = 10000.0,
        .types = DEFAULT | LINEAR, /* no others: these do not depend on the length */
        .of_layers = true};
    int status = check_kinds(file, parameters, error);
    if (status == STATUS_OK) status = read_table(&full, config, &config->rope, error);
    if (status == STATUS_OK) status = check_truncate(file, &config->rope, error);
    return status == STATUS_OK ? read_table(&window, config, &config->window_rope, error) : status;
}

int model_rope_read(const struct config_file *file, struct model_config *config, struct error *error) {
    bool apart = file->family->layers == LAYERS_PATTERN;
    return apart ? read_table_per_kind(file, config, error) : read_one_table(file, config, error);
}

/* ---- Checking ---- */

static int number_check(const char *where, const char *key, double value, struct error *error) {
    if (isfinite(value) && value >= number_min && value <= number_max) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "%s: the rotary %s is %g; it must lie within %g to %g", where, key, value,
                     number_min, number_max);
}

static int factors_check(const char *where, const char *key, const double *factors, int64_t pairs,
                         struct error *error) {
    int status = STATUS_OK;
    for (int64_t i = 0; i < pairs && status == STATUS_OK; i++) status = number_check(where, key, factors[i], error);
    return status;
}

/* The numbers of the model's type; 0 is allowed where it means "none". */
static int numbers_check(const char *where, const struct rope_model *rope, struct error *error) {
    int status = STATUS_OK;
    for (size_t k = 0; k < COUNT(rope_keys) && status == STATUS_OK; k++) {
        const struct rope_key *key = &rope_keys[k];
        const double *field = (const double *)((const char *)rope + key->field);
        if (!(key->types >> rope->type & 1u)) continue;
        if (key->kind == FACTORS) status = factors_check(where, key->name, field, rope->pairs, error);
        bool none = key->may_be_zero || key->field == offsetof(struct rope_model, attention_factor);
        if (key->kind == NUMBER && !(none && *field == 0.0)) status = number_check(where, key->name, *field, error);
    }
    return status;
}

static int whole_check(const char *where, const char *key, double value, double most, struct error *error) {
    if (value >= 1.0 && value <= most && value == floor(value)) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "%s: %s is %g; it must be an integer within 1 to %g", where, key, value,
                     most);
}

static int clex_check(const char *where, const struct rope_model *rope, struct error *error) {
    if (rope->factor != 1.0) {
        return error_set(error, STATUS_INPUT,
                         "%s: factor is %g, but CLEX's authors write 1 and do not read it; write 1 or remove "
                         "it",
                         where, rope->factor);
    }
    if (rope->pairs < 2) {
        return error_set(error, STATUS_INPUT,
                         "%s: rope_type \"clex\" requires at least 2 rotary pairs; this model has 1", where);
    }
    if (rope->time_dt > 1.0) {
        return error_set(error, STATUS_INPUT, "%s: time_dt is %g; it must not be above 1", where, rope->time_dt);
    }
    int status = whole_check(where, "max_factor", rope->max_factor, max_factor_most, error);
    if (status == STATUS_OK) status = whole_check(where, "param_factor", rope->param_factor, param_factor_most, error);
    double pairs = (double)rope->pairs, width = rope->param_factor * 2.0 * pairs;
    if (status != STATUS_OK || (rope->max_factor - 1.0) / rope->time_dt * pairs * width <= clex_work_most)
        return status;
    return error_set(error, STATUS_INPUT,
                     "%s: to integrate CLEX to max_factor %g in steps of time_dt %g with param_factor %g is too "
                     "much work; raise time_dt",
                     where, rope->max_factor, rope->time_dt, rope->param_factor);
}

/* Relations between numbers. */
static int relations_check(const char *where, const struct rope_model *rope, struct error *error) {
    if (rope->type != ROPE_TYPE_DEFAULT && rope->type != ROPE_TYPE_LINEAR &&
        (rope->original_length < 1 || rope->original_length > MODEL_WINDOW_MAX)) {
        return error_set(error, STATUS_INPUT,
                         "%s: original_max_position_embeddings is %" PRId64 "; it must lie within 1 to %d", where,
                         rope->original_length, (int)MODEL_WINDOW_MAX);
    }
    if (rope->type == ROPE_TYPE_CLEX) return clex_check(where, rope, error);
    if (rope->type == ROPE_TYPE_LLAMA3 && rope->high_freq_factor <= rope->low_freq_factor) {
        return error_set(error, STATUS_INPUT, "%s: high_freq_factor (%g) must lie above low_freq_factor (%g)", where,
                         rope->high_freq_factor, rope->low_freq_factor);
    }
    if (rope->type == ROPE_TYPE_YARN && rope->beta_fast < rope->beta_slow) {
        return error_set(error, STATUS_INPUT, "%s: beta_fast (%g) must not lie below beta_slow (%g)", where,
                         rope->beta_fast, rope->beta_slow);
    }
    return STATUS_OK;
}

int model_rope_check(const char *where, const struct rope_model *rope, int64_t head_width, struct error *error) {
    if (rope->pairs < 1 || rope->pairs > ROPE_MAX_PAIRS || 2 * rope->pairs > head_width) {
        return error_set(error, STATUS_INPUT, "%s: %" PRId64 " rotary pairs do not fit into heads of %" PRId64, where,
                         rope->pairs, head_width);
    }
    if (!isfinite(rope->theta) || rope->theta <= 1 || rope->theta > number_max) {
        return error_set(error, STATUS_INPUT, "%s: rope_theta is %g; it must lie above 1 and not beyond %g", where,
                         rope->theta, number_max);
    }
    int status = numbers_check(where, rope, error);
    return status == STATUS_OK ? relations_check(where, rope, error) : status;
}
