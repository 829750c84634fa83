#include "search/factors.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eval/file.h"
#include "search/json.h"
#include "search/text.h"

static const char format_name[] = "longrope-factors";
enum { FORMAT_VERSION = 2 }; /* 1, without bases, is read too */

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

/* An array of out[count] factors where count is not 0, or else of 1 to ROPE_MAX_PAIRS, which says how many. */
static bool read_factors(const json_t *factors, int64_t *count, double *out) {
    size_t size = json_array_size(factors); /* 0 for what is not an array */
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

void factor_entry_complete(struct factor_entry *entry) {
    for (int64_t i = 0; i < entry->pairs; i++) {
        if (entry->composed) {
            entry->factors[i] = entry->base[i] * entry->searched[i];
        } else {
            entry->base[i] = 1.0;
            entry->searched[i] = entry->factors[i];
        }
    }
}

static bool read_switch(const json_t *object, const char *key, bool *out) {
    const json_t *value = json_object_get(object, key);
    *out = json_is_true(value);
    return !value || json_is_null(value) || json_is_boolean(value);
}

/* The parts of a product, which must be that of "factors" but for what other programs round. */
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
    if (!out->whole || !read_factors(base, &out->pairs, product.base)) return false;
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

static int read_json_root(const char *source, const json_t *root, struct factor_file *out, struct error *error) {
    const char *format = json_string_value(json_object_get(root, "format"));
    if (!format || strcmp(format, format_name) != 0) {
        return error_set(error, STATUS_INPUT, "%s: not a factor file: its \"format\" is not \"%s\"", source,
                         format_name);
    }
    json_int_t version = json_integer_value(json_object_get(root, "version")); /* 0 for what is no integer */
    if (version < 1 || version > FORMAT_VERSION) {
        return error_set(
            error, STATUS_INPUT,
            "%s: a factor file of a version that is not known, 1 to %d are; use the longrope that wrote it", source,
            FORMAT_VERSION);
    }
    if (!read_integer(root, "original_length", &out->original_length) ||
        !read_number(root, "rope_theta", 0.0, 0.0, &out->rope_theta)) {
        return error_set(error, STATUS_INPUT, "%s: 'original_length' or 'rope_theta' is not a number", source);
    }
    int status = read_entries(source, "tables", json_object_get(root, "tables"), &out->tables, &out->count, error);
    if (status == STATUS_OK && out->count == 0) {
        status = error_set(error, STATUS_INPUT, "%s: holds no table under \"tables\"", source);
    }
    if (status != STATUS_OK) return status;
    return read_entries(source, "exportable_tables", json_object_get(root, "exportable_tables"), &out->exportable,
                        &out->exportable_count, error);
}

static int read_json(const char *source, const char *text, size_t size, struct factor_file *out, struct error *error) {
    json_error_t wrong;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &wrong);
    if (!root) return error_set(error, STATUS_INPUT, "%s:%d: not JSON: %s", source, wrong.line, wrong.text);
    int status = read_json_root(source, root, out, error);
    json_decref(root);
    return status;
}

/* ---- reading numbers ---- */

static int read_numbers(const char *source, char *text, struct factor_file *out, struct error *error) {
    struct factor_entry *entry = calloc(1, sizeof *entry);
    if (!entry) return error_memory(error, sizeof *entry, "a factor table");
    out->tables = entry, out->count = 1;
    entry->perplexity = NAN;
    char *rest = NULL;
    for (char *word = strtok_r(text, ", \t\r\n", &rest); word; word = strtok_r(NULL, ", \t\r\n", &rest)) {
        double factor;
        if (!parse_number(word, &factor) || factor <= 0.0) {
            return error_set(error, STATUS_INPUT, "%s: '%.40s' is not a rescale factor, a number above 0", source,
                             word);
        }
        if (entry->pairs == ROPE_MAX_PAIRS) {
            return error_set(error, STATUS_INPUT, "%s: holds more than %d numbers; one a rotary pair is wanted", source,
                             ROPE_MAX_PAIRS);
        }
        entry->factors[entry->pairs++] = factor;
    }
    if (entry->pairs == 0) return error_set(error, STATUS_INPUT, "%s: holds no rescale factor", source);
    factor_entry_complete(entry);
    return STATUS_OK;
}

/* ---- files ---- */

/* The whole of a file as a string that the caller frees. */
static int read_file(const char *path, char **text, size_t *size, struct error *error) {
    unsigned char *bytes = NULL;
    int status = file_read(path, &bytes, size, error);
    if (status != STATUS_OK) return status;
    char *string = realloc(bytes, *size + 1);
    if (!string) {
        free(bytes);
        return error_memory(error, (double)*size, "a factor file");
    }
    string[*size] = '\0';
    *text = string;
    return STATUS_OK;
}

static int read_text(const char *source, char *text, size_t size, struct factor_file *out, struct error *error) {
    bool json = text[strspn(text, " \t\r\n")] == '{';
    if (json) return read_json(source, text, size, out, error);
    if (memchr(text, '\0', size)) return error_set(error, STATUS_INPUT, "%s: is not a text of numbers", source);
    return read_numbers(source, text, out, error);
}

/* Numbers given inline, unless a file is called so. */
static bool is_inline(const char *source) {
    return *source && source[strspn(source, "0123456789.eE+-, ")] == '\0' && access(source, F_OK) != 0;
}

int factors_read(const char *source, struct factor_file *out, struct error *error) {
    *out = (struct factor_file){0};
    char *text = NULL;
    int status = STATUS_OK;
    if (is_inline(source)) {
        text = strdup(source);
        if (!text) return error_memory(error, (double)strlen(source), "a factor table");
        status = read_numbers("--factors", text, out, error);
    } else {
        size_t size;
        status = read_file(source, &text, &size, error);
        if (status == STATUS_OK) status = read_text(source, text, size, out, error);
    }
    free(text);
    if (status != STATUS_OK) factors_free(out);
    return status;
}

void factors_free(struct factor_file *file) {
    free(file->tables), free(file->exportable);
    *file = (struct factor_file){0};
}

/* A table of which the file does not say how far it reaches serves any length. */
static int64_t reach_of(const struct factor_entry *entry) {
    return entry->max_length > 0 ? entry->max_length : INT64_MAX;
}

const struct factor_entry *factors_for_length(const struct factor_entry *tables, size_t count, int64_t length) {
    const struct factor_entry *chosen = NULL, *longest = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct factor_entry *entry = &tables[i];
        if (reach_of(entry) >= length && (!chosen || reach_of(entry) < reach_of(chosen))) chosen = entry;
        if (!longest || reach_of(entry) > reach_of(longest)) longest = entry;
    }
    return chosen ? chosen : longest;
}

/* ---- tables of a model ---- */

int factors_check(const struct factor_file *file, const char *source, const struct rope_model *model,
                  struct error *error) {
    for (size_t i = 0; i < file->count + file->exportable_count; i++) {
        const struct factor_entry *entry = i < file->count ? &file->tables[i] : &file->exportable[i - file->count];
        if (entry->pairs == model->pairs) continue;
        return error_set(error, STATUS_INPUT,
                         "%.200s: holds %" PRId64 " factors, but the model has %" PRId64
                         " rotary pairs; was it made for another model?",
                         source, entry->pairs, model->pairs);
    }
    if (file->rope_theta > 0.0 && file->rope_theta != model->theta) {
        return error_set(error, STATUS_INPUT,
                         "%.200s: was made for rope_theta %g, but the model has %g; its factors mean nothing there",
                         source, file->rope_theta, model->theta);
    }
    return STATUS_OK;
}

void factor_entry_table(const struct factor_entry *entry, const struct rope_model *model, int64_t length,
                        double attention_factor, struct rope_table *out) {
    struct rope_model plain = rope_model_plain(model->pairs, model->theta);
    rope_base(out, entry->whole ? &plain : model, length);
    if (entry->composed) rope_compose(out, entry->base);
    memcpy(out->factors, entry->searched, sizeof out->factors);
    out->start_tokens = entry->start_tokens;
    out->attention_factor = entry->attention_factor > 0.0 ? entry->attention_factor : attention_factor;
}

/* ---- writing ---- */

/* Appends to an array, or frees it: NULL where either is NULL. */
static json_t *appended(json_t *array, json_t *item) {
    if (json_array_append_new(array, item) == 0) return array;
    json_decref(array);
    return NULL;
}

/* NULL for what JSON has no word for, NaN and text that is not UTF-8. */
static json_t *entry_json(const struct factor_entry *entry) {
    json_t *object =
        json_pack("{s:s, s:I, s:f, s:o, s:I, s:f, s:o, s:s, s:b}", "name", entry->name, "max_length",
                  (json_int_t)entry->max_length, "scale", entry->scale, "factors",
                  json_number_array(entry->factors, entry->pairs), "start_tokens", (json_int_t)entry->start_tokens,
                  "attention_factor", entry->attention_factor, "perplexity", json_number_or_null(entry->perplexity),
                  "origin", entry->origin, "whole", entry->whole);
    if (!object || !entry->composed) return object;
    json_object_set_new(object, "base_factors", json_number_array(entry->base, entry->pairs));
    json_object_set_new(object, "searched_factors", json_number_array(entry->searched, entry->pairs));
    return object;
}

static json_t *entries_json(const struct factor_entry *entries, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) array = appended(array, entry_json(&entries[i]));
    return array;
}

static bool write_json(const char *path, const json_t *root) {
    FILE *file = fopen(path, "wb");
    if (!file) return false;
    bool written = json_dumpf(root, file, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) == 0 && fputc('\n', file) != EOF;
    written = written && fflush(file) == 0 && fsync(fileno(file)) == 0;
    return fclose(file) == 0 && written;
}

int factors_write(const char *path, const struct factor_file *file, struct error *error) {
    json_t *root = json_pack("{s:s, s:i, s:I, s:f, s:o, s:o}", "format", format_name, "version", FORMAT_VERSION,
                             "original_length", (json_int_t)file->original_length, "rope_theta", file->rope_theta,
                             "tables", entries_json(file->tables, file->count), "exportable_tables",
                             entries_json(file->exportable, file->exportable_count));
    if (!root) {
        return error_set(error, STATUS_FAILED,
                         "%s: could not be written: a table's numbers are not finite or its name is not UTF-8", path);
    }
    char *aside = NULL;
    if (asprintf(&aside, "%s.part", path) < 0) {
        json_decref(root);
        return error_memory(error, 0, path);
    }
    bool written = write_json(aside, root) && rename(aside, path) == 0;
    int cause = errno;
    if (!written) unlink(aside);
    free(aside);
    json_decref(root);
    if (written) return STATUS_OK;
    return error_set(error, STATUS_FAILED, "%s: could not be written: %s; free space or choose another folder", path,
                     strerror(cause));
}
