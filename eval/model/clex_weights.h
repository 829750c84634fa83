/* The tensors of a CLEX model, and the table that is integrated from them (eval/clex.h).
 *
 * They are the parameters of the layer that DAMO-NLP-SG/CLEX adds to a model, with d the rotary width and p
 * param_factor, in any number type that weights may have:
 *
 *     model.clex_layer.proj_func.ode_up_proj    [d/2][p d]   U
 *     model.clex_layer.proj_func.ode_down_proj  [p d][d/2]   D
 *     model.clex_layer.inv_freq                 [d/2]        theta^(-2i/d); optional: only compared with theta
 */
#ifndef LONGROPE_EVAL_CLEX_WEIGHTS_H
#define LONGROPE_EVAL_CLEX_WEIGHTS_H

#include "eval/base/error.h"
#include "eval/model/weights.h"
#include "eval/rope.h"

/* `rope` is of type clex and has passed model_rope_check(). Integrates its table for t = 1 to rope->max_factor into
 * *out [max_factor][pairs], which the caller frees, and makes rope->clex_factors point to it. STATUS_INPUT for a tensor
 * that is missing, has another shape or holds NaN or infinity, for an inv_freq of another theta, and for tensors that
 * clex_factors() refuses; STATUS_FAILED for lack of memory. *out is NULL after an error. */
int clex_weights_read(const struct weights *weights, struct rope_model *rope, double **out, struct error *error);

#endif
