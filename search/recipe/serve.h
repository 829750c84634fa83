/* What a rank of a search does that is not rank 0: it computes windows. */
#ifndef LONGROPE_SEARCH_SERVE_H
#define LONGROPE_SEARCH_SERVE_H

#include "eval/base/error.h"
#include "search/recipe/search_context.h"

/* Loads the stages that rank 0 works on, and computes the windows that it asks for, until it says that the search ends:
 * STATUS_OK then, whatever the end. Of *context uses neither store nor cache. Errors are those of loading a stage, and
 * lack of memory; those of single windows go to rank 0, which has to say what they mean. */
int serve_run(const struct search_context *context, struct error *error);

#endif
