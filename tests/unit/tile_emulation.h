/* AMX's tile instructions in plain C (Intel's Intrinsics Guide, TDPBF16PS and its companions), so that
 * the kernels written for them are tested where no processor has them; what a processor refuses traps.
 * Processors flush denormals to zero and may round a pair's sum otherwise. Included before vector.c. */
#ifndef LONGROPE_TESTS_TILE_EMULATION_H
#define LONGROPE_TESTS_TILE_EMULATION_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "eval/base/number.h"

struct emulated_tiles {
    int configured;
    uint16_t bytes[8];
    uint8_t rows[8];
    uint8_t data[8][16][64];
};

static _Thread_local struct emulated_tiles emulated;

static inline void emulated_configure(const void *configuration) {
    const uint8_t *from = configuration;
    memset(&emulated, 0, sizeof emulated);
    memcpy(emulated.bytes, from + 16, sizeof emulated.bytes);
    memcpy(emulated.rows, from + 48, sizeof emulated.rows);
    emulated.configured = from[0] == 1;
    for (int tile = 0; tile < 8; tile++) {
        bool half_set = (emulated.rows[tile] == 0) != (emulated.bytes[tile] == 0);
        if (emulated.rows[tile] > 16 || emulated.bytes[tile] > 64 || half_set) __builtin_trap();
    }
    for (int i = 2; i < 16; i++) {
        if (from[i] != 0) __builtin_trap(); /* reserved */
    }
}

/* What the processor answers with an invalid-opcode exception. */
static inline void emulated_check(void) {
    if (!emulated.configured) __builtin_trap();
}

static inline void emulated_load(int tile, const void *from, size_t stride) {
    emulated_check();
    memset(emulated.data[tile], 0, sizeof emulated.data[tile]);
    for (size_t r = 0; r < emulated.rows[tile]; r++) {
        memcpy(emulated.data[tile][r], (const uint8_t *)from + r * stride, emulated.bytes[tile]);
    }
}

static inline void emulated_store(int tile, void *to, size_t stride) {
    emulated_check();
    for (size_t r = 0; r < emulated.rows[tile]; r++) {
        memcpy((uint8_t *)to + r * stride, emulated.data[tile][r], emulated.bytes[tile]);
    }
}

static inline float emulated_bf16(const uint8_t *row, int index) {
    uint16_t number;
    memcpy(&number, row + 2 * index, sizeof number);
    return number_of_bf16(number);
}

static inline void emulated_multiply(int to, int left, int right) {
    emulated_check();
    if (emulated.rows[to] != emulated.rows[left] || emulated.bytes[left] / 4 != emulated.rows[right] ||
        emulated.bytes[to] != emulated.bytes[right]) {
        __builtin_trap();
    }
    for (int m = 0; m < emulated.rows[to]; m++) {
        for (int k = 0; k < emulated.bytes[left] / 4; k++) {
            for (int n = 0; n < emulated.bytes[to] / 4; n++) {
                const uint8_t *a = emulated.data[left][m], *b = emulated.data[right][k];
                float sum;
                memcpy(&sum, emulated.data[to][m] + 4 * n, sizeof sum);
                sum += emulated_bf16(a, 2 * k) * emulated_bf16(b, 2 * n);
                sum += emulated_bf16(a, 2 * k + 1) * emulated_bf16(b, 2 * n + 1);
                memcpy(emulated.data[to][m] + 4 * n, &sum, sizeof sum);
            }
        }
    }
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_loadconfig(configuration) emulated_configure(configuration)
#define _tile_release() ((void)(emulated.configured = 0))
#define _tile_zero(tile) memset(emulated.data[tile], 0, sizeof emulated.data[tile])
#define _tile_loadd(tile, from, stride) emulated_load(tile, from, stride)
#define _tile_stored(tile, to, stride) emulated_store(tile, to, stride)
#define _tile_dpbf16ps(to, left, right) emulated_multiply(to, left, right)

#endif
