#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/base/json.h"
#include "search/report/report.h"
#include "search/report/report_frame.h"
#include "search/report/terminal_plot.h"
#include "search/run/generation_stats.h"
#include "search/run/improvements.h"

/* ---- convergence ---- */

/* Columns of numbers, one row per generation. */
struct convergence {
    size_t count;
    double *generation, *evaluations; /* [count]; evaluations: up to the generation's end */
    double *work;                     /* [count]: in evaluations, when the scores of these were known; NaN: unknown */
    double *best;                     /* [count]: perplexity, the best so far; NaN where there is none */
    double *quartiles[QUARTILES];     /* [count]: of the generation, see generation_stats.h */
    double *high;                     /* [count]: the last quartile, infinite where that individual was cut short */
    double *columns;                  /* owned: the memory of all columns */
};

static int read_convergence(const struct stage_view *stage, struct convergence *out, struct error *error) {
    enum { COLUMNS = 5 + QUARTILES };
    size_t most = stage->individual_count + 1; /* generations are no more than individuals */
    struct generation_stats row = {.number = 0};
    *out = (struct convergence){.columns = calloc(COLUMNS * most, sizeof *out->columns)};
    if (!out->columns) return error_memory(error, (double)(COLUMNS * most) * sizeof *out->columns, "the curves");
    out->generation = out->columns, out->evaluations = out->columns + most, out->best = out->columns + 2 * most;
    out->high = out->columns + 3 * most, out->work = out->columns + 4 * most;
    for (size_t q = 0; q < QUARTILES; q++) out->quartiles[q] = out->columns + (5 + q) * most;
    for (size_t next = 0; generation_stats_next(stage, &next, &row); out->count++) {
        double quartiles[QUARTILES];
        size_t at = out->count;
        if (!generation_stats_quartiles(stage, &row, quartiles)) return error_memory(error, 0, "the curves");
        out->generation[at] = (double)row.number;
        out->evaluations[at] = (double)row.evaluations;
        out->work[at] = stage_view_work(stage, row.work);
        out->best[at] = exp(row.best_so_far->score);
        for (size_t q = 0; q < QUARTILES; q++) out->quartiles[q][at] = quartiles[q];
        out->high[at] = isnan(quartiles[QUARTILES - 1]) ? INFINITY : quartiles[QUARTILES - 1];
    }
    return STATUS_OK;
}

/* The best so far: a point per improvement, and the end of the search. */
struct steps {
    size_t count;
    double *x, *y; /* [count]; owned */
};

/* x is the work in evaluations if `timed`, otherwise the number of individuals. */
static bool read_steps(const struct stage_view *stage, bool timed, struct steps *out) {
    struct improvements all;
    *out = (struct steps){.count = 0};
    if (!improvements_read(stage, &all)) return false;
    size_t first = 0, windows = 0;
    /* The first population is far above all later ones: its improvements do not widen the axes. */
    while (first + 1 < all.count && all.items[first + 1]->generation == 0) first++;
    out->x = calloc(2 * (all.count + 1), sizeof *out->x);
    out->y = out->x + all.count + 1;
    for (size_t i = first; out->x && i < all.count; i++, out->count++) {
        const struct individual *one = all.items[i];
        out->x[out->count] = timed ? stage_view_work(stage, one->work) : (double)one->id + 1.0;
        out->y[out->count] = exp(one->score);
    }
    for (size_t i = 0; i < stage->individual_count; i++) windows += stage->individuals[i].scored.windows;
    if (out->count) {
        out->x[out->count] = timed ? stage_view_work(stage, windows) : (double)stage->individual_count;
        out->y[out->count] = out->y[out->count - 1];
        out->count++;
    }
    improvements_free(&all);
    return out->x != NULL;
}

/* Whether the search scored an individual on some windows only. Then the tables that it scored on all windows are
 * chosen ones, and their quartiles say nothing of a generation. */
static bool is_partial(const struct stage_view *stage) {
    for (size_t i = 0; i < stage->individual_count; i++) {
        const struct individual *one = &stage->individuals[i].individual;
        if (!one->stopped && isnan(one->score)) return true;
    }
    return false;
}

static int draw_convergence(const struct stage_view *stage, const struct convergence *c,
                            const struct report_drawing *drawing, FILE *out, struct error *error) {
    const bool timed = isfinite(c->work[c->count - 1]), partial = is_partial(stage);
    const double *x = timed ? c->work : c->evaluations;
    struct steps steps;
    if (!read_steps(stage, timed, &steps)) return error_memory(error, 0, "the curves");
    /* The first population is far above all later ones: its median and all quartiles do not widen the axes. */
    size_t first = c->count > 1 ? 1 : 0;
    enum { SERIES = 4 };
    const struct plot_series series[SERIES] = {
        {PLOT_BAND, 0, true, c->count, x, c->quartiles[0], c->high},
        {PLOT_LETTER, '-', true, first, x, c->quartiles[1], NULL},
        {PLOT_LETTER, '-', false, c->count - first, x + first, c->quartiles[1] + first, NULL},
        {PLOT_STEPS, 0, false, steps.count, steps.x, steps.y, NULL},
    };
    const struct plot plot = {.x_label = timed ? "evaluations" : "tables",
                              .y_label = "perplexity",
                              .log_y = true,
                              .mark = NAN,
                              .count = partial ? 1 : SERIES,
                              .series = partial ? &series[SERIES - 1] : series};
    if (!plot_draw(&plot, drawing->columns, drawing->unicode, out)) {
        fprintf(out, "  %s\n",
                partial ? "no table is scored on all windows yet" : "every evaluation was cut short by racing");
    } else {
        fprintf(out, "  %s the best so far", plot_key(PLOT_STEPS, drawing->unicode));
        if (!partial) {
            fprintf(out, "   - median of a generation   %s its middle half", plot_key(PLOT_BAND, drawing->unicode));
        }
        fputc('\n', out);
    }
    free(steps.x);
    return STATUS_OK;
}

static int print_convergence(const void *state, const struct stage_view *stage, FILE *out, struct error *error) {
    struct convergence c;
    if (!stage->individual_count) {
        fputs("  no evaluation yet\n", out);
        return STATUS_OK;
    }
    int status = read_convergence(stage, &c, error);
    if (status == STATUS_OK) status = draw_convergence(stage, &c, state, out, error);
    free(c.columns);
    return status;
}

static json_t *convergence_row(const struct convergence *c, size_t at) {
    json_t *quartiles = json_array();
    for (size_t q = 0; q < QUARTILES; q++) json_array_append_new(quartiles, json_number_or_null(c->quartiles[q][at]));
    return json_pack("{s:I, s:I, s:o, s:o, s:o}", "generation", (json_int_t)c->generation[at], "evaluations",
                     (json_int_t)c->evaluations[at], "work", json_number_or_null(c->work[at]), "perplexity",
                     json_number_or_null(c->best[at]), "quartiles", quartiles);
}

static int convergence_json(const void *state, const struct stage_view *stage, json_t **out, struct error *error) {
    (void)state;
    struct convergence c;
    json_t *rows = json_array();
    bool whole = rows != NULL;
    int status = read_convergence(stage, &c, error);
    for (size_t i = 0; status == STATUS_OK && whole && i < c.count; i++) {
        whole = json_array_append_new(rows, convergence_row(&c, i)) == 0;
    }
    free(c.columns);
    *out = json_pack("{s:o, s:o}", "convergence", rows, "improvements", report_improvements_json(stage));
    if (status == STATUS_OK && whole && *out) return STATUS_OK;
    json_decref(*out);
    *out = NULL;
    return status == STATUS_OK ? error_memory(error, 0, "the report") : status;
}

int report_convergence(struct store *store, const struct report_options *options, const struct report_drawing *drawing,
                       FILE *out, struct error *error) {
    static const struct report_view view = {.print = print_convergence, .to_json = convergence_json};
    return report_stages(store, options, &view, drawing, out, error);
}

/* ---- lambda ---- */

enum { MAX_CURVES = ROPE_METHODS + 1 };

/* Factors by rotary pair: of each baseline, and the best table last. */
struct lambda {
    double pair[ROPE_MAX_PAIRS];
    double factors[MAX_CURVES][ROPE_MAX_PAIRS];
    struct plot_series series[MAX_CURVES];
    struct plot plot;
};

static char letter_of(enum rope_method method) { return method == ROPE_NONE ? '.' : rope_method_name(method)[0]; }

static void add_baselines(const struct stage_view *stage, struct lambda *out) {
    size_t pairs = (size_t)stage->record->space.pairs;
    for (size_t b = 0; b < stage->baseline_count && b < ROPE_METHODS; b++) {
        double *factors = out->factors[out->plot.count];
        stage_view_baseline_factors(stage, &stage->baselines[b], factors);
        out->series[out->plot.count++] = (struct plot_series){.style = PLOT_LETTER,
                                                              .letter = letter_of(stage->baselines[b].method),
                                                              .count = pairs,
                                                              .x = out->pair,
                                                              .y = factors};
    }
}

static void add_best(const struct stage_view *stage, const struct individual *best, struct lambda *out) {
    struct factor_entry table;
    double *factors = out->factors[out->plot.count];
    stage_view_entry(stage, best, &table);
    memcpy(factors, table.factors, (size_t)table.pairs * sizeof *factors);
    out->series[out->plot.count++] =
        (struct plot_series){.style = PLOT_LINE, .count = (size_t)table.pairs, .x = out->pair, .y = factors};
}

static int print_lambda(const void *state, const struct stage_view *stage, FILE *out, struct error *error) {
    const struct report_drawing *drawing = state;
    struct stage_best best = stage_view_best(stage);
    struct lambda *lambda = calloc(1, sizeof *lambda);
    if (!lambda) return error_memory(error, sizeof *lambda, "the curves");
    int64_t mark = stage_view_window_pair(stage), pairs = stage->record->space.pairs;
    for (int64_t i = 0; i < pairs; i++) lambda->pair[i] = (double)i;
    lambda->plot = (struct plot){.x_label = "rotary pair",
                                 .y_label = "lambda",
                                 .log_y = true,
                                 .mark = mark < pairs ? (double)mark : NAN,
                                 .series = lambda->series};
    add_baselines(stage, lambda);
    if (best.any) add_best(stage, best.any, lambda);
    if (!plot_draw(&lambda->plot, drawing->columns, drawing->unicode, out)) {
        fputs("  no table yet\n", out);
        free(lambda);
        return STATUS_OK;
    }
    const char *before = "  ";
    if (best.any) {
        fprintf(out, "%s%s longrope", before, plot_key(PLOT_LINE, drawing->unicode));
        before = "   ";
    }
    for (size_t b = 0; b < stage->baseline_count && b < ROPE_METHODS; b++, before = "   ") {
        fprintf(out, "%s%c %s", before, letter_of(stage->baselines[b].method),
                rope_method_name(stage->baselines[b].method));
    }
    fputc('\n', out);
    if (mark < pairs) {
        fprintf(out,
                "  from pair %" PRId64 " on, the wavelength is at least the window before any extension, %" PRId64
                " tokens\n",
                mark, stage->record->pretrained_length);
    }
    free(lambda);
    return STATUS_OK;
}

static int lambda_json(const void *state, const struct stage_view *stage, json_t **out, struct error *error) {
    (void)state;
    struct stage_best best = stage_view_best(stage);
    json_t *baselines = json_array(), *factors = NULL;
    bool whole = baselines != NULL;
    for (size_t b = 0; b < stage->baseline_count && whole; b++) {
        const struct baseline_record *one = &stage->baselines[b];
        json_t *row = json_pack("{s:s, s:o}", "method", rope_method_name(one->method), "factors",
                                report_baseline_factors_json(stage, one));
        whole = json_array_append_new(baselines, row) == 0;
    }
    if (best.any) {
        struct factor_entry table;
        stage_view_entry(stage, best.any, &table);
        factors = json_number_array(table.factors, table.pairs);
        whole = whole && factors;
    }
    *out = json_pack("{s:I, s:o, s:o}", "window_pair", (json_int_t)stage_view_window_pair(stage), "factors",
                     factors ? factors : json_null(), "baselines", baselines);
    if (whole && *out) return STATUS_OK;
    json_decref(*out);
    *out = NULL;
    return error_memory(error, 0, "the report");
}

int report_lambda(struct store *store, const struct report_options *options, const struct report_drawing *drawing,
                  FILE *out, struct error *error) {
    static const struct report_view view = {.print = print_lambda, .to_json = lambda_json};
    return report_stages(store, options, &view, drawing, out, error);
}
