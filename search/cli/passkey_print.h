/* What `longrope passkey` prints: a heat map per RoPE table, or JSON. */
#ifndef LONGROPE_SEARCH_PASSKEY_PRINT_H
#define LONGROPE_SEARCH_PASSKEY_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "eval/kernels/kernels.h"
#include "search/cli/passkey_options.h"
#include "search/measure/passkey.h"
#include "search/measure/table_source.h"

/* The answers with one RoPE table at one length. */
struct passkey_result {
    const struct passkey_options *options;
    const struct kernels *kernels;
    const struct chosen_table *table;
    const struct passkey_sheet *sheet;
    int64_t length;
    double seconds;
};

/* Prints the arithmetic and the prompts in one line. */
void passkey_print_setting(FILE *out, const struct passkey_options *options, const struct kernels *kernels);
/* Prints the heading of one method's heat map; for a factor file `method` is "factors". */
void passkey_print_heading(FILE *out, const struct passkey_options *options, const char *method);
/* Prints the row of one length: for each depth the share of keys found, as a shade and in %. */
void passkey_print_row(FILE *out, const struct passkey_result *result, bool unicode);

/* A shade, two columns wide, that is darker for a larger share: blank only for none, full only for all. */
const char *passkey_shade(int64_t found, int64_t asked, bool unicode);

/* The result as a JSON object; search/report/README.md lists its keys; the caller releases it. NULL if memory is
 * short. */
json_t *passkey_json(const struct passkey_result *result);

#endif
