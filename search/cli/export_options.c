#include "search/cli/export_options.h"

#include "eval/base/name.h"

#define AT(field) offsetof(struct export_options, field)

enum { SET_LONG_TABLE = 1 };

const char *const export_format_names[EXPORT_FORMATS] = {
    [EXPORT_HF] = "hf", [EXPORT_GGUF] = "gguf", [EXPORT_CSV] = "csv", [EXPORT_JSON] = "json"};

static const char *const weights_names[] = {
    [MODEL_FILES_COPY] = "copy", [MODEL_FILES_LINK] = "link", [MODEL_FILES_NONE] = "none"};

static const char *const one_table_names[] = {"long", "short"};

static const struct option_row source_rows[] = {
    {.kind = OPTION_TEXTS,
     .word = "SOURCE",
     .offset = AT(sources),
     .required = true,
     .help = "a run directory, of which finished stages are used; a factor file in any form that longrope eval "
             "--factors accepts, the folder of a CLEX model included; or several LENGTH=FILE, plain tables for inputs "
             "of up to LENGTH tokens"},
};

static const struct option_row output_rows[] = {
    {.name = "format",
     .kind = OPTION_NAME,
     .word = "FORMAT",
     .offset = AT(format),
     .required = true,
     .names = export_format_names,
     .name_count = EXPORT_FORMATS,
     .what = "format",
     .help = "what is written\n"
             "hf: a model's folder for transformers, vLLM and SGLang: config.json with a short and a long table, and "
             "the other files of --model\n"
             "gguf: a copy of --gguf, or of the model if that is a GGUF, with both tables, for llama.cpp\n"
             "csv: one table as a line of numbers, for microsoft/LongRoPE\n"
             "json: all tables, for longrope"},
    {.name = "out",
     .kind = OPTION_TEXT,
     .word = "PATH",
     .offset = AT(out),
     .required = true,
     .help =
         "the folder (hf) or file (other formats) to write; it is complete or does not exist. - is standard output, "
         "except for hf; the summary then goes to standard error"},
    {.name = "force",
     .kind = OPTION_FLAG,
     .offset = AT(force),
     .help =
         "replaces PATH if it exists and is not read by the command; a folder only if it holds a model and no other "
         "folders"},
    {.name = "json", .kind = OPTION_FLAG, .offset = AT(json), .help = "prints one JSON object instead of text"},
};

static const struct option_row model_rows_of_export[] = {
    {.name = "model",
     .kind = OPTION_TEXT,
     .word = "DIR|FILE.gguf",
     .offset = AT(model),
     .help = "the model that the tables were found on. hf and gguf require it; the default for a run is the model that "
             "the run searched last. csv and json do not require it; if it is given, tables are checked against it, "
             "and csv multiplies them by the model's own rope_scaling"},
    {.name = "gguf",
     .kind = OPTION_TEXT,
     .word = "IN.gguf",
     .offset = AT(gguf),
     .help = "the same model as a GGUF file; not required if the model is one"},
    {.name = "weights",
     .kind = OPTION_NAME,
     .word = "HOW",
     .offset = AT(weights),
     .names = weights_names,
     .name_count = sizeof weights_names / sizeof *weights_names,
     .what = "value",
     .help = "what the folder of hf gets of the weights: a copy, links or nothing (default: copy). Other files, such "
             "as the tokenizer's, are copied"},
};

static const struct option_row table_rows[] = {
    {.name = "stage",
     .kind = OPTION_TEXT,
     .word = "NAME",
     .offset = AT(choice.stage),
     .sets = SET_LONG_TABLE,
     .help = "the stage whose table is the long table (default: the stage with the greatest length)"},
    {.name = "length",
     .kind = OPTION_INTEGER,
     .word = "N",
     .offset = AT(choice.length),
     .low = 1,
     .high = INT32_MAX,
     .sets = SET_LONG_TABLE,
     .help = "the long table is the table for N tokens; a table without a length is taken to be for N tokens"},
    {.name = "short-length",
     .kind = OPTION_INTEGER,
     .word = "N",
     .offset = AT(choice.short_length),
     .low = 1,
     .high = INT32_MAX,
     .help = "the short table is used for up to N tokens (default: the window before any extension). It is the "
             "source's table for N tokens, or the long table if there is no shorter one"},
    {.name = "one-table",
     .kind = OPTION_NAME,
     .word = "WHICH",
     .offset = AT(one_table),
     .names = one_table_names,
     .name_count = sizeof one_table_names / sizeof *one_table_names,
     .what = "table",
     .help = "puts the long or the short table into both places (default: the short table serves up to --short-length "
             "tokens), for engines that change tables in the middle of a conversation, whose cached keys then belong "
             "to the other table"},
    {.name = "max-factor",
     .kind = OPTION_NUMBER,
     .word = "T",
     .offset = AT(max_factor),
     .least = 1.0,
     .most = 1024.0,
     .help =
         "of a CLEX model as SOURCE: the largest extension factor, an integer (default: max_factor of config.json)"},
    {.name = "original-length",
     .kind = OPTION_INTEGER,
     .word = "L0",
     .offset = AT(original_length),
     .low = 1,
     .high = INT32_MAX,
     .help = "window before any extension, if neither source nor model states it"},
    {.name = "rope-theta",
     .kind = OPTION_NUMBER,
     .word = "T",
     .offset = AT(rope_theta),
     .least = 1.0 + 1e-9,
     .most = 1e15,
     .help = "base of the frequencies that plain tables were found for, if neither source nor model states it"},
};

static const struct option_group groups[] = {
    OPTION_GROUP("Arguments", source_rows, 0),
    OPTION_GROUP("Output", output_rows, 0),
    OPTION_GROUP("Model", model_rows_of_export, 0),
    OPTION_GROUP("RoPE tables", table_rows, 0),
};

static const char *const usage[] = {"SOURCE... --format FORMAT --out PATH [OPTION]...", NULL};

static const char *const examples[] = {
    "longrope export results/demo --format hf --out demo-2k",
    "longrope eval --model demo-2k --text configs/demo/corpus/*.txt --length 256,2048 --method none",
    "longrope export results/demo --format csv --stage extend-2k --out extend-2k.csv",
    "longrope export 4096=4k_la2_256k.csv 8192=8k_la2_256k.csv 2097152=2048k_la2_256k.csv \\",
    "    --format json --original-length 4096 --rope-theta 10000 --out la2.json",
    "longrope export la2.json --format hf --model Llama-2-7b-256k --weights link --out la2-2048k",
    "longrope export la2.json --format gguf --model Llama-2-7b-256k --gguf la2.gguf --out 2048k.gguf",
    NULL};

/* An option that the format does not use would be ignored without a word. */
static int check_uses(const struct option_table *table, const struct export_options *o, struct error *error) {
    const struct {
        const char *name;
        bool given;
        unsigned formats; /* that use it */
    } uses[] = {{"gguf", o->gguf, 1 << EXPORT_GGUF},
                {"weights", o->weights != NAME_UNKNOWN, 1 << EXPORT_HF},
                {"one-table", o->one_table != NAME_UNKNOWN, 1 << EXPORT_HF | 1 << EXPORT_GGUF},
                {"short-length", o->choice.short_length, 1 << EXPORT_HF | 1 << EXPORT_GGUF},
                {"stage", o->choice.stage, 1 << EXPORT_HF | 1 << EXPORT_GGUF | 1 << EXPORT_CSV},
                {"length", o->choice.length, 1 << EXPORT_HF | 1 << EXPORT_GGUF | 1 << EXPORT_CSV}};
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        if (!uses[i].given || uses[i].formats >> o->format & 1u) continue;
        return options_wrong(table, error, "--%s has no use with --format %s; leave it out", uses[i].name,
                             export_format_names[o->format]);
    }
    return STATUS_OK;
}

static int check(const struct option_table *table, void *options, struct error *error) {
    struct export_options *o = options;
    int status = check_uses(table, o, error);
    if (o->weights == NAME_UNKNOWN) o->weights = MODEL_FILES_COPY;
    o->choice.places = o->one_table == NAME_UNKNOWN ? EXPORT_TWO_TABLES
                       : o->one_table == 0          ? EXPORT_LONG_TWICE
                                                    : EXPORT_SHORT_TWICE;
    return status;
}

static const struct export_options initial = {.weights = NAME_UNKNOWN, .one_table = NAME_UNKNOWN};

const struct option_table export_option_table = {
    .command = "export",
    .summary = "writes tables in the formats that inference engines read",
    .usage = usage,
    .text = "Prints which engine uses which table when.\n"
            "Inference engines do not support start tokens (n_hat), so hf, gguf and csv hold each stage's best table "
            "without start tokens; the cost in perplexity is printed.",
    .groups = groups,
    .group_count = sizeof groups / sizeof *groups,
    .examples = examples,
    .stopped = "stopped by a signal; nothing was written",
    .size = sizeof(struct export_options),
    .initial = &initial,
    .check = check,
};
