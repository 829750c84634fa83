/* The windows that the tables of a stage are scored on: windows of its text, or with OBJECTIVE_NEEDLE one document per
 * window, with a needle in it.
 *
 * Such a document is a pass-key prompt (eval/text/needle_prompt.h) of exactly target_length tokens whose haystack is
 * the window's text: a needle at a random depth states a key, a question at the end asks for it, and only the answer's
 * tokens, the document's last, are scored. Text, its windows and their number are those of
 * OBJECTIVE_PERPLEXITY, so that both objectives cost the same and see the same pages.
 *
 * Depths are the fractional parts of u + i (sqrt(5) - 1) / 2 for window i, u drawn by the seed. Each depth is
 * uniform over 0..1, and the depths of any number of windows are evenly spread, so the first few, which racing uses,
 * already cover near and far needles.
 */
#ifndef LONGROPE_SEARCH_STAGE_WINDOWS_H
#define LONGROPE_SEARCH_STAGE_WINDOWS_H

#include <stdio.h>

#include "eval/base/error.h"
#include "eval/perplexity.h"
#include "eval/text/documents.h"
#include "search/config/config.h"
#include "search/store/store.h"

struct stage_windows {
    struct documents text;         /* as it was read */
    struct documents needles;      /* one document per window, held out ones too; empty with OBJECTIVE_PERPLEXITY */
    size_t count;                  /* windows that tables are scored on */
    size_t held_out;               /* windows behind them, of text that neither these nor those of a base share */
    struct window *items;          /* [count + held_out], of `needles` if it is not empty, else of `text` */
    struct window_record *records; /* [count + held_out]: their records for the store */
    char *told;                    /* windows_tell(), of the text */
};

/* Reads the stage's text or tokens for a model of that folder and vocabulary. `stages` are those that config->base and
 * finetune.base refer to: their windows are not held out where they are of the same text. STATUS_INPUT, naming file or
 * stage, for what cannot be read, too little text, and words of needles that cannot be turned into the model's tokens.
 * The caller closes *out with stage_windows_close(), also after an error. */
int stage_windows_open(const struct stage_config *config, const struct stage_config *stages, const char *model,
                       int64_t vocabulary, struct stage_windows *out, struct error *error);
/* Says on `out`, after "STAGE: ", which windows these are. */
void stage_windows_print(const struct stage_windows *windows, const char *stage, FILE *out);
void stage_windows_close(struct stage_windows *windows); /* a zeroed struct is allowed */

/* Scoring on the windows that are not held out, and on all; both borrow from *windows. */
struct scoring stage_windows_scoring(const struct stage_windows *windows);
struct scoring stage_windows_all(const struct stage_windows *windows);

#endif
