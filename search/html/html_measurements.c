/* What was measured on a run beside its search: perplexity by length, and pass keys found by length and depth. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/html/html.h"
#include "search/html/html_figure.h"

/* Records of one label follow each other: those from `first` on, as many as are returned. */
static size_t run_of(const struct cited_value *records, size_t first, const char *key) {
    const json_t *value = json_object_get(json_array_get(records->json, first), key);
    size_t end = first + 1;
    while (end < cited_count(records) && json_equal(json_object_get(json_array_get(records->json, end), key), value)) {
        end++;
    }
    return end - first;
}

/* A value of a key, and a record that has it. */
struct place {
    double value;
    size_t record;
};

static int by_value(const void *a, const void *b) {
    double x = ((const struct place *)a)->value, y = ((const struct place *)b)->value;
    return (x > y) - (x < y);
}

/* The distinct values of records first..first+count-1, ascending; *out is the caller's, NULL for lack of memory. */
static size_t distinct(const struct cited_value *records, size_t first, size_t count, const char *key,
                       struct place **out) {
    struct place *places = malloc((count + 1) * sizeof *places);
    size_t kept = 0;
    *out = places;
    if (!places) return 0;
    for (size_t i = 0; i < count; i++) {
        struct cited_value one = cited_at(records, first + i);
        places[i] = (struct place){cited_get_number(&one, key), first + i};
    }
    qsort(places, count, sizeof *places, by_value);
    for (size_t i = 0; i < count; i++) {
        if (!kept || places[i].value != places[kept - 1].value) places[kept++] = places[i];
    }
    return kept;
}

/* A row of either kind: first what it is called, at the end its table and what computed it. */
static void measured_begin(FILE *out, const struct cited_value *one) {
    fputs("<tr><td>", out);
    html_get_name(out, one, "label");
    fputs("</td>", out);
    html_cell_integer(out, one, "length");
}

#define MEASURED_END_HEADS "scale|attention factor|start tokens|arithmetic|model"

static void measured_end(FILE *out, const struct cited_value *one) {
    html_cell_number(out, one, "scale", 2);
    html_cell_number(out, one, "attention_factor", 4);
    html_cell_integer(out, one, "start_tokens");
    fputs("<td><code>", out);
    html_get_text(out, one, "dtype");
    fputs(" ", out);
    html_get_text(out, one, "kernels");
    fputs("</code></td><td><code>", out);
    html_get_text(out, one, "model");
    fputs("</code></td></tr>\n", out);
}

/* ---- perplexity by length ---- */

static void add_lengths(struct html_figure *figure, const struct cited_value *lengths) {
    size_t label = 0;
    for (size_t i = 0, count; i < cited_count(lengths); i += count, label++) {
        struct cited_value first = cited_at(lengths, i);
        count = run_of(lengths, i, "label");
        double *x = html_figure_column(figure, count), *y = html_figure_column(figure, count);
        for (size_t k = 0; x && y && k < count; k++) {
            struct cited_value one = cited_at(lengths, i + k);
            x[k] = cited_get_number(&one, "length");
            y[k] = cited_get_number(&one, "perplexity");
        }
        html_figure_add(figure, cited_get_text(&first, "label"),
                        &(struct chart_series){.style = CHART_BOTH,
                                               .colour = CHART_FIRST + (enum chart_colour)(label % CHART_HUES),
                                               .dash = (int)label,
                                               .count = count,
                                               .x = x,
                                               .y = y});
    }
}

/* What is that much worse than the best is no longer compared: it may leave the frame. */
enum { MOST_RATIO = 8 };

/* Ticks at the lengths themselves where they are few, else at powers of two. */
static int find_length_axis(const struct cited_value *lengths, struct chart_axis *out, struct error *error) {
    struct place *values;
    size_t count = distinct(lengths, 0, cited_count(lengths), "length", &values);
    if (!values) return error_memory(error, 0, "the lengths");
    *out = chart_axis_for("tokens", values[0].value, values[count - 1].value, true);
    double least_ratio = pow(values[count - 1].value / values[0].value, 1.0 / 7.0), last = 0.0;
    for (size_t i = 0; i < count && out->tick_count < CHART_MAX_TICKS; i++) {
        if (values[i].value < last * least_ratio * 0.999) continue; /* its label would touch the last one's */
        last = out->ticks[out->tick_count++] = values[i].value;
    }
    free(values);
    return STATUS_OK;
}

static void put_length_rows(struct html_page *page, const struct cited_value *lengths) {
    html_fold_begin(page, "The numbers, a row a measurement",
                    "label|tokens|perplexity|windows|predictions|stride|" MEASURED_END_HEADS);
    for (size_t i = 0; i < cited_count(lengths); i++) {
        struct cited_value one = cited_at(lengths, i);
        measured_begin(page->out, &one);
        html_cell_perplexity(page->out, &one, "perplexity");
        html_cell_integer(page->out, &one, "samples");
        html_cell_integer(page->out, &one, "tokens");
        html_cell_integer(page->out, &one, "stride");
        measured_end(page->out, &one);
    }
    html_fold_end(page);
}

static int put_lengths(struct html_page *page, const struct cited_value *lengths, struct error *error) {
    struct html_figure figure;
    double low, high;
    if (!cited_count(lengths)) return STATUS_OK;
    html_figure_begin(page, &figure);
    int status = find_length_axis(lengths, &figure.chart.x, error);
    if (status != STATUS_OK) return status;
    add_lengths(&figure, lengths);
    if (!html_figure_range(&figure, &low, &high)) low = high = 1.0;
    if (high > MOST_RATIO * low) high = MOST_RATIO * low;
    figure.chart.y = chart_axis_for("perplexity", low, high, high > 5.0 * low);
    figure.chart.title = "Perplexity by length";
    figure.chart.description =
        "Perplexity against tokens of a window, a line a label; the numbers are in the table below.";
    status = html_figure_write(page, &figure, "Perplexity by length", error);
    if (status != STATUS_OK) return status;
    fputs(
        "<figcaption>Each table on windows of growing length, as <code>longrope eval --into</code> measured it. Lower "
        "is better; a table is good as far as its line stays flat or falls. What leaves the frame is in "
        "the table.</figcaption>\n",
        page->out);
    put_length_rows(page, lengths);
    html_figure_end(page);
    return STATUS_OK;
}

/* ---- pass keys ---- */

static void put_depth_heads(FILE *out, const struct cited_value *keys, const struct place *depths, size_t count) {
    fprintf(out, "<thead><tr><th rowspan=\"2\">tokens</th><th colspan=\"%zu\">depth of the key in %%</th></tr>\n<tr>",
            count);
    for (size_t i = 0; i < count; i++) {
        struct cited_value one = cited_at(keys, depths[i].record);
        double percent = 100.0 * depths[i].value;
        fputs("<th scope=\"col\">", out);
        html_computed(out, percent, fabs(percent - round(percent)) < 1e-9 ? 0 : 1, "100 * %s.depth", one.path);
        fputs("</th>", out);
    }
    fputs("</tr></thead>\n<tbody>\n", out);
}

static void put_cell(FILE *out, const struct cited_value *one) {
    double share = cited_get_number(one, "correct") / cited_get_number(one, "trials");
    int level = share >= 0.0 && share <= 1.0 ? (int)floor(10.0 * share) : 0;
    fprintf(out, "<td class=\"n h%d\">", level);
    html_computed(out, 100.0 * share, 0, "100 * (%s.correct / %s.trials)", one->path, one->path);
    fputs("</td>", out);
}

/* The rows of a label, a length each: records first..first+count-1, ascending by length and depth. */
static void put_heat_rows(FILE *out, const struct cited_value *keys, size_t first, size_t count,
                          const struct place *depths, size_t columns) {
    for (size_t i = first, row; i < first + count; i += row) {
        struct cited_value one = cited_at(keys, i);
        row = run_of(keys, i, "length");
        if (row > first + count - i) row = first + count - i;
        fputs("<tr><th scope=\"row\">", out);
        html_get_integer(out, &one, "length");
        fputs("</th>", out);
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

static int put_heat_map(struct html_page *page, const struct cited_value *keys, size_t first, size_t count,
                        struct error *error) {
    struct place *depths;
    size_t columns = distinct(keys, first, count, "depth", &depths);
    struct cited_value one = cited_at(keys, first);
    FILE *out = page->out;
    if (!depths) return error_memory(error, 0, "the depths");
    fputs("<figure>\n<h3>Pass keys: ", out);
    html_get_name(out, &one, "label");
    fputs("</h3>\n<div class=\"wide\"><table class=\"heat\">\n", out);
    put_depth_heads(out, keys, depths, columns);
    put_heat_rows(out, keys, first, count, depths, columns);
    fputs("</tbody>\n</table></div>\n<figcaption>Of ", out);
    html_get_integer(out, &one, "trials");
    fputs(" prompts a cell, the percentage whose key of ", out);
    html_get_integer(out, &one, "digits");
    fputs(" digits the model gave back, by length of the prompt and depth of the key in it.", out);
    if (*cited_get_text(&one, "wording")) {
        fputs(" Prompts are worded as <code>--prompt ", out);
        html_get_text(out, &one, "wording");
        fputs("</code> has it.", out);
    }
    fputs("</figcaption>\n", out);
    html_figure_end(page);
    free(depths);
    return STATUS_OK;
}

static int put_pass_keys(struct html_page *page, const struct cited_value *keys, struct error *error) {
    int status = STATUS_OK;
    for (size_t i = 0, count; i < cited_count(keys) && status == STATUS_OK; i += count) {
        count = run_of(keys, i, "label");
        status = put_heat_map(page, keys, i, count, error);
    }
    return status;
}

static void put_pass_key_rows(struct html_page *page, const struct cited_value *keys) {
    html_fold_begin(page, "All pass keys, a row a cell",
                    "label|tokens|depth|found|of|digits|seed|wording|" MEASURED_END_HEADS);
    for (size_t i = 0; i < cited_count(keys); i++) {
        struct cited_value one = cited_at(keys, i);
        measured_begin(page->out, &one);
        html_cell_number(page->out, &one, "depth", 4);
        html_cell_integer(page->out, &one, "correct");
        html_cell_integer(page->out, &one, "trials");
        html_cell_integer(page->out, &one, "digits");
        html_cell_integer(page->out, &one, "seed");
        fputs("<td>", page->out);
        html_get_text(page->out, &one, "wording");
        fputs("</td>", page->out);
        measured_end(page->out, &one);
    }
    html_fold_end(page);
}

/* ---- the section ---- */

/* The stage that is done and reaches the furthest; one that does not exist where none is. */
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

/* " --model M --length W,2W,..." up to twice the stage's length. */
static void put_model_and_lengths(FILE *out, const struct cited_value *stage) {
    int64_t length = cited_get_integer(stage, "pretrained_length"), last = cited_get_integer(stage, "target_length");
    const char *model = cited_get_text(stage, "model");
    fputs(" --model ", out);
    html_shell_word(out, *model ? model : "MODEL");
    fprintf(out, " --length %" PRId64, length);
    while (length > 0 && length < 2 * last) fprintf(out, ",%" PRId64, length *= 2);
}

static void put_end(struct html_page *page, const char *methods) {
    char path[4200];
    snprintf(path, sizeof path, "%.4096s/factors.json", page->run_dir);
    fprintf(page->out, " \\\n    %s", methods ? methods : "--factors ");
    if (!methods) html_shell_word(page->out, path);
    fputs(" --into ", page->out);
    html_shell_word(page->out, page->run_dir);
    fputs("\n", page->out);
}

static void put_commands(struct html_page *page, const char *command, const struct cited_value *stage) {
    static const char *const methods[] = {"--method none,yarn", NULL};
    for (size_t i = 0; i < 2; i++) {
        fputs(command, page->out);
        put_model_and_lengths(page->out, stage);
        put_end(page, methods[i]);
    }
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
        fputs("Once a stage is done, <code>longrope eval</code> and <code>longrope passkey</code> do it with "
              "<code>--into</code>.</p>\n",
              out);
        return;
    }
    fputs("These commands do it; write the report again afterwards.</p>\n<pre>", out);
    if (!lengths) put_commands(page, "longrope eval --text TEXT...", &stage);
    if (!keys) put_commands(page, "longrope passkey", &stage);
    fputs("</pre>\n", out);
}

int html_measurements(struct html_page *page, struct error *error) {
    struct cited_value lengths = cited_get(&page->overview, "lengths"), keys = cited_get(&page->overview, "pass_keys");
    fputs("<section id=\"measurements\">\n<h2>How far it reaches</h2>\n<div class=\"figures\">\n", page->out);
    int status = put_lengths(page, &lengths, error);
    if (status == STATUS_OK) status = put_pass_keys(page, &keys, error);
    if (status != STATUS_OK) return status;
    fputs("</div>\n", page->out);
    if (cited_count(&keys)) put_pass_key_rows(page, &keys);
    put_how_to(page, cited_count(&lengths) > 0, cited_count(&keys) > 0);
    fputs("</section>\n", page->out);
    return STATUS_OK;
}
