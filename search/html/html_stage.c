/* A stage of the run: what was searched and on what, what came of it, what it cost. */
#include <math.h>
#include <string.h>

#include "search/config/objective.h"
#include "search/html/html.h"
#include "search/html/html_figure.h"
#include "search/html/html_page.h"

/* ---- what was searched ---- */

static void fact_begin(FILE *out, const char *name) { fprintf(out, "<div><dt>%s</dt><dd>", name); }
static void fact_end(FILE *out) { fputs("</dd></div>\n", out); }

static void put_target(FILE *out, const struct cited_value *stage) {
    bool recovers = strcmp(cited_get_text(stage, "kind"), "recover") == 0;
    fact_begin(out, "Searched");
    fputs(recovers ? "a table that recovers short windows: " : "rescale factors for ", out);
    html_get_integer(out, stage, "target_length");
    fputs(" tokens, ", out);
    struct cited_value scale = cited_get(stage, "scale");
    html_short(out, &scale);
    fputs(" times the window of ", out);
    html_get_integer(out, stage, "original_length");
    fputs("; ", out);
    html_get_integer(out, stage, "pairs");
    fputs(" rotary pairs, base ", out);
    html_get_number(out, stage, "rope_theta", 0);
    fact_end(out);
}

static void put_model(FILE *out, const struct cited_value *stage) {
    fact_begin(out, "Model");
    if (*cited_get_text(stage, "model")) {
        fputs("<code>", out);
        html_get_text(out, stage, "model");
        fputs("</code>", out);
    } else {
        fputs("not known: the run was begun by an older version", out);
    }
    if (*cited_get_text(stage, "base")) {
        fputs(", fine-tuned with the table of stage <code>", out);
        html_get_text(out, stage, "base");
        fputs("</code>", out);
    }
    fact_end(out);
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
    double windows = (double)cited_count(&samples), documents = distinct_documents(&samples);
    fact_begin(out, "Text");
    html_computed(out, windows, 0, "%s | length", samples.path);
    fputs(windows == 1.0 ? " window of " : " windows of ", out);
    html_get_integer(out, &first, "tokens");
    fputs(" tokens from ", out);
    html_computed(out, documents, 0, "[%s[].document] | unique | length", samples.path);
    fputs(documents == 1.0 ? " document" : " documents", out);
    fact_end(out);
}

static void put_setting(FILE *out, const struct cited_value *stage, const char *key, const char *before) {
    struct cited_value settings = cited_get(stage, "settings");
    const char *value = json_string_value(json_object_get(settings.json, key));
    if (!value || strcmp(value, "0") == 0) return; /* CMA-ES makes no mutations */
    fprintf(out, "%s<code>", before);
    html_text(out, value);
    fputs("</code>", out);
}

/* Of what all of the stage's perplexities are. */
static void put_objective(FILE *out, const struct cited_value *stage) {
    if (strcmp(cited_get_text(stage, "objective"), objective_name(OBJECTIVE_NEEDLE)) != 0) return;
    fact_begin(out, "Objective");
    html_get_text(out, stage, "objective");
    fputs(": perplexity is of the needles' answers alone", out);
    put_setting(out, stage, "needle.digits", ", digits ");
    put_setting(out, stage, "needle.prompt", ", wording ");
    put_setting(out, stage, "needle.seed", ", seed ");
    fact_end(out);
}

static void put_algorithm(FILE *out, const struct cited_value *stage) {
    fact_begin(out, "Algorithm");
    put_setting(out, stage, "search.algorithm", "");
    put_setting(out, stage, "search.population", ", population ");
    put_setting(out, stage, "search.mutations", ", mutations ");
    put_setting(out, stage, "search.crossovers", ", crossovers ");
    put_setting(out, stage, "search.start_tokens", ", start tokens  ");
    put_setting(out, stage, "attention_factor", ", attention factor ");
    put_setting(out, stage, "search.seed", ", seed ");
    fact_end(out);
}

static void put_progress(FILE *out, const struct cited_value *stage) {
    fact_begin(out, "Budget");
    html_get_integer(out, stage, "evaluations");
    fputs(" of ", out);
    html_get_integer(out, stage, "planned");
    fputs(" evaluations, generation ", out);
    html_get_integer(out, stage, "iteration");
    fputs(" of ", out);
    html_get_integer(out, stage, "iterations");
    fact_end(out);
}

static void put_count(FILE *out, const struct cited_value *of, const char *key, const char *noun) {
    html_get_integer(out, of, key);
    fprintf(out, " %s%s", noun, cited_get_integer(of, key) == 1 ? "" : "s");
}

static void put_cost(FILE *out, const struct cited_value *stage) {
    struct cited_value cost = cited_get(stage, "cost");
    if (!cited_get_integer(stage, "evaluations")) return;
    fact_begin(out, "Cost");
    html_get_number(out, &cost, "seconds", 1);
    fputs(" s for ", out);
    put_count(out, &cost, "windows", "window");
    fputs(", ", out);
    html_get_number(out, &cost, "tokens_per_second", 0);
    fputs(" tokens/s; ", out);
    put_count(out, &cost, "windows_cached", "window");
    fputs(" from the cache; racing cut ", out);
    put_count(out, &cost, "stopped", "evaluation");
    fputs(" short and saved ", out);
    put_count(out, &cost, "windows_saved", "window");
    fact_end(out);
}

static void put_facts(FILE *out, const struct cited_value *stage) {
    fputs("<dl class=\"facts\">\n", out);
    put_target(out, stage);
    put_model(out, stage);
    put_text(out, stage);
    put_objective(out, stage);
    put_algorithm(out, stage);
    put_progress(out, stage);
    put_cost(out, stage);
    fputs("</dl>\n", out);
}

/* ---- what came of it ---- */

/* By how many percent `a` is below `b`, less than 0 where it is above. */
static void put_gain(FILE *out, const struct cited_value *a, const struct cited_value *b) {
    double gain = 1.0 - cited_get_number(a, "perplexity") / cited_get_number(b, "perplexity");
    html_computed(out, 100.0 * gain, 1, "100 * (1 - %s.perplexity / %s.perplexity)", a->path, b->path);
    fputs(" %", out);
}

/* The same in words, "1.5 % below". */
static void put_below(FILE *out, const struct cited_value *a, const struct cited_value *b) {
    if (cited_get_number(a, "perplexity") <= cited_get_number(b, "perplexity")) {
        put_gain(out, a, b);
        fputs(" below ", out);
        return;
    }
    double loss = cited_get_number(a, "perplexity") / cited_get_number(b, "perplexity") - 1.0;
    html_computed(out, 100.0 * loss, 1, "100 * (%s.perplexity / %s.perplexity - 1)", a->path, b->path);
    fputs(" % above ", out);
}

static bool is_scored(const struct cited_value *one) { return isfinite(cited_get_number(one, "perplexity")); }

static void put_lead(FILE *out, const struct cited_value *stage) {
    struct cited_value best = cited_get(stage, "best"), baselines = cited_get(stage, "baselines"),
                       baseline = cited_least(&baselines, "perplexity");
    if (!is_scored(&best)) {
        fputs("<p class=\"lead\">Nothing has been found yet.</p>\n", out);
        return;
    }
    struct cited_value perplexity = cited_get(&best, "perplexity");
    fputs("<p class=\"lead\">The best table has a perplexity of <strong>", out);
    html_perplexity(out, &perplexity);
    fputs("</strong> at ", out);
    html_get_integer(out, stage, "target_length");
    fputs(" tokens", out);
    if (is_scored(&baseline)) {
        fputs(", <strong>", out);
        put_below(out, &best, &baseline);
        html_get_text(out, &baseline, "method");
        fputs("</strong>, the best closed form", out);
    }
    fputs(".</p>\n", out);
}

static void put_baseline(FILE *out, const struct cited_value *one, const struct cited_value *best) {
    fputs("<tr><td>", out);
    html_get_text(out, one, "method");
    fputs("</td>", out);
    html_cell_perplexity(out, one, "perplexity");
    fputs("<td class=\"n\">", out);
    if (is_scored(one) && is_scored(best)) put_gain(out, best, one);
    fputs("</td>", out);
    html_cell_number(out, one, "attention_factor", 4);
    fputs("</tr>\n", out);
}

static void put_found(FILE *out, const struct cited_value *one, const char *name) {
    fprintf(out, "<tr class=\"best\"><td>%s<small>", name);
    html_get_integer(out, one, "start_tokens");
    fputs(" start tokens, ", out);
    html_get_text(out, one, "origin");
    fputs("</small></td>", out);
    html_cell_perplexity(out, one, "perplexity");
    fputs("<td></td>", out);
    html_cell_number(out, one, "attention_factor", 4);
    fputs("</tr>\n", out);
}

static void put_results(struct html_page *page, const struct cited_value *stage) {
    struct cited_value baselines = cited_get(stage, "baselines"), best = cited_get(stage, "best");
    struct cited_value exportable = cited_get(stage, "best_exportable");
    if (!cited_count(&baselines) && !cited_known(&best)) return;
    fputs("<h3>Best against baselines</h3>\n", page->out);
    html_table_begin(page, "method|perplexity|best is below by|attention factor");
    for (size_t i = 0; i < cited_count(&baselines); i++) {
        struct cited_value one = cited_at(&baselines, i);
        put_baseline(page->out, &one, &best);
    }
    if (cited_known(&exportable) && cited_get_integer(&best, "start_tokens") != 0) {
        put_found(page->out, &exportable, "longrope, for engines");
    }
    if (cited_known(&best)) put_found(page->out, &best, "longrope");
    html_table_end(page);
    fputs("<p class=\"note\">Positions of start tokens are not rescaled. Engines know no such tokens, so that "
          "<code>longrope export</code> writes the best table without.</p>\n",
          page->out);
}

/* ---- the stage ---- */

int html_stage(struct html_page *page, size_t index, struct error *error) {
    struct cited_value stages = cited_get(&page->overview, "stages"), stage = cited_at(&stages, index);
    FILE *out = page->out;
    fprintf(out, "<section id=\"stage-%zu\">\n<h2>Stage ", index);
    html_get_name(out, &stage, "name");
    fputs(" <span class=\"state\">", out);
    html_get_text(out, &stage, "state");
    fputs("</span></h2>\n", out);
    put_lead(out, &stage);
    put_facts(out, &stage);
    put_results(page, &stage);
    fputs("<div class=\"figures\">\n", out);
    int status = html_convergence(page, index, error);
    if (status == STATUS_OK) status = html_lambda(page, index, error);
    if (status == STATUS_OK) status = html_genealogy(page, index, error);
    fputs("</div>\n</section>\n", out);
    return status;
}
