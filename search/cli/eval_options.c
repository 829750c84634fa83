#include "search/cli/eval_options.h"

#define AT(field) offsetof(struct eval_options, field)

enum { SET_DOCUMENTS = MODEL_SETS, SET_WINDOWS = MODEL_SETS << 1 };

static const struct option_row document_rows[] = {
    {.name = "text",
     .kind = OPTION_FILES,
     .word = "FILE...",
     .offset = AT(text),
     .sets = SET_DOCUMENTS,
     .required = true,
     .help = "documents as text, one per file"},
    {.name = "tokens",
     .kind = OPTION_FILES,
     .word = "FILE.npy...",
     .offset = AT(tokens),
     .sets = SET_DOCUMENTS,
     .required = true,
     .help = "documents as one-dimensional integer arrays, one per file"},
    {.name = "length",
     .kind = OPTION_INTEGERS,
     .word = "N[,N...]",
     .offset = AT(lengths),
     .low = 1,
     .high = INT32_MAX,
     .required = true,
     .help = "tokens per window; N tokens give N-1 predictions"},
    {.name = "samples",
     .kind = OPTION_INTEGER,
     .word = "K",
     .offset = AT(samples),
     .low = 1,
     .high = 1000000,
     .sets = SET_WINDOWS,
     .help = "number of windows: first the beginning of each document that is long enough, then more windows, spread "
             "evenly over the documents (default: the beginnings)"},
    {.name = "stride",
     .kind = OPTION_INTEGER,
     .word = "W",
     .offset = AT(stride),
     .low = 1,
     .high = INT32_MAX,
     .sets = SET_WINDOWS,
     .help = "windows advance by W tokens over each whole document, and each window scores only the tokens that "
             "earlier windows did not. All windows use the table for --length, including shorter windows at the end "
             "of a document"},
};

static const struct option_row output_rows[] = {
    {.name = "nats",
     .kind = OPTION_TEXT,
     .word = "FILE.npy",
     .offset = AT(nats),
     .help = "also writes the nats of each token, [windows][N-1] doubles, or [1][predictions] with --stride; requires "
             "a single length and a single table. The file is complete or does not exist; - is standard output, and "
             "results go "
             "to standard error"},
    {.name = "force",
     .kind = OPTION_FLAG,
     .offset = AT(force),
     .needs = "nats",
     .help = "replaces FILE.npy of --nats if it exists, unless the command reads it"},
};

static const struct option_group groups[] = {
    OPTION_GROUP("Model", model_rows, AT(model)),
    OPTION_GROUP("Documents", document_rows, 0),
    OPTION_GROUP("RoPE tables", model_table_rows, AT(model)),
    OPTION_GROUP("Arithmetic", model_arithmetic_rows, AT(model)),
    OPTION_GROUP("Output", model_record_rows, AT(model)),
    OPTION_GROUP(NULL, output_rows, 0),
    OPTION_GROUP("Checkpoints", checkpoint_rows, AT(checkpoint)),
};

static const char *const usage[] = {"--model DIR --text FILE... --length N[,N...] --method NAME[,...] [OPTION]...",
                                    "--model DIR --tokens FILE.npy... --length N[,N...] --factors FILE [OPTION]...",
                                    NULL};

static const char *const examples[] = {"longrope eval --model configs/demo/model --text configs/demo/corpus/*.txt \\",
                                       "    --length 256,2048 --method none,pi,ntk,dynamic-ntk,yarn",
                                       "longrope eval --model configs/demo/model --text configs/demo/corpus/*.txt \\",
                                       "    --length 2048 --factors results/demo/factors.json --into results/demo",
                                       NULL};

static int check(const struct option_table *table, void *options, struct error *error) {
    const struct eval_options *o = options;
    if (o->nats && o->lengths.count > 1) return options_wrong(table, error, "--nats requires a single --length");
    if (o->nats && o->model.tables.methods.count > 1) {
        return options_wrong(table, error, "--nats requires a single --method");
    }
    if (o->model.tokenizer && o->tokens.count) return options_wrong(table, error, "--tokenizer requires --text");
    return model_options_check(table, &o->model, error);
}

static const struct eval_options initial = {.model = MODEL_OPTIONS_INITIAL};

const struct option_table eval_option_table = {
    .command = "eval",
    .summary = "measures perplexity with rescaled rotary frequencies",
    .usage = usage,
    .text = "Scores windows of N tokens, of text or of token files, with closed-form methods or with the tables of a "
            "factor file.\n"
            "If several rows share a table, each window is evaluated once, at the greatest length; shorter rows reuse "
            "its prefix, with the same results to the last bit. The seconds of a row are those of the windows "
            "evaluated for it; \"reused\" in the JSON counts the windows taken from other rows. A length that is given "
            "twice is evaluated twice.\n"
            "mpirun or srun can start several processes, which share the windows; rank 0 prints the same results.",
    .groups = groups,
    .group_count = sizeof groups / sizeof *groups,
    .examples = examples,
    .stopped = "stopped by a signal; rows that were printed are complete, and with --checkpoint the same command "
               "continues at the last checkpoint",
    .size = sizeof(struct eval_options),
    .initial = &initial,
    .check = check,
};
