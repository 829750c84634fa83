/* Rotary position embedding tables: base frequencies, rescale factors, attention factor.
 *
 * With rotary width d there are d/2 pairs. Pair i turns by n f_i at position n < n_hat and by
 * n f_i / lambda_i from n_hat on, where f_i = theta^(-2i/d), lambda_i is the rescale factor and
 * n_hat the number of start tokens (LongRoPE, arXiv 2402.13753, section 3). Cosine and sine are
 * multiplied by the attention factor m. Angles are computed in double precision.
 */
#ifndef LONGROPE_EVAL_ROPE_H
#define LONGROPE_EVAL_ROPE_H

#include <stdbool.h>
#include <stdint.h>

enum { ROPE_MAX_PAIRS = 256 }; /* head width 512 */

struct rope_table {
    int64_t pairs;
    double frequencies[ROPE_MAX_PAIRS]; /* f_i, radians per token */
    double factors[ROPE_MAX_PAIRS];     /* lambda_i, > 0 */
    int64_t start_tokens;               /* n_hat: positions below it are not rescaled */
    double attention_factor;            /* m */
};

enum rope_method { ROPE_NONE, ROPE_PI, ROPE_NTK, ROPE_DYNAMIC_NTK, ROPE_YARN, ROPE_METHODS };

/* "none", "pi", "ntk", "dynamic-ntk", "yarn". */
const char *rope_method_name(enum rope_method method);
/* False for a name that is none of them. */
bool rope_method_parse(const char *name, enum rope_method *out);

/* What a closed-form method is computed from. */
struct rope_setting {
    int64_t pairs;           /* d/2 */
    double theta;            /* base of the frequencies */
    int64_t original_length; /* L0, tokens */
    double scale;            /* s, >= 1 */
    int64_t length;          /* L, tokens of the input; only dynamic NTK depends on it */
};

/* The unscaled table: factors and m are 1, no start tokens. pairs <= ROPE_MAX_PAIRS. */
void rope_base(struct rope_table *table, int64_t pairs, double theta);

/* The table of a closed-form method at ratio s:
 * - PI (arXiv 2306.15595): lambda_i = s.
 * - NTK-aware: theta' = theta s^(d/(d-2)), so lambda_i = s^(2i/(d-2)); 1 where d = 2.
 * - Dynamic NTK: NTK with s L/L0 - (s-1) for s where L > L0, otherwise unscaled.
 * - YaRN (arXiv 2309.00071): 1/lambda_i = (1-g_i)/s + g_i, g falling linearly from 1 to 0 between
 *   the pairs (rounded outwards) that turn 32 times and once within L0; m = 0.1 ln s + 1. */
void rope_closed_form(struct rope_table *table, enum rope_method method, const struct rope_setting *setting);

/* LongRoPE's attention factor as engines default it: sqrt(1 + ln s / ln L0), 1 where s <= 1. */
double rope_longrope_attention_factor(double scale, int64_t original_length);
/* YaRN's: 0.1 ln s + 1, 1 where s <= 1. */
double rope_yarn_attention_factor(double scale);

/* Cosine and sine, times m, of positions first..first+rows-1: cos[rows][pairs], sin[rows][pairs]. */
void rope_rows(const struct rope_table *table, int64_t first, int64_t rows, float *cos, float *sin);

#endif
