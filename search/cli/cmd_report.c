#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "search/base/atomic_output.h"
#include "search/base/signals.h"
#include "search/base/version.h"
#include "search/cli/commands.h"
#include "search/cli/options.h"
#include "search/html/html_page.h"
#include "search/report/report.h"
#include "search/report/report_frame.h"

enum { DRAWING_SECONDS = 60 }; /* time limit for gnuplot per chart; it takes about 0.1 s */

struct page_options {
    char *run_dir, *out;
    bool force;
};

#define AT(field) offsetof(struct page_options, field)

static const struct option_row argument_rows[] = {
    {.kind = OPTION_TEXT, .word = "RUN_DIR", .offset = AT(run_dir), .required = true, .help = "folder of the run"},
};

static const struct option_row option_rows[] = {
    {.name = "out",
     .letter = 'o',
     .kind = OPTION_TEXT,
     .word = "FILE.html",
     .offset = AT(out),
     .required = true,
     .help =
         "the file to write; it is complete or does not exist. An earlier report is replaced; - is standard output"},
    {.name = "force",
     .kind = OPTION_FLAG,
     .offset = AT(force),
     .help = "replaces FILE.html also if it is not a report"},
};

static const struct option_group groups[] = {
    OPTION_GROUP("Arguments", argument_rows, 0),
    OPTION_GROUP("Options", option_rows, 0),
};

static const char *const usage[] = {"RUN_DIR -o FILE.html [--force]", NULL};

static const char *const examples[] = {"longrope report results/demo -o demo.html",
                                       "longrope report results/demo -o - | gzip > demo.html.gz", NULL};

static const struct option_table report_option_table = {
    .command = "report",
    .summary = "writes what a run has found as one HTML file",
    .usage = usage,
    .text =
        "The file contains everything it needs, to be read in a browser, printed or sent. For a running search it "
        "states the progress; the same command writes it again. Charts are drawn by gnuplot (Debian, Ubuntu: "
        "apt-get install gnuplot-nox).\n"
        "Contents: what was gained on text that was not searched on, and how to use it; per stage what was searched "
        "and on which text, the best table and the baselines, convergence, rescale factors per rotary pair and the "
        "ancestors of the best individual; perplexity by length, pass keys and multiple choice (if eval, passkey "
        "and choice recorded them with --into RUN_DIR); the configuration and how to reproduce the run. All "
        "numbers are from longrope show RUN_DIR --json (some with --generations or --genealogy), and each one "
        "states its place there.",
    .groups = groups,
    .group_count = sizeof groups / sizeof *groups,
    .examples = examples,
    .stopped = "stopped by a signal; nothing was written",
    .size = sizeof(struct page_options),
};

/* ---- the file ---- */

/* True if `path` is an earlier report, which is replaced without --force. */
static bool holds_report(const char *path) {
    char first[sizeof HTML_PAGE_MARK] = "";
    struct stat info;
    FILE *file = stat(path, &info) == 0 && S_ISREG(info.st_mode) ? fopen(path, "rb") : NULL; /* a pipe would wait */
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

/* Makes the page in memory, so that nothing is written if a chart fails. The caller frees text->bytes, also after an
 * error. */
static int make_page(const struct page_options *command, json_t *const *documents, struct text *text,
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

static int report(const void *options, struct error *error) {
    const struct page_options *command = options;
    json_t *documents[DOCUMENTS] = {NULL};
    struct text text = {NULL, 0};
    bool replace = command->force || holds_report(command->out);
    int status = atomic_output_check_file(command->out, replace, error);
    if (status == STATUS_OK) status = store_check_output(command->run_dir, command->out, error);
    if (status == STATUS_OK) status = read_run(command->run_dir, documents, error);
    if (status == STATUS_OK) status = make_page(command, documents, &text, error);
    if (status == STATUS_OK) status = atomic_output_write_file(command->out, replace, write_text, &text, error);
    for (int i = 0; i < DOCUMENTS; i++) json_decref(documents[i]);
    free(text.bytes);
    return status;
}

const struct command report_command = {&report_option_table, report};
