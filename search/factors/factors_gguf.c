#include "search/factors/factors_readers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/factors/gguf_tables.h"

static struct factor_entry entry_of(const char *name, const struct gguf_tables *tables, const double *factors,
                                    int64_t max_length) {
    struct factor_entry entry = {.max_length = max_length,
                                 .scale = (double)max_length / (double)tables->original_length,
                                 .pairs = tables->pairs,
                                 .whole = true,
                                 .attention_factor = tables->attention_factor,
                                 .perplexity = NAN};
    snprintf(entry.name, sizeof entry.name, "%s", name);
    memcpy(entry.factors, factors, sizeof entry.factors);
    factor_entry_complete(&entry);
    return entry;
}

int factors_read_gguf(const char *path, struct factor_file *out, struct error *error) {
    struct gguf_tables tables;
    int status = gguf_tables_read(path, &tables, error);
    if (status != STATUS_OK) return status;
    out->tables = calloc(2, sizeof *out->tables);
    if (!out->tables) return error_memory(error, 2.0 * sizeof *out->tables, "the factor tables");
    out->count = 2;
    out->original_length = tables.original_length;
    out->rope_theta = tables.theta;
    int64_t beyond =
        tables.context_length > tables.original_length ? tables.context_length : tables.original_length + 1;
    out->tables[0] = entry_of("short", &tables, tables.short_factors, tables.original_length);
    out->tables[1] = entry_of("long", &tables, tables.long_factors, beyond);
    return STATUS_OK;
}
