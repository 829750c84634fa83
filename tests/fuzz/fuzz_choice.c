/* Any bytes as items of multiple choice: rejected, or read as items whose tokens are the bytes of their texts. */
#include <string.h>

#include "search/measure/choice.h"
#include "tests/fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_item(const struct choice_item *item) {
    if (item->count < 1 || item->answer >= item->count || item->line < 1) abort();
    for (size_t c = 0; c < item->count; c++) {
        const struct choice_text *choice = &item->choices[c];
        if (choice->characters < 1 || choice->characters > choice->bytes) abort();
        if (choice->tokens.scored < choice->bytes || choice->tokens.count <= choice->tokens.scored) abort();
        for (int64_t i = 0; i < choice->tokens.count; i++) {
            if (choice->tokens.tokens[i] < 1 || choice->tokens.tokens[i] > 255) abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const struct tokenizer tokenizer = {.bos = -1, .eos = -1};
    const struct choice_reader reader = {&tokenizer, 256};
    struct choice_tasks tasks;
    struct error error;
    struct memory_file input = memory_file_make(bytes, size);
    char *path = input.path;
    int status = choice_tasks_read(&reader, &path, 1, &tasks, &error);
    memory_file_close(&input);
    if (status == STATUS_OK && choice_items(&tasks) < 1) abort();
    for (size_t t = 0; t < tasks.count; t++) {
        if (!*tasks.items[t].name || tasks.items[t].count < 1) abort();
        for (size_t i = 0; i < tasks.items[t].count; i++) check_item(&tasks.items[t].items[i]);
    }
    choice_tasks_free(&tasks);
    return 0;
}
