#include "search/cli/model_options.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"

struct model_options model_options_unset(void) {
    return (struct model_options){.tables = {.scale = TABLE_REQUEST_UNSET,
                                             .attention_factor = TABLE_REQUEST_UNSET,
                                             .original_length = TABLE_REQUEST_UNSET,
                                             .start_tokens = TABLE_REQUEST_UNSET}};
}

static int read_type(const char *text, enum model_type *out, struct error *error) {
    int type = name_find(model_type_names, MODEL_TYPES, text);
    if (type == NAME_UNKNOWN) return name_unknown("--dtype", "number type", text, model_type_names, MODEL_TYPES, error);
    *out = (enum model_type)type;
    return STATUS_OK;
}

static int read_angles(const char *text, enum rope_angles *out, struct error *error) {
    bool single = strcmp(text, "f32") == 0;
    if (!single && strcmp(text, "f64") != 0) {
        return error_set(error, STATUS_INPUT, "--angles: '%s' is neither f64 nor f32", text);
    }
    *out = single ? ROPE_ANGLES_F32 : ROPE_ANGLES_F64;
    return STATUS_OK;
}

int model_options_take(struct model_options *o, int key, char *value, struct error *error) {
    switch ((enum model_option_key)key) {
    case KEY_MODEL:
        o->model = value;
        return STATUS_OK;
    case KEY_TOKENIZER:
        o->tokenizer = value;
        return STATUS_OK;
    case KEY_METHOD:
        return string_list_split(&o->tables.methods, value, error);
    case KEY_FACTORS:
        o->tables.factors = value;
        return STATUS_OK;
    case KEY_SCALE:
        return option_number("scale", value, 1.0, 1e6, &o->tables.scale, error);
    case KEY_ORIGINAL_LENGTH:
        return option_integer("original-length", value, 1, INT32_MAX, &o->tables.original_length, error);
    case KEY_ATTENTION_FACTOR:
        return option_number("attention-factor", value, 1e-6, 1e6, &o->tables.attention_factor, error);
    case KEY_START_TOKENS:
        return option_integer("start-tokens", value, 0, INT32_MAX, &o->tables.start_tokens, error);
    case KEY_TYPE:
        return read_type(value, &o->type, error);
    case KEY_ANGLES:
        return read_angles(value, &o->angles, error);
    case KEY_THREADS:
        return option_integer("threads", value, 1, 4096, &o->threads, error);
    case KEY_INTO:
        o->into = value;
        return STATUS_OK;
    case KEY_LABEL:
        o->label = value;
        return STATUS_OK;
    }
    return STATUS_OK;
}

const char *model_options_wrong(const struct model_options *o) {
    return !o->model                                        ? "--model DIR is wanted"
           : !o->tables.methods.count == !o->tables.factors ? "one of --method and --factors is wanted"
           : o->label && o->tables.methods.count > 1        ? "--label goes with one --method"
                                                            : NULL;
}

int model_options_check_methods(const struct model_options *o, struct error *error) {
    enum rope_method known;
    for (size_t m = 0; m < o->tables.methods.count; m++) {
        if (rope_method_parse(o->tables.methods.items[m], &known)) continue;
        return error_set(error, STATUS_INPUT, "--method: '%s' is none of none, pi, ntk, dynamic-ntk, yarn",
                         o->tables.methods.items[m]);
    }
    return STATUS_OK;
}

void model_options_free(struct model_options *options) { free(options->tables.methods.items); }
