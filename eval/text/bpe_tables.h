/* The tables of byte-pair encoding: for bpe.c, which fills them in, and bpe_words.c. Hash tables have slots[mask + 1];
 * an entry lies at its hash's slot or, cyclically, behind it. */
#ifndef LONGROPE_EVAL_BPE_TABLES_H
#define LONGROPE_EVAL_BPE_TABLES_H

#include "eval/text/bpe.h"

struct bpe_token {
    size_t begin, size; /* of its text in bpe.texts */
    int32_t id;
};

struct bpe_merge_row {
    int32_t left, right; /* tokens */
    int32_t rank;        /* -1: an empty slot */
    int32_t joined;
};

struct bpe {
    struct bpe_settings settings;
    char *texts;
    size_t text_size, text_capacity;
    struct bpe_token *tokens; /* [count] */
    size_t count;
    uint32_t *slots; /* [slot_mask + 1], 1 + index of a token; 0: empty */
    size_t slot_mask;
    struct bpe_merge_row *merges; /* [merge_mask + 1] */
    size_t merge_mask, merge_count;
    int32_t bytes[256]; /* the tokens "<0x00>" to "<0xFF>"; -1: none */
    uint64_t *joins;    /* bits, [join_mask + 1]: set for the hash of each pair of characters within a token */
    uint64_t join_mask;
};

/* The merge of that pair, or the empty slot where it would be. */
struct bpe_merge_row *bpe_merge_slot(const struct bpe *bpe, int32_t left, int32_t right);

/* False if no token has the two characters side by side, so that no merge can join what ends with the one and what
 * begins with the other. */
bool bpe_may_join(const struct bpe *bpe, uint32_t left, uint32_t right);

#endif
