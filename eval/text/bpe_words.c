/* Words to tokens, with the tables of bpe.c. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "eval/base/array.h"
#include "eval/text/bpe_tables.h"
#include "eval/text/utf8.h"

/* ---- Merging the symbols of a word ---- */

/* A token of the word, and its neighbours; merged symbols leave the one on the left. */
struct symbol {
    int32_t token;         /* -1: merged into another */
    int32_t before, after; /* -1: none */
};

/* A merge that may be made. */
struct candidate {
    uint64_t order; /* rank, then position: the least is made first */
    int32_t joined;
};

static uint64_t order_of(int32_t rank, int32_t position) { return (uint64_t)rank << 32 | (uint32_t)position; }

/* A word that was encoded. */
struct known_word {
    uint64_t hash;
    size_t begin, token_begin;  /* in `texts` and `tokens` */
    uint32_t size, token_count; /* size 0: an empty slot */
};

enum { MOST_KNOWN = 1 << 18, LONGEST_KNOWN = 256 };

struct bpe_words {
    struct symbol *symbols;
    size_t symbol_count, symbol_capacity;
    struct candidate *queue; /* a binary heap */
    size_t queue_count, queue_capacity;
    bool unknown;             /* an unknown token was met and is not added yet */
    struct known_word *known; /* [known_mask + 1] */
    size_t known_mask, known_count;
    char *texts;
    size_t text_size, text_capacity;
    struct token_list tokens;
};

static int word_too_long(size_t size, struct error *error) {
    return error_memory(error, (double)size * sizeof(struct symbol), "a word of a text");
}

static int add_symbol(struct bpe_words *words, int32_t token, struct error *error) {
    size_t count = words->symbol_count;
    struct symbol *symbols =
        count < INT32_MAX ? array_reserve(words->symbols, &words->symbol_capacity, count + 1, sizeof *symbols) : NULL;
    if (!symbols) return word_too_long(count, error);
    words->symbols = symbols;
    symbols[words->symbol_count++] = (struct symbol){.token = token, .before = (int32_t)count - 1, .after = -1};
    if (count > 0) symbols[count - 1].after = (int32_t)count;
    return STATUS_OK;
}

static int add_unknown(const struct bpe *bpe, struct bpe_words *words, struct error *error) {
    if (!words->unknown) return STATUS_OK;
    words->unknown = false;
    return add_symbol(words, bpe->settings.unknown, error);
}

/* The tokens of the character's bytes; *added is false where one of them is none. */
static int add_bytes(const struct bpe *bpe, struct bpe_words *words, const char *text, size_t size, bool *added,
                     struct error *error) {
    int status = STATUS_OK;
    *added = true;
    for (size_t i = 0; i < size; i++) *added = *added && bpe->bytes[(unsigned char)text[i]] >= 0;
    for (size_t i = 0; i < size && *added && status == STATUS_OK; i++) {
        status = add_symbol(words, bpe->bytes[(unsigned char)text[i]], error);
    }
    return status;
}

/* An unknown token comes after the bytes of characters that follow it, as in the library. */
static int add_character(const struct bpe *bpe, struct bpe_words *words, const char *text, size_t size,
                         struct error *error) {
    int32_t token = bpe_find(bpe, text, size);
    bool added = false;
    int status = STATUS_OK;
    if (token >= 0) {
        status = add_unknown(bpe, words, error);
        return status == STATUS_OK ? add_symbol(words, token, error) : status;
    }
    if (bpe->settings.byte_fallback) status = add_bytes(bpe, words, text, size, &added, error);
    if (status != STATUS_OK || added || bpe->settings.unknown < 0) return status;
    if (!bpe->settings.fuse_unknown) status = add_unknown(bpe, words, error);
    words->unknown = true;
    return status;
}

static int add_characters(const struct bpe *bpe, struct bpe_words *words, const char *word, size_t size,
                          struct error *error) {
    int status = STATUS_OK;
    words->symbol_count = 0;
    words->unknown = false;
    for (size_t at = 0, bytes; at < size && status == STATUS_OK; at += bytes) {
        bytes = utf8_character_bytes(word + at, size - at);
        status = add_character(bpe, words, word + at, bytes, error);
    }
    return status == STATUS_OK ? add_unknown(bpe, words, error) : status;
}

static void swap(struct candidate *a, struct candidate *b) {
    struct candidate held = *a;
    *a = *b;
    *b = held;
}

static void queue_sink(struct candidate *queue, size_t count, size_t at) {
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && queue[child + 1].order < queue[child].order) child++;
        if (queue[at].order <= queue[child].order) return;
        swap(&queue[at], &queue[child]);
    }
}

static void queue_rise(struct candidate *queue, size_t at) {
    for (size_t parent; at > 0 && queue[parent = (at - 1) / 2].order > queue[at].order; at = parent) {
        swap(&queue[at], &queue[parent]);
    }
}

static struct candidate queue_take(struct bpe_words *words) {
    struct candidate first = words->queue[0];
    words->queue[0] = words->queue[--words->queue_count];
    queue_sink(words->queue, words->queue_count, 0);
    return first;
}

/* Appends the merge of the symbol with the one behind it, if there is one; the queue is then not in order. */
static int queue_append(const struct bpe *bpe, struct bpe_words *words, int32_t at, bool *appended,
                        struct error *error) {
    int32_t after = words->symbols[at].after;
    *appended = false;
    if (after < 0) return STATUS_OK;
    const struct bpe_merge_row *merge = bpe_merge_slot(bpe, words->symbols[at].token, words->symbols[after].token);
    if (merge->rank < 0) return STATUS_OK;
    struct candidate *queue =
        array_reserve(words->queue, &words->queue_capacity, words->queue_count + 1, sizeof *queue);
    if (!queue) return word_too_long(words->symbol_count, error);
    words->queue = queue;
    queue[words->queue_count++] = (struct candidate){order_of(merge->rank, at), merge->joined};
    *appended = true;
    return STATUS_OK;
}

static int queue_add(const struct bpe *bpe, struct bpe_words *words, int32_t at, struct error *error) {
    bool appended;
    int status = queue_append(bpe, words, at, &appended, error);
    if (appended) queue_rise(words->queue, words->queue_count - 1);
    return status;
}

static int queue_fill(const struct bpe *bpe, struct bpe_words *words, struct error *error) {
    bool appended;
    int status = STATUS_OK;
    words->queue_count = 0;
    for (size_t i = 0; i < words->symbol_count && status == STATUS_OK; i++) {
        status = queue_append(bpe, words, (int32_t)i, &appended, error);
    }
    for (size_t i = words->queue_count / 2; i-- > 0;) queue_sink(words->queue, words->queue_count, i);
    return status;
}

/* Joins the symbol with the one behind it. */
static int join(const struct bpe *bpe, struct bpe_words *words, int32_t at, int32_t joined, struct error *error) {
    struct symbol *symbols = words->symbols, *symbol = &symbols[at];
    int32_t right = symbol->after;
    symbol->token = joined;
    symbol->after = symbols[right].after;
    symbols[right].token = -1;
    if (symbol->after >= 0) symbols[symbol->after].before = at;
    int status = symbol->before >= 0 ? queue_add(bpe, words, symbol->before, error) : STATUS_OK;
    return status == STATUS_OK ? queue_add(bpe, words, at, error) : status;
}

/* A candidate whose symbols have changed since is passed over, unless they still join to the same token: the library
 * compares no more than that. */
static int merge_symbols(const struct bpe *bpe, struct bpe_words *words, struct error *error) {
    int status = queue_fill(bpe, words, error);
    while (words->queue_count > 0 && status == STATUS_OK) {
        struct candidate first = queue_take(words);
        int32_t at = (int32_t)(uint32_t)first.order;
        const struct symbol *symbol = &words->symbols[at];
        if (symbol->token < 0 || symbol->after < 0) continue;
        const struct bpe_merge_row *merge = bpe_merge_slot(bpe, symbol->token, words->symbols[symbol->after].token);
        if (merge->rank >= 0 && merge->joined == first.joined) status = join(bpe, words, at, first.joined, error);
    }
    return status;
}

/* ---- Words ---- */

int token_list_add(struct token_list *list, int32_t token, struct error *error) {
    int32_t *items = array_reserve(list->items, &list->capacity, list->count + 1, sizeof *items);
    if (!items) return error_memory(error, (double)list->count * sizeof *items, "the tokens of a text");
    list->items = items;
    items[list->count++] = token;
    return STATUS_OK;
}

int bpe_words_new(struct bpe_words **out, struct error *error) {
    enum { FIRST_SLOTS = 256 };
    *out = calloc(1, sizeof **out);
    if (*out) (*out)->known = calloc(FIRST_SLOTS, sizeof *(*out)->known);
    if (*out && (*out)->known) {
        (*out)->known_mask = FIRST_SLOTS - 1;
        return STATUS_OK;
    }
    bpe_words_free(*out);
    *out = NULL;
    return error_memory(error, FIRST_SLOTS * sizeof(struct known_word), "the words of a text");
}

void bpe_words_free(struct bpe_words *words) {
    if (!words) return;
    free(words->symbols);
    free(words->queue);
    free(words->known);
    free(words->texts);
    free(words->tokens.items);
    free(words);
}

/* The slot of that word, or the empty one where it would be. */
static struct known_word *known_slot(const struct bpe_words *words, uint64_t hash, const char *word, size_t size) {
    size_t at = hash & words->known_mask;
    for (; words->known[at].size; at = (at + 1) & words->known_mask) {
        const struct known_word *known = &words->known[at];
        bool equal = known->hash == hash && known->size == size;
        if (equal && memcmp(words->texts + known->begin, word, size) == 0) break;
    }
    return &words->known[at];
}

/* Twice as many slots. Without the memory for them no more words become known. */
static bool known_grow(struct bpe_words *words) {
    size_t slots = 2 * (words->known_mask + 1);
    struct known_word *before = words->known, *known = calloc(slots, sizeof *known);
    if (!known) return false;
    for (size_t i = 0; i <= words->known_mask; i++) {
        size_t at = before[i].hash & (slots - 1);
        if (!before[i].size) continue;
        while (known[at].size) at = (at + 1) & (slots - 1);
        known[at] = before[i];
    }
    free(before);
    words->known = known;
    words->known_mask = slots - 1;
    return true;
}

/* Remembers the word, whose tokens are tokens[count]. */
static int know(struct bpe_words *words, uint64_t hash, const char *word, size_t size, const int32_t *tokens,
                size_t count, struct error *error) {
    if (words->known_count == MOST_KNOWN) return STATUS_OK;
    if (2 * words->known_count >= words->known_mask && !known_grow(words)) return STATUS_OK;
    char *texts = array_reserve(words->texts, &words->text_capacity, words->text_size + size, 1);
    if (!texts) return STATUS_OK;
    words->texts = texts;
    size_t token_begin = words->tokens.count;
    for (size_t i = 0; i < count; i++) {
        int status = token_list_add(&words->tokens, tokens[i], error);
        if (status != STATUS_OK) return status;
    }
    memcpy(texts + words->text_size, word, size);
    *known_slot(words, hash, word, size) = (struct known_word){.hash = hash,
                                                               .begin = words->text_size,
                                                               .token_begin = token_begin,
                                                               .size = (uint32_t)size,
                                                               .token_count = (uint32_t)count};
    words->text_size += size;
    words->known_count++;
    return STATUS_OK;
}

/* Adds the tokens of a word that is not known. */
static int encode_new(const struct bpe *bpe, struct bpe_words *words, const char *word, size_t size,
                      struct token_list *out, struct error *error) {
    int status = add_characters(bpe, words, word, size, error);
    if (status == STATUS_OK) status = merge_symbols(bpe, words, error);
    for (size_t i = 0; i < words->symbol_count && status == STATUS_OK; i++) {
        if (words->symbols[i].token >= 0) status = token_list_add(out, words->symbols[i].token, error);
    }
    return status;
}

/* Adds the tokens of a word or of a part of one, which are remembered unless it is long. */
static int encode_part(const struct bpe *bpe, struct bpe_words *words, const char *word, size_t size,
                       struct token_list *out, struct error *error) {
    if (size > LONGEST_KNOWN) return encode_new(bpe, words, word, size, out, error);
    uint64_t hash = XXH3_64bits(word, size);
    const struct known_word *known = known_slot(words, hash, word, size);
    int status = STATUS_OK;
    if (known->size) {
        const int32_t *tokens = words->tokens.items + known->token_begin;
        for (uint32_t i = 0; i < known->token_count && status == STATUS_OK; i++) {
            status = token_list_add(out, tokens[i], error);
        }
        return status;
    }
    size_t begin = out->count;
    status = encode_new(bpe, words, word, size, out, error);
    if (status != STATUS_OK || out->count == begin) return status;
    return know(words, hash, word, size, out->items + begin, out->count - begin, error);
}

/* Where the first part of word[size] ends, whose tokens do not depend on what follows: between two characters that are
 * tokens and never join. */
static size_t part_end(const struct bpe *bpe, const char *word, size_t size) {
    size_t bytes;
    uint32_t left = utf8_decode(word, &bytes);
    bool known = bpe_find(bpe, word, bytes) >= 0;
    for (size_t at = bytes; at < size; at += bytes) {
        uint32_t right = utf8_decode(word + at, &bytes);
        bool before = known;
        known = bpe_find(bpe, word + at, bytes) >= 0;
        if (before && known && !bpe_may_join(bpe, left, right)) return at;
        left = right;
    }
    return size;
}

/* A long word, such as a whole text of a tokenizer that does not divide it, is divided where that changes nothing. */
int bpe_encode(const struct bpe *bpe, struct bpe_words *words, const char *word, size_t size, struct token_list *out,
               struct error *error) {
    int32_t whole = bpe->settings.whole_words ? bpe_find(bpe, word, size) : -1;
    if (whole >= 0) return token_list_add(out, whole, error);
    if (size <= LONGEST_KNOWN) return encode_part(bpe, words, word, size, out, error);
    int status = STATUS_OK;
    for (size_t at = 0, end; at < size && status == STATUS_OK; at = end) {
        end = at + part_end(bpe, word + at, size - at);
        status = encode_part(bpe, words, word + at, end - at, out, error);
    }
    return status;
}
