#include "eval/text/tokenizer_gguf.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/array.h"
#include "eval/base/name.h"
#include "eval/gguf/gguf.h"
#include "eval/text/sentencepiece.h"
#include "eval/text/tokenizer_json.h"

/* ---- What the metadata say ---- */

/* Types of tokens; SentencePiece has the same numbers. */
enum token_type { TOKEN_NORMAL = 1, TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_USER_DEFINED, TOKEN_UNUSED, TOKEN_BYTE };

struct metadata {
    const struct gguf *file;
    const char *path;
    struct gguf_array tokens; /* strings */
    int32_t *types;           /* [tokens.count] enum token_type */
};

static void metadata_close(struct metadata *m) {
    gguf_array_free(&m->tokens);
    free(m->types);
}

static int wrong(const struct metadata *m, struct error *error, const char *what) {
    return error_set(error, STATUS_INPUT,
                     "%s: its tokenizer %s; name the model's tokenizer.json or tokenizer.model instead, or give tokens "
                     "as .npy files",
                     m->path, what);
}

/* tokenizer.ggml.token_type; without it all tokens are normal. */
static int read_types(struct metadata *m, struct error *error) {
    struct gguf_array types;
    int status = gguf_read_array(m->file, "tokenizer.ggml.token_type", GGUF_I32, &types, error);
    if (status != STATUS_OK) return status;
    if (types.bytes && types.count != m->tokens.count) status = wrong(m, error, "has not one type for each token");
    m->types = status == STATUS_OK ? calloc(m->tokens.count + 1, sizeof *m->types) : NULL;
    if (status == STATUS_OK && !m->types) status = error_memory(error, (double)m->tokens.count * 4, m->path);
    for (uint64_t i = 0; i < m->tokens.count && status == STATUS_OK; i++) {
        m->types[i] = TOKEN_NORMAL;
        if (types.bytes) memcpy(&m->types[i], types.bytes + 4 * i, 4);
        if (m->types[i] < TOKEN_NORMAL || m->types[i] > TOKEN_BYTE) {
            status = wrong(m, error, "has a token of an unknown type");
        }
    }
    gguf_array_free(&types);
    return status;
}

static int metadata_open(struct metadata *m, struct error *error) {
    int status = gguf_read_array(m->file, "tokenizer.ggml.tokens", GGUF_STRING, &m->tokens, error);
    if (status != STATUS_OK) return status;
    if (m->tokens.count < 1 || m->tokens.count > INT32_MAX / 2) return wrong(m, error, "has no tokens, or too many");
    return read_types(m, error);
}

/* The token of `id_key` if `add_key`, or without it `otherwise`, says so; else -1. */
static int read_edge(const struct metadata *m, const char *add_key, const char *id_key, bool otherwise, int32_t *out,
                     struct error *error) {
    bool add = otherwise;
    uint64_t id = UINT64_MAX;
    *out = -1;
    int status = gguf_get_bool(m->file, add_key, &add, error);
    if (status == STATUS_OK && add) status = gguf_get_unsigned(m->file, id_key, &id, error);
    if (status != STATUS_OK || !add) return status;
    if (id == UINT64_MAX && !gguf_has_key(m->file, add_key)) return STATUS_OK; /* nothing said that there is one */
    if (id >= m->tokens.count) return wrong(m, error, "begins or ends documents with a token that it does not have");
    *out = (int32_t)id;
    return STATUS_OK;
}

static int read_edges(const struct metadata *m, bool begins, struct tokenizer *out, struct error *error) {
    int status = read_edge(m, "tokenizer.ggml.add_bos_token", "tokenizer.ggml.bos_token_id", begins, &out->bos, error);
    if (status != STATUS_OK) return status;
    return read_edge(m, "tokenizer.ggml.add_eos_token", "tokenizer.ggml.eos_token_id", false, &out->eos, error);
}

/* ---- Texts of tokens ---- */

/* Converters write a user-defined token with spaces where SentencePiece has U+2581. */
static const char space_mark[] = "\u2581";

/* The text of token `id`, with U+2581 again, in *out, which the caller frees with free(); for lack of memory it is
 * NULL, and *size its bytes. */
static void text_with_marks(const struct metadata *m, int32_t id, const char *text, size_t *size, char **out) {
    size_t mark = strlen(space_mark), spaces = 0, length = 0;
    if (m->types[id] == TOKEN_USER_DEFINED) {
        for (size_t i = 0; i < *size; i++) spaces += text[i] == ' ';
    }
    *out = malloc(*size + spaces * (mark - 1) + 1);
    for (size_t i = 0; i < *size && *out; i++) {
        bool marked = spaces > 0 && text[i] == ' ';
        memcpy(*out + length, marked ? space_mark : text + i, marked ? mark : 1);
        length += marked ? mark : 1;
    }
    *size += spaces * (mark - 1);
    if (*out) (*out)[*size] = '\0';
}

/* The token that stands for what has no token; -1 if the file has none. */
static int read_unknown(const struct metadata *m, int32_t *out, struct error *error) {
    uint64_t id = UINT64_MAX;
    *out = -1;
    int status = gguf_get_unsigned(m->file, "tokenizer.ggml.unknown_token_id", &id, error);
    if (status != STATUS_OK || id == UINT64_MAX) return status;
    if (id >= m->tokens.count) return wrong(m, error, "has an unknown_token_id that is no token");
    *out = (int32_t)id;
    return STATUS_OK;
}

/* ---- gpt2: as a tokenizer.json ---- */

#define BYTES "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}"
#define GPT2 "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": true}"
/* Words of at most `digits` digits. */
#define WORDS(digits)                                                                                                  \
    "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"behavior\": \"Isolated\", "                  \
    "\"invert\": false, \"pattern\": {\"Regex\": \"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?"        \
    "\\\\p{L}+|" digits                                                                                                \
    "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"}}, " BYTES "]}"
#define DIGITS                                                                                                         \
    "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Digits\", \"individual_digits\": true}, " GPT2 "]}"

/* tokenizer.ggml.pre: the names that convert_hf_to_gguf.py gives to the tokenizer.json of these models, with what such
 * files say. */
static const struct pre_tokenizer {
    const char *name;
    const char *json;
    bool composes;    /* normalizer: NFC */
    bool whole_words; /* ignore_merges */
    bool begins;      /* documents begin with BOS */
} pre_tokenizers[] = {
    {"gpt-2", GPT2, false, false, false},
    {"smollm", DIGITS, false, false, false},
    {"starcoder", DIGITS, false, false, false},
    {"llama-bpe", WORDS("\\\\p{N}{1,3}"), false, true, true},
    {"llama3", WORDS("\\\\p{N}{1,3}"), false, true, true},
    {"dbrx", WORDS("\\\\p{N}{1,3}"), false, false, false},
    {"qwen2", WORDS("\\\\p{N}"), true, false, false},
};
enum { PRE_TOKENIZERS = sizeof pre_tokenizers / sizeof *pre_tokenizers };

static int find_pre_tokenizer(const struct metadata *m, const struct pre_tokenizer **out, struct error *error) {
    char name[64] = "", supported[256];
    const char *names[PRE_TOKENIZERS];
    int status = gguf_get_string(m->file, "tokenizer.ggml.pre", name, sizeof name, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < PRE_TOKENIZERS; i++) {
        names[i] = pre_tokenizers[i].name;
        *out = &pre_tokenizers[i];
        if (strcmp(name, names[i]) == 0) return STATUS_OK;
    }
    name_list(names, PRE_TOKENIZERS, "and", supported, sizeof supported);
    return error_set(error, STATUS_INPUT,
                     "%s: tokenizer.ggml.pre '%s' is not supported; supported: %s; name the model's tokenizer.json "
                     "instead, or give tokens as .npy files",
                     m->path, name, supported);
}

/* JSON texts are UTF-8 without zeros. */
static json_t *text_of(const char *text, size_t size) {
    return memchr(text, '\0', size) ? NULL : json_stringn(text, size);
}

/* What the file says of a tokenizer.json. */
struct bpe_parts {
    json_t *vocabulary, *added, *merges;
};

static bool bpe_parts_new(struct bpe_parts *parts) {
    *parts = (struct bpe_parts){json_object(), json_array(), json_array()};
    return parts->vocabulary && parts->added && parts->merges;
}

static void bpe_parts_free(struct bpe_parts *parts) {
    json_decref(parts->vocabulary), json_decref(parts->added), json_decref(parts->merges);
}

/* Adds a token to the vocabulary, and to the added tokens unless it is a normal one. */
static int add_token(const struct metadata *m, int32_t id, const char *text, size_t size, struct bpe_parts *parts,
                     struct error *error) {
    json_t *string = text_of(text, size);
    const char *name = json_string_value(string);
    bool special = m->types[id] == TOKEN_CONTROL, named = special || m->types[id] == TOKEN_USER_DEFINED;
    int status = STATUS_OK;
    if (!name) status = wrong(m, error, "has a token that is not UTF-8 text");
    if (status == STATUS_OK && json_object_get(parts->vocabulary, name)) status = wrong(m, error, "has a token twice");
    if (status == STATUS_OK && json_object_set_new(parts->vocabulary, name, json_integer(id)) != 0) {
        status = error_memory(error, (double)size, m->path);
    }
    if (status == STATUS_OK && named && *name) {
        json_t *entry = json_pack("{s:i, s:O, s:b, s:b}", "id", (int)id, "content", string, "special", (int)special,
                                  "normalized", 0);
        if (json_array_append_new(parts->added, entry) != 0) status = error_memory(error, (double)size, m->path);
    }
    json_decref(string);
    return status;
}

/* All tokens; `marks` whether text_with_marks() changes their texts. */
static int add_tokens(struct metadata *m, bool marks, struct bpe_parts *parts, struct error *error) {
    int status = STATUS_OK;
    for (uint64_t id = 0; id < m->tokens.count && status == STATUS_OK; id++) {
        const char *text = "";
        size_t size = 0;
        char *marked = NULL;
        if (!gguf_array_next(&m->tokens, &text, &size)) return wrong(m, error, "has fewer tokens than it states");
        if (marks) text_with_marks(m, (int32_t)id, text, &size, &marked);
        if (marks && !marked) return error_memory(error, (double)size, m->path);
        status = add_token(m, (int32_t)id, marks ? marked : text, size, parts, error);
        free(marked);
    }
    return status;
}

static int add_merges(const struct metadata *m, json_t *merges, struct error *error) {
    struct gguf_array texts;
    const char *text;
    size_t size;
    int status = gguf_read_array(m->file, "tokenizer.ggml.merges", GGUF_STRING, &texts, error);
    if (status == STATUS_OK && !texts.bytes) status = wrong(m, error, "has no merges");
    while (status == STATUS_OK && gguf_array_next(&texts, &text, &size)) {
        json_t *merge = text_of(text, size);
        if (!merge) status = wrong(m, error, "has a merge that is not UTF-8 text");
        if (status == STATUS_OK && json_array_append(merges, merge) != 0) {
            status = error_memory(error, (double)size, m->path);
        }
        json_decref(merge);
    }
    gguf_array_free(&texts);
    return status;
}

/* The root of such a file; the caller releases it. NULL for lack of memory. */
static json_t *make_root(const struct pre_tokenizer *pre, const struct bpe_parts *parts) {
    json_t *words = json_loads(pre->json, 0, NULL);
    json_t *normalizer = pre->composes ? json_pack("{s:s}", "type", "NFC") : json_null();
    return json_pack("{s:O, s:o, s:o, s:{s:s, s:O, s:O, s:b}}", "added_tokens", parts->added, "normalizer", normalizer,
                     "pre_tokenizer", words, "model", "type", "BPE", "vocab", parts->vocabulary, "merges",
                     parts->merges, "ignore_merges", (int)pre->whole_words);
}

/* Reads what lies in `root`, whose reference it takes; NULL: memory was short. */
static int load_root(const struct metadata *m, json_t *root, struct tokenizer *out, struct error *error) {
    if (!root) return error_memory(error, 0, m->path);
    int status = tokenizer_json_make(m->path, root, &out->json, error);
    json_decref(root);
    return status;
}

static int load_bpe(struct metadata *m, struct tokenizer *out, struct error *error) {
    const struct pre_tokenizer *pre = NULL;
    struct bpe_parts parts = {NULL, NULL, NULL};
    int status = find_pre_tokenizer(m, &pre, error);
    if (status == STATUS_OK && !bpe_parts_new(&parts)) status = error_memory(error, 0, m->path);
    if (status == STATUS_OK) status = add_tokens(m, false, &parts, error);
    if (status == STATUS_OK) status = add_merges(m, parts.merges, error);
    if (status == STATUS_OK) status = load_root(m, make_root(pre, &parts), out, error);
    bpe_parts_free(&parts);
    return status == STATUS_OK ? read_edges(m, pre->begins, out, error) : status;
}

/* ---- llama of Gemma 3: as a tokenizer.json ---- */

/* Far longer than any token in use, and more merges for each than any vocabulary in use has. */
enum { MOST_TOKEN_BYTES = 256, MOST_MERGES_PER_TOKEN = 8 };

/* Adds "LEFT RIGHT" if both are tokens. */
static int add_split(const struct metadata *m, const char *name, size_t left, struct bpe_parts *parts,
                     struct error *error) {
    char text[MOST_TOKEN_BYTES + 2];
    snprintf(text, sizeof text, "%.*s", (int)left, name);
    if (!json_object_get(parts->vocabulary, text) || !json_object_get(parts->vocabulary, name + left)) return STATUS_OK;
    snprintf(text, sizeof text, "%.*s %s", (int)left, name, name + left);
    if (json_array_size(parts->merges) >= MOST_MERGES_PER_TOKEN * m->tokens.count) {
        return wrong(m, error, "has tokens that are made of others in too many ways");
    }
    if (json_array_append_new(parts->merges, json_string(text)) == 0) return STATUS_OK;
    return error_memory(error, (double)strlen(text), m->path);
}

/* What transformers' converter of Gemma's tokenizer.model writes (convert_slow_tokenizer.py, generate_merges()): all
 * ways to make a token of two others, in the order of the tokens, and of one token those with the shorter left part
 * first. The vocabulary is in the order of the tokens. */
static int make_merges(const struct metadata *m, struct bpe_parts *parts, struct error *error) {
    const char *name;
    json_t *id;
    int status = STATUS_OK;
    json_object_foreach(parts->vocabulary, name, id) {
        size_t size = strlen(name);
        if (size > MOST_TOKEN_BYTES) return wrong(m, error, "has a token of more than 256 bytes");
        for (size_t left = 1; left < size && status == STATUS_OK; left++) {
            bool inside = ((unsigned char)name[left] & 0xc0) == 0x80; /* a character */
            if (!inside) status = add_split(m, name, left, parts, error);
        }
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

/* The root of Gemma 3's tokenizer.json, as of make_root(). */
static json_t *make_gemma_root(const char *unknown, const struct bpe_parts *parts) {
    return json_pack("{s:O, s:{s:s, s:{s:s}, s:s}, s:n, s:{s:s, s:O, s:O, s:s, s:b, s:b}}", "added_tokens",
                     parts->added, "normalizer", "type", "Replace", "pattern", "String", " ", "content", space_mark,
                     "pre_tokenizer", "model", "type", "BPE", "vocab", parts->vocabulary, "merges", parts->merges,
                     "unk_token", unknown, "fuse_unk", 1, "byte_fallback", 1);
}

/* tokenizer.json and tokenizer.model do not always give the same tokens: of more spaces in a row than the longest token
 * of spaces has, other ones are joined. transformers has the former. */
static int load_gemma(struct metadata *m, struct tokenizer *out, struct error *error) {
    struct bpe_parts parts = {NULL, NULL, NULL};
    const char *unknown = NULL, *name;
    int32_t unknown_id = -1;
    json_t *id;
    int status = read_unknown(m, &unknown_id, error);
    if (status == STATUS_OK && !bpe_parts_new(&parts)) status = error_memory(error, 0, m->path);
    if (status == STATUS_OK) status = add_tokens(m, true, &parts, error);
    if (status == STATUS_OK) status = make_merges(m, &parts, error);
    json_object_foreach(parts.vocabulary, name, id) {
        if (unknown_id >= 0 && json_integer_value(id) == unknown_id) unknown = name;
    }
    if (status == STATUS_OK && !unknown) status = wrong(m, error, "has no unknown_token_id");
    if (status == STATUS_OK) status = load_root(m, make_gemma_root(unknown, &parts), out, error);
    bpe_parts_free(&parts);
    return status == STATUS_OK ? read_edges(m, true, out, error) : status;
}

/* ---- llama: as a tokenizer.model ---- */

/* Numbers of fields and kinds of values of sentencepiece_model.proto. */
enum { MODEL_PIECES = 1, MODEL_TRAINER = 2, MODEL_NORMALIZER = 3 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum { TRAINER_MODEL_TYPE = 3, TRAINER_BYTE_FALLBACK = 35, MODEL_TYPE_BPE = 2 };
enum { NORMALIZER_DUMMY_PREFIX = 3, NORMALIZER_REMOVE_BLANKS = 4 };
enum { WIRE_VARINT = 0, WIRE_BYTES = 2, WIRE_32 = 5 };

/* A protocol buffer that is being written. `failed`: memory was short, and bytes are missing. */
struct message {
    unsigned char *bytes;
    size_t size, capacity;
    bool failed;
};

static void put_bytes(struct message *out, const void *bytes, size_t size) {
    unsigned char *grown = out->failed ? NULL : array_reserve(out->bytes, &out->capacity, out->size + size, 1);
    out->failed = !grown;
    if (out->failed) return;
    out->bytes = grown;
    if (size > 0) memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
}

static void put_varint(struct message *out, uint64_t value) {
    do {
        unsigned char byte = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        put_bytes(out, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

static void put_number(struct message *out, unsigned field, uint64_t value) {
    put_varint(out, field << 3 | WIRE_VARINT);
    put_varint(out, value);
}

static void put_text(struct message *out, unsigned field, const void *bytes, size_t size) {
    put_varint(out, field << 3 | WIRE_BYTES);
    put_varint(out, size);
    put_bytes(out, bytes, size);
}

static void put_piece(struct message *model, struct message *piece, const char *text, size_t size, const void *score,
                      int32_t type) {
    piece->size = 0;
    put_text(piece, PIECE_TEXT, text, size);
    put_varint(piece, PIECE_SCORE << 3 | WIRE_32);
    put_bytes(piece, score, 4);
    put_number(piece, PIECE_TYPE, (uint64_t)type);
    model->failed |= piece->failed;
    if (!piece->failed) put_text(model, MODEL_PIECES, piece->bytes, piece->size);
}

/* Converters that read tokenizer_config.json write the unknown token as a control token. */
static int mark_unknown(struct metadata *m, struct error *error) {
    int32_t id;
    for (uint64_t i = 0; i < m->tokens.count; i++) {
        if (m->types[i] == TOKEN_UNKNOWN) return STATUS_OK;
    }
    int status = read_unknown(m, &id, error);
    if (status == STATUS_OK && id >= 0) m->types[id] = TOKEN_UNKNOWN;
    return status;
}

static int put_pieces(struct metadata *m, struct message *model, struct error *error) {
    struct gguf_array scores;
    struct message piece = {0};
    const char *text;
    size_t size;
    int status = gguf_read_array(m->file, "tokenizer.ggml.scores", GGUF_F32, &scores, error);
    if (status == STATUS_OK && scores.count != m->tokens.count) status = wrong(m, error, "has not one score per token");
    for (uint64_t i = 0; i < m->tokens.count && status == STATUS_OK; i++) {
        char *marked = NULL;
        if (!gguf_array_next(&m->tokens, &text, &size)) status = wrong(m, error, "has fewer tokens than it states");
        if (status == STATUS_OK) text_with_marks(m, (int32_t)i, text, &size, &marked);
        if (status == STATUS_OK && !marked) status = error_memory(error, (double)size, m->path);
        if (status == STATUS_OK) put_piece(model, &piece, marked, size, scores.bytes + 4 * i, m->types[i]);
        free(marked);
    }
    free(piece.bytes);
    gguf_array_free(&scores);
    return status;
}

/* What llama's own tokenizer.model says besides its pieces. */
static int put_specifications(const struct metadata *m, struct message *model, struct error *error) {
    struct message trainer = {0}, normalizer = {0};
    bool prefix = true, bytes = false;
    int status = gguf_get_bool(m->file, "tokenizer.ggml.add_space_prefix", &prefix, error);
    if (status != STATUS_OK) return status;
    for (uint64_t i = 0; i < m->tokens.count; i++) bytes |= m->types[i] == TOKEN_BYTE;
    put_number(&trainer, TRAINER_MODEL_TYPE, MODEL_TYPE_BPE);
    put_number(&trainer, TRAINER_BYTE_FALLBACK, bytes);
    put_number(&normalizer, NORMALIZER_DUMMY_PREFIX, prefix);
    put_number(&normalizer, NORMALIZER_REMOVE_BLANKS, false);
    model->failed |= trainer.failed || normalizer.failed;
    put_text(model, MODEL_TRAINER, trainer.bytes, trainer.size);
    put_text(model, MODEL_NORMALIZER, normalizer.bytes, normalizer.size);
    free(trainer.bytes);
    free(normalizer.bytes);
    return STATUS_OK;
}

static int load_pieces(struct metadata *m, struct tokenizer *out, struct error *error) {
    struct message model = {0};
    int status = mark_unknown(m, error);
    if (status == STATUS_OK) status = put_pieces(m, &model, error);
    if (status == STATUS_OK) status = put_specifications(m, &model, error);
    if (status == STATUS_OK && model.failed) status = error_memory(error, (double)model.size, m->path);
    if (status == STATUS_OK) {
        status = sentencepiece_read(m->path, model.bytes, model.size, &out->pieces, error);
        if (status == STATUS_INPUT) status = wrong(m, error, "is refused by the SentencePiece library");
    }
    free(model.bytes);
    return status == STATUS_OK ? read_edges(m, true, out, error) : status;
}

/* ---- All kinds ---- */

static int load(struct metadata *m, const char *kind, struct tokenizer *out, struct error *error) {
    bool pieces = strcmp(kind, "llama") == 0;
    if (!pieces && strcmp(kind, "gpt2") != 0) {
        return error_set(error, STATUS_INPUT,
                         "%s: tokenizer.ggml.model '%s' is not supported; supported: gpt2 and llama; name the model's "
                         "tokenizer.json or tokenizer.model instead, or give tokens as .npy files",
                         m->path, kind);
    }
    char architecture[64] = "";
    int status = gguf_get_string(m->file, "general.architecture", architecture, sizeof architecture, error);
    if (status == STATUS_OK) status = metadata_open(m, error);
    if (status != STATUS_OK) return status;
    if (pieces && strcmp(architecture, "gemma3") == 0) return load_gemma(m, out, error);
    return pieces ? load_pieces(m, out, error) : load_bpe(m, out, error);
}

int tokenizer_gguf_load(const char *path, bool *found, struct tokenizer *out, struct error *error) {
    char kind[64] = "";
    struct gguf *file = NULL;
    *found = false;
    int status = gguf_open(path, &file, error);
    if (status != STATUS_OK) return status;
    status = gguf_get_string(file, "tokenizer.ggml.model", kind, sizeof kind, error);
    *found = *kind && strcmp(kind, "none") != 0 && strcmp(kind, "no_vocab") != 0;
    if (status == STATUS_OK && *found) {
        struct metadata m = {.file = file, .path = path};
        status = load(&m, kind, out, error);
        metadata_close(&m);
    }
    gguf_close(file);
    return status;
}
