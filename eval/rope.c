#include "eval/rope.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "eval/base/name.h"

enum { YARN_BETA_FAST = 32, YARN_BETA_SLOW = 1 }; /* turns within the original window */

/* ---- Names ---- */

static const char *const type_names[ROPE_TYPES] = {"default", "linear",   "dynamic", "llama3",
                                                   "yarn",    "longrope", "clex"};
const char *const rope_method_names[ROPE_METHODS] = {"none", "pi",     "ntk",           "dynamic-ntk",
                                                     "yarn", "ntk-pi", "resonance-yarn"};
const char *const rope_activation_names[ROPE_ACTIVATIONS] = {
    [ROPE_ACTIVATION_SILU] = "silu", [ROPE_ACTIVATION_TANH] = "tanh"};
const char *const rope_angles_names[ROPE_ANGLES_COUNT] = {[ROPE_ANGLES_F64] = "f64", [ROPE_ANGLES_F32] = "f32"};

const char *rope_type_name(enum rope_type type) { return type_names[type]; }

bool rope_type_varies(enum rope_type type) { return type == ROPE_TYPE_DYNAMIC || type == ROPE_TYPE_CLEX; }

bool rope_type_parse(const char *name, enum rope_type *out) {
    int type = name_find(type_names, ROPE_TYPES, name);
    if (type != NAME_UNKNOWN) *out = (enum rope_type)type;
    return type != NAME_UNKNOWN;
}

const char *rope_angles_name(enum rope_angles angles) { return rope_angles_names[angles]; }

const char *rope_method_name(enum rope_method method) { return rope_method_names[method]; }

bool rope_method_parse(const char *name, enum rope_method *out) {
    int method = name_find(rope_method_names, ROPE_METHODS, name);
    if (method != NAME_UNKNOWN) *out = (enum rope_method)method;
    return method != NAME_UNKNOWN;
}

double rope_longrope_attention_factor(double scale, int64_t original_length) {
    return scale <= 1.0 || original_length <= 1 ? 1.0 : sqrt(1.0 + log(scale) / log((double)original_length));
}

double rope_yarn_attention_factor(double scale) { return scale <= 1.0 ? 1.0 : 0.1 * log(scale) + 1.0; }

/* ---- Formulas ---- */

/* lambda_i = s^(2i/(d-2)): what a base of theta s^(d/(d-2)) does to pair i. */
static void ntk_factors(double *factors, int64_t pairs, double scale) {
    double d = 2.0 * (double)pairs;
    factors[0] = 1.0;
    for (int64_t i = 1; i < pairs; i++) factors[i] = pow(scale, 2.0 * (double)i / (d - 2.0));
}

/* Dynamic NTK's s at length L, for a factor of s and a window of L0. */
static double dynamic_scale(double scale, int64_t length, int64_t window) {
    return length <= window ? 1.0 : scale * (double)length / (double)window - (scale - 1.0);
}

/* YaRN's ramp between the pairs that turn beta_fast and beta_slow times within the original window. */
struct yarn {
    double scale;
    int64_t original_length;
    double beta_fast, beta_slow;
    bool truncate; /* the ramp's ends are rounded outwards to whole pairs */
};

/* The pair, as a real number, that turns `turns` times within the original window (YaRN, eq. 14 ff.). */
static double pair_of_turns(const struct rope_model *model, int64_t original_length, double turns) {
    return (double)model->pairs * log((double)original_length / (turns * 2.0 * M_PI)) / log(model->theta);
}

/* What is left of each pair's own frequency: g, from 1 down to 0. */
static void yarn_ramp(double *kept, const struct rope_model *model, const struct yarn *yarn) {
    double low = pair_of_turns(model, yarn->original_length, yarn->beta_fast);
    double high = pair_of_turns(model, yarn->original_length, yarn->beta_slow);
    low = fmax(yarn->truncate ? floor(low) : low, 0.0);
    high = fmin(yarn->truncate ? ceil(high) : high, 2.0 * (double)model->pairs - 1.0);
    if (low == high) high += 0.001; /* as transformers: a step instead of a division by zero */
    for (int64_t i = 0; i < model->pairs; i++) kept[i] = 1.0 - fmin(fmax(((double)i - low) / (high - low), 0.0), 1.0);
}

static void yarn_factors(double *factors, const struct rope_model *model, const struct yarn *yarn) {
    double kept[ROPE_MAX_PAIRS];
    yarn_ramp(kept, model, yarn);
    for (int64_t i = 0; i < model->pairs; i++) factors[i] = 1.0 / ((1.0 - kept[i]) / yarn->scale + kept[i]);
}

/* By how much Llama 3.1 slows a pair of frequency f: not where it turns more than high_freq_factor
 * times within the original window, by `factor` where it turns less than low_freq_factor times, and in
 * between 1/lambda is linear in the turns. */
static double llama3_factor(const struct rope_model *model, double frequency) {
    double turns = (double)model->original_length * frequency / (2.0 * M_PI);
    if (turns > model->high_freq_factor) return 1.0;
    if (turns < model->low_freq_factor) return model->factor;
    double kept = (turns - model->low_freq_factor) / (model->high_freq_factor - model->low_freq_factor);
    return 1.0 / ((1.0 - kept) / model->factor + kept);
}

/* ---- The model's own table ---- */

struct rope_model rope_model_plain(int64_t pairs, double theta) {
    assert(pairs >= 1 && pairs <= ROPE_MAX_PAIRS);
    return (struct rope_model){.pairs = pairs, .theta = theta, .type = ROPE_TYPE_DEFAULT};
}

int64_t rope_clex_time(const struct rope_model *model, int64_t length) {
    int64_t most = (int64_t)model->max_factor, t = length / model->original_length;
    if (length % model->original_length != 0) t++;
    return t < 1 ? 1 : t < most ? t : most;
}

static const double *clex_row(const struct rope_model *model, int64_t length) {
    assert(model->clex_factors);
    return model->clex_factors + (rope_clex_time(model, length) - 1) * model->pairs;
}

/* By what the model's own scaling divides its frequencies. */
static void own_factors(double *out, const struct rope_model *model, const double *frequencies, int64_t length) {
    const struct yarn yarn = {.scale = model->factor,
                              .original_length = model->original_length,
                              .beta_fast = model->beta_fast,
                              .beta_slow = model->beta_slow,
                              .truncate = model->truncate};
    const double *longrope = length > model->original_length ? model->long_factors : model->short_factors;
    for (int64_t i = 0; i < model->pairs; i++) out[i] = 1.0;
    switch (model->type) {
    case ROPE_TYPE_DEFAULT:
    case ROPE_TYPES:
        break;
    case ROPE_TYPE_LINEAR:
        for (int64_t i = 0; i < model->pairs; i++) out[i] = model->factor;
        break;
    case ROPE_TYPE_DYNAMIC:
        ntk_factors(out, model->pairs, dynamic_scale(model->factor, length, model->original_length));
        break;
    case ROPE_TYPE_LLAMA3:
        for (int64_t i = 0; i < model->pairs; i++) out[i] = llama3_factor(model, frequencies[i]);
        break;
    case ROPE_TYPE_YARN:
        yarn_factors(out, model, &yarn);
        break;
    case ROPE_TYPE_LONGROPE:
        memcpy(out, longrope, (size_t)model->pairs * sizeof *out);
        break;
    case ROPE_TYPE_CLEX:
        memcpy(out, clex_row(model, length), (size_t)model->pairs * sizeof *out);
        break;
    }
}

/* 0.1 k ln s + 1: YaRN's attention factor with DeepSeek's mscale k. */
static double yarn_mscale(double scale, double mscale) { return scale <= 1.0 ? 1.0 : 0.1 * mscale * log(scale) + 1.0; }

/* Scores times ln L / ln L0 are queries and keys times the root of it. One token has no other to look at. */
static double log_scale_factor(const struct rope_model *model, int64_t length) {
    return sqrt(log(fmax(2.0, (double)length)) / log(fmax(2.0, (double)model->original_length)));
}

static double own_attention_factor(const struct rope_model *model, int64_t length) {
    bool yarn = model->type == ROPE_TYPE_YARN, longrope = model->type == ROPE_TYPE_LONGROPE;
    if ((yarn || longrope) && model->attention_factor > 0.0) return model->attention_factor;
    if (model->type == ROPE_TYPE_CLEX) return model->log_scale ? log_scale_factor(model, length) : 1.0;
    if (longrope) return rope_longrope_attention_factor(model->factor, model->original_length);
    if (yarn && model->mscale > 0.0 && model->mscale_all_dim > 0.0) {
        return yarn_mscale(model->factor, model->mscale) / yarn_mscale(model->factor, model->mscale_all_dim);
    }
    return yarn ? rope_yarn_attention_factor(model->factor) : 1.0;
}

void rope_model_table(struct rope_table *table, const struct rope_model *model, int64_t length) {
    assert(model->pairs >= 1 && model->pairs <= ROPE_MAX_PAIRS);
    *table = (struct rope_table){.pairs = model->pairs,
                                 .theta = model->theta,
                                 .start_tokens = 0,
                                 .attention_factor = 1.0,
                                 .own_attention_factor = own_attention_factor(model, length)};
    for (int64_t i = 0; i < model->pairs; i++) {
        table->frequencies[i] = pow(model->theta, -(double)i / (double)model->pairs);
        table->factors[i] = 1.0;
    }
    own_factors(table->own_factors, model, table->frequencies, length);
    for (int64_t i = 0; i < model->pairs; i++) table->frequencies[i] /= table->own_factors[i];
}

void rope_compose(struct rope_table *table, const double *factors) {
    for (int64_t i = 0; i < table->pairs; i++) {
        table->own_factors[i] *= factors[i];
        table->frequencies[i] /= factors[i];
    }
}

bool rope_same(const struct rope_table *a, const struct rope_table *b) {
    size_t bytes = (size_t)a->pairs * sizeof(double);
    return a->pairs == b->pairs && a->start_tokens == b->start_tokens && a->attention_factor == b->attention_factor &&
           a->own_attention_factor == b->own_attention_factor && a->theta == b->theta &&
           memcmp(a->frequencies, b->frequencies, bytes) == 0 && memcmp(a->factors, b->factors, bytes) == 0 &&
           memcmp(a->own_factors, b->own_factors, bytes) == 0;
}

/* ---- Closed forms ---- */

int64_t rope_window_pair(const struct rope_table *table, int64_t window) {
    int64_t pair = 0;
    while (pair < table->pairs && 2.0 * M_PI < table->frequencies[pair] * (double)window) pair++;
    return pair;
}

int64_t rope_critical_pair(const struct rope_table *table, int64_t window) {
    int64_t pair = rope_window_pair(table, window), last = table->pairs - 1;
    if (pair > last) pair = last;
    return pair < 1 ? 1 : pair;
}

static void ntk_pi_factors(struct rope_table *table, const struct rope_setting *setting) {
    int64_t critical = rope_critical_pair(table, setting->original_length);
    for (int64_t i = 0; i < table->pairs; i++) {
        table->factors[i] = i < critical ? pow(setting->scale, (double)i / (double)critical) : setting->scale;
    }
}

/* Doubles from 2^52 on are whole, and infinity cannot be divided. */
static void round_wavelengths(struct rope_table *table) {
    for (int64_t i = 0; i < table->pairs; i++) {
        double own = 2.0 * M_PI / table->frequencies[i], wavelength = table->factors[i] * own;
        if (wavelength < 0x1p52) table->factors[i] = fmax(1.0, nearbyint(wavelength)) / own;
    }
}

static struct yarn yarn_of(const struct rope_setting *setting) {
    return (struct yarn){.scale = setting->scale,
                         .original_length = setting->original_length,
                         .beta_fast = YARN_BETA_FAST,
                         .beta_slow = YARN_BETA_SLOW,
                         .truncate = true};
}

void rope_closed_form(struct rope_table *table, enum rope_method method, const struct rope_setting *setting) {
    assert(setting->scale >= 1.0 && setting->original_length >= 1);
    const struct rope_model *model = setting->model;
    const struct yarn yarn = yarn_of(setting);
    rope_model_table(table, model, setting->length);
    switch (method) {
    case ROPE_NONE:
    case ROPE_METHODS:
        break;
    case ROPE_PI:
        for (int64_t i = 0; i < table->pairs; i++) table->factors[i] = setting->scale;
        break;
    case ROPE_NTK:
        ntk_factors(table->factors, table->pairs, setting->scale);
        break;
    case ROPE_DYNAMIC_NTK:
        ntk_factors(table->factors, table->pairs,
                    dynamic_scale(setting->scale, setting->length, setting->original_length));
        break;
    case ROPE_YARN:
        yarn_factors(table->factors, model, &yarn);
        table->attention_factor = rope_yarn_attention_factor(setting->scale);
        break;
    case ROPE_NTK_PI:
        ntk_pi_factors(table, setting);
        break;
    case ROPE_RESONANCE_YARN:
        yarn_factors(table->factors, model, &yarn);
        round_wavelengths(table);
        table->attention_factor = rope_yarn_attention_factor(setting->scale);
        break;
    }
}

void rope_yarn_lambda(struct rope_table *table, const struct rope_setting *setting) {
    assert(setting->scale >= 1.0 && setting->original_length >= 1);
    const struct yarn yarn = yarn_of(setting);
    double kept[ROPE_MAX_PAIRS];
    rope_model_table(table, setting->model, setting->length);
    yarn_ramp(kept, setting->model, &yarn);
    for (int64_t i = 0; i < table->pairs; i++) table->factors[i] = (1.0 - kept[i]) * setting->scale + kept[i];
}

/* ---- Rows of cosines and sines ---- */

static void rows_f64(const struct rope_table *table, int64_t first, int64_t rows, float *cos_out, float *sin_out) {
    double m = table->own_attention_factor * table->attention_factor;
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = 0; i < table->pairs; i++) {
            double angle = (double)(first + r) * table->frequencies[i];
            if (first + r >= table->start_tokens) angle /= table->factors[i];
            cos_out[r * table->pairs + i] = (float)(m * cos(angle));
            sin_out[r * table->pairs + i] = (float)(m * sin(angle));
        }
    }
}

/* theta^(2i/d) is a power of f32 numbers, too: the exponent's rounding alone moves it by several bits. */
static void rows_f32(const struct rope_table *table, int64_t first, int64_t rows, float *cos_out, float *sin_out) {
    float m = (float)(table->own_attention_factor * table->attention_factor);
    float start[ROPE_MAX_PAIRS], rescaled[ROPE_MAX_PAIRS]; /* radians per token, before n_hat and from there on */
    for (int64_t i = 0; i < table->pairs; i++) {
        float power = powf((float)table->theta, (float)(2 * i) / (float)(2 * table->pairs));
        start[i] = 1.0f / ((float)table->own_factors[i] * power);
        rescaled[i] = 1.0f / ((float)(table->own_factors[i] * table->factors[i]) * power);
    }
    for (int64_t r = 0; r < rows; r++) {
        const float *frequencies = first + r < table->start_tokens ? start : rescaled;
        for (int64_t i = 0; i < table->pairs; i++) {
            float angle = (float)(first + r) * frequencies[i];
            cos_out[r * table->pairs + i] = cosf(angle) * m;
            sin_out[r * table->pairs + i] = sinf(angle) * m;
        }
    }
}

void rope_rows(const struct rope_table *table, enum rope_angles angles, int64_t first, int64_t rows, float *cos_out,
               float *sin_out) {
    if (angles == ROPE_ANGLES_F32) {
        rows_f32(table, first, rows, cos_out, sin_out);
    } else {
        rows_f64(table, first, rows, cos_out, sin_out);
    }
}
