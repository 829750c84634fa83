#include "search/cli/export_options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "search/base/text.h"

const char export_usage[] =
    "usage: longrope export SOURCE... --format hf|gguf|csv|json --out PATH [OPTIONS]\n"
    "\n"
    "Writes tables in a form that other programs read, and says which engine uses which table when.\n"
    "\n"
    "SOURCE is a run directory, whose stages that are done count; a factor file in any form that\n"
    "longrope eval --factors takes; or several LENGTH=FILE, plain tables that are put together by the\n"
    "number of tokens that they serve.\n"
    "\n"
    "  --format hf            a model's folder for transformers, vLLM and SGLang: config.json with a\n"
    "                         short and a long table, and the other files of --model\n"
    "  --format gguf          a copy of --gguf with both tables in it, for llama.cpp\n"
    "  --format csv           one table as a line of numbers, microsoft/LongRoPE's form\n"
    "  --format json          this program's form: all tables, nothing lost\n"
    "  --out PATH             what is written: a folder for hf, else a file; complete or not at all\n"
    "  --force                PATH may be there and is replaced (a folder: one of a model, without\n"
    "                         folders in it)\n"
    "  --model DIR            the model that the tables were found on (hf, gguf: default of a run is the\n"
    "                         one that it searched last). csv and json do without; where it is given,\n"
    "                         tables are compared with it, and in csv they are multiplied by what the\n"
    "                         model's own rope_scaling does\n"
    "  --gguf IN.gguf         the same model as a GGUF\n"
    "  --weights copy|link|none\n"
    "                         for hf: the weights are copied, linked to, or left out (default: copy);\n"
    "                         other files, the tokenizer's for instance, are copied\n"
    "  --stage NAME           the long table is that of this stage (default: the longest)\n"
    "  --length N             the long table is that for N tokens; for a table that does not say how far\n"
    "                         it reaches, N is it\n"
    "  --short-length N       the short table is used up to N tokens (default: the window before any\n"
    "                         extension). It is the table that the source has for N tokens; the long\n"
    "                         one, where it has no shorter\n"
    "  --original-length L0   window before any extension, where neither source nor model say it\n"
    "  --rope-theta T         base of the frequencies that plain tables were found for, likewise\n"
    "  --json                 prints one JSON object instead of text\n"
    "\n"
    "Engines leave no start tokens as they are (n_hat), so hf, gguf and csv hold each stage's best table\n"
    "without; what that costs is printed.\n"
    "\n"
    "  longrope export results/demo --format hf --out demo-2k\n"
    "  longrope eval --model demo-2k --text configs/demo/corpus/*.txt --length 256,2048 --method none\n"
    "  longrope export results/demo --format csv --stage extend-2k --out extend-2k.csv\n"
    "  longrope export 4096=4k_la2_256k.csv 8192=8k_la2_256k.csv 2097152=2048k_la2_256k.csv \\\n"
    "      --format json --original-length 4096 --rope-theta 10000 --out la2.json\n"
    "  longrope export la2.json --format hf --model Llama-2-7b-256k --weights link --out la2-2048k\n"
    "  longrope export la2.json --format gguf --model Llama-2-7b-256k --gguf la2.gguf --out 2048k.gguf\n";

static const char *const format_names[EXPORT_FORMATS] = {
    [EXPORT_HF] = "hf", [EXPORT_GGUF] = "gguf", [EXPORT_CSV] = "csv", [EXPORT_JSON] = "json"};

const char *export_format_name(enum export_format format) { return format_names[format]; }

static int read_format(const char *text, enum export_format *out, struct error *error) {
    for (int format = 0; format < EXPORT_FORMATS; format++) {
        if (strcmp(text, format_names[format]) != 0) continue;
        *out = (enum export_format)format;
        return STATUS_OK;
    }
    return error_set(error, STATUS_INPUT, "--format: '%s' is none of hf, gguf, csv, json", text);
}

static int read_weights(const char *text, enum model_files_weights *out, struct error *error) {
    static const char *const names[] = {
        [MODEL_FILES_COPY] = "copy", [MODEL_FILES_LINK] = "link", [MODEL_FILES_NONE] = "none"};
    for (int weights = MODEL_FILES_COPY; weights <= MODEL_FILES_NONE; weights++) {
        if (strcmp(text, names[weights]) != 0) continue;
        *out = (enum model_files_weights)weights;
        return STATUS_OK;
    }
    return error_set(error, STATUS_INPUT, "--weights: '%s' is none of copy, link, none", text);
}

enum option_key {
    KEY_FORMAT = 256,
    KEY_OUT,
    KEY_FORCE,
    KEY_MODEL,
    KEY_GGUF,
    KEY_WEIGHTS,
    KEY_STAGE,
    KEY_LENGTH,
    KEY_SHORT_LENGTH,
    KEY_ORIGINAL_LENGTH,
    KEY_ROPE_THETA,
    KEY_JSON,
    KEY_END
};

static const struct option long_options[] = {{"format", required_argument, NULL, KEY_FORMAT},
                                             {"out", required_argument, NULL, KEY_OUT},
                                             {"force", no_argument, NULL, KEY_FORCE},
                                             {"model", required_argument, NULL, KEY_MODEL},
                                             {"gguf", required_argument, NULL, KEY_GGUF},
                                             {"weights", required_argument, NULL, KEY_WEIGHTS},
                                             {"stage", required_argument, NULL, KEY_STAGE},
                                             {"length", required_argument, NULL, KEY_LENGTH},
                                             {"short-length", required_argument, NULL, KEY_SHORT_LENGTH},
                                             {"original-length", required_argument, NULL, KEY_ORIGINAL_LENGTH},
                                             {"rope-theta", required_argument, NULL, KEY_ROPE_THETA},
                                             {"json", no_argument, NULL, KEY_JSON},
                                             {"help", no_argument, NULL, 'h'},
                                             {0}};

/* Which options were given. */
struct given {
    bool key[KEY_END - KEY_FORMAT];
};

static int take_option(int key, struct export_options *out, struct error *error) {
    switch (key) {
    case KEY_FORMAT:
        return read_format(optarg, &out->format, error);
    case KEY_OUT:
        out->out = optarg;
        return STATUS_OK;
    case KEY_FORCE:
        out->force = true;
        return STATUS_OK;
    case KEY_MODEL:
        out->model = optarg;
        return STATUS_OK;
    case KEY_GGUF:
        out->gguf = optarg;
        return STATUS_OK;
    case KEY_WEIGHTS:
        return read_weights(optarg, &out->weights, error);
    case KEY_STAGE:
        out->choice.stage = optarg;
        return STATUS_OK;
    case KEY_LENGTH:
        return option_integer("length", optarg, 1, INT32_MAX, &out->choice.length, error);
    case KEY_SHORT_LENGTH:
        return option_integer("short-length", optarg, 1, INT32_MAX, &out->choice.short_length, error);
    case KEY_ORIGINAL_LENGTH:
        return option_integer("original-length", optarg, 1, INT32_MAX, &out->original_length, error);
    case KEY_ROPE_THETA:
        return option_number("rope-theta", optarg, 1.0 + 1e-9, 1e15, &out->rope_theta, error);
    case KEY_JSON:
        out->json = true;
        return STATUS_OK;
    default:
        out->help = true;
        return STATUS_OK;
    }
}

static bool is_given(const struct given *given, enum option_key key) { return given->key[key - KEY_FORMAT]; }

/* What the format makes no use of would be passed over in silence. */
static int check_uses(const struct given *given, enum export_format format, struct error *error) {
    static const struct {
        enum option_key key;
        const char *name;
        unsigned formats; /* that use it */
    } uses[] = {{KEY_GGUF, "gguf", 1 << EXPORT_GGUF},
                {KEY_WEIGHTS, "weights", 1 << EXPORT_HF},
                {KEY_SHORT_LENGTH, "short-length", 1 << EXPORT_HF | 1 << EXPORT_GGUF},
                {KEY_STAGE, "stage", 1 << EXPORT_HF | 1 << EXPORT_GGUF | 1 << EXPORT_CSV},
                {KEY_LENGTH, "length", 1 << EXPORT_HF | 1 << EXPORT_GGUF | 1 << EXPORT_CSV}};
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        if (!is_given(given, uses[i].key) || uses[i].formats >> format & 1u) continue;
        return error_set(error, STATUS_INPUT, "--%s has no use with --format %s; leave it out", uses[i].name,
                         format_names[format]);
    }
    return STATUS_OK;
}

static int check(const struct export_options *o, const struct given *given, struct error *error) {
    const char *wrong = !o->sources.count                      ? "export wants a run directory or a factor file"
                        : !is_given(given, KEY_FORMAT)         ? "--format hf|gguf|csv|json is wanted"
                        : !o->out                              ? "--out PATH is wanted"
                        : o->format == EXPORT_GGUF && !o->gguf ? "--format gguf wants --gguf IN.gguf"
                        : o->choice.stage && o->choice.length  ? "--stage and --length exclude each other"
                                                               : NULL;
    if (wrong) return error_set(error, STATUS_INPUT, "%s; see longrope export --help", wrong);
    return check_uses(given, o->format, error);
}

int export_options_read(int argc, char **argv, struct export_options *out, struct error *error) {
    struct given given = {{false}};
    *out = (struct export_options){.weights = MODEL_FILES_COPY};
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, ":h", long_options, NULL)) != -1;) {
        if (c == '?' || c == ':') return option_unknown(argv, long_options, c, error);
        int status = take_option(c, out, error);
        if (status != STATUS_OK || out->help) return status;
        given.key[c - KEY_FORMAT] = true;
    }
    for (int i = optind; i < argc; i++) {
        int status = string_list_add(&out->sources, argv[i], error);
        if (status != STATUS_OK) return status;
    }
    return check(out, &given, error);
}

void export_options_free(struct export_options *options) { free(options->sources.items); }
