/* What the tests of kernels share: every table that runs here, data in memory of exactly its size, so
 * that a sanitizer sees every step beyond, and comparisons that stop the test. */
#ifndef LONGROPE_TESTS_UNIT_KERNEL_DATA_H
#define LONGROPE_TESTS_UNIT_KERNEL_DATA_H

#include <gsl/gsl_randist.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "eval/kernels/kernels.h"

/* Tables -------------------------------------------------------------------------------------- */

enum { TYPES = 2, MOST_TABLES = 16 };
static const enum number_type types[TYPES] = {NUMBER_F32, NUMBER_BF16};

#if defined(KERNELS_AMX_EMULATED)
extern const struct kernels kernels_amx_emulated_bf16;
#endif

/* AMX's kernels with emulated tiles: NULL where the rest of their instructions are missing. */
static inline const struct kernels *emulated_table(void) {
#if defined(KERNELS_AMX_EMULATED)
    if (kernels_bf16_is_fast()) return &kernels_amx_emulated_bf16;
#endif
    return NULL;
}

/* Every table for numbers of that type, the reference first, NULL at the end. */
static inline const struct kernels *const *tables_of(enum number_type type) {
    static const struct kernels *tables[TYPES][MOST_TABLES + 1];
    const struct kernels **out = tables[type == NUMBER_BF16], **next = out;
    for (const struct kernels *const *table = kernels_available(type); *table; table++) *next++ = *table;
    *next = type == NUMBER_BF16 ? emulated_table() : NULL;
    return out;
}

/* Those of all types. */
static inline const struct kernels *const *all_tables(void) {
    static const struct kernels *tables[TYPES * MOST_TABLES + 1];
    const struct kernels **next = tables;
    for (int t = 0; t < TYPES; t++) {
        for (const struct kernels *const *table = tables_of(types[t]); *table; table++) *next++ = *table;
    }
    return tables;
}

static inline const struct kernels *reference_of(enum number_type type) {
    return type == NUMBER_BF16 ? &kernels_reference_bf16 : &kernels_reference_f32;
}

/* Memory -------------------------------------------------------------------------------------- */

/* Exactly `bytes`, aligned as kernels want their operands; NaN in every type of number. */
static inline void *operands(size_t bytes) {
    void *out = NULL;
    assert_int_equal(posix_memalign(&out, KERNELS_ALIGNMENT, bytes), 0);
    memset(out, 0xff, bytes);
    return out;
}

/* Bytes of rows of operands: those of the reference tables are f32 whatever their type. */
static inline size_t operand_bytes(const struct kernels *table, int64_t rows, int64_t width) {
    size_t each = table == reference_of(table->type) ? sizeof(float) : number_bytes(table->type);
    return (size_t)(rows * table->row_length(width)) * each;
}

static inline void *narrowed(const struct kernels *table, const float *x, int64_t rows, int64_t width) {
    void *out = operands(operand_bytes(table, rows, width));
    table->narrow(out, x, rows, width);
    return out;
}

/* What a number is once it is an operand. */
static inline float as_operand(enum number_type type, float x) {
    return type == NUMBER_BF16 ? number_of_bf16(number_to_bf16(x)) : x;
}

/* Exactly `count` floats. */
static inline float *floats(int64_t count) {
    float *out = malloc((size_t)count * sizeof *out);
    assert_non_null(out);
    return out;
}

static inline float *filled(int64_t count, float value) {
    float *out = floats(count);
    for (int64_t i = 0; i < count; i++) out[i] = value;
    return out;
}

static inline float *copied(const float *values, int64_t count) {
    float *out = floats(count);
    memcpy(out, values, (size_t)count * sizeof *out);
    return out;
}

static inline float *magnitudes(const float *values, int64_t count) {
    float *out = floats(count);
    for (int64_t i = 0; i < count; i++) out[i] = fabsf(values[i]);
    return out;
}

/* Memory with room behind it that nothing may be written to. */
enum { GUARD = 128 };

static inline void *guarded(size_t bytes) { return operands(bytes + GUARD); }

static inline void assert_guarded(const struct kernels *table, const char *what, const void *memory, size_t bytes) {
    const unsigned char *guard = (const unsigned char *)memory + bytes;
    for (int i = 0; i < GUARD; i++) {
        if (guard[i] == 0xff) continue;
        fail_msg("%s %s: %s written %d bytes beyond its end", table->name, number_type_name(table->type), what, i);
    }
}

/* Random numbers ------------------------------------------------------------------------------ */

static inline gsl_rng *make_rng(unsigned long seed) {
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    assert_non_null(rng);
    gsl_rng_set(rng, seed);
    return rng;
}

static inline float *gaussians(gsl_rng *rng, int64_t count, double sigma) {
    float *out = floats(count);
    for (int64_t i = 0; i < count; i++) out[i] = (float)gsl_ran_gaussian_ziggurat(rng, sigma);
    return out;
}

/* The same, of numbers that are exact in every type. */
static inline float *exact_gaussians(gsl_rng *rng, int64_t count, double sigma) {
    float *out = gaussians(rng, count, sigma);
    for (int64_t i = 0; i < count; i++) out[i] = as_operand(NUMBER_BF16, out[i]);
    return out;
}

static inline float float_of_bits(uint32_t bits) {
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

static inline uint32_t bits_of_float(float x) {
    uint32_t out;
    memcpy(&out, &x, sizeof out);
    return out;
}

/* NaN with all kinds of bits: quiet, signalling, either sign, and with no bit in the upper half. */
enum { NANS = 8 };
static inline float nan_of_kind(int kind) {
    static const uint32_t bits[NANS] = {0x7fc00000, 0xffc00000, 0x7fffffff, 0xffffffff,
                                        0x7fc00001, 0x7fa00000, 0x7f800001, 0xff80ffff};
    return float_of_bits(bits[kind]);
}

/* Comparisons --------------------------------------------------------------------------------- */

/* |got - expected| <= tolerance x scale, number by number; scale NULL: the expected value's own size. */
static inline void assert_all_near(const struct kernels *table, const float *got, const float *expected,
                                   const float *scale, int64_t count, double tolerance) {
    for (int64_t i = 0; i < count; i++) {
        double room = tolerance * fabs((double)(scale ? scale[i] : expected[i]));
        if (fabs((double)got[i] - expected[i]) <= room) continue;
        fail_msg("%s %s: number %ld of %ld is %.9g, not %.9g (off by %.3g, %.3g allowed)", table->name,
                 number_type_name(table->type), (long)i, (long)count, (double)got[i], (double)expected[i],
                 fabs((double)got[i] - expected[i]), room);
    }
}

static inline void assert_near(const struct kernels *table, double got, double expected, double room) {
    if (fabs(got - expected) <= room) return;
    fail_msg("%s %s: %.9g is not %.9g within %g", table->name, number_type_name(table->type), got, expected, room);
}

/* To the last bit. */
static inline void assert_all_same(const struct kernels *table, const float *got, const float *expected,
                                   int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (bits_of_float(got[i]) == bits_of_float(expected[i])) continue;
        fail_msg("%s %s: number %ld of %ld is %a, not %a", table->name, number_type_name(table->type), (long)i,
                 (long)count, (double)got[i], (double)expected[i]);
    }
}

#endif
