/* tokenizer.json: from its JSON to the parts of a tokenizer. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"
#include "eval/text/tokenizer_json_parts.h"

/* ---- The model ---- */

static int read_vocabulary(const struct json_place *model, struct bpe *bpe, struct error *error) {
    const struct json_place vocabulary = json_place_member(model, "vocab");
    const char *text;
    json_t *value;
    int32_t id = -1, twice = -1;
    int status = STATUS_OK;
    json_object_foreach((json_t *)vocabulary.value, text, value) {
        struct json_place place = {.path = model->path, .value = value};
        bool added;
        snprintf(place.name, sizeof place.name, "%.32s[\"%.80s\"]", vocabulary.name, text);
        status = json_place_token(&place, &id, error);
        if (status == STATUS_OK) status = bpe_put_token(bpe, text, strlen(text), id, &added, error);
        if (status != STATUS_OK) return status;
    }
    status = bpe_find_duplicate(bpe, &twice, error);
    if (status != STATUS_OK || twice < 0) return status;
    return json_place_wrong(&vocabulary, error, "has two tokens with the number %" PRId32, twice);
}

/* ["a", "b"] or, in older files, "a b". */
static int read_merge(const struct json_place *place, struct bpe_merge *out, struct error *error) {
    const char *both = json_string_value(place->value);
    const char *blank = both ? strchr(both, ' ') : NULL;
    if (blank && !strchr(blank + 1, ' ')) {
        *out = (struct bpe_merge){both, blank + 1, (size_t)(blank - both), strlen(blank + 1)};
        return STATUS_OK;
    }
    const char *left = json_string_value(json_array_get(place->value, 0));
    const char *right = json_string_value(json_array_get(place->value, 1));
    if (!left || !right || json_array_size(place->value) != 2)
        return json_place_wrong(place, error, "is not a pair of texts");
    *out = (struct bpe_merge){left, right, strlen(left), strlen(right)};
    return STATUS_OK;
}

static bool is_version(const json_t *value) {
    static const char mark[] = "#version";
    return json_is_string(value) && strncmp(json_string_value(value), mark, sizeof mark - 1) == 0;
}

static int read_merges(const struct json_place *merges, struct bpe *bpe, struct error *error) {
    for (size_t i = 0; i < json_array_size(merges->value); i++) {
        const struct json_place place = json_place_item(merges, i);
        struct bpe_merge merge;
        const char *unknown = NULL;
        if (is_version(place.value)) continue;
        int status = read_merge(&place, &merge, error);
        if (status == STATUS_OK) status = bpe_put_merge(bpe, &merge, &unknown, error);
        if (status != STATUS_OK) return status;
        if (unknown) return json_place_wrong(&place, error, "has a %s text that is not in model.vocab", unknown);
    }
    return STATUS_OK;
}

/* A key that must be absent, empty or 0. */
static int check_none(const struct json_place *object, const char *key, struct error *error) {
    const struct json_place place = json_place_member(object, key);
    const char *text = json_string_value(place.value);
    bool none = !place.value || (text && !*text);
    none = none || (json_is_number(place.value) && json_number_value(place.value) == 0);
    return none ? STATUS_OK : json_place_wrong(&place, error, "is not supported");
}

static int read_settings(const struct json_place *model, struct bpe *bpe, struct error *error) {
    struct bpe_settings settings = {.unknown = -1};
    const struct json_place unknown = json_place_member(model, "unk_token");
    const char *text = json_string_value(unknown.value);
    int status = json_place_flag(model, "fuse_unk", false, &settings.fuse_unknown, error);
    if (status == STATUS_OK) status = json_place_flag(model, "byte_fallback", false, &settings.byte_fallback, error);
    if (status == STATUS_OK) status = json_place_flag(model, "ignore_merges", false, &settings.whole_words, error);
    if (status != STATUS_OK) return status;
    if (text) settings.unknown = bpe_find(bpe, text, strlen(text));
    if (unknown.value && settings.unknown < 0) return json_place_wrong(&unknown, error, "is not in model.vocab");
    return bpe_finish(bpe, &settings, error);
}

static int read_model(const struct json_place *root, struct bpe **out, struct error *error) {
    static const char *const keys[] = {"type",
                                       "dropout",
                                       "unk_token",
                                       "continuing_subword_prefix",
                                       "fuse_unk",
                                       "byte_fallback",
                                       "ignore_merges",
                                       "end_of_word_suffix",
                                       "vocab",
                                       "merges",
                                       NULL};
    const struct json_place model = json_place_member(root, "model"), vocabulary = json_place_member(&model, "vocab");
    const struct json_place type = json_place_member(&model, "type");
    const char *name = json_string_value(type.value);
    struct json_place merges;
    if (!json_is_object(model.value)) return json_place_wrong(&model, error, "is not an object");
    if (name && strcmp(name, "BPE") != 0) {
        return json_place_wrong(&type, error, "is '%.60s', which is not supported; supported: BPE", name);
    }
    if (!name && type.value) return json_place_wrong(&type, error, "is not a text");
    int status = json_place_check_object(&model, keys, error);
    if (status == STATUS_OK) status = check_none(&model, "dropout", error);
    if (status == STATUS_OK) status = check_none(&model, "continuing_subword_prefix", error);
    if (status == STATUS_OK) status = check_none(&model, "end_of_word_suffix", error);
    if (status == STATUS_OK) status = json_place_array(&model, "merges", &merges, error);
    if (status != STATUS_OK) return status;
    if (!json_is_object(vocabulary.value)) return json_place_wrong(&vocabulary, error, "is not an object");
    status = bpe_new(json_object_size(vocabulary.value), json_array_size(merges.value), out, error);
    if (status == STATUS_OK) status = read_vocabulary(&model, *out, error);
    if (status == STATUS_OK) status = read_merges(&merges, *out, error);
    return status == STATUS_OK ? read_settings(&model, *out, error) : status;
}

/* ---- Added tokens ---- */

struct added_reader {
    struct tokenizer_json *tokenizer;
    struct added_tokens all; /* with their texts as in the file */
    int32_t next;            /* number of the next token that is not in the vocabulary */
};

/* Adds it to those that are found in the text as it is, or to those found after the normalizer. */
static int add_token(struct added_reader *reader, const struct json_place *place, const struct added_token *token,
                     bool normalized, struct error *error) {
    struct tokenizer_json *tokenizer = reader->tokenizer;
    struct added_token changed = *token;
    int status = added_tokens_add(&reader->all, token, error);
    if (status != STATUS_OK) return status;
    if (!normalized) return added_tokens_add(&tokenizer->before, token, error);
    status =
        tokenizer_json_normalize(tokenizer, place->path, token->text, token->size, &changed.text, &changed.size, error);
    if (status == STATUS_OK && changed.size == 0) {
        status = json_place_wrong(place, error, "is nothing after the normalizer");
    }
    if (status == STATUS_OK) status = added_tokens_add(&tokenizer->after, &changed, error);
    free(changed.text);
    return status;
}

/* The library gives a token that is not in the vocabulary the next number, whatever the file says. */
static int check_id(struct added_reader *reader, const struct json_place *place, const struct added_token *token,
                    struct error *error) {
    const struct json_place id = json_place_member(place, "id");
    int32_t known = bpe_find(reader->tokenizer->bpe, token->text, token->size);
    int32_t expected = known >= 0 ? known : reader->next++;
    if (token->id == expected) return STATUS_OK;
    return json_place_wrong(&id, error,
                            "is %" PRId32 ", but the tokenizers library gives this token the number %" PRId32,
                            token->id, expected);
}

/* The characters of words are those of Rust's \w: alphabetic ones, marks, digits, connectors and joiners. */
static const char words[] = "[\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\u24b6-\u24e9\U0001f130-\U0001f149\U0001f150-\U0001f169"
                            "\U0001f170-\U0001f189\\u200c\\u200d]";

static int read_added_token(struct added_reader *reader, const struct json_place *place, struct error *error) {
    static const char *const keys[] = {"id",     "content",    "single_word", "lstrip",
                                       "rstrip", "normalized", "special",     NULL};
    struct added_token token = {0};
    struct pattern **word = &reader->tokenizer->word;
    const struct json_place id = json_place_member(place, "id");
    const char *text = NULL;
    bool special, normalized;
    int status = json_place_check_object(place, keys, error);
    if (status == STATUS_OK) status = json_place_token(&id, &token.id, error);
    if (status == STATUS_OK) status = json_place_text(place, "content", &text, error);
    if (status == STATUS_OK) status = json_place_flag(place, "single_word", false, &token.single_word, error);
    if (status == STATUS_OK) status = json_place_flag(place, "lstrip", false, &token.left_strip, error);
    if (status == STATUS_OK) status = json_place_flag(place, "rstrip", false, &token.right_strip, error);
    if (status == STATUS_OK) status = json_place_flag(place, "special", false, &special, error);
    if (status == STATUS_OK) status = json_place_flag(place, "normalized", !special, &normalized, error);
    if (status != STATUS_OK) return status;
    if (!*text) return json_place_wrong(place, error, "has no content");
    token.text = (char *)text; /* added_tokens_add() copies it */
    token.size = strlen(text);
    status = check_id(reader, place, &token, error);
    if (status == STATUS_OK && token.single_word && !*word) status = pattern_new_regex(place->path, words, word, error);
    return status == STATUS_OK ? add_token(reader, place, &token, normalized, error) : status;
}

static int check_once(const struct json_place *tokens, struct added_tokens *list, struct error *error) {
    size_t twice = added_tokens_sort(list);
    if (twice == list->count) return STATUS_OK;
    return json_place_wrong(tokens, error, "has '%.80s' twice", list->items[twice].text);
}

static int read_added_tokens(const struct json_place *root, struct tokenizer_json *tokenizer, struct error *error) {
    const struct json_place tokens = json_place_member(root, "added_tokens");
    size_t added = json_array_size(tokens.value), known = bpe_token_count(tokenizer->bpe);
    struct added_reader reader = {.tokenizer = tokenizer, .next = (int32_t)known};
    int status = STATUS_OK;
    if (tokens.value && !json_is_array(tokens.value)) return json_place_wrong(&tokens, error, "is not an array");
    if (known > INT32_MAX / 2 || added > INT32_MAX / 2) return json_place_wrong(&tokens, error, "has too many tokens");
    for (size_t i = 0; i < added && status == STATUS_OK; i++) {
        const struct json_place place = json_place_item(&tokens, i);
        status = read_added_token(&reader, &place, error);
    }
    if (status == STATUS_OK) status = check_once(&tokens, &reader.all, error);
    if (status == STATUS_OK) status = check_once(&tokens, &tokenizer->before, error);
    if (status == STATUS_OK) status = check_once(&tokens, &tokenizer->after, error);
    added_tokens_free(&reader.all);
    return status;
}

/* ---- The post-processor ---- */

/* The number of a template's token, of which special_tokens must have one. */
static int read_special(const struct json_place *processor, const char *name, int32_t *out, struct error *error) {
    const struct json_place specials = json_place_member(processor, "special_tokens");
    const struct json_place special = json_place_member(&specials, name);
    struct json_place ids;
    if (!json_is_object(special.value)) return json_place_wrong(&special, error, "is not an object");
    int status = json_place_array(&special, "ids", &ids, error);
    if (status != STATUS_OK) return status;
    if (json_array_size(ids.value) != 1)
        return json_place_wrong(&ids, error, "does not have one number, which is required");
    const struct json_place id = json_place_item(&ids, 0);
    return json_place_token(&id, out, error);
}

struct template {
    int32_t first, last;
    bool text; /* the text's place was met */
};

/* {"Sequence": {"id": "A"}} or {"SpecialToken": {"id": NAME}}. */
static int read_template_piece(const struct json_place *processor, const struct json_place *place, struct template *out,
                               struct error *error) {
    static const char *const keys[] = {"Sequence", "SpecialToken", NULL};
    const struct json_place sequence = json_place_member(place, "Sequence");
    const struct json_place special = json_place_member(place, "SpecialToken");
    const struct json_place *given = sequence.value ? &sequence : &special;
    const char *name;
    int32_t *token = out->text ? &out->last : &out->first;
    int status = json_place_check_object(place, keys, error);
    if (status == STATUS_OK && json_object_size(place->value) != 1)
        status = json_place_wrong(place, error, "is not one piece");
    if (status == STATUS_OK && !json_is_object(given->value))
        status = json_place_wrong(given, error, "is not an object");
    if (status == STATUS_OK) status = json_place_text(given, "id", &name, error);
    if (status != STATUS_OK) return status;
    if (given == &sequence) {
        if (out->text || strcmp(name, "A") != 0) return json_place_wrong(place, error, "is not the text, A, once");
        out->text = true;
        return STATUS_OK;
    }
    if (*token >= 0)
        return json_place_wrong(place, error, "is a second token on this side of the text, which is not supported");
    return read_special(processor, name, token, error);
}

static int read_template(const struct json_place *processor, struct tokenizer_json *tokenizer, struct error *error) {
    struct template template = {.first = -1, .last = -1};
    struct json_place single;
    int status = json_place_array(processor, "single", &single, error);
    for (size_t i = 0; i < json_array_size(single.value) && status == STATUS_OK; i++) {
        const struct json_place place = json_place_item(&single, i);
        status = read_template_piece(processor, &place, &template, error);
    }
    if (status != STATUS_OK) return status;
    if (!template.text) return json_place_wrong(&single, error, "has no place for the text");
    if (tokenizer->first >= 0 || tokenizer->last >= 0) {
        return json_place_wrong(processor, error, "is a second template, which is not supported");
    }
    tokenizer->first = template.first;
    tokenizer->last = template.last;
    return STATUS_OK;
}

static int read_processor(const struct json_place *place, int nesting, struct tokenizer_json *tokenizer,
                          struct error *error) {
    static const char *const names[] = {"ByteLevel", "TemplateProcessing", "Sequence"};
    const struct json_place type = json_place_member(place, "type");
    struct json_place list;
    if (!json_is_object(place->value)) return json_place_wrong(place, error, "is not an object");
    const char *name = json_string_value(type.value);
    int found = name ? name_find(names, 3, name) : NAME_UNKNOWN;
    if (found == NAME_UNKNOWN) {
        return json_place_wrong(&type, error,
                                "is '%.60s', which is not supported; supported: ByteLevel, TemplateProcessing and "
                                "Sequence",
                                name ? name : "");
    }
    if (found == 0) return STATUS_OK; /* it concerns places in the text only */
    if (found == 1) return read_template(place, tokenizer, error);
    int status = json_place_array(place, "processors", &list, error);
    if (status == STATUS_OK && nesting == TOKENIZER_JSON_MOST_NESTING) {
        return json_place_wrong(&list, error, "is a sequence within %d others, which is not supported",
                                TOKENIZER_JSON_MOST_NESTING);
    }
    for (size_t i = 0; i < json_array_size(list.value) && status == STATUS_OK; i++) {
        const struct json_place one = json_place_item(&list, i);
        status = read_processor(&one, nesting + 1, tokenizer, error);
    }
    return status;
}

/* ---- The file ---- */

static int check_root(const struct json_place *root, struct error *error) {
    static const char *const keys[] = {"version",       "truncation",     "padding", "added_tokens", "normalizer",
                                       "pre_tokenizer", "post_processor", "decoder", "model",        NULL};
    const struct json_place version = json_place_member(root, "version");
    const char *text = json_string_value(version.value);
    if (!json_is_object(root->value)) {
        return error_set(error, STATUS_INPUT, "%s: is not a JSON object; download it again", root->path);
    }
    int status = json_place_check_object(root, keys, error);
    if (status != STATUS_OK || !version.value || (text && strcmp(text, "1.0") == 0)) return status;
    return json_place_wrong(&version, error, "is not \"1.0\", the only one that is supported");
}

static int read_parts(const struct json_place *root, struct tokenizer_json *out, struct error *error) {
    const struct json_place normalizer = json_place_member(root, "normalizer");
    const struct json_place pre_tokenizer = json_place_member(root, "pre_tokenizer");
    const struct json_place processor = json_place_member(root, "post_processor");
    out->first = out->last = -1;
    int status = check_root(root, error);
    if (status == STATUS_OK) status = read_model(root, &out->bpe, error);
    if (status == STATUS_OK) status = tokenizer_json_read_normalizer(&normalizer, &out->normalizer, error);
    if (status == STATUS_OK) status = tokenizer_json_read_pre_tokenizer(&pre_tokenizer, &out->pre_tokenizer, error);
    if (status == STATUS_OK) status = read_added_tokens(root, out, error);
    if (status == STATUS_OK && processor.value) status = read_processor(&processor, 0, out, error);
    return status;
}

int tokenizer_json_read_value(const char *path, const json_t *json, struct tokenizer_json *out, struct error *error) {
    const struct json_place root = {.path = path, .value = json};
    return read_parts(&root, out, error);
}

int tokenizer_json_read(const char *path, const char *bytes, size_t size, struct tokenizer_json *out,
                        struct error *error) {
    json_error_t problem;
    json_t *json = json_loadb(bytes, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
    if (!json) {
        return error_set(error, STATUS_INPUT, "%s:%d: is not valid JSON: %.200s", path, problem.line, problem.text);
    }
    int status = tokenizer_json_read_value(path, json, out, error);
    json_decref(json);
    return status;
}
