#include "search/factors/factors_readers.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/python_json.h"
#include "search/base/atomic_output.h"
#include "search/base/json.h"

static const char format_name[] = "longrope-factors";
enum { FORMAT_VERSION = 2 }; /* version 1, without base_factors, is also read */

/* ---- reading JSON ---- */

static bool read_number(const json_t *object, const char *key, double otherwise, double least, double *out) {
    const json_t *value = json_object_get(object, key);
    *out = otherwise;
    if (!value || json_is_null(value)) return true;
    if (!json_is_number(value)) return false;
    *out = json_number_value(value);
    return isfinite(*out) && *out >= least;
}

static bool read_integer(const json_t *object, const char *key, int64_t *out) {
    const json_t *value = json_object_get(object, key);
    *out = 0;
    if (!value || json_is_null(value)) return true;
    if (!json_is_integer(value)) return false;
    *out = json_integer_value(value);
    return *out >= 0;
}

static bool read_word(const json_t *object, const char *key, char *out, size_t size) {
    const json_t *value = json_object_get(object, key);
    out[0] = '\0';
    if (!value || json_is_null(value)) return true;
    if (!json_is_string(value) || json_string_length(value) >= size) return false;
    memcpy(out, json_string_value(value), json_string_length(value) + 1);
    return true;
}

static bool read_objective(const json_t *object, enum objective *out) {
    const json_t *value = json_object_get(object, "objective");
    *out = OBJECTIVE_PERPLEXITY;
    if (!value || json_is_null(value)) return true;
    return json_is_string(value) && objective_parse(json_string_value(value), out);
}

/* Reads an array of *count factors; if *count is 0, of 1 to ROPE_MAX_PAIRS factors, and sets *count. */
static bool read_factors(const json_t *factors, int64_t *count, double *out) {
    size_t size = json_array_size(factors); /* 0 if it is not an array */
    if (size < 1 || size > ROPE_MAX_PAIRS || (*count && size != (size_t)*count)) return false;
    *count = (int64_t)size;
    for (size_t i = 0; i < size; i++) {
        const json_t *factor = json_array_get(factors, i);
        if (!json_is_number(factor)) return false;
        out[i] = json_number_value(factor);
        if (!(out[i] > 0.0) || !isfinite(out[i])) return false;
    }
    return true;
}

static bool read_switch(const json_t *object, const char *key, bool *out) {
    const json_t *value = json_object_get(object, key);
    *out = json_is_true(value);
    return !value || json_is_null(value) || json_is_boolean(value);
}

/* The two parts of "factors". Their product must equal it, except for the rounding of other programs. */
static bool read_parts(const json_t *object, struct factor_entry *out) {
    const json_t *base = json_object_get(object, "base_factors"),
                 *searched = json_object_get(object, "searched_factors");
    bool none = (!base || json_is_null(base)) && (!searched || json_is_null(searched));
    struct factor_entry product = *out;
    product.composed = out->composed = !none;
    if (none) {
        factor_entry_complete(out);
        return true;
    }
    if (!out->whole || !read_factors(base, &out->pairs, product.finetuned)) return false;
    if (!read_factors(searched, &out->pairs, product.searched)) return false;
    factor_entry_complete(&product);
    for (int64_t i = 0; i < out->pairs; i++) {
        if (!(fabs(product.factors[i] - out->factors[i]) <= 1e-6 * out->factors[i])) return false;
    }
    *out = product;
    return true;
}

static int read_entry(const char *source, const char *list, size_t index, const json_t *object,
                      struct factor_entry *out, struct error *error) {
    const char *wrong = !json_is_object(object)                                                        ? "table"
                        : !read_factors(json_object_get(object, "factors"), &out->pairs, out->factors) ? "factors"
                        : !read_switch(object, "whole", &out->whole)                                   ? "whole"
                        : !read_parts(object, out)                                ? "base_factors or searched_factors"
                        : !read_word(object, "name", out->name, sizeof out->name) ? "name"
                        : !read_word(object, "origin", out->origin, sizeof out->origin) ? "origin"
                        : !read_integer(object, "max_length", &out->max_length)         ? "max_length"
                        : !read_integer(object, "start_tokens", &out->start_tokens)     ? "start_tokens"
                        : !read_number(object, "scale", 0.0, 0.0, &out->scale)          ? "scale"
                        : !read_number(object, "attention_factor", 0.0, 0.0, &out->attention_factor)
                            ? "attention_factor"
                        : !read_number(object, "perplexity", NAN, 0.0, &out->perplexity) ? "perplexity"
                        : !read_objective(object, &out->objective)                       ? "objective"
                                                                                         : NULL;
    if (!wrong) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "%s: '%s' of %s[%zu] is missing, of the wrong kind or out of range", source,
                     wrong, list, index);
}

static int read_entries(const char *source, const char *list, const json_t *array, struct factor_entry **out,
                        size_t *count, struct error *error) {
    if (array && !json_is_array(array) && !json_is_null(array)) {
        return error_set(error, STATUS_INPUT, "%s: \"%s\" is not a list", source, list);
    }
    size_t wanted = json_array_size(array);
    if (wanted == 0) return STATUS_OK;
    struct factor_entry *entries = calloc(wanted, sizeof *entries);
    if (!entries) return error_memory(error, (double)wanted * sizeof *entries, "a factor file");
    *out = entries, *count = wanted;
    for (size_t i = 0; i < wanted; i++) {
        int status = read_entry(source, list, i, json_array_get(array, i), &entries[i], error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static int read_root(const char *source, const json_t *root, struct factor_file *out, struct error *error) {
    const char *format = json_string_value(json_object_get(root, "format"));
    if (!format || strcmp(format, format_name) != 0) {
        return error_set(error, STATUS_INPUT, "%s: not a factor file: its \"format\" is not \"%s\"", source,
                         format_name);
    }
    json_int_t version = json_integer_value(json_object_get(root, "version")); /* 0 if it is not an integer */
    if (version < 1 || version > FORMAT_VERSION) {
        return error_set(
            error, STATUS_INPUT,
            "%s: unknown version of a factor file; this program reads versions 1 to %d: use the longrope that wrote it",
            source, FORMAT_VERSION);
    }
    if (!read_integer(root, "original_length", &out->original_length) ||
        !read_number(root, "rope_theta", 0.0, 0.0, &out->rope_theta)) {
        return error_set(error, STATUS_INPUT, "%s: 'original_length' or 'rope_theta' is not a number", source);
    }
    int status = read_entries(source, "tables", json_object_get(root, "tables"), &out->tables, &out->count, error);
    if (status == STATUS_OK && out->count == 0) {
        status = error_set(error, STATUS_INPUT, "%s: contains no table: \"tables\" is missing or empty", source);
    }
    if (status != STATUS_OK) return status;
    return read_entries(source, "exportable_tables", json_object_get(root, "exportable_tables"), &out->exportable,
                        &out->exportable_count, error);
}

/* A config.json has no "format"; it names the model's family. It is JSON as Python writes it. */
static bool is_config_text(const char *text, size_t size) {
    json_error_t reason;
    bool repeats;
    json_t *root = python_json_load(text, size, &reason, &repeats);
    bool is_config = !json_object_get(root, "format") && json_is_string(json_object_get(root, "model_type"));
    json_decref(root);
    return is_config;
}

int factors_read_json(const char *source, const char *text, size_t size, struct factor_file *out, struct error *error) {
    json_error_t wrong;
    if (is_config_text(text, size)) return factors_read_config(source, text, size, out, error);
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &wrong);
    if (!root) {
        return error_set(error, STATUS_INPUT, "%s:%d: is not valid JSON: %s; correct it", source, wrong.line,
                         wrong.text);
    }
    int status = read_root(source, root, out, error);
    json_decref(root);
    return status;
}

/* ---- writing ---- */

/* Appends to an array. If either is NULL, frees both and returns NULL. */
static json_t *appended(json_t *array, json_t *item) {
    if (json_array_append_new(array, item) == 0) return array;
    json_decref(array);
    return NULL;
}

/* NULL for values that JSON cannot express: NaN, and text that is not UTF-8. */
static json_t *entry_json(const struct factor_entry *entry) {
    json_t *object =
        json_pack("{s:s, s:I, s:f, s:o, s:I, s:f, s:o, s:s, s:s, s:b}", "name", entry->name, "max_length",
                  (json_int_t)entry->max_length, "scale", entry->scale, "factors",
                  json_number_array(entry->factors, entry->pairs), "start_tokens", (json_int_t)entry->start_tokens,
                  "attention_factor", entry->attention_factor, "perplexity", json_number_or_null(entry->perplexity),
                  "objective", objective_name(entry->objective), "origin", entry->origin, "whole", entry->whole);
    if (!object || !entry->composed) return object;
    json_object_set_new(object, "base_factors", json_number_array(entry->finetuned, entry->pairs));
    json_object_set_new(object, "searched_factors", json_number_array(entry->searched, entry->pairs));
    return object;
}

static json_t *entries_json(const struct factor_entry *entries, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) array = appended(array, entry_json(&entries[i]));
    return array;
}

static bool write_json(FILE *stream, const void *root) {
    return json_dumpf(root, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) == 0 && fputc('\n', stream) != EOF;
}

int factors_write(const char *path, bool replace, const struct factor_file *file, struct error *error) {
    json_t *root = json_pack("{s:s, s:i, s:I, s:f, s:o, s:o}", "format", format_name, "version", FORMAT_VERSION,
                             "original_length", (json_int_t)file->original_length, "rope_theta", file->rope_theta,
                             "tables", entries_json(file->tables, file->count), "exportable_tables",
                             entries_json(file->exportable, file->exportable_count));
    if (!root) {
        return error_set(error, STATUS_FAILED,
                         "%s: could not be written: a table's numbers are not finite or its name is not UTF-8", path);
    }
    int status = atomic_output_write_file(path, replace, write_json, root, error);
    json_decref(root);
    return status;
}
