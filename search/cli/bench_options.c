#include "search/cli/bench_options.h"

#include <inttypes.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"

#define AT(field) offsetof(struct bench_options, field)

enum { MOST_HEAD_WIDTH = 2 * ROPE_MAX_PAIRS };

/* The ranges are those within which config.json is read. */
static const struct option_row model_shape_rows[] = {
    {.name = "hidden",
     .kind = OPTION_INTEGER,
     .word = "N",
     .offset = AT(shape.hidden),
     .low = 1,
     .high = 1 << 20,
     .initial = "2048",
     .help = "width of the model"},
    {.name = "heads",
     .kind = OPTION_INTEGER,
     .word = "N",
     .offset = AT(shape.heads),
     .low = 1,
     .high = 1 << 13,
     .initial = "32",
     .help = "query heads"},
    {.name = "kv-heads",
     .kind = OPTION_INTEGER,
     .word = "N",
     .offset = AT(shape.kv_heads),
     .low = 1,
     .high = 1 << 13,
     .help = "key/value heads; a divisor of --heads (default: a quarter of --heads, or all)"},
    {.name = "head-dim",
     .kind = OPTION_INTEGER,
     .word = "N",
     .offset = AT(shape.head_width),
     .low = 2,
     .high = MOST_HEAD_WIDTH,
     .help = "width of a head, even (default: hidden / heads)"},
    {.name = "intermediate",
     .kind = OPTION_INTEGER,
     .word = "N",
     .offset = AT(shape.intermediate),
     .low = 1,
     .high = 1 << 22,
     .help = "width of the feed-forward layer (default: 11/4 of hidden)"},
    {.name = "layers",
     .kind = OPTION_INTEGER,
     .word = "N",
     .offset = AT(shape.layers),
     .low = 1,
     .high = 1 << 12,
     .initial = "4",
     .help = "number of layers; kernel rates are measured on one layer"},
    {.name = "vocabulary",
     .kind = OPTION_INTEGER,
     .word = "N",
     .offset = AT(shape.vocabulary),
     .low = 1,
     .high = 1 << 24,
     .initial = "32000",
     .help = "number of different tokens"},
};

static const struct option_row measurement_rows[] = {
    {.name = "length",
     .kind = OPTION_INTEGERS,
     .word = "N[,N...]",
     .offset = AT(lengths),
     .low = 2,
     .high = 1 << 30,
     .initial = "2048",
     .help = "tokens per window"},
    {.name = "dtype",
     .kind = OPTION_NAME,
     .word = "TYPE",
     .offset = AT(type),
     .names = model_type_names,
     .name_count = MODEL_TYPES,
     .what = "number type",
     .help = "number type of matrix products; auto is bf16 if the processor has instructions for it, else f32 "
             "(default: f32 and bf16)"},
    {.name = "kernels",
     .kind = OPTION_WORDS,
     .word = "NAME[,NAME...]",
     .offset = AT(kernels),
     .help = "kernels to measure, including whole evaluations (default: those that LONGROPE_KERNELS names; else the "
             "rates of all kernels except the reference, and whole evaluations with the fastest kernels, which eval "
             "and search use)"},
    {.name = "threads",
     .kind = OPTION_INTEGER,
     .word = "N",
     .offset = AT(threads),
     .low = 1,
     .high = 4096,
     .help = "number of threads (default: all)"},
    {.name = "seconds",
     .kind = OPTION_NUMBER,
     .word = "S",
     .offset = AT(seconds),
     .least = 1e-3,
     .most = 3600.0,
     .initial = "0.5",
     .help = "time per measurement, unless a single pass takes longer"},
    {.name = "json", .kind = OPTION_FLAG, .offset = AT(json), .help = "prints one JSON object instead of tables"},
};

static const struct option_group groups[] = {
    OPTION_GROUP("Model", model_shape_rows, 0),
    OPTION_GROUP("Measurement", measurement_rows, 0),
};

static const char *const usage[] = {"[OPTION]...", NULL};

static const char *const examples[] = {
    "longrope bench", "longrope bench --dtype bf16 --length 2048,32768",
    "longrope bench --hidden 4096 --heads 32 --intermediate 14336 --vocabulary 128256 --layers 2", NULL};

/* ---- The shape ---- */

static int set_head_width(struct model_config *shape, struct error *error) {
    if (shape->head_width) return STATUS_OK;
    shape->head_width = shape->hidden / shape->heads;
    if (shape->hidden % shape->heads == 0 && shape->head_width >= 2 && shape->head_width <= MOST_HEAD_WIDTH) {
        return STATUS_OK;
    }
    return error_set(error, STATUS_INPUT,
                     "--hidden (%" PRId64 ") divided by --heads (%" PRId64
                     ") is not a head width, an integer within 2..%d; give --head-dim",
                     shape->hidden, shape->heads, MOST_HEAD_WIDTH);
}

static int complete_shape(struct bench_options *o, struct error *error) {
    struct model_config *shape = &o->shape;
    int status = set_head_width(shape, error);
    if (status != STATUS_OK) return status;
    if (!shape->kv_heads) shape->kv_heads = shape->heads % 4 ? shape->heads : shape->heads / 4;
    if (!shape->intermediate) shape->intermediate = (shape->hidden * 11 + 3) / 4;
    if (shape->head_width % 2) {
        return error_set(error, STATUS_INPUT,
                         "--head-dim: a head is %" PRId64 " wide, which is odd; rotary embeddings need an even number",
                         shape->head_width);
    }
    if (shape->heads % shape->kv_heads) {
        return error_set(error, STATUS_INPUT, "--heads (%" PRId64 ") must be a multiple of --kv-heads (%" PRId64 ")",
                         shape->heads, shape->kv_heads);
    }
    shape->rope = rope_model_plain(shape->head_width / 2, 10000.0);
    for (size_t l = 0; l < o->lengths.count; l++) {
        if (o->lengths.items[l] > shape->window) shape->window = o->lengths.items[l];
    }
    return STATUS_OK;
}

/* ---- Kernels ---- */

enum { MOST_NAMES = 32 }; /* there are about six kernel sets per number type */

/* Adds the names of a type's kernels that are not in the list yet. */
static size_t add_names(enum number_type type, const char *names[MOST_NAMES], size_t count) {
    for (const struct kernels *const *set = kernels_available(type); *set && count < MOST_NAMES; set++) {
        if (name_find(names, count, (*set)->name) == NAME_UNKNOWN) names[count++] = (*set)->name;
    }
    return count;
}

static int take_environment(struct bench_options *o, struct error *error) {
    char *name = getenv("LONGROPE_KERNELS");
    return name && *name ? string_list_add(&o->kernels, name, error) : STATUS_OK;
}

static int check_kernels(struct bench_options *o, struct error *error) {
    const char *names[MOST_NAMES], *where = o->kernels.count ? "--kernels: " : "LONGROPE_KERNELS: ";
    const char *types = !o->bf16 ? "f32" : !o->f32 ? "bf16" : "f32 or bf16";
    char list[256];
    int status = o->kernels.count ? STATUS_OK : take_environment(o, error);
    size_t count = o->f32 ? add_names(NUMBER_F32, names, 0) : 0;
    if (o->bf16) count = add_names(NUMBER_BF16, names, count);
    name_list(names, count, "or", list, sizeof list);
    for (size_t i = 0; i < o->kernels.count && status == STATUS_OK; i++) {
        if (name_find(names, count, o->kernels.items[i]) != NAME_UNKNOWN) continue;
        status = error_set(error, STATUS_INPUT, "%skernels '%s' are not available for %s on this processor; choose %s",
                           where, o->kernels.items[i], types, list);
    }
    return status;
}

/* ---- All of it ---- */

static void set_types(struct bench_options *o) {
    bool both = o->type == NAME_UNKNOWN;
    o->bf16 = both || o->type == MODEL_BF16 || (o->type == MODEL_AUTO && kernels_bf16_is_fast());
    o->f32 = both || !o->bf16;
}

static int check(const struct option_table *table, void *options, struct error *error) {
    struct bench_options *o = options;
    if (o->lengths.count > BENCH_MOST_LENGTHS) {
        return options_wrong(table, error, "--length has %zu values, more than the %d that can be measured at a time",
                             o->lengths.count, BENCH_MOST_LENGTHS);
    }
    set_types(o);
    if (!o->threads) o->threads = omp_get_max_threads();
    int status = complete_shape(o, error);
    return status == STATUS_OK ? check_kernels(o, error) : status;
}

static const struct bench_options initial = {.shape = {.family = "llama", .norm_eps = 1e-5}, .type = NAME_UNKNOWN};

const struct option_table bench_option_table = {
    .command = "bench",
    .summary = "measures how fast this machine evaluates a model",
    .usage = usage,
    .text =
        "Measures a model of random weights that is made in memory: first the rates of matrix products and of "
        "attention with each kernel set, on one thread and on all threads; then whole evaluations, and their share "
        "of the best product's rate. No file is read or written.\n"
        "GFLOP/s are 10^9 operations per second; a multiply-add is two operations. Only matrix products and attention "
        "over visible keys are counted. The rate of products is that of the fastest matrix. Rates and seconds are the "
        "best of several passes; evaluations have one more pass first, to warm up. As in a search, the queries, keys "
        "and values of the first layer are computed before and not counted. The time of products and of attention in "
        "an evaluation is estimated from their rates; the rest is the remainder, which can be negative if passes "
        "differ.",
    .groups = groups,
    .group_count = sizeof groups / sizeof *groups,
    .examples = examples,
    .stopped = "stopped by a signal; rows that were printed are complete",
    .size = sizeof(struct bench_options),
    .initial = &initial,
    .check = check,
};
