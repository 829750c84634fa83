/* Any bytes as a config.json: refused, or a model whose rotary table is finite at every length. */
#include <math.h>
#include <stdlib.h>

#include "eval/clex.h"
#include "eval/model/model_config.h"

enum { CLEX_MOST = 1 << 12 }; /* numbers of a tensor of CLEX, and of its tables */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_table(const struct rope_table *table) {
    if (!isfinite(table->own_attention_factor) || table->own_attention_factor <= 0) abort();
    for (int64_t i = 0; i < table->pairs; i++) {
        if (!isfinite(table->frequencies[i]) || table->frequencies[i] <= 0) abort();
        if (!isfinite(table->factors[i]) || table->factors[i] <= 0) abort();
    }
}

/* Tables of tensors that are made up, for models that are small enough. False if there are none. */
static bool integrate_clex(struct rope_model *rope) {
    static float numbers[CLEX_MOST];
    static double times[CLEX_MOST], factors[CLEX_MOST];
    double width = rope->param_factor * 2.0 * (double)rope->pairs, tables = rope->max_factor * (double)rope->pairs;
    double work = rope->max_factor / rope->time_dt * (double)rope->pairs * width;
    if (width * (double)rope->pairs > CLEX_MOST || tables > CLEX_MOST || work > 1e6) return false;
    for (int i = 0; i < CLEX_MOST; i++) numbers[i] = (float)(i % 7 - 3) / 64.0f, times[i] = i + 1;
    const struct clex clex = {rope->pairs,   (int64_t)width, rope->activation, rope->theta,
                              rope->time_dt, numbers,        numbers};
    struct error error;
    rope->clex_factors = factors;
    return clex_factors(&clex, "made up", times, (int64_t)rope->max_factor, factors, &error) == STATUS_OK;
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
    if (config.rope.type == ROPE_TYPE_CLEX && !integrate_clex(&config.rope)) return 0;
    check_rope(&config);
    return 0;
}
