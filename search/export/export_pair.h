/* Chooses the factor tables of an export. Engines have room for two: one for inputs up to a length, one for longer
 * ones.
 */
#ifndef LONGROPE_SEARCH_EXPORT_PAIR_H
#define LONGROPE_SEARCH_EXPORT_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "search/factors/factors.h"

/* Whether one table takes both places. */
enum export_places { EXPORT_TWO_TABLES, EXPORT_LONG_TWICE, EXPORT_SHORT_TWICE };

/* The options that choose tables; zeroed: none given. */
struct export_choice {
    const char *stage;    /* name of the long table; NULL: the one for `length` */
    int64_t length;       /* tokens that the long table must serve; 0: the longest table */
    int64_t short_length; /* tokens up to which the short table is used; 0: the window before any extension */
    enum export_places places;
};

struct export_table {
    const struct factor_entry *best; /* the stage's best table */
    const struct factor_entry *used; /* `best`; if that has start tokens, the stage's best table without */
    int64_t max_length;              /* tokens; 0: unknown */
    double factors[ROPE_MAX_PAIRS];  /* [pairs] divisors of theta^(-2i/d), the model's own scaling included */
    double attention_factor;         /* the model's own included; 0: unknown */
};

struct export_pair {
    int64_t pairs;
    double theta;                    /* 0: unknown */
    int64_t original_length;         /* window before any extension, from which attention factors are computed */
    int64_t switch_length;           /* tokens up to which `short_table` is used */
    struct export_table short_table; /* the source's table for switch_length tokens; else a copy of `long_table` */
    struct export_table long_table;
    enum export_places places; /* as chosen; with EXPORT_SHORT_TWICE, `long_table` is the short one, with the length
                                  that the long one would have */
    bool recovered;            /* the two tables differ; max_length of `short_table` can be above switch_length */
};

/* Messages about differences between what was searched and what engines do. Zeroed: none. */
enum { EXPORT_NOTES_MAX = 16, EXPORT_NOTE_SIZE = 512 };
struct export_notes {
    size_t count;
    char items[EXPORT_NOTES_MAX][EXPORT_NOTE_SIZE];
};

/* Adds a note of one line. A note that is too long is cut; more than EXPORT_NOTES_MAX are dropped. */
void export_note(struct export_notes *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints each note on stderr, as a line that begins with "longrope: ". */
void export_notes_print(const struct export_notes *notes);

/* Chooses the long table only, for formats that hold one table. `model`, which factors_check() has compared with the
 * file, may be NULL: then the model's own scaling is not multiplied in, and theta and attention factors may be unknown.
 * *out points into `file`, which must have a table; `source` is its name in messages. STATUS_INPUT if there is no such
 * table, if it has start tokens and `file` has no table without to use instead, or if it multiplies a scaling of the
 * model that depends on the length. */
int export_pair_choose_one(const struct factor_file *file, const char *source, const struct export_choice *choice,
                           const struct model_config *model, struct export_pair *out, struct error *error);

/* Chooses both tables; `model` is not NULL. STATUS_INPUT also if the maximum length of the long table is unknown or not
 * above switch_length, and with EXPORT_SHORT_TWICE if there is no short table. */
int export_pair_choose(const struct factor_file *file, const char *source, const struct export_choice *choice,
                       const struct model_config *model, struct export_pair *out, struct error *error);

/* Adds a note if the short table was found with another attention factor than it gets: engines use one for both. */
void export_pair_note(const struct export_pair *pair, struct export_notes *notes);

#endif
