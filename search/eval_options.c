#include "search/eval_options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "search/text.h"

const char eval_usage[] =
    "usage: longrope eval --model DIR (--text FILE... | --tokens FILE.npy...) --length N[,N...]\n"
    "                     (--method NAME[,NAME...] | --factors FILE) [OPTIONS]\n"
    "\n"
    "Perplexity of a model on windows of N tokens, with its rotary frequencies rescaled.\n"
    "\n"
    "  --model DIR            config.json and weights in Hugging Face's format\n"
    "  --text FILE...         documents as text\n"
    "  --tokens FILE.npy...   documents as one-dimensional integer arrays\n"
    "  --tokenizer bytes|FILE one token a byte, or a SentencePiece model (default: DIR/tokenizer.model;\n"
    "                         bytes where there is none and the model reads bytes)\n"
    "  --length N[,N...]      tokens of a window; N tokens give N-1 predictions\n"
    "  --method NAME[,...]    none, pi, ntk, dynamic-ntk, yarn\n"
    "  --factors FILE         tables, of which each length takes the shortest that reaches it: this\n"
    "                         program's JSON; a config.json or the folder of a model that has longrope\n"
    "                         scaling; a GGUF with it; a text file of numbers, one a rotary pair, or\n"
    "                         the numbers themselves, \"1.0,1.2,...\"\n"
    "  --scale S              ratio s of the methods (default: N / the model's window, at least 1)\n"
    "  --original-length L0   window the model was trained on (default: as its config.json says)\n"
    "  --attention-factor M   multiplies cosine and sine (default: the method's own; for factors\n"
    "                         what the file says, else sqrt(1 + ln s / ln L0))\n"
    "  --start-tokens NHAT    positions below it are not rescaled (default: what the file says, else 0)\n"
    "  --samples K            windows to score: the beginning of each document that is long enough,\n"
    "                         then more, evenly over them (default: the beginnings)\n"
    "  --stride W             windows that advance by W tokens over all of each document, each scoring\n"
    "                         what those before it did not; instead of --samples. The table is that of\n"
    "                         --length for all windows, shorter ones at a document's end included\n"
    "  --dtype auto|f32|bf16  what products multiply; auto is bf16 where weights are stored so and the\n"
    "                         processor is made for it, else f32\n"
    "  --angles f64|f32       precision of rotary angles: f64, or f32 as engines compute them\n"
    "  --threads N            threads to compute with (default: all); results do not depend on it\n"
    "  --nats FILE.npy        also writes each token's nats, [windows][N-1] doubles, with --stride\n"
    "                         [1][predictions]; one length and one method only\n"
    "  --json                 one JSON object instead of the table\n"
    "\n"
    "  longrope eval --model configs/demo/model --text configs/demo/corpus/*.txt \\\n"
    "      --length 256,2048 --method none,pi,ntk,dynamic-ntk,yarn\n"
    "  longrope eval --model configs/demo/model --text configs/demo/corpus/*.txt \\\n"
    "      --length 2048 --factors results/demo/factors.json\n";

static int read_type(const char *text, enum model_type *out, struct error *error) {
    if (parse_model_type(text, out)) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "--dtype: '%s' is none of auto, f32, bf16", text);
}

static int read_angles(const char *text, enum rope_angles *out, struct error *error) {
    bool single = strcmp(text, "f32") == 0;
    if (!single && strcmp(text, "f64") != 0) {
        return error_set(error, STATUS_INPUT, "--angles: '%s' is neither f64 nor f32", text);
    }
    *out = single ? ROPE_ANGLES_F32 : ROPE_ANGLES_F64;
    return STATUS_OK;
}

enum option_key {
    KEY_MODEL = 256,
    KEY_TEXT,
    KEY_TOKENS,
    KEY_TOKENIZER,
    KEY_LENGTH,
    KEY_METHOD,
    KEY_FACTORS,
    KEY_SCALE,
    KEY_ORIGINAL_LENGTH,
    KEY_ATTENTION_FACTOR,
    KEY_START_TOKENS,
    KEY_SAMPLES,
    KEY_STRIDE,
    KEY_TYPE,
    KEY_ANGLES,
    KEY_THREADS,
    KEY_NATS,
    KEY_JSON
};

static const struct option long_options[] = {{"model", required_argument, NULL, KEY_MODEL},
                                             {"text", required_argument, NULL, KEY_TEXT},
                                             {"tokens", required_argument, NULL, KEY_TOKENS},
                                             {"tokenizer", required_argument, NULL, KEY_TOKENIZER},
                                             {"length", required_argument, NULL, KEY_LENGTH},
                                             {"method", required_argument, NULL, KEY_METHOD},
                                             {"factors", required_argument, NULL, KEY_FACTORS},
                                             {"scale", required_argument, NULL, KEY_SCALE},
                                             {"original-length", required_argument, NULL, KEY_ORIGINAL_LENGTH},
                                             {"attention-factor", required_argument, NULL, KEY_ATTENTION_FACTOR},
                                             {"start-tokens", required_argument, NULL, KEY_START_TOKENS},
                                             {"samples", required_argument, NULL, KEY_SAMPLES},
                                             {"stride", required_argument, NULL, KEY_STRIDE},
                                             {"dtype", required_argument, NULL, KEY_TYPE},
                                             {"angles", required_argument, NULL, KEY_ANGLES},
                                             {"threads", required_argument, NULL, KEY_THREADS},
                                             {"nats", required_argument, NULL, KEY_NATS},
                                             {"json", no_argument, NULL, KEY_JSON},
                                             {"help", no_argument, NULL, 'h'},
                                             {0}};

static int take_option(struct eval_options *o, int key, struct error *error) {
    switch (key) {
    case KEY_MODEL:
        o->model = optarg;
        return STATUS_OK;
    case KEY_TOKENIZER:
        o->tokenizer = optarg;
        return STATUS_OK;
    case KEY_LENGTH:
        return words_split(&o->lengths, optarg, error);
    case KEY_METHOD:
        return words_split(&o->methods, optarg, error);
    case KEY_FACTORS:
        o->factors = optarg;
        return STATUS_OK;
    case KEY_SCALE:
        return option_number("scale", optarg, 1.0, 1e6, &o->scale, error);
    case KEY_ORIGINAL_LENGTH:
        return option_integer("original-length", optarg, 1, INT32_MAX, &o->original_length, error);
    case KEY_ATTENTION_FACTOR:
        return option_number("attention-factor", optarg, 1e-6, 1e6, &o->attention_factor, error);
    case KEY_START_TOKENS:
        return option_integer("start-tokens", optarg, 0, INT32_MAX, &o->start_tokens, error);
    case KEY_SAMPLES:
        return option_integer("samples", optarg, 1, 1000000, &o->samples, error);
    case KEY_STRIDE:
        return option_integer("stride", optarg, 1, INT32_MAX, &o->stride, error);
    case KEY_TYPE:
        return read_type(optarg, &o->type, error);
    case KEY_ANGLES:
        return read_angles(optarg, &o->angles, error);
    case KEY_THREADS:
        return option_integer("threads", optarg, 1, 4096, &o->threads, error);
    case KEY_NATS:
        o->nats = optarg;
        return STATUS_OK;
    case KEY_JSON:
        o->json = true;
        return STATUS_OK;
    default:
        o->help = true;
        return STATUS_OK;
    }
}

/* `--text a b c`: getopt hands over b and c as arguments of their own, in place; they belong to the
 * list that was opened last. */
static int parse(int argc, char **argv, struct eval_options *o, struct error *error) {
    enum { PLAIN_ARGUMENT = 1 };
    struct words *list = NULL;
    int status = STATUS_OK;
    opterr = 0;
    for (int key; status == STATUS_OK && (key = getopt_long(argc, argv, "-:h", long_options, NULL)) != -1;) {
        if (key == '?' || key == ':') return option_unknown(argv, long_options, key, error);
        if (key == KEY_TEXT || key == KEY_TOKENS) list = key == KEY_TEXT ? &o->text : &o->tokens;
        if (key == KEY_TEXT || key == KEY_TOKENS || (key == PLAIN_ARGUMENT && list)) {
            status = words_add(list, optarg, error);
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
    const char *wrong = !o->model                            ? "--model DIR is wanted"
                        : !o->text.count == !o->tokens.count ? "one of --text and --tokens is wanted"
                        : o->tokenizer && o->tokens.count    ? "--tokenizer goes with --text"
                        : !o->lengths.count                  ? "--length N is wanted"
                        : o->stride && o->samples            ? "--stride and --samples exclude each other"
                        : !o->methods.count == !o->factors   ? "one of --method and --factors is wanted"
                        : o->nats && o->lengths.count > 1    ? "--nats goes with one --length"
                        : o->nats && o->methods.count > 1    ? "--nats goes with one --method"
                                                             : NULL;
    return wrong ? error_set(error, STATUS_INPUT, "%s; see longrope eval --help", wrong) : STATUS_OK;
}

static int check_methods(const struct eval_options *o, struct error *error) {
    enum rope_method known;
    for (size_t m = 0; m < o->methods.count; m++) {
        if (rope_method_parse(o->methods.items[m], &known)) continue;
        return error_set(error, STATUS_INPUT, "--method: '%s' is none of none, pi, ntk, dynamic-ntk, yarn",
                         o->methods.items[m]);
    }
    return STATUS_OK;
}

int eval_options_read(int argc, char **argv, struct eval_options *out, struct error *error) {
    *out = (struct eval_options){
        .scale = EVAL_UNSET, .attention_factor = EVAL_UNSET, .original_length = EVAL_UNSET, .start_tokens = EVAL_UNSET};
    int status = parse(argc, argv, out, error);
    if (status != STATUS_OK || out->help) return status;
    status = check_options(out, error);
    return status == STATUS_OK ? check_methods(out, error) : status;
}

void eval_options_free(struct eval_options *options) {
    free(options->text.items);
    free(options->tokens.items);
    free(options->lengths.items);
    free(options->methods.items);
}
