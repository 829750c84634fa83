#include "search/export/export_config.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/file.h"
#include "eval/base/python_json.h"
#include "eval/model/model_config.h"
#include "eval/model/model_family.h"
#include "search/base/json.h"

/* ---- the change ---- */

struct setting_of {
    const struct export_pair *pair;
    struct model_config model; /* before the change */
    const struct family *family;
    double part;  /* partial_rotary_factor */
    bool formula; /* the attention factor is the one that engines compute */
};

static double attention_factor_of(const struct export_pair *pair) { return pair->long_table.attention_factor; }

static double scale_of(const struct export_pair *pair) {
    return (double)pair->long_table.max_length / (double)pair->switch_length;
}

static bool is_formula(const struct export_pair *pair) {
    double formula = rope_longrope_attention_factor(scale_of(pair), pair->switch_length);
    return fabs(attention_factor_of(pair) / formula - 1.0) < 1e-7; /* equal in float32 */
}

static void set(json_t *object, const char *key, json_t *value) { json_object_set_new(object, key, value); }

/* rope_scaling with all keys. NULL if memory runs out. */
static json_t *block_of(const struct setting_of *s) {
    const struct export_pair *pair = s->pair;
    json_t *block = json_object();
    if (!block) return NULL;
    set(block, "rope_type", json_string("longrope"));
    if (s->family->own_code) set(block, "type", json_string("longrope"));
    set(block, "factor", json_real(scale_of(pair)));
    set(block, "attention_factor", json_real(attention_factor_of(pair)));
    set(block, "original_max_position_embeddings", json_integer(pair->switch_length));
    if (s->model.query_growth_length > 0) set(block, "llama_4_scaling_beta", json_real(s->model.query_growth));
    if (!s->formula) {
        set(block, "short_mscale", json_real(attention_factor_of(pair)));
        set(block, "long_mscale", json_real(attention_factor_of(pair)));
    }
    set(block, "short_factor", json_number_array(pair->short_table.factors, pair->pairs));
    set(block, "long_factor", json_number_array(pair->long_table.factors, pair->pairs));
    return block;
}

/* rope_scaling with the three keys that transformers 4 allows. */
static json_t *three_keys_of(const struct setting_of *s) {
    json_t *block = json_object();
    if (!block) return NULL;
    set(block, "type", json_string("longrope"));
    set(block, "short_factor", json_number_array(s->pair->short_table.factors, s->pair->pairs));
    set(block, "long_factor", json_number_array(s->pair->long_table.factors, s->pair->pairs));
    return block;
}

static json_t *parameters_of(const struct setting_of *s) {
    json_t *block = block_of(s);
    if (!block) return NULL;
    set(block, "rope_theta", json_real(s->pair->theta));
    if (s->part < 1.0) set(block, "partial_rotary_factor", json_real(s->part));
    return block;
}

/* rope_parameters with a block per kind of layer; that of sliding layers stays as it is in `root`. */
static json_t *parameters_per_kind(const json_t *root, const struct setting_of *s) {
    static const char sliding[] = "sliding_attention";
    json_t *kept = json_deep_copy(json_object_get(json_object_get(root, "rope_parameters"), sliding));
    if (!kept) kept = json_pack("{s:s, s:f}", "rope_type", "default", "rope_theta", s->model.window_rope.theta);
    return json_pack("{s:o, s:o}", "full_attention", parameters_of(s), sliding, kept);
}

/* Lack of memory is not checked here: check_text() finds a key that is missing. */
static void change(json_t *root, const struct setting_of *s) {
    set(root, "max_position_embeddings", json_integer(s->pair->long_table.max_length));
    set(root, "original_max_position_embeddings", json_integer(s->pair->switch_length));
    if (!json_is_number(json_object_get(root, "rope_theta"))) set(root, "rope_theta", json_real(s->pair->theta));
    if (s->family->states_head_width && !json_is_number(json_object_get(root, "head_dim"))) {
        set(root, "head_dim", json_integer(s->model.head_width));
    }
    if (s->part < 1.0) set(root, "partial_rotary_factor", json_real(s->part));
    set(root, "rope_scaling", s->family->three_keys && s->formula ? three_keys_of(s) : block_of(s));
    bool apart = s->model.window_rope.pairs > 0;
    set(root, "rope_parameters", apart ? parameters_per_kind(root, s) : parameters_of(s));
}

/* ---- the model's config.json ---- */

/* At top level or in a block: model_config_parse() has checked that all occurrences agree. */
static double part_of(const json_t *root) {
    static const char *const blocks[] = {NULL, "rope_parameters", "rope_scaling"};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        const json_t *holder = blocks[i] ? json_object_get(root, blocks[i]) : root;
        const json_t *value = json_object_get(holder, "partial_rotary_factor");
        if (json_is_number(value)) return json_number_value(value);
    }
    return 1.0;
}

static int read_model(const char *path, json_t **root, struct model_config *model, struct error *error) {
    unsigned char *bytes = NULL;
    size_t size;
    int status = file_read(path, &bytes, &size, error);
    if (status != STATUS_OK) return status;
    status = model_config_parse(path, bytes, size, model, error);
    if (status == STATUS_OK) {
        json_error_t reason;
        bool repeats;
        *root = python_json_load(bytes, size, &reason, &repeats);
        if (!*root) status = error_memory(error, (double)size, path);
    }
    free(bytes);
    return status;
}

/* ---- the check ---- */

static bool same_table(const struct rope_model *rope, int64_t length, const struct export_table *table, double m) {
    struct rope_table read;
    rope_model_table(&read, rope, length);
    int64_t i = 0;
    while (i < rope->pairs && read.own_factors[i] == table->factors[i]) i++;
    return i == rope->pairs && fabs(read.own_attention_factor / m - 1.0) < 1e-7;
}

/* What a table does not replace. */
static bool same_rest(const struct model_config *a, const struct model_config *b) {
    return a->query_growth == b->query_growth && a->query_growth_length == b->query_growth_length &&
           a->window_rope.pairs == b->window_rope.pairs && a->window_rope.theta == b->window_rope.theta &&
           a->window_rope.type == b->window_rope.type && a->window_rope.factor == b->window_rope.factor;
}

static bool same_pair(const struct model_config *config, const struct export_pair *pair) {
    const struct rope_model *rope = &config->rope;
    double m = attention_factor_of(pair);
    return rope->type == ROPE_TYPE_LONGROPE && rope->pairs == pair->pairs && rope->theta == pair->theta &&
           config->window == pair->long_table.max_length && rope->original_length == pair->switch_length &&
           same_table(rope, pair->switch_length, &pair->short_table, m) &&
           same_table(rope, pair->switch_length + 1, &pair->long_table, m);
}

static int check_text(const char *path, const char *text, const struct setting_of *s, struct error *error) {
    struct model_config config;
    int status = model_config_parse(path, text, strlen(text), &config, error);
    if (status != STATUS_OK || (same_pair(&config, s->pair) && same_rest(&config, &s->model))) return status;
    return error_set(error, STATUS_FAILED,
                     "%s: the rotary settings would not read back unchanged; please report it with this file", path);
}

/* ---- notes ---- */

static void note_attention(const struct setting_of *s, struct export_notes *notes) {
    const struct export_pair *pair = s->pair;
    double m = attention_factor_of(pair);
    if (s->family->own_code) {
        export_note(notes,
                    "the code that comes with a model of family %s uses the long table for all inputs, as vLLM "
                    "does%s",
                    s->family->name, s->formula ? "" : ", and always the attention factor sqrt(1 + ln s / ln L0)");
    }
    if (s->formula) return;
    export_note(
        notes,
        "the attention factor %.6g is not sqrt(1 + ln s / ln L0), which vLLM and SGLang use unless short_mscale "
        "and long_mscale are set; both are set, and transformers warns that the two keys are unknown",
        m);
    if (s->family->three_keys) {
        export_note(notes,
                    "transformers 4 rejects this config.json, because it supports only that formula's attention "
                    "factor for %s; transformers 5 accepts it",
                    s->family->name);
    }
}

int export_config_text(const char *dir, const struct export_pair *pair, char **out, struct export_notes *notes,
                       struct error *error) {
    char *path = NULL, *text = NULL;
    json_t *root = NULL;
    struct setting_of setting = {.pair = pair, .formula = is_formula(pair)};
    if (asprintf(&path, "%s/config.json", dir) < 0) return error_memory(error, 0, "a path");
    int status = read_model(path, &root, &setting.model, error);
    if (status == STATUS_OK) {
        setting.part = part_of(root);
        setting.family = family_find(setting.model.family);
        change(root, &setting);
        text = json_text(root);
        if (text) python_json_restore(text);
        status = text ? check_text(path, text, &setting, error) : error_memory(error, 0, path);
    }
    if (status == STATUS_OK) note_attention(&setting, notes);
    json_decref(root);
    free(path);
    if (status != STATUS_OK) free(text);
    if (status == STATUS_OK) *out = text;
    return status;
}
