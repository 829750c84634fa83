#include "search/cli/bench_options.h"

#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"
#include "search/base/text.h"

const char bench_usage[] =
    "usage: longrope bench [OPTIONS]\n"
    "\n"
    "How fast this machine evaluates, on a model of random weights made in memory: first the rates of\n"
    "matrix products and of attention with each set of kernels, on one thread and on all; then whole\n"
    "evaluations, and how much of the best product's rate they reach. No file is read or written.\n"
    "\n"
    "  --length N[,N...]   tokens of a window (default: 2048)\n"
    "  --hidden N          width of the model (default: 2048)\n"
    "  --heads N           query heads (default: 32)\n"
    "  --kv-heads N        key/value heads; divides --heads (default: a quarter of them, or all)\n"
    "  --head-dim N        width of a head, even (default: hidden / heads)\n"
    "  --intermediate N    width of the feed-forward layer (default: 11/4 of hidden)\n"
    "  --layers N          layers; rates are those of one (default: 4)\n"
    "  --vocabulary N      tokens that there are (default: 32000)\n"
    "  --dtype auto|f32|bf16\n"
    "                      what products multiply; auto is bf16 where the processor is made for it, else\n"
    "                      f32 (default: f32 and bf16)\n"
    "  --kernels NAME[,..] instruction sets to measure, in whole evaluations, too (default: the rates of\n"
    "                      all but the reference, whole evaluations with the fastest, the one that eval\n"
    "                      and search run; or what LONGROPE_KERNELS names)\n"
    "  --threads N         threads to compute with (default: all)\n"
    "  --seconds S         time that each measurement takes, if one try takes no longer (default: 0.5)\n"
    "  --json              one JSON object instead of the tables\n"
    "\n"
    "GFLOP/s are 10^9 operations a second, two a multiply-add: those of matrices and of attention over the\n"
    "keys that are seen, nothing else. A product's rate is that of the matrix that does best. Rates and\n"
    "seconds are the best of several tries, evaluations after one that warms up. A search scores most\n"
    "tables that way: what depends on the tokens alone, the first layer's queries, keys and values, is\n"
    "there already and not counted. Of an evaluation's time, what products and attention take is estimated\n"
    "by their rates; the rest is what remains, and may come out below zero where tries differ.\n"
    "\n"
    "  longrope bench\n"
    "  longrope bench --dtype bf16 --length 2048,32768\n"
    "  longrope bench --hidden 4096 --heads 32 --intermediate 14336 --vocabulary 128256 --layers 2\n";

/* ---- Options ---- */

enum { MOST_HEAD_WIDTH = 2 * ROPE_MAX_PAIRS };

enum option_key {
    KEY_LENGTH = 256,
    KEY_HIDDEN,
    KEY_HEADS,
    KEY_KV_HEADS,
    KEY_HEAD_DIM,
    KEY_INTERMEDIATE,
    KEY_LAYERS,
    KEY_VOCABULARY,
    KEY_TYPE,
    KEY_KERNELS,
    KEY_THREADS,
    KEY_SECONDS,
    KEY_JSON
};

static const struct option long_options[] = {{"length", required_argument, NULL, KEY_LENGTH},
                                             {"hidden", required_argument, NULL, KEY_HIDDEN},
                                             {"heads", required_argument, NULL, KEY_HEADS},
                                             {"kv-heads", required_argument, NULL, KEY_KV_HEADS},
                                             {"head-dim", required_argument, NULL, KEY_HEAD_DIM},
                                             {"intermediate", required_argument, NULL, KEY_INTERMEDIATE},
                                             {"layers", required_argument, NULL, KEY_LAYERS},
                                             {"vocabulary", required_argument, NULL, KEY_VOCABULARY},
                                             {"dtype", required_argument, NULL, KEY_TYPE},
                                             {"kernels", required_argument, NULL, KEY_KERNELS},
                                             {"threads", required_argument, NULL, KEY_THREADS},
                                             {"seconds", required_argument, NULL, KEY_SECONDS},
                                             {"json", no_argument, NULL, KEY_JSON},
                                             {"help", no_argument, NULL, 'h'},
                                             {0}};

static int read_lengths(struct bench_options *o, char *text, struct error *error) {
    struct string_list words = {0};
    int status = string_list_split(&words, text, error);
    if (status == STATUS_OK && words.count > BENCH_MOST_LENGTHS) {
        status = error_set(error, STATUS_INPUT, "--length: %zu are too many; %d can be measured at a time", words.count,
                           BENCH_MOST_LENGTHS);
    }
    for (size_t i = 0; i < words.count && status == STATUS_OK; i++) {
        status = option_integer("length", words.items[i], 2, 1 << 30, &o->lengths[i], error);
    }
    o->length_count = (int64_t)words.count;
    free(words.items);
    return status;
}

static int read_types(struct bench_options *o, const char *text, struct error *error) {
    int type = name_find(model_type_names, MODEL_TYPES, text);
    if (type == NAME_UNKNOWN) return name_unknown("--dtype", "number type", text, model_type_names, MODEL_TYPES, error);
    o->bf16 = type == MODEL_BF16 || (type == MODEL_AUTO && kernels_bf16_is_fast());
    o->f32 = !o->bf16;
    return STATUS_OK;
}

/* Bounds are those that models are read within. */
static int take_option(struct bench_options *o, int key, struct error *error) {
    struct model_config *shape = &o->shape;
    switch (key) {
    case KEY_LENGTH:
        return read_lengths(o, optarg, error);
    case KEY_HIDDEN:
        return option_integer("hidden", optarg, 1, 1 << 20, &shape->hidden, error);
    case KEY_HEADS:
        return option_integer("heads", optarg, 1, 1 << 13, &shape->heads, error);
    case KEY_KV_HEADS:
        return option_integer("kv-heads", optarg, 1, 1 << 13, &shape->kv_heads, error);
    case KEY_HEAD_DIM:
        return option_integer("head-dim", optarg, 2, MOST_HEAD_WIDTH, &shape->head_width, error);
    case KEY_INTERMEDIATE:
        return option_integer("intermediate", optarg, 1, 1 << 22, &shape->intermediate, error);
    case KEY_LAYERS:
        return option_integer("layers", optarg, 1, 1 << 12, &shape->layers, error);
    case KEY_VOCABULARY:
        return option_integer("vocabulary", optarg, 1, 1 << 24, &shape->vocabulary, error);
    case KEY_TYPE:
        return read_types(o, optarg, error);
    case KEY_KERNELS:
        return string_list_split(&o->kernels, optarg, error);
    case KEY_THREADS:
        return option_integer("threads", optarg, 1, 4096, &o->threads, error);
    case KEY_SECONDS:
        return option_number("seconds", optarg, 1e-3, 3600.0, &o->seconds, error);
    case KEY_JSON:
        o->json = true;
        return STATUS_OK;
    default:
        o->help = true;
        return STATUS_OK;
    }
}

static int parse(int argc, char **argv, struct bench_options *o, struct error *error) {
    int status = STATUS_OK;
    opterr = 0;
    for (int key; status == STATUS_OK && (key = getopt_long(argc, argv, "+:h", long_options, NULL)) != -1;) {
        if (key == '?' || key == ':') return option_unknown(argv, long_options, key, error);
        status = take_option(o, key, error);
    }
    if (status == STATUS_OK && optind < argc) {
        status = error_set(error, STATUS_INPUT, "'%s' belongs to no option; see longrope bench --help", argv[optind]);
    }
    return status;
}

/* ---- The shape ---- */

static int default_head_width(struct model_config *shape, struct error *error) {
    if (shape->head_width) return STATUS_OK;
    shape->head_width = shape->hidden / shape->heads;
    if (shape->hidden % shape->heads == 0 && shape->head_width >= 2 && shape->head_width <= MOST_HEAD_WIDTH) {
        return STATUS_OK;
    }
    return error_set(error, STATUS_INPUT,
                     "--hidden (%" PRId64 ") divided by --heads (%" PRId64
                     ") is no width of a head, a whole number within 2..%d; say it with --head-dim",
                     shape->hidden, shape->heads, MOST_HEAD_WIDTH);
}

static int complete_shape(struct bench_options *o, struct error *error) {
    struct model_config *shape = &o->shape;
    int status = default_head_width(shape, error);
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
    for (int64_t l = 0; l < o->length_count; l++) {
        if (o->lengths[l] > shape->window) shape->window = o->lengths[l];
    }
    return STATUS_OK;
}

/* ---- Kernels ---- */

static bool is_available(enum number_type type, const char *name) {
    for (const struct kernels *const *table = kernels_available(type); *table; table++) {
        if (strcmp((*table)->name, name) == 0) return true;
    }
    return false;
}

/* Names of both types' tables, each once, after each other. */
static void list_names(const struct bench_options *o, char *out, size_t size) {
    size_t used = 0;
    for (int pass = 0; pass < 2; pass++) {
        enum number_type type = pass ? NUMBER_BF16 : NUMBER_F32;
        if (!(pass ? o->bf16 : o->f32)) continue;
        for (const struct kernels *const *table = kernels_available(type); *table && used < size; table++) {
            if (pass && o->f32 && is_available(NUMBER_F32, (*table)->name)) continue;
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", (*table)->name);
        }
    }
}

static int check_kernels(struct bench_options *o, struct error *error) {
    char *wanted = getenv("LONGROPE_KERNELS");
    bool given = o->kernels.count > 0;
    if (!given && wanted && *wanted) {
        int status = string_list_add(&o->kernels, wanted, error);
        if (status != STATUS_OK) return status;
    }
    for (size_t i = 0; i < o->kernels.count; i++) {
        const char *name = o->kernels.items[i];
        if ((o->f32 && is_available(NUMBER_F32, name)) || (o->bf16 && is_available(NUMBER_BF16, name))) continue;
        char names[128] = "";
        list_names(o, names, sizeof names);
        return error_set(error, STATUS_INPUT, "%s%s: not to be had for %s on this processor, which runs %s",
                         given ? "--kernels " : "LONGROPE_KERNELS=", name,
                         !o->bf16  ? "f32"
                         : !o->f32 ? "bf16"
                                   : "f32 or bf16",
                         names);
    }
    return STATUS_OK;
}

/* ---- All of it ---- */

int bench_options_read(int argc, char **argv, struct bench_options *out, struct error *error) {
    *out = (struct bench_options){
        .shape = {.family = "llama", .vocabulary = 32000, .hidden = 2048, .layers = 4, .heads = 32, .norm_eps = 1e-5},
        .lengths = {2048},
        .length_count = 1,
        .f32 = true,
        .bf16 = true,
        .threads = omp_get_max_threads(),
        .seconds = 0.5};
    int status = parse(argc, argv, out, error);
    if (status != STATUS_OK || out->help) return status;
    status = complete_shape(out, error);
    return status == STATUS_OK ? check_kernels(out, error) : status;
}

void bench_options_free(struct bench_options *options) { free(options->kernels.items); }
