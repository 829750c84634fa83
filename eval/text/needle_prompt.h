/* Pass-key prompts: a haystack, a needle that states a key somewhere in it, and a question after the key, as tokens.
 *
 * The task is Mohtashami and Jaggi's (arXiv 2305.16300). A prompt is here complete: it ends with the right answer.
 * Greedy decoding gives that answer if and only if each of the answer's tokens is the arg max of the logits given all
 * tokens before it: while the decoded tokens equal the answer, the decoder's input is this prompt up to that token, and
 * the first token that differs is the first that is not the arg max. So one forward pass over the prompt replaces one
 * pass per token of the answer, and also gives the answer's nats. What a model would decode after the last digit is
 * ignored.
 *
 * Parts of a prompt are tokenized one by one, each as if it followed a line end, and then joined. If the tokenizer
 * never joins a line end with the text after it, these are the tokens of the whole text.
 */
#ifndef LONGROPE_EVAL_NEEDLE_PROMPT_H
#define LONGROPE_EVAL_NEEDLE_PROMPT_H

#include <stdint.h>

#include "eval/base/error.h"
#include "eval/text/tokenizer.h"

enum { NEEDLE_MOST_DIGITS = 32 };

/* How a prompt is worded.
 * - Published: that of Mohtashami and Jaggi and of microsoft/LongRoPE's evaluation/passkey.py. A description of the
 *   task, filler (five short sentences, repeated; restarted after the needle; cut at the required length), the needle,
 *   filler, the question; the answer begins with the blank behind the question.
 * - Demo: what the demo model was trained on (configs/demo/train/passkey.py). Filler sentences in random order, whole
 *   and one a line, the needle among them, the question and a blank; the answer is the digits alone. Where the needle
 *   is the last line before the question, an empty line stands between the two, as it did in training. */
enum needle_form { NEEDLE_PUBLISHED, NEEDLE_DEMO, NEEDLE_FORMS };

extern const char *const needle_form_names[NEEDLE_FORMS]; /* "published", "demo" */
const char *needle_form_name(enum needle_form form);

/* What all prompts of a measurement share. */
struct needle_setting {
    const struct tokenizer *tokenizer;
    enum needle_form form;
    int64_t digits; /* of a key, 1..NEEDLE_MOST_DIGITS; the first is not 0 */
};

/* What distinguishes prompts. Equal numbers give equal prompts. */
struct needle_position {
    int64_t length; /* tokens of the prompt, from the first to the answer's last */
    double depth;   /* 0..1: the share of the haystack's tokens that stand before the needle */
    uint64_t seed;
    int64_t trial;
};

struct needle_prompt {
    int64_t count;   /* the position's length, always */
    int32_t *tokens; /* [count] */
    int64_t needle;  /* the first token of the line that states the key */
    int64_t answer;  /* tokens of the answer: the last ones */
    char key[NEEDLE_MOST_DIGITS + 1];
};

/* A prompt whose haystack is the form's filler, behind the tokenizer's BOS if there is one. With whole sentences the
 * needle stands at the line end nearest to `depth`; it follows the last sentence only at depth 1. STATUS_INPUT if
 * `length` is too short, or (whole sentences only, for a few small numbers) cannot be met exactly, naming a length that
 * can; for digits or depth out of range, and if the tokenizer has no tokens for digits. The caller frees *out with
 * needle_prompt_free(). */
int needle_prompt_make(const struct needle_setting *setting, const struct needle_position *position,
                       struct needle_prompt *out, struct error *error);

/* The haystack is the beginning of text[count]; `length` tokens of text always suffice. Needle and question are
 * separate lines, between any two tokens, but never before BOS. STATUS_INPUT also if the text is too short. */
int needle_prompt_in_text(const struct needle_setting *setting, const struct needle_position *position,
                          const int32_t *text, int64_t count, struct needle_prompt *out, struct error *error);

void needle_prompt_free(struct needle_prompt *prompt); /* a zeroed struct is allowed */

#endif
