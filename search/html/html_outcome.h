/* What a stage gained: its table against the best closed form, on text that it was not searched on where that was
 * measured, else on the search's own. */
#ifndef LONGROPE_SEARCH_HTML_OUTCOME_H
#define LONGROPE_SEARCH_HTML_OUTCOME_H

#include <stdbool.h>

#include "search/html/html.h"
#include "search/html/html_page.h"

struct html_outcome {
    struct cited_value stage;    /* of show --json; does not exist where no stage has a table */
    struct cited_value held_out; /* its "held_out" */
    bool measured;               /* on other text: the next three are of held_out.tables; else of the search's text */
    /* Objects with "perplexity": the table that engines get or, where there is none without start tokens, the best; the
     * best closed form, with "method"; and "none". */
    struct cited_value table, rival, none;
};

/* Of one item of "stages". */
struct html_outcome html_outcome_of(const struct cited_value *stage);

/* Of the stage that the run is about: the one of the long table for engines or, while there is none, the last stage
 * with a table. */
struct html_outcome html_outcome_main(const struct html_page *page);

/* Of the stage that recovered the old window; its stage does not exist where none did. */
struct html_outcome html_outcome_recovered(const struct html_page *page);

/* Whether a value has a perplexity. */
bool html_is_scored(const struct cited_value *one);

/* By how many percent the perplexity of `a` is below that of `b`, or above it: the absolute value. *below says which.
 */
struct html_field html_difference(const char *name, const struct cited_value *a, const struct cited_value *b,
                                  bool *below);

#endif
