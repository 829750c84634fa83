/* Any bytes as a safetensors file: refused, or every readable tensor can be read, and those of CLEX give a table. */
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "eval/model/clex_weights.h"
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

/* The file as the weights of a model of type clex, whose folder has a link to it. */
static void read_clex(const struct memory_file *file) {
    enum { PAIRS = 2, TIMES = 3 };
    struct rope_model rope = rope_model_plain(PAIRS, 256.0);
    char link[128];
    struct weights *weights = NULL;
    double *factors = NULL;
    struct error error;
    rope.type = ROPE_TYPE_CLEX;
    rope.max_factor = TIMES, rope.param_factor = 1.0, rope.time_dt = 0.5;
    snprintf(link, sizeof link, "%s/model.safetensors", memory_path());
    mkdir(memory_path(), 0700);
    if (symlink(file->path, link) != 0) abort();
    int status = weights_open(memory_path(), &weights, &error);
    if (status == STATUS_OK) status = clex_weights_read(weights, &rope, &factors, &error);
    for (int i = 0; status == STATUS_OK && i < TIMES * PAIRS; i++) {
        if (!(factors[i] > 0.0 && isfinite(factors[i]))) abort();
    }
    free(factors);
    weights_close(weights);
    unlink(link);
    rmdir(memory_path());
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
        read_clex(&file);
    }
    memory_file_close(&file);
    return 0;
}
