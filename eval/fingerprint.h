/* Fingerprints of all that determines the nats of a window to the last bit: two processes with equal fingerprints, and
 * models of equal fingerprints (eval/model/model.h), compute the same. */
#ifndef LONGROPE_EVAL_FINGERPRINT_H
#define LONGROPE_EVAL_FINGERPRINT_H

#include <stdint.h>
#include <xxhash.h>

#include "eval/kernels/kernels.h"
#include "eval/rope.h"

enum { FINGERPRINT_ARITHMETIC = 160 }; /* bytes of the text, with its end */

/* Number type, kernel set, revision of the forward pass, compiler and C library, as text. */
void fingerprint_arithmetic(const struct kernels *kernels, char out[FINGERPRINT_ARITHMETIC]);

/* A window of `count` tokens whose first `skip` predictions are not required. `hash` is a state to work with. */
XXH128_hash_t fingerprint_window(XXH3_state_t *hash, const int32_t *tokens, int64_t count, int64_t skip);

/* All of a table that rope_rows() reads. */
XXH128_hash_t fingerprint_table(XXH3_state_t *hash, const struct rope_table *table);

#endif
