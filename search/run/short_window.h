/* What the tables of a run cost within the window before the extension, where the model was good already.
 *
 * Engines use the run's table for that window there: one of a stage of 'kind: recover', whose scores say what it costs,
 * or else a table for a longer window. The search measures the latter when it ends (search/recipe/old_window.h), on its
 * own text, beside the model's own table; both are stored as measurements (search/store/store_measurements.h) with
 * labels of their own. */
#ifndef LONGROPE_SEARCH_SHORT_WINDOW_H
#define LONGROPE_SEARCH_SHORT_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "search/factors/factors.h"
#include "search/store/store.h"
#include "search/store/store_measurements.h"

#define SHORT_WINDOW_OWN STORE_OWN_LABELS "own table in the old window"
#define SHORT_WINDOW_FOUND STORE_OWN_LABELS "found table in the old window"

struct short_window {
    int64_t length;             /* tokens of the old window; 0: no stage is done, or no table is longer than it */
    struct factor_entry table;  /* that engines use there: without start tokens */
    char base[STORE_NAME_SIZE]; /* the stage whose table the model was fine-tuned with; "": none */
    double largest_of_own;      /* factor of that table, or of the model's own scaling; 1 without either */
    bool recovered;             /* a stage of 'kind: recover' found it */
    bool measured;
    double own, found; /* if measured: nats per token with the model's own table and with `table` */
    int64_t windows;   /* if measured: of the search's text */
};

int short_window_read(struct store *store, struct short_window *out, struct error *error);

/* Perplexity with the table / that with the model's own, minus 1: 0.05 is 5 % more. NaN unless it is measured. */
double short_window_cost(const struct short_window *window);

#endif
