/* The options that eval and search share: checkpoints of long windows. */
#ifndef LONGROPE_SEARCH_CHECKPOINT_OPTIONS_H
#define LONGROPE_SEARCH_CHECKPOINT_OPTIONS_H

#include "search/cli/options.h"

struct checkpoint_options {
    char *folder; /* borrowed from argv; NULL: no checkpoints */
    double every; /* seconds */
};

enum { CHECKPOINT_ROWS = 2 };
extern const struct option_row checkpoint_rows[CHECKPOINT_ROWS];

#endif
