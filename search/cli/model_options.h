/* A model, the RoPE tables it is tried with, and how it computes: the options that eval and passkey share. */
#ifndef LONGROPE_SEARCH_MODEL_OPTIONS_H
#define LONGROPE_SEARCH_MODEL_OPTIONS_H

#include <stdint.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "eval/rope.h"
#include "search/cli/options.h"
#include "search/measure/table_source.h"

/* Lines of a command's usage, which say what the options mean: those of tables, of text, and of arithmetic. */
#define TABLE_USAGE                                                                                                    \
    "  --method NAME[,...]    none, pi, ntk, dynamic-ntk, yarn\n"                                                      \
    "  --factors FILE         tables, of which each length takes the shortest that reaches it: this\n"                 \
    "                         program's JSON; a config.json or the folder of a model that has longrope\n"              \
    "                         scaling; a GGUF with it; a text file of numbers, one a rotary pair, or\n"                \
    "                         the numbers themselves, \"1.0,1.2,...\"\n"                                               \
    "  --scale S              ratio s of the methods (default: N / the model's window, at least 1)\n"                  \
    "  --original-length L0   window the model was trained on (default: as its config.json says)\n"                    \
    "  --attention-factor M   multiplies cosine and sine (default: the method's own; for factors\n"                    \
    "                         what the file says, else sqrt(1 + ln s / ln L0))\n"                                      \
    "  --start-tokens NHAT    positions below it are not rescaled (default: what the file says, else 0)\n"
#define TOKENIZER_USAGE                                                                                                \
    "  --tokenizer bytes|FILE one token a byte, or a SentencePiece model (default: DIR/tokenizer.model;\n"             \
    "                         bytes where there is none and the model reads bytes)\n"
#define ARITHMETIC_USAGE                                                                                               \
    "  --dtype auto|f32|bf16  what products multiply; auto is bf16 where weights are stored so and the\n"              \
    "                         processor is made for it, else f32\n"                                                    \
    "  --angles f64|f32       precision of rotary angles: f64, or f32 as engines compute them\n"                       \
    "  --threads N            threads to compute with (default: all); results do not depend on it\n"

/* Where results are also kept. */
#define RECORD_USAGE                                                                                                   \
    "  --into RUN_DIR         also records the results in that run, for show and report, under the\n"                  \
    "                         name of the method or of the factor file's table; takes the place of what\n"             \
    "                         is recorded there under that name; also while a search goes on\n"                        \
    "  --label NAME           another name to record them under; one method only\n"

/* The keys by which getopt_long() answers, and the rows of its table. A command's own keys lie below. */
enum model_option_key {
    KEY_MODEL = 1024,
    KEY_TOKENIZER,
    KEY_METHOD,
    KEY_FACTORS,
    KEY_SCALE,
    KEY_ORIGINAL_LENGTH,
    KEY_ATTENTION_FACTOR,
    KEY_START_TOKENS,
    KEY_TYPE,
    KEY_ANGLES,
    KEY_THREADS,
    KEY_INTO,
    KEY_LABEL
};
/* clang-format off */
#define MODEL_OPTIONS                                                 \
    {"model", required_argument, NULL, KEY_MODEL},                    \
    {"tokenizer", required_argument, NULL, KEY_TOKENIZER},            \
    {"method", required_argument, NULL, KEY_METHOD},                  \
    {"factors", required_argument, NULL, KEY_FACTORS},                \
    {"scale", required_argument, NULL, KEY_SCALE},                    \
    {"original-length", required_argument, NULL, KEY_ORIGINAL_LENGTH}, \
    {"attention-factor", required_argument, NULL, KEY_ATTENTION_FACTOR}, \
    {"start-tokens", required_argument, NULL, KEY_START_TOKENS},      \
    {"dtype", required_argument, NULL, KEY_TYPE},                     \
    {"angles", required_argument, NULL, KEY_ANGLES},                  \
    {"threads", required_argument, NULL, KEY_THREADS}
#define RECORD_OPTIONS                                                \
    {"into", required_argument, NULL, KEY_INTO},                      \
    {"label", required_argument, NULL, KEY_LABEL}
/* clang-format on */

/* Texts are borrowed from argv, whose words are split in place. */
struct model_options {
    char *model;     /* its folder */
    char *tokenizer; /* NULL: as the usage says */
    struct table_request tables;
    enum model_type type;
    enum rope_angles angles;
    int64_t threads; /* 0: as the usage says */
    char *into;      /* run directory; NULL: results are only printed */
    char *label;     /* NULL: as the usage says */
};

/* Before any option was read. */
struct model_options model_options_unset(void);

/* Takes the option that getopt_long() answered `key` to; `value` is its text. */
int model_options_take(struct model_options *options, int key, char *value, struct error *error);

/* NULL, or what is wrong with the options as a whole, in words for people. */
const char *model_options_wrong(const struct model_options *options);
/* STATUS_INPUT for a method that is none. */
int model_options_check_methods(const struct model_options *options, struct error *error);

void model_options_free(struct model_options *options); /* a zeroed struct is allowed */

#endif
