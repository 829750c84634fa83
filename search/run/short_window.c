#include "search/run/short_window.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/run/run_tables.h"
#include "search/run/run_view.h"

/* ---- a stage of 'kind: recover' ---- */

static void read_stage(const struct stage_view *stage, struct short_window *out) {
    struct stage_best best = stage_view_best(stage);
    if (stage->record->objective != OBJECTIVE_PERPLEXITY || !best.exportable) return;
    for (size_t i = 0; i < stage->baseline_count; i++) {
        if (stage->baselines[i].method != ROPE_NONE) continue;
        out->measured = isfinite(stage->baselines[i].nats_per_token); /* not of a table that overflowed */
        out->own = stage->baselines[i].nats_per_token;
        out->found = best.exportable->score;
        out->windows = (int64_t)stage->windows;
    }
}

/* Scores of the stage that found the table serve if its windows are as long as the old one: in longer ones the model's
 * own table was never good. */
static int read_recovered(struct store *store, struct short_window *out, struct error *error) {
    struct run_view run;
    struct stage_view stage;
    int status = run_view_open(store, out->table.name, &run, error);
    if (status != STATUS_OK) return status;
    out->recovered = run.stages[0].kind == STAGE_RECOVER;
    if (out->recovered && run.stages[0].target_length == out->length) {
        status = stage_view_read(&run, 0, &stage, error);
        if (status == STATUS_OK) read_stage(&stage, out);
        stage_view_free(&stage);
    }
    run_view_close(&run);
    return status;
}

/* ---- what was measured ---- */

/* A larger budget may have found another table since. */
static bool is_of_table(const struct measurement *m, const struct factor_entry *table) {
    size_t bytes = (size_t)table->pairs * sizeof *table->factors;
    return m->pairs == table->pairs && memcmp(m->factors, table->factors, bytes) == 0 &&
           m->attention_factor == table->attention_factor;
}

static const struct length_record *find(const struct length_record *records, size_t count, const char *label,
                                        int64_t length) {
    for (size_t i = 0; i < count; i++) {
        const struct measurement *m = &records[i].measurement;
        if (m->length == length && strcmp(m->label, label) == 0) return &records[i];
    }
    return NULL;
}

static int read_measured(struct store *store, struct short_window *out, struct error *error) {
    struct length_record *records = NULL;
    size_t count = 0;
    int status = store_lengths(store, &records, &count, error);
    const struct length_record *own = find(records, count, SHORT_WINDOW_OWN, out->length);
    const struct length_record *found = find(records, count, SHORT_WINDOW_FOUND, out->length);
    if (status == STATUS_OK && own && found && is_of_table(&found->measurement, &out->table)) {
        out->measured = isfinite(own->nats_per_token) && isfinite(found->nats_per_token);
        out->own = own->nats_per_token;
        out->found = found->nats_per_token;
        out->windows = found->windows;
    }
    free(records);
    return status;
}

/* ---- all ---- */

/* Of the table that the window has now: that of the fine-tuning with that stage's table, or the model's own scaling. */
static double largest_factor(const struct factor_file *tables, const char *name, const struct factor_entry *now) {
    double largest = 1.0;
    for (int64_t pair = 0; now->composed && pair < now->pairs; pair++) largest = fmax(largest, now->finetuned[pair]);
    for (size_t i = 0; i < tables->exportable_count; i++) {
        const struct factor_entry *entry = &tables->exportable[i];
        if (strcmp(entry->name, name) != 0) continue;
        for (int64_t pair = 0; pair < entry->pairs; pair++) largest = fmax(largest, entry->factors[pair]);
    }
    return largest;
}

int short_window_read(struct store *store, struct short_window *out, struct error *error) {
    struct factor_file tables;
    *out = (struct short_window){.own = NAN, .found = NAN};
    int status = run_tables_read(store, NULL, &tables, error);
    size_t count = tables.exportable_count;
    if (status == STATUS_OK) status = run_tables_base(store, out->base, error);
    bool extended = status == STATUS_OK && count && tables.exportable[count - 1].max_length > tables.original_length;
    if (extended) {
        out->length = tables.original_length;
        out->table = *factors_for_length(tables.exportable, count, out->length);
        out->largest_of_own = largest_factor(&tables, out->base, &out->table);
    }
    factors_free(&tables);
    if (!extended) return status;
    status = read_recovered(store, out, error);
    return status == STATUS_OK && !out->measured ? read_measured(store, out, error) : status;
}

double short_window_cost(const struct short_window *window) {
    return window->measured ? exp(window->found - window->own) - 1.0 : NAN;
}
