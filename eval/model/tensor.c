#include "eval/model/tensor.h"

#include <assert.h>
#include <stddef.h>

/* Where a row lies in the file. */
static int64_t row_in_file(const struct tensor *tensor, int64_t row) {
    int64_t pairs = tensor->head_rows / 2;
    if (pairs == 0) return row;
    int64_t in_head = row % tensor->head_rows;
    return row - in_head + in_head % pairs * 2 + in_head / pairs;
}

bool tensor_is_readable(const struct tensor *tensor) {
    return tensor->type != BLOCK_TYPES && block_type_readable(tensor->type) && tensor->rank <= TENSOR_MAX_RANK;
}

void tensor_rows_to_f32(const struct tensor *tensor, int64_t first, int64_t rows, float *out) {
    assert(tensor_is_readable(tensor));
    int64_t width = 1; /* of a row */
    for (int i = 1; i < tensor->rank; i++) width *= tensor->shape[i];
    assert(first >= 0 && rows >= 0 && first <= (tensor->rank > 0 ? tensor->shape[0] : 1) - rows);
    if (tensor->count == 0) return;
    const unsigned char *data = tensor->data;
    int64_t row_bytes = width / block_numbers(tensor->type) * block_bytes(tensor->type);
    if (tensor->head_rows == 0) {
        blocks_to_f32(out, data + first * row_bytes, tensor->type, rows * width);
        return;
    }
    for (int64_t row = 0; row < rows; row++) {
        blocks_to_f32(out + row * width, data + row_in_file(tensor, first + row) * row_bytes, tensor->type, width);
    }
}
