/* The two tables that an engine can have: one for inputs of up to so many tokens, and one for longer ones. */
#ifndef LONGROPE_SEARCH_EXPORT_PAIR_H
#define LONGROPE_SEARCH_EXPORT_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "search/export/export_notes.h"
#include "search/factors/factors.h"

/* What the command line says of the choice; zeroed is nothing. */
struct export_choice {
    const char *stage;    /* name of the long table; NULL: that for `length` */
    int64_t length;       /* tokens that the long table is to serve; 0: the longest */
    int64_t short_length; /* tokens up to which the short table is used; 0: the window before any extension */
};

struct export_table {
    const struct factor_entry *best; /* of the source */
    const struct factor_entry *used; /* best itself, or, where that has start tokens, the stage's best without */
    int64_t max_length;              /* tokens; 0: not known */
    double factors[ROPE_MAX_PAIRS];  /* [pairs] by which theta^(-2i/d) is divided, the model's own scaling included */
    double attention_factor;         /* whole likewise */
};

struct export_pair {
    int64_t pairs;
    double theta;
    int64_t original_length;         /* window before any extension, which attention factors are computed from */
    int64_t switch_length;           /* tokens up to which `short_table` is used */
    struct export_table short_table; /* the source's table for switch_length tokens */
    struct export_table long_table;  /* the same table where the source has no shorter one */
    bool recovered; /* they are two tables; `short_table` may have been found for more than switch_length */
};

/* The long table that `choice` means, alone, which is all that some forms hold. `model`, which factors_check() has
 * found to be the file's, or NULL: the tables are taken as they stand, and theta and attention factors may be unknown,
 * 0. Entries point into `file`, which `source` is the name of and which has a table at least. STATUS_INPUT where there
 * is no such table or it has start tokens and `file` no other in its stead, or it multiplies a scaling of the model's
 * own that depends on the length. */
int export_pair_choose_one(const struct factor_file *file, const char *source, const struct export_choice *choice,
                           const struct model_config *model, struct export_pair *out, struct error *error);

/* Both, for a model that is known. STATUS_INPUT also where it is not known how far the long one reaches, or that is not
 * beyond the short one. */
int export_pair_choose(const struct factor_file *file, const char *source, const struct export_choice *choice,
                       const struct model_config *model, struct export_pair *out, struct error *error);

/* Notes where the short table gets another attention factor than its own: engines have one for both. */
void export_pair_note(const struct export_pair *pair, struct export_notes *notes);

#endif
