#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "search/base/atomic_output.h"
#include "search/base/signals.h"
#include "search/base/version.h"
#include "search/cli/commands.h"
#include "search/cli/options.h"
#include "search/html/html_page.h"
#include "search/report/report.h"
#include "search/report/report_frame.h"

static const char usage[] =
    "usage: longrope report RUN_DIR -o FILE.html [--force]\n"
    "\n"
    "Writes what the run in RUN_DIR has found as one HTML file, to be looked at in a browser, printed\n"
    "or sent: it holds all that it needs. Of a run that goes on it says how far that is, and the same\n"
    "command writes it again. Charts are drawn by gnuplot (Debian, Ubuntu: apt-get install gnuplot-nox).\n"
    "\n"
    "  -o FILE.html   what is written: complete or not at all; an earlier report there is replaced.\n"
    "                 -o - writes to standard output\n"
    "  --force        FILE.html is replaced also where it is no report\n"
    "\n"
    "In it: what was searched and on what, the best table against the baselines, convergence, rescale\n"
    "factors by rotary pair, the ancestors of the best, perplexity by length and pass keys (where `eval`\n"
    "and `passkey` measured them with --into RUN_DIR), the configuration and how to reproduce it. All\n"
    "numbers are of `longrope show RUN_DIR --json`, and each of them says where it stands there.\n"
    "\n"
    "  longrope report results/demo -o demo.html\n"
    "  longrope report results/demo -o - | gzip > demo.html.gz\n";

enum { DRAWING_SECONDS = 60 }; /* that gnuplot may take for a chart; it takes a tenth of a second */

struct report_command {
    const char *run_dir, *out;
    bool force, help;
};

static int parse(int argc, char **argv, struct report_command *out, struct error *error) {
    static const struct option options[] = {{"out", required_argument, NULL, 'o'},
                                            {"force", no_argument, NULL, 'f'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    *out = (struct report_command){.force = false};
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, ":o:h", options, NULL)) != -1;) {
        if (c == 'o') {
            out->out = optarg;
        } else if (c == 'f') {
            out->force = true;
        } else if (c == 'h') {
            out->help = true;
            return STATUS_OK;
        } else {
            return option_unknown(argv, options, c, error);
        }
    }
    if (argc - optind != 1) return error_set(error, STATUS_INPUT, "report wants one run directory; see --help");
    out->run_dir = argv[optind];
    if (out->out) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "report wants -o FILE.html, where it is to write; see --help");
}

/* ---- the file ---- */

/* Whether a report is there, which may be replaced. */
static bool holds_report(const char *path) {
    char first[sizeof HTML_PAGE_MARK] = "";
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    size_t length = fread(first, 1, sizeof first - 1, file);
    fclose(file);
    return length == sizeof first - 1 && memcmp(first, HTML_PAGE_MARK, length) == 0;
}

struct text {
    char *bytes;
    size_t size;
};

static bool write_text(FILE *stream, const void *what) {
    const struct text *text = what;
    return fwrite(text->bytes, 1, text->size, stream) == text->size;
}

static int write_page(const struct report_command *command, const struct text *text, struct error *error) {
    if (strcmp(command->out, "-") != 0) return atomic_output_write_file(command->out, write_text, text, error);
    return write_text(stdout, text) ? STATUS_OK
                                    : error_set(error, STATUS_FAILED, "standard output could not be written");
}

/* ---- the page ---- */

enum { OVERVIEW, GENERATIONS, GENEALOGY, DOCUMENTS };

static int read_run(const char *run_dir, json_t **documents, struct error *error) {
    static const int64_t best = REPORT_BEST;
    static const struct report_request requests[DOCUMENTS] = {[OVERVIEW] = {&report_view_overview, NULL},
                                                              [GENERATIONS] = {&report_view_generations, NULL},
                                                              [GENEALOGY] = {&report_view_genealogy, &best}};
    struct store *store = NULL;
    int status = store_open(run_dir, STORE_READ, &store, error);
    if (status == STATUS_OK) status = report_documents(store, requests, DOCUMENTS, documents, error);
    store_close(store);
    return status;
}

/* By way of memory, so that nothing is written where a chart fails. The caller frees text->bytes, also after an
 * error. */
static int make_page(const struct report_command *command, json_t *const *documents, struct text *text,
                     struct error *error) {
    FILE *memory = open_memstream(&text->bytes, &text->size);
    if (!memory) return error_memory(error, 0, "the report");
    struct html_page page = {.out = memory,
                             .gnuplot = {"gnuplot", DRAWING_SECONDS, signals_caught()},
                             .program = program_version,
                             .run_dir = command->run_dir,
                             .written = time(NULL),
                             .overview = cited_root("", documents[OVERVIEW]),
                             .generations = cited_root("--generations", documents[GENERATIONS]),
                             .genealogy = cited_root("--genealogy", documents[GENEALOGY])};
    int status = html_page_write(&page, error);
    bool whole = !ferror(memory);
    whole = fclose(memory) == 0 && whole;
    return status == STATUS_OK && !whole ? error_memory(error, (double)text->size, "the report") : status;
}

static int report(const struct report_command *command, struct error *error) {
    json_t *documents[DOCUMENTS] = {NULL};
    struct text text = {NULL, 0};
    int status = STATUS_OK;
    if (strcmp(command->out, "-") != 0) {
        status = atomic_output_check_file(command->out, command->force || holds_report(command->out), error);
    }
    if (status == STATUS_OK) status = read_run(command->run_dir, documents, error);
    if (status == STATUS_OK) status = make_page(command, documents, &text, error);
    if (status == STATUS_OK) status = write_page(command, &text, error);
    for (int i = 0; i < DOCUMENTS; i++) json_decref(documents[i]);
    free(text.bytes);
    return status;
}

int cmd_report(int argc, char **argv, struct error *error) {
    struct report_command command;
    int status = parse(argc, argv, &command, error);
    if (status != STATUS_OK) return status;
    if (command.help) {
        fputs(usage, stdout);
        return STATUS_OK;
    }
    return report(&command, error);
}
