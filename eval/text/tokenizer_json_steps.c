/* The normalizer and the pre-tokenizer of a tokenizer.json, as lists of steps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"
#include "eval/text/tokenizer_json_parts.h"
#include "eval/text/utf8.h"

/* ---- Steps ---- */

struct reader {
    struct steps *steps;
    const struct step_type *types; /* which are supported */
    int nesting;
};

struct step_type {
    const char *name;
    int (*read)(struct reader *reader, const struct json_place *place, struct error *error);
    const char *keys[8];
};

enum { MOST_TYPES = 8 };

static const struct step_type *find_type(const struct step_type *types, const char *name) {
    for (const struct step_type *type = types; type->name; type++) {
        if (strcmp(type->name, name) == 0) return type;
    }
    return NULL;
}

static int unknown_type(const struct json_place *place, const struct step_type *types, const char *name,
                        struct error *error) {
    const char *names[MOST_TYPES];
    char list[256];
    size_t count = 0;
    while (types[count].name) names[count] = types[count].name, count++;
    name_list(names, count, "and", list, sizeof list);
    return json_place_wrong(place, error, "is '%.60s', which is not supported; supported: %s", name, list);
}

/* `place` is an object with a type. */
static int read_step(struct reader *reader, const struct json_place *place, struct error *error) {
    const char *name;
    if (!json_is_object(place->value)) return json_place_wrong(place, error, "is not an object");
    int status = json_place_text(place, "type", &name, error);
    if (status != STATUS_OK) return status;
    const struct step_type *type = find_type(reader->types, name);
    const struct json_place type_place = json_place_member(place, "type");
    if (!type) return unknown_type(&type_place, reader->types, name, error);
    status = json_place_check_object(place, type->keys, error);
    return status == STATUS_OK ? type->read(reader, place, error) : status;
}

static int read_list(struct reader *reader, const struct json_place *place, const char *key, struct error *error) {
    struct json_place list;
    int status = json_place_array(place, key, &list, error);
    if (status == STATUS_OK && ++reader->nesting > TOKENIZER_JSON_MOST_NESTING) {
        status = json_place_wrong(&list, error, "is a sequence within %d others, which is not supported",
                                  TOKENIZER_JSON_MOST_NESTING);
    }
    for (size_t i = 0; i < json_array_size(list.value) && status == STATUS_OK; i++) {
        const struct json_place one = json_place_item(&list, i);
        status = read_step(reader, &one, error);
    }
    reader->nesting--;
    return status;
}

/* Adds a step, whose pattern and text go with it, also after an error. */
static int add_step(struct reader *reader, const struct json_place *place, const struct step *step,
                    struct error *error) {
    if (reader->steps->count < STEPS_MOST) {
        reader->steps->items[reader->steps->count++] = *step;
        return STATUS_OK;
    }
    pattern_free(step->pattern);
    free(step->text);
    return json_place_wrong(place, error, "is one step too many; at most %d are supported", STEPS_MOST);
}

/* The step gets a copy of the text. */
static int add_with_text(struct reader *reader, const struct json_place *place, struct step step, const char *text,
                         struct error *error) {
    step.text = strdup(text);
    if (step.text) return add_step(reader, place, &step, error);
    pattern_free(step.pattern);
    return error_memory(error, (double)strlen(text), place->path);
}

/* As it stands before a colon. */
static void json_place_where(const struct json_place *place, char *out, size_t size) {
    snprintf(out, size, "%.400s: %s", place->path, place->name);
}

/* {"String": TEXT} or {"Regex": TEXT}. */
static int read_pattern(const struct json_place *place, struct pattern **out, struct error *error) {
    static const char *const keys[] = {"String", "Regex", NULL};
    const struct json_place object = json_place_member(place, "pattern");
    char where[600];
    const char *text;
    int status = json_place_check_object(&object, keys, error);
    if (status != STATUS_OK) return status;
    if (json_object_size(object.value) != 1) return json_place_wrong(&object, error, "is neither a String nor a Regex");
    const char *key = json_object_get(object.value, "Regex") ? "Regex" : "String";
    status = json_place_text(&object, key, &text, error);
    if (status != STATUS_OK) return status;
    const struct json_place value = json_place_member(&object, key);
    json_place_where(&value, where, sizeof where);
    return *key == 'R' ? pattern_new_regex(where, text, out, error) : pattern_new_text(where, text, out, error);
}

/* Splits at a regular expression of ours. */
static int add_split(struct reader *reader, const struct json_place *place, const char *regex,
                     enum split_behavior behavior, struct error *error) {
    struct step step = {.kind = STEP_SPLIT, .behavior = behavior};
    int status = pattern_new_regex(place->path, regex, &step.pattern, error);
    return status == STATUS_OK ? add_step(reader, place, &step, error) : status;
}

/* ---- Normalizers ---- */

static int read_normalizers(struct reader *reader, const struct json_place *place, struct error *error) {
    return read_list(reader, place, "normalizers", error);
}

static int read_prepend(struct reader *reader, const struct json_place *place, struct error *error) {
    const char *text;
    int status = json_place_text(place, "prepend", &text, error);
    if (status != STATUS_OK) return status;
    return add_with_text(reader, place, (struct step){.kind = STEP_PREFIX, .rule = PREFIX_ALWAYS}, text, error);
}

static int read_replace(struct reader *reader, const struct json_place *place, struct error *error) {
    struct step step = {.kind = STEP_REPLACE};
    const char *content;
    int status = json_place_text(place, "content", &content, error);
    if (status == STATUS_OK) status = read_pattern(place, &step.pattern, error);
    return status == STATUS_OK ? add_with_text(reader, place, step, content, error) : status;
}

static int read_nfc(struct reader *reader, const struct json_place *place, struct error *error) {
    return add_step(reader, place, &(struct step){.kind = STEP_NFC}, error);
}

static const struct step_type normalizer_types[MOST_TYPES] = {
    {"Sequence", read_normalizers, {"type", "normalizers"}},
    {"Prepend", read_prepend, {"type", "prepend"}},
    {"Replace", read_replace, {"type", "pattern", "content"}},
    {"NFC", read_nfc, {"type"}},
};

/* ---- Pre-tokenizers ---- */

static int read_pre_tokenizers(struct reader *reader, const struct json_place *place, struct error *error) {
    return read_list(reader, place, "pretokenizers", error);
}

static int read_split(struct reader *reader, const struct json_place *place, struct error *error) {
    struct step step = {.kind = STEP_SPLIT};
    const char *behavior;
    int status = json_place_text(place, "behavior", &behavior, error);
    if (status == STATUS_OK) status = json_place_flag(place, "invert", false, &step.invert, error);
    if (status != STATUS_OK) return status;
    int found = name_find(split_behavior_names, SPLIT_BEHAVIORS, behavior);
    const struct json_place where = json_place_member(place, "behavior");
    if (found == NAME_UNKNOWN) return json_place_wrong(&where, error, "is '%.60s', which is not supported", behavior);
    step.behavior = (enum split_behavior)found;
    status = read_pattern(place, &step.pattern, error);
    return status == STATUS_OK ? add_step(reader, place, &step, error) : status;
}

/* What GPT-2 divides texts by. */
static const char words_of_gpt2[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static int read_byte_level(struct reader *reader, const struct json_place *place, struct error *error) {
    bool prefix, regex;
    int status = json_place_flag(place, "add_prefix_space", true, &prefix, error);
    if (status == STATUS_OK) status = json_place_flag(place, "use_regex", true, &regex, error);
    if (status == STATUS_OK && prefix) {
        status = add_with_text(reader, place, (struct step){.kind = STEP_PREFIX, .rule = PREFIX_MISSING}, " ", error);
    }
    if (status == STATUS_OK && regex) status = add_split(reader, place, words_of_gpt2, SPLIT_ISOLATED, error);
    return status == STATUS_OK ? add_step(reader, place, &(struct step){.kind = STEP_BYTES}, error) : status;
}

/* The library has the numbers of Unicode 17 here. */
static int read_digits(struct reader *reader, const struct json_place *place, struct error *error) {
    bool individual;
    int status = json_place_flag(place, "individual_digits", false, &individual, error);
    if (status != STATUS_OK) return status;
    return add_split(reader, place, "[\\p{N}\U00011de0-\U00011de9\U00016ff4-\U00016ff6]",
                     individual ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS, error);
}

/* The rule of prepend_scheme, with add_prefix_space of older files; *never where nothing is prepended. */
static int read_scheme(const struct json_place *place, enum prefix_rule *rule, bool *never, struct error *error) {
    static const char *const names[] = {"always", "first", "never"};
    const struct json_place where = json_place_member(place, "prepend_scheme");
    const char *name = where.value ? json_string_value(where.value) : names[0];
    int found = name ? name_find(names, 3, name) : NAME_UNKNOWN;
    bool space;
    int status = json_place_flag(place, "add_prefix_space", true, &space, error);
    if (status != STATUS_OK) return status;
    if (found == NAME_UNKNOWN) return json_place_wrong(&where, error, "is none of always, first and never");
    *never = found == 2;
    *rule = found == 1 ? PREFIX_FIRST : PREFIX_MISSING;
    return space || *never ? STATUS_OK : json_place_wrong(&where, error, "contradicts add_prefix_space");
}

static int read_metaspace(struct reader *reader, const struct json_place *place, struct error *error) {
    struct step blanks = {.kind = STEP_REPLACE}, prefix = {.kind = STEP_PREFIX};
    struct step split = {.kind = STEP_SPLIT, .behavior = SPLIT_MERGED_WITH_NEXT};
    const struct json_place where = json_place_member(place, "replacement");
    const char *mark;
    bool never = false, splits;
    int status = json_place_text(place, "replacement", &mark, error);
    if (status == STATUS_OK) status = read_scheme(place, &prefix.rule, &never, error);
    if (status == STATUS_OK) status = json_place_flag(place, "split", true, &splits, error);
    if (status != STATUS_OK) return status;
    if (!*mark || utf8_character_bytes(mark, strlen(mark)) != strlen(mark)) {
        return json_place_wrong(&where, error, "is not one character");
    }
    status = pattern_new_text(place->path, " ", &blanks.pattern, error);
    if (status == STATUS_OK) status = add_with_text(reader, place, blanks, mark, error);
    if (status == STATUS_OK && !never) status = add_with_text(reader, place, prefix, mark, error);
    if (status != STATUS_OK || !splits) return status;
    status = pattern_new_text(place->path, mark, &split.pattern, error);
    return status == STATUS_OK ? add_step(reader, place, &split, error) : status;
}

static const struct step_type pre_tokenizer_types[MOST_TYPES] = {
    {"Sequence", read_pre_tokenizers, {"type", "pretokenizers"}},
    {"ByteLevel", read_byte_level, {"type", "add_prefix_space", "trim_offsets", "use_regex"}},
    {"Digits", read_digits, {"type", "individual_digits"}},
    {"Metaspace", read_metaspace, {"type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"}},
    {"Split", read_split, {"type", "pattern", "behavior", "invert"}},
};

static int read_steps(const struct json_place *place, const struct step_type *types, struct steps *out,
                      struct error *error) {
    struct reader reader = {.steps = out, .types = types};
    return place->value ? read_step(&reader, place, error) : STATUS_OK;
}

int tokenizer_json_read_normalizer(const struct json_place *place, struct steps *out, struct error *error) {
    return read_steps(place, normalizer_types, out, error);
}

int tokenizer_json_read_pre_tokenizer(const struct json_place *place, struct steps *out, struct error *error) {
    return read_steps(place, pre_tokenizer_types, out, error);
}
