#include "eval/model/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "eval/base/file.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the header's length is copied as it lies in the file");

enum { LENGTH_BYTES = 8 };                 /* of the header length at the beginning of the file */
enum { HEADER_MAX_BYTES = 100 * 1000000 }; /* the format's own limit */

struct safetensors {
    unsigned char *bytes; /* the mapping; NULL while there is none */
    size_t size;
    json_t *header;         /* owns the tensors' names */
    struct tensor *tensors; /* [count], sorted by name */
    size_t count;
};

/* ---- Tensors ---- */

/* All types of the format and the bits of a number: of tensors that nobody reads, too, the size is checked. */
static const struct {
    const char *name;
    int64_t bits;
} dtypes[] = {
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
    {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64},
};

/* The types that can be read. */
static enum block_type block_type_of(const char *name) {
    if (strcmp(name, "F32") == 0) return BLOCK_F32;
    if (strcmp(name, "F16") == 0) return BLOCK_F16;
    return strcmp(name, "BF16") == 0 ? BLOCK_BF16 : BLOCK_TYPES;
}

/* ---- One entry of the header ---- */

/* What an entry is checked against, and how messages name it. */
struct tensor_context {
    const char *path;
    const char *tensor;
    const unsigned char *data; /* the first byte after the header */
    int64_t data_bytes;
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct tensor_context *context, struct error *error,
                                                        const char *format, ...) {
    char reason[512];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    return error_set(error, STATUS_INPUT, "%s: tensor '%.200s': %s", context->path, context->tensor, reason);
}

static int dtype_parse(const struct tensor_context *context, const json_t *entry, struct tensor *out,
                       struct error *error) {
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (!name) return refuse(context, error, "has no 'dtype'; fetch or convert the file again");
    out->type_name = name;
    out->type = block_type_of(name);
    return STATUS_OK;
}

static int shape_parse(const struct tensor_context *context, const json_t *entry, struct tensor *out,
                       struct error *error) {
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape)) return refuse(context, error, "has no 'shape' array; fetch or convert the file again");
    size_t rank = json_array_size(shape);
    out->rank = (int)rank; /* the header has less than 2^31 bytes */
    out->count = 1;
    for (size_t i = 0; i < rank; i++) {
        const json_t *item = json_array_get(shape, i);
        if (!json_is_integer(item) || json_integer_value(item) < 0) {
            return refuse(context, error, "dimension %zu of its shape is not a non-negative integer", i);
        }
        int64_t length = json_integer_value(item);
        if (i < TENSOR_MAX_RANK) out->shape[i] = length;
        if (__builtin_mul_overflow(out->count, length, &out->count)) {
            return refuse(context, error, "its shape overflows; the file is damaged, fetch it again");
        }
    }
    return STATUS_OK;
}

/* Bits of a number of that type; 0 for a type that a later version of the format may have. */
static int64_t type_bits(const char *name) {
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(name, dtypes[i].name) == 0) return dtypes[i].bits;
    }
    return 0;
}

/* Whether so many numbers of so many bits take these bytes. */
static bool size_fits(int64_t count, int64_t bits, int64_t bytes) {
    int64_t total;
    return !__builtin_mul_overflow(count, bits, &total) && total % 8 == 0 && total / 8 == bytes;
}

/* Requires type and count of `out`, sets its data and bytes. */
static int offsets_parse(const struct tensor_context *context, const json_t *entry, struct tensor *out,
                         struct error *error) {
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *second = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(second)) {
        return refuse(context, error, "'data_offsets' is not two integers; fetch or convert the file again");
    }
    int64_t begin = json_integer_value(first), end = json_integer_value(second);
    if (begin < 0 || end < begin || end > context->data_bytes) {
        return refuse(context, error,
                      "data_offsets [%" PRId64 ", %" PRId64 "] do not lie within the file's %" PRId64
                      " bytes of data; it is truncated or damaged, fetch it again",
                      begin, end, context->data_bytes);
    }
    int64_t bits = type_bits(out->type_name);
    if (bits > 0 && !size_fits(out->count, bits, end - begin)) {
        return refuse(context, error,
                      "data_offsets span %" PRId64 " bytes, but its shape holds %" PRId64
                      " numbers of type %.40s; the file is damaged, fetch it again",
                      end - begin, out->count, out->type_name);
    }
    out->bytes = end - begin;
    out->data = context->data + begin;
    return STATUS_OK;
}

static int tensor_parse(const struct tensor_context *context, const json_t *entry, struct tensor *out,
                        struct error *error) {
    if (!json_is_object(entry)) return refuse(context, error, "is not described by a JSON object");
    out->name = context->tensor;
    int status = dtype_parse(context, entry, out, error);
    if (status == STATUS_OK) status = shape_parse(context, entry, out, error);
    if (status == STATUS_OK) status = offsets_parse(context, entry, out, error);
    return status;
}

/* ---- The file ---- */

static int map(const char *path, struct safetensors *file, struct error *error) {
    int descriptor;
    int status = file_open(path, &descriptor, &file->size, error);
    if (status != STATUS_OK) return status;
    void *bytes = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    int code = errno;
    close(descriptor); /* the mapping outlives it */
    if (bytes == MAP_FAILED) {
        return error_set(error, STATUS_FAILED, "%s: its %zu bytes cannot be mapped: %s", path, file->size,
                         strerror(code));
    }
    file->bytes = bytes;
    return STATUS_OK;
}

/* Sets file->header and tells how many bytes of text it took. */
static int header_parse(const char *path, struct safetensors *file, size_t *length, struct error *error) {
    if (file->size < LENGTH_BYTES) {
        return error_set(error, STATUS_INPUT, "%s: has only %zu bytes, too few for a safetensors file; fetch it again",
                         path, file->size);
    }
    uint64_t stated;
    memcpy(&stated, file->bytes, sizeof stated);
    if (stated > file->size - LENGTH_BYTES || stated > HEADER_MAX_BYTES) {
        int status = file_recognise(path, file->bytes, file->size, error);
        if (status != STATUS_OK) return status;
        return error_set(error, STATUS_INPUT,
                         "%s: states a header of %" PRIu64 " bytes, but the file has %zu and the format allows %d; "
                         "it is truncated or not a safetensors file, fetch it again",
                         path, stated, file->size, (int)HEADER_MAX_BYTES);
    }

    json_error_t reason;
    file->header = json_loadb((const char *)file->bytes + LENGTH_BYTES, stated, JSON_REJECT_DUPLICATES, &reason);
    if (!file->header && !reason.text[0])
        return error_memory(error, (double)stated, path); /* jansson's way to say so */
    if (!file->header) {
        return error_set(error, STATUS_INPUT, "%s: the header is not valid JSON: %s; fetch the file again", path,
                         reason.text);
    }
    if (!json_is_object(file->header)) {
        return error_set(error, STATUS_INPUT, "%s: the header is not a JSON object; fetch the file again", path);
    }
    *length = stated;
    return STATUS_OK;
}

static int by_name(const void *left, const void *right) {
    return strcmp(((const struct tensor *)left)->name, ((const struct tensor *)right)->name);
}

static int by_data(const void *left, const void *right) {
    uintptr_t a = (uintptr_t)(*(const struct tensor *const *)left)->data;
    uintptr_t b = (uintptr_t)(*(const struct tensor *const *)right)->data;
    return (a > b) - (a < b);
}

static int tensors_parse(const char *path, struct safetensors *file, size_t header_bytes, struct error *error) {
    size_t entries = json_object_size(file->header);
    file->tensors = calloc(entries + 1, sizeof *file->tensors); /* + 1: none at all is allowed */
    if (!file->tensors) return error_memory(error, (double)(entries * sizeof *file->tensors), path);

    struct tensor_context context = {
        .path = path,
        .data = file->bytes + LENGTH_BYTES + header_bytes,
        .data_bytes = (int64_t)(file->size - LENGTH_BYTES - header_bytes),
    };
    json_t *entry;
    json_object_foreach(file->header, context.tensor, entry) {
        if (strcmp(context.tensor, "__metadata__") == 0) continue;
        int status = tensor_parse(&context, entry, &file->tensors[file->count], error);
        if (status != STATUS_OK) return status;
        file->count++;
    }
    qsort(file->tensors, file->count, sizeof *file->tensors, by_name);
    return STATUS_OK;
}

/* Sorted by where they begin, tensors are apart when each is apart from the next. */
static int check_overlap(const char *path, const struct safetensors *file, struct error *error) {
    const struct tensor **order = calloc(file->count + 1, sizeof *order);
    if (!order) return error_memory(error, (double)(file->count * sizeof *order), path);
    size_t count = 0;
    for (size_t i = 0; i < file->count; i++) {
        if (file->tensors[i].bytes > 0) order[count++] = &file->tensors[i]; /* no bytes, no overlap */
    }
    qsort(order, count, sizeof *order, by_data);

    int status = STATUS_OK;
    for (size_t i = 1; i < count && status == STATUS_OK; i++) {
        const struct tensor *last = order[i - 1], *next = order[i];
        if ((const unsigned char *)last->data + last->bytes > (const unsigned char *)next->data) {
            status = error_set(error, STATUS_INPUT,
                               "%s: tensors '%.200s' and '%.200s' overlap; the file is damaged, fetch it again", path,
                               last->name, next->name);
        }
    }
    free(order);
    return status;
}

int safetensors_open(const char *path, struct safetensors **out, struct error *error) {
    struct safetensors *file = calloc(1, sizeof *file);
    if (!file) return error_memory(error, sizeof *file, path);

    size_t header_bytes = 0;
    int status = map(path, file, error);
    if (status == STATUS_OK) status = header_parse(path, file, &header_bytes, error);
    if (status == STATUS_OK) status = tensors_parse(path, file, header_bytes, error);
    if (status == STATUS_OK) status = check_overlap(path, file, error);
    if (status != STATUS_OK) {
        safetensors_close(file);
        return status;
    }
    *out = file;
    return STATUS_OK;
}

void safetensors_close(struct safetensors *file) {
    if (!file) return;
    if (file->bytes) munmap(file->bytes, file->size);
    json_decref(file->header);
    free(file->tensors);
    free(file);
}

const struct tensor *safetensors_find(const struct safetensors *file, const char *name) {
    struct tensor key = {.name = name};
    return bsearch(&key, file->tensors, file->count, sizeof *file->tensors, by_name);
}

const void *safetensors_bytes(const struct safetensors *file, size_t *size) {
    *size = file->size;
    return file->bytes;
}
