/* The section of a stage: what was searched, on which model and text, what was found, and at which cost. */
#include <string.h>

#include "search/config/stage_terms.h"
#include "search/html/html.h"
#include "search/html/html_figure.h"
#include "search/html/html_outcome.h"
#include "search/html/html_page.h"

/* ---- what was searched ---- */

static void put_target(FILE *out, const struct cited_value *stage) {
    bool recovers = strcmp(cited_get_text(stage, "kind"), "recover") == 0;
    fputs(recovers ? "<div><dt>Searched</dt><dd>a table that recovers the short window: "
                   : "<div><dt>Searched</dt><dd>rescale factors for ",
          out);
    html_printf(out,
                "{target_length} tokens, {scale} times the window of {original_length}; {pairs} rotary pairs, theta "
                "{rope_theta}</dd></div>\n",
                html_get_integer(stage, "target_length"), html_get_short(stage, "scale"),
                html_get_integer(stage, "original_length"), html_get_integer(stage, "pairs"),
                html_get_number(stage, "rope_theta", 0));
}

static void put_model(FILE *out, const struct cited_value *stage) {
    fputs("<div><dt>Model</dt><dd>", out);
    if (*cited_get_text(stage, "model")) {
        html_printf(out, "{model}", html_get_text(stage, HTML_CODE, "model"));
    } else {
        fputs("unknown: an older version started this run", out);
    }
    if (*cited_get_text(stage, "base")) {
        html_printf(out, ", fine-tuned with the table of stage {base}", html_get_text(stage, HTML_CODE, "base"));
    }
    fputs("</dd></div>\n", out);
}

static double distinct_documents(const struct cited_value *samples) {
    size_t count = cited_count(samples), distinct = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_object_get(json_array_get(samples->json, i), "document");
        size_t first = 0;
        while (!json_equal(json_object_get(json_array_get(samples->json, first), "document"), one)) first++;
        distinct += first == i;
    }
    return (double)distinct;
}

static void put_text(FILE *out, const struct cited_value *stage) {
    struct cited_value samples = cited_get(stage, "samples"), first = cited_at(&samples, 0);
    struct html_field windows =
                          html_field_computed("windows", (double)cited_count(&samples), 0, "%s | length", samples.path),
                      documents = html_field_computed("documents", distinct_documents(&samples), 0,
                                                      "[%s[].document] | unique | length", samples.path);
    html_printf(out, "<div><dt>Text</dt><dd>{windows} of {tokens} tokens from {documents}</dd></div>\n",
                html_counted(windows, "window"), html_get_integer(&first, "tokens"),
                html_counted(documents, "document"));
}

static void put_setting(FILE *out, const struct cited_value *stage, const char *key, const char *before) {
    struct cited_value settings = cited_get(stage, "settings");
    const char *value = json_string_value(json_object_get(settings.json, key));
    if (!value || strcmp(value, "0") == 0) return; /* CMA-ES makes no mutations */
    fputs(before, out);
    html_printf(out, "{value}", html_field_text("value", HTML_CODE, value));
}

static void put_sliding(FILE *out, const struct cited_value *stage) {
    struct cited_value settings = cited_get(stage, "settings");
    const char *value = json_string_value(json_object_get(settings.json, "sliding_window (tokens)"));
    if (!value) return;
    put_setting(out, stage, "sliding_window (tokens)", "<div><dt>Warning</dt><dd>the model's sliding window is ");
    fputs(" tokens, below the target: in no layer does a token see further back, so factors matter for such distances "
          "only</dd></div>\n",
          out);
}

/* Which tokens all perplexities of the stage are of. */
static void put_objective(FILE *out, const struct cited_value *stage) {
    if (strcmp(cited_get_text(stage, "objective"), objective_name(OBJECTIVE_NEEDLE)) != 0) return;
    html_printf(out, "<div><dt>Objective</dt><dd>{objective}: perplexity covers the needles' answers only",
                html_get_text(stage, HTML_TEXT, "objective"));
    put_setting(out, stage, "needle.digits", ", digits ");
    put_setting(out, stage, "needle.prompt", ", wording ");
    put_setting(out, stage, "needle.seed", ", seed ");
    fputs("</dd></div>\n", out);
}

static void put_algorithm(FILE *out, const struct cited_value *stage) {
    fputs("<div><dt>Algorithm</dt><dd>", out);
    put_setting(out, stage, "search.algorithm", "");
    put_setting(out, stage, "search.population", ", population ");
    put_setting(out, stage, "search.mutations", ", mutations ");
    put_setting(out, stage, "search.crossovers", ", crossovers ");
    put_setting(out, stage, "search.first_windows", ", first windows ");
    put_setting(out, stage, "search.start_tokens", ", start tokens ");
    put_setting(out, stage, "attention_factor", ", attention factor ");
    put_setting(out, stage, "search.seed", ", seed ");
    fputs("</dd></div>\n", out);
}

static void put_progress(FILE *out, const struct cited_value *stage) {
    struct cited_value cost = cited_get(stage, "cost");
    html_printf(out,
                "<div><dt>Budget</dt><dd>{evaluations} tables scored, {complete} of them on all windows: the work of "
                "{whole_evaluations} of {planned} evaluations; generation {iteration}",
                html_get_integer(stage, "evaluations"), html_get_integer(&cost, "complete"),
                html_get_number(&cost, "whole_evaluations", 1), html_get_integer(stage, "planned"),
                html_get_integer(stage, "iteration"));
    int64_t iterations = cited_get_integer(stage, "iterations");
    if (iterations > 0 && cited_get_integer(stage, "iteration") <= iterations) { /* there may be no last one */
        html_printf(out, " of {iterations}", html_get_integer(stage, "iterations"));
    }
    fputs("</dd></div>\n", out);
}

static void put_cost(FILE *out, const struct cited_value *stage) {
    struct cited_value cost = cited_get(stage, "cost");
    if (!cited_get_integer(stage, "evaluations")) return;
    html_printf(out, "<div><dt>Cost</dt><dd>{seconds} for {windows}, {tokens_per_second} tokens per second",
                html_as_time(html_get_number(&cost, "seconds", 1)),
                html_counted(html_get_integer(&cost, "windows"), "window"),
                html_get_number(&cost, "tokens_per_second", 0));
    if (cited_get_integer(&cost, "windows_cached")) {
        html_printf(out, "; {windows_cached} from the cache",
                    html_counted(html_get_integer(&cost, "windows_cached"), "window"));
    }
    if (cited_get_integer(&cost, "stopped")) {
        html_printf(out, "; racing cut {stopped} short and saved {windows_saved}",
                    html_counted(html_get_integer(&cost, "stopped"), "evaluation"),
                    html_counted(html_get_integer(&cost, "windows_saved"), "window"));
    }
    if (cited_get_integer(&cost, "failed")) {
        html_printf(out, "; {failed} failed, because the model's numbers overflow with their tables",
                    html_counted(html_get_integer(&cost, "failed"), "evaluation"));
    }
    fputs("</dd></div>\n", out);
}

static void put_ranks(FILE *out, const struct cited_value *stage) {
    struct cited_value ranks = cited_get(stage, "ranks");
    double idle = 0.0;
    for (size_t i = 0; i < cited_count(&ranks); i++) {
        struct cited_value rank = cited_at(&ranks, i);
        idle += cited_get_number(&rank, "idle") / (double)cited_count(&ranks);
    }
    if (!cited_count(&ranks)) return;
    html_printf(out, "<div><dt>Ranks</dt><dd>{count}, {idle} % of their time idle</dd></div>\n",
                html_field_computed("count", (double)cited_count(&ranks), 0, "%s | length", ranks.path),
                html_field_computed("idle", 100.0 * idle, 1, "100 * ([%s[].idle] | add) / (%s | length)", ranks.path,
                                    ranks.path));
}

static void put_facts(FILE *out, const struct cited_value *stage) {
    fputs("<div>\n<h3>Search</h3>\n<dl class=\"facts\">\n", out);
    put_target(out, stage);
    put_model(out, stage);
    put_text(out, stage);
    put_objective(out, stage);
    put_sliding(out, stage);
    put_algorithm(out, stage);
    put_progress(out, stage);
    put_cost(out, stage);
    put_ranks(out, stage);
    fputs("</dl>\n</div>\n", out);
}

/* ---- what was found ---- */

/* A cell with the best perplexity against this one's: "-3.7 %" is lower. */
static void put_comparison(FILE *out, const struct cited_value *best, const struct cited_value *one) {
    bool below = false;
    if (!html_is_scored(one) || !html_is_scored(best)) {
        fputs("<td></td>", out);
        return;
    }
    struct html_field difference = html_difference("difference", best, one, &below);
    html_printf(out, "<td class=\"n\">{sign}{difference}</td>",
                html_field_text("sign", HTML_TEXT, below ? "\xe2\x88\x92" : "+"), difference);
}

/* A cell with the perplexity on text that was not searched on, where that was measured. */
static void put_held_out(FILE *out, const struct cited_value *stage, const char *method) {
    struct cited_value held_out = cited_get(stage, "held_out"), tables = cited_get(&held_out, "tables");
    if (!cited_count(&tables)) return;
    for (size_t i = 0; i < cited_count(&tables); i++) {
        struct cited_value one = cited_at(&tables, i);
        if (strcmp(cited_get_text(&one, "method"), method) != 0) continue;
        html_cells(out, html_get_perplexity(&one));
        return;
    }
    fputs("<td></td>", out);
}

static void put_baseline(FILE *out, const struct cited_value *stage, const struct cited_value *one,
                         const struct cited_value *best) {
    fputs("<tr>", out);
    html_cells(out, html_get_text(one, HTML_TEXT, "method"), html_get_perplexity(one));
    put_held_out(out, stage, cited_get_text(one, "method"));
    put_comparison(out, best, one);
    html_cells(out, html_get_number(one, "attention_factor", 4));
    fputs("</tr>\n", out);
}

static void put_found(FILE *out, const struct cited_value *stage, const struct cited_value *one, const char *name,
                      bool measured) {
    html_printf(out,
                "<tr class=\"best\"><td>{name}<small>{start_tokens}</small></td>"
                "<td class=\"n\">{perplexity}</td>",
                html_field_text("name", HTML_TEXT, name),
                html_counted(html_get_integer(one, "start_tokens"), "start token"), html_get_perplexity(one));
    put_held_out(out, stage, measured ? "longrope" : "");
    html_printf(out, "<td></td><td class=\"n\">{attention_factor}</td></tr>\n",
                html_get_number(one, "attention_factor", 4));
}

static void put_results(struct html_page *page, const struct cited_value *stage) {
    struct cited_value baselines = cited_get(stage, "baselines"), best = cited_get(stage, "best");
    struct cited_value exportable = cited_get(stage, "best_exportable"), held_out = cited_get(stage, "held_out");
    struct cited_value tables = cited_get(&held_out, "tables");
    bool two = cited_known(&exportable) && cited_get_integer(&best, "start_tokens") != 0;
    if (!cited_count(&baselines) && !cited_known(&best)) return;
    fputs("<div>\n<h3>Perplexity</h3>\n", page->out);
    html_table_begin(page, cited_count(&tables) ? "method|text searched on|other text|best against it|attention factor"
                                                : "method|text searched on|best against it|attention factor");
    for (size_t i = 0; i < cited_count(&baselines); i++) {
        struct cited_value one = cited_at(&baselines, i);
        put_baseline(page->out, stage, &one, &best);
    }
    if (two) put_found(page->out, stage, &exportable, "longrope, for engines", true);
    if (cited_known(&best)) put_found(page->out, stage, &best, "longrope", !two);
    html_table_end(page);
    if (two) {
        fputs("<p class=\"note\">Inference engines do not support start tokens, so <code>longrope export</code> writes "
              "the best table without them.</p>\n",
              page->out);
    }
    fputs("</div>\n", page->out);
}

/* ---- the stage ---- */

int html_stage(struct html_page *page, size_t index, struct error *error) {
    struct cited_value stages = cited_get(&page->overview, "stages"), stage = cited_at(&stages, index);
    FILE *out = page->out;
    fprintf(out, "<section id=\"stage-%zu\">\n", index);
    html_printf(out, "<h2>Stage {name} <span class=\"state\">{state}</span></h2>\n",
                html_get_text(&stage, HTML_NAME, "name"), html_get_text(&stage, HTML_TEXT, "state"));
    fputs("<div class=\"figures\">\n", out);
    put_results(page, &stage);
    put_facts(out, &stage);
    int status = html_convergence(page, index, error);
    if (status == STATUS_OK) status = html_lambda(page, index, error);
    if (status == STATUS_OK) status = html_genealogy(page, index, error);
    fputs("</div>\n</section>\n", out);
    return status;
}
