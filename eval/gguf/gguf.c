#include "eval/gguf/gguf.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "eval/base/file.h"
#include "eval/gguf/gguf_private.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied from the file without conversion");

/* Limits on memory. Models have dozens of keys and thousands of tensors. */
enum { MAX_KEYS = 1 << 16, MAX_TENSORS = 1 << 20 };
enum { MAX_KEY_NAME = 65535, MAX_TENSOR_NAME = 64 }; /* bytes, the format's own limits */
enum { MAX_ALIGNMENT = 1 << 20, DEFAULT_ALIGNMENT = 32 };
enum { MAX_DEPTH = 8 }; /* of nested arrays; no model is known to have any */

/* The smallest size of one in a file: a count that cannot be true is rejected before memory is allocated. */
enum { KEY_LEAST_BYTES = 8 + 1 + 4 + 1, TENSOR_LEAST_BYTES = 8 + 1 + 4 + 4 + 8 };

static const struct {
    const char *name;
    uint8_t bytes; /* of a value or an element; 0: the value begins with its length */
} types[GGUF_TYPES] = {
    [GGUF_U8] = {"u8", 1},         [GGUF_I8] = {"i8", 1},       [GGUF_U16] = {"u16", 2}, [GGUF_I16] = {"i16", 2},
    [GGUF_U32] = {"u32", 4},       [GGUF_I32] = {"i32", 4},     [GGUF_F32] = {"f32", 4}, [GGUF_BOOL] = {"bool", 1},
    [GGUF_STRING] = {"string", 0}, [GGUF_ARRAY] = {"array", 0}, [GGUF_U64] = {"u64", 8}, [GGUF_I64] = {"i64", 8},
    [GGUF_F64] = {"f64", 8}};

/* ---- Bytes ---- */

int gguf_fetch(const struct gguf *file, uint64_t offset, void *out, size_t bytes, struct error *error) {
    size_t done = 0;
    while (done < bytes) {
        ssize_t got = pread(file->descriptor, (unsigned char *)out + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return error_set(error, STATUS_FAILED, "%s: cannot be read: %s; check the disk", file->path,
                             strerror(errno));
        if (got == 0) {
            return error_set(error, STATUS_INPUT,
                             "%s: ends at byte %" PRIu64 " but had %" PRIu64
                             " bytes when it was opened; is it being written?",
                             file->path, offset + done, file->size);
        }
        done += (size_t)got;
    }
    return STATUS_OK;
}

/* Reads the header from its beginning to its end. */
struct scanner {
    const struct gguf *file;
    uint64_t at;    /* the next byte, at most file->size */
    char item[128]; /* the key or tensor that is being read, for messages */
    uint64_t begin; /* buffer[filled] holds the file's bytes from here on */
    size_t filled;
    unsigned char buffer[1 << 16];
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct scanner *s, struct error *error,
                                                        const char *format, ...) {
    char reason[512];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    return error_set(error, STATUS_INPUT, "%s: %s, at byte %" PRIu64 ": %s", s->file->path, s->item, s->at, reason);
}

/* "key 'general.name'". A hostile name can have any length. */
static void set_item(struct scanner *s, const char *kind, const char *name) {
    snprintf(s->item, sizeof s->item, "%s '%.100s'", kind, name);
}

static uint64_t bytes_left(const struct scanner *s) { return s->file->size - s->at; }

static int check_left(const struct scanner *s, uint64_t bytes, struct error *error) {
    if (bytes <= bytes_left(s)) return STATUS_OK;
    return refuse(s, error,
                  "%" PRIu64 " bytes should follow, but only %" PRIu64
                  " are left; the file is truncated or damaged, fetch it again",
                  bytes, bytes_left(s));
}

static int skip(struct scanner *s, uint64_t bytes, struct error *error) {
    int status = check_left(s, bytes, error);
    if (status == STATUS_OK) s->at += bytes;
    return status;
}

/* Fills the buffer from s->at on; something is left to read. */
static int fill(struct scanner *s, struct error *error) {
    size_t bytes = bytes_left(s) < sizeof s->buffer ? (size_t)bytes_left(s) : sizeof s->buffer;
    s->filled = 0;
    int status = gguf_fetch(s->file, s->at, s->buffer, bytes, error);
    if (status == STATUS_OK) s->begin = s->at, s->filled = bytes;
    return status;
}

static int take(struct scanner *s, void *out, size_t bytes, struct error *error) {
    int status = check_left(s, bytes, error);
    unsigned char *next = out;
    while (bytes > 0 && status == STATUS_OK) {
        bool inside = s->at >= s->begin && s->at - s->begin < s->filled;
        if (!inside) status = fill(s, error);
        if (status != STATUS_OK) break;
        size_t from = (size_t)(s->at - s->begin);
        size_t now = bytes < s->filled - from ? bytes : s->filled - from;
        memcpy(next, s->buffer + from, now);
        next += now, bytes -= now, s->at += now;
    }
    return status;
}

static int take_u32(struct scanner *s, uint32_t *out, struct error *error) { return take(s, out, sizeof *out, error); }
static int take_u64(struct scanner *s, uint64_t *out, struct error *error) { return take(s, out, sizeof *out, error); }

/* A name of 1 to `most` bytes that the caller frees. */
static int take_name(struct scanner *s, uint64_t most, char **out, struct error *error) {
    uint64_t length;
    int status = take_u64(s, &length, error);
    if (status != STATUS_OK) return status;
    if (length < 1 || length > most) {
        return refuse(s, error,
                      "has a name of %" PRIu64 " bytes; the limits are 1 and %" PRIu64
                      ": the file is damaged, fetch it again",
                      length, most);
    }
    status = check_left(s, length, error);
    if (status != STATUS_OK) return status;
    char *name = malloc(length + 1);
    if (!name) return error_memory(error, (double)length, s->file->path);
    name[length] = '\0';
    status = take(s, name, length, error);
    if (status == STATUS_OK && strlen(name) != length) {
        status = refuse(s, error, "the name holds a zero byte; the file is damaged, fetch it again");
    }
    if (status != STATUS_OK) {
        free(name);
        return status;
    }
    *out = name;
    return STATUS_OK;
}

/* ---- Keys ---- */

static int take_type(struct scanner *s, enum gguf_type *out, struct error *error) {
    uint32_t type;
    int status = take_u32(s, &type, error);
    if (status != STATUS_OK) return status;
    if (type >= GGUF_TYPES) {
        return refuse(s, error, "unknown value type %" PRIu32 "; the file is damaged, fetch it again", type);
    }
    *out = (enum gguf_type)type;
    return STATUS_OK;
}

/* Skips a value that begins with its length: a string, or an array that is nested in `depth` others. */
static int skip_variable(struct scanner *s, enum gguf_type type, int depth, struct error *error) {
    if (type == GGUF_STRING) {
        uint64_t length;
        int status = take_u64(s, &length, error);
        return status == STATUS_OK ? skip(s, length, error) : status;
    }
    if (depth == MAX_DEPTH)
        return refuse(s, error, "arrays are nested more than %d deep, which is not supported", (int)MAX_DEPTH);
    enum gguf_type element = GGUF_U8;
    uint64_t count = 0;
    int status = take_type(s, &element, error);
    if (status == STATUS_OK) status = take_u64(s, &count, error);
    if (status != STATUS_OK) return status;
    uint64_t least = element == GGUF_ARRAY ? 12 : element == GGUF_STRING ? 8 : types[element].bytes;
    if (count > bytes_left(s) / least) {
        return refuse(s, error,
                      "an array of %" PRIu64 " elements should follow, but only %" PRIu64
                      " bytes are left; the file is truncated or damaged, fetch it again",
                      count, bytes_left(s));
    }
    if (types[element].bytes > 0) return skip(s, count * least, error);
    for (uint64_t i = 0; i < count && status == STATUS_OK; i++) status = skip_variable(s, element, depth + 1, error);
    return status;
}

static int take_key(struct scanner *s, struct gguf_key *out, struct error *error) {
    out->begin = s->at;
    int status = take_name(s, MAX_KEY_NAME, &out->name, error);
    if (status != STATUS_OK) return status;
    set_item(s, "key", out->name);
    status = take_type(s, &out->type, error);
    if (status != STATUS_OK) return status;
    out->value = s->at;
    status = types[out->type].bytes > 0 ? take(s, out->number, types[out->type].bytes, error)
                                        : skip_variable(s, out->type, 0, error);
    out->end = s->at;
    return status;
}

static int take_keys(struct scanner *s, struct gguf *file, uint64_t count, struct error *error) {
    if (count > bytes_left(s) / KEY_LEAST_BYTES || count > MAX_KEYS) {
        return refuse(s, error,
                      "declares %" PRIu64 " keys, more than the file can hold or than the limit of %d; the file is "
                      "truncated or damaged, fetch it again",
                      count, (int)MAX_KEYS);
    }
    file->keys = calloc(count + 1, sizeof *file->keys); /* + 1: zero keys are allowed */
    if (!file->keys) return error_memory(error, (double)(count * sizeof *file->keys), file->path);
    int status = STATUS_OK;
    for (uint64_t i = 0; i < count && status == STATUS_OK; i++) {
        snprintf(s->item, sizeof s->item, "key %" PRIu64 " of %" PRIu64, i + 1, count);
        file->key_count++; /* before take_key(): gguf_close() frees what was read */
        status = take_key(s, &file->keys[i], error);
    }
    return status;
}

/* ---- Tensors ---- */

static int take_shape(struct scanner *s, struct gguf_tensor *out, uint64_t *numbers, struct error *error) {
    int status = take_u32(s, &out->rank, error);
    if (status != STATUS_OK) return status;
    if (out->rank > GGUF_MAX_RANK) {
        return refuse(s, error, "has %" PRIu32 " dimensions; the limit is %d: the file is damaged, fetch it again",
                      out->rank, (int)GGUF_MAX_RANK);
    }
    *numbers = 1;
    for (uint32_t i = 0; i < GGUF_MAX_RANK; i++) {
        out->shape[i] = 1;
        if (i < out->rank) status = take_u64(s, &out->shape[i], error);
        if (status != STATUS_OK) return status;
        if (out->shape[i] > INT64_MAX || __builtin_mul_overflow(*numbers, out->shape[i], numbers)) {
            return refuse(s, error, "its shape overflows; the file is damaged, fetch it again");
        }
    }
    return STATUS_OK;
}

static int take_number_type(struct scanner *s, struct gguf_tensor *out, uint64_t numbers, struct error *error) {
    uint32_t type;
    int status = take_u32(s, &type, error);
    if (status != STATUS_OK) return status;
    if (!block_type_known(type)) {
        return refuse(s, error,
                      "unknown number type %" PRIu32
                      "; the file is damaged, or newer than this program: convert it to another type",
                      type);
    }
    out->type = (enum block_type)type;
    uint64_t block = block_numbers(out->type);
    if (out->shape[0] % block != 0) {
        return refuse(s, error,
                      "rows of %" PRIu64 " numbers are not whole blocks of %" PRIu64
                      " numbers; the file is damaged, fetch it again",
                      out->shape[0], block);
    }
    if (__builtin_mul_overflow(numbers / block, (uint64_t)block_bytes(out->type), &out->bytes)) {
        return refuse(s, error, "its shape overflows; the file is damaged, fetch it again");
    }
    return STATUS_OK;
}

/* Reads all but the position of the data, which depends on the end of the header. */
static int take_tensor(struct scanner *s, struct gguf_tensor *out, struct error *error) {
    uint64_t numbers = 0;
    int status = take_name(s, MAX_TENSOR_NAME, &out->name, error);
    if (status != STATUS_OK) return status;
    set_item(s, "tensor", out->name);
    status = take_shape(s, out, &numbers, error);
    if (status == STATUS_OK) status = take_number_type(s, out, numbers, error);
    if (status == STATUS_OK) status = take_u64(s, &out->offset, error);
    return status;
}

static int take_tensors(struct scanner *s, struct gguf *file, uint64_t count, struct error *error) {
    if (count > bytes_left(s) / TENSOR_LEAST_BYTES || count > MAX_TENSORS) {
        return refuse(s, error,
                      "declares %" PRIu64 " tensors, more than the file can hold or than the limit of %d; the file is "
                      "truncated or damaged, fetch it again",
                      count, (int)MAX_TENSORS);
    }
    file->tensors = calloc(count + 1, sizeof *file->tensors);
    if (!file->tensors) return error_memory(error, (double)(count * sizeof *file->tensors), file->path);
    int status = STATUS_OK;
    for (uint64_t i = 0; i < count && status == STATUS_OK; i++) {
        snprintf(s->item, sizeof s->item, "tensor %" PRIu64 " of %" PRIu64, i + 1, count);
        file->tensor_count++;
        status = take_tensor(s, &file->tensors[i], error);
    }
    return status;
}

/* ---- Checks of the whole header ---- */

static int by_text(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Sorts names[count]. */
static int check_unique(const struct gguf *file, const char *kind, const char **names, size_t count,
                        struct error *error) {
    qsort(names, count, sizeof *names, by_text);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[i - 1], names[i]) != 0) continue;
        return error_set(error, STATUS_INPUT, "%s: %s '%.100s' occurs twice; the file is damaged, fetch it again",
                         file->path, kind, names[i]);
    }
    return STATUS_OK;
}

static int check_names(const struct gguf *file, struct error *error) {
    size_t most = file->key_count > file->tensor_count ? file->key_count : file->tensor_count;
    const char **names = calloc(most + 1, sizeof *names);
    if (!names) return error_memory(error, (double)(most * sizeof *names), file->path);
    for (size_t i = 0; i < file->key_count; i++) names[i] = file->keys[i].name;
    int status = check_unique(file, "key", names, file->key_count, error);
    if (status == STATUS_OK) {
        for (size_t i = 0; i < file->tensor_count; i++) names[i] = file->tensors[i].name;
        status = check_unique(file, "tensor", names, file->tensor_count, error);
    }
    free(names);
    return status;
}

static const struct gguf_key *find_key(const struct gguf *file, const char *name) {
    for (size_t i = 0; i < file->key_count; i++) {
        if (strcmp(file->keys[i].name, name) == 0) return &file->keys[i];
    }
    return NULL;
}

static int read_alignment(struct gguf *file, struct error *error) {
    file->alignment = DEFAULT_ALIGNMENT;
    const struct gguf_key *key = find_key(file, GGUF_ALIGNMENT_KEY);
    if (!key) return STATUS_OK;
    uint32_t alignment = 0;
    if (key->type == GGUF_U32) memcpy(&alignment, key->number, sizeof alignment);
    if (alignment < 1 || alignment > MAX_ALIGNMENT || (alignment & (alignment - 1)) != 0) {
        return error_set(error, STATUS_INPUT,
                         "%s: its %s is not a u32 that is a power of two of at most %d; the file is damaged, fetch it "
                         "again",
                         file->path, GGUF_ALIGNMENT_KEY, (int)MAX_ALIGNMENT);
    }
    file->alignment = alignment;
    return STATUS_OK;
}

/* Turns the offset of a tensor, relative to the data, into an offset in the file. */
static int locate_tensor(const struct gguf *file, uint64_t data, struct gguf_tensor *tensor, struct error *error) {
    uint64_t offset = tensor->offset;
    if (offset % file->alignment != 0) {
        return error_set(error, STATUS_INPUT,
                         "%s: the data of tensor '%s' are at offset %" PRIu64
                         ", not a multiple of the alignment %" PRIu64 "; the file is damaged, fetch it again",
                         file->path, tensor->name, offset, file->alignment);
    }
    uint64_t room = file->size > data ? file->size - data : 0;
    if (offset > room || tensor->bytes > room - offset) {
        return error_set(error, STATUS_INPUT,
                         "%s: tensor '%s' has %" PRIu64 " bytes at offset %" PRIu64
                         " of the data, but the file has only %" PRIu64
                         " bytes of data; it is truncated or damaged, fetch it again",
                         file->path, tensor->name, tensor->bytes, offset, room);
    }
    tensor->offset = data + offset;
    return STATUS_OK;
}

static int by_offset(const void *left, const void *right) {
    uint64_t a = (*(const struct gguf_tensor *const *)left)->offset;
    uint64_t b = (*(const struct gguf_tensor *const *)right)->offset;
    return (a > b) - (a < b);
}

/* Sorted by offset, no tensors overlap if none overlaps the next. */
static int check_overlap(const struct gguf *file, struct error *error) {
    const struct gguf_tensor **order = calloc(file->tensor_count + 1, sizeof *order);
    if (!order) return error_memory(error, (double)(file->tensor_count * sizeof *order), file->path);
    size_t count = 0;
    for (size_t i = 0; i < file->tensor_count; i++) {
        if (file->tensors[i].bytes > 0) order[count++] = &file->tensors[i]; /* no bytes, no overlap */
    }
    qsort(order, count, sizeof *order, by_offset);
    int status = STATUS_OK;
    for (size_t i = 1; i < count && status == STATUS_OK; i++) {
        if (order[i - 1]->offset + order[i - 1]->bytes <= order[i]->offset) continue;
        status = error_set(error, STATUS_INPUT,
                           "%s: the data of tensors '%s' and '%s' overlap; the file is damaged, fetch it again",
                           file->path, order[i - 1]->name, order[i]->name);
    }
    free(order);
    return status;
}

static int locate_tensors(struct gguf *file, uint64_t header_bytes, struct error *error) {
    uint64_t data = gguf_aligned(header_bytes, file->alignment);
    int status = STATUS_OK;
    for (size_t i = 0; i < file->tensor_count && status == STATUS_OK; i++) {
        status = locate_tensor(file, data, &file->tensors[i], error);
    }
    return status == STATUS_OK ? check_overlap(file, error) : status;
}

/* ---- The file ---- */

static int take_prefix(struct scanner *s, struct gguf *file, uint64_t *tensors, uint64_t *keys, struct error *error) {
    char magic[4];
    snprintf(s->item, sizeof s->item, "the header");
    int status = take(s, magic, sizeof magic, error);
    if (status != STATUS_OK) return status;
    if (memcmp(magic, "GGUF", sizeof magic) != 0) {
        return error_set(error, STATUS_INPUT, "%s: is not a GGUF file: it does not begin with \"GGUF\"", file->path);
    }
    status = take_u32(s, &file->version, error);
    if (status != STATUS_OK) return status;
    if ((file->version & 0xffff) == 0) {
        return error_set(error, STATUS_INPUT,
                         "%s: is a big-endian GGUF, which is not supported; convert the model to little-endian",
                         file->path);
    }
    if (file->version != 2 && file->version != 3) {
        return error_set(error, STATUS_INPUT,
                         "%s: GGUF version %" PRIu32 " is not supported, only 2 and 3; convert the model again",
                         file->path, file->version);
    }
    status = take_u64(s, tensors, error);
    return status == STATUS_OK ? take_u64(s, keys, error) : status;
}

static int read_header(struct gguf *file, struct error *error) {
    struct scanner *s = calloc(1, sizeof *s);
    if (!s) return error_memory(error, sizeof *s, file->path);
    s->file = file;
    uint64_t tensors = 0, keys = 0;
    int status = take_prefix(s, file, &tensors, &keys, error);
    if (status == STATUS_OK) status = take_keys(s, file, keys, error);
    if (status == STATUS_OK) status = read_alignment(file, error);
    if (status == STATUS_OK) status = take_tensors(s, file, tensors, error);
    if (status == STATUS_OK) status = check_names(file, error);
    if (status == STATUS_OK) status = locate_tensors(file, s->at, error);
    free(s);
    return status;
}

int gguf_open(const char *path, struct gguf **out, struct error *error) {
    struct gguf *file = calloc(1, sizeof *file);
    if (!file) return error_memory(error, sizeof *file, path);
    file->descriptor = -1;
    file->path = strdup(path);
    size_t size = 0;
    int status = file->path ? file_open(path, &file->descriptor, &size, error)
                            : error_memory(error, (double)strlen(path), "a path");
    file->size = size;
    if (status == STATUS_OK) status = read_header(file, error);
    if (status != STATUS_OK) {
        gguf_close(file);
        return status;
    }
    *out = file;
    return STATUS_OK;
}

void gguf_close(struct gguf *file) {
    if (!file) return;
    if (file->descriptor >= 0) close(file->descriptor);
    if (file->mapping) munmap(file->mapping, file->size);
    for (size_t i = 0; i < file->key_count; i++) free(file->keys[i].name);
    for (size_t i = 0; i < file->tensor_count; i++) free(file->tensors[i].name);
    free(file->keys);
    free(file->tensors);
    free(file->path);
    free(file);
}

const char *gguf_path(const struct gguf *file) { return file->path; }

/* ---- Values ---- */

size_t gguf_key_count(const struct gguf *file) { return file->key_count; }
const char *gguf_key_name(const struct gguf *file, size_t index) { return file->keys[index].name; }
bool gguf_has_key(const struct gguf *file, const char *key) { return find_key(file, key) != NULL; }

static int refuse_value(const struct gguf *file, const struct gguf_key *key, const char *required,
                        struct error *error) {
    return error_set(error, STATUS_INPUT, "%s: the value of key '%s', of type %s, is not %s; convert the model again",
                     file->path, key->name, types[key->type].name, required);
}

/* The value of an integer of any type, sign-extended to 64 bits; false for other types. */
static bool integer_of(const struct gguf_key *key, bool *negative, uint64_t *out) {
    unsigned bytes = types[key->type].bytes;
    bool is_signed = key->type == GGUF_I8 || key->type == GGUF_I16 || key->type == GGUF_I32 || key->type == GGUF_I64;
    bool is_unsigned = key->type == GGUF_U8 || key->type == GGUF_U16 || key->type == GGUF_U32 || key->type == GGUF_U64;
    if (!is_signed && !is_unsigned) return false;
    *negative = is_signed && (key->number[bytes - 1] & 0x80);
    *out = *negative ? UINT64_MAX : 0; /* sign extension */
    memcpy(out, key->number, bytes);
    return true;
}

int gguf_get_unsigned(const struct gguf *file, const char *key, uint64_t *out, struct error *error) {
    const struct gguf_key *found = find_key(file, key);
    if (!found) return STATUS_OK;
    bool negative;
    uint64_t value;
    if (!integer_of(found, &negative, &value) || negative) {
        return refuse_value(file, found, "an integer that is not negative", error);
    }
    *out = value;
    return STATUS_OK;
}

static bool number_of(const struct gguf_key *key, double *out) {
    float single;
    bool negative;
    uint64_t integer;
    if (key->type == GGUF_F32) {
        memcpy(&single, key->number, sizeof single);
        *out = single;
    } else if (key->type == GGUF_F64) {
        memcpy(out, key->number, sizeof *out);
    } else if (integer_of(key, &negative, &integer)) {
        *out = negative ? (double)(int64_t)integer : (double)integer;
    } else {
        return false;
    }
    return isfinite(*out);
}

int gguf_get_number(const struct gguf *file, const char *key, double *out, struct error *error) {
    const struct gguf_key *found = find_key(file, key);
    double value;
    if (!found) return STATUS_OK;
    if (!number_of(found, &value)) return refuse_value(file, found, "a finite number", error);
    *out = value;
    return STATUS_OK;
}

int gguf_get_string(const struct gguf *file, const char *key, char *out, size_t size, struct error *error) {
    const struct gguf_key *found = find_key(file, key);
    if (!found) return STATUS_OK;
    if (found->type != GGUF_STRING) return refuse_value(file, found, "a string", error);
    uint64_t length = found->end - found->value - 8; /* 8: the length itself */
    if (length >= size) return refuse_value(file, found, "short enough", error);
    int status = gguf_fetch(file, found->value + 8, out, length, error);
    if (status != STATUS_OK) return status;
    out[length] = '\0';
    return strlen(out) == length ? STATUS_OK : refuse_value(file, found, "a string without zero bytes", error);
}

int gguf_get_bool(const struct gguf *file, const char *key, bool *out, struct error *error) {
    const struct gguf_key *found = find_key(file, key);
    if (!found) return STATUS_OK;
    if (found->type != GGUF_BOOL || found->number[0] > 1) return refuse_value(file, found, "true or false", error);
    *out = found->number[0];
    return STATUS_OK;
}

/* ---- Arrays ---- */

enum { ARRAY_HEAD_BYTES = 4 + 8 }; /* type and count */

int gguf_read_array(const struct gguf *file, const char *key, enum gguf_type type, struct gguf_array *out,
                    struct error *error) {
    const struct gguf_key *found = find_key(file, key);
    uint32_t element = GGUF_TYPES;
    *out = (struct gguf_array){.type = type};
    if (!found) return STATUS_OK;
    int status = STATUS_OK;
    if (found->type == GGUF_ARRAY) status = gguf_fetch(file, found->value, &element, sizeof element, error);
    if (status != STATUS_OK) return status;
    if (element != type) {
        char required[64];
        snprintf(required, sizeof required, "an array of elements of type %s", types[type].name);
        return refuse_value(file, found, required, error);
    }
    status = gguf_fetch(file, found->value + 4, &out->count, sizeof out->count, error);
    if (status != STATUS_OK) return status;
    out->size = found->end - found->value - ARRAY_HEAD_BYTES;
    if (types[type].bytes > 0 && out->count != out->size / types[type].bytes) { /* changed since it was opened */
        return refuse_value(file, found, "as long as it was when the file was opened", error);
    }
    out->bytes = malloc(out->size + 1);
    if (!out->bytes) return error_memory(error, (double)out->size, gguf_path(file));
    status = gguf_fetch(file, found->value + ARRAY_HEAD_BYTES, out->bytes, out->size, error);
    if (status != STATUS_OK) gguf_array_free(out);
    return status;
}

bool gguf_array_next(struct gguf_array *array, const char **text, size_t *size) {
    uint64_t length;
    if (array->size - array->at < sizeof length) return false;
    memcpy(&length, array->bytes + array->at, sizeof length);
    if (length > array->size - array->at - sizeof length) return false;
    *text = (const char *)array->bytes + array->at + sizeof length;
    *size = length;
    array->at += sizeof length + length;
    return true;
}

void gguf_array_free(struct gguf_array *array) {
    free(array->bytes);
    *array = (struct gguf_array){0};
}

/* ---- Data ---- */

size_t gguf_tensor_count(const struct gguf *file) { return file->tensor_count; }
const struct gguf_tensor *gguf_tensor_at(const struct gguf *file, size_t index) { return &file->tensors[index]; }

int gguf_map(struct gguf *file, const unsigned char **bytes, size_t *size, struct error *error) {
    if (!file->mapping) {
        void *mapping = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, file->descriptor, 0);
        if (mapping == MAP_FAILED) {
            return error_set(error, STATUS_FAILED, "%s: its %" PRIu64 " bytes cannot be mapped: %s", file->path,
                             file->size, strerror(errno));
        }
        file->mapping = mapping;
    }
    *bytes = file->mapping;
    *size = file->size;
    return STATUS_OK;
}

const struct gguf_tensor *gguf_find_tensor(const struct gguf *file, const char *name) {
    for (size_t i = 0; i < file->tensor_count; i++) {
        if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
    }
    return NULL;
}

int gguf_read_vector(const struct gguf *file, const struct gguf_tensor *tensor, float *out, uint64_t count,
                     struct error *error) {
    if (tensor->type != BLOCK_F32 || tensor->rank != 1 || tensor->shape[0] != count) {
        return error_set(error, STATUS_INPUT,
                         "%s: tensor '%s', of type %s, is not a vector of %" PRIu64
                         " f32 numbers; is it another model's?",
                         file->path, tensor->name, block_type_name(tensor->type), count);
    }
    return gguf_fetch(file, tensor->offset, out, count * sizeof *out, error);
}
