#include <stdio.h>

#include "search/cli/commands.h"
#include "search/cli/options.h"
#include "search/cli/terminal.h"
#include "search/report/report.h"

struct show_options {
    char *run_dir;
    bool generations, convergence, lambda, scores; /* at most one of these and the genealogy */
    struct option_mark genealogy;
    struct report_options report;
};

enum { SET_VIEW = 1, SET_SCORES_OR_JSON = 2 };

#define AT(field) offsetof(struct show_options, field)

static const struct option_row argument_rows[] = {
    {.kind = OPTION_TEXT, .word = "RUN_DIR", .offset = AT(run_dir), .required = true, .help = "folder of the run"},
};

static const struct option_row view_rows[] = {
    {.name = "generations",
     .kind = OPTION_FLAG,
     .offset = AT(generations),
     .sets = SET_VIEW,
     .help = "one row per generation: individuals, evaluations so far, individuals that racing stopped, the "
             "generation's best perplexity, the best perplexity so far and its origin"},
    {.name = "convergence",
     .kind = OPTION_FLAG,
     .offset = AT(convergence),
     .sets = SET_VIEW,
     .help = "a chart of perplexity against evaluations: the best so far and the spread of each generation; as wide "
             "as the terminal (or COLUMNS), in block characters if the locale is UTF-8; with --json its numbers"},
    {.name = "lambda",
     .kind = OPTION_FLAG,
     .offset = AT(lambda),
     .sets = SET_VIEW,
     .help = "a chart of rescale factors against rotary pairs, of the best table and the baselines"},
    {.name = "genealogy",
     .kind = OPTION_MARK,
     .word = "ID",
     .offset = AT(genealogy),
     .low = 0,
     .high = INT64_MAX,
     .sets = SET_VIEW,
     .help = "the ancestors of individual ID (default: the best), oldest first, and how many genes each changed "
             "compared to its parents; genes are the factors, n_hat and, if it is searched, the attention factor"},
    {.name = "scores",
     .kind = OPTION_FLAG,
     .offset = AT(scores),
     .sets = SET_VIEW | SET_SCORES_OR_JSON,
     .help = "every baseline and individual as CSV: stage, kind, id, generation, origin, parent_a, parent_b, "
             "start_tokens, attention_factor, windows, stopped, failed, nats_per_token, perplexity, work, seconds, "
             "nats_0... per scored window, lambda_0... per rotary pair; a field is empty if there is no value. Numbers "
             "have 17 digits and read back to equal doubles"},
};

static const struct option_row option_rows[] = {
    {.name = "stage",
     .kind = OPTION_TEXT,
     .word = "NAME",
     .offset = AT(report.stage),
     .help = "prints only this stage"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .offset = AT(report.json),
     .sets = SET_SCORES_OR_JSON,
     .help = "prints one JSON object instead of text"},
};

static const struct option_group groups[] = {
    OPTION_GROUP("Arguments", argument_rows, 0),
    OPTION_GROUP("Views", view_rows, 0),
    OPTION_GROUP("Options", option_rows, 0),
};

static const char *const usage[] = {"RUN_DIR [VIEW] [--stage NAME] [--json]", NULL};

static const char *const examples[] = {
    "longrope show results/demo",
    "longrope show results/demo --json | jq '.stages[0].best.perplexity'",
    "longrope show results/demo --generations",
    "longrope show results/demo --genealogy 117 --stage extend-2k",
    "longrope show results/demo --scores > scores.csv     # for a spreadsheet, or pandas.read_csv()",
    "longrope show results/demo --scores | sqlite3 :memory: '.import --csv /dev/stdin scores' \\",
    "    \"SELECT origin, count(*), min(perplexity + 0) FROM scores",
    "     WHERE kind = 'individual' AND perplexity <> '' GROUP BY origin\"",
    NULL};

static const struct show_options initial = {.genealogy = {.value = REPORT_BEST}};

static const struct option_table show_option_table = {
    .command = "show",
    .summary = "prints what a run has found so far",
    .usage = usage,
    .text =
        "Works for finished, stopped and running searches. Without a view it prints the progress of each stage, the "
        "cost of its evaluations, the closed-form baselines and the best table.\n"
        "RUN_DIR/run.db is an SQLite database; sqlite3 RUN_DIR/run.db .schema prints its documented schema.",
    .groups = groups,
    .group_count = sizeof groups / sizeof *groups,
    .examples = examples,
    .size = sizeof(struct show_options),
    .initial = &initial,
};

static int print_report(struct store *store, const struct show_options *options, struct error *error) {
    const struct report_drawing drawing = {terminal_columns(stdout, 80), terminal_shows_unicode()};
    const struct report_options *report = &options->report;
    if (options->generations) return report_generations(store, report, stdout, error);
    if (options->convergence) return report_convergence(store, report, &drawing, stdout, error);
    if (options->lambda) return report_lambda(store, report, &drawing, stdout, error);
    if (options->genealogy.given) return report_genealogy(store, report, options->genealogy.value, stdout, error);
    if (options->scores) return report_scores(store, report->stage, stdout, error);
    return report_overview(store, report, stdout, error);
}

static int show(const void *given, struct error *error) {
    const struct show_options *options = given;
    struct store *store = NULL;
    int status = store_open(options->run_dir, STORE_READ, &store, error);
    if (status == STATUS_OK) status = print_report(store, options, error);
    store_close(store);
    return status;
}

const struct command show_command = {&show_option_table, show};
