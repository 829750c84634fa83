#include "search/cli/model_options.h"

#define AT(field) offsetof(struct model_options, field)

const struct option_row model_rows[MODEL_ROWS] = {
    {.name = "model",
     .kind = OPTION_TEXT,
     .word = "DIR|FILE.gguf",
     .offset = AT(model),
     .required = true,
     .help = "folder with config.json and weights in Hugging Face's format; or a GGUF file, the first one of a model "
             "that is split"},
    {.name = "tokenizer",
     .kind = OPTION_TEXT,
     .word = "bytes|FILE",
     .offset = AT(tokenizer),
     .help =
         "bytes: one token per byte; else a tokenizer.json, a SentencePiece model or a GGUF (default: the model's: "
         "tokenizer.model or tokenizer.json in DIR, or that of its GGUF; bytes if there is none and the model reads "
         "bytes)"},
};

const struct option_row model_table_rows[MODEL_TABLE_ROWS] = {
    {.name = "method",
     .kind = OPTION_NAMES,
     .word = "NAME[,NAME...]",
     .offset = AT(tables.methods),
     .names = rope_method_names,
     .name_count = ROPE_METHODS,
     .what = "method",
     .sets = MODEL_SET_TABLES,
     .required = true,
     .help =
         "closed-form methods; ntk-pi: NTK to the critical pair of the window, and PI from there on; resonance-yarn: "
         "YaRN with wavelengths of whole tokens"},
    {.name = "factors",
     .kind = OPTION_TEXT,
     .word = "FILE",
     .offset = AT(tables.factors),
     .sets = MODEL_SET_TABLES,
     .required = true,
     .help = "a run directory, of which finished stages are used, or a factor file; each length uses the shortest "
             "table that reaches it. Accepted: this program's JSON; a "
             "config.json, or the folder of a model, with longrope or clex scaling; a GGUF with longrope scaling; a "
             "text file "
             "with one number per rotary pair; or the numbers themselves, \"1.0,1.2,...\""},
    {.name = "scale",
     .kind = OPTION_NUMBER,
     .word = "S",
     .offset = AT(tables.scale),
     .least = 1.0,
     .most = 1e6,
     .help = "ratio s of the methods, and of the attention factor of factors that state none (default: N / the model's "
             "window, at least 1)"},
    {.name = "original-length",
     .kind = OPTION_INTEGER,
     .word = "L0",
     .offset = AT(tables.original_length),
     .low = 1,
     .high = INT32_MAX,
     .help = "window that the model was trained with (default: as stated in the factor file or in config.json)"},
    {.name = "attention-factor",
     .kind = OPTION_NUMBER,
     .word = "M",
     .offset = AT(tables.attention_factor),
     .least = 1e-6,
     .most = 1e6,
     .help = "multiplies cosine and sine (default: the method's own; for factors as stated in the file, else "
             "sqrt(1 + ln s / ln L0))"},
    {.name = "start-tokens",
     .kind = OPTION_INTEGER,
     .word = "NHAT",
     .offset = AT(tables.start_tokens),
     .low = 0,
     .high = INT32_MAX,
     .help = "positions below NHAT are not rescaled (default: as stated in the factor file, else 0)"},
    {.name = "max-factor",
     .kind = OPTION_NUMBER,
     .word = "T",
     .offset = AT(tables.max_factor),
     .least = 1.0,
     .most = 1024.0,
     .help = "of a model of type clex: the largest extension factor of its own table, an integer (default: max_factor "
             "of config.json); N tokens use the table of N / the model's window, rounded up"},
};

const struct option_row model_arithmetic_rows[MODEL_ARITHMETIC_ROWS] = {
    {.name = "dtype",
     .kind = OPTION_NAME,
     .word = "TYPE",
     .offset = AT(type),
     .names = model_type_names,
     .name_count = MODEL_TYPES,
     .what = "number type",
     .initial = "auto",
     .help = "number type of matrix products; auto is bf16 if the weights are bf16 and the processor has instructions "
             "for it, else f32"},
    {.name = "angles",
     .kind = OPTION_NAME,
     .word = "TYPE",
     .offset = AT(angles),
     .names = rope_angles_names,
     .name_count = ROPE_ANGLES_COUNT,
     .what = "precision of angles",
     .initial = "f64",
     .help = "precision of rotary angles; inference engines use f32"},
    {.name = "threads",
     .kind = OPTION_INTEGER,
     .word = "N",
     .offset = AT(threads),
     .low = 1,
     .high = 4096,
     .help = "number of threads (default: all); results do not depend on it"},
};

const struct option_row model_record_rows[MODEL_RECORD_ROWS] = {
    {.name = "into",
     .kind = OPTION_TEXT,
     .word = "RUN_DIR",
     .offset = AT(into),
     .help = "also records the results in this run, for show and report, under the name of the method or of the "
             "factor file's table; replaces earlier results with that name; works while a search is running there"},
    {.name = "label",
     .kind = OPTION_TEXT,
     .word = "NAME",
     .offset = AT(label),
     .needs = "into",
     .help = "records the results under this name; requires --into and at most one method"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .offset = AT(json),
     .help = "prints one JSON object instead of tables; if a later row fails (status 1), with the rows before it"},
};

int model_options_check(const struct option_table *table, const struct model_options *o, struct error *error) {
    if (!o->label || o->tables.methods.count <= 1) return STATUS_OK;
    return options_wrong(table, error, "--label requires a single --method");
}
