#include "search/cli/passkey_options.h"

#include <getopt.h>
#include <stdlib.h>

const char passkey_usage[] =
    "usage: longrope passkey --model DIR --length N[,N...] (--method NAME[,NAME...] | --factors FILE) [OPTIONS]\n"
    "\n"
    "Pass-key retrieval: a number is hidden at some depth of a text of N tokens, and the model is asked for it.\n"
    "A key is found if greedy decoding would give it; one forward pass a prompt tells. All tables are asked\n"
    "with the same prompts.\n"
    "\n"
    "  --model DIR            config.json and weights in Hugging Face's format\n"
    "  --length N[,N...]      tokens of a prompt, its answer included\n" TABLE_USAGE
    "  --depths P[,P...]      where keys are hidden, in % of the text (default: 0,25,50,75,100)\n"
    "  --trials K             prompts at each depth (default: 10)\n"
    "  --digits D             digits of a key, up to 32 (default: 5)\n"
    "  --seed S               of keys and drawn sentences (default: 1)\n"
    "  --prompt published|demo\n"
    "                         wording: that of Mohtashami and Jaggi (2023) and microsoft/LongRoPE, or the one that\n"
    "                         the demo model was trained on (default: published)\n" TOKENIZER_USAGE ARITHMETIC_USAGE
        RECORD_USAGE "  --json                 one JSON object instead of the tables\n"
    "  --prompts              with --json: also each prompt's key, its tokens, those that the model says\n"
    "                         instead, and whether they are the same\n"
    "  --save-tokens FILE.npy also writes the prompts, [depths x trials][N] tokens; one length only\n"
    "\n"
    "  longrope passkey --model configs/demo/model --prompt demo --length 256,512,1024 --method none,ntk,yarn\n"
    "  longrope passkey --model configs/demo/model --prompt demo --length 2048 --factors results/demo/factors.json \\\n"
    "      --into results/demo --label longrope\n";

enum option_key {
    KEY_LENGTH = 256,
    KEY_DEPTHS,
    KEY_TRIALS,
    KEY_DIGITS,
    KEY_SEED,
    KEY_PROMPT,
    KEY_JSON,
    KEY_PROMPTS,
    KEY_SAVE_TOKENS
};

static const struct option long_options[] = {MODEL_OPTIONS,
                                             RECORD_OPTIONS,
                                             {"length", required_argument, NULL, KEY_LENGTH},
                                             {"depths", required_argument, NULL, KEY_DEPTHS},
                                             {"trials", required_argument, NULL, KEY_TRIALS},
                                             {"digits", required_argument, NULL, KEY_DIGITS},
                                             {"seed", required_argument, NULL, KEY_SEED},
                                             {"prompt", required_argument, NULL, KEY_PROMPT},
                                             {"json", no_argument, NULL, KEY_JSON},
                                             {"prompts", no_argument, NULL, KEY_PROMPTS},
                                             {"save-tokens", required_argument, NULL, KEY_SAVE_TOKENS},
                                             {"help", no_argument, NULL, 'h'},
                                             {0}};

static int read_lengths(char *text, struct passkey_options *o, struct error *error) {
    struct string_list words = {0};
    int status = string_list_split(&words, text, error);
    int64_t *lengths = status == STATUS_OK ? realloc(o->lengths, words.count * sizeof *lengths) : NULL;
    if (status == STATUS_OK && !lengths) status = error_memory(error, (double)words.count * sizeof *lengths, "lengths");
    if (lengths) o->lengths = lengths, o->length_count = words.count;
    for (size_t i = 0; i < words.count && status == STATUS_OK; i++) {
        status = option_integer("length", words.items[i], 1, INT32_MAX, &lengths[i], error);
    }
    free(words.items);
    return status;
}

static int set_depths(const struct string_list *percents, struct passkey_options *o, struct error *error) {
    double *depths = realloc(o->depths, percents->count * sizeof *depths);
    if (!depths) return error_memory(error, (double)percents->count * sizeof *depths, "depths");
    o->depths = depths, o->depth_count = percents->count;
    int status = STATUS_OK;
    for (size_t i = 0; i < percents->count && status == STATUS_OK; i++) {
        status = option_number("depths", percents->items[i], 0.0, 100.0, &depths[i], error);
        depths[i] /= 100.0;
    }
    return status;
}

static int read_depths(char *text, struct passkey_options *o, struct error *error) {
    struct string_list percents = {0};
    int status = string_list_split(&percents, text, error);
    if (status == STATUS_OK) status = set_depths(&percents, o, error);
    free(percents.items);
    return status;
}

static int read_prompt(const char *text, enum needle_form *out, struct error *error) {
    if (needle_form_parse(text, out)) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "--prompt: '%s' is neither published nor demo", text);
}

static int take_option(struct passkey_options *o, int key, struct error *error) {
    switch (key) {
    case KEY_LENGTH:
        return read_lengths(optarg, o, error);
    case KEY_DEPTHS:
        return read_depths(optarg, o, error);
    case KEY_TRIALS:
        return option_integer("trials", optarg, 1, 1000000, &o->trials, error);
    case KEY_DIGITS:
        return option_integer("digits", optarg, 1, NEEDLE_MOST_DIGITS, &o->digits, error);
    case KEY_SEED:
        return option_integer("seed", optarg, 0, INT64_MAX, &o->seed, error);
    case KEY_PROMPT:
        return read_prompt(optarg, &o->prompt, error);
    case KEY_JSON:
        o->json = true;
        return STATUS_OK;
    case KEY_PROMPTS:
        o->prompts = true;
        return STATUS_OK;
    case KEY_SAVE_TOKENS:
        o->save_tokens = optarg;
        return STATUS_OK;
    case 'h':
        o->help = true;
        return STATUS_OK;
    default:
        return model_options_take(&o->model, key, optarg, error);
    }
}

static int check_options(const struct passkey_options *o, struct error *error) {
    const char *wrong = model_options_wrong(&o->model);
    if (!wrong) {
        wrong = !o->length_count                        ? "--length N is wanted"
                : o->prompts && !o->json                ? "--prompts goes with --json"
                : o->save_tokens && o->length_count > 1 ? "--save-tokens goes with one --length"
                                                        : NULL;
    }
    return wrong ? error_set(error, STATUS_INPUT, "%s; see longrope passkey --help", wrong) : STATUS_OK;
}

int passkey_options_read(int argc, char **argv, struct passkey_options *out, struct error *error) {
    *out = (struct passkey_options){.model = model_options_unset(), .trials = 10, .digits = 5, .seed = 1};
    int status = STATUS_OK;
    opterr = 0;
    for (int key; status == STATUS_OK && (key = getopt_long(argc, argv, "+:h", long_options, NULL)) != -1;) {
        if (key == '?' || key == ':') return option_unknown(argv, long_options, key, error);
        status = take_option(out, key, error);
    }
    if (status != STATUS_OK || out->help) return status;
    if (optind < argc) {
        return error_set(error, STATUS_INPUT, "'%s' belongs to no option; see longrope passkey --help", argv[optind]);
    }
    status = check_options(out, error);
    if (status == STATUS_OK) status = model_options_check_methods(&out->model, error);
    char usual[] = "0,25,50,75,100";
    return status == STATUS_OK && !out->depths ? read_depths(usual, out, error) : status;
}

void passkey_options_free(struct passkey_options *options) {
    model_options_free(&options->model);
    free(options->lengths);
    free(options->depths);
}
