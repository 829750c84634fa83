/* The column `blocks` of run.db and scores.db: a window's sums of nats per block of tokens (nats_blocks() in
 * eval/perplexity.h), as a BLOB of float32 in little-endian order; NULL where the blocks are not known. */
#ifndef LONGROPE_SEARCH_BLOCK_COLUMN_H
#define LONGROPE_SEARCH_BLOCK_COLUMN_H

#include <stdbool.h>
#include <stddef.h>

#include "search/store/database.h"

/* The value of the column; blocks[count] is borrowed until the row is inserted. NULL for blocks that are NULL, or NaN:
 * not known. */
struct database_value block_column_value(const float *blocks, size_t count);
/* Binds the value to a parameter; returns SQLite's code. */
int block_column_bind(sqlite3_stmt *statement, int index, const float *blocks, size_t count);

/* Reads the column into blocks[count], NaN for NULL. False unless the column is NULL or has `count` values that are
 * finite and not negative. */
bool block_column_read(sqlite3_stmt *row, float *blocks, size_t count);

#endif
