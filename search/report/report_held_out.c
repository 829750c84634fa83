#include "search/report/report_held_out.h"

#include <math.h>

#include "search/base/json.h"

static bool is_measured(const struct held_out *held_out, int table) {
    return held_out->count && !isnan(held_out->windows[0].nats[table]);
}

/* The closed form with the lowest mean; HELD_OUT_SEARCHED where none was measured. */
static int best_closed_form(const struct held_out *held_out) {
    int best = HELD_OUT_SEARCHED;
    for (int t = 0; t < HELD_OUT_SEARCHED; t++) {
        double mean = held_out_mean(held_out, t);
        if (isfinite(mean) && (best == HELD_OUT_SEARCHED || mean < held_out_mean(held_out, best))) best = t;
    }
    return best;
}

/* 1 - perplexity / that of the closed form; NaN where one is not known. */
static double gain_over(const struct held_out *held_out, int rival) {
    if (rival == HELD_OUT_SEARCHED) return NAN;
    return 1.0 - exp(held_out_mean(held_out, HELD_OUT_SEARCHED) - held_out_mean(held_out, rival));
}

/* Windows on which the searched table is better than the closed form. */
static size_t lower_on(const struct held_out *held_out, int rival) {
    size_t count = 0;
    for (size_t w = 0; w < held_out->count; w++) {
        count += held_out->windows[w].nats[HELD_OUT_SEARCHED] < held_out->windows[w].nats[rival];
    }
    return count;
}

/* ---- for people ---- */

static void print_means(FILE *out, const struct held_out *held_out) {
    const char *before = " ";
    for (int t = 0; t < HELD_OUT_TABLES; t++) {
        double mean = held_out_mean(held_out, t);
        if (!is_measured(held_out, t)) continue;
        fprintf(out, "%s%s ", before, held_out_name(t));
        if (isfinite(mean)) fprintf(out, "%.4f", exp(mean));
        if (!isfinite(mean)) fputs("failed", out);
        before = ", ";
    }
}

void report_held_out(FILE *out, const struct stage_view *stage) {
    const struct held_out *held_out = &stage->held_out;
    if (!held_out->known) return;
    if (held_out->count == 0) {
        fputs("  on other text: not measured, as the windows take all text; longrope eval measures any text\n", out);
        return;
    }
    int rival = best_closed_form(held_out);
    double gain = gain_over(held_out, rival);
    fprintf(out, "  on other text, %zu window%s:", held_out->count, held_out->count == 1 ? "" : "s");
    print_means(out, held_out);
    if (isfinite(gain)) {
        fprintf(out, "; %.1f %% %s %s, below it on %zu", fabs(100.0 * gain), gain >= 0.0 ? "below" : "above",
                held_out_name(rival), lower_on(held_out, rival));
    }
    fputc('\n', out);
}

/* ---- for programs ---- */

static json_t *samples_json(const struct held_out *held_out) {
    json_t *array = json_array();
    for (size_t w = 0; w < held_out->count; w++) {
        const struct held_out_window *one = &held_out->windows[w];
        json_array_append_new(array, json_pack("{s:o, s:I, s:I}", "document", json_name(one->document), "start",
                                               (json_int_t)one->start, "tokens", (json_int_t)one->tokens));
    }
    return array;
}

static json_t *tables_json(const struct held_out *held_out) {
    json_t *array = json_array();
    for (int t = 0; t < HELD_OUT_TABLES; t++) {
        if (!is_measured(held_out, t)) continue;
        json_array_append_new(array, json_pack("{s:s, s:o}", "method", held_out_name(t), "perplexity",
                                               json_number_or_null(exp(held_out_mean(held_out, t)))));
    }
    return array;
}

json_t *report_held_out_json(const struct stage_view *stage) {
    const struct held_out *held_out = &stage->held_out;
    if (!held_out->known) return json_null();
    int rival = best_closed_form(held_out);
    bool compared = rival != HELD_OUT_SEARCHED;
    return json_pack("{s:o, s:o, s:o, s:o}", "samples", samples_json(held_out), "tables", tables_json(held_out), "gain",
                     json_number_or_null(gain_over(held_out, rival)), "lower_on",
                     compared ? json_integer((json_int_t)lower_on(held_out, rival)) : json_null());
}
