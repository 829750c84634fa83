#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/model.h"
#include "eval/perplexity.h"
#include "search/commands.h"
#include "search/factors.h"
#include "search/json.h"
#include "search/npy.h"
#include "search/options.h"
#include "search/progress.h"

static const char usage[] =
    "usage: longrope eval --model DIR (--text FILE... | --tokens FILE.npy...) --length N[,N...]\n"
    "                     (--method NAME[,NAME...] | --factors FILE) [OPTIONS]\n"
    "\n"
    "Perplexity of a model on windows of N tokens, with its rotary frequencies rescaled.\n"
    "\n"
    "  --model DIR            config.json and model.safetensors, Hugging Face's llama\n"
    "  --text FILE...         documents as text, one token a byte\n"
    "  --tokens FILE.npy...   documents as one-dimensional integer arrays\n"
    "  --length N[,N...]      tokens of a window; N tokens give N-1 predictions\n"
    "  --method NAME[,...]    none, pi, ntk, dynamic-ntk, yarn\n"
    "  --factors FILE         a table: this program's JSON, a text file of numbers, or the numbers\n"
    "                         themselves, \"1.0,1.2,...\", one a rotary pair\n"
    "  --scale S              ratio s of the methods (default: N / the model's window, at least 1)\n"
    "  --original-length L0   window the model was trained on (default: as its config.json says)\n"
    "  --attention-factor M   multiplies cosine and sine (default: the method's own; for factors\n"
    "                         what the file says, else sqrt(1 + ln s / ln L0))\n"
    "  --start-tokens NHAT    positions below it are not rescaled (default: what the file says, else 0)\n"
    "  --samples K            windows to score: the beginning of each document that is long enough,\n"
    "                         then more, evenly over them (default: the beginnings)\n"
    "  --dtype auto|f32       arithmetic; auto is f32\n"
    "  --threads N            threads to compute with (default: all); results do not depend on it\n"
    "  --nats FILE.npy        also writes each token's nats, [windows][N-1] doubles; one length and\n"
    "                         one method only\n"
    "  --json                 one JSON object instead of the table\n"
    "\n"
    "  longrope eval --model configs/demo/model --text configs/demo/corpus/*.txt \\\n"
    "      --length 256,2048 --method none,pi,ntk,dynamic-ntk,yarn\n"
    "  longrope eval --model configs/demo/model --text configs/demo/corpus/*.txt \\\n"
    "      --length 2048 --factors results/demo/factors.json\n";

/* ---- the command line ---- */

enum { UNSET = -1 };

struct eval_options {
    char *model;
    struct words text, tokens, lengths, methods;
    char *factors;
    double scale, attention_factor;        /* UNSET: as the usage says */
    int64_t original_length, start_tokens; /* UNSET: as the usage says */
    int64_t samples, threads;              /* 0: as the usage says */
    char *nats;
    bool json, help;
};

static void options_free(struct eval_options *o) {
    free(o->text.items), free(o->tokens.items), free(o->lengths.items), free(o->methods.items);
}

static int check_type(const char *name, struct error *error) {
    if (strcmp(name, "auto") == 0 || strcmp(name, "f32") == 0) return STATUS_OK;
    if (strcmp(name, "bf16") == 0) {
        return error_set(error, STATUS_INPUT, "--dtype bf16: bf16 arithmetic is not supported yet; use f32");
    }
    return error_set(error, STATUS_INPUT, "--dtype: '%s' is neither auto nor f32", name);
}

enum option_key {
    KEY_MODEL = 256,
    KEY_TEXT,
    KEY_TOKENS,
    KEY_LENGTH,
    KEY_METHOD,
    KEY_FACTORS,
    KEY_SCALE,
    KEY_ORIGINAL_LENGTH,
    KEY_ATTENTION_FACTOR,
    KEY_START_TOKENS,
    KEY_SAMPLES,
    KEY_TYPE,
    KEY_THREADS,
    KEY_NATS,
    KEY_JSON
};

static const struct option long_options[] = {{"model", required_argument, NULL, KEY_MODEL},
                                             {"text", required_argument, NULL, KEY_TEXT},
                                             {"tokens", required_argument, NULL, KEY_TOKENS},
                                             {"length", required_argument, NULL, KEY_LENGTH},
                                             {"method", required_argument, NULL, KEY_METHOD},
                                             {"factors", required_argument, NULL, KEY_FACTORS},
                                             {"scale", required_argument, NULL, KEY_SCALE},
                                             {"original-length", required_argument, NULL, KEY_ORIGINAL_LENGTH},
                                             {"attention-factor", required_argument, NULL, KEY_ATTENTION_FACTOR},
                                             {"start-tokens", required_argument, NULL, KEY_START_TOKENS},
                                             {"samples", required_argument, NULL, KEY_SAMPLES},
                                             {"dtype", required_argument, NULL, KEY_TYPE},
                                             {"threads", required_argument, NULL, KEY_THREADS},
                                             {"nats", required_argument, NULL, KEY_NATS},
                                             {"json", no_argument, NULL, KEY_JSON},
                                             {"help", no_argument, NULL, 'h'},
                                             {0}};

static int take_option(struct eval_options *o, int key, struct error *error) {
    switch (key) {
    case KEY_MODEL:
        o->model = optarg;
        return STATUS_OK;
    case KEY_LENGTH:
        return words_split(&o->lengths, optarg, error);
    case KEY_METHOD:
        return words_split(&o->methods, optarg, error);
    case KEY_FACTORS:
        o->factors = optarg;
        return STATUS_OK;
    case KEY_SCALE:
        return option_number("scale", optarg, 1.0, 1e6, &o->scale, error);
    case KEY_ORIGINAL_LENGTH:
        return option_integer("original-length", optarg, 1, INT32_MAX, &o->original_length, error);
    case KEY_ATTENTION_FACTOR:
        return option_number("attention-factor", optarg, 1e-6, 1e6, &o->attention_factor, error);
    case KEY_START_TOKENS:
        return option_integer("start-tokens", optarg, 0, INT32_MAX, &o->start_tokens, error);
    case KEY_SAMPLES:
        return option_integer("samples", optarg, 1, 1000000, &o->samples, error);
    case KEY_TYPE:
        return check_type(optarg, error);
    case KEY_THREADS:
        return option_integer("threads", optarg, 1, 4096, &o->threads, error);
    case KEY_NATS:
        o->nats = optarg;
        return STATUS_OK;
    case KEY_JSON:
        o->json = true;
        return STATUS_OK;
    default:
        o->help = true;
        return STATUS_OK;
    }
}

/* `--text a b c`: getopt hands over b and c as arguments of their own, in place; they belong to the
 * list that was opened last. */
static int parse(int argc, char **argv, struct eval_options *o, struct error *error) {
    enum { PLAIN_ARGUMENT = 1 };
    struct words *list = NULL;
    int status = STATUS_OK;
    opterr = 0;
    for (int key; status == STATUS_OK && (key = getopt_long(argc, argv, "-:h", long_options, NULL)) != -1;) {
        if (key == '?' || key == ':') return option_unknown(argv, long_options, key, error);
        if (key == KEY_TEXT || key == KEY_TOKENS) list = key == KEY_TEXT ? &o->text : &o->tokens;
        if (key == KEY_TEXT || key == KEY_TOKENS || (key == PLAIN_ARGUMENT && list)) {
            status = words_add(list, optarg, error);
        } else if (key == PLAIN_ARGUMENT) {
            status = error_set(error, STATUS_INPUT, "'%s' belongs to no option; see longrope eval --help", optarg);
        } else {
            list = NULL;
            status = take_option(o, key, error);
        }
    }
    if (status == STATUS_OK && optind < argc) { /* after "--" */
        status = error_set(error, STATUS_INPUT, "'%s' belongs to no option; see longrope eval --help", argv[optind]);
    }
    return status;
}

static int check_options(const struct eval_options *o, struct error *error) {
    const char *wrong = !o->model                            ? "--model DIR is wanted"
                        : !o->text.count == !o->tokens.count ? "one of --text and --tokens is wanted"
                        : !o->lengths.count                  ? "--length N is wanted"
                        : !o->methods.count == !o->factors   ? "one of --method and --factors is wanted"
                        : o->nats && o->lengths.count > 1    ? "--nats goes with one --length"
                        : o->nats && o->methods.count > 1    ? "--nats goes with one --method"
                                                             : NULL;
    return wrong ? error_set(error, STATUS_INPUT, "%s; see longrope eval --help", wrong) : STATUS_OK;
}

static int check_methods(const struct eval_options *o, struct error *error) {
    enum rope_method known;
    for (size_t m = 0; m < o->methods.count; m++) {
        if (rope_method_parse(o->methods.items[m], &known)) continue;
        return error_set(error, STATUS_INPUT, "--method: '%s' is none of none, pi, ntk, dynamic-ntk, yarn",
                         o->methods.items[m]);
    }
    return STATUS_OK;
}

/* ---- the work ---- */

struct evaluation {
    const struct eval_options *options;
    struct model *model;
    struct documents documents;
    struct factor_file factors; /* count 0 where methods were asked for */
    struct forward *forward;
    json_t *results; /* with --json */
    bool headed;     /* the table has its heading */
};

/* What one row of the output says. */
struct result {
    const char *method;
    double scale, nats_per_token, seconds;
    size_t documents;
    const struct rope_table *table;
    const struct scoring *scoring;
};

static void evaluation_close(struct evaluation *e) {
    json_decref(e->results);
    forward_free(e->forward);
    factors_free(&e->factors);
    documents_free(&e->documents);
    model_free(e->model);
}

static int evaluation_open(struct evaluation *e, struct error *error) {
    const struct eval_options *o = e->options;
    int status = model_load(o->model, &e->model, error);
    if (status == STATUS_OK && o->text.count) {
        status = documents_read_text(o->text.items, o->text.count, &e->documents, error);
    } else if (status == STATUS_OK) {
        status = documents_read_npy(o->tokens.items, o->tokens.count, &e->documents, error);
    }
    if (status == STATUS_OK) status = documents_check(&e->documents, e->model->config.vocabulary, error);
    if (status == STATUS_OK && o->factors) status = factors_read(o->factors, &e->factors, error);
    struct forward_options forward = {.threads = (int)o->threads};
    if (status == STATUS_OK) status = forward_new(e->model, &forward, &e->forward, error);
    if (status == STATUS_OK && o->json && !(e->results = json_array())) status = error_memory(error, 0, "the results");
    return status;
}

static struct rope_setting setting_of(const struct evaluation *e, int64_t length) {
    const struct model_config *config = &e->model->config;
    int64_t original = e->options->original_length != UNSET ? e->options->original_length : config->window;
    double scale = e->options->scale != UNSET ? e->options->scale : fmax(1.0, (double)length / (double)original);
    return (struct rope_setting){.pairs = config->head_width / 2,
                                 .theta = config->rope_theta,
                                 .original_length = original,
                                 .scale = scale,
                                 .length = length};
}

/* The factor file's table for this length. */
static int table_of_file(const struct evaluation *e, struct rope_setting *setting, struct rope_table *table,
                         struct error *error) {
    const struct factor_entry *entry = factors_for_length(&e->factors, setting->length);
    if (entry->pairs != setting->pairs) {
        return error_set(error, STATUS_INPUT,
                         "%.200s: holds %" PRId64 " factors, but the model has %" PRId64 " rotary pairs (half its "
                         "head width)",
                         e->options->factors, entry->pairs, setting->pairs);
    }
    if (e->factors.rope_theta > 0.0 && e->factors.rope_theta != setting->theta) {
        return error_set(error, STATUS_INPUT,
                         "%.200s: was made for rope_theta %g, but the model has %g; its factors mean nothing there",
                         e->options->factors, e->factors.rope_theta, setting->theta);
    }
    if (entry->scale > 0.0 && e->options->scale == UNSET) setting->scale = entry->scale;
    rope_base(table, setting->pairs, setting->theta);
    memcpy(table->factors, entry->factors, sizeof table->factors);
    table->start_tokens = entry->start_tokens;
    table->attention_factor = entry->attention_factor > 0.0
                                  ? entry->attention_factor
                                  : rope_longrope_attention_factor(setting->scale, setting->original_length);
    return STATUS_OK;
}

static void print_heading(void) {
    printf("%9s  %-12s %8s %9s %6s %9s %10s %11s %11s %9s\n", "length", "method", "scale", "attention", "n_hat",
           "documents", "tokens", "nats/token", "perplexity", "seconds");
}

static void print_result(const struct result *r) {
    char nats[32] = "-", perplexity[32] = "-"; /* a single token predicts nothing */
    if (isfinite(r->nats_per_token)) {
        snprintf(nats, sizeof nats, "%.6f", r->nats_per_token);
        snprintf(perplexity, sizeof perplexity, "%.4f", exp(r->nats_per_token));
    }
    printf("%9" PRId64 "  %-12s %8.4g %9.4f %6" PRId64 " %9zu %10" PRId64 " %11s %11s %9.2f\n", r->scoring->length,
           r->method, r->scale, r->table->attention_factor, r->table->start_tokens, r->documents,
           scoring_tokens(r->scoring), nats, perplexity, r->seconds);
    fflush(stdout);
}

static json_t *result_json(const struct result *r) {
    return json_pack("{s:I, s:s, s:f, s:f, s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:f}", "length",
                     (json_int_t)r->scoring->length, "method", r->method, "scale", r->scale, "attention_factor",
                     r->table->attention_factor, "start_tokens", (json_int_t)r->table->start_tokens, "factors",
                     json_number_array(r->table->factors, r->table->pairs), "documents", (json_int_t)r->documents,
                     "samples", (json_int_t)r->scoring->count, "tokens", (json_int_t)scoring_tokens(r->scoring), "nll",
                     json_number_or_null(r->nats_per_token), "perplexity", json_number_or_null(exp(r->nats_per_token)),
                     "seconds", r->seconds);
}

static int score_table(struct evaluation *e, struct result *r, struct error *error) {
    const struct scoring *scoring = r->scoring;
    double *sample_nats = calloc(scoring->count, sizeof *sample_nats);
    double *token_nats = e->options->nats ? calloc((size_t)scoring_tokens(scoring) + 1, sizeof *token_nats) : NULL;
    int status = STATUS_OK;
    if (!sample_nats || (e->options->nats && !token_nats)) {
        status = error_memory(error, (double)scoring_tokens(scoring) * sizeof *token_nats, "the tokens' nats");
    }
    double began = seconds_now();
    if (status == STATUS_OK) status = perplexity_score(e->forward, r->table, scoring, sample_nats, token_nats, error);
    r->seconds = seconds_now() - began;
    if (status == STATUS_OK) r->nats_per_token = perplexity_mean_nats(scoring, sample_nats);
    if (status == STATUS_OK && token_nats) {
        status = npy_write(e->options->nats, token_nats, (int64_t)scoring->count, scoring->length - 1, error);
    }
    free(sample_nats);
    free(token_nats);
    return status;
}

/* The documents that the samples are of. Beginnings come first, one a document. */
static size_t documents_scored(const struct scoring *scoring) {
    size_t count = 0;
    while (count < scoring->count && scoring->samples[count].start == 0) count++;
    return count;
}

/* One row: `method` is a closed-form method's name, or NULL for the factor file. */
static int evaluate_method(struct evaluation *e, const struct scoring *scoring, const char *method,
                           struct error *error) {
    struct rope_setting setting = setting_of(e, scoring->length);
    struct rope_table table;
    enum rope_method known;
    if (method && rope_method_parse(method, &known)) {
        rope_closed_form(&table, known, &setting);
    } else {
        int status = table_of_file(e, &setting, &table, error);
        if (status != STATUS_OK) return status;
    }
    if (e->options->attention_factor != UNSET) table.attention_factor = e->options->attention_factor;
    if (e->options->start_tokens != UNSET) table.start_tokens = e->options->start_tokens;
    struct result result = {.method = method ? method : "factors",
                            .scale = setting.scale,
                            .documents = documents_scored(scoring),
                            .table = &table,
                            .scoring = scoring};
    int status = score_table(e, &result, error);
    if (status != STATUS_OK) return status;
    if (e->results) {
        json_array_append_new(e->results, result_json(&result));
    } else {
        if (!e->headed) print_heading();
        e->headed = true;
        print_result(&result);
    }
    return STATUS_OK;
}

/* The windows of one --length; the caller frees *samples, which `scoring` borrows. */
static int choose_windows(const struct evaluation *e, const char *text, struct scoring *scoring,
                          struct sample **samples, struct error *error) {
    *scoring = (struct scoring){.documents = &e->documents};
    int status = option_integer("length", text, 1, INT32_MAX, &scoring->length, error);
    if (status != STATUS_OK) return status;
    status =
        samples_choose(&e->documents, scoring->length, (size_t)e->options->samples, samples, &scoring->count, error);
    if (status == STATUS_OK) scoring->samples = *samples;
    return status;
}

/* Before any window is scored: a length beyond the documents would cost all that came before. */
static int check_lengths(const struct evaluation *e, struct error *error) {
    for (size_t l = 0; l < e->options->lengths.count; l++) {
        struct scoring scoring;
        struct sample *samples = NULL;
        int status = choose_windows(e, e->options->lengths.items[l], &scoring, &samples, error);
        free(samples);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static int evaluate_length(struct evaluation *e, const char *text, struct error *error) {
    struct scoring scoring;
    struct sample *samples = NULL;
    int status = choose_windows(e, text, &scoring, &samples, error);
    if (status == STATUS_OK && e->options->factors) status = evaluate_method(e, &scoring, NULL, error);
    for (size_t m = 0; m < e->options->methods.count && status == STATUS_OK; m++) {
        status = evaluate_method(e, &scoring, e->options->methods.items[m], error);
    }
    free(samples);
    return status;
}

static int evaluate(struct evaluation *e, struct error *error) {
    int status = evaluation_open(e, error);
    if (status == STATUS_OK) status = check_lengths(e, error);
    if (status != STATUS_OK) return status;
    for (size_t l = 0; l < e->options->lengths.count && status == STATUS_OK; l++) {
        status = evaluate_length(e, e->options->lengths.items[l], error);
    }
    if (status == STATUS_OK && e->results) {
        json_t *root = json_pack("{s:O}", "results", e->results);
        json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
        putchar('\n');
        json_decref(root);
    }
    return status;
}

int cmd_eval(int argc, char **argv, struct error *error) {
    struct eval_options options = {
        .scale = UNSET, .attention_factor = UNSET, .original_length = UNSET, .start_tokens = UNSET};
    struct evaluation evaluation = {.options = &options};
    int status = parse(argc, argv, &options, error);
    if (status == STATUS_OK && options.help) {
        fputs(usage, stdout);
    } else if (status == STATUS_OK) {
        status = check_options(&options, error);
        if (status == STATUS_OK) status = check_methods(&options, error);
        if (status == STATUS_OK) status = evaluate(&evaluation, error);
    }
    evaluation_close(&evaluation);
    options_free(&options);
    return status;
}
