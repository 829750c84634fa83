/* Any bytes as a GGUF: rejected, or a file whose copy is equal, whose tables, if any, are valid, and that is rejected
 * or loaded as a model and as a tokenizer. */
#include <math.h>
#include <string.h>

#include "eval/gguf/gguf_private.h"
#include "eval/model/model.h"
#include "eval/text/tokenizer.h"
#include "search/export/export_gguf.h"
#include "search/factors/gguf_tables.h"
#include "tests/fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_values(const struct gguf *file) {
    struct error error;
    for (size_t i = 0; i < gguf_key_count(file); i++) {
        const char *key = gguf_key_name(file, i);
        uint64_t integer;
        double number = 0;
        char text[64];
        gguf_get_unsigned(file, key, &integer, &error);
        if (gguf_get_number(file, key, &number, &error) == STATUS_OK && !isfinite(number)) abort();
        if (gguf_get_string(file, key, text, sizeof text, &error) == STATUS_OK && strlen(text) >= sizeof text) abort();
        if (!gguf_has_key(file, key)) abort();
    }
}

/* The same bytes, or both not there. */
static void check_tensor(const struct gguf *a, const struct gguf *b, size_t index) {
    enum { MOST = 1024 };
    static float left[MOST], right[MOST];
    const struct gguf_tensor *x = &a->tensors[index], *y = &b->tensors[index];
    struct error error;
    if (strcmp(x->name, y->name) != 0 || x->bytes != y->bytes || x->type != y->type || x->rank != y->rank) abort();
    if (x->bytes > sizeof left) return;
    int status = gguf_read_vector(a, x, left, x->shape[0], &error);
    if (gguf_read_vector(b, y, right, y->shape[0], &error) != status) abort();
    if (status == STATUS_OK && memcmp(left, right, x->bytes) != 0) abort();
}

static void check_copy(const struct gguf *file) {
    const struct gguf_control none = {0};
    struct gguf *copy;
    struct error error;
    if (gguf_write(file, &(struct gguf_edit){0}, memory_path(), &none, &error) != STATUS_OK) abort();
    if (gguf_open(memory_path(), &copy, &error) != STATUS_OK) abort();
    unlink(memory_path());
    if (gguf_key_count(copy) != gguf_key_count(file) || copy->tensor_count != file->tensor_count) abort();
    for (size_t i = 0; i < file->tensor_count; i++) check_tensor(file, copy, i);
    gguf_close(copy);
}

/* Tables that were read can be written into the same model and read again. */
static void check_tables(const char *path) {
    struct gguf_tables tables, again;
    struct error error;
    if (gguf_tables_read(path, &tables, &error) != STATUS_OK) return;
    for (int64_t i = 0; i < tables.pairs; i++) {
        if (!(tables.long_factors[i] > 0) || !isfinite(tables.long_factors[i])) abort();
        if (!(tables.short_factors[i] > 0) || !isfinite(tables.short_factors[i])) abort();
    }
    const struct export_gguf what = {.input = path,
                                     .output = memory_path(),
                                     .pairs = tables.pairs,
                                     .long_factors = tables.long_factors,
                                     .short_factors = tables.short_factors,
                                     .attention_factor = tables.attention_factor,
                                     .original_length = tables.original_length,
                                     .context_length = tables.context_length};
    if (export_gguf(&what, &error) != STATUS_OK) return; /* the model has its own scaling */
    if (gguf_tables_read(memory_path(), &again, &error) != STATUS_OK) abort();
    unlink(memory_path());
    if (again.pairs != tables.pairs || again.original_length != tables.original_length) abort();
}

/* Every token is one of those that the file lists. */
static void check_tokenizer(const char *path) {
    static const char text[] = "ab 12 <s>\u00e9";
    struct tokenizer tokenizer;
    struct error error;
    int32_t *tokens = NULL;
    int64_t count = 0;
    if (tokenizer_open(NULL, path, TOKENIZER_BYTE_VOCABULARY, &tokenizer, &error) != STATUS_OK) return;
    if (tokenizer_encode(&tokenizer, "text", text, sizeof text - 1, &tokens, &count, &error) == STATUS_OK) {
        for (int64_t i = 0; i < count; i++) {
            if (tokens[i] < 0) abort();
        }
        free(tokens);
    }
    tokenizer_close(&tokenizer);
}

/* A model that is loaded has the configuration that is read alone, but for ties. */
static void check_model(const char *path) {
    struct model_config config;
    struct model *model = NULL;
    struct error error;
    bool readable = model_read_config(path, &config, &error) == STATUS_OK;
    if (model_load(path, MODEL_F32, &model, &error) != STATUS_OK) return;
    if (!readable || config.hidden != model->config.hidden || config.rope.type != model->config.rope.type) abort();
    float row[1 << 12];
    for (int64_t r = 0; r < config.vocabulary && config.hidden <= 1 << 12; r++) {
        model->kernels->unpack_row(row, &model->embedding, r);
    }
    model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct memory_file input = memory_file_make(bytes, size);
    struct gguf *file;
    struct error error;
    if (gguf_open(input.path, &file, &error) == STATUS_OK) {
        check_values(file);
        check_copy(file);
        gguf_close(file);
        check_tables(input.path);
        check_tokenizer(input.path);
        check_model(input.path);
    }
    memory_file_close(&input);
    return 0;
}
