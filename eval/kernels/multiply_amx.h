/* Products with AMX's tiles, in bf16: the functions that multiply.h has for other processors. */
#ifndef LONGROPE_EVAL_KERNELS_MULTIPLY_AMX_H
#define LONGROPE_EVAL_KERNELS_MULTIPLY_AMX_H

#include "eval/kernels/vector.h"

/* AMX's registers are tiles of 16 rows of 64 bytes: sums in tiles 0 to 3, a in 4 and 5, b in 6 and 7. A
 * tile of b is 16 STEPs of 16 columns, just as they lie in a panel. */
enum { TILE_COLUMNS = 16, TILE_STEPS = 16, TILE_BYTES = 64 };

struct tile_configuration {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16]; /* of a row */
    uint8_t rows[16];
};

/* Tiles of sums and of a get that many rows. */
static void tiles_configure(int64_t rows) {
    struct tile_configuration c = {.palette = 1};
    for (int tile = 0; tile < 8; tile++) {
        c.bytes[tile] = TILE_BYTES;
        c.rows[tile] = tile < 6 ? (uint8_t)rows : TILE_STEPS;
    }
    __asm__ volatile("" ::"r"(&c) : "memory"); /* nor does the load of a configuration say what it reads */
    _tile_loadconfig(&c);
}
static void products_begin(void) { tiles_configure(TILE_ROWS); }
static void products_end(void) { _tile_release(); }

/* Some compilers' tile loads do not say that they read memory: what was stored must be there. */
INLINE void memory_barrier(void) { __asm__ volatile("" ::: "memory"); }

/* c (+)= a b for up to two tiles of rows and two of columns; `steps` is a multiple of TILE_STEPS. */
INLINE void multiply_tiles(float *c, int64_t c_stride, const number *a, int64_t a_stride, struct panel b, int64_t steps,
                           bool add, const int row_tiles, const int column_tiles) {
    const size_t c_bytes = (size_t)c_stride * sizeof *c, a_bytes = (size_t)a_stride * sizeof *a;
    const size_t b_bytes = (size_t)b.step_stride * sizeof *a;
    float *c2 = c + TILE_ROWS * c_stride;
    const number *a2 = a + TILE_ROWS * a_stride;
    memory_barrier();
    if (add) {
        _tile_loadd(0, c, c_bytes);
        if (column_tiles > 1) _tile_loadd(1, c + TILE_COLUMNS, c_bytes);
        if (row_tiles > 1) _tile_loadd(2, c2, c_bytes);
        if (row_tiles > 1 && column_tiles > 1) _tile_loadd(3, c2 + TILE_COLUMNS, c_bytes);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int64_t s = 0; s < steps; s += TILE_STEPS) {
        const number *right = b.numbers + s * b.step_stride;
        _tile_loadd(4, a + s * STEP, a_bytes);
        _tile_loadd(6, right, b_bytes);
        _tile_dpbf16ps(0, 4, 6);
        if (column_tiles > 1) _tile_loadd(7, right + TILE_COLUMNS * STEP, b_bytes);
        if (column_tiles > 1) _tile_dpbf16ps(1, 4, 7);
        if (row_tiles > 1) _tile_loadd(5, a2 + s * STEP, a_bytes);
        if (row_tiles > 1) _tile_dpbf16ps(2, 5, 6);
        if (row_tiles > 1 && column_tiles > 1) _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, c_bytes);
    if (column_tiles > 1) _tile_stored(1, c + TILE_COLUMNS, c_bytes);
    if (row_tiles > 1) _tile_stored(2, c2, c_bytes);
    if (row_tiles > 1 && column_tiles > 1) _tile_stored(3, c2 + TILE_COLUMNS, c_bytes);
    memory_barrier();
}

/* Rows of the panel's whole tiles of columns. A tile that is not full goes through memory of its own. */
INLINE void multiply_rows(float *c, int64_t c_stride, const number *a, int64_t a_stride, struct panel b, int64_t steps,
                          bool add, int64_t rows, int64_t columns, const int row_tiles) {
    int64_t column = 0;
    for (; column + 2 * TILE_COLUMNS <= columns; column += 2 * TILE_COLUMNS) {
        struct panel part = {b.numbers + column * STEP, b.step_stride};
        multiply_tiles(c + column, c_stride, a, a_stride, part, steps, add, row_tiles, 2);
    }
    for (; column < columns; column += TILE_COLUMNS) {
        struct panel part = {b.numbers + column * STEP, b.step_stride};
        size_t bytes = (size_t)smaller(TILE_COLUMNS, columns - column) * sizeof *c;
        float whole[2 * TILE_ROWS * TILE_COLUMNS] = {0};
        for (int64_t r = 0; add && r < rows; r++) memcpy(whole + r * TILE_COLUMNS, c + r * c_stride + column, bytes);
        multiply_tiles(whole, TILE_COLUMNS, a, a_stride, part, steps, add, row_tiles, 1);
        for (int64_t r = 0; r < rows; r++) memcpy(c + r * c_stride + column, whole + r * TILE_COLUMNS, bytes);
    }
}

/* c[rows][columns] (+)= a[rows][steps x STEP] times a panel of at most PANEL columns */
static void multiply_panel(float *c, int64_t c_stride, const number *a, int64_t a_stride, struct panel b, int64_t steps,
                           bool add, int64_t rows, int64_t columns) {
    int64_t r = 0;
    for (; r + 2 * TILE_ROWS <= rows; r += 2 * TILE_ROWS) {
        multiply_rows(c + r * c_stride, c_stride, a + r * a_stride, a_stride, b, steps, add, 2 * TILE_ROWS, columns, 2);
    }
    for (; r < rows; r += TILE_ROWS) {
        int64_t count = smaller(TILE_ROWS, rows - r);
        if (count < TILE_ROWS) tiles_configure(count);
        multiply_rows(c + r * c_stride, c_stride, a + r * a_stride, a_stride, b, steps, add, count, columns, 1);
        if (count < TILE_ROWS) tiles_configure(TILE_ROWS);
    }
}

#endif
