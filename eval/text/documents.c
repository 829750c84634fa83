#include "eval/text/documents.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "eval/base/file.h"

/* ---- The header of an .npy file ---- */

/* numpy writes a Python dict: {'descr': '<i4', 'fortran_order': False, 'shape': (10,), } and pads it
 * with blanks. No other Python syntax is read. */

enum { NPY_MAX_RANK = 32 };

struct npy_header {
    char descr[16]; /* "<i4": byte order, kind, bytes per number */
    int rank;
    int64_t shape[NPY_MAX_RANK];
    bool has_descr, has_order, has_shape;
};

/* The rest of a text. */
struct cursor {
    const char *at, *end;
};

static void skip_blanks(struct cursor *cursor) {
    while (cursor->at < cursor->end && isspace((unsigned char)*cursor->at)) cursor->at++;
}

/* Takes blanks and then `wanted`, if that is what comes next. */
static bool take(struct cursor *cursor, const char *wanted) {
    skip_blanks(cursor);
    size_t length = strlen(wanted);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, wanted, length) != 0) return false;
    cursor->at += length;
    return true;
}

/* A string in single or double quotes without escapes; false where it does not fit. */
static bool take_string(struct cursor *cursor, char *out, size_t size) {
    const char *quote = take(cursor, "'") ? "'" : take(cursor, "\"") ? "\"" : NULL;
    if (!quote) return false;
    const char *close = memchr(cursor->at, *quote, (size_t)(cursor->end - cursor->at));
    if (!close || (size_t)(close - cursor->at) >= size) return false;
    size_t length = (size_t)(close - cursor->at);
    memcpy(out, cursor->at, length);
    out[length] = '\0';
    cursor->at = close + 1;
    return true;
}

static bool take_size(struct cursor *cursor, int64_t *out) {
    skip_blanks(cursor);
    const char *begin = cursor->at;
    *out = 0;
    for (; cursor->at < cursor->end && isdigit((unsigned char)*cursor->at); cursor->at++) {
        if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, *cursor->at - '0', out)) return false;
    }
    return cursor->at > begin;
}

/* A tuple of sizes: (), (3,), (3, 4), (3, 4, ). */
static bool take_shape(struct cursor *cursor, struct npy_header *out) {
    if (!take(cursor, "(")) return false;
    for (out->rank = 0; !take(cursor, ")");) {
        if (out->rank == NPY_MAX_RANK || !take_size(cursor, &out->shape[out->rank++])) return false;
        if (!take(cursor, ",")) return take(cursor, ")");
    }
    return true;
}

/* One key and its value. False for a key that occurs twice or is not numpy's. */
static bool take_item(struct cursor *cursor, struct npy_header *out) {
    char key[16];
    if (!take_string(cursor, key, sizeof key) || !take(cursor, ":")) return false;
    if (strcmp(key, "descr") == 0 && !out->has_descr) {
        return out->has_descr = take_string(cursor, out->descr, sizeof out->descr);
    }
    if (strcmp(key, "shape") == 0 && !out->has_shape) return out->has_shape = take_shape(cursor, out);
    /* With one dimension the order makes no difference. */
    if (strcmp(key, "fortran_order") == 0 && !out->has_order) {
        return out->has_order = take(cursor, "False") || take(cursor, "True");
    }
    return false;
}

static bool npy_header_parse(struct cursor cursor, struct npy_header *out) {
    if (!take(&cursor, "{")) return false;
    while (!take(&cursor, "}")) {
        if (!take_item(&cursor, out)) return false;
        if (take(&cursor, ",")) continue;
        if (!take(&cursor, "}")) return false;
        break;
    }
    skip_blanks(&cursor);
    return cursor.at == cursor.end && out->has_descr && out->has_order && out->has_shape;
}

/* ---- The numbers of an .npy file ---- */

/* An integer type that tokens are stored in. */
struct integer {
    bool is_signed;
    int bytes;
};

static int integer_parse(const char *path, const char *descr, struct integer *out, struct error *error) {
    if (descr[0] == '>') {
        return error_set(error, STATUS_INPUT, "%s: holds big-endian numbers ('%s'); save it with astype('<i4')", path,
                         descr);
    }
    bool known = strlen(descr) == 3 && (descr[0] == '<' || descr[0] == '|') && (descr[1] == 'i' || descr[1] == 'u') &&
                 strchr("1248", descr[2]);
    if (!known || (descr[0] == '|' && descr[2] != '1')) {
        bool reals = descr[0] && descr[1] == 'f';
        return error_set(error, STATUS_INPUT, "%s: holds %s ('%s'), not integers; save %s", path,
                         reals ? "floating-point numbers" : "no numbers of a known type", descr,
                         reals ? "it with astype('<i4')" : "the numbers of the tokens");
    }
    *out = (struct integer){.is_signed = descr[1] == 'i', .bytes = descr[2] - '0'};
    return STATUS_OK;
}

/* Checks magic and version and reads the header; *data is the offset of the numbers. */
static int npy_open(const char *path, const unsigned char *bytes, size_t size, struct npy_header *header, size_t *data,
                    struct error *error) {
    if (size < 8 || memcmp(bytes, "\x93NUMPY", 6) != 0) {
        int status = size >= 8 ? file_recognise(path, bytes, size, error) : STATUS_OK;
        if (status != STATUS_OK) return status;
        return error_set(error, STATUS_INPUT, "%s: is not an .npy file; write it with numpy.save, or name it as text",
                         path);
    }
    int version = bytes[6];
    if (version < 1 || version > 3) {
        return error_set(error, STATUS_INPUT, "%s: has .npy version %d.%d; versions 1.0 to 3.0 are supported", path,
                         version, bytes[7]);
    }
    size_t begin = version == 1 ? 10 : 12; /* the header's length takes two bytes or four */
    uint64_t length = 0;
    for (size_t i = 8; i < begin && i < size; i++) length |= (uint64_t)bytes[i] << 8 * (i - 8);
    if (size < begin || length > size - begin) {
        return error_set(error, STATUS_INPUT,
                         "%s: states an .npy header of %" PRIu64 " bytes, but the file has only %zu; it is truncated, "
                         "write it again",
                         path, length, size);
    }
    struct cursor text = {(const char *)bytes + begin, (const char *)bytes + begin + length};
    if (!npy_header_parse(text, header)) {
        return error_set(error, STATUS_INPUT,
                         "%s: its .npy header is malformed or describes no plain array; write it with numpy.save",
                         path);
    }
    *data = begin + length;
    return STATUS_OK;
}

/* The array is one-dimensional, not empty, and exactly what the file holds after its header. */
static int npy_check(const char *path, const struct npy_header *header, const struct integer *type, size_t data_bytes,
                     struct error *error) {
    if (header->rank != 1) {
        int longer = 0; /* dimensions of more than one number: an array of one is a single document */
        for (int i = 0; i < header->rank; i++) longer += header->shape[i] != 1;
        return error_set(
            error, STATUS_INPUT,
            "%s: holds an array of %d dimensions, but a file holds one document, in one dimension; save %s", path,
            header->rank,
            header->rank == 0 ? "all of its tokens"
            : longer == 1     ? "its reshape(-1)"
                              : "each row as a file of its own");
    }
    int64_t bytes;
    if (__builtin_mul_overflow(header->shape[0], (int64_t)type->bytes, &bytes) || (uint64_t)bytes != data_bytes) {
        return error_set(error, STATUS_INPUT,
                         "%s: states %" PRId64 " numbers of %d bytes, but %zu bytes follow its header; it is truncated "
                         "or damaged, write it again",
                         path, header->shape[0], type->bytes, data_bytes);
    }
    if (header->shape[0] == 0) return error_set(error, STATUS_INPUT, "%s: holds no tokens; leave it out", path);
    return STATUS_OK;
}

/* out[count] from little-endian numbers. */
static int integers_read(const char *path, const unsigned char *data, const struct integer *type, int64_t count,
                         int32_t *out, struct error *error) {
    uint64_t sign = (uint64_t)1 << (8 * type->bytes - 1);
    for (int64_t i = 0; i < count; i++, data += type->bytes) {
        uint64_t value = 0;
        for (int b = 0; b < type->bytes; b++) value |= (uint64_t)data[b] << 8 * b;
        if (type->is_signed && (value & sign)) {
            return error_set(error, STATUS_INPUT,
                             "%s: the token at position %" PRId64 " is negative (-%" PRIu64
                             "); tokenize the text again",
                             path, i, (sign << 1) - value);
        }
        if (value > INT32_MAX) {
            return error_set(error, STATUS_INPUT,
                             "%s: the token at position %" PRId64 " is %" PRIu64
                             ", beyond 2^31-1; tokenize the text again",
                             path, i, value);
        }
        out[i] = (int32_t)value;
    }
    return STATUS_OK;
}

/* ---- Documents ---- */

/* Turns the bytes of a file into tokens; the caller frees them, also after a failure. `tokenizer` is
 * for text. */
typedef int tokens_parse(const char *path, const unsigned char *bytes, size_t size, const struct tokenizer *tokenizer,
                         struct document *out, struct error *error);

static int tokens_allocate(const char *path, int64_t count, struct document *out, struct error *error) {
    out->tokens = calloc((size_t)count, sizeof *out->tokens);
    if (!out->tokens) return error_memory(error, (double)count * (double)sizeof *out->tokens, path);
    out->count = count;
    return STATUS_OK;
}

/* Puts the tokens that begin and end a text around it, which may hold no other; -1: none. */
static int put_ends(const char *path, int32_t first, int32_t last, struct document *out, struct error *error) {
    int64_t count = out->count + (first >= 0) + (last >= 0);
    if (count == out->count) return STATUS_OK;
    int32_t *tokens = realloc(out->tokens, (size_t)count * sizeof *tokens);
    if (!tokens) return error_memory(error, (double)count * (double)sizeof *tokens, path);
    memmove(tokens + (first >= 0), tokens, (size_t)out->count * sizeof *tokens);
    if (first >= 0) tokens[0] = first;
    if (last >= 0) tokens[count - 1] = last;
    out->tokens = tokens;
    out->count = count;
    return STATUS_OK;
}

static int text_parse(const char *path, const unsigned char *bytes, size_t size, const struct tokenizer *tokenizer,
                      struct document *out, struct error *error) {
    enum { LOOKED_AT = 4096 };
    int status = STATUS_OK;
    if (memchr(bytes, '\0', size < LOOKED_AT ? size : LOOKED_AT)) status = file_recognise(path, bytes, size, error);
    if (status == STATUS_OK) {
        status = tokenizer_encode(tokenizer, path, (const char *)bytes, size, &out->tokens, &out->count, error);
    }
    if (status == STATUS_OK) status = put_ends(path, tokenizer->bos, tokenizer->eos, out, error);
    if (status != STATUS_OK || out->count > 0) return status;
    return error_set(error, STATUS_INPUT, "%s: holds no tokens; leave it out", path);
}

static int npy_parse(const char *path, const unsigned char *bytes, size_t size, const struct tokenizer *tokenizer,
                     struct document *out, struct error *error) {
    (void)tokenizer;
    struct npy_header header = {0};
    struct integer type = {0};
    size_t data = 0;
    int status = npy_open(path, bytes, size, &header, &data, error);
    if (status == STATUS_OK) status = integer_parse(path, header.descr, &type, error);
    if (status == STATUS_OK) status = npy_check(path, &header, &type, size - data, error);
    if (status == STATUS_OK) status = tokens_allocate(path, header.shape[0], out, error);
    if (status == STATUS_OK) status = integers_read(path, bytes + data, &type, out->count, out->tokens, error);
    return status;
}

static int document_read(const char *path, tokens_parse *parse, const struct tokenizer *tokenizer, struct document *out,
                         struct error *error) {
    out->name = strdup(path);
    if (!out->name) return error_memory(error, (double)strlen(path), path);
    unsigned char *bytes;
    size_t size;
    int status = file_read(path, &bytes, &size, error);
    if (status != STATUS_OK) return status;
    status = parse(path, bytes, size, tokenizer, out, error);
    free(bytes);
    return status;
}

static int documents_read(char *const *paths, size_t count, tokens_parse *parse, const struct tokenizer *tokenizer,
                          struct documents *out, struct error *error) {
    struct documents documents = {.items = calloc(count + 1, sizeof(struct document))}; /* + 1: may be none */
    *out = (struct documents){0};
    if (!documents.items) return error_memory(error, (double)count * sizeof(struct document), "documents");
    for (size_t i = 0; i < count; i++) {
        documents.count++; /* first: a document half read is freed with the others */
        int status = document_read(paths[i], parse, tokenizer, &documents.items[i], error);
        if (status != STATUS_OK) {
            documents_free(&documents);
            return status;
        }
    }
    *out = documents;
    return STATUS_OK;
}

int documents_read_text(char *const *paths, size_t count, const struct tokenizer *tokenizer, struct documents *out,
                        struct error *error) {
    return documents_read(paths, count, text_parse, tokenizer, out, error);
}

int documents_read_npy(char *const *paths, size_t count, struct documents *out, struct error *error) {
    return documents_read(paths, count, npy_parse, NULL, out, error);
}

void documents_free(struct documents *documents) {
    for (size_t i = 0; i < documents->count; i++) {
        free(documents->items[i].name);
        free(documents->items[i].tokens);
    }
    free(documents->items);
    *documents = (struct documents){0};
}

int documents_check(const struct documents *documents, int64_t vocabulary, struct error *error) {
    for (size_t d = 0; d < documents->count; d++) {
        const struct document *document = &documents->items[d];
        for (int64_t i = 0; i < document->count; i++) {
            if (document->tokens[i] >= 0 && document->tokens[i] < vocabulary) continue;
            return error_set(error, STATUS_INPUT,
                             "%s: token %" PRId32 " at position %" PRId64
                             " is not in the model's vocabulary of %" PRId64 "; use the model's own tokenizer",
                             document->name, document->tokens[i], i, vocabulary);
        }
    }
    return STATUS_OK;
}

uint64_t documents_fingerprint(const struct documents *documents) {
    /* Each document's hash, which its length is part of, seeds the next one's: so it makes a difference where
     * a document ends. */
    uint64_t hash = 0;
    for (size_t d = 0; d < documents->count; d++) {
        const struct document *document = &documents->items[d];
        hash = XXH3_64bits_withSeed(document->tokens, (size_t)document->count * sizeof *document->tokens, hash);
    }
    return hash;
}

/* ---- Windows spread over documents ---- */

/* A document that is long enough, and the number of windows to take from it. */
struct share {
    size_t document;
    int64_t tokens;
    int64_t windows;
};

static int no_document(const struct documents *documents, int64_t length, struct error *error) {
    if (documents->count == 0) return error_set(error, STATUS_INPUT, "there are no documents; name at least one");
    const struct document *longest = &documents->items[0];
    for (size_t d = 1; d < documents->count; d++) {
        if (documents->items[d].count > longest->count) longest = &documents->items[d];
    }
    return error_set(error, STATUS_INPUT,
                     "no document has the %" PRId64 " tokens of a window: the longest, %s, has %" PRId64
                     "; give longer documents or a shorter length",
                     length, longest->name, longest->count);
}

/* shares[documents->count]: the documents that are long enough, in order. Returns their number; *windows is
 * the number of windows that they hold. */
static size_t shares_find(const struct documents *documents, int64_t length, struct share *shares, size_t *windows) {
    size_t count = 0;
    *windows = 0;
    for (size_t d = 0; d < documents->count; d++) {
        int64_t tokens = documents->items[d].count;
        if (tokens < length) continue;
        shares[count++] = (struct share){.document = d, .tokens = tokens};
        *windows += (size_t)(tokens / length);
    }
    return count;
}

/* The document with most text per window that has room for one more; the first of equals. Quotients
 * that are equal as fractions are equal as doubles, so the choice is the same everywhere. */
static struct share *share_next(struct share *shares, size_t count, int64_t length) {
    struct share *best = NULL;
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        if (shares[i].windows >= shares[i].tokens / length) continue;
        double text = (double)shares[i].tokens / (double)shares[i].windows;
        if (text > most) {
            most = text;
            best = &shares[i];
        }
    }
    assert(best); /* choose() has counted the windows */
    return best;
}

/* The beginnings first, in order, then the rest one by one. The documents hold at least `wanted` windows. */
static void shares_assign(struct share *shares, size_t count, int64_t length, size_t wanted) {
    size_t given = 0;
    for (; given < count && given < wanted; given++) shares[given].windows = 1;
    for (; given < wanted; given++) share_next(shares, count, length)->windows++;
}

/* All windows but the first: window k of w starts at floor(k (tokens - length) / (w - 1)), counted
 * up with the remainder carried, since the product could overflow. As the document holds w windows
 * the distance is at least `length`, and so is every difference of two floors. */
static struct window *share_windows(const struct share *share, int64_t length, struct window *out) {
    int64_t gaps = share->windows - 1, span = share->tokens - length;
    int64_t start = 0, carried = 0;
    for (int64_t k = 0; k < gaps; k++) {
        start += span / gaps;
        carried += span % gaps;
        if (carried >= gaps) {
            carried -= gaps;
            start++;
        }
        *out++ = (struct window){.document = share->document, .start = start, .length = length};
    }
    return out;
}

static void windows_write(const struct share *shares, size_t count, int64_t length, struct window *out) {
    for (size_t i = 0; i < count && shares[i].windows > 0; i++) {
        *out++ = (struct window){.document = shares[i].document, .start = 0, .length = length};
    }
    for (size_t i = 0; i < count; i++) out = share_windows(&shares[i], length, out);
}

static int choose(const struct documents *documents, int64_t length, size_t wanted, struct share *shares,
                  struct window **out, size_t *count, struct error *error) {
    size_t windows;
    size_t share_count = shares_find(documents, length, shares, &windows);
    if (share_count == 0) return no_document(documents, length, error);
    if (wanted == 0) wanted = share_count;
    if (wanted > windows) {
        return error_set(error, STATUS_INPUT,
                         "%zu windows of %" PRId64 " tokens are required, but the documents (%zu of %zu are long "
                         "enough) hold only %zu; use fewer samples or more text",
                         wanted, length, share_count, documents->count, windows);
    }
    struct window *list = calloc(wanted, sizeof *list);
    if (!list) return error_memory(error, (double)wanted * (double)sizeof *list, "windows");
    shares_assign(shares, share_count, length, wanted);
    windows_write(shares, share_count, length, list);
    *out = list;
    *count = wanted;
    return STATUS_OK;
}

int windows_choose(const struct documents *documents, int64_t length, size_t wanted, struct window **out, size_t *count,
                   struct error *error) {
    if (length < 1) {
        return error_set(error, STATUS_INPUT,
                         "a window of %" PRId64 " tokens cannot be scored; choose a greater length", length);
    }
    struct share *shares = calloc(documents->count + 1, sizeof *shares); /* + 1: may be none */
    if (!shares) return error_memory(error, (double)documents->count * sizeof *shares, "windows");
    int status = choose(documents, length, wanted, shares, out, count, error);
    free(shares);
    return status;
}

/* ---- Sliding windows ---- */

/* The windows of one document, into out[] unless it is NULL. Returns their number. */
static size_t slide_document(const struct documents *documents, size_t document, int64_t length, int64_t stride,
                             struct window *out) {
    int64_t tokens = documents->items[document].count, scored = 0; /* tokens that windows so far reach */
    size_t count = 0;
    for (int64_t start = 0; scored < tokens; start += stride) {
        int64_t end = length < tokens - start ? start + length : tokens;
        struct window window = {.document = document, .start = start, .length = end - start};
        if (scored > start) window.skip = scored - start - 1; /* prediction i is of token i + 1 */
        scored = end;
        if (window.skip >= window.length - 1) continue; /* one token alone */
        if (out) out[count] = window;
        count++;
    }
    return count;
}

int windows_slide(const struct documents *documents, int64_t length, int64_t stride, struct window **out, size_t *count,
                  struct error *error) {
    if (stride < 1 || stride > length) {
        return error_set(error, STATUS_INPUT,
                         "a stride of %" PRId64 " is not within 1 and the window's %" PRId64 " tokens", stride, length);
    }
    size_t total = 0;
    for (size_t d = 0; d < documents->count; d++) total += slide_document(documents, d, length, stride, NULL);
    if (total == 0) {
        return error_set(error, STATUS_INPUT,
                         "windows of %" PRId64
                         " tokens over these documents predict nothing; choose a greater length or "
                         "give longer documents",
                         length);
    }
    struct window *windows = calloc(total, sizeof *windows);
    if (!windows) return error_memory(error, (double)total * (double)sizeof *windows, "windows");
    *out = windows;
    *count = total;
    for (size_t d = 0; d < documents->count; d++) windows += slide_document(documents, d, length, stride, windows);
    return STATUS_OK;
}

/* ---- What is said of them ---- */

static bool has_window(const struct windows_told *told, size_t document) {
    for (size_t w = 0; w < told->count; w++) {
        if (told->windows[w].document == document) return true;
    }
    return false;
}

size_t windows_documents(const struct windows_told *told) {
    size_t used = 0;
    for (size_t d = 0; d < told->documents->count; d++) used += has_window(told, d);
    return used;
}

/* "; left out: a.txt (12 tokens, too short), b.txt (9000 tokens, not needed) and 3 more" */
static void tell_left_out(const struct windows_told *told, FILE *out) {
    enum { MOST = 3 };
    size_t left = told->documents->count - windows_documents(told), named = 0;
    for (size_t d = 0; d < told->documents->count && named < MOST; d++) {
        const struct document *document = &told->documents->items[d];
        if (has_window(told, d)) continue;
        const char *slash = strrchr(document->name, '/');
        fprintf(out, "%s%.100s (%" PRId64 " token%s, %s)",
                named++ ? ", " : "; left out: ", slash ? slash + 1 : document->name, document->count,
                document->count == 1 ? "" : "s", document->count < told->length ? "too short" : "not needed");
    }
    if (left > named) fprintf(out, " and %zu more", left - named);
}

char *windows_tell(const struct windows_told *told) {
    char *text = NULL;
    size_t size = 0, all = told->documents->count;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    fprintf(out, "%zu window%s of %" PRId64 " tokens from %zu of %zu document%s", told->count,
            told->count == 1 ? "" : "s", told->length, windows_documents(told), all, all == 1 ? "" : "s");
    tell_left_out(told, out);
    if (told->text && told->bos < 0) fputs("; documents begin without BOS", out);
    if (told->text && told->bos >= 0) fprintf(out, "; documents begin with BOS (token %d)", (int)told->bos);
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}
