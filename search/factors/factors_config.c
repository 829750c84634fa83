#include "search/factors/factors_readers.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/model/model_config.h"

/* A model's own table, for inputs of `length` tokens. */
static struct factor_entry own_entry(const char *name, const struct rope_model *rope, int64_t length) {
    struct rope_table table;
    rope_model_table(&table, rope, length);
    struct factor_entry entry = {.max_length = length,
                                 .scale = fmax(1.0, (double)length / (double)rope->original_length),
                                 .pairs = rope->pairs,
                                 .whole = true,
                                 .attention_factor = table.own_attention_factor,
                                 .perplexity = NAN};
    snprintf(entry.name, sizeof entry.name, "%s", name);
    memcpy(entry.factors, table.own_factors, sizeof entry.factors);
    factor_entry_complete(&entry);
    return entry;
}

static int read_longrope(const struct model_config *config, struct factor_file *out, struct error *error) {
    const struct rope_model *rope = &config->rope;
    out->tables = calloc(2, sizeof *out->tables);
    if (!out->tables) return error_memory(error, 2.0 * sizeof *out->tables, "the factor tables");
    out->count = 2;
    out->original_length = rope->original_length;
    out->rope_theta = rope->theta;
    int64_t beyond = config->window > rope->original_length ? config->window : rope->original_length + 1;
    out->tables[0] = own_entry("short", rope, rope->original_length);
    out->tables[1] = own_entry("long", rope, beyond);
    return STATUS_OK;
}

int factors_read_config(const char *source, const void *bytes, size_t size, struct factor_file *out,
                        struct error *error) {
    struct model_config config;
    int status = model_config_parse(source, bytes, size, &config, error);
    if (status != STATUS_OK) return status;
    if (config.rope.type != ROPE_TYPE_LONGROPE) {
        return error_set(error, STATUS_INPUT,
                         "%s: holds no factors: its rope_type is \"%s\", not \"longrope\"; use --method none to "
                         "evaluate the model unchanged",
                         source, rope_type_name(config.rope.type));
    }
    return read_longrope(&config, out, error);
}
