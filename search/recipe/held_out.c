#include "search/recipe/held_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/recipe/stage.h"
#include "search/recipe/stage_state.h"
#include "search/run/run_view.h"
#include "search/store/store_held_out.h"

/* The searched table, the best closed form and none. */
enum { MOST_TABLES = 3 };

size_t held_out_most_windows(const struct stage_config *config, size_t samples) {
    size_t windows = config->held_out < samples ? config->held_out : samples;
    size_t tables = (size_t)stage_baselines(config->kind) + 1;
    return windows * (tables < MOST_TABLES ? tables : MOST_TABLES);
}

/* ---- the stage's best table ---- */

int held_out_is_missing(struct stage *stage, struct individual *best, bool *out, struct error *error) {
    struct run_view run;
    struct stage_view view;
    *out = false;
    if (stage->config->held_out == 0) return STATUS_OK;
    int status = run_view_open(stage->context->store, stage->record.name, &run, error);
    if (status != STATUS_OK) return status;
    status = stage_view_read(&run, 0, &view, error);
    const struct individual *found = status == STATUS_OK ? stage_view_measured(&view) : NULL;
    if (found) *best = *found;
    *out = found && !(view.held_out.known && view.held_out.count == stage->windows.held_out);
    stage_view_free(&view);
    run_view_close(&run);
    return status;
}

/* ---- tables ---- */

struct measuring {
    struct stage *stage;
    struct held_out held_out; /* to be stored */
    struct window_nats nats;  /* of all windows */
    struct {
        int table; /* as in struct held_out_window */
        struct rope_table rope;
    } tables[MOST_TABLES];
    int count; /* of these */
};

static struct rope_table *add_table(struct measuring *m, int table) {
    m->tables[m->count].table = table;
    return &m->tables[m->count++].rope;
}

/* The best closed form and none, in the order of the methods. */
static int add_closed_forms(struct measuring *m, struct error *error) {
    struct baseline_record *known = NULL;
    size_t count = 0, best = 0;
    int status = store_baselines(m->stage->context->store, m->stage->record.id, &known, &count, error);
    for (size_t i = 1; i < count; i++) {
        if (known[i].nats_per_token < known[best].nats_per_token) best = i;
    }
    for (size_t i = 0; i < count; i++) {
        if (i == best || known[i].method == ROPE_NONE) *add_table(m, (int)known[i].method) = known[i].table;
    }
    free(known);
    return status;
}

static int find_tables(struct measuring *m, const struct individual *best, struct error *error) {
    m->held_out.individual = best->id;
    stage_candidate_table(m->stage, best, add_table(m, HELD_OUT_SEARCHED));
    return add_closed_forms(m, error);
}

/* ---- measuring ---- */

static int make_windows(struct measuring *m, struct error *error) {
    const struct stage_windows *windows = &m->stage->windows;
    m->held_out.windows = calloc(windows->held_out + 1, sizeof *m->held_out.windows);
    if (!m->held_out.windows) return error_memory(error, 0, "windows of other text");
    m->held_out.known = true;
    m->held_out.count = windows->held_out;
    for (size_t i = 0; i < windows->held_out; i++) {
        const struct window_record *record = &windows->records[windows->count + i];
        struct held_out_window *out = &m->held_out.windows[i];
        snprintf(out->document, sizeof out->document, "%s", record->document);
        out->start = record->start;
        out->tokens = record->tokens;
        out->predictions = window_tokens(&windows->items[windows->count + i]);
        for (int t = 0; t < HELD_OUT_TABLES; t++) out->nats[t] = NAN;
    }
    return STATUS_OK;
}

static int measure_table(struct measuring *m, int index, struct error *error) {
    const struct stage *stage = m->stage;
    const struct window_range range = {stage->windows.count, stage->windows.held_out};
    struct scored scored;
    window_nats_clear(&m->nats);
    int status = scorer_score(stage->scorer, &m->tables[index].rope, NULL, range, &m->nats, &scored, error);
    for (size_t i = 0; i < range.count && status == STATUS_OK; i++) {
        m->held_out.windows[i].nats[m->tables[index].table] = m->nats.nats[range.first + i];
    }
    return status;
}

static int measure_tables(struct measuring *m, struct error *error) {
    struct stage *stage = m->stage;
    const struct window_range range = {stage->windows.count, stage->windows.held_out};
    int status = window_nats_open(&m->nats, &stage->all_scoring, error);
    progress_begin(&stage->progress, stage->record.name, "other text", 0, (size_t)m->count);
    for (int i = 0; i < m->count && status == STATUS_OK; i++) {
        status = scorer_expect(stage->scorer, &m->tables[i].rope, range, 0, SCORER_NO_TAG, error);
    }
    for (int i = 0; i < m->count && status == STATUS_OK; i++) {
        status = measure_table(m, i, error);
        progress_step(&stage->progress, (size_t)i + 1, "", false);
    }
    progress_clear(&stage->progress);
    return status;
}

static void tell(const struct measuring *m) {
    const char *name = m->stage->record.name;
    size_t count = m->held_out.count;
    if (count == 0) {
        fprintf(
            stderr,
            "%s: no text is left to measure the gain on that was not searched on; add a document to 'data' of another "
            "run, or use longrope eval\n",
            name);
        return;
    }
    fprintf(stderr, "%s: on %zu window%s of text that was not searched on: %s", name, count, count == 1 ? "" : "s",
            stage_score_name(m->stage));
    for (int i = 0; i < m->count; i++) {
        double mean = held_out_mean(&m->held_out, m->tables[i].table);
        fprintf(stderr, "%s %s ", i ? "," : "", held_out_name(m->tables[i].table));
        if (isfinite(mean)) fprintf(stderr, "%.4f", exp(mean));
        if (!isfinite(mean)) fputs("failed", stderr);
    }
    fputc('\n', stderr);
}

int held_out_measure(struct stage *stage, const struct individual *best, struct error *error) {
    struct measuring m = {.stage = stage};
    int status = make_windows(&m, error);
    if (status == STATUS_OK && m.held_out.count) status = find_tables(&m, best, error);
    if (status == STATUS_OK && m.held_out.count) status = measure_tables(&m, error);
    if (status == STATUS_OK) {
        status = store_put_held_out(stage->context->store, stage->record.id, &m.held_out, error);
    }
    if (status == STATUS_OK) tell(&m);
    window_nats_close(&m.nats);
    free(m.held_out.windows);
    return status;
}
