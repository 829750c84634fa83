#include "search/factors/factors_readers.h"
#include "search/factors/gguf_tables.h"

int factors_read_gguf(const char *path, struct factor_file *out, struct error *error) {
    struct gguf_tables tables;
    int status = gguf_tables_read(path, &tables, error);
    if (status != STATUS_OK) return status;
    const struct factors_pair pair = {.pairs = tables.pairs,
                                      .short_factors = tables.short_factors,
                                      .long_factors = tables.long_factors,
                                      .attention_factor = tables.attention_factor,
                                      .rope_theta = tables.theta,
                                      .original_length = tables.original_length,
                                      .window = tables.context_length};
    return factors_from_pair(&pair, out, error);
}
