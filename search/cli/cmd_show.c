#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "search/base/text.h"
#include "search/cli/commands.h"
#include "search/cli/options.h"
#include "search/cli/terminal.h"
#include "search/report/report.h"

static const char usage[] =
    "usage: longrope show RUN_DIR [--stage NAME] [--json]\n"
    "       longrope show RUN_DIR --generations [--stage NAME] [--json]\n"
    "       longrope show RUN_DIR (--convergence | --lambda) [--stage NAME] [--json]\n"
    "       longrope show RUN_DIR --genealogy [ID] [--stage NAME] [--json]\n"
    "       longrope show RUN_DIR --scores [--stage NAME]\n"
    "\n"
    "What the run in RUN_DIR has found, finished or not, also while it goes on: how far each stage is,\n"
    "what its evaluations cost, the closed-form baselines, the best table; or, in place of these,\n"
    "\n"
    "  --generations      a row a generation: individuals, evaluations so far, those that racing cut\n"
    "                     short, the generation's best perplexity, the best so far and what it is\n"
    "  --convergence      a picture: perplexity against evaluations, the best so far and how each\n"
    "                     generation spreads, as wide as the terminal (or as COLUMNS says), in block\n"
    "                     characters where the locale is UTF-8; with --json the numbers in it\n"
    "  --lambda           another: rescale factors against rotary pairs, of the best and the baselines\n"
    "  --genealogy [ID]   the ancestors of individual ID (default: the best), oldest first, with how\n"
    "                     many genes each changed of its parents' (genes: factors, n_hat and, where it\n"
    "                     is searched, the attention factor)\n"
    "  --scores           every baseline and individual as CSV: stage, kind, id, generation, origin,\n"
    "                     parent_a, parent_b, start_tokens, attention_factor, windows, stopped,\n"
    "                     nats_per_token, perplexity, seconds, nats_0... of each window that was scored,\n"
    "                     lambda_0... of each rotary pair; empty where there is none. 17 digits: the\n"
    "                     numbers read back to the same doubles\n"
    "\n"
    "  --stage NAME       of this stage alone\n"
    "  --json             one JSON object instead of the table\n"
    "\n"
    "  longrope show results/demo\n"
    "  longrope show results/demo --json | jq '.stages[0].best.perplexity'\n"
    "  longrope show results/demo --generations\n"
    "  longrope show results/demo --lambda\n"
    "  longrope show results/demo --genealogy 117 --stage extend-2k\n"
    "  longrope show results/demo --scores > scores.csv     # for a spreadsheet, or pandas.read_csv()\n"
    "  longrope show results/demo --scores | sqlite3 :memory: '.import --csv /dev/stdin scores' \\\n"
    "      \"SELECT origin, count(*), min(perplexity + 0) FROM scores\n"
    "       WHERE kind = 'individual' GROUP BY origin\"\n"
    "  sqlite3 results/demo/run.db .schema                  # the tables, explained, to query directly\n";

enum show_view { SHOW_OVERVIEW, SHOW_GENERATIONS, SHOW_CONVERGENCE, SHOW_LAMBDA, SHOW_GENEALOGY, SHOW_SCORES };

struct show_options {
    const char *run_dir;
    enum show_view view;
    int64_t id; /* of --genealogy */
    struct report_options report;
    bool help;
};

static int choose_view(struct show_options *out, enum show_view view, struct error *error) {
    static const char *const names[] = {[SHOW_GENERATIONS] = "generations",
                                        [SHOW_CONVERGENCE] = "convergence",
                                        [SHOW_LAMBDA] = "lambda",
                                        [SHOW_GENEALOGY] = "genealogy",
                                        [SHOW_SCORES] = "scores"};
    if (out->view != SHOW_OVERVIEW && out->view != view) {
        return error_set(error, STATUS_INPUT, "--%s and --%s exclude each other; see longrope show --help",
                         names[out->view], names[view]);
    }
    out->view = view;
    return STATUS_OK;
}

/* The id may stand behind a "=" or be the next word, if that is a number. */
static int take_id(int argc, char **argv, struct show_options *out, struct error *error) {
    int64_t number;
    const char *text = optarg;
    if (!text && optind < argc && text_to_integer(argv[optind], &number)) text = argv[optind++];
    return text ? option_integer("genealogy", text, 0, INT64_MAX, &out->id, error) : STATUS_OK;
}

enum option_key { KEY_GENERATIONS = 256, KEY_CONVERGENCE, KEY_LAMBDA, KEY_GENEALOGY, KEY_SCORES, KEY_STAGE, KEY_JSON };

static int take_option(int key, int argc, char **argv, struct show_options *out, struct error *error) {
    int status;
    switch (key) {
    case KEY_GENERATIONS:
        return choose_view(out, SHOW_GENERATIONS, error);
    case KEY_CONVERGENCE:
        return choose_view(out, SHOW_CONVERGENCE, error);
    case KEY_LAMBDA:
        return choose_view(out, SHOW_LAMBDA, error);
    case KEY_GENEALOGY:
        status = choose_view(out, SHOW_GENEALOGY, error);
        return status == STATUS_OK ? take_id(argc, argv, out, error) : status;
    case KEY_SCORES:
        return choose_view(out, SHOW_SCORES, error);
    case KEY_STAGE:
        out->report.stage = optarg;
        return STATUS_OK;
    case KEY_JSON:
        out->report.json = true;
        return STATUS_OK;
    default:
        out->help = true;
        return STATUS_OK;
    }
}

static int parse(int argc, char **argv, struct show_options *out, struct error *error) {
    static const struct option options[] = {{"generations", no_argument, NULL, KEY_GENERATIONS},
                                            {"convergence", no_argument, NULL, KEY_CONVERGENCE},
                                            {"lambda", no_argument, NULL, KEY_LAMBDA},
                                            {"genealogy", optional_argument, NULL, KEY_GENEALOGY},
                                            {"scores", no_argument, NULL, KEY_SCORES},
                                            {"stage", required_argument, NULL, KEY_STAGE},
                                            {"json", no_argument, NULL, KEY_JSON},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    *out = (struct show_options){.view = SHOW_OVERVIEW, .id = REPORT_BEST};
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        if (c == '?' || c == ':') return option_unknown(argv, options, c, error);
        int status = take_option(c, argc, argv, out, error);
        if (status != STATUS_OK || out->help) return status;
    }
    if (argc - optind != 1) return error_set(error, STATUS_INPUT, "show wants one run directory; see --help");
    out->run_dir = argv[optind];
    if (out->view == SHOW_SCORES && out->report.json) {
        return error_set(error, STATUS_INPUT, "--scores (CSV) and --json exclude each other; see longrope show --help");
    }
    return STATUS_OK;
}

static int print_report(struct store *store, const struct show_options *options, struct error *error) {
    const struct report_drawing drawing = {terminal_columns(stdout, 80), terminal_shows_unicode()};
    switch (options->view) {
    case SHOW_GENERATIONS:
        return report_generations(store, &options->report, stdout, error);
    case SHOW_CONVERGENCE:
        return report_convergence(store, &options->report, &drawing, stdout, error);
    case SHOW_LAMBDA:
        return report_lambda(store, &options->report, &drawing, stdout, error);
    case SHOW_GENEALOGY:
        return report_genealogy(store, &options->report, options->id, stdout, error);
    case SHOW_SCORES:
        return report_scores(store, options->report.stage, stdout, error);
    default:
        return report_overview(store, &options->report, stdout, error);
    }
}

int cmd_show(int argc, char **argv, struct error *error) {
    struct show_options options;
    int status = parse(argc, argv, &options, error);
    if (status != STATUS_OK) return status;
    if (options.help) {
        fputs(usage, stdout);
        return STATUS_OK;
    }
    struct store *store = NULL;
    status = store_open(options.run_dir, STORE_READ, &store, error);
    if (status == STATUS_OK) status = print_report(store, &options, error);
    store_close(store);
    return status;
}
