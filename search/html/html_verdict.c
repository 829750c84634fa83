/* The top of the page: one sentence about the run, what it gained, what that costs in the old window, and what it took.
 */
#include <math.h>
#include <string.h>

#include "search/config/stage_terms.h"
#include "search/html/html.h"
#include "search/html/html_outcome.h"
#include "search/html/html_page.h"

/* ---- the sentence ---- */

static const char *text_of(const struct html_outcome *outcome) {
    return outcome->measured ? "on text that the search did not use" : "on the text that was searched on";
}

/* Which tokens the perplexities are of. */
static const char *measure_of(const struct html_outcome *outcome) {
    bool needles = strcmp(cited_get_text(&outcome->stage, "objective"), objective_name(OBJECTIVE_NEEDLE)) == 0;
    return needles ? "perplexity of the needles' answers" : "perplexity";
}

/* ": 3.4 % below yarn, the best closed form" */
static void put_against(FILE *out, const struct html_outcome *outcome) {
    bool below;
    struct html_field difference = html_difference("difference", &outcome->table, &outcome->rival, &below);
    struct html_field side = html_field_text("side", HTML_TEXT, below ? "below" : "above");
    if (strcmp(cited_get_text(&outcome->rival, "method"), "none") == 0) {
        html_printf(out, ": <strong>{difference} {side} the unchanged model</strong>", difference, side);
    } else {
        html_printf(out, ": <strong>{difference} {side} {method}</strong>, the best closed form", difference, side,
                    html_get_text(&outcome->rival, HTML_TEXT, "method"));
    }
}

/* short_window.cost in percent, without its sign. */
static struct html_field cost_of(const struct cited_value *cost) {
    struct html_field share =
        html_field_computed("share", 100.0 * fabs(cited_number(cost)), 1, "100 * (%s | fabs)", cost->path);
    share.unit = "%";
    return share;
}

/* The recover stage was measured on text that it was not searched on, with its table and without. */
static bool is_compared(const struct html_outcome *recovered) {
    return recovered->measured && html_is_scored(&recovered->none);
}

static void put_cost_clause(struct html_page *page) {
    struct cited_value window = cited_get(&page->overview, "short_window"), cost = cited_get(&window, "cost");
    struct html_outcome recovered = html_outcome_recovered(page);
    bool below = cited_number(&cost) < 0.0;
    if (!is_compared(&recovered) && !cited_known(&cost)) return;
    struct html_field share =
        is_compared(&recovered) ? html_difference("share", &recovered.table, &recovered.none, &below) : cost_of(&cost);
    html_printf(page->out, " Within its old window of {length} tokens, perplexity is {share} {side} than before.",
                html_get_integer(&window, "length"), share,
                html_field_text("side", HTML_TEXT, below ? "lower" : "higher"));
}

static void put_sentence(struct html_page *page, const struct html_outcome *outcome) {
    FILE *out = page->out;
    bool done = strcmp(cited_get_text(&outcome->stage, "state"), "done") == 0;
    fputs("<p class=\"lead\" id=\"verdict\">", out);
    if (!outcome->stage.json) {
        fputs("The search has found no table yet.</p>\n", out);
        return;
    }
    html_printf(out,
                "With the {table} of stage {name}, the model reads {target_length} tokens with a {measure} of "
                "{perplexity} {text}",
                html_field_text("table", HTML_TEXT, done ? "table" : "best table so far"),
                html_get_text(&outcome->stage, HTML_NAME, "name"), html_get_integer(&outcome->stage, "target_length"),
                html_field_text("measure", HTML_TEXT, measure_of(outcome)),
                html_get_number(&outcome->table, "perplexity", 2),
                html_field_text("text", HTML_TEXT, text_of(outcome)));
    if (html_is_scored(&outcome->rival)) put_against(out, outcome);
    fputc('.', out);
    put_cost_clause(page);
    fputs("</p>\n", out);
}

/* ---- what was gained ---- */

/* A tile: its name, its figure, and words. */
static void begin_tile(FILE *out, const char *name) { fprintf(out, "<div><dt>%s</dt><dd><p class=\"figure\">", name); }

static void put_why_not_held_out(FILE *out, const struct html_outcome *outcome) {
    struct cited_value samples = cited_get(&outcome->held_out, "samples");
    bool done = strcmp(cited_get_text(&outcome->stage, "state"), "done") == 0;
    fputs(" <strong>This is the text that the table was searched on; expect less on other text.</strong> ", out);
    if (!done) {
        fputs("Other text is measured when the stage ends.", out);
    } else if (cited_known(&outcome->held_out) && !cited_count(&samples)) {
        fputs("No text was left to measure on: the stage's windows take all of it. Add a document to "
              "<code>data</code>, or measure with <code>longrope eval</code>.",
              out);
    } else if (cited_known(&outcome->held_out)) {
        fputs("On other text the model's numbers overflow with this table.", out);
    } else {
        fputs("Other text was not measured; <code>longrope search --resume</code> measures it, unless "
              "<code>data.held_out</code> forbids that.",
              out);
    }
}

static void put_held_out(FILE *out, const struct html_outcome *outcome) {
    struct cited_value samples = cited_get(&outcome->held_out, "samples");
    struct html_field windows =
        html_field_computed("windows", (double)cited_count(&samples), 0, "%s | length", samples.path);
    html_printf(out, " Measured on {windows} of text that the search did not use; lower on {lower_on} of them.",
                html_counted(windows, "window"), html_get_integer(&outcome->held_out, "lower_on"));
}

static void put_gain(FILE *out, const struct html_outcome *outcome) {
    bool below = false;
    bool compared = html_is_scored(&outcome->rival);
    begin_tile(out, compared ? "Perplexity against the best closed form" : "Perplexity");
    if (compared) {
        struct html_field difference = html_difference("difference", &outcome->table, &outcome->rival, &below);
        html_printf(out, "{difference} <small>{side}</small></p>", difference,
                    html_field_text("side", HTML_TEXT, below ? "lower" : "higher"));
        html_printf(out, "<p>{perplexity}, where {method} has {rival}", html_get_perplexity(&outcome->table),
                    html_get_text(&outcome->rival, HTML_TEXT, "method"),
                    html_field_computed("rival", cited_get_number(&outcome->rival, "perplexity"), 4, "%s.perplexity",
                                        outcome->rival.path));
        if (html_is_scored(&outcome->none) && outcome->none.json != outcome->rival.json) {
            html_printf(out, " and the unchanged model {none}",
                        html_field_computed("none", cited_get_number(&outcome->none, "perplexity"), 4, "%s.perplexity",
                                            outcome->none.path));
        }
    } else {
        html_printf(out, "{perplexity}</p><p>No closed form is scored yet", html_get_perplexity(&outcome->table));
    }
    html_printf(out, ", at {target_length} tokens.", html_get_integer(&outcome->stage, "target_length"));
    if (outcome->measured) put_held_out(out, outcome);
    if (!outcome->measured) put_why_not_held_out(out, outcome);
    fputs("</p></dd></div>\n", out);
}

/* ---- what it costs in the old window ---- */

static void put_cost_of_stage(FILE *out, const struct cited_value *window, const struct html_outcome *recovered) {
    struct cited_value samples = cited_get(&recovered->held_out, "samples");
    struct html_field windows =
        html_field_computed("windows", (double)cited_count(&samples), 0, "%s | length", samples.path);
    bool below;
    struct html_field share = html_difference("share", &recovered->table, &recovered->none, &below);
    html_printf(out,
                "{share} <small>{side}</small></p><p>{perplexity} with the table of stage {table}, where the unchanged "
                "model has {own}. Measured on {windows} of text that the search did not use.",
                share, html_field_text("side", HTML_TEXT, below ? "lower" : "higher"),
                html_get_perplexity(&recovered->table), html_get_text(window, HTML_NAME, "table"),
                html_field_computed("own", cited_get_number(&recovered->none, "perplexity"), 4, "%s.perplexity",
                                    recovered->none.path),
                html_counted(windows, "window"));
}

static void put_cost_of_window(FILE *out, const struct cited_value *window) {
    struct cited_value samples = cited_get(window, "samples"), cost = cited_get(window, "cost"),
                       own = cited_get(window, "own_perplexity");
    double share = cited_number(&cost);
    if (!cited_known(&cost)) {
        html_printf(out,
                    "\xe2\x80\x93</p><p>What the table of stage {table} costs there was not measured. The search "
                    "measures it when it ends: resume it with <code>--resume</code>.",
                    html_get_text(window, HTML_NAME, "table"));
        return;
    }
    html_printf(out,
                "{share} <small>{side}</small></p><p>{perplexity} with the table of stage {table}, where the unchanged "
                "model has {own}. Measured on {windows} of the search's text.",
                cost_of(&cost), html_field_text("side", HTML_TEXT, share < 0.0 ? "lower" : "higher"),
                html_get_perplexity(window), html_get_text(window, HTML_NAME, "table"),
                html_field_perplexity("own", &own), html_counted(html_field_number("windows", &samples, 0), "window"));
}

static void put_short_window(struct html_page *page) {
    struct cited_value window = cited_get(&page->overview, "short_window");
    struct html_outcome recovered = html_outcome_recovered(page);
    FILE *out = page->out;
    if (!cited_known(&window)) return;
    fputs("<div id=\"short-window\"><dt>Perplexity within the old window of ", out);
    html_printf(out, "{length} tokens</dt><dd><p class=\"figure\">", html_get_integer(&window, "length"));
    if (is_compared(&recovered)) {
        put_cost_of_stage(out, &window, &recovered);
    } else {
        put_cost_of_window(out, &window);
    }
    if (!cited_get_true(&window, "recovered")) {
        fputs(
            " <strong>No table was searched for the old window:</strong> engines use a table for longer inputs there. "
            "A stage of <code>kind: recover</code> searches one.",
            out);
    }
    fputs("</p></dd></div>\n", out);
}

/* ---- what it took ---- */

/* Whether the machine is one of an earlier stage, too. */
static bool is_told(const struct cited_value *stages, size_t before, const struct cited_value *machine) {
    for (size_t i = 0; i < before; i++) {
        struct cited_value stage = cited_at(stages, i), machines = cited_get(&stage, "machines");
        for (size_t k = 0; k < cited_count(&machines); k++) {
            struct cited_value other = cited_at(&machines, k);
            if (json_equal(other.json, machine->json)) return true;
        }
    }
    return false;
}

static void put_machine(FILE *out, const struct cited_value *one, bool first) {
    html_printf(out, "{before} {host} with {threads}",
                html_field_text("before", HTML_TEXT, first ? ", on" : ", and on"),
                html_get_text(one, HTML_NAME, "host"), html_counted(html_get_integer(one, "threads"), "thread"));
    if (*cited_get_text(one, "processor")) {
        html_printf(out, " ({processor})", html_get_text(one, HTML_NAME, "processor"));
    }
}

/* ", on HOST with 2 threads (PROCESSOR)" for each machine of the stages. */
static void put_machines(FILE *out, const struct cited_value *stages) {
    bool first = true;
    for (size_t i = 0; i < cited_count(stages); i++) {
        struct cited_value stage = cited_at(stages, i), machines = cited_get(&stage, "machines");
        for (size_t k = 0; k < cited_count(&machines); k++) {
            struct cited_value one = cited_at(&machines, k);
            if (is_told(stages, i, &one)) continue;
            put_machine(out, &one, first);
            first = false;
        }
    }
}

static void put_took(struct html_page *page) {
    struct cited_value stages = cited_get(&page->overview, "stages"),
                       last = cited_at(&stages, cited_count(&stages) - 1);
    struct cited_value settings = cited_get(&last, "settings");
    const char *type = json_string_value(json_object_get(settings.json, "dtype (LONGROPE_KERNELS)"));
    double seconds = 0.0, tables = 0.0;
    FILE *out = page->out;
    for (size_t i = 0; i < cited_count(&stages); i++) {
        struct cited_value stage = cited_at(&stages, i), cost = cited_get(&stage, "cost");
        seconds += cited_get_number(&cost, "seconds");
        tables += cited_get_number(&stage, "evaluations");
    }
    begin_tile(out, "Time for scoring tables");
    html_printf(
        out, "{time}</p><p>{tables} in {count}",
        html_as_time(html_field_computed("time", seconds, 1, "[%s[].cost.seconds] | add", stages.path)),
        html_counted(html_field_computed("tables", tables, 0, "[%s[].evaluations] | add", stages.path), "table"),
        html_counted(html_field_computed("count", (double)cited_count(&stages), 0, "%s | length", stages.path),
                     "stage"));
    put_machines(out, &stages);
    if (type) html_printf(out, ", in {type}", html_field_text("type", HTML_CODE, type));
    fputs(".</p></dd></div>\n", out);
}

void html_verdict(struct html_page *page) {
    struct html_outcome outcome = html_outcome_main(page);
    put_sentence(page, &outcome);
    if (!outcome.stage.json) return;
    fputs("<dl class=\"tiles\">\n", page->out);
    put_gain(page->out, &outcome);
    put_short_window(page);
    put_took(page);
    fputs("</dl>\n", page->out);
}
