#include "search/report/report_short_window.h"

#include <inttypes.h>
#include <math.h>

#include "search/base/json.h"

static void print_measured(FILE *out, const struct short_window *w) {
    double cost = 100.0 * short_window_cost(w);
    fprintf(out,
            "within the old window of %" PRId64 " tokens, on %" PRId64
            " window%s of the search's text: perplexity %.4f "
            "with the model's own\n  table, %.4f with that of %s: %.1f %% %s\n",
            w->length, w->windows, w->windows == 1 ? "" : "s", exp(w->own), exp(w->found), w->table.name, fabs(cost),
            cost >= 0.0 ? "more" : "less");
}

/* A longer table is good at short inputs only by chance. */
static void print_mend(FILE *out, const struct short_window *w) {
    fprintf(
        out,
        "  no table was searched for it: engines use that of %s there. To recover the old window, add this stage at\n"
        "  the end of the configuration and run the search again with --resume:\n"
        "    - {name: recover, kind: recover, target_length: %" PRId64,
        w->table.name, w->length);
    if (*w->base) fprintf(out, ", base: %s", w->base);
    fprintf(out, ", data: {samples: 24}, search: {lambda_max: %.0f, evaluations: 8, start_tokens: [0]}}\n",
            ceil(fmax(2.0, w->largest_of_own)));
}

int report_short_window(struct store *store, FILE *out, struct error *error) {
    struct short_window window;
    int status = short_window_read(store, &window, error);
    if (status != STATUS_OK || window.length == 0) return status;
    if (window.measured) print_measured(out, &window);
    if (!window.measured) {
        fprintf(out,
                "what the table of %s costs within the old window of %" PRId64 " tokens was not measured; the search "
                "measures it when it ends:\n  resume it with --resume\n",
                window.table.name, window.length);
    }
    if (!window.recovered) print_mend(out, &window);
    return STATUS_OK;
}

int report_short_window_to_json(const struct short_window *w, json_t **out, struct error *error) {
    *out = w->length == 0
               ? json_null()
               : json_pack("{s:I, s:s, s:b, s:o, s:o, s:o, s:o}", "length", (json_int_t)w->length, "table",
                           w->table.name, "recovered", (int)w->recovered, "own_perplexity",
                           json_number_or_null(exp(w->own)), "perplexity", json_number_or_null(exp(w->found)), "cost",
                           json_number_or_null(short_window_cost(w)), "samples",
                           w->measured ? json_integer((json_int_t)w->windows) : json_null());
    return *out ? STATUS_OK : error_memory(error, 0, "the report");
}

int report_short_window_json(struct store *store, json_t **out, struct error *error) {
    struct short_window window;
    *out = NULL;
    int status = short_window_read(store, &window, error);
    return status == STATUS_OK ? report_short_window_to_json(&window, out, error) : status;
}
