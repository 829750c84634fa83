/* Safetensors files for tests: tensors of numbers that tell where they come from. */
#ifndef LONGROPE_TESTS_UNIT_TENSORS_H
#define LONGROPE_TESTS_UNIT_TENSORS_H

#include "tests/unit/scratch.h"

#include <stdbool.h>

/* Tensor of number `id`, [rows][columns], or [rows] where there are 0 columns: 1000 id, 1000 id + 1, ... */
struct entry {
    char name[96];
    int id;
    int rows, columns; /* 0 rows: it is left out */
};

static inline int entry_count(const struct entry *entry) { return entry->rows * (entry->columns ? entry->columns : 1); }

static inline void entry_head(const struct entry *entry, bool half, int offset, FILE *out) {
    int bytes = entry_count(entry) * (half ? 2 : 4);
    fprintf(out, ", \"%s\": {\"dtype\": \"%s\", \"shape\": [%d", entry->name, half ? "BF16" : "F32", entry->rows);
    if (entry->columns) fprintf(out, ", %d", entry->columns);
    fprintf(out, "], \"data_offsets\": [%d, %d]}", offset, offset + bytes);
}

static inline void entry_numbers(const struct entry *entry, bool half, FILE *out) {
    for (int i = 0; i < entry_count(entry); i++) {
        float number = (float)(1000 * entry->id + i);
        unsigned char bytes[4];
        memcpy(bytes, &number, sizeof bytes);
        fwrite(bytes + (half ? 2 : 0), 1, half ? 2 : 4, out); /* BF16: cut */
    }
}

/* F32, or BF16 where `half`. */
static inline void tensors_write(const char *path, const struct entry *entries, int count, bool half) {
    char *header = NULL, *data = NULL;
    size_t header_size = 0, data_size = 0;
    FILE *text = open_memstream(&header, &header_size), *numbers = open_memstream(&data, &data_size);
    assert_true(text && numbers);
    fputs("{\"__metadata__\": {\"format\": \"pt\"}", text);
    int offset = 0;
    for (int e = 0; e < count; e++) {
        if (entries[e].rows == 0) continue;
        entry_head(&entries[e], half, offset, text);
        entry_numbers(&entries[e], half, numbers);
        offset += entry_count(&entries[e]) * (half ? 2 : 4);
    }
    fputs("}", text);
    assert_int_equal(fclose(text) | fclose(numbers), 0);

    unsigned char *file = malloc(8 + header_size + data_size);
    assert_non_null(file);
    uint64_t length = header_size;
    memcpy(file, &length, 8);
    memcpy(file + 8, header, header_size);
    memcpy(file + 8 + header_size, data, data_size);
    scratch_write(path, file, 8 + header_size + data_size);
    free(file);
    free(header);
    free(data);
}

/* model.safetensors.index.json with tensor e in file files[e]. */
static inline void index_write(const char *path, const struct entry *entries, int count, const char *const *files) {
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    fputs("{\"metadata\": {\"total_size\": 1}, \"weight_map\": {", out);
    for (int e = 0; e < count; e++) fprintf(out, "%s\"%s\": \"%s\"", e ? ", " : "", entries[e].name, files[e]);
    fputs("}}", out);
    assert_int_equal(fclose(out), 0);
}

#endif
