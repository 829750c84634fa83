/* Any bytes as a config.json: refused, or a model whose rotary table is finite at every length. */
#include <math.h>
#include <stdlib.h>

#include "eval/model/model_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_table(const struct rope_table *table) {
    if (!isfinite(table->own_attention_factor) || table->own_attention_factor <= 0) abort();
    for (int64_t i = 0; i < table->pairs; i++) {
        if (!isfinite(table->frequencies[i]) || table->frequencies[i] <= 0) abort();
        if (!isfinite(table->factors[i]) || table->factors[i] <= 0) abort();
    }
}

static void check_rope(const struct model_config *config) {
    const int64_t lengths[] = {1, config->rope.original_length, config->rope.original_length + 1, 2000000};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        for (int method = 0; method < ROPE_METHODS; method++) {
            const struct rope_setting setting = {&config->rope, config->window, 8.0, lengths[l]};
            struct rope_table table;
            rope_closed_form(&table, (enum rope_method)method, &setting);
            check_table(&table);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct model_config config;
    struct error error;
    if (model_config_parse("config.json", bytes, size, &config, &error) != STATUS_OK) return 0;
    if (model_config_check("again", &config, &error) != STATUS_OK) abort();
    check_rope(&config);
    return 0;
}
