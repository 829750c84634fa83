/* Kernels for the processor's vectors: compiled once for each instruction set and number type, as the
 * kernel set kernels_<KERNELS_NAME>_f32 or, with KERNELS_BF16 defined, kernels_<KERNELS_NAME>_bf16. With
 * KERNELS_AMX products use AMX's tiles.
 *
 * All products rest on multiply_panel(). A packed operand of `terms` x `columns` is cut into panels of
 * PANEL columns, the last one of what is left in whole COLUMN_STEPs; a panel is [terms / STEP][columns of
 * it][STEP], where STEP numbers are what one instruction multiplies and adds up; panels lie one after
 * another. Weights are packed with terms = inputs and columns = outputs, keys with terms = width and
 * columns = tokens, values with terms = tokens and columns = width.
 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "eval/kernels/vector.h"
#if defined(KERNELS_AMX)
#include "eval/kernels/multiply_amx.h"
#else
#include "eval/kernels/multiply.h"
#endif

enum {
    COLUMN_STEP = 16,        /* LANES of the widest vectors */
    TERM_BLOCK_BYTES = 4096, /* of a row that project() takes at a time, so that a panel stays in the L2 cache */
    KEY_TILE = 4 * PACK_ROWS /* keys whose scores are held at once */
};

/* ---- Operands of products ---- */

static int64_t row_length(int64_t width) { return round_up(width, ROW_STEP); }

static size_t row_bytes(int64_t width) { return (size_t)row_length(width) * sizeof(number); }

static void narrow(void *out, const float *x, int64_t rows, int64_t width) {
    int64_t length = row_length(width);
    number *to = out;
    for (int64_t r = 0; r < rows; r++, to += length, x += width) {
        int64_t i = 0;
        for (; i + LANES <= width; i += LANES) narrow_vector(to + i, load(x + i));
        for (; i < width; i++) to[i] = number_of(x[i]);
        for (; i < length; i++) to[i] = 0;
    }
}

/* Columns that a packed operand takes up. */
static int64_t packed_columns(int64_t columns) { return round_up(columns, COLUMN_STEP); }

/* Columns of the panel that begins at column `first`. */
static int64_t panel_columns(int64_t first, int64_t columns) { return smaller(PANEL, packed_columns(columns) - first); }

static size_t packed_bytes(int64_t terms, int64_t columns) {
    return (size_t)(row_length(terms) * packed_columns(columns)) * sizeof(number);
}

/* The number at term `t` of column `column` of a panel `width` columns wide. */
static int64_t panel_index(int64_t t, int64_t column, int64_t width) {
    return t / STEP * width * STEP + column * STEP + t % STEP;
}

static size_t matrix_bytes(int64_t outputs, int64_t inputs) { return packed_bytes(inputs, outputs); }

/* One panel of a matrix: `rows` of w become its columns, zeros the rest. */
static void pack_panel(number *panel, const float *w, int64_t rows, int64_t inputs, int64_t width) {
    memset(panel, 0, (size_t)(row_length(inputs) * width) * sizeof *panel);
    for (int64_t t = 0; t < inputs; t++) {
        for (int64_t c = 0; c < rows; c++) panel[panel_index(t, c, width)] = number_of(w[c * inputs + t]);
    }
}

static void pack(struct matrix *matrix, const float *w, int64_t first, int64_t rows) {
    for (int64_t r = 0; r < rows; r += PANEL) {
        number *panel = (number *)matrix->data + (first + r) * row_length(matrix->inputs);
        pack_panel(panel, w + r * matrix->inputs, smaller(PANEL, rows - r), matrix->inputs,
                   panel_columns(first + r, matrix->outputs));
    }
}

static void unpack_row(float *out, const struct matrix *matrix, int64_t row) {
    int64_t first = row / PANEL * PANEL, width = panel_columns(first, matrix->outputs);
    const number *panel = (const number *)matrix->data + first * row_length(matrix->inputs);
    for (int64_t t = 0; t < matrix->inputs; t++) out[t] = float_of(panel[panel_index(t, row - first, width)]);
}

/* ---- Products ---- */

static void project(float *out, const void *x, const struct matrix *w, int64_t rows, bool add) {
    const int64_t length = row_length(w->inputs), block = TERM_BLOCK_BYTES / (int64_t)sizeof(number);
    products_begin();
    for (int64_t term = 0; term < length; term += block) {
        int64_t steps = smaller(block, length - term) / STEP;
        for (int64_t column = 0; column < w->outputs; column += PANEL) {
            int64_t stride = panel_columns(column, w->outputs) * STEP;
            const number *panel = (const number *)w->data + column * length + term / STEP * stride;
            multiply_panel(out + column, w->outputs, (const number *)x + term, length, (struct panel){panel, stride},
                           steps, add || term > 0, rows, smaller(PANEL, w->outputs - column));
        }
    }
    products_end();
}

/* ---- Attention ---- */

/* Keys and values are padded to whole PACK_ROWS of tokens. */
static int64_t packed_tokens(int64_t tokens) { return round_up(tokens, PACK_ROWS); }

/* Numbers of one head's keys, and of its values. */
static int64_t head_numbers(const struct key_values *kv) {
    return packed_tokens(kv->tokens) * larger(row_length(kv->width), packed_columns(kv->width));
}

static size_t key_bytes(int64_t tokens, int64_t heads, int64_t width) {
    struct key_values kv = {.tokens = tokens, .heads = heads, .width = width};
    return (size_t)(heads * head_numbers(&kv)) * sizeof(number);
}

/* Keys: a panel for each PACK_ROWS tokens. */
static void pack_keys(struct key_values *kv, const float *k, int64_t first, int64_t rows) {
    int64_t length = row_length(kv->width);
    for (int64_t h = 0; h < kv->heads; h++) {
        for (int64_t t = 0, tokens; t < rows; t += tokens) {
            int64_t column = (first + t) % PACK_ROWS;
            number *panel = (number *)kv->keys + h * head_numbers(kv) + (first + t - column) * length;
            tokens = smaller(PACK_ROWS - column, rows - t);
            bool part = tokens < PACK_ROWS || length > kv->width;
            if (part && column == 0) memset(panel, 0, (size_t)(PACK_ROWS * length) * sizeof *panel);
            for (int64_t j = 0; j < tokens; j++) {
                const float *from = k + ((t + j) * kv->heads + h) * kv->width;
                for (int64_t i = 0; i < kv->width; i++) {
                    panel[panel_index(i, column + j, PACK_ROWS)] = number_of(from[i]);
                }
            }
        }
    }
}

/* Where the values of one head, from column `column` on, begin. */
static int64_t value_offset(const struct key_values *kv, int64_t head, int64_t column) {
    return head * head_numbers(kv) + column * packed_tokens(kv->tokens);
}

/* Values: the panels of a head run over all tokens. */
static void pack_values(struct key_values *kv, const float *v, int64_t first, int64_t rows) {
    for (int64_t h = 0; h < kv->heads; h++) {
        for (int64_t column = 0; column < kv->width; column += PANEL) {
            int64_t width = panel_columns(column, kv->width), columns = smaller(PANEL, kv->width - column);
            number *panel = (number *)kv->values + value_offset(kv, h, column);
            for (int64_t t = 0; first + t < packed_tokens(first + rows); t++) {
                int64_t from = (t * kv->heads + h) * kv->width + column, given = t < rows ? columns : 0;
                for (int64_t i = 0; i < given; i++) panel[panel_index(first + t, i, width)] = number_of(v[from + i]);
                for (int64_t i = given; i < width; i++) panel[panel_index(first + t, i, width)] = 0;
            }
        }
    }
}

/* What attention remembers of a row between tiles of keys. */
struct running {
    float largest; /* score so far */
    float sum;     /* of exp(score - largest) so far */
};

/* One tile of rows against one tile of keys. */
struct score_tile {
    float scores[TILE_ROWS][KEY_TILE];
    number weights[TILE_ROWS][KEY_TILE];
};

static size_t attention_scratch(const struct attention_shape *shape, const struct key_values *kv) {
    (void)kv;
    return sizeof(struct score_tile) + (size_t)shape->rows * sizeof(struct running);
}

/* Keys first..end-1. */
struct range {
    int64_t first, end;
};

/* The keys that the row at `position` sees. */
static struct range visible_keys(const struct attention_shape *shape, int64_t position) {
    bool all = shape->window == 0 || position < shape->window;
    return (struct range){all ? 0 : position + 1 - shape->window, position + 1};
}

/* Turns a row of scores into weights 2^(unit (score - largest)), `keys` of them, a multiple of PACK_ROWS;
 * those outside `seen` become 0. Scales down what the row has gathered from earlier tiles to match. */
static void weigh_row(number *weights, float *scores, struct range seen, int64_t keys, float unit,
                      struct running *running, float *gathered, int64_t width) {
    const int series_terms = TYPE == NUMBER_BF16 ? 4 : 7; /* bf16 rounds the weights to 2^-8 */
    if (seen.first >= seen.end) {
        memset(weights, 0, (size_t)keys * sizeof *weights);
        return;
    }
    for (int64_t j = 0; j < seen.first; j++) scores[j] = -INFINITY;
    for (int64_t j = seen.end; j < keys; j++) scores[j] = -INFINITY;

    vector top = load(scores), sum = {0};
    for (int64_t j = LANES; j < keys; j += LANES) top = at_least(load(scores + j), top);
    float largest = largest_of(top);
    if (largest > running->largest) {
        float shrink = power_of_two(splat((running->largest - largest) * unit), 7)[0];
        running->sum *= shrink;
        for (int64_t i = 0; i < width; i++) gathered[i] *= shrink;
        running->largest = largest;
    }
    const vector most = splat(running->largest);
    for (int64_t j = 0; j < keys; j += LANES) {
        /* not score * unit + shift: of scores that are large beside their differences, the shift's rounding is an
         * exponent of its own */
        vector weight = power_of_two((load(scores + j) - most) * unit, series_terms);
        sum += weight;
        narrow_vector(weights + j, weight);
    }
    running->sum += sum_of(sum);
    for (int64_t j = 0; j < seen.first; j++) weights[j] = 0;
    for (int64_t j = seen.end; j < keys; j++) weights[j] = 0;
}

/* One head of a few rows: q and out step by their strides from row to row. */
struct query_rows {
    const number *q; /* [rows][row_length(width)], the others' heads between them */
    int64_t q_stride;
    float *out; /* [rows][width], likewise */
    int64_t out_stride;
    int64_t position; /* of the first */
    int64_t rows;     /* at most TILE_ROWS */
};

/* Adds to out what keys tile..tile+KEY_TILE-1 of head `head` give. `tile` is a multiple of KEY_TILE. */
static void attend_tile(const struct query_rows *at, const struct key_values *kv, int64_t head, int64_t tile,
                        const struct attention_shape *shape, struct running *running, struct score_tile *memory) {
    int64_t end = smaller(tile + KEY_TILE, at->position + at->rows);
    tile = larger(tile, visible_keys(shape, at->position).first / PACK_ROWS * PACK_ROWS); /* nothing before it counts */
    int64_t keys = round_up(end - tile, PACK_ROWS), length = row_length(kv->width);
    const number *key = (const number *)kv->keys + head * head_numbers(kv);
    for (int64_t j = 0; j < keys; j += PACK_ROWS) {
        struct panel panel = {key + (tile + j) * length, PACK_ROWS * STEP};
        multiply_panel(&memory->scores[0][j], KEY_TILE, at->q, at->q_stride, panel, length / STEP, false, at->rows,
                       PACK_ROWS);
    }
    const float unit = (float)(M_LOG2E / sqrt((double)kv->width));
    for (int64_t r = 0; r < at->rows; r++) {
        struct range seen = visible_keys(shape, at->position + r);
        seen.first = larger(seen.first - tile, 0), seen.end = smaller(seen.end - tile, keys);
        weigh_row(memory->weights[r], memory->scores[r], seen, keys, unit, &running[r], at->out + r * at->out_stride,
                  kv->width);
    }
    for (int64_t column = 0; column < kv->width; column += PANEL) {
        int64_t width = panel_columns(column, kv->width);
        const number *value = (const number *)kv->values + value_offset(kv, head, column) + tile * width;
        multiply_panel(at->out + column, at->out_stride, memory->weights[0], KEY_TILE,
                       (struct panel){value, width * STEP}, keys / STEP, true, at->rows,
                       smaller(PANEL, kv->width - column));
    }
}

/* Tiles of keys come first, so that one stays in cache for all rows. They begin at multiples of KEY_TILE
 * wherever the first row's window does, so that a row's sums are split alike whatever rows come with it. */
static void attention(float *out, const void *q, const struct key_values *kv, const struct attention_shape *shape,
                      void *scratch) {
    struct score_tile *memory = scratch;
    struct running *running = (struct running *)(memory + 1);
    const int64_t shared = shape->head / (shape->heads / kv->heads), width = kv->width;
    const int64_t q_stride = shape->heads * row_length(width), out_stride = shape->heads * width;
    const number *query = (const number *)q + shape->head * row_length(width);
    out += shape->head * width;
    for (int64_t r = 0; r < shape->rows; r++) {
        running[r] = (struct running){-INFINITY, 0.0f};
        memset(out + r * out_stride, 0, (size_t)width * sizeof *out);
    }
    int64_t end = shape->first + shape->rows;
    int64_t begin = visible_keys(shape, shape->first).first / KEY_TILE * KEY_TILE;
    const unsigned mode = subnormals_to_zero();
    products_begin();
    for (int64_t tile = begin; tile < end; tile += KEY_TILE) {
        for (int64_t r = 0; r < shape->rows; r += TILE_ROWS) {
            int64_t rows = smaller(TILE_ROWS, shape->rows - r), position = shape->first + r;
            bool before = position + rows <= tile, after = visible_keys(shape, position).first >= tile + KEY_TILE;
            if (before || after) continue;
            struct query_rows at = {query + r * q_stride, q_stride, out + r * out_stride, out_stride, position, rows};
            attend_tile(&at, kv, shared, tile, shape, running + r, memory);
        }
    }
    products_end();
    subnormals_restore(mode);
    for (int64_t r = 0; r < shape->rows; r++) {
        float *row = out + r * out_stride, scale = 1.0f / running[r].sum;
        for (int64_t i = 0; i < width; i++) row[i] *= scale;
    }
}

/* ---- What lies between products ---- */

static void rms_norm(float *out, const float *x, const float *weight, int64_t rows, int64_t width, double eps) {
    for (int64_t r = 0; r < rows; r++) {
        const float *in = x + r * width;
        float *to = out + r * width;
        double squares = 0.0;
#pragma omp simd reduction(+ : squares)
        for (int64_t i = 0; i < width; i++) squares += (double)in[i] * in[i];
        float scale = (float)(1.0 / sqrt(squares / (double)width + eps));
#pragma omp simd
        for (int64_t i = 0; i < width; i++) to[i] = in[i] * scale * weight[i];
    }
}

static void rotate(float *x, const float *cos, const float *sin, int64_t rows, int64_t heads, int64_t width,
                   int64_t pairs) {
    for (int64_t r = 0; r < rows; r++) {
        const float *c = cos + r * pairs, *s = sin + r * pairs;
        for (int64_t h = 0; h < heads; h++) {
            float *lo = x + (r * heads + h) * width, *hi = lo + pairs;
#pragma omp simd
            for (int64_t i = 0; i < pairs; i++) {
                float a = lo[i], b = hi[i];
                lo[i] = a * c[i] - b * s[i];
                hi[i] = b * c[i] + a * s[i];
            }
        }
    }
}

/* exponential() ends at e^88: from there on z stays where it is, so that the quotient stays next to 0. The product with
 * 0 is NaN where z is -infinity, as the formula's quotient is. */
INLINE vector silu(vector z) {
    vector near = at_least(z, splat(-88.0f)) + 0.0f * at_most(z, splat(-88.0f));
    return near / (1.0f + exponential(-z));
}

static void silu_multiply(float *gate, const float *up, int64_t count) {
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) store(gate + i, silu(load(gate + i)) * load(up + i));
    for (; i < count; i++) gate[i] = silu(splat(gate[i]))[0] * up[i];
}

/* (1 + tanh(u)) / 2 = 1 / (1 + exp(-2 u)). Beyond -88 z stays where it is, as in silu(); within 88 z^3 is finite. */
INLINE vector gelu(vector z) {
    vector near = at_least(z, splat(-88.0f)) + 0.0f * at_most(z, splat(-88.0f));
    vector bounded = at_most(near, splat(88.0f));
    return near / (1.0f + exponential(bounded * (-1.59576912f - 0.0713548163f * bounded * bounded)));
}

static void gelu_multiply(float *gate, const float *up, int64_t count) {
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) store(gate + i, gelu(load(gate + i)) * load(up + i));
    for (; i < count; i++) gate[i] = gelu(splat(gate[i]))[0] * up[i];
}

static void nats(double *out, const float *logits, const int32_t *targets, int64_t rows, int64_t vocabulary) {
    enum { TERMS = 64 * LANES }; /* short sums for every type: logits are f32 */
    for (int64_t r = 0; r < rows; r++) {
        const float *row = logits + r * vocabulary;
        int64_t whole = vocabulary / LANES * LANES;
        float largest = row[0];
#pragma omp simd reduction(max : largest)
        for (int64_t j = 0; j < vocabulary; j++) largest = row[j] > largest ? row[j] : largest;
        double sum = 0.0;
        for (int64_t first = 0; first < whole; first += TERMS) {
            vector sums = {0};
            int64_t end = smaller(first + TERMS, whole);
            for (int64_t j = first; j < end; j += LANES) sums += exponential(load(row + j) - largest);
            sum += (double)sum_of(sums);
        }
        for (int64_t j = whole; j < vocabulary; j++) sum += (double)exponential(splat(row[j] - largest))[0];
        out[r] = (double)largest + log(sum) - (double)row[targets[r]];
    }
}

/* ---- The table ---- */

#define JOIN_(a, b, c) a##b##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
#ifdef KERNELS_BF16
#define TABLE JOIN(kernels_, KERNELS_NAME, _bf16)
#else
#define TABLE JOIN(kernels_, KERNELS_NAME, _f32)
#endif

extern const struct kernels TABLE;
const struct kernels TABLE = {
    .name = TEXT(KERNELS_NAME),
    .type = TYPE,
    .row_length = row_length,
    .row_bytes = row_bytes,
    .narrow = narrow,
    .matrix_bytes = matrix_bytes,
    .pack = pack,
    .unpack_row = unpack_row,
    .key_bytes = key_bytes,
    .pack_keys = pack_keys,
    .pack_values = pack_values,
    .project = project,
    .attention = attention,
    .attention_scratch = attention_scratch,
    .rms_norm = rms_norm,
    .rotate = rotate,
    .silu_multiply = silu_multiply,
    .gelu_multiply = gelu_multiply,
    .nats = nats,
};
