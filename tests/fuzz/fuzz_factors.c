/* Any bytes as a factor file: rejected, or read as tables of valid numbers that survive writing and reading. */
#include <math.h>
#include <string.h>

#include "search/factors/factors.h"
#include "tests/fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_entry(const struct factor_entry *entry) {
    if (entry->pairs < 1 || entry->pairs > ROPE_MAX_PAIRS || entry->max_length < 0 || entry->start_tokens < 0) abort();
    if (!isfinite(entry->attention_factor) || entry->attention_factor < 0 || (entry->composed && !entry->whole))
        abort();
    for (int64_t i = 0; i < entry->pairs; i++) {
        if (!(entry->factors[i] > 0 && isfinite(entry->factors[i]))) abort();
        if (entry->factors[i] != entry->finetuned[i] * entry->searched[i]) abort();
    }
}

static void check_same(const struct factor_entry *a, const struct factor_entry *b) {
    if (strcmp(a->name, b->name) != 0 || a->pairs != b->pairs || a->max_length != b->max_length) abort();
    for (int64_t i = 0; i < a->pairs; i++) {
        if (a->factors[i] != b->factors[i]) abort();
    }
}

static void check_copy(const struct factor_file *file) {
    struct factor_file copy;
    struct error error;
    if (factors_write(memory_path(), true, file, &error) != STATUS_OK) abort();
    int status = factors_read(memory_path(), &copy, &error);
    unlink(memory_path());
    if (status != STATUS_OK || copy.count != file->count || copy.exportable_count != file->exportable_count) abort();
    for (size_t i = 0; i < file->count; i++) check_same(&file->tables[i], &copy.tables[i]);
    factors_free(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct factor_file file;
    struct error error;
    struct memory_file input = memory_file_make(bytes, size);
    int status = factors_read(input.path, &file, &error);
    memory_file_close(&input);
    if (status != STATUS_OK) return 0;
    if (file.count < 1 || !factors_for_length(file.tables, file.count, 1)) abort();
    for (size_t i = 0; i < file.count; i++) check_entry(&file.tables[i]);
    for (size_t i = 0; i < file.exportable_count; i++) check_entry(&file.exportable[i]);
    check_copy(&file);
    factors_free(&file);
    return 0;
}
