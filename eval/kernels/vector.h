/* Vectors and numbers, in terms of what the compiler was told of the processor: KERNELS_BF16 and
 * KERNELS_AMX as vector.c explains them. */
#ifndef LONGROPE_EVAL_KERNELS_VECTOR_H
#define LONGROPE_EVAL_KERNELS_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "eval/kernels/kernels.h"

#if defined(__SSE__)
#include <immintrin.h>
#endif

#if defined(KERNELS_AMX)
enum { LANES = 16, TILE_ROWS = 16 }; /* of AMX's tiles */
#elif defined(__AVX512F__)
enum { LANES = 16, TILE_ROWS = 6, TILE_VECTORS = 4 }; /* 24 sums in 32 registers */
#elif defined(__AVX2__)
enum { LANES = 8, TILE_ROWS = 6, TILE_VECTORS = 2 }; /* 12 sums in 16 registers */
#else
enum { LANES = 4, TILE_ROWS = 6, TILE_VECTORS = 2 };
#endif

typedef float vector __attribute__((vector_size(LANES * sizeof(float)), may_alias));
typedef float vector_anywhere __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
typedef int32_t integers __attribute__((vector_size(LANES * sizeof(int32_t)), may_alias));
typedef uint32_t bits32 __attribute__((vector_size(LANES * sizeof(uint32_t)), may_alias));
typedef uint32_t bits32_anywhere __attribute__((vector_size(LANES * sizeof(uint32_t)), aligned(2), may_alias));
typedef uint16_t bits16_anywhere __attribute__((vector_size(LANES * sizeof(uint16_t)), aligned(2), may_alias));

#ifdef KERNELS_BF16
typedef uint16_t number;
/* SUM_TERMS: terms that are added up in registers before they are added to memory. A sum of n terms in
 * f32 gathers an error that grows with sqrt(n); the sum of short sums gathers less. f32 needs it: on the
 * demo model at 4096 tokens single tokens are off by half of what whole sums give. For bf16 the
 * operands' own rounding is far larger. */
#define TYPE NUMBER_BF16
enum { STEP = 2, SUM_TERMS = 512 };
#else
typedef float number;
#define TYPE NUMBER_F32
enum { STEP = 1, SUM_TERMS = 64 };
#endif

/* Rows of numbers are padded to a multiple of it. */
#if defined(KERNELS_AMX)
enum { ROW_STEP = 32 }; /* a tile's row */
#else
enum { ROW_STEP = STEP };
#endif

#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif
#define INLINE static inline __attribute__((always_inline))

static int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

INLINE vector splat(float x) { return x - (vector){0}; }
INLINE vector load(const float *from) { return *(const vector_anywhere *)from; }
INLINE void store(float *to, vector x) { *(vector_anywhere *)to = x; }
/* NaN where x is NaN: the processor's own instructions return their second operand then. */
INLINE vector at_least(vector x, vector bound) {
#if defined(__AVX512F__)
    return _mm512_max_ps(bound, x);
#elif defined(__AVX2__)
    return _mm256_max_ps(bound, x);
#else
    integers below = x < bound;
    return (vector)((below & (integers)bound) | (~below & (integers)x));
#endif
}
INLINE vector at_most(vector x, vector bound) {
#if defined(__AVX512F__)
    return _mm512_min_ps(bound, x);
#elif defined(__AVX2__)
    return _mm256_min_ps(bound, x);
#else
    integers above = x > bound;
    return (vector)((above & (integers)bound) | (~above & (integers)x));
#endif
}

INLINE float sum_of(vector x) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps(x);
#else
    float sum = 0.0f;
    for (int i = 0; i < LANES; i++) sum += x[i];
    return sum;
#endif
}

INLINE float largest_of(vector x) {
#if defined(__AVX512F__)
    return _mm512_reduce_max_ps(x);
#else
    float largest = x[0];
    for (int i = 1; i < LANES; i++) largest = x[i] > largest ? x[i] : largest;
    return largest;
#endif
}

/* Subnormal operands and results become 0 until subnormals_restore(). The weights of attention that are far below a
 * row's largest are subnormal, and so are their products; Intel's processors take a hundred cycles for each, which
 * makes attention over long windows four times as slow. The results do not change: next to the largest weight, 1, such
 * a number is below the last bit. */
INLINE unsigned subnormals_to_zero(void) {
#if defined(__SSE__)
    enum { FLUSH_RESULTS = 0x8000, FLUSH_OPERANDS = 0x40 };
    unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | FLUSH_RESULTS | FLUSH_OPERANDS);
    return mode;
#else
    return 0;
#endif
}

INLINE void subnormals_restore(unsigned mode) {
#if defined(__SSE__)
    _mm_setcsr(mode);
#else
    (void)mode;
#endif
}

/* 2^x for x <= 0, down to 2^-125 at least; below that 0 or 2^-125. x = n + r with |r| <= 1/2, and 2^r by
 * its Taylor series, whose rest is less than 1e-8 of it after `terms` = 7 powers, 4e-5 after 4. NaN
 * stays NaN. */
INLINE vector power_of_two(vector x, const int terms) {
    static const float series[8] = {1.0f,           0.693147181f,   0.240226507f,    0.0555041087f,
                                    0.00961812911f, 0.00133335581f, 0.000154035304f, 0.0000152527338f};
#if defined(__AVX512F__)
    enum { TO_NEAREST = 8 }; /* of no fraction bits, and no exceptions raised */
    vector r = _mm512_reduce_ps(x, TO_NEAREST);
#else
    x = at_least(x, splat(-125.0f));
    vector shifted = x + 12582912.0f; /* 1.5 x 2^23: adding it leaves no fraction bits */
    vector r = x - (shifted - 12582912.0f);
#endif
    vector p = splat(series[terms]);
    UNROLLED for (int i = terms - 1; i >= 0; i--) p = p * r + series[i];
#if defined(__AVX512F__)
    return _mm512_scalef_ps(p, x - r);
#else
    /* The low bits of `shifted` are n. As a factor, so that NaN stays NaN, whatever its bits. */
    return p * (vector)(((bits32)shifted + 127) << 23);
#endif
}

/* e^x in f32 to about 2 units in the last place. log2(e) x is split off as n before it is rounded: that
 * keeps the error of a large x's fraction small. */
INLINE vector exponential(vector x) {
    x = at_most(at_least(x, splat(-86.5f)), splat(88.0f));
    vector shifted = x * 1.44269504f + 12582912.0f;
    vector n = shifted - 12582912.0f;
    vector r = x - n * 0.693145752f; /* ln 2 in two parts, the first with few enough bits to be exact */
    r = r - n * 1.42860677e-6f;
    vector p = splat(1.0f / 5040.0f);
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return p * (vector)(((bits32)shifted + 127) << 23);
}

/* ---- Numbers ---- */

#ifdef KERNELS_BF16

INLINE void narrow_vector(number *to, vector x) {
#if defined(__AVX512BF16__)
    __m256bh narrow = _mm512_cvtneps_pbh(x);
    memcpy(to, &narrow, sizeof narrow);
#else
    bits32 bits = (bits32)x;
    bits32 nearest = (bits + 0x7fff + (bits >> 16 & 1)) >> 16, nan = bits >> 16 | 0x40;
    integers is_nan = x != x;
    bits32 chosen = ((bits32)is_nan & nan) | (~(bits32)is_nan & nearest);
    *(bits16_anywhere *)to = __builtin_convertvector(chosen, bits16_anywhere);
#endif
}
static number number_of(float x) { return number_to_bf16(x); }
static float float_of(number x) { return number_of_bf16(x); }

#else

INLINE void narrow_vector(number *to, vector x) { store(to, x); }
static number number_of(float x) { return x; }
static float float_of(number x) { return x; }

#endif

/* ---- Packed operands ---- */

enum { PANEL = PACK_ROWS }; /* columns of a panel */

/* A packed panel (see vector.c), or a part of its columns. */
struct panel {
    const number *numbers;
    int64_t step_stride; /* numbers from one STEP of terms to the next */
};

#endif
