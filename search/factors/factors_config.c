#include "search/factors/factors_readers.h"

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
