#include "search/store/block_column.h"

#include <math.h>
#include <string.h>

#define COLUMN "blocks"

/* Floats are stored as they lie in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sizeof(float) == 4, "blocks are little-endian float32");

static bool known(const float *blocks, size_t count) { return blocks && count > 0 && !isnan(blocks[0]); }

struct database_value block_column_value(const float *blocks, size_t count) {
    if (!known(blocks, count)) return database_set_null(COLUMN);
    return database_set_blob(COLUMN, blocks, count * sizeof *blocks);
}

int block_column_bind(sqlite3_stmt *statement, int index, const float *blocks, size_t count) {
    if (!known(blocks, count)) return sqlite3_bind_null(statement, index);
    return sqlite3_bind_blob64(statement, index, blocks, count * sizeof *blocks, SQLITE_STATIC);
}

bool block_column_read(sqlite3_stmt *row, float *blocks, size_t count) {
    size_t size;
    const void *bytes = database_blob(row, COLUMN, &size);
    if (!bytes && size == 0) {
        for (size_t i = 0; i < count; i++) blocks[i] = NAN;
        return database_is_null(row, COLUMN);
    }
    if (!bytes || size / sizeof *blocks != count || size % sizeof *blocks != 0) return false;
    memcpy(blocks, bytes, size);
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(blocks[i]) || blocks[i] < 0.0F) return false;
    }
    return true;
}
