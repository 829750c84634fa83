#include "search/cli/eval_options.h"

#include <getopt.h>
#include <stdlib.h>

const char eval_usage[] =
    "usage: longrope eval --model DIR (--text FILE... | --tokens FILE.npy...) --length N[,N...]\n"
    "                     (--method NAME[,NAME...] | --factors FILE) [OPTIONS]\n"
    "\n"
    "Perplexity of a model on windows of N tokens, with its rotary frequencies rescaled.\n"
    "\n"
    "  --model DIR            config.json and weights in Hugging Face's format\n"
    "  --text FILE...         documents as text\n"
    "  --tokens FILE.npy...   documents as one-dimensional integer arrays\n" TOKENIZER_USAGE
    "  --length N[,N...]      tokens of a window; N tokens give N-1 predictions\n" TABLE_USAGE
    "  --samples K            windows to score: the beginning of each document that is long enough,\n"
    "                         then more, evenly over them (default: the beginnings)\n"
    "  --stride W             windows that advance by W tokens over all of each document, each scoring\n"
    "                         what those before it did not; instead of --samples. The table is that of\n"
    "                         --length for all windows, shorter ones at a document's end included\n" ARITHMETIC_USAGE
    "  --nats FILE.npy        also writes each token's nats, [windows][N-1] doubles, with --stride\n"
    "                         [1][predictions]; one length and one method only\n"
    "  --json                 one JSON object instead of the table\n" RECORD_USAGE "\n"
    "Windows that begin alike are computed once for all lengths and methods that have the same table,\n"
    "with the same results to the last bit. Their seconds are those of the longest; \"reused\" in JSON\n"
    "counts the windows that a row has from another. A length that is given twice is computed twice.\n"
    "\n"
    "  longrope eval --model configs/demo/model --text configs/demo/corpus/*.txt \\\n"
    "      --length 256,2048 --method none,pi,ntk,dynamic-ntk,yarn\n"
    "  longrope eval --model configs/demo/model --text configs/demo/corpus/*.txt \\\n"
    "      --length 2048 --factors results/demo/factors.json --into results/demo\n";

enum option_key { KEY_TEXT = 256, KEY_TOKENS, KEY_LENGTH, KEY_SAMPLES, KEY_STRIDE, KEY_NATS, KEY_JSON };

static const struct option long_options[] = {MODEL_OPTIONS,
                                             RECORD_OPTIONS,
                                             {"text", required_argument, NULL, KEY_TEXT},
                                             {"tokens", required_argument, NULL, KEY_TOKENS},
                                             {"length", required_argument, NULL, KEY_LENGTH},
                                             {"samples", required_argument, NULL, KEY_SAMPLES},
                                             {"stride", required_argument, NULL, KEY_STRIDE},
                                             {"nats", required_argument, NULL, KEY_NATS},
                                             {"json", no_argument, NULL, KEY_JSON},
                                             {"help", no_argument, NULL, 'h'},
                                             {0}};

static int take_option(struct eval_options *o, int key, struct error *error) {
    switch (key) {
    case KEY_LENGTH:
        return string_list_split(&o->lengths, optarg, error);
    case KEY_SAMPLES:
        return option_integer("samples", optarg, 1, 1000000, &o->samples, error);
    case KEY_STRIDE:
        return option_integer("stride", optarg, 1, INT32_MAX, &o->stride, error);
    case KEY_NATS:
        o->nats = optarg;
        return STATUS_OK;
    case KEY_JSON:
        o->json = true;
        return STATUS_OK;
    case 'h':
        o->help = true;
        return STATUS_OK;
    default:
        return model_options_take(&o->model, key, optarg, error);
    }
}

/* `--text a b c`: getopt hands over b and c as arguments of their own, in place; they belong to the
 * list that was opened last. */
static int parse(int argc, char **argv, struct eval_options *o, struct error *error) {
    enum { PLAIN_ARGUMENT = 1 };
    struct string_list *list = NULL;
    int status = STATUS_OK;
    opterr = 0;
    for (int key; status == STATUS_OK && (key = getopt_long(argc, argv, "-:h", long_options, NULL)) != -1;) {
        if (key == '?' || key == ':') return option_unknown(argv, long_options, key, error);
        if (key == KEY_TEXT || key == KEY_TOKENS) list = key == KEY_TEXT ? &o->text : &o->tokens;
        if (key == KEY_TEXT || key == KEY_TOKENS || (key == PLAIN_ARGUMENT && list)) {
            status = string_list_add(list, optarg, error);
        } else if (key == PLAIN_ARGUMENT) {
            status = error_set(error, STATUS_INPUT, "'%s' belongs to no option; see longrope eval --help", optarg);
        } else {
            list = NULL;
            status = take_option(o, key, error);
        }
    }
    if (status == STATUS_OK && optind < argc) { /* after "--" */
        status = error_set(error, STATUS_INPUT, "'%s' belongs to no option; see longrope eval --help", argv[optind]);
    }
    return status;
}

static int check_options(const struct eval_options *o, struct error *error) {
    const char *wrong = model_options_wrong(&o->model);
    if (!wrong) {
        wrong = !o->text.count == !o->tokens.count             ? "one of --text and --tokens is wanted"
                : o->model.tokenizer && o->tokens.count        ? "--tokenizer goes with --text"
                : !o->lengths.count                            ? "--length N is wanted"
                : o->stride && o->samples                      ? "--stride and --samples exclude each other"
                : o->nats && o->lengths.count > 1              ? "--nats goes with one --length"
                : o->nats && o->model.tables.methods.count > 1 ? "--nats goes with one --method"
                                                               : NULL;
    }
    return wrong ? error_set(error, STATUS_INPUT, "%s; see longrope eval --help", wrong) : STATUS_OK;
}

int eval_options_read(int argc, char **argv, struct eval_options *out, struct error *error) {
    *out = (struct eval_options){.model = model_options_unset()};
    int status = parse(argc, argv, out, error);
    if (status != STATUS_OK || out->help) return status;
    status = check_options(out, error);
    return status == STATUS_OK ? model_options_check_methods(&out->model, error) : status;
}

void eval_options_free(struct eval_options *options) {
    model_options_free(&options->model);
    free(options->text.items);
    free(options->tokens.items);
    free(options->lengths.items);
}
