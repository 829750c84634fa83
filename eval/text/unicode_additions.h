/* Characters that Unicode assigned from version 15 to 16.
 *
 * The tokenizers library has the properties of Unicode 16. PCRE2 has those of 14 up to its version 10.42, which Debian
 * 12 and Ubuntu 24.04 have; no character that 14 knows has another category in 16. So a class of characters is the one
 * of PCRE2 and the characters listed here; a later PCRE2 has them anyway.
 */
#ifndef LONGROPE_EVAL_UNICODE_ADDITIONS_H
#define LONGROPE_EVAL_UNICODE_ADDITIONS_H

#include <stdint.h>

struct unicode_addition {
    uint32_t first, last;
    const char *properties; /* the category, "Lo", and of Han, Hiragana and Katakana the script: "Lo Han" */
};

/* The next of the characters with that property, a category ("L", "Lo") or a script, after the row `after`, or the
 * first if that is NULL; NULL if there is no further one. */
const struct unicode_addition *unicode_additions_next(const struct unicode_addition *after, const char *property);

#endif
