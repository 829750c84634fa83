#include "search/factors/factors_readers.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/file.h"
#include "eval/model/model_config.h"

static int read_longrope(const struct model_config *config, struct factor_file *out, struct error *error) {
    const struct rope_model *rope = &config->rope;
    struct rope_table short_table, long_table;
    rope_model_table(&short_table, rope, rope->original_length);
    rope_model_table(&long_table, rope, rope->original_length + 1);
    const struct factors_pair pair = {.pairs = rope->pairs,
                                      .short_factors = short_table.own_factors,
                                      .long_factors = long_table.own_factors,
                                      .attention_factor = long_table.own_attention_factor,
                                      .rope_theta = rope->theta,
                                      .original_length = rope->original_length,
                                      .window = config->window};
    return factors_from_pair(&pair, out, error);
}

/* ---- CLEX ---- */

/* The table at extension factor t, which serves t windows. */
static void clex_entry(const struct rope_model *rope, int64_t t, struct factor_entry *out) {
    struct rope_table table;
    *out = (struct factor_entry){.max_length = t * rope->original_length,
                                 .scale = (double)t,
                                 .pairs = rope->pairs,
                                 .whole = true,
                                 .perplexity = NAN};
    rope_model_table(&table, rope, out->max_length);
    snprintf(out->name, sizeof out->name, "clex-%" PRId64, t);
    memcpy(out->factors, table.own_factors, (size_t)rope->pairs * sizeof *out->factors);
    out->attention_factor = table.own_attention_factor;
    factor_entry_complete(out);
}

static int clex_entries(const struct rope_model *rope, struct factor_file *out, struct error *error) {
    size_t count = (size_t)rope->max_factor;
    out->tables = calloc(count, sizeof *out->tables);
    if (!out->tables) return error_memory(error, (double)count * sizeof *out->tables, "the tables of CLEX");
    out->count = count;
    out->original_length = rope->original_length;
    out->rope_theta = rope->theta;
    for (size_t n = 0; n < count; n++) clex_entry(rope, (int64_t)n + 1, &out->tables[n]);
    return STATUS_OK;
}

/* The folder that holds the file `path`, as messages name it; the caller frees it. */
static char *folder_of(const char *path) {
    size_t length = file_folder_length(path);
    if (length > 1) length--; /* the '/' of another folder than the root */
    return length > 0 ? strndup(path, length) : strdup(".");
}

static int read_folder(const char *folder, double max_factor, struct model_config *config, struct factor_file *out,
                       struct error *error) {
    double *factors = NULL;
    int status = model_read_clex(folder, max_factor, config, &factors, error);
    if (status == STATUS_OK) status = clex_entries(&config->rope, out, error);
    free(factors);
    return status;
}

static int read_clex(const char *path, struct model_config *config, struct factor_file *out, struct error *error) {
    char *folder = folder_of(path);
    if (!folder) return error_memory(error, (double)strlen(path), "a path");
    int status = read_folder(folder, 0.0, config, out, error);
    free(folder);
    return status;
}

int factors_read_clex(const char *folder, double max_factor, struct factor_file *out, struct error *error) {
    struct model_config config;
    *out = (struct factor_file){0};
    int status = model_read_config(folder, &config, error);
    if (status != STATUS_OK) return status;
    if (config.rope.type != ROPE_TYPE_CLEX) {
        return error_set(error, STATUS_INPUT,
                         "%s: its rope type is %s, not clex; without --max-factor its tables are read as they are",
                         folder, rope_type_name(config.rope.type));
    }
    return read_folder(folder, max_factor, &config, out, error);
}

int factors_read_config(const char *source, const void *bytes, size_t size, struct factor_file *out,
                        struct error *error) {
    struct model_config config;
    int status = model_config_parse(source, bytes, size, &config, error);
    if (status != STATUS_OK) return status;
    if (config.rope.type == ROPE_TYPE_CLEX) return read_clex(source, &config, out, error);
    if (config.rope.type != ROPE_TYPE_LONGROPE) {
        return error_set(
            error, STATUS_INPUT,
            "%s: holds no factors: its rope_type is \"%s\", not \"longrope\" or \"clex\"; name a run, a factor file or "
            "a model that was exported (longrope eval --method none evaluates this one unchanged)",
            source, rope_type_name(config.rope.type));
    }
    return read_longrope(&config, out, error);
}
