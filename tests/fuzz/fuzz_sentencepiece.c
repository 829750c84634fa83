/* Any bytes as a tokenizer.model: rejected, or a tokenizer that gives a text, and its own file, the same tokens twice.
 */
#include "eval/text/sentencepiece.h"
#include "tests/fuzz/same_tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char text[] = "ab  abba\xe2\x96\x81 <s>\n\xc3\xaf\xe4\xb8\xad\xf0\x9f\x98\x80"
                           "e\xcc\x81 12 ";

static void check_tokens(const struct sentencepiece_model *model, const char *of, size_t size) {
    int32_t *first, *second;
    int64_t first_count, second_count;
    struct error error;
    if (sentencepiece_encode(model, "text", of, size, &first, &first_count, &error) != STATUS_OK) return;
    if (sentencepiece_encode(model, "text", of, size, &second, &second_count, &error) != STATUS_OK) abort();
    check_same_tokens(first, first_count, second, second_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char *const pieces[] = {"<s>", "a", "", "\xff"};
    struct sentencepiece_model *model;
    struct error error;
    if (sentencepiece_read("tokenizer.model", bytes, size, &model, &error) != STATUS_OK) return 0;
    if (sentencepiece_bos(model) < -1) abort();
    sentencepiece_unknown(model);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        if (sentencepiece_find(model, pieces[i]) < -1) abort();
    }
    check_tokens(model, text, sizeof text - 1);
    check_tokens(model, (const char *)bytes, size);
    sentencepiece_free(model);
    return 0;
}
