#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/base/output_stream.h"
#include "search/base/progress.h"
#include "search/base/signals.h"
#include "search/cli/bench_options.h"
#include "search/cli/commands.h"
#include "search/measure/bench.h"

/* The rates of a kernel set on some number of threads, in operations per second. */
struct rates {
    int threads;
    double products[WORK_MATRICES];
    double best_product;
    double attention[BENCH_MOST_LENGTHS];
};

/* A kernel set to measure. */
struct contender {
    const struct kernels *kernels;
    bool evaluates;     /* also measure whole evaluations */
    struct rates rates; /* on all threads */
};

enum { MOST_CONTENDERS = 32 }; /* there are about six kernel sets for each of two types */

struct bench {
    const struct bench_options *options;
    struct contender contenders[MOST_CONTENDERS];
    size_t contender_count;
    struct progress progress;    /* of all rates, or of the current evaluation */
    size_t measured;             /* number of rates so far */
    json_t *rates, *evaluations; /* with --json */
};

/* A whole evaluation that was measured. */
struct evaluated {
    const struct contender *contender;
    size_t length_index; /* in --length */
    struct bench_passes passes;
};

/* ---- Contenders ---- */

/* Without names: all sets except the reference, which comes first; only the last one, the fastest, evaluates. */
static void add_contenders(struct bench *b, enum number_type type) {
    const struct string_list *names = &b->options->kernels;
    const struct kernels *const *sets = kernels_available(type);
    for (size_t i = 0; sets[i] && b->contender_count < MOST_CONTENDERS; i++) {
        if (names->count ? !string_list_has(names, sets[i]->name) : i == 0) continue;
        b->contenders[b->contender_count++] =
            (struct contender){.kernels = sets[i], .evaluates = names->count || !sets[i + 1]};
    }
}

/* ---- Measuring ---- */

static void pass_advanced(void *state, int64_t passes, double fraction) {
    struct bench *b = state;
    if ((size_t)passes >= b->progress.planned) b->progress.planned = (size_t)passes + 1;
    b->progress.done = (size_t)passes;
    progress_within(&b->progress, fraction);
}

/* A large model takes minutes. */
static int make_model(const struct bench *b, const struct model_config *shape, const struct kernels *kernels,
                      struct model **out, struct error *error) {
    signals_end_at_once(b->options->json ? "nothing was printed\n" : "rows that were printed are complete\n");
    int status = bench_model(shape, kernels, out, error);
    signals_end_at_once(NULL);
    return status;
}

static struct bench_setting setting_of(struct bench *b, int threads) {
    return (struct bench_setting){.threads = threads,
                                  .seconds = b->options->seconds,
                                  .stop = signals_caught(),
                                  .progress = pass_advanced,
                                  .progress_state = b};
}

static void rate_measured(struct bench *b, const struct kernels *kernels) {
    char what[64];
    snprintf(what, sizeof what, "%s %s", number_type_name(kernels->type), kernels->name);
    progress_step(&b->progress, ++b->measured, what, false);
}

static int measure_rates(struct bench *b, const struct model *model, int threads, struct rates *out,
                         struct error *error) {
    const struct bench_setting setting = setting_of(b, threads);
    *out = (struct rates){.threads = threads};
    int status = bench_products(model, &setting, out->products, error);
    for (int i = 0; i < WORK_MATRICES; i++) {
        if (out->products[i] > out->best_product) out->best_product = out->products[i];
    }
    if (status == STATUS_OK) rate_measured(b, model->kernels);
    for (size_t l = 0; l < b->options->lengths.count && status == STATUS_OK; l++) {
        status = bench_attention(model, b->options->lengths.items[l], &setting, &out->attention[l], error);
        if (status == STATUS_OK) rate_measured(b, model->kernels);
    }
    return status;
}

/* ---- Text ---- */

static void print_rates_heading(const struct bench_options *o) {
    const struct model_config *s = &o->shape;
    printf("hidden %" PRId64 ", %" PRId64 " query and %" PRId64 " key/value heads of %" PRId64 ", intermediate %" PRId64
           ", layers %" PRId64 ", vocabulary %" PRId64 "\n",
           s->hidden, s->heads, s->kv_heads, s->head_width, s->intermediate, s->layers, s->vocabulary);
    printf("\nGFLOP/s of the fastest matrix product, and of attention by window length in tokens\n");
    printf("%-5s  %-11s %7s %9s", "dtype", "kernels", "threads", "product");
    for (size_t l = 0; l < o->lengths.count; l++) printf(" %9" PRId64, o->lengths.items[l]);
    putchar('\n');
}

static void print_rates(const struct bench_options *o, const struct kernels *kernels, const struct rates *r) {
    printf("%-5s  %-11s %7d %9.1f", number_type_name(kernels->type), kernels->name, r->threads, r->best_product * 1e-9);
    for (size_t l = 0; l < o->lengths.count; l++) printf(" %9.1f", r->attention[l] * 1e-9);
    putchar('\n');
}

static void print_evaluations_heading(const struct bench_options *o) {
    printf("\nwhole evaluations on all threads (%" PRId64 "): share of the product's rate, and shares of time\n",
           o->threads);
    printf("%-5s  %-11s %8s %10s %9s %6s %8s %8s %6s %9s %10s %6s\n", "dtype", "kernels", "length", "tokens/s",
           "GFLOP/s", "share", "seconds", "median", "passes", "products", "attention", "rest");
}

/* ---- Results of an evaluation ---- */

/* The results of one evaluation. */
struct outcome {
    int64_t length, tokens;                        /* tokens that are predicted */
    double work, rate;                             /* operations, and operations per second */
    double of_best;                                /* rate / the best product's rate */
    double product_share, attention_share, others; /* shares of the best pass's time */
};

static struct outcome outcome_of(const struct bench *b, const struct evaluated *e) {
    const struct model_config *shape = &b->options->shape;
    const struct rates *rates = &e->contender->rates;
    int64_t length = b->options->lengths.items[e->length_index];
    double attention = work_attention(shape, length), seconds = e->passes.best, products = 0.0;
    struct work_matrix matrices[WORK_MATRICES];
    work_matrices(shape, matrices);
    for (int i = 0; i < WORK_MATRICES; i++) {
        double work =
            2.0 * (double)(length - 1) * matrices[i].uses * (double)matrices[i].outputs * (double)matrices[i].inputs;
        products += work / rates->products[i];
    }
    struct outcome out = {.length = length,
                          .tokens = length - 1,
                          .work = work_products(shape, length) + attention,
                          .product_share = products / seconds,
                          .attention_share = attention / rates->attention[e->length_index] / seconds};
    out.rate = out.work / seconds;
    out.of_best = out.rate / rates->best_product;
    out.others = 1.0 - out.product_share - out.attention_share;
    return out;
}

static void print_evaluation(const struct bench *b, const struct evaluated *e) {
    const struct kernels *kernels = e->contender->kernels;
    struct outcome o = outcome_of(b, e);
    printf("%-5s  %-11s %8" PRId64 " %10.1f %9.1f %6.2f %8.4g %8.4g %6" PRId64 " %7.0f %% %8.0f %% %4.0f %%\n",
           number_type_name(kernels->type), kernels->name, o.length, (double)o.tokens / e->passes.best, o.rate * 1e-9,
           o.of_best, e->passes.best, e->passes.median, e->passes.count, 100.0 * o.product_share,
           100.0 * o.attention_share, 100.0 * o.others);
}

/* ---- JSON ---- */

static json_t *products_json(const struct model_config *shape, const struct rates *r) {
    struct work_matrix matrices[WORK_MATRICES];
    work_matrices(shape, matrices);
    json_t *array = json_array();
    for (int i = 0; i < WORK_MATRICES; i++) {
        json_array_append_new(array, json_pack("{s:s, s:I, s:I, s:f}", "matrix", matrices[i].name, "outputs",
                                               (json_int_t)matrices[i].outputs, "inputs",
                                               (json_int_t)matrices[i].inputs, "gflops", r->products[i] * 1e-9));
    }
    return array;
}

static json_t *attention_json(const struct bench_options *o, const struct rates *r) {
    json_t *array = json_array();
    for (size_t l = 0; l < o->lengths.count; l++) {
        json_array_append_new(array, json_pack("{s:I, s:f}", "length", (json_int_t)o->lengths.items[l], "gflops",
                                               r->attention[l] * 1e-9));
    }
    return array;
}

static json_t *rates_json(const struct bench_options *o, const struct kernels *kernels, const struct rates *r) {
    return json_pack("{s:s, s:s, s:i, s:f, s:o, s:o}", "dtype", number_type_name(kernels->type), "kernels",
                     kernels->name, "threads", r->threads, "product_gflops", r->best_product * 1e-9, "products",
                     products_json(&o->shape, r), "attention", attention_json(o, r));
}

static json_t *evaluation_json(const struct bench *b, const struct evaluated *e) {
    const struct kernels *kernels = e->contender->kernels;
    struct outcome o = outcome_of(b, e);
    return json_pack("{s:I, s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:{s:f, s:f, s:f}}", "length",
                     (json_int_t)o.length, "dtype", number_type_name(kernels->type), "kernels", kernels->name,
                     "threads", (json_int_t)b->options->threads, "tokens", (json_int_t)o.tokens, "tokens_per_second",
                     (double)o.tokens / e->passes.best, "flops", o.work, "gflops", o.rate * 1e-9, "share_of_product",
                     o.of_best, "seconds", e->passes.best, "median_seconds", e->passes.median, "passes",
                     (json_int_t)e->passes.count, "time_shares", "products", o.product_share, "attention",
                     o.attention_share, "rest", o.others);
}

static json_t *shape_json(const struct model_config *s) {
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "hidden", (json_int_t)s->hidden, "heads",
                     (json_int_t)s->heads, "kv_heads", (json_int_t)s->kv_heads, "head_dim", (json_int_t)s->head_width,
                     "intermediate", (json_int_t)s->intermediate, "layers", (json_int_t)s->layers, "vocabulary",
                     (json_int_t)s->vocabulary);
}

static int print_json(const struct bench *b, struct error *error) {
    json_t *root = json_pack("{s:o, s:I, s:f, s:O, s:O}", "shape", shape_json(&b->options->shape), "threads",
                             (json_int_t)b->options->threads, "seconds", b->options->seconds, "rates", b->rates,
                             "evaluations", b->evaluations);
    if (!root) return error_memory(error, 0, "the results");
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(root);
    return STATUS_OK;
}

/* ---- Rates ---- */

/* After a result: what is printed is written, and what is kept until the end can still be. */
static int check_stdout(const struct bench *b, struct error *error) {
    return b->options->json ? output_stream_check(stdout, error) : output_stream_flush(stdout, error);
}

static int show_rates(struct bench *b, const struct kernels *kernels, const struct rates *rates, struct error *error) {
    progress_clear(&b->progress);
    if (b->rates) {
        json_array_append_new(b->rates, rates_json(b->options, kernels, rates));
    } else {
        print_rates(b->options, kernels, rates);
    }
    return check_stdout(b, error);
}

/* Measures on one thread, and on all threads if there are more. */
static int rate_contender(struct bench *b, struct contender *contender, struct error *error) {
    struct model_config one_layer = b->options->shape;
    struct model *model = NULL;
    struct rates single;
    one_layer.layers = 1;
    int status = make_model(b, &one_layer, contender->kernels, &model, error);
    if (status == STATUS_OK && b->options->threads > 1) {
        status = measure_rates(b, model, 1, &single, error);
        if (status == STATUS_OK) status = show_rates(b, contender->kernels, &single, error);
    }
    if (status == STATUS_OK) {
        status = measure_rates(b, model, (int)b->options->threads, &contender->rates, error);
        if (status == STATUS_OK) status = show_rates(b, contender->kernels, &contender->rates, error);
    }
    model_free(model);
    return status;
}

static int rate_all(struct bench *b, struct error *error) {
    int status = STATUS_OK;
    size_t each = (b->options->threads > 1 ? 2 : 1) * (1 + b->options->lengths.count);
    progress_begin(&b->progress, "rates", "measurements", 0, b->contender_count * each);
    for (size_t i = 0; i < b->contender_count && status == STATUS_OK; i++) {
        status = rate_contender(b, &b->contenders[i], error);
    }
    progress_clear(&b->progress);
    return status;
}

/* ---- Whole evaluations ---- */

static int evaluate_length(struct bench *b, const struct model *model, struct evaluated *e, struct error *error) {
    const struct bench_setting setting = setting_of(b, (int)b->options->threads);
    int64_t length = b->options->lengths.items[e->length_index];
    char title[64];
    snprintf(title, sizeof title, "%s %s at %" PRId64 " tokens", number_type_name(model->kernels->type),
             model->kernels->name, length);
    progress_begin(&b->progress, title, "passes", 0, 2); /* to warm up, and at least one that counts */
    int status = bench_passes(model, length, &setting, &e->passes, error);
    progress_clear(&b->progress);
    if (status == STATUS_OK && b->evaluations) json_array_append_new(b->evaluations, evaluation_json(b, e));
    if (status == STATUS_OK && !b->evaluations) print_evaluation(b, e);
    return status == STATUS_OK ? check_stdout(b, error) : status;
}

static int evaluate_contender(struct bench *b, const struct contender *contender, struct error *error) {
    struct model *model = NULL;
    int status = make_model(b, &b->options->shape, contender->kernels, &model, error);
    for (size_t l = 0; l < b->options->lengths.count && status == STATUS_OK; l++) {
        struct evaluated evaluated = {.contender = contender, .length_index = l};
        status = evaluate_length(b, model, &evaluated, error);
    }
    model_free(model);
    return status;
}

static int evaluate_all(struct bench *b, struct error *error) {
    int status = STATUS_OK;
    for (size_t i = 0; i < b->contender_count && status == STATUS_OK; i++) {
        if (b->contenders[i].evaluates) status = evaluate_contender(b, &b->contenders[i], error);
    }
    return status;
}

/* ---- All of it ---- */

static int bench(struct bench *b, struct error *error) {
    const struct bench_options *o = b->options;
    if (o->f32) add_contenders(b, NUMBER_F32);
    if (o->bf16) add_contenders(b, NUMBER_BF16);
    if (o->json && !((b->rates = json_array()) && (b->evaluations = json_array()))) {
        return error_memory(error, 0, "the results");
    }
    int status = output_stream_check(stdout, error);
    if (status == STATUS_OK && !o->json) {
        print_rates_heading(o);
        status = output_stream_flush(stdout, error);
    }
    if (status == STATUS_OK) status = rate_all(b, error);
    if (status == STATUS_OK && !o->json) print_evaluations_heading(o);
    if (status == STATUS_OK) status = evaluate_all(b, error);
    if (status == STATUS_STOPPED) {
        return error_set(error, status, "stopped by %s; %s", signals_name(),
                         o->json ? "nothing was printed" : "rows that were printed are complete");
    }
    return status == STATUS_OK && o->json ? print_json(b, error) : status;
}

static int bench_run(const void *options, struct error *error) {
    struct bench state = {.options = options};
    int status = bench(&state, error);
    json_decref(state.rates);
    json_decref(state.evaluations);
    return status;
}

const struct command bench_command = {&bench_option_table, bench_run};
