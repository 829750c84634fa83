/* What a tokenizer.json is made of: for tokenizer_json.c, which applies it, and tokenizer_json_read.c and
 * tokenizer_json_steps.c, which read it. */
#ifndef LONGROPE_EVAL_TOKENIZER_JSON_PARTS_H
#define LONGROPE_EVAL_TOKENIZER_JSON_PARTS_H

#include "eval/text/added_tokens.h"
#include "eval/text/bpe.h"
#include "eval/text/json_place.h"
#include "eval/text/text_steps.h"

enum { TOKENIZER_JSON_MOST_NESTING = 8 }; /* sequences within a sequence */

struct tokenizer_json {
    struct added_tokens before, after; /* those found before the normalizer, and those after it, as it leaves them */
    struct pattern *word;              /* a character of words; NULL if no added token must be a whole word */
    struct steps normalizer, pre_tokenizer;
    struct bpe *bpe;
    int32_t first, last; /* of post_processor; -1: none */
};

/* Fills in a zeroed tokenizer from the bytes of the file. STATUS_INPUT, STATUS_FAILED. The caller frees what is in it,
 * also after an error. */
int tokenizer_json_read(const char *path, const char *bytes, size_t size, struct tokenizer_json *out,
                        struct error *error);

int tokenizer_json_read_value(const char *path, const json_t *json, struct tokenizer_json *out, struct error *error);

/* The steps of a normalizer and of a pre-tokenizer, added to *out; none where the value is absent. Errors and ownership
 * as above. */
int tokenizer_json_read_normalizer(const struct json_place *place, struct steps *out, struct error *error);
int tokenizer_json_read_pre_tokenizer(const struct json_place *place, struct steps *out, struct error *error);

/* Runs the normalizer on text[size], which is not empty: *out[*out_size], which the caller frees. */
int tokenizer_json_normalize(const struct tokenizer_json *tokenizer, const char *name, const char *text, size_t size,
                             char **out, size_t *out_size, struct error *error);

#endif
