/* The two tables of a run that inference engines use, as `longrope export` chooses them without options
 * (search/export/export_pair.h): one for inputs within the window before the extension, one for longer inputs. */
#ifndef LONGROPE_SEARCH_ENGINE_TABLES_H
#define LONGROPE_SEARCH_ENGINE_TABLES_H

#include <stdbool.h>

#include "eval/base/error.h"
#include "search/factors/factors.h"
#include "search/store/store.h"

struct engine_tables {
    bool found;              /* a stage that extends the window is done, and has a table without start tokens */
    int64_t original_length; /* tokens: the short table serves inputs of up to so many */
    struct factor_entry long_table;
    struct factor_entry short_table; /* a copy of `long_table` where no shorter one was searched */
    bool formula;                    /* the attention factor of `long_table`, which engines use for both, is LongRoPE's
                                      * formula, which they assume where config.json has no other */
};

int engine_tables_read(struct store *store, struct engine_tables *out, struct error *error);

#endif
