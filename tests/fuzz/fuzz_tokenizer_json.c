/* Any bytes as a tokenizer.json: refused, or a tokenizer that gives a text, and its own file, the same tokens twice. */
#include "eval/text/tokenizer_json.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/same_tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char text[] = "It's  42 words,\r\n\n\tna\u00efve e\u0301\u0323 \u4e2d\u6587 \U0001f600\u2581<s>aaab"
                           "                                        x";

static void check_tokens(const struct tokenizer_json *tokenizer, const char *of, size_t size) {
    int32_t *first, *second;
    int64_t first_count, second_count;
    struct error error;
    int status = tokenizer_json_encode(tokenizer, "text", of, size, &first, &first_count, &error);
    if (status != STATUS_OK) return;
    if (tokenizer_json_encode(tokenizer, "text", of, size, &second, &second_count, &error) != STATUS_OK) abort();
    check_same_tokens(first, first_count, second, second_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct tokenizer_json *tokenizer;
    struct error error;
    struct memory_file file = memory_file_make(bytes, size);
    if (tokenizer_json_load(file.path, &tokenizer, &error) == STATUS_OK) {
        check_tokens(tokenizer, text, sizeof text - 1);
        check_tokens(tokenizer, (const char *)bytes, size);
        tokenizer_json_free(tokenizer);
    }
    memory_file_close(&file);
    return 0;
}
