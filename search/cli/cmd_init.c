#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "search/base/atomic_output.h"
#include "search/base/output_path.h"
#include "search/base/signals.h"
#include "search/base/text.h"
#include "search/cli/commands.h"
#include "search/cli/estimate_measure.h"
#include "search/cli/estimate_print.h"
#include "search/cli/options.h"
#include "search/measure/machine_rate.h"
#include "search/recipe/proposal.h"

/* Strings are borrowed from argv. */
struct init_options {
    char *model, *tokenizer, *time, *out;
    struct string_list text, tokens; /* one of them is empty */
    int64_t target, threads;         /* 0: not given */
    double rate;                     /* GFLOP/s; 0: measured */
    bool force;
    double seconds; /* `time`, read */
};

#define AT(field) offsetof(struct init_options, field)

enum { SET_DATA = 1 };

static const struct option_row argument_rows[] = {
    {.kind = OPTION_TEXT,
     .word = "MODEL",
     .offset = AT(model),
     .required = true,
     .help = "folder of a model in Hugging Face's format: config.json, safetensors, tokenizer; or a GGUF file"},
};

static const struct option_row data_rows[] = {
    {.name = "text",
     .kind = OPTION_FILES,
     .word = "FILE...",
     .offset = AT(text),
     .sets = SET_DATA,
     .required = true,
     .help = "texts to search on, one document each; at least one as long as the target. Keep another text to evaluate "
             "the result with"},
    {.name = "tokens",
     .kind = OPTION_FILES,
     .word = "FILE...",
     .offset = AT(tokens),
     .sets = SET_DATA,
     .required = true,
     .help =
         "the same as .npy files of tokens, one-dimensional arrays of integers, where the model's tokenizer cannot be "
         "read"},
    {.name = "tokenizer",
     .kind = OPTION_TEXT,
     .word = "bytes|FILE",
     .offset = AT(tokenizer),
     .needs = "text",
     .help = "bytes, a tokenizer.json, a SentencePiece model or a GGUF (default: that of MODEL)"},
};

static const struct option_row budget_rows[] = {
    {.name = "target",
     .kind = OPTION_INTEGER,
     .word = "N",
     .offset = AT(target),
     .low = 2,
     .high = 1000000000,
     .help = "tokens that the model is to read (default: four times its window, or what the longest text allows)"},
    {.name = "time",
     .kind = OPTION_TEXT,
     .word = "TIME",
     .offset = AT(time),
     .initial = "2h",
     .help = "time that the search may take: a number and s, m, h or d, such as 90m"},
    {.name = "threads",
     .kind = OPTION_INTEGER,
     .word = "N",
     .offset = AT(threads),
     .low = 1,
     .high = 4096,
     .help = "threads that the search will have (default: all)"},
    {.name = "rate",
     .kind = OPTION_NUMBER,
     .word = "GFLOPS",
     .offset = AT(rate),
     .least = 1e-3,
     .most = 1e12,
     .help = "10^9 operations per second of the machine that will search (default: this machine's rate, measured in a "
             "few seconds)"},
};

static const struct option_row output_rows[] = {
    {.name = "output",
     .letter = 'o',
     .kind = OPTION_TEXT,
     .word = "FILE.yaml",
     .offset = AT(out),
     .help = "the configuration to write; - is standard output (default: NAME.yaml, after the folder MODEL)"},
    {.name = "force",
     .kind = OPTION_FLAG,
     .offset = AT(force),
     .help = "replaces FILE.yaml if it exists and is not read by the command"},
};

static const struct option_group groups[] = {
    OPTION_GROUP("Arguments", argument_rows, 0),
    OPTION_GROUP("Text", data_rows, 0),
    OPTION_GROUP("Search", budget_rows, 0),
    OPTION_GROUP("Output", output_rows, 0),
};

static const char *const usage[] = {"MODEL --text FILE... [--target N] [--time TIME] [-o FILE.yaml] [OPTION]...",
                                    "MODEL --tokens FILE.npy... [OPTION]...", NULL};

static const char *const examples[] = {
    "longrope init configs/demo/model --text configs/demo/corpus/*.txt --time 1m -o my.yaml", "longrope search my.yaml",
    "longrope init MODEL --text BOOK.txt --target 32768 --time 8h --force", NULL};

/* A number and its unit; false for anything else. */
static bool parse_time(const char *text, double *out) {
    static const struct {
        char letter;
        double seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char number[32];
    size_t length = strlen(text);
    if (length < 2 || length > sizeof number) return false;
    memcpy(number, text, length - 1);
    number[length - 1] = '\0';
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (text[length - 1] != units[i].letter) continue;
        bool good = text_to_number(number, out) && *out > 0.0;
        *out *= units[i].seconds;
        return good;
    }
    return false;
}

static int check(const struct option_table *table, void *options, struct error *error) {
    struct init_options *o = options;
    if (parse_time(o->time, &o->seconds)) return STATUS_OK;
    return options_wrong(table, error, "--time: '%s' is not a number above 0 followed by s, m, h or d, such as 90m",
                         o->time);
}

static const struct option_table init_option_table = {
    .command = "init",
    .summary = "writes a configuration for a model and a text",
    .usage = usage,
    .text =
        "Reads the model's window from config.json and the length of the text, measures this machine, and writes a "
        "commented configuration that longrope search takes as it stands: it extends the window and recovers the old "
        "one, with a budget for the time. Prints what that configuration costs, as longrope search --dry-run does.",
    .groups = groups,
    .group_count = sizeof groups / sizeof *groups,
    .examples = examples,
    .stopped = "stopped by a signal; nothing was written",
    .size = sizeof(struct init_options),
    .check = check,
};

/* ---- the proposal ---- */

enum { STAGES = 2 }; /* of the configuration that is proposed */

struct init {
    const struct init_options *options;
    struct model_config model;
    struct documents documents;
    struct proposal proposal;
    struct machine_rate rates[STAGES]; /* unless --rate is given */
    struct string_list owned;          /* strings of the proposal */
    struct string_list sources;        /* proposal.files as they were given; a search reads a file once */
    char *out;                         /* of the output; owned by `owned`, or the user's */
    char *yaml;                        /* the file's text */
    size_t yaml_size;
};

/* Configurations hold absolute paths, so that they are right wherever they are put. Owned by init->owned. */
static int absolute(struct init *init, const char *path, const char **out, struct error *error) {
    char *real = realpath(path, NULL);
    if (!real) return error_set(error, STATUS_INPUT, "%.300s: does not exist or cannot be read; check the path", path);
    int status = string_list_copy(&init->owned, real, error);
    free(real);
    if (status != STATUS_OK) return status;
    *out = init->owned.items[init->owned.count - 1];
    json_t *string = json_string(*out);
    json_decref(string);
    return string
               ? STATUS_OK
               : error_set(error, STATUS_INPUT, "%.300s: its name is not UTF-8, which YAML requires; rename it", path);
}

/* The run is called after the output, or else after the model's folder, in the letters that names have. */
static int name_run(struct init *init, struct error *error) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const char *given = init->options->out;
    const char *path = given && !output_path_is_stdout(given) ? given : init->proposal.model;
    const char *slash = strrchr(path, '/');
    char name[101];
    snprintf(name, sizeof name, "%s", slash ? slash + 1 : path);
    char *ending = strrchr(name, '.');
    if (ending && (path == given || strcmp(ending, ".gguf") == 0)) *ending = '\0';
    for (char *c = name; *c; c++) {
        if (!strchr(letters, *c)) *c = '-';
    }
    if (!name[strspn(name, ".-")]) strcpy(name, "my-model");
    int status = string_list_copy(&init->owned, name, error);
    if (status == STATUS_OK) init->proposal.name = init->owned.items[init->owned.count - 1];
    return status;
}

static int choose_output(struct init *init, struct error *error) {
    char path[120];
    init->out = init->options->out;
    if (init->out) return STATUS_OK;
    snprintf(path, sizeof path, "%s.yaml", init->proposal.name);
    int status = string_list_copy(&init->owned, path, error);
    if (status == STATUS_OK) init->out = init->owned.items[init->owned.count - 1];
    return status;
}

/* Before anything that takes time. */
static int check_output(const struct init *init, struct error *error) {
    const struct init_options *o = init->options;
    const struct string_list *files = o->text.count ? &o->text : &o->tokens;
    int status = atomic_output_check_file(init->out, o->force, error);
    if (status == STATUS_OK) status = atomic_output_check_input(init->out, o->model, error);
    if (status == STATUS_OK) status = atomic_output_check_input(init->out, o->tokenizer, error);
    for (size_t i = 0; i < files->count && status == STATUS_OK; i++) {
        status = atomic_output_check_input(init->out, files->items[i], error);
    }
    return status;
}

static int name_files(struct init *init, struct error *error) {
    const struct init_options *o = init->options;
    const struct string_list *files = o->text.count ? &o->text : &o->tokens;
    int status = absolute(init, o->model, &init->proposal.model, error);
    init->proposal.tokens = o->tokens.count > 0;
    if (status == STATUS_OK && o->tokenizer) {
        init->proposal.tokenizer = o->tokenizer;
        if (strcmp(o->tokenizer, "bytes") != 0) {
            status = absolute(init, o->tokenizer, &init->proposal.tokenizer, error);
        }
    }
    for (size_t i = 0; i < files->count && status == STATUS_OK; i++) {
        const char *path;
        status = absolute(init, files->items[i], &path, error);
        if (status != STATUS_OK || string_list_has(&init->proposal.files, path)) continue;
        status = string_list_copy(&init->proposal.files, path, error);
        if (status == STATUS_OK) status = string_list_copy(&init->sources, files->items[i], error);
    }
    return status;
}

static int read_documents(struct init *init, struct error *error) {
    const struct init_options *o = init->options;
    struct tokenizer tokenizer;
    int status;
    if (o->tokens.count) {
        status = documents_read_npy(init->sources.items, init->sources.count, &init->documents, error);
    } else {
        status = tokenizer_open(o->tokenizer, o->model, init->model.vocabulary, &tokenizer, error);
        if (status != STATUS_OK) return status;
        status = documents_read_text(init->sources.items, init->sources.count, &tokenizer, &init->documents, error);
        tokenizer_close(&tokenizer);
    }
    return status == STATUS_OK ? documents_check(&init->documents, init->model.vocabulary, error) : status;
}

/* Of this machine, for both stages: of the extension, and of the old window. */
static int measure_machine(struct init *init, struct error *error) {
    const int64_t lengths[STAGES] = {init->proposal.target, init->proposal.short_length};
    const struct kernels *kernels;
    int status = model_kernels(MODEL_AUTO, init->model.says_bf16, &kernels, error);
    for (int i = 0; i < STAGES && status == STATUS_OK; i++) {
        status = machine_rate_measure(&init->model, kernels, lengths[i], (int)init->options->threads, signals_caught(),
                                      &init->rates[i], error);
    }
    if (status == STATUS_STOPPED) error_set(error, status, "stopped by %s; nothing was written", signals_name());
    return status;
}

/* Seconds of a pass over a window. */
static double pass_seconds(const struct init *init, int stage, int64_t length) {
    double rate = init->options->rate * 1e9;
    return rate > 0.0 ? work_pass(&init->model, length) / rate
                      : machine_rate_seconds(&init->rates[stage], &init->model, length);
}

static int set_budget(struct init *init, struct error *error) {
    struct proposal *proposal = &init->proposal;
    int status = init->options->rate > 0.0 ? STATUS_OK : measure_machine(init, error);
    if (status != STATUS_OK) return status;
    proposal_set_budget(proposal, init->options->seconds, pass_seconds(init, 0, proposal->target),
                        pass_seconds(init, 1, proposal->short_length));
    return STATUS_OK;
}

static int propose(struct init *init, struct error *error) {
    const struct init_options *o = init->options;
    int status = model_read_config(o->model, &init->model, error);
    if (status == STATUS_OK) status = name_files(init, error);
    if (status == STATUS_OK) status = name_run(init, error);
    if (status == STATUS_OK) status = choose_output(init, error);
    if (status == STATUS_OK) status = check_output(init, error);
    if (status != STATUS_OK) return status;
    signals_end_at_once("nothing was written\n"); /* much text takes a while */
    status = read_documents(init, error);
    signals_end_at_once(NULL);
    if (status == STATUS_OK)
        status = proposal_set_lengths(&init->proposal, &init->model, &init->documents, o->target, error);
    return status == STATUS_OK ? set_budget(init, error) : status;
}

/* ---- the file ---- */

static int make_yaml(struct init *init, struct error *error) {
    FILE *out = open_memstream(&init->yaml, &init->yaml_size);
    bool whole = out && proposal_write(&init->proposal, out);
    whole = out && fclose(out) == 0 && whole;
    return whole ? STATUS_OK : error_memory(error, 0, "the configuration");
}

/* Reads the text as the search will: a file in memory, as nothing is written before it is known to be right. */
static int read_yaml(const struct init *init, struct config *out, struct error *error) {
    char path[40];
    int file = memfd_create("longrope.yaml", MFD_CLOEXEC);
    ssize_t written = file >= 0 ? write(file, init->yaml, init->yaml_size) : -1;
    int code = written < 0 ? errno : EFBIG; /* such a file has the limit of every file, and no other */
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int status = written == (ssize_t)init->yaml_size ? config_read(path, NULL, 0, out, error)
                                                     : atomic_output_failed(init->out, code, error);
    if (file >= 0) close(file);
    return status;
}

static int print_estimate(const struct init *init, const struct config *config, FILE *out, struct error *error) {
    struct estimate estimate = {0};
    const struct init_options *o = init->options;
    int status = estimate_make(config, config->name, (int)o->threads, &estimate, error);
    if (status == STATUS_OK && o->rate > 0.0) estimate_set_rate(&estimate, o->rate * 1e9);
    assert(status != STATUS_OK || estimate.stage_count == STAGES);
    if (status == STATUS_OK && !(o->rate > 0.0)) estimate_set_rates(&estimate, init->rates);
    if (status == STATUS_OK) estimate_print(&estimate, NULL, out);
    estimate_free(&estimate);
    return status;
}

static bool write_yaml(FILE *out, const void *what) {
    const struct init *init = what;
    return fwrite(init->yaml, 1, init->yaml_size, out) == init->yaml_size;
}

static void print_end(const struct init *init, FILE *out) {
    const struct proposal *p = &init->proposal;
    if (p->seconds > 1.05 * init->options->seconds) {
        fprintf(out,
                "\nThis is the least that is of use, and takes longer than --time. A shorter --target takes less, or a "
                "faster machine,\nor fewer 'samples' of stage recover, which takes %.0f %% of the time.\n",
                100.0 * p->recover_seconds / p->seconds);
    }
    if (output_path_is_stdout(init->out)) return;
    fputs("\nwrote ", out);
    text_print_word(out, init->out);
    fputs("; to search, run\n  longrope search ", out);
    text_print_word(out, init->out);
    fputc('\n', out);
}

static int write_file(struct init *init, struct error *error) {
    struct config config = {0};
    FILE *out = output_path_is_stdout(init->out) ? stderr : stdout;
    int status = read_yaml(init, &config, error);
    if (status == STATUS_OK) status = print_estimate(init, &config, out, error);
    if (status == STATUS_OK) {
        status = atomic_output_write_file(init->out, init->options->force, write_yaml, init, error);
    }
    if (status == STATUS_OK) print_end(init, out);
    config_free(&config);
    return status;
}

static int init_run(const void *options, struct error *error) {
    struct init init = {.options = options};
    int status = propose(&init, error);
    if (status == STATUS_OK) status = make_yaml(&init, error);
    if (status == STATUS_OK) status = write_file(&init, error);
    documents_free(&init.documents);
    string_list_free_copies(&init.proposal.files);
    string_list_free_copies(&init.sources);
    string_list_free_copies(&init.owned);
    free(init.yaml);
    return status;
}

const struct command init_command = {&init_option_table, init_run};
