/* The options that eval, passkey and choice share: the model, the RoPE tables, the arithmetic, and where results are
 * recorded. */
#ifndef LONGROPE_SEARCH_MODEL_OPTIONS_H
#define LONGROPE_SEARCH_MODEL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "eval/rope.h"
#include "search/cli/options.h"
#include "search/measure/table_source.h"

/* Strings are borrowed from argv. */
struct model_options {
    char *model;     /* its folder */
    char *tokenizer; /* NULL: the model's own */
    struct table_request tables;
    int type;        /* enum model_type */
    int angles;      /* enum rope_angles */
    int64_t threads; /* 0: all */
    char *into;      /* run directory; NULL: results are only printed */
    char *label;     /* NULL: each table's own name */
    bool json;
};

/* The values before any option is read. */
#define MODEL_OPTIONS_INITIAL                                                                                          \
    {                                                                                                                  \
        .tables = {                                                                                                    \
            .scale = TABLE_REQUEST_UNSET,                                                                              \
            .attention_factor = TABLE_REQUEST_UNSET,                                                                   \
            .original_length = TABLE_REQUEST_UNSET,                                                                    \
            .start_tokens = TABLE_REQUEST_UNSET,                                                                       \
            .max_factor = TABLE_REQUEST_UNSET                                                                          \
        }                                                                                                              \
    }

/* Bits of option_row.sets: these rows use those below MODEL_SETS, a command uses MODEL_SETS and above. */
enum { MODEL_SET_TABLES = 1, MODEL_SETS = 8 };

enum { MODEL_ROWS = 2, MODEL_TABLE_ROWS = 7, MODEL_ARITHMETIC_ROWS = 3, MODEL_RECORD_ROWS = 3 };
extern const struct option_row model_rows[MODEL_ROWS];
extern const struct option_row model_table_rows[MODEL_TABLE_ROWS];
extern const struct option_row model_arithmetic_rows[MODEL_ARITHMETIC_ROWS];
extern const struct option_row model_record_rows[MODEL_RECORD_ROWS];

/* Checks what rows cannot state. STATUS_INPUT. */
int model_options_check(const struct option_table *table, const struct model_options *options, struct error *error);

#endif
