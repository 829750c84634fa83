#include "eval/text/tokenizer.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eval/base/file.h"
#include "eval/base/name.h"
#include "eval/base/python_json.h"
#include "eval/text/sentencepiece.h"
#include "eval/text/tokenizer_gguf.h"
#include "eval/text/tokenizer_json.h"

/* ---- tokenizer_config.json ---- */

/* *out is NULL where there is no such file; else the caller releases it. */
static int config_read(const char *path, json_t **out, struct error *error) {
    *out = NULL;
    if (access(path, F_OK) != 0 && errno == ENOENT) return STATUS_OK;
    unsigned char *bytes;
    size_t size;
    int status = file_read(path, &bytes, &size, error);
    if (status != STATUS_OK) return status;
    json_error_t wrong;
    bool repeats;
    *out = python_json_load(bytes, size, &wrong, &repeats); /* model_max_length is 10^30 in many */
    status = *out ? STATUS_OK : file_recognise(path, bytes, size, error);
    free(bytes);
    if (status != STATUS_OK) return status;
    if (!*out) {
        return error_set(error, STATUS_INPUT, "%s:%d: is not valid JSON: %.200s; download it again", path, wrong.line,
                         wrong.text);
    }
    if (json_is_object(*out)) return STATUS_OK;
    json_decref(*out);
    *out = NULL;
    return error_set(error, STATUS_INPUT, "%s: is not a JSON object; download it again", path);
}

/* Classes of transformers whose add_bos_token is true unless their configuration says otherwise. */
static bool class_has_bos(const char *name) {
    static const char *const classes[] = {"LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer"};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        size_t length = strlen(classes[i]);
        if (strncmp(name, classes[i], length) != 0) continue;
        if (name[length] == '\0' || strcmp(name + length, "Fast") == 0) return true;
    }
    return false;
}

/* The answer of a key; `otherwise` where it is null or absent. `config` may be NULL. */
static int config_flag(const char *path, const json_t *config, const char *key, bool otherwise, bool *out,
                       struct error *error) {
    const json_t *said = json_object_get(config, key);
    *out = json_is_boolean(said) ? json_is_true(said) : otherwise;
    if (!said || json_is_boolean(said) || json_is_null(said)) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "%s: %s is neither true nor false; correct it", path, key);
}

/* Whether documents begin with BOS. */
static int config_has_bos(const char *path, const json_t *config, bool *out, struct error *error) {
    const json_t *class = json_object_get(config, "tokenizer_class");
    if (class && !json_is_string(class) && !json_is_null(class)) {
        return error_set(error, STATUS_INPUT, "%s: tokenizer_class is not a name; correct it", path);
    }
    bool otherwise = !json_is_string(class) || class_has_bos(json_string_value(class));
    return config_flag(path, config, "add_bos_token", otherwise, out, error);
}

/* A token is written as its text, or as an object with its text as "content"; NULL where it is neither. */
static const char *token_text(const json_t *token) {
    return json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
}

/* The token of that text in added_tokens_decoder, {"1": {"content": "<s>", ...}, ...}; -1 where it has none. */
static int32_t added_token(const json_t *config, const char *wanted) {
    const char *key;
    json_t *token;
    json_object_foreach(json_object_get(config, "added_tokens_decoder"), key, token) {
        const char *text = token_text(token);
        char *end;
        errno = 0;
        long id = strtol(key, &end, 10);
        bool valid = errno == 0 && end != key && *end == '\0' && id >= 0 && id <= INT32_MAX;
        if (valid && text && strcmp(text, wanted) == 0) return (int32_t)id;
    }
    return -1;
}

/* The token that a key names; `own`, which is the model's, where it is absent. */
static int config_token(const char *path, const json_t *config, const char *key, int32_t own,
                        const struct sentencepiece_model *pieces, int32_t *out, struct error *error) {
    const json_t *token = json_object_get(config, key);
    *out = token ? -1 : own;
    if (!token || json_is_null(token)) return STATUS_OK;
    const char *text = token_text(token);
    if (!text) return error_set(error, STATUS_INPUT, "%s: %s is not a text; correct it", path, key);
    *out = sentencepiece_find(pieces, text);
    if (*out < 0) *out = added_token(config, text);
    if (*out >= 0) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: %s '%.80s' is no token of the tokenizer.model beside it; do the two files belong together?",
                     path, key, text);
}

static int config_ends(const char *path, const json_t *config, struct tokenizer *out, struct error *error) {
    const struct sentencepiece_model *pieces = out->pieces;
    bool bos = false, eos = false;
    int status = config_has_bos(path, config, &bos, error);
    if (status == STATUS_OK) status = config_flag(path, config, "add_eos_token", false, &eos, error);
    if (status == STATUS_OK && bos) {
        status = config_token(path, config, "bos_token", sentencepiece_bos(pieces), pieces, &out->bos, error);
    }
    if (status == STATUS_OK && eos) {
        status = config_token(path, config, "eos_token", sentencepiece_eos(pieces), pieces, &out->eos, error);
    }
    return status;
}

/* ---- opening ---- */

static const struct tokenizer bytes = {.bos = -1, .eos = -1};

/* The file beside it says whether a blank comes before a text, and which tokens begin and end documents. */
static int open_pieces(const char *path, struct tokenizer *out, struct error *error) {
    char *config_path = NULL;
    if (asprintf(&config_path, "%.*stokenizer_config.json", (int)file_folder_length(path), path) < 0) {
        return error_memory(error, (double)strlen(path), "a path");
    }
    json_t *config = NULL;
    bool prefix = true;
    int status = config_read(config_path, &config, error);
    if (status == STATUS_OK) status = config_flag(config_path, config, "add_prefix_space", true, &prefix, error);
    if (status == STATUS_OK) status = sentencepiece_load(path, !prefix, &out->pieces, error);
    if (status == STATUS_OK) status = config_ends(config_path, config, out, error);
    json_decref(config);
    free(config_path);
    return status;
}

static int open_json(const char *path, struct tokenizer *out, struct error *error) {
    int status = tokenizer_json_load(path, &out->json, error);
    if (status != STATUS_OK) return status;
    out->bos = tokenizer_json_first(out->json);
    out->eos = tokenizer_json_last(out->json);
    return STATUS_OK;
}

/* A GGUF without a tokenizer is an error. */
static int open_gguf(const char *path, struct tokenizer *out, struct error *error) {
    bool found = false;
    int status = tokenizer_gguf_load(path, &found, out, error);
    if (status != STATUS_OK || found) return status;
    return error_set(error, STATUS_INPUT, "%s: holds no tokenizer; name another file", path);
}

static int open_file(const char *path, struct tokenizer *out, struct error *error) {
    int status = name_ends_with(path, ".json")   ? open_json(path, out, error)
                 : name_ends_with(path, ".gguf") ? open_gguf(path, out, error)
                                                 : open_pieces(path, out, error);
    if (status != STATUS_OK) tokenizer_close(out);
    return status;
}

/* Opens DIR/NAME if it exists: *found. */
static int open_if_found(const char *model_dir, const char *name, bool *found, struct tokenizer *out,
                         struct error *error) {
    char *path = NULL;
    *found = false;
    if (asprintf(&path, "%s/%s", model_dir, name) < 0) return error_memory(error, (double)strlen(model_dir), "a path");
    *found = access(path, F_OK) == 0 || errno != ENOENT;
    int status = *found ? open_file(path, out, error) : STATUS_OK;
    free(path);
    return status;
}

static int open_of_folder(const char *dir, bool *found, struct tokenizer *out, struct error *error) {
    int status = open_if_found(dir, "tokenizer.model", found, out, error);
    return status == STATUS_OK && !*found ? open_if_found(dir, "tokenizer.json", found, out, error) : status;
}

/* The default of the model, whose path is that of a folder or a GGUF. */
static int open_default(const char *model, int64_t vocabulary, struct tokenizer *out, struct error *error) {
    struct stat info;
    bool found = false, gguf = stat(model, &info) == 0 && !S_ISDIR(info.st_mode);
    int status = gguf ? tokenizer_gguf_load(model, &found, out, error) : open_of_folder(model, &found, out, error);
    if (status != STATUS_OK) tokenizer_close(out);
    if (status != STATUS_OK || found || vocabulary <= TOKENIZER_BYTE_VOCABULARY) return status;
    return error_set(error, STATUS_INPUT,
                     "%s: has %s, and a vocabulary of %" PRId64
                     " tokens is not one of bytes; name the model's tokenizer, or give tokens as .npy files "
                     "(eval/README.md, \"Text and tokens\")",
                     model, gguf ? "no tokenizer" : "neither tokenizer.model nor tokenizer.json", vocabulary);
}

int tokenizer_open(const char *name, const char *model, int64_t vocabulary, struct tokenizer *out,
                   struct error *error) {
    *out = bytes;
    if (!name) return open_default(model, vocabulary, out, error);
    return strcmp(name, "bytes") == 0 ? STATUS_OK : open_file(name, out, error);
}

int tokenizer_encode(const struct tokenizer *tokenizer, const char *name, const char *text, size_t size, int32_t **out,
                     int64_t *count, struct error *error) {
    if (tokenizer->pieces) return sentencepiece_encode(tokenizer->pieces, name, text, size, out, count, error);
    if (tokenizer->json) return tokenizer_json_encode(tokenizer->json, name, text, size, out, count, error);
    *count = 0;
    *out = calloc(size + 1, sizeof **out); /* + 1: may be none */
    if (!*out) return error_memory(error, (double)size * sizeof **out, name);
    for (size_t i = 0; i < size; i++) (*out)[i] = (unsigned char)text[i];
    *count = (int64_t)size;
    return STATUS_OK;
}

int32_t tokenizer_unknown(const struct tokenizer *tokenizer) {
    if (tokenizer->pieces) return sentencepiece_unknown(tokenizer->pieces);
    return tokenizer->json ? tokenizer_json_unknown(tokenizer->json) : -1;
}

void tokenizer_close(struct tokenizer *tokenizer) {
    sentencepiece_free(tokenizer->pieces);
    tokenizer_json_free(tokenizer->json);
    *tokenizer = bytes;
}
