/* Where `longrope export` takes tables from. */
#ifndef LONGROPE_SEARCH_EXPORT_SOURCE_H
#define LONGROPE_SEARCH_EXPORT_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "search/factors/factors.h"

/* What plain tables do not say. */
struct export_origin {
    int64_t original_length;          /* 0: it is not given */
    double rope_theta;                /* 0: likewise */
    const struct model_config *model; /* what is not given is this one's; NULL: there is none */
};

/* Reads sources[count], count >= 1: one run directory, or one file or folder that factors_read() takes; or several
 * LENGTH=FILE, each a file of one table that serves inputs of up to LENGTH tokens, put together by length. `origin` is
 * what the tables were found for where they do not say it: STATUS_INPUT where they do, and say something else than is
 * given. Each table of a list gets the name of its file and its scale, where the original length is known.
 * STATUS_INPUT, too, for a run of which no stage is done, for tables of a list that do not go together, and for those
 * of another model. `stage` is the table that is wanted, or NULL: of a run that found it on another model than the
 * other tables it comes alone. The caller frees *out with factors_free(), also after an error. */
int export_source_read(char *const *sources, size_t count, const char *stage, const struct export_origin *origin,
                       struct factor_file *out, struct error *error);

/* The folder of the model that the tables of a run are of, which the caller frees; NULL where the source is no run, or
 * does not know. `stage` as above. */
int export_source_model(char *const *sources, size_t count, const char *stage, char **out, struct error *error);

#endif
