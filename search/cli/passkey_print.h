/* What `longrope passkey` prints: tables that are heat maps for people, or JSON. */
#ifndef LONGROPE_SEARCH_PASSKEY_PRINT_H
#define LONGROPE_SEARCH_PASSKEY_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "eval/kernels/kernels.h"
#include "search/cli/passkey_options.h"
#include "search/measure/passkey.h"
#include "search/measure/table_source.h"

/* A table's answers at one length. */
struct passkey_result {
    const struct passkey_options *options;
    const struct kernels *kernels;
    const struct chosen_table *table;
    const struct passkey_sheet *sheet;
    int64_t length;
    double seconds;
};

/* How it was measured, in one line. */
void passkey_print_setting(const struct passkey_options *options, const struct kernels *kernels);
/* The heading of one method's table, or of the factor file's. */
void passkey_print_heading(const struct passkey_options *options, const char *method);
/* A length's row: of each depth the share of keys that were found, as a shade and in %. */
void passkey_print_row(const struct passkey_result *result, bool unicode);

/* Two columns that are the darker the larger the share: blank for none, full for all and nothing else. */
const char *passkey_shade(int64_t found, int64_t asked, bool unicode);

/* The same as an object; search/report/README.md lists its keys. NULL for lack of memory. */
json_t *passkey_json(const struct passkey_result *result);

#endif
