/* Measurements stored in a run beside its search: perplexity by length, and pass keys by length and depth. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/html/html.h"
#include "search/html/html_data.h"
#include "search/html/html_figure.h"

/* How many records from `first` on have the same value of `key`. Records are sorted by label, then by length. */
static size_t count_equal(const struct cited_value *records, size_t first, const char *key) {
    const json_t *value = json_object_get(json_array_get(records->json, first), key);
    size_t end = first + 1;
    while (end < cited_count(records) && json_equal(json_object_get(json_array_get(records->json, end), key), value)) {
        end++;
    }
    return end - first;
}

/* A value of a key, and the index of a record that has it. */
struct key_value {
    double value;
    size_t record;
};

static int by_value(const void *a, const void *b) {
    double x = ((const struct key_value *)a)->value, y = ((const struct key_value *)b)->value;
    return (x > y) - (x < y);
}

/* The distinct values of records first..first+count-1, ascending; the caller frees *out, NULL for lack of memory. */
static size_t distinct(const struct cited_value *records, size_t first, size_t count, const char *key,
                       struct key_value **out) {
    struct key_value *values = malloc((count + 1) * sizeof *values);
    size_t kept = 0;
    *out = values;
    if (!values) return 0;
    for (size_t i = 0; i < count; i++) {
        struct cited_value one = cited_at(records, first + i);
        values[i] = (struct key_value){cited_get_number(&one, key), first + i};
    }
    qsort(values, count, sizeof *values, by_value);
    for (size_t i = 0; i < count; i++) {
        if (!kept || values[i].value != values[kept - 1].value) values[kept++] = values[i];
    }
    return kept;
}

/* Cells at the end of each measurement's row, and their heads: the factor table and what computed the row. */
#define MEASURED_HEADS "scale|attention factor|start tokens|arithmetic|model"

static void put_measured(FILE *out, const struct cited_value *one) {
    html_cells(out, html_get_number(one, "scale", 2), html_get_number(one, "attention_factor", 4),
               html_get_integer(one, "start_tokens"));
    html_printf(out, "<td><code>{dtype} {kernels}</code></td>", html_get_text(one, HTML_TEXT, "dtype"),
                html_get_text(one, HTML_TEXT, "kernels"));
    html_cells(out, html_get_text(one, HTML_CODE, "model"));
}

/* ---- perplexity by length ---- */

/* Lines with a colour of their own; more could not be told apart. */
enum { MOST_LINES = 5 };

/* A label's records, and what it is ranked by. */
struct label {
    size_t first, count;
    double length, perplexity; /* of its longest record with a perplexity */
    bool drawn;                /* in a colour of its own */
};

/* The caller frees *out; NULL for lack of memory. */
static size_t read_labels(const struct cited_value *lengths, struct label **out) {
    struct label *labels = calloc(cited_count(lengths) + 1, sizeof *labels);
    size_t used = 0;
    *out = labels;
    for (size_t i = 0; labels && i < cited_count(lengths); i += labels[used++].count) {
        labels[used] = (struct label){.first = i, .count = count_equal(lengths, i, "label"), .perplexity = INFINITY};
        for (size_t k = 0; k < labels[used].count; k++) {
            struct cited_value one = cited_at(lengths, i + k);
            if (!isfinite(cited_get_number(&one, "perplexity"))) continue;
            labels[used].length = cited_get_number(&one, "length");
            labels[used].perplexity = cited_get_number(&one, "perplexity");
        }
    }
    return used;
}

/* Those that read furthest, and of these the best. */
static void choose_labels(struct label *labels, size_t count) {
    for (int n = 0; n < MOST_LINES; n++) {
        struct label *best = NULL;
        for (size_t i = 0; i < count; i++) {
            struct label *one = &labels[i];
            bool better = !best || one->length > best->length ||
                          (one->length == best->length && one->perplexity < best->perplexity);
            if (!one->drawn && better) best = one;
        }
        if (best) best->drawn = true;
    }
}

/* The points of a label, from column item `used` on; the items behind them. */
static size_t put_label(const struct cited_value *lengths, const struct label *label, double *x, double *y,
                        size_t used) {
    for (size_t k = 0; k < label->count; k++, used++) {
        struct cited_value one = cited_at(lengths, label->first + k);
        x[used] = cited_get_number(&one, "length");
        y[used] = cited_get_number(&one, "perplexity");
    }
    return used;
}

/* The other labels as one faint series, with a gap behind each. */
static void add_faint(struct html_figure *figure, const struct cited_value *lengths, const struct label *labels,
                      size_t count) {
    size_t most = cited_count(lengths) + count, used = 0;
    double *x = html_figure_column(figure, most), *y = html_figure_column(figure, most);
    for (size_t i = 0; x && y && i < count; i++) {
        if (!labels[i].drawn) used = put_label(lengths, &labels[i], x, y, used) + 1;
    }
    if (!used) return;
    html_figure_add(figure, "others, in the table",
                    &(struct chart_series){.style = CHART_BOTH, .colour = CHART_MUTED, .count = used, .x = x, .y = y});
}

static int add_lengths(struct html_figure *figure, const struct cited_value *lengths, struct error *error) {
    struct label *labels;
    size_t count = read_labels(lengths, &labels), hue = 0;
    if (!labels) return error_memory(error, 0, "the labels");
    choose_labels(labels, count);
    add_faint(figure, lengths, labels, count);
    for (size_t i = 0; i < count; i++) {
        if (!labels[i].drawn) continue;
        double *x = html_figure_column(figure, labels[i].count), *y = html_figure_column(figure, labels[i].count);
        struct cited_value first = cited_at(lengths, labels[i].first);
        if (x && y) put_label(lengths, &labels[i], x, y, 0);
        html_figure_add(figure, cited_get_text(&first, "label"),
                        &(struct chart_series){.style = CHART_BOTH,
                                               .colour = CHART_FIRST + (enum chart_colour)hue,
                                               .dash = (int)hue,
                                               .count = labels[i].count,
                                               .x = x,
                                               .y = y});
        hue++;
    }
    free(labels);
    return STATUS_OK;
}

/* Perplexities above this multiple of the lowest one may lie above the frame. */
enum { MOST_RATIO = 8 };

/* One tick per length, except where its label would touch the last one. */
static int find_length_axis(const struct cited_value *lengths, struct chart_axis *out, struct error *error) {
    struct key_value *values;
    size_t count = distinct(lengths, 0, cited_count(lengths), "length", &values);
    if (!values) return error_memory(error, 0, "the lengths");
    *out = chart_axis_for("tokens", values[0].value, values[count - 1].value, true);
    double least_ratio = pow(values[count - 1].value / values[0].value, 1.0 / 7.0), last = 0.0;
    for (size_t i = 0; i < count && out->tick_count < CHART_MAX_TICKS; i++) {
        if (values[i].value < last * least_ratio * 0.999) continue;
        last = out->ticks[out->tick_count++] = values[i].value;
    }
    free(values);
    return STATUS_OK;
}

static void put_length_rows(struct html_page *page, const struct cited_value *lengths) {
    html_fold_begin(page, "The numbers, one row per measurement",
                    "label|tokens|perplexity|windows|predictions|stride|" MEASURED_HEADS);
    for (size_t i = 0; i < cited_count(lengths); i++) {
        struct cited_value one = cited_at(lengths, i);
        fputs("<tr>", page->out);
        html_cells(page->out, html_get_text(&one, HTML_NAME, "label"), html_get_integer(&one, "length"),
                   html_get_perplexity(&one), html_get_integer(&one, "samples"), html_get_integer(&one, "tokens"),
                   html_get_integer(&one, "stride"));
        put_measured(page->out, &one);
        fputs("</tr>\n", page->out);
    }
    html_fold_end(page);
}

static int put_lengths(struct html_page *page, const struct cited_value *lengths, struct error *error) {
    struct html_figure figure;
    double low, high;
    if (!cited_count(lengths)) return STATUS_OK;
    html_figure_begin(page, &figure);
    int status = find_length_axis(lengths, &figure.chart.x, error);
    if (status == STATUS_OK) status = add_lengths(&figure, lengths, error);
    if (status != STATUS_OK) return status;
    if (!html_figure_range(&figure, &low, &high)) low = high = 1.0;
    if (high > MOST_RATIO * low) high = MOST_RATIO * low;
    figure.chart.y = chart_axis_for("perplexity", low, high, high > 5.0 * low);
    figure.chart.title = "Perplexity by length";
    figure.chart.description =
        "Perplexity against tokens per window, one line per label; the numbers are in the table below.";
    status = html_figure_write(page, &figure, "Perplexity by length", error);
    if (status != STATUS_OK) return status;
    fputs("<figcaption>The perplexity of each factor table by window length, measured with <code>longrope eval "
          "--into</code>. Lower is better; a factor table works up to the length where its line begins to rise. The "
          "table "
          "below also holds the values above the frame.</figcaption>\n",
          page->out);
    put_length_rows(page, lengths);
    html_figure_end(page);
    return STATUS_OK;
}

/* ---- pass keys ---- */

static void put_depth_heads(FILE *out, const struct cited_value *keys, const struct key_value *depths, size_t count) {
    fprintf(out, "<thead><tr><th rowspan=\"2\">tokens</th><th colspan=\"%zu\">depth of the key in %%</th></tr>\n<tr>",
            count);
    for (size_t i = 0; i < count; i++) {
        struct cited_value one = cited_at(keys, depths[i].record);
        double percent = 100.0 * depths[i].value;
        int decimals = fabs(percent - round(percent)) < 1e-9 ? 0 : 1;
        html_printf(out, "<th scope=\"col\">{depth}</th>",
                    html_field_computed("depth", percent, decimals, "100 * %s.depth", one.path));
    }
    fputs("</tr></thead>\n<tbody>\n", out);
}

static void put_cell(FILE *out, const struct cited_value *one) {
    double share = cited_get_number(one, "correct") / cited_get_number(one, "trials");
    int level = share >= 0.0 && share <= 1.0 ? (int)floor(10.0 * share) : 0;
    fprintf(out, "<td class=\"n h%d\">", level);
    html_printf(out, "{share}</td>",
                html_field_computed("share", 100.0 * share, 0, "100 * (%s.correct / %s.trials)", one->path, one->path));
}

/* One row per length of a label: records first..first+count-1, ascending by length and depth. */
static void put_heat_rows(FILE *out, const struct cited_value *keys, size_t first, size_t count,
                          const struct key_value *depths, size_t columns) {
    for (size_t i = first, row; i < first + count; i += row) {
        struct cited_value one = cited_at(keys, i);
        row = count_equal(keys, i, "length");
        if (row > first + count - i) row = first + count - i;
        html_printf(out, "<tr><th scope=\"row\">{length}</th>", html_get_integer(&one, "length"));
        for (size_t c = 0, at = i; c < columns; c++) {
            struct cited_value cell = cited_at(keys, at);
            if (at < i + row && cited_get_number(&cell, "depth") == depths[c].value) {
                put_cell(out, &cell);
                at++;
            } else {
                fputs("<td></td>", out);
            }
        }
        fputs("</tr>\n", out);
    }
}

/* The row with the fewest, or the most, of what `key` counts. */
static struct cited_value extreme_of(const struct cited_value *keys, size_t first, size_t count, const char *key,
                                     bool most) {
    struct cited_value found = cited_at(keys, first);
    for (size_t i = first + 1; i < first + count; i++) {
        struct cited_value one = cited_at(keys, i);
        int64_t value = cited_get_integer(&one, key), known = cited_get_integer(&found, key);
        if (most ? value > known : value < known) found = one;
    }
    return found;
}

/* "N to M", or "N" where all rows agree. */
static void put_extent(FILE *out, const struct cited_value *keys, size_t first, size_t count, const char *key) {
    struct cited_value least = extreme_of(keys, first, count, key, false);
    struct cited_value most = extreme_of(keys, first, count, key, true);
    char field[24];
    snprintf(field, sizeof field, "{%s}", key);
    html_printf(out, field, html_get_integer(&least, key));
    if (cited_get_integer(&least, key) == cited_get_integer(&most, key)) return;
    fputs(" to ", out);
    html_printf(out, field, html_get_integer(&most, key));
}

/* The wording that all rows have; "" where they differ, or do not state it. */
static const char *common_wording(const struct cited_value *keys, size_t first, size_t count) {
    struct cited_value one = cited_at(keys, first);
    const char *wording = cited_get_text(&one, "wording");
    for (size_t i = first + 1; i < first + count; i++) {
        struct cited_value other = cited_at(keys, i);
        if (strcmp(cited_get_text(&other, "wording"), wording) != 0) return "";
    }
    return wording;
}

static int put_heat_map(struct html_page *page, const struct cited_value *keys, size_t first, size_t count,
                        struct error *error) {
    struct key_value *depths;
    size_t columns = distinct(keys, first, count, "depth", &depths);
    struct cited_value one = cited_at(keys, first);
    FILE *out = page->out;
    if (!depths) return error_memory(error, 0, "the depths");
    html_printf(out, "<figure>\n<h3>Pass keys: {label}</h3>\n<div class=\"wide\"><table class=\"heat\">\n",
                html_get_text(&one, HTML_NAME, "label"));
    put_depth_heads(out, keys, depths, columns);
    put_heat_rows(out, keys, first, count, depths, columns);
    fputs("</tbody>\n</table></div>\n<figcaption>Each cell: of ", out);
    put_extent(out, keys, first, count, "trials");
    fputs(" prompts, the percentage whose key of ", out);
    put_extent(out, keys, first, count, "digits");
    fputs(" digits the model returned, by length of the prompt and depth of the key.", out);
    if (*common_wording(keys, first, count)) {
        html_printf(out, " The prompts have the wording of <code>--prompt {wording}</code>.",
                    html_get_text(&one, HTML_TEXT, "wording"));
    }
    fputs("</figcaption>\n", out);
    html_figure_end(page);
    free(depths);
    return STATUS_OK;
}

static int put_passkeys(struct html_page *page, const struct cited_value *keys, struct error *error) {
    int status = STATUS_OK;
    for (size_t i = 0, count; i < cited_count(keys) && status == STATUS_OK; i += count) {
        count = count_equal(keys, i, "label");
        status = put_heat_map(page, keys, i, count, error);
    }
    return status;
}

static void put_pass_key_rows(struct html_page *page, const struct cited_value *keys) {
    html_fold_begin(page, "All pass keys, one row per cell",
                    "label|tokens|depth|found|of|digits|seed|wording|" MEASURED_HEADS);
    for (size_t i = 0; i < cited_count(keys); i++) {
        struct cited_value one = cited_at(keys, i);
        fputs("<tr>", page->out);
        html_cells(page->out, html_get_text(&one, HTML_NAME, "label"), html_get_integer(&one, "length"),
                   html_get_number(&one, "depth", 4), html_get_integer(&one, "correct"),
                   html_get_integer(&one, "trials"), html_get_integer(&one, "digits"), html_get_integer(&one, "seed"),
                   html_get_text(&one, HTML_TEXT, "wording"));
        put_measured(page->out, &one);
        fputs("</tr>\n", page->out);
    }
    html_fold_end(page);
}

/* ---- the section ---- */

/* The finished stage with the greatest target length; a value that is not known where none is finished. */
static struct cited_value furthest_stage(const struct html_page *page) {
    struct cited_value stages = cited_get(&page->overview, "stages"), furthest = {.json = NULL};
    for (size_t i = 0; i < cited_count(&stages); i++) {
        struct cited_value one = cited_at(&stages, i);
        bool done = strcmp(cited_get_text(&one, "state"), "done") == 0;
        bool further = cited_get_integer(&one, "target_length") > cited_get_integer(&furthest, "target_length");
        if (done && further) furthest = one;
    }
    return furthest;
}

enum { LENGTHS_SIZE = 66 * 21 }; /* lengths double, so there are at most 64, and two more */

/* "W,2W,...", the stage's target length, and twice that. */
static void list_lengths(const struct cited_value *stage, char out[LENGTHS_SIZE]) {
    int64_t length = cited_get_integer(stage, "pretrained_length"), last = cited_get_integer(stage, "target_length");
    size_t used = 0;
    for (; length > 0 && length < last; length = length <= INT64_MAX / 2 ? 2 * length : INT64_MAX) {
        used += (size_t)snprintf(out + used, LENGTHS_SIZE - used, "%" PRId64 ",", length);
    }
    used += (size_t)snprintf(out + used, LENGTHS_SIZE - used, "%" PRId64, last);
    if (last <= INT64_MAX / 2) snprintf(out + used, LENGTHS_SIZE - used, ",%" PRId64, 2 * last);
}

/* "longrope eval --model MODEL --text TEXT.txt --length N,N", without an end. */
static void put_command(struct html_page *page, const struct cited_value *stage, const struct html_data *data,
                        bool keys) {
    const char *model = cited_get_text(stage, "model");
    char lengths[LENGTHS_SIZE];
    list_lengths(stage, lengths);
    html_printf(page->out, "longrope {command} --model {model}",
                html_field_text("command", HTML_TEXT, keys ? "passkey" : "eval"),
                html_field_text("model", HTML_WORD, *model ? model : "MODEL"));
    (keys ? html_put_tokenizer : html_put_data)(page->out, data);
    html_printf(page->out, " --length {lengths} \\\n", html_field_text("lengths", HTML_TEXT, lengths));
}

/* Two commands: for baselines, and for the tables of the run. */
static void put_commands(struct html_page *page, const struct cited_value *stage, bool keys) {
    struct html_field run = html_field_text("run", HTML_WORD, page->run_dir);
    struct html_data data = html_data_of(page, stage);
    char tables[4200];
    snprintf(tables, sizeof tables, "%.4096s/factors.json", page->run_dir);
    put_command(page, stage, &data, keys);
    html_printf(page->out, "    --method none,yarn --into {run}\n", run);
    put_command(page, stage, &data, keys);
    html_printf(page->out, "    --factors {tables} --into {run}\n", run, html_field_text("tables", HTML_WORD, tables));
}

static void put_how_to(struct html_page *page, bool lengths, bool keys) {
    struct cited_value stage = furthest_stage(page);
    FILE *out = page->out;
    if (lengths && keys) return;
    fprintf(out, "<p>%s on this run. ",
            lengths ? "Pass keys were not measured"
            : keys  ? "Perplexity by length was not measured"
                    : "Neither perplexity by length nor pass keys were measured");
    if (!cited_known(&stage)) {
        fputs("Once a stage is done, measure them with <code>longrope eval --into</code> and <code>longrope passkey "
              "--into</code>.</p>\n",
              out);
        return;
    }
    fputs("These commands measure them; then write the report again.</p>\n<pre>", out);
    if (!lengths) put_commands(page, &stage, false);
    if (!keys) put_commands(page, &stage, true);
    fputs("</pre>\n", out);
}

int html_measurements(struct html_page *page, struct error *error) {
    struct cited_value lengths = cited_get(&page->overview, "lengths"), keys = cited_get(&page->overview, "pass_keys");
    bool figures = cited_count(&lengths) || cited_count(&keys);
    fputs("<section id=\"measurements\">\n<h2>Perplexity and pass keys by length</h2>\n", page->out);
    if (figures) fputs("<div class=\"figures\">\n", page->out);
    int status = put_lengths(page, &lengths, error);
    if (status == STATUS_OK) status = put_passkeys(page, &keys, error);
    if (status != STATUS_OK) return status;
    if (figures) fputs("</div>\n", page->out);
    if (cited_count(&keys)) put_pass_key_rows(page, &keys);
    put_how_to(page, cited_count(&lengths) > 0, cited_count(&keys) > 0);
    fputs("</section>\n", page->out);
    return STATUS_OK;
}
