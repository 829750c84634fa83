#include "search/cli/choice_options.h"

#define AT(field) offsetof(struct choice_options, field)

static const struct option_row task_rows[] = {
    {.name = "tasks",
     .kind = OPTION_FILES,
     .word = "FILE.jsonl...",
     .offset = AT(tasks),
     .required = true,
     .help = "items, one JSON object per line: {\"context\": TEXT, \"choices\": [TEXT, ...], \"answer\": INDEX}; the "
             "first choice is 0. \"task\": NAME names the item's task (default: the file's name). \"delimiter\": TEXT "
             "stands between context and choice and does not count in the choice's length (default: nothing)"},
    {.name = "length",
     .kind = OPTION_INTEGERS,
     .word = "N[,N...]",
     .offset = AT(lengths),
     .low = 1,
     .high = INT32_MAX,
     .help =
         "input length that the tables are for, in tokens; longer inputs lose their beginning (default: the model's "
         "window)"},
};

static const struct option_row output_rows[] = {
    {.name = "answers",
     .kind = OPTION_FLAG,
     .offset = AT(answers),
     .needs = "json",
     .help =
         "with --json: also prints, per item, its file and line, the log-likelihoods of its choices, and the choices "
         "that were taken"},
};

static const struct option_group groups[] = {
    OPTION_GROUP("Model", model_rows, AT(model)),
    OPTION_GROUP("Tasks", task_rows, 0),
    OPTION_GROUP("RoPE tables", model_table_rows, AT(model)),
    OPTION_GROUP("Arithmetic", model_arithmetic_rows, AT(model)),
    OPTION_GROUP("Output", model_record_rows, AT(model)),
    OPTION_GROUP(NULL, output_rows, 0),
};

static const char *const usage[] = {"--model DIR --tasks FILE.jsonl... --method NAME[,NAME...] [OPTION]...",
                                    "--model DIR --tasks FILE.jsonl... --factors FILE [OPTION]...", NULL};

static const char *const examples[] = {
    "longrope choice --model configs/demo/model --tasks sentences.jsonl --length 2048 \\", "    --method none,yarn",
    "longrope choice --model configs/demo/model --tasks sentences.jsonl --length 2048 \\",
    "    --factors results/demo/factors.json --into results/demo --label longrope", NULL};

static int check(const struct option_table *table, void *options, struct error *error) {
    const struct choice_options *o = options;
    return model_options_check(table, &o->model, error);
}

static const struct choice_options initial = {.model = MODEL_OPTIONS_INITIAL};

const struct option_table choice_option_table = {
    .command = "choice",
    .summary = "measures accuracy in multiple choice: short benchmarks",
    .usage = usage,
    .text = "Short benchmarks show what an extension costs within the old window. The model's answer to an item is the "
            "choice with the largest log-likelihood given the context. Accuracies and standard errors are those of "
            "lm-evaluation-harness 0.4.13: acc, acc_norm (log-likelihood per character of the choice) and acc_bytes "
            "(per byte).\n"
            "The tokens with which successive inputs begin alike are computed once: an item's context for all its "
            "choices, and a task's examples for all its items. No bit of a result changes. The last line says how "
            "many tokens were computed.\n"
            "mpirun or srun can start several processes, which share the items; rank 0 prints the same results.\n"
            "configs/choice has scripts that make such files, from the harness's logged samples and from any text.",
    .groups = groups,
    .group_count = sizeof groups / sizeof *groups,
    .examples = examples,
    .stopped = "stopped by a signal; rows that were printed are complete",
    .size = sizeof(struct choice_options),
    .initial = &initial,
    .check = check,
};
