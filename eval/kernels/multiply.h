/* Products by vectors: a few rows times a few vectors of columns of a packed panel, with the sums in
 * registers (Goto and van de Geijn 2008; Van Zee and van de Geijn 2015, BLIS). */
#ifndef LONGROPE_EVAL_KERNELS_MULTIPLY_H
#define LONGROPE_EVAL_KERNELS_MULTIPLY_H

#include "eval/kernels/vector.h"

enum { TILE_COLUMNS = TILE_VECTORS * LANES };

/* What AMX needs before the first product and after the last. */
static void products_begin(void) {}
static void products_end(void) {}

#ifdef KERNELS_BF16
typedef uint32_t pair_anywhere __attribute__((aligned(2), may_alias));
#endif

/* sums[rows][vectors] += a[rows][STEP] times a step of the panel */
INLINE void multiply_step(vector sums[TILE_ROWS][TILE_VECTORS], const number *a, int64_t a_stride, const number *b,
                          const int rows, const int vectors) {
#if defined(KERNELS_BF16) && defined(__AVX512BF16__)
    __m512bh right[TILE_VECTORS];
    UNROLLED for (int v = 0; v < vectors; v++) right[v] = (__m512bh)_mm512_loadu_si512(b + v * LANES * STEP);
    UNROLLED for (int r = 0; r < rows; r++) {
        __m512bh left = (__m512bh)_mm512_set1_epi32((int)*(const pair_anywhere *)(a + r * a_stride));
        UNROLLED for (int v = 0; v < vectors; v++) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], left, right[v]);
    }
#elif defined(KERNELS_BF16)
    /* The even terms' upper halves are f32 once shifted up; the odd terms' are where they belong. */
    vector even[TILE_VECTORS], odd[TILE_VECTORS];
    UNROLLED for (int v = 0; v < vectors; v++) {
        bits32 pairs = *(const bits32_anywhere *)(b + v * LANES * STEP);
        even[v] = (vector)(pairs << 16), odd[v] = (vector)(pairs & 0xffff0000);
    }
    UNROLLED for (int r = 0; r < rows; r++) {
        float left_even = number_of_bf16(a[r * a_stride]), left_odd = number_of_bf16(a[r * a_stride + 1]);
        UNROLLED for (int v = 0; v < vectors; v++) sums[r][v] += left_even * even[v];
        UNROLLED for (int v = 0; v < vectors; v++) sums[r][v] += left_odd * odd[v];
    }
#else
    vector right[TILE_VECTORS];
    UNROLLED for (int v = 0; v < vectors; v++) right[v] = load(b + v * LANES);
    UNROLLED for (int r = 0; r < rows; r++) {
        UNROLLED for (int v = 0; v < vectors; v++) sums[r][v] += a[r * a_stride] * right[v];
    }
#endif
}

/* c[rows][vectors x LANES] (+)= a[rows][steps x STEP] times the panel */
INLINE void multiply_tile(float *c, int64_t c_stride, const number *a, int64_t a_stride, struct panel b, int64_t steps,
                          bool add, const int rows, const int vectors) {
    for (int64_t first = 0; first < steps; first += SUM_TERMS / STEP, add = true) {
        int64_t end = smaller(first + SUM_TERMS / STEP, steps);
        vector sums[TILE_ROWS][TILE_VECTORS];
        UNROLLED for (int r = 0; r < rows; r++) { UNROLLED for (int v = 0; v < vectors; v++) sums[r][v] = (vector){0}; }
        for (int64_t s = first; s < end; s++) {
            multiply_step(sums, a + s * STEP, a_stride, b.numbers + s * b.step_stride, rows, vectors);
        }
        UNROLLED for (int r = 0; r < rows; r++) {
            UNROLLED for (int v = 0; v < vectors; v++) {
                float *to = c + r * c_stride + v * LANES;
                vector before = add ? load(to) : (vector){0};
                store(to, before + sums[r][v]);
            }
        }
    }
}

/* multiply_tile() for every shape of a tile. */
typedef void tile_function(float *c, int64_t c_stride, const number *a, int64_t a_stride, struct panel b, int64_t steps,
                           bool add);
#define TILE(rows, vectors)                                                                                            \
    static void tile_##rows##_##vectors(float *c, int64_t c_stride, const number *a, int64_t a_stride, struct panel b, \
                                        int64_t steps, bool add) {                                                     \
        multiply_tile(c, c_stride, a, a_stride, b, steps, add, rows, vectors);                                         \
    }
#define TILES(vectors)                                                                                                 \
    TILE(1, vectors) TILE(2, vectors) TILE(3, vectors) TILE(4, vectors) TILE(5, vectors) TILE(6, vectors)
#define TILE_NAMES(vectors)                                                                                            \
    { tile_1_##vectors, tile_2_##vectors, tile_3_##vectors, tile_4_##vectors, tile_5_##vectors, tile_6_##vectors }
TILES(1)
TILES(2)
#if defined(__AVX512F__)
TILES(3)
TILES(4)
static tile_function *const tiles[TILE_VECTORS][TILE_ROWS] = {TILE_NAMES(1), TILE_NAMES(2), TILE_NAMES(3),
                                                              TILE_NAMES(4)};
#else
static tile_function *const tiles[TILE_VECTORS][TILE_ROWS] = {TILE_NAMES(1), TILE_NAMES(2)};
#endif

/* One tile of at most TILE_ROWS x TILE_COLUMNS. A tile whose last vector is not full goes through memory
 * of its own. */
static void multiply_columns(float *c, int64_t c_stride, const number *a, int64_t a_stride, struct panel b,
                             int64_t steps, bool add, int64_t rows, int64_t columns) {
    int64_t vectors = (columns + LANES - 1) / LANES;
    tile_function *tile = tiles[vectors - 1][rows - 1];
    if (columns % LANES == 0) {
        tile(c, c_stride, a, a_stride, b, steps, add);
        return;
    }
    float whole[TILE_ROWS * TILE_COLUMNS] = {0};
    for (int64_t r = 0; add && r < rows; r++) {
        memcpy(whole + r * TILE_COLUMNS, c + r * c_stride, (size_t)columns * sizeof *c);
    }
    tile(whole, TILE_COLUMNS, a, a_stride, b, steps, add);
    for (int64_t r = 0; r < rows; r++) {
        memcpy(c + r * c_stride, whole + r * TILE_COLUMNS, (size_t)columns * sizeof *c);
    }
}

/* c[rows][columns] (+)= a[rows][steps x STEP] times a panel of at most PANEL columns */
static void multiply_panel(float *c, int64_t c_stride, const number *a, int64_t a_stride, struct panel b, int64_t steps,
                           bool add, int64_t rows, int64_t columns) {
    for (int64_t first = 0; first < columns; first += TILE_COLUMNS) {
        struct panel part = {b.numbers + first * STEP, b.step_stride};
        int64_t count = smaller(TILE_COLUMNS, columns - first);
        for (int64_t r = 0; r < rows; r += TILE_ROWS) {
            multiply_columns(c + r * c_stride + first, c_stride, a + r * a_stride, a_stride, part, steps, add,
                             smaller(TILE_ROWS, rows - r), count);
        }
    }
}

#endif
