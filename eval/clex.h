/* CLEX: rotary frequencies as the solution of a differential equation over the extension factor t (Chen et al., arXiv
 * 2310.16450, section 3; details that the paper leaves open are those of CLEX/clex_layer.py in DAMO-NLP-SG/CLEX).
 *
 * z_i(t) = ln f_i(t) is the logarithm of the frequency of pair i (radians per token). z_i(1) = ln theta^(-2i/d), and
 *
 *     dz/dt = g(t) + act((z + ln f_ntk(t)) U) D
 *     ln f_ntk,i(t) = -(2i/d) ln 10000 - (2i/(d-2)) ln alpha,   alpha = 2t - 1
 *     g_i(t) = d ln f_ntk,i / dt = -(4i/(d-2)) / alpha
 *
 * z and f_ntk are rows. f_ntk has the base 10000 whatever theta is. With D = 0 the solution is NTK's table at the ratio
 * 2t - 1. U and D are trained with the model.
 */
#ifndef LONGROPE_EVAL_CLEX_H
#define LONGROPE_EVAL_CLEX_H

#include <stdint.h>

#include "eval/base/error.h"
#include "eval/rope.h"

struct clex {
    int64_t pairs; /* d/2, 2 to ROPE_MAX_PAIRS */
    int64_t width; /* of the hidden layer, >= 1; p d in checkpoints */
    enum rope_activation activation;
    double theta;      /* base of the model's frequencies */
    double step;       /* in units of t, > 0; time_dt in checkpoints */
    const float *up;   /* U [pairs][width], borrowed */
    const float *down; /* D [width][pairs], borrowed */
};

/* The rescale factors lambda_i(t) = f_i(1) / f_i(t) at t = times[count] >= 1, which do not decrease, into
 * out[count][pairs]; all 1 at t = 1. RK4 of GSL's odeiv2 integrates in double from t = 1, in steps of clex->step; the
 * last step before each of `times` is shortened to end there. GSL's RK4 takes the result of two half steps.
 *
 * STATUS_INPUT if a factor is not finite or not within 1e-15 to 1e15: the message begins with `where`, a file.
 * STATUS_FAILED for lack of memory. */
int clex_factors(const struct clex *clex, const char *where, const double *times, int64_t count, double *out,
                 struct error *error);

#endif
