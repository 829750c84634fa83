#include "eval/text/bpe_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "eval/base/array.h"
#include "eval/text/utf8.h"

/* A power of two that is at least twice `count`; 0 if there is none. */
static size_t slots_for(size_t count) {
    size_t slots = 16;
    while (slots / 2 < count && slots) slots *= 2;
    return slots;
}

static int no_memory(size_t bytes, struct error *error) {
    return error_memory(error, (double)bytes, "the vocabulary of a tokenizer");
}

int bpe_new(size_t tokens, size_t merges, struct bpe **out, struct error *error) {
    struct bpe *bpe = *out = calloc(1, sizeof *bpe);
    size_t slots = slots_for(tokens), merge_slots = slots_for(merges);
    if (!bpe) return no_memory(sizeof *bpe, error);
    if (slots && merge_slots && tokens < UINT32_MAX && merges < INT32_MAX) {
        bpe->tokens = calloc(tokens + 1, sizeof *bpe->tokens); /* + 1: may be none */
        bpe->slots = calloc(slots, sizeof *bpe->slots);
        bpe->merges = calloc(merge_slots, sizeof *bpe->merges);
    }
    if (!bpe->tokens || !bpe->slots || !bpe->merges) {
        bpe_free(bpe);
        *out = NULL;
        return no_memory(tokens * sizeof(struct bpe_token) + merge_slots * sizeof(struct bpe_merge_row), error);
    }
    bpe->slot_mask = slots - 1;
    bpe->merge_mask = merge_slots - 1;
    for (size_t i = 0; i < merge_slots; i++) bpe->merges[i].rank = -1;
    return STATUS_OK;
}

void bpe_free(struct bpe *bpe) {
    if (!bpe) return;
    free(bpe->texts);
    free(bpe->tokens);
    free(bpe->slots);
    free(bpe->merges);
    free(bpe->joins);
    free(bpe);
}

/* The slot of the token with that text, or the empty one where it would be. */
static size_t token_slot(const struct bpe *bpe, const char *text, size_t size) {
    size_t at = XXH3_64bits(text, size) & bpe->slot_mask;
    for (; bpe->slots[at]; at = (at + 1) & bpe->slot_mask) {
        const struct bpe_token *token = &bpe->tokens[bpe->slots[at] - 1];
        if (token->size == size && memcmp(bpe->texts + token->begin, text, size) == 0) break;
    }
    return at;
}

/* Appends to the texts of tokens; *begin is where. */
static int texts_add(struct bpe *bpe, const char *text, size_t size, struct error *error) {
    char *texts = array_reserve(bpe->texts, &bpe->text_capacity, bpe->text_size + size, 1);
    if (!texts) return no_memory(bpe->text_size + size, error);
    bpe->texts = texts;
    memcpy(texts + bpe->text_size, text, size);
    bpe->text_size += size;
    return STATUS_OK;
}

int bpe_put_token(struct bpe *bpe, const char *text, size_t size, int32_t id, bool *added, struct error *error) {
    size_t slot = token_slot(bpe, text, size), begin = bpe->text_size;
    *added = !bpe->slots[slot];
    if (!*added) return STATUS_OK;
    int status = texts_add(bpe, text, size, error);
    if (status != STATUS_OK) return status;
    bpe->tokens[bpe->count++] = (struct bpe_token){begin, size, id};
    bpe->slots[slot] = (uint32_t)bpe->count;
    return STATUS_OK;
}

int32_t bpe_find(const struct bpe *bpe, const char *text, size_t size) {
    uint32_t index = bpe->slots[token_slot(bpe, text, size)];
    return index ? bpe->tokens[index - 1].id : -1;
}

struct bpe_merge_row *bpe_merge_slot(const struct bpe *bpe, int32_t left, int32_t right) {
    const uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t at = (pair * UINT64_C(0x9e3779b97f4a7c15) >> 29) & bpe->merge_mask;
    while (bpe->merges[at].rank >= 0 && (bpe->merges[at].left != left || bpe->merges[at].right != right)) {
        at = (at + 1) & bpe->merge_mask;
    }
    return &bpe->merges[at];
}

/* The token of the merge's text, which is written behind those of the tokens and taken away again. */
static int find_joined(struct bpe *bpe, const struct bpe_merge *merge, int32_t *out, struct error *error) {
    size_t begin = bpe->text_size;
    int status = texts_add(bpe, merge->left, merge->left_size, error);
    if (status == STATUS_OK) status = texts_add(bpe, merge->right, merge->right_size, error);
    if (status == STATUS_OK) *out = bpe_find(bpe, bpe->texts + begin, bpe->text_size - begin);
    bpe->text_size = begin;
    return status;
}

int bpe_put_merge(struct bpe *bpe, const struct bpe_merge *merge, const char **unknown, struct error *error) {
    int32_t left = bpe_find(bpe, merge->left, merge->left_size), joined = -1;
    int32_t right = bpe_find(bpe, merge->right, merge->right_size);
    int status = find_joined(bpe, merge, &joined, error);
    *unknown = left < 0 ? "left" : right < 0 ? "right" : joined < 0 ? "joined" : NULL;
    if (status != STATUS_OK || *unknown) return status;
    *bpe_merge_slot(bpe, left, right) = (struct bpe_merge_row){left, right, (int32_t)bpe->merge_count++, joined};
    return STATUS_OK;
}

static uint64_t join_bit(const struct bpe *bpe, uint32_t left, uint32_t right) {
    const uint64_t pair = (uint64_t)left << 32 | right;
    return pair * UINT64_C(0x9e3779b97f4a7c15) >> 29 & bpe->join_mask;
}

bool bpe_may_join(const struct bpe *bpe, uint32_t left, uint32_t right) {
    uint64_t bit = join_bit(bpe, left, right);
    return bpe->joins[bit / 64] >> bit % 64 & 1;
}

static int find_joins(struct bpe *bpe, struct error *error) {
    size_t words = slots_for(bpe->text_size / 8); /* 16 to 32 bits per byte */
    bpe->joins = calloc(words, sizeof *bpe->joins);
    if (!bpe->joins) return no_memory(words * sizeof *bpe->joins, error);
    bpe->join_mask = words * 64 - 1;
    for (size_t i = 0; i < bpe->count; i++) {
        const struct bpe_token *token = &bpe->tokens[i];
        const char *text = bpe->texts + token->begin;
        size_t bytes;
        uint32_t left = token->size ? utf8_decode(text, &bytes) : 0;
        for (size_t at = token->size ? bytes : 0; at < token->size; at += bytes) {
            uint32_t right = utf8_decode(text + at, &bytes);
            uint64_t bit = join_bit(bpe, left, right);
            bpe->joins[bit / 64] |= (uint64_t)1 << bit % 64;
            left = right;
        }
    }
    return STATUS_OK;
}

int bpe_finish(struct bpe *bpe, const struct bpe_settings *settings, struct error *error) {
    bpe->settings = *settings;
    for (int byte = 0; byte < 256; byte++) {
        char text[8];
        int size = snprintf(text, sizeof text, "<0x%02X>", byte);
        bpe->bytes[byte] = settings->byte_fallback ? bpe_find(bpe, text, (size_t)size) : -1;
    }
    return find_joins(bpe, error);
}

size_t bpe_token_count(const struct bpe *bpe) { return bpe->count; }

int32_t bpe_unknown(const struct bpe *bpe) { return bpe->settings.unknown; }

static int compare_ids(const void *left, const void *right) {
    const int32_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

int bpe_find_duplicate(const struct bpe *bpe, int32_t *out, struct error *error) {
    int32_t *ids = calloc(bpe->count + 1, sizeof *ids); /* + 1: may be none */
    *out = -1;
    if (!ids) return no_memory(bpe->count * sizeof *ids, error);
    for (size_t i = 0; i < bpe->count; i++) ids[i] = bpe->tokens[i].id;
    qsort(ids, bpe->count, sizeof *ids, compare_ids);
    for (size_t i = 1; i < bpe->count && *out < 0; i++) {
        if (ids[i] == ids[i - 1]) *out = ids[i];
    }
    free(ids);
    return STATUS_OK;
}
