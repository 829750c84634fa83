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
    double theta;                       /* base of the frequencies */
    double own_factors[ROPE_MAX_PAIRS]; /* by which the model's own scaling divides them; 1 for most */
    double frequencies[ROPE_MAX_PAIRS]; /* f_i = theta^(-2i/d) / own_i, radians per token */
    double factors[ROPE_MAX_PAIRS];     /* lambda_i, > 0 */
    int64_t start_tokens;               /* n_hat: positions below it are not rescaled */
    double attention_factor;            /* m */
    double own_attention_factor;        /* the model's own, which m multiplies; 1 for most */
};

/* The rope_type of a model's own rope_scaling (transformers 5: rope_parameters), as transformers'
 * modeling_rope_utils.py defines them. */
enum rope_type {
    ROPE_TYPE_DEFAULT,
    ROPE_TYPE_LINEAR,
    ROPE_TYPE_DYNAMIC,
    ROPE_TYPE_LLAMA3,
    ROPE_TYPE_YARN,
    ROPE_TYPE_LONGROPE,
    ROPE_TYPE_CLEX, /* not transformers': arXiv 2310.16450, clex.h */
    ROPE_TYPES
};

/* Of the hidden layer of CLEX: x / (1 + e^-x) or tanh x. */
enum rope_activation { ROPE_ACTIVATION_SILU, ROPE_ACTIVATION_TANH, ROPE_ACTIVATIONS };
extern const char *const rope_activation_names[ROPE_ACTIVATIONS]; /* "silu", "tanh" */

/* The rotary settings that a model has of its own, before a table is searched. Fields below `type` belong
 * to the types named beside them. */
struct rope_model {
    int64_t pairs; /* d/2; d = head_dim x partial_rotary_factor */
    double theta;  /* base of the frequencies */
    enum rope_type type;
    double factor;                            /* all but default: how far the window was stretched */
    int64_t original_length;                  /* the window before that */
    double attention_factor;                  /* yarn, longrope; 0: by formula */
    double beta_fast, beta_slow;              /* yarn: turns within original_length */
    double mscale, mscale_all_dim;            /* yarn: DeepSeek's; 0: none */
    bool truncate;                            /* yarn: the ramp's ends are rounded to whole pairs */
    double low_freq_factor, high_freq_factor; /* llama3 */
    double short_factors[ROPE_MAX_PAIRS];     /* longrope: up to original_length tokens */
    double long_factors[ROPE_MAX_PAIRS];      /* longrope: beyond */
    double max_factor;                        /* clex: the largest extension factor t; whole */
    double param_factor, time_dt;             /* clex: p and the step of the integration, see clex.h */
    enum rope_activation activation;          /* clex */
    bool log_scale;                           /* clex: m = sqrt(ln L / ln L0) at every length L, 1 otherwise */
    const double *clex_factors;               /* clex: [max_factor][pairs], lambda at t = 1, 2, ...; borrowed. NULL: the
                                               * weights have not been read, and there is no table yet */
};

/* A model without scaling of its own. pairs <= ROPE_MAX_PAIRS. */
struct rope_model rope_model_plain(int64_t pairs, double theta);

/* "default", "linear", "dynamic", "llama3", "yarn", "longrope", "clex". */
const char *rope_type_name(enum rope_type type);
bool rope_type_parse(const char *name, enum rope_type *out);

/* Whether the table grows with the input: dynamic and clex. (longrope only switches between two.) */
bool rope_type_varies(enum rope_type type);

enum rope_method {
    ROPE_NONE,
    ROPE_PI,
    ROPE_NTK,
    ROPE_DYNAMIC_NTK,
    ROPE_YARN,
    ROPE_NTK_PI,
    ROPE_RESONANCE_YARN,
    ROPE_METHODS
};

/* "none", "pi", "ntk", "dynamic-ntk", "yarn", "ntk-pi", "resonance-yarn" */
extern const char *const rope_method_names[ROPE_METHODS];
const char *rope_method_name(enum rope_method method);
/* False for a name that is none of them. */
bool rope_method_parse(const char *name, enum rope_method *out);

/* What a closed-form method is computed from. */
struct rope_setting {
    const struct rope_model *model;
    int64_t original_length; /* L0, tokens */
    double scale;            /* s, >= 1 */
    int64_t length;          /* L, tokens of the input; only dynamic NTK depends on it */
};

/* CLEX's t for inputs of `length` tokens: ceil(L / L0), at most max_factor. */
int64_t rope_clex_time(const struct rope_model *model, int64_t length);

/* The model's own table for inputs of `length` tokens (dynamic, longrope and clex depend on it): factors and m
 * are 1, no start tokens. A model of type clex must have its clex_factors. */
void rope_model_table(struct rope_table *table, const struct rope_model *model, int64_t length);

/* Divides the table's frequencies by factors[pairs] once more, also those of start tokens: the table that a model was
 * fine-tuned with becomes part of the model's own, and a table searched on that model multiplies it. */
void rope_compose(struct rope_table *table, const double *factors);

/* The first pair whose wavelength 2 pi / f_i is at least `window` tokens, the table's factors aside: it makes no more
 * than one turn in the window. For a model without scaling it is ceil(d/2 log_theta(window / 2 pi)). `pairs` if all
 * pairs are faster. */
int64_t rope_window_pair(const struct rope_table *table, int64_t window);

/* The theoretical critical pair cd of LongRoPE2 (arXiv 2502.20082, eq. 7): rope_window_pair(), moved to where a pair is
 * before it and to the last pair at most; 1 where d = 2. */
int64_t rope_critical_pair(const struct rope_table *table, int64_t window);

/* The table of a closed-form method at ratio s, on top of rope_model_table():
 * - PI (arXiv 2306.15595): lambda_i = s.
 * - NTK-aware: theta' = theta s^(d/(d-2)), so lambda_i = s^(2i/(d-2)); 1 where d = 2.
 * - Dynamic NTK: NTK with s L/L0 - (s-1) for s where L > L0, otherwise unscaled.
 * - YaRN (arXiv 2309.00071): 1/lambda_i = (1-g_i)/s + g_i, g falling linearly from 1 to 0 between
 *   the pairs (rounded outwards) that turn 32 times and once within L0; m = 0.1 ln s + 1.
 * - NTK and PI around the critical pair cd of L0: lambda_i = s^(i/cd) for i < cd, and lambda_i = s from cd on.
 *   LongRoPE2 requires lambda_i >= s from cd on, cd included (eq. 10): these pairs make no full turn in L0 and would
 *   leave the angles that the model knows. The table has that bound with equality; tables of this shape begin that
 *   paper's search (algorithm 1). With cd = d/2 - 1, the last pair, it is NTK. What that paper calls NTK has s^(i/cd)
 *   for all pairs: more than s behind cd.
 * - Resonance YaRN (arXiv 2403.00071, algorithm 1, applied to YaRN's frequencies): the wavelength of every pair,
 *   w_i = 2 pi lambda_i / f_i with YaRN's lambda_i, is rounded to whole tokens, at least one: lambda'_i =
 *   round(w_i) f_i / 2 pi. A pair that turns within L0 then has no other angles beyond L0 than within. Pairs of long
 *   wavelengths hardly change. lambda'_i may be below 1, may fall, and is not 1 for s = 1. m is YaRN's.
 */
void rope_closed_form(struct rope_table *table, enum rope_method method, const struct rope_setting *setting);

/* lambda_i = (1-g_i) s + g_i: YaRN's ramp laid over lambda itself and not over 1/lambda, which is where
 * microsoft/LongRoPE's search begins (evolution/search.py). m is 1: this ramp has no
 * attention factor of its own. */
void rope_yarn_lambda(struct rope_table *table, const struct rope_setting *setting);

/* Whether both tables give equal rows to the last bit: all numbers that rows depend on are equal. */
bool rope_same(const struct rope_table *a, const struct rope_table *b);

/* LongRoPE's attention factor as engines default it: sqrt(1 + ln s / ln L0), 1 where s <= 1. */
double rope_longrope_attention_factor(double scale, int64_t original_length);
/* YaRN's: 0.1 ln s + 1, 1 where s <= 1. */
double rope_yarn_attention_factor(double scale);

/* How angles are computed: in double, or in f32 throughout, as engines do. With
 * own_i lambda_i rounded to f32, the frequency is 1 / (own_i lambda_i theta^(2i/d)). At position
 * 2 000 000 the fastest pair is then off by about 0.1 rad. */
enum rope_angles { ROPE_ANGLES_F64, ROPE_ANGLES_F32, ROPE_ANGLES_COUNT };
extern const char *const rope_angles_names[ROPE_ANGLES_COUNT]; /* "f64", "f32" */
const char *rope_angles_name(enum rope_angles angles);

/* Cosine and sine, times both attention factors, of positions first..first+rows-1: cos[rows][pairs],
 * sin[rows][pairs]. */
void rope_rows(const struct rope_table *table, enum rope_angles angles, int64_t first, int64_t rows, float *cos,
               float *sin);

#endif
