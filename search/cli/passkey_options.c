#include "search/cli/passkey_options.h"

#define AT(field) offsetof(struct passkey_options, field)

static const struct option_row prompt_rows[] = {
    {.name = "length",
     .kind = OPTION_INTEGERS,
     .word = "N[,N...]",
     .offset = AT(lengths),
     .low = 1,
     .high = INT32_MAX,
     .required = true,
     .help = "tokens per prompt, including the answer"},
    {.name = "depths",
     .kind = OPTION_NUMBERS,
     .word = "P[,P...]",
     .offset = AT(depths),
     .least = 0.0,
     .most = 100.0,
     .initial = "0,25,50,75,100",
     .help = "where keys are hidden, in percent of the text"},
    {.name = "trials",
     .kind = OPTION_INTEGER,
     .word = "K",
     .offset = AT(trials),
     .low = 1,
     .high = 1000000,
     .initial = "10",
     .help = "prompts per depth"},
    {.name = "digits",
     .kind = OPTION_INTEGER,
     .word = "D",
     .offset = AT(digits),
     .low = 1,
     .high = NEEDLE_MOST_DIGITS,
     .initial = "5",
     .help = "digits per key, at most 32"},
    {.name = "seed",
     .kind = OPTION_INTEGER,
     .word = "S",
     .offset = AT(seed),
     .low = 0,
     .high = INT64_MAX,
     .initial = "1",
     .help = "random seed for keys and for the order of sentences"},
    {.name = "prompt",
     .kind = OPTION_NAME,
     .word = "NAME",
     .offset = AT(prompt),
     .names = needle_form_names,
     .name_count = NEEDLE_FORMS,
     .what = "prompt",
     .initial = "published",
     .help = "wording of Mohtashami and Jaggi (2023) and microsoft/LongRoPE, or the wording that the demo model was "
             "trained with"},
};

static const struct option_row output_rows[] = {
    {.name = "prompts",
     .kind = OPTION_FLAG,
     .offset = AT(prompts),
     .needs = "json",
     .help = "with --json: also prints each prompt's key, the tokens of the key, the tokens that the model predicts, "
             "and whether they are equal"},
    {.name = "save-tokens",
     .kind = OPTION_TEXT,
     .word = "FILE.npy",
     .offset = AT(save_tokens),
     .help = "also writes the prompts, [depths x trials][N] tokens; requires a single length. The file is complete or "
             "does not exist; - is standard output, and results go to "
             "standard error"},
    {.name = "force",
     .kind = OPTION_FLAG,
     .offset = AT(force),
     .needs = "save-tokens",
     .help = "replaces FILE.npy of --save-tokens if it exists, unless the command reads it"},
};

static const struct option_group groups[] = {
    OPTION_GROUP("Model", model_rows, AT(model)),
    OPTION_GROUP("Prompts", prompt_rows, 0),
    OPTION_GROUP("RoPE tables", model_table_rows, AT(model)),
    OPTION_GROUP("Arithmetic", model_arithmetic_rows, AT(model)),
    OPTION_GROUP("Output", model_record_rows, AT(model)),
    OPTION_GROUP(NULL, output_rows, 0),
};

static const char *const usage[] = {"--model DIR --length N[,N...] --method NAME[,NAME...] [OPTION]...",
                                    "--model DIR --length N[,N...] --factors FILE [OPTION]...", NULL};

static const char *const examples[] = {
    "longrope passkey --model configs/demo/model --prompt demo --length 256,512,1024 \\", "    --method none,ntk,yarn",
    "longrope passkey --model configs/demo/model --prompt demo --length 2048 \\",
    "    --factors results/demo/factors.json --into results/demo --label longrope", NULL};

static int check(const struct option_table *table, void *options, struct error *error) {
    struct passkey_options *o = options;
    for (size_t d = 0; d < o->depths.count; d++) o->depths.items[d] /= 100.0;
    if (o->save_tokens && o->lengths.count > 1) {
        return options_wrong(table, error, "--save-tokens requires a single --length");
    }
    return model_options_check(table, &o->model, error);
}

static const struct passkey_options initial = {.model = MODEL_OPTIONS_INITIAL};

const struct option_table passkey_option_table = {
    .command = "passkey",
    .summary = "measures how many hidden keys a model finds in long texts",
    .usage = usage,
    .text = "Pass-key retrieval: a number is hidden at some depth of a text of N tokens, and the model is asked for "
            "it. A key is found if greedy decoding would produce it; one forward pass per prompt decides that. All "
            "tables are asked with the same prompts.\n"
            "mpirun or srun can start several processes, which share the prompts; rank 0 prints the same results.",
    .groups = groups,
    .group_count = sizeof groups / sizeof *groups,
    .examples = examples,
    .stopped = "stopped by a signal; rows that were printed are complete",
    .size = sizeof(struct passkey_options),
    .initial = &initial,
    .check = check,
};
