#include "eval/text/text_steps.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "eval/text/nfc.h"
#include "eval/text/utf8.h"

const char *const split_behavior_names[SPLIT_BEHAVIORS] = {[SPLIT_REMOVED] = "Removed",
                                                           [SPLIT_ISOLATED] = "Isolated",
                                                           [SPLIT_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
                                                           [SPLIT_MERGED_WITH_NEXT] = "MergedWithNext",
                                                           [SPLIT_CONTIGUOUS] = "Contiguous"};

void steps_free(struct steps *steps) {
    for (size_t i = 0; i < steps->count; i++) {
        pattern_free(steps->items[i].pattern);
        free(steps->items[i].text);
    }
    *steps = (struct steps){0};
}

void steps_memory_free(struct steps_memory *memory) {
    for (size_t i = 0; i < STEPS_MOST; i++) free(memory->changed[i].bytes);
    *memory = (struct steps_memory){0};
}

/* The step at `index` is to be applied to the piece; the taker comes behind the last. */
static int apply(const struct steps_run *run, size_t index, const struct piece *piece, struct error *error);

/* ---- Splitting ---- */

/* Matches and what is between them come in order. What is known to be whole is given to the next step; what may still
 * grow is held. */
struct splitter {
    const struct steps_run *run;
    size_t index; /* of the next step */
    const struct piece *piece;
    enum split_behavior behavior;
    bool holds, after_match;
    size_t begin, end; /* of what is held */
};

static int give(const struct splitter *s, size_t begin, size_t end, struct error *error) {
    if (begin == end) return STATUS_OK;
    const struct piece part = {s->piece->text + begin, end - begin, s->piece->first && begin == 0};
    return apply(s->run, s->index, &part, error);
}

static int give_held(struct splitter *s, struct error *error) {
    if (!s->holds) return STATUS_OK;
    s->holds = false;
    return give(s, s->begin, s->end, error);
}

/* Whether the part begin..end is joined to what is held, which is next to it. */
static bool joins(const struct splitter *s, bool is_match) {
    switch (s->behavior) {
    case SPLIT_CONTIGUOUS:
        return is_match == s->after_match;
    case SPLIT_MERGED_WITH_PREVIOUS:
        return is_match && !s->after_match;
    case SPLIT_MERGED_WITH_NEXT:
        return !is_match && s->after_match;
    default:
        return false;
    }
}

static int split_part(struct splitter *s, size_t begin, size_t end, bool is_match, struct error *error) {
    int status = STATUS_OK;
    if (s->holds && joins(s, is_match)) {
        s->end = end;
    } else {
        status = give_held(s, error);
        s->holds = s->behavior != SPLIT_REMOVED || !is_match;
        s->begin = begin;
        s->end = end;
    }
    s->after_match = is_match;
    return status;
}

static int split(const struct steps_run *run, size_t index, const struct piece *piece, struct error *error) {
    const struct step *step = &run->steps->items[index];
    struct splitter s = {.run = run, .index = index + 1, .piece = piece, .behavior = step->behavior};
    struct match match;
    int status = STATUS_OK;
    for (size_t at = 0; at < piece->size && status == STATUS_OK; at = match.end) {
        status = pattern_find(step->pattern, run->matching, run->name, piece->text, piece->size, at, &match, error);
        if (status == STATUS_OK && match.begin > at) status = split_part(&s, at, match.begin, step->invert, error);
        if (status == STATUS_OK && match.end > match.begin) {
            status = split_part(&s, match.begin, match.end, !step->invert, error);
        }
    }
    return status == STATUS_OK ? give_held(&s, error) : status;
}

/* ---- Changing ---- */

static int put(const struct steps_run *run, size_t index, const char *text, size_t size, struct error *error) {
    struct text_buffer *changed = &run->memory->changed[index];
    return text_buffer_put(changed, text, size) ? STATUS_OK : error_memory(error, (double)changed->size, run->name);
}

static int give_changed(const struct steps_run *run, size_t index, bool first, struct error *error) {
    const struct text_buffer *changed = &run->memory->changed[index];
    if (changed->size == 0) return STATUS_OK;
    const struct piece piece = {changed->bytes, changed->size, first};
    return apply(run, index + 1, &piece, error);
}

/* The library asks which character of the text the first one of a piece comes from. One that replaces several comes
 * from the last of them. */
static int replace(const struct steps_run *run, size_t index, const struct piece *piece, struct error *error) {
    const struct step *step = &run->steps->items[index];
    struct match match;
    int status = STATUS_OK;
    bool first = piece->first;
    size_t length = strlen(step->text);
    run->memory->changed[index].size = 0;
    for (size_t at = 0; at < piece->size && status == STATUS_OK; at = match.end) {
        status = pattern_find(step->pattern, run->matching, run->name, piece->text, piece->size, at, &match, error);
        if (status == STATUS_OK) status = put(run, index, piece->text + at, match.begin - at, error);
        if (status != STATUS_OK || match.begin == match.end) continue;
        bool one = match.end - match.begin == utf8_character_bytes(piece->text, piece->size);
        if (match.begin == 0) first = first && one && length > 0;
        status = put(run, index, step->text, length, error);
    }
    return status == STATUS_OK ? give_changed(run, index, first, error) : status;
}

static int prefix(const struct steps_run *run, size_t index, const struct piece *piece, struct error *error) {
    const struct step *step = &run->steps->items[index];
    size_t length = strlen(step->text);
    bool present = piece->size >= length && memcmp(piece->text, step->text, length) == 0;
    if (step->rule != PREFIX_ALWAYS && (present || (step->rule == PREFIX_FIRST && !piece->first))) {
        return apply(run, index + 1, piece, error);
    }
    run->memory->changed[index].size = 0;
    int status = put(run, index, step->text, length, error);
    if (status == STATUS_OK) status = put(run, index, piece->text, piece->size, error);
    return status == STATUS_OK ? give_changed(run, index, piece->first, error) : status;
}

/* GPT-2's alphabet: printable characters of Latin-1 stand for themselves, other bytes for U+0100 and on, in order. */
static uint32_t byte_character(unsigned char byte) {
    uint32_t others = byte <= 0x20 ? byte : byte <= 0xa0 ? 0x21u + byte - 0x7f : 0x43;
    bool printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
    return printable ? byte : 0x100 + others;
}

static int change_bytes(const struct steps_run *run, size_t index, const struct piece *piece, struct error *error) {
    int status = STATUS_OK;
    run->memory->changed[index].size = 0;
    for (size_t i = 0; i < piece->size && status == STATUS_OK; i++) {
        char character[UTF8_MOST_BYTES];
        size_t size = utf8_encode(byte_character((unsigned char)piece->text[i]), character);
        status = put(run, index, character, size, error);
    }
    return status == STATUS_OK ? give_changed(run, index, piece->first, error) : status;
}

static int normalize(const struct steps_run *run, size_t index, const struct piece *piece, struct error *error) {
    int status = nfc_make(piece->text, piece->size, &run->memory->changed[index], error);
    return status == STATUS_OK ? give_changed(run, index, piece->first, error) : status;
}

static int apply(const struct steps_run *run, size_t index, const struct piece *piece, struct error *error) {
    if (index == run->steps->count) return run->take(run->state, piece, error);
    switch (run->steps->items[index].kind) {
    case STEP_SPLIT:
        return split(run, index, piece, error);
    case STEP_REPLACE:
        return replace(run, index, piece, error);
    case STEP_PREFIX:
        return prefix(run, index, piece, error);
    case STEP_BYTES:
        return change_bytes(run, index, piece, error);
    case STEP_NFC:
        return normalize(run, index, piece, error);
    }
    return STATUS_OK;
}

int steps_apply(const struct steps_run *run, const struct piece *piece, struct error *error) {
    return apply(run, 0, piece, error);
}
