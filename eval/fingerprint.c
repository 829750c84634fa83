#include "eval/fingerprint.h"

#include <gnu/libc-version.h>
#include <stdio.h>

#include "eval/forward.h"

void fingerprint_arithmetic(const struct kernels *kernels, char out[FINGERPRINT_ARITHMETIC]) {
    /* the compiler orders sums, and the C library's sines differ in last bits */
    snprintf(out, FINGERPRINT_ARITHMETIC, "%s %s %d, %.60s, glibc %s", number_type_name(kernels->type), kernels->name,
             FORWARD_REVISION, __VERSION__, gnu_get_libc_version());
}

/* The pieces are of fixed sizes, or led by a count, so no two windows or tables feed the same bytes. */
XXH128_hash_t fingerprint_window(XXH3_state_t *hash, const int32_t *tokens, int64_t count, int64_t skip) {
    XXH3_128bits_reset(hash);
    XXH3_128bits_update(hash, &skip, sizeof skip);
    XXH3_128bits_update(hash, tokens, (size_t)count * sizeof *tokens);
    return XXH3_128bits_digest(hash);
}

XXH128_hash_t fingerprint_table(XXH3_state_t *hash, const struct rope_table *table) {
    const double scalars[] = {(double)table->pairs, (double)table->start_tokens, table->attention_factor,
                              table->own_attention_factor};
    size_t bytes = (size_t)table->pairs * sizeof(double);
    XXH3_128bits_reset(hash);
    XXH3_128bits_update(hash, scalars, sizeof scalars);
    XXH3_128bits_update(hash, table->frequencies, bytes);
    XXH3_128bits_update(hash, table->factors, bytes);
    return XXH3_128bits_digest(hash);
}
