#include "eval/rope.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { YARN_BETA_FAST = 32, YARN_BETA_SLOW = 1 }; /* turns within the original window */

static const char *const method_names[ROPE_METHODS] = {"none", "pi", "ntk", "dynamic-ntk", "yarn"};

const char *rope_method_name(enum rope_method method) { return method_names[method]; }

bool rope_method_parse(const char *name, enum rope_method *out) {
    for (int m = 0; m < ROPE_METHODS; m++) {
        if (strcmp(name, method_names[m]) == 0) {
            *out = (enum rope_method)m;
            return true;
        }
    }
    return false;
}

void rope_base(struct rope_table *table, int64_t pairs, double theta) {
    assert(pairs >= 1 && pairs <= ROPE_MAX_PAIRS);
    *table = (struct rope_table){.pairs = pairs, .start_tokens = 0, .attention_factor = 1.0};
    for (int64_t i = 0; i < pairs; i++) {
        table->frequencies[i] = pow(theta, -(double)i / (double)pairs);
        table->factors[i] = 1.0;
    }
}

double rope_longrope_attention_factor(double scale, int64_t original_length) {
    return scale <= 1.0 || original_length <= 1 ? 1.0 : sqrt(1.0 + log(scale) / log((double)original_length));
}

double rope_yarn_attention_factor(double scale) { return scale <= 1.0 ? 1.0 : 0.1 * log(scale) + 1.0; }

/* lambda_i = s^(2i/(d-2)): what a base of theta s^(d/(d-2)) does to pair i. */
static void scale_base(struct rope_table *table, double scale) {
    double d = 2.0 * (double)table->pairs;
    for (int64_t i = 1; i < table->pairs; i++) table->factors[i] = pow(scale, 2.0 * (double)i / (d - 2.0));
}

/* The pair, as a real number, that turns `turns` times within the original window (YaRN, eq. 14 ff.). */
static double pair_of_turns(const struct rope_setting *setting, double turns) {
    double length = (double)setting->original_length;
    return (double)setting->pairs * log(length / (turns * 2.0 * M_PI)) / log(setting->theta);
}

static void yarn(struct rope_table *table, const struct rope_setting *setting) {
    double low = fmax(floor(pair_of_turns(setting, YARN_BETA_FAST)), 0.0);
    double high = fmin(ceil(pair_of_turns(setting, YARN_BETA_SLOW)), 2.0 * (double)setting->pairs - 1.0);
    if (low == high) high += 0.001; /* as transformers: a step instead of a division by zero */
    for (int64_t i = 0; i < setting->pairs; i++) {
        double kept = 1.0 - fmin(fmax(((double)i - low) / (high - low), 0.0), 1.0);
        table->factors[i] = 1.0 / ((1.0 - kept) / setting->scale + kept);
    }
    table->attention_factor = rope_yarn_attention_factor(setting->scale);
}

void rope_closed_form(struct rope_table *table, enum rope_method method, const struct rope_setting *setting) {
    assert(setting->scale >= 1.0 && setting->original_length >= 1);
    rope_base(table, setting->pairs, setting->theta);
    double s = setting->scale;
    switch (method) {
    case ROPE_NONE:
    case ROPE_METHODS:
        break;
    case ROPE_PI:
        for (int64_t i = 0; i < table->pairs; i++) table->factors[i] = s;
        break;
    case ROPE_NTK:
        scale_base(table, s);
        break;
    case ROPE_DYNAMIC_NTK:
        if (setting->length > setting->original_length) {
            scale_base(table, s * (double)setting->length / (double)setting->original_length - (s - 1.0));
        }
        break;
    case ROPE_YARN:
        yarn(table, setting);
        break;
    }
}

void rope_rows(const struct rope_table *table, int64_t first, int64_t rows, float *cos_out, float *sin_out) {
    for (int64_t r = 0; r < rows; r++) {
        int64_t position = first + r;
        for (int64_t i = 0; i < table->pairs; i++) {
            double angle = (double)position * table->frequencies[i];
            if (position >= table->start_tokens) angle /= table->factors[i];
            cos_out[r * table->pairs + i] = (float)(table->attention_factor * cos(angle));
            sin_out[r * table->pairs + i] = (float)(table->attention_factor * sin(angle));
        }
    }
}
