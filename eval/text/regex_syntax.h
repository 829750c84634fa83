/* Regular expressions of tokenizer.json, which the tokenizers library gives to Oniguruma, in the syntax of PCRE2.
 *
 * The two agree on most of their syntax and differ in details that would change tokens without a word: what \s and \w
 * hold, which Unicode they know, \h, nested sets, possessive intervals. So an expression is read here: what has one
 * meaning in both is copied, sets are written as PCRE2 needs them to hold what Oniguruma's hold, and everything else
 * is refused by name.
 *
 * Read are: literals; . ^ $ (of lines); alternatives; groups ( (?: (?i: (?> (?= (?! (?<= (?<!, a capturing one being as
 * good as (?:; ? * + {n} {n,m} {n,} {,m}, each also lazy, and ? * + possessive; sets [...] and [^...] of literals,
 * ranges and the following; \d \s \p{PROPERTY} and their complements; \a \e \f \n \r \t \v \xHH \uHHHH, and \ before
 * punctuation. PROPERTY is a general category other than C and the kinds of M, or Han, Hiragana or Katakana.
 */
#ifndef LONGROPE_EVAL_REGEX_SYNTAX_H
#define LONGROPE_EVAL_REGEX_SYNTAX_H

#include "eval/base/error.h"

enum { REGEX_MOST_BYTES = 1 << 16 };

/* *out is the expression for PCRE2 with UTF, UCP and MULTILINE and with lines that end at \n, which the caller frees.
 * STATUS_INPUT if it is malformed, or holds something else than the above, naming it and its position; `where` is the
 * place of the expression, which is UTF-8. */
int regex_translate(const char *where, const char *regex, char **out, struct error *error);

#endif
