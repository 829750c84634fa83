/* What a tokenizer does to a text before its words become tokens: a list of steps. Each takes a piece of text and gives
 * pieces to the next step: parts of it, or one that is changed. Normalizers and pre-tokenizers of tokenizer.json are
 * such lists (tokenizer_json_read.c).
 */
#ifndef LONGROPE_EVAL_TEXT_STEPS_H
#define LONGROPE_EVAL_TEXT_STEPS_H

#include <stdbool.h>
#include <stddef.h>

#include "eval/base/error.h"
#include "eval/text/pattern.h"
#include "eval/text/text_buffer.h"

enum step_kind {
    STEP_SPLIT,   /* at the matches of a pattern */
    STEP_REPLACE, /* each match of a pattern by a text */
    STEP_PREFIX,  /* a text before the piece */
    STEP_BYTES,   /* each byte by a printable character, as GPT-2 does */
    STEP_NFC      /* Unicode's normalization form C */
};

/* What becomes of the matches, and of what is between them. */
enum split_behavior {
    SPLIT_REMOVED,              /* matches are left out */
    SPLIT_ISOLATED,             /* each is a piece */
    SPLIT_MERGED_WITH_PREVIOUS, /* each is joined to what is before it, unless that is a match */
    SPLIT_MERGED_WITH_NEXT,
    SPLIT_CONTIGUOUS, /* matches in a row are one piece */
    SPLIT_BEHAVIORS
};

extern const char *const split_behavior_names[SPLIT_BEHAVIORS]; /* "Removed", "Isolated", ... */

enum prefix_rule {
    PREFIX_ALWAYS,
    PREFIX_MISSING, /* unless the piece begins with it */
    PREFIX_FIRST    /* the same, and the piece begins the text */
};

struct step {
    enum step_kind kind;
    struct pattern *pattern; /* of SPLIT and REPLACE; owned */
    char *text;              /* of REPLACE and PREFIX; owned */
    enum split_behavior behavior;
    bool invert; /* SPLIT: matches are what is between the pattern's */
    enum prefix_rule rule;
};

enum { STEPS_MOST = 32 };

/* Zeroed is empty. */
struct steps {
    size_t count;
    struct step items[STEPS_MOST];
};

void steps_free(struct steps *steps);

struct piece {
    const char *text; /* [size], UTF-8 */
    size_t size;
    bool first; /* it begins the text */
};

/* Takes a piece, which is not empty and stays only during the call. */
typedef int piece_taker(void *state, const struct piece *piece, struct error *error);

/* Memory for the steps, one text at a time. Zeroed is empty; the caller frees it. */
struct steps_memory {
    struct text_buffer changed[STEPS_MOST]; /* what each step made */
};

void steps_memory_free(struct steps_memory *memory);

struct steps_run {
    const struct steps *steps;
    struct steps_memory *memory;
    struct pattern_memory *matching;
    const char *name; /* where the text came from */
    piece_taker *take;
    void *state;
};

/* Gives what the steps make of the piece, which is not empty, to run->take, in order. Errors are those of
 * pattern_find() and of the taker, STATUS_FAILED for lack of memory. */
int steps_apply(const struct steps_run *run, const struct piece *piece, struct error *error);

#endif
