#include "eval/gguf/gguf_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"

enum { MOST_PARTS = 99999 }; /* as many as the names can count */
enum { ENDING_SIZE = sizeof "-00001-of-00002.gguf" };

static void ending_of(size_t part, size_t count, char out[ENDING_SIZE + 32]) {
    snprintf(out, ENDING_SIZE + 32, "-%05zu-of-%05zu.gguf", part + 1, count);
}

/* split.no and split.count; 0 and 1 for a model of one file. */
static int read_place(const struct gguf *file, uint64_t *part, uint64_t *count, struct error *error) {
    *part = 0, *count = 1;
    int status = gguf_get_unsigned(file, "split.count", count, error);
    if (status == STATUS_OK) status = gguf_get_unsigned(file, "split.no", part, error);
    if (status != STATUS_OK) return status;
    if (*count == 0) *count = 1;
    if (*count <= MOST_PARTS && *part < *count) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: states that it is part %" PRIu64 " of %" PRIu64 "; it is damaged, fetch it again",
                     gguf_path(file), *part, *count);
}

/* Requires that the file is the first part of `count`, by its name as well. */
static int check_first(const struct gguf *file, uint64_t part, size_t count, struct error *error) {
    const char *path = gguf_path(file);
    char own[ENDING_SIZE + 32], first[ENDING_SIZE + 32];
    ending_of(part, count, own);
    ending_of(0, count, first);
    size_t length = strlen(path), tail = strlen(own);
    if (length <= tail || !name_ends_with(path, own)) {
        return error_set(error, STATUS_INPUT,
                         "%s: is part %" PRIu64
                         " of %zu, but its name does not end in %s, by which the others are found; rename all parts",
                         path, part + 1, count, own);
    }
    if (part == 0) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "%s: is part %" PRIu64 " of %zu; name the first: %.*s%s", path, part + 1,
                     count, (int)(length - tail), path, first);
}

/* Opens part `part` beside the first one. */
static int open_part(struct gguf_parts *parts, size_t part, size_t count, struct error *error) {
    const char *first = gguf_path(parts->files[0]);
    char ending[ENDING_SIZE + 32], *path = NULL;
    uint64_t stated, of;
    ending_of(0, count, ending);
    int stem = (int)(strlen(first) - strlen(ending));
    ending_of(part, count, ending);
    if (asprintf(&path, "%.*s%s", stem, first, ending) < 0) return error_memory(error, (double)strlen(first), "a path");
    int status = gguf_open(path, &parts->files[part], error);
    free(path);
    if (status != STATUS_OK) return status;
    parts->count++;
    status = read_place(parts->files[part], &stated, &of, error);
    if (status != STATUS_OK || (stated == part && of == count)) return status;
    return error_set(error, STATUS_INPUT,
                     "%s: states that it is part %" PRIu64 " of %" PRIu64 ", not %zu of %zu; fetch all parts again",
                     gguf_path(parts->files[part]), stated + 1, of, part + 1, count);
}

static int open_all(const char *path, struct gguf_parts *parts, struct error *error) {
    struct gguf *first = NULL;
    uint64_t part = 0, count = 1;
    int status = gguf_open(path, &first, error);
    if (status != STATUS_OK) return status;
    status = read_place(first, &part, &count, error);
    if (status == STATUS_OK && count > 1) status = check_first(first, part, count, error);
    if (status == STATUS_OK) parts->files = calloc(count, sizeof(struct gguf *));
    if (!parts->files) {
        gguf_close(first);
        return status == STATUS_OK ? error_memory(error, (double)count * sizeof(struct gguf *), path) : status;
    }
    parts->files[parts->count++] = first;
    for (size_t i = 1; i < count && status == STATUS_OK; i++) status = open_part(parts, i, count, error);
    return status;
}

int gguf_parts_open(const char *path, struct gguf_parts *out, struct error *error) {
    *out = (struct gguf_parts){0};
    int status = open_all(path, out, error);
    if (status != STATUS_OK) gguf_parts_close(out);
    return status;
}

void gguf_parts_close(struct gguf_parts *parts) {
    for (size_t i = 0; i < parts->count; i++) gguf_close(parts->files[i]);
    free(parts->files);
    *parts = (struct gguf_parts){0};
}
