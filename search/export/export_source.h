/* Reads the factor tables that `longrope export` writes. */
#ifndef LONGROPE_SEARCH_EXPORT_SOURCE_H
#define LONGROPE_SEARCH_EXPORT_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "search/factors/factors.h"

/* What files of plain numbers lack, and what may replace a model's own. */
struct export_origin {
    int64_t original_length;          /* tokens; 0: not given */
    double rope_theta;                /* 0: not given */
    double max_factor;                /* of a CLEX model, which is the only source; 0: its own */
    const struct model_config *model; /* the default of both; NULL: none */
};

/* Reads sources[count], count >= 1, into *out: one run directory; one file or folder for factors_read(); or several
 * LENGTH=FILE, each a file of one table for inputs of up to LENGTH tokens, which are sorted by length and get the name
 * of their file and, if the original length is known, their scale.
 *
 * `stage` is the table to export, or NULL. If a run found it on another model than its other tables, *out holds it
 * alone. `origin` completes tables that lack it. STATUS_INPUT if a source contradicts `origin`, if no stage of a run is
 * done, if a max_factor is given for another source than a CLEX model, if the tables of a list are not of one model,
 * and for tables of another model than `origin`'s. The caller frees *out with factors_free(), also after an error. */
int export_source_read(char *const *sources, size_t count, const char *stage, const struct export_origin *origin,
                       struct factor_file *out, struct error *error);

/* The folder of the model on which a run found the tables that export_source_read() returns; the caller frees it. NULL
 * if the source is not a run or the run does not name it. STATUS_INPUT for a path that does not exist. */
int export_source_model(char *const *sources, size_t count, const char *stage, char **out, struct error *error);

#endif
