/* Any bytes as an .npy file of tokens: refused, or a document of tokens that are not negative. */
#include "eval/text/documents.h"
#include "tests/fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct memory_file file = memory_file_make(bytes, size);
    struct documents documents = {0};
    struct error error;
    char *path = file.path;
    if (documents_read_npy(&path, 1, &documents, &error) == STATUS_OK) {
        if (documents.count != 1 || documents.items[0].count < 1) abort();
        for (int64_t i = 0; i < documents.items[0].count; i++) {
            if (documents.items[0].tokens[i] < 0) abort();
        }
        documents_free(&documents);
    }
    memory_file_close(&file);
    return 0;
}
