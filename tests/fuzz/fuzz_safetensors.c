/* Any bytes as a safetensors file: refused, or every readable tensor can be read. */
#include <string.h>

#include "eval/model/safetensors.h"
#include "tests/fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Reads it row by row; tensors larger than this only at both ends. */
static void read_tensor(const struct tensor *tensor) {
    enum { MOST = 1 << 16 };
    static float out[MOST];
    int64_t rows = tensor->rank > 0 ? tensor->shape[0] : 1;
    int64_t width = rows > 0 ? tensor->count / rows : 0;
    if (!tensor_is_readable(tensor) || rows == 0 || width > MOST) return;
    for (int64_t row = 0; row < rows && row < 64; row++) {
        tensor_rows_to_f32(tensor, row, 1, out);
        tensor_rows_to_f32(tensor, rows - 1 - row, 1, out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char *const names[] = {"a", "b", "c", "w", ""}; /* of the seeds */
    struct memory_file file = memory_file_make(bytes, size);
    struct safetensors *tensors = NULL;
    struct error error;
    if (safetensors_open(file.path, &tensors, &error) == STATUS_OK) {
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            const struct tensor *tensor = safetensors_find(tensors, names[n]);
            if (tensor) read_tensor(tensor);
        }
        size_t mapped;
        if (memcmp(safetensors_bytes(tensors, &mapped), bytes, size) != 0 || mapped != size) abort();
        safetensors_close(tensors);
    }
    memory_file_close(&file);
    return 0;
}
