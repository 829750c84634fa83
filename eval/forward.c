#include "eval/forward.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/threads.h"
#include "eval/top_k.h"
#include "eval/work.h"

enum {
    BLOCK_ROWS = FORWARD_BLOCK_ROWS,
    KEY_ROWS = 3 * PACK_ROWS, /* rows whose keys and values a thread makes at a time */
    MOST_ROWS = KEY_ROWS,     /* the larger of the two */
    KEPT_ROWS = 512,          /* buffers that keep rows have a multiple of it: they lose the rows when they grow */
    NO_LAYER = -1
};

/* What one thread needs for one block of rows. "Numbers" are operands of products: see kernels.h. */
struct workspace {
    float *normed;       /* [MOST_ROWS][hidden] */
    void *operand;       /* [MOST_ROWS] of numbers, the widest row that goes into a product */
    float *query;        /* [BLOCK_ROWS][heads * head_width] */
    void *query_numbers; /* [BLOCK_ROWS][heads] of numbers, head_width wide */
    float *attended;     /* [BLOCK_ROWS][heads * head_width] */
    float *key, *value;  /* [KEY_ROWS][kv_heads * head_width] */
    float *gate, *up;    /* [BLOCK_ROWS][intermediate, or an expert's] */
    float *logits;       /* [BLOCK_ROWS][vocabulary] */
    void *scratch;       /* attention's, for windows up to the forward's capacity */

    /* Of models with experts, else NULL: */
    float *router;            /* [BLOCK_ROWS][experts]: weights of the experts, NOT_CHOSEN of the others */
    struct top_k_item *items; /* [experts] */
    int32_t *chosen;          /* [experts_per_token] */
    void *expert_operand;     /* [BLOCK_ROWS] of numbers: the rows of one expert */
    float *expert_sum;        /* [BLOCK_ROWS][hidden] */
};

static const float NOT_CHOSEN = -1.0f; /* no weight, which lie within 0 to 1 or are NaN */

/* Queries, keys and values of the first layer before they are rotated. They depend on the token and on
 * nothing else, not on the table nor on the token's position, so each token's are computed once. */
struct first_layer {
    int64_t count, room;
    int64_t *index;             /* [vocabulary]: the token's row below, or -1 */
    int32_t *tokens;            /* [room]: the token of each row */
    float *query, *key, *value; /* [room][heads or kv_heads * head_width] */
};

/* Rows of a rotary table, times its attention factors. */
struct angles {
    float *cos, *sin;        /* [capacity][pairs] */
    struct rope_table table; /* that they were made of */
    int64_t rows;            /* that are valid */
};

struct forward {
    const struct model *model;
    const struct kernels *kernels;
    struct forward_options options;
    int threads;

    int64_t capacity;             /* rows that the buffers hold */
    float *stream;                /* [capacity][hidden]: the residual stream */
    struct key_values kv;         /* of the layer at hand, for `capacity` tokens; with kept_tokens, of the first layer,
                                   * followed by those of all others */
    int32_t *kept_tokens;         /* [capacity]: the tokens of the rows that are kept; NULL: buffers for one layer */
    int64_t kept;                 /* rows that the last pass kept */
    struct angles angles;         /* of the table at hand */
    struct angles apart;          /* of the layers that have a table of their own; NULL: there are none */
    struct workspace *workspaces; /* [threads] */
    struct first_layer first;

    double work, work_done;    /* of the pass at hand, as eval/work.h counts it */
    _Atomic int64_t bad_layer; /* the first after which the stream was not finite, or NO_LAYER; the
                                * embedding counts as layer 0, the model's first layer as 1 */
    bool overflowed;           /* forward_overflowed() */
    double earlier_seconds;    /* forward_earlier_seconds() */
    int64_t computed_rows;     /* forward_computed_rows() */
};

/* ---- Buffers ---- */

/* Sizes are computed by the functions that forward_memory() uses. */

static size_t floats(int64_t count) { return (size_t)count * sizeof(float); }

/* Of rows of numbers that are `width` wide. */
static size_t numbers(const struct kernels *kernels, int64_t rows, int64_t width) {
    return (size_t)rows * kernels->row_bytes(width);
}

static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

static void workspace_free(struct workspace *w) {
    free(w->normed), free(w->operand), free(w->query), free(w->query_numbers), free(w->attended);
    free(w->key), free(w->value), free(w->gate), free(w->up), free(w->logits), free(w->scratch);
    free(w->router), free(w->items), free(w->chosen), free(w->expert_operand), free(w->expert_sum);
}

/* Bytes of a workspace's buffers, except its scratch. */
struct workspace_sizes {
    size_t normed, operand, query, query_numbers, attended, key, value, gate, up, logits;
    size_t router, items, chosen, expert_operand, expert_sum;
};

static struct workspace_sizes workspace_sizes(const struct model_config *c, const struct kernels *kernels) {
    int64_t query_width = c->heads * c->head_width, kv_width = c->kv_heads * c->head_width;
    int64_t widest = most(c->intermediate, c->expert_width), expert_rows = c->experts > 0 ? BLOCK_ROWS : 0;
    return (struct workspace_sizes){
        .normed = floats(MOST_ROWS * c->hidden),
        .operand = numbers(kernels, MOST_ROWS, most(most(c->hidden, query_width), c->intermediate)),
        .query = floats(BLOCK_ROWS * query_width),
        .query_numbers = numbers(kernels, BLOCK_ROWS * c->heads, c->head_width),
        .attended = floats(BLOCK_ROWS * query_width),
        .key = floats(KEY_ROWS * kv_width),
        .value = floats(KEY_ROWS * kv_width),
        .gate = floats(BLOCK_ROWS * widest),
        .up = floats(BLOCK_ROWS * widest),
        .logits = floats(BLOCK_ROWS * c->vocabulary),
        .router = floats(expert_rows * c->experts),
        .items = (size_t)c->experts * sizeof(struct top_k_item),
        .chosen = (size_t)c->experts_per_token * sizeof(int32_t),
        .expert_operand = numbers(kernels, expert_rows, most(c->hidden, c->expert_width)),
        .expert_sum = floats(expert_rows * c->hidden),
    };
}

static size_t workspace_bytes(const struct model_config *c, const struct kernels *kernels) {
    struct workspace_sizes sizes = workspace_sizes(c, kernels);
    return sizes.normed + sizes.operand + sizes.query + sizes.query_numbers + sizes.attended + sizes.key + sizes.value +
           sizes.gate + sizes.up + sizes.logits + sizes.router + sizes.items + sizes.chosen + sizes.expert_operand +
           sizes.expert_sum;
}

/* What a model without experts does not need. */
static bool workspace_make_experts(struct workspace *w, const struct workspace_sizes *sizes) {
    if (sizes->router == 0) return true;
    w->router = kernels_allocate(sizes->router);
    w->items = malloc(sizes->items);
    w->chosen = malloc(sizes->chosen);
    w->expert_operand = kernels_allocate(sizes->expert_operand);
    w->expert_sum = kernels_allocate(sizes->expert_sum);
    return w->router && w->items && w->chosen && w->expert_operand && w->expert_sum;
}

static bool workspace_make(struct workspace *w, const struct model *model) {
    struct workspace_sizes sizes = workspace_sizes(&model->config, model->kernels);
    *w = (struct workspace){
        .normed = kernels_allocate(sizes.normed),
        .operand = kernels_allocate(sizes.operand),
        .query = kernels_allocate(sizes.query),
        .query_numbers = kernels_allocate(sizes.query_numbers),
        .attended = kernels_allocate(sizes.attended),
        .key = kernels_allocate(sizes.key),
        .value = kernels_allocate(sizes.value),
        .gate = kernels_allocate(sizes.gate),
        .up = kernels_allocate(sizes.up),
        .logits = kernels_allocate(sizes.logits),
    };
    bool made = workspace_make_experts(w, &sizes);
    return made && w->normed && w->operand && w->query && w->query_numbers && w->attended && w->key && w->value &&
           w->gate && w->up && w->logits;
}

/* Bytes of the buffers that grow with the window (of one, where there are two), and of a thread's scratch. */
struct window_sizes {
    size_t stream, keys, angles, apart, scratch;
};

static struct window_sizes window_sizes(const struct model_config *c, const struct kernels *kernels, int64_t rows) {
    struct attention_shape last = {.first = most(rows - BLOCK_ROWS, 0), .rows = BLOCK_ROWS, .heads = c->heads};
    struct key_values kv = {.tokens = rows, .heads = c->kv_heads, .width = c->head_width};
    return (struct window_sizes){.stream = floats(rows * c->hidden),
                                 .keys = kernels->key_bytes(rows, c->kv_heads, c->head_width),
                                 .angles = floats(rows * c->rope.pairs),
                                 .apart = floats(rows * c->window_rope.pairs),
                                 .scratch = kernels->attention_scratch(&last, &kv)};
}

static size_t window_bytes(const struct window_sizes *sizes) {
    return sizes->stream + 2 * sizes->keys + 2 * sizes->angles + 2 * sizes->apart;
}

static size_t first_layer_index_bytes(const struct model_config *c) { return (size_t)c->vocabulary * sizeof(int64_t); }

/* Bytes of one token in struct first_layer. */
static size_t first_layer_row_bytes(const struct model_config *c) {
    return sizeof(int32_t) + floats((c->heads + 2 * c->kv_heads) * c->head_width);
}

struct forward_memory forward_memory(const struct model_config *config, const struct kernels *kernels, int64_t count,
                                     int64_t distinct, int threads) {
    struct window_sizes sizes = window_sizes(config, kernels, count - 1); /* the last token predicts nothing */
    return (struct forward_memory){.window = window_bytes(&sizes),
                                   .first_layer = first_layer_index_bytes(config) +
                                                  (size_t)distinct * first_layer_row_bytes(config),
                                   .threads = (size_t)threads * (workspace_bytes(config, kernels) + sizes.scratch)};
}

int forward_new(const struct model *model, const struct forward_options *options, struct forward **out,
                struct error *error) {
    int threads = options->threads > 0 ? options->threads : omp_get_max_threads();
    assert(!options->checkpoints || options->kept_bytes == 0);
    int status = threads_check(threads, error);
    if (status != STATUS_OK) return status;
    struct forward *f = calloc(1, sizeof *f);
    if (f) {
        f->workspaces = calloc((size_t)threads, sizeof *f->workspaces);
        f->first.index = malloc(first_layer_index_bytes(&model->config));
    }
    bool made = f && f->workspaces && f->first.index;
    if (made) {
        f->model = model, f->kernels = model->kernels, f->options = *options, f->threads = threads;
        for (int64_t t = 0; t < model->config.vocabulary; t++) f->first.index[t] = -1;
        for (int t = 0; t < threads; t++) made = workspace_make(&f->workspaces[t], model) && made;
    }
    if (!made) {
        forward_free(f);
        return error_set(error, STATUS_FAILED, "out of memory: the buffers of %d threads could not be allocated",
                         threads);
    }
    *out = f;
    return STATUS_OK;
}

static void angles_free(struct angles *angles) {
    free(angles->cos), free(angles->sin);
    angles->cos = angles->sin = NULL;
    angles->rows = 0;
}

/* `bytes` each of cosines and sines; none: no such angles. */
static bool angles_make(struct angles *angles, size_t bytes) {
    if (bytes == 0) return true;
    angles->cos = kernels_allocate(bytes);
    angles->sin = kernels_allocate(bytes);
    return angles->cos && angles->sin;
}

static void free_buffers(struct forward *f) {
    free(f->stream), free(f->kv.keys), free(f->kv.values), free(f->kept_tokens);
    angles_free(&f->angles), angles_free(&f->apart);
    f->stream = NULL;
    f->kv.keys = f->kv.values = NULL;
    f->kept_tokens = NULL;
    f->capacity = f->kept = 0;
}

void forward_free(struct forward *f) {
    if (!f) return;
    free_buffers(f);
    for (int t = 0; f->workspaces && t < f->threads; t++) workspace_free(&f->workspaces[t]);
    free(f->workspaces);
    free(f->first.index), free(f->first.tokens), free(f->first.query), free(f->first.key), free(f->first.value);
    free(f);
}

/* The capacity of buffers that keep `rows` rows. */
static int64_t kept_capacity(int64_t rows) { return (rows + KEPT_ROWS - 1) / KEPT_ROWS * KEPT_ROWS; }

static bool may_keep(const struct forward *f, int64_t rows) {
    const struct model_config *c = &f->model->config;
    size_t layer = 2 * f->kernels->key_bytes(kept_capacity(rows), c->kv_heads, c->head_width);
    return layer <= f->options.kept_bytes / (size_t)c->layers;
}

/* Makes the buffers hold `rows` rows, and keep them if they may. */
static int reserve(struct forward *f, int64_t rows, struct error *error) {
    const bool keep = may_keep(f, rows);
    if (rows <= f->capacity && (f->kept_tokens || !keep)) return STATUS_OK;
    if (keep) rows = kept_capacity(rows);
    const struct model_config *c = &f->model->config;
    struct window_sizes sizes = window_sizes(c, f->kernels, rows);
    const size_t keys = keep ? (size_t)c->layers * sizes.keys : sizes.keys;
    free_buffers(f);
    f->stream = kernels_allocate(sizes.stream);
    f->kept_tokens = keep ? malloc((size_t)rows * sizeof *f->kept_tokens) : NULL;
    f->kv = (struct key_values){.tokens = rows,
                                .heads = c->kv_heads,
                                .width = c->head_width,
                                .keys = kernels_allocate(keys),
                                .values = kernels_allocate(keys)};
    bool made = f->stream && f->kv.keys && f->kv.values && (f->kept_tokens || !keep);
    made = angles_make(&f->angles, sizes.angles) && angles_make(&f->apart, sizes.apart) && made;
    for (int t = 0; t < f->threads; t++) {
        struct workspace *w = &f->workspaces[t];
        free(w->scratch);
        w->scratch = kernels_allocate(sizes.scratch);
        made = made && w->scratch;
    }
    if (!made) {
        free_buffers(f);
        return error_memory(error, (double)(window_bytes(&sizes) + 2 * (keys - sizes.keys)), "a window of this length");
    }
    f->capacity = rows;
    return STATUS_OK;
}

/* ---- Blocks of rows ---- */

/* Rows first..first+rows-1 of the window. */
struct block {
    int64_t first, rows;
};

static int64_t block_count(int64_t rows, int64_t step) { return (rows + step - 1) / step; }

static struct block block_at(int64_t index, int64_t step, int64_t rows) {
    int64_t first = index * step;
    return (struct block){first, rows - first < step ? rows - first : step};
}

/* The rows of a block from row `first` on, if that is in it; else all of them. */
static struct block block_from(struct block at, int64_t first) {
    return at.first < first ? (struct block){first, at.first + at.rows - first} : at;
}

/* Atomic, because another thread may set the flag. */
static bool stopped(const struct forward *f) {
    return f->options.stop && __atomic_load_n(f->options.stop, __ATOMIC_RELAXED);
}

/* Whether the pass should end: a signal, or numbers that are not finite. */
static bool given_up(const struct forward *f) { return stopped(f) || f->bad_layer != NO_LAYER; }

static void report_work(struct forward *f, double work) {
#pragma omp critical(forward_progress)
    {
        f->work_done += work;
        if (f->options.progress) f->options.progress(f->options.progress_state, fmin(f->work_done / f->work, 1.0));
    }
}

/* ---- Rotary tables ---- */

/* Rows of a rotary table, once for all windows scored with it. */
static void prepare_angles(const struct forward *f, struct angles *angles, const struct rope_table *table,
                           int64_t rows) {
    if (angles->rows >= rows && rope_same(&angles->table, table)) return;
    angles->table = *table;
    angles->rows = rows;
#pragma omp parallel for schedule(static) num_threads(f->threads)
    for (int64_t b = 0; b < block_count(rows, BLOCK_ROWS); b++) {
        struct block at = block_at(b, BLOCK_ROWS, rows);
        if (stopped(f)) continue;
        rope_rows(table, f->options.angles, at.first, at.rows, angles->cos + at.first * table->pairs,
                  angles->sin + at.first * table->pairs);
    }
    if (stopped(f)) angles->rows = 0;
}

/* The table of the layers that have one of their own, for a pass over `rows` rows; false: there are none. */
static bool table_apart(const struct forward *f, int64_t rows, struct rope_table *out) {
    const struct rope_model *apart = &f->model->config.window_rope;
    if (apart->pairs > 0) rope_model_table(out, apart, rows);
    return apart->pairs > 0;
}

static void prepare_tables(struct forward *f, const struct rope_table *table, int64_t rows) {
    struct rope_table apart;
    prepare_angles(f, &f->angles, table, rows);
    if (table_apart(f, rows, &apart)) prepare_angles(f, &f->apart, &apart, rows);
}

/* Whether the last pass, over any number of rows, had the tables of a pass over `rows` rows. */
static bool same_tables(const struct forward *f, const struct rope_table *table, int64_t rows) {
    struct rope_table apart;
    return rope_same(&f->angles.table, table) && (!table_apart(f, rows, &apart) || rope_same(&f->apart.table, &apart));
}

/* Queries or keys of layer l. */
static void rotate(const struct forward *f, int64_t l, float *x, struct block at, int64_t heads) {
    unsigned kind = f->model->config.layer_kinds[l];
    if (kind & LAYER_NOT_ROTATED) return;
    const struct angles *angles = kind & LAYER_ROTATED_APART ? &f->apart : &f->angles;
    int64_t pairs = angles->table.pairs;
    f->kernels->rotate(x, angles->cos + at.first * pairs, angles->sin + at.first * pairs, at.rows, heads,
                       f->model->config.head_width, pairs);
}

/* ---- The formulas of a layer ---- */

static void copy_bias(float *out, const float *bias, int64_t rows, int64_t width) {
    for (int64_t r = 0; r < rows; r++) memcpy(out + r * width, bias, (size_t)width * sizeof *bias);
}

static void add_bias(float *out, const float *bias, int64_t rows, int64_t width) {
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = 0; i < width; i++) out[r * width + i] += bias[i];
    }
}

/* out = w x + bias */
static void project(const struct forward *f, float *out, const void *x, const struct matrix *w, const float *bias,
                    int64_t rows) {
    if (bias) copy_bias(out, bias, rows, w->outputs);
    f->kernels->project(out, x, w, rows, bias != NULL);
}

/* out += w x + bias */
static void project_add(const struct forward *f, float *out, const void *x, const struct matrix *w, const float *bias,
                        int64_t rows) {
    if (bias) add_bias(out, bias, rows, w->outputs);
    f->kernels->project(out, x, w, rows, true);
}

/* x[count] *= scale, unless that is 0 for 1 */
static void scale_numbers(float *x, double scale, int64_t count) {
    for (int64_t i = 0; scale != 0.0 && i < count; i++) x[i] *= (float)scale;
}

/* Queries times the scale that the family has for them, which may depend on the position. */
static void scale_queries(const struct model_config *c, float *x, struct block at) {
    int64_t width = c->heads * c->head_width;
    if (c->query_scale == 0.0 && c->query_growth == 0.0) return;
    for (int64_t r = 0; r < at.rows; r++) {
        double scale = c->query_scale != 0.0 ? c->query_scale : 1.0;
        if (c->query_growth != 0.0) {
            int64_t step = (at.first + r) / c->query_growth_length;
            scale *= 1.0 + c->query_growth * log(1.0 + (double)step);
        }
        scale_numbers(x + r * width, scale, width);
    }
}

/* w->operand = norm(x), or x where the family has no such norm. x may be w->normed, which is lost. */
static void norm_rows(const struct forward *f, const float *x, const float *weight, int64_t rows, struct workspace *w) {
    const struct model_config *c = &f->model->config;
    if (weight) f->kernels->rms_norm(w->normed, x, weight, rows, c->hidden, c->norm_eps);
    f->kernels->narrow(w->operand, weight ? w->normed : x, rows, c->hidden);
}

/* x += scale norm(w->operand's product with the matrix + bias), without the norm or scale that the family lacks. */
static void add_branch(const struct forward *f, float *x, const struct matrix *matrix, const float *bias,
                       const float *norm, int64_t rows, struct workspace *w) {
    const struct model_config *c = &f->model->config;
    if (!norm && c->residual_scale == 0.0) {
        project_add(f, x, w->operand, matrix, bias, rows);
        return;
    }
    project(f, w->normed, w->operand, matrix, bias, rows);
    if (norm) f->kernels->rms_norm(w->normed, w->normed, norm, rows, c->hidden, c->norm_eps);
    scale_numbers(w->normed, c->residual_scale, rows * c->hidden);
    for (int64_t i = 0; i < rows * c->hidden; i++) x[i] += w->normed[i];
}

/* Queries, or keys, before they are rotated, from w->operand. `norm` is the family's norm of each head, or of all. */
static void head_rows(const struct forward *f, float *out, const struct matrix *matrix, const float *bias,
                      const float *norm, int64_t rows, const struct workspace *w) {
    const struct model_config *c = &f->model->config;
    project(f, out, w->operand, matrix, bias, rows);
    int64_t width = c->whole_norms ? matrix->outputs : c->head_width;
    if (norm) f->kernels->rms_norm(out, out, norm, rows * (matrix->outputs / width), width, c->norm_eps);
}

static void embed_row(const struct forward *f, float *out, int32_t token) {
    f->kernels->unpack_row(out, &f->model->embedding, token);
    scale_numbers(out, f->model->config.embedding_scale, f->model->config.hidden);
}

/* ---- The first layer, before rotation ---- */

static bool grow(float **rows, int64_t count, int64_t width) {
    float *grown = realloc(*rows, (size_t)(count * width) * sizeof **rows);
    if (grown) *rows = grown;
    return grown != NULL;
}

static bool first_layer_grow(struct forward *f, int64_t room) {
    const struct model_config *c = &f->model->config;
    struct first_layer *first = &f->first;
    int64_t query_width = c->heads * c->head_width, kv_width = c->kv_heads * c->head_width;
    int32_t *tokens = realloc(first->tokens, (size_t)room * sizeof *tokens);
    if (tokens) first->tokens = tokens;
    bool grown = tokens && grow(&first->query, room, query_width) && grow(&first->key, room, kv_width) &&
                 grow(&first->value, room, kv_width);
    if (grown) first->room = room;
    return grown;
}

/* Gives each token of this window that is new a row, from row first.count on. */
static int first_layer_list(struct forward *f, const int32_t *tokens, int64_t count, struct error *error) {
    const struct model_config *c = &f->model->config;
    struct first_layer *first = &f->first;
    int64_t listed = first->count;
    for (int64_t i = 0; i < count; i++) {
        if (first->index[tokens[i]] < 0) first->index[tokens[i]] = listed++;
    }
    if (listed > first->room && !first_layer_grow(f, listed)) {
        for (int64_t i = 0; i < count; i++) {
            if (first->index[tokens[i]] >= first->count) first->index[tokens[i]] = -1;
        }
        return error_memory(error, (double)listed * (double)first_layer_row_bytes(c),
                            "the first layer's queries, keys and values");
    }
    for (int64_t i = 0; i < count; i++) first->tokens[first->index[tokens[i]]] = tokens[i];
    first->count = listed;
    return STATUS_OK;
}

static void first_layer_rows(struct forward *f, struct block at, struct workspace *w) {
    const struct model_config *c = &f->model->config;
    const struct model_layer *layer = &f->model->layers[0];
    int64_t query_width = c->heads * c->head_width, kv_width = c->kv_heads * c->head_width;
    for (int64_t r = 0; r < at.rows; r++) embed_row(f, w->normed + r * c->hidden, f->first.tokens[at.first + r]);
    norm_rows(f, w->normed, layer->attention_norm, at.rows, w);
    head_rows(f, f->first.query + at.first * query_width, &layer->query, layer->query_bias, layer->query_norm, at.rows,
              w);
    head_rows(f, f->first.key + at.first * kv_width, &layer->key, layer->key_bias, layer->key_norm, at.rows, w);
    project(f, f->first.value + at.first * kv_width, w->operand, &layer->value, layer->value_bias, at.rows);
}

/* Rows `begin` and later, which were not all computed. */
static void first_layer_forget(struct forward *f, int64_t begin) {
    for (int64_t r = begin; r < f->first.count; r++) f->first.index[f->first.tokens[r]] = -1;
    f->first.count = begin;
}

static int prepare_first_layer(struct forward *f, const int32_t *tokens, int64_t count, struct error *error) {
    int64_t begin = f->first.count;
    int status = first_layer_list(f, tokens, count, error);
    if (status != STATUS_OK) return status;
    int64_t fresh = f->first.count - begin;
#pragma omp parallel for schedule(dynamic) num_threads(f->threads)
    for (int64_t b = 0; b < block_count(fresh, BLOCK_ROWS); b++) {
        struct block at = block_at(b, BLOCK_ROWS, fresh);
        at.first += begin;
        if (!stopped(f)) first_layer_rows(f, at, &f->workspaces[omp_get_thread_num()]);
    }
    if (stopped(f)) first_layer_forget(f, begin);
    return STATUS_OK;
}

/* out[rows][width] = the rows of `table` that belong to the block's tokens */
static void gather(const struct forward *f, float *out, const float *table, const int32_t *tokens, struct block at,
                   int64_t width) {
    for (int64_t r = 0; r < at.rows; r++) {
        int64_t index = f->first.index[tokens[at.first + r]];
        memcpy(out + r * width, table + index * width, (size_t)width * sizeof *out);
    }
}

/* ---- A layer ---- */

/* Where keys and values of layer l are. */
static struct key_values layer_keys(const struct forward *f, int64_t l) {
    struct key_values kv = f->kv;
    size_t bytes = f->kept_tokens ? (size_t)l * f->kernels->key_bytes(kv.tokens, kv.heads, kv.width) : 0;
    kv.keys = (char *)kv.keys + bytes, kv.values = (char *)kv.values + bytes;
    return kv;
}

/* k = rotate(W_k norm(x)), v = W_v norm(x) */
static void key_value_rows(struct forward *f, int64_t l, const int32_t *tokens, struct block at, struct workspace *w) {
    const struct model_config *c = &f->model->config;
    const struct model_layer *layer = &f->model->layers[l];
    if (l == 0) {
        gather(f, w->key, f->first.key, tokens, at, c->kv_heads * c->head_width);
        gather(f, w->value, f->first.value, tokens, at, c->kv_heads * c->head_width);
    } else {
        norm_rows(f, f->stream + at.first * c->hidden, layer->attention_norm, at.rows, w);
        head_rows(f, w->key, &layer->key, layer->key_bias, layer->key_norm, at.rows, w);
        project(f, w->value, w->operand, &layer->value, layer->value_bias, at.rows);
    }
    rotate(f, l, w->key, at, c->kv_heads);
    struct key_values kv = layer_keys(f, l);
    f->kernels->pack_keys(&kv, w->key, at.first, at.rows);
    f->kernels->pack_values(&kv, w->value, at.first, at.rows);
}

/* x += W_o attention(rotate(W_q norm(x)), k, v), with the norms that the family has */
static void attention_rows(struct forward *f, int64_t l, const int32_t *tokens, struct block at, struct workspace *w) {
    const struct model_config *c = &f->model->config;
    const struct model_layer *layer = &f->model->layers[l];
    float *x = f->stream + at.first * c->hidden;
    if (l == 0) {
        gather(f, w->query, f->first.query, tokens, at, c->heads * c->head_width);
    } else {
        norm_rows(f, x, layer->attention_norm, at.rows, w);
        head_rows(f, w->query, &layer->query, layer->query_bias, layer->query_norm, at.rows, w);
    }
    rotate(f, l, w->query, at, c->heads);
    scale_queries(c, w->query, at);
    f->kernels->narrow(w->query_numbers, w->query, at.rows * c->heads, c->head_width);
    const struct key_values kv = layer_keys(f, l);
    struct attention_shape shape = {
        .first = at.first, .rows = at.rows, .heads = c->heads, .window = model_layer_window(c, l)};
    for (; shape.head < c->heads && !stopped(f); shape.head++) {
        f->kernels->attention(w->attended, w->query_numbers, &kv, &shape, w->scratch);
    }
    f->kernels->narrow(w->operand, w->attended, at.rows, c->heads * c->head_width);
    add_branch(f, x, &layer->output, layer->output_bias, layer->attention_post_norm, at.rows, w);
}

/* w->gate = activation(w->gate) * w->up */
static void activate(const struct forward *f, const struct workspace *w, int64_t count) {
    if (f->model->config.gelu) {
        f->kernels->gelu_multiply(w->gate, w->up, count);
    } else {
        f->kernels->silu_multiply(w->gate, w->up, count);
    }
}

/* ---- Experts ---- */

static void softmax(float *x, int64_t count) {
    float largest = x[0], sum = 0.0f;
    for (int64_t i = 1; i < count; i++) largest = fmaxf(largest, x[i]);
    for (int64_t i = 0; i < count; i++) {
        x[i] = expf(x[i] - largest);
        sum += x[i];
    }
    for (int64_t i = 0; i < count; i++) x[i] /= sum;
}

/* w->router: the weights of the experts that each row of w->operand chooses. */
static void route_rows(const struct forward *f, const struct model_layer *layer, int64_t rows, struct workspace *w) {
    const struct model_config *c = &f->model->config;
    project(f, w->router, w->operand, &layer->router, NULL, rows);
    for (int64_t r = 0; r < rows; r++) {
        float *weights = w->router + r * c->experts, sum = 0.0f;
        softmax(weights, c->experts);
        top_k(weights, c->experts, c->experts_per_token, w->items, w->chosen);
        for (int64_t k = 0; k < c->experts_per_token; k++) sum += weights[w->chosen[k]];
        for (int64_t e = 0, k = 0; e < c->experts; e++) {
            bool chosen = k < c->experts_per_token && w->chosen[k] == e;
            if (chosen) k++;
            weights[e] = !chosen ? NOT_CHOSEN : c->expert_weights_normed ? weights[e] / sum : weights[e];
        }
    }
}

/* w->expert_operand: the rows of w->operand that choose expert e; their number. */
static int64_t gather_expert(const struct forward *f, int64_t e, int64_t rows, struct workspace *w) {
    const struct model_config *c = &f->model->config;
    size_t bytes = f->kernels->row_bytes(c->hidden);
    int64_t count = 0;
    for (int64_t r = 0; r < rows; r++) {
        if (w->router[r * c->experts + e] == NOT_CHOSEN) continue;
        memcpy((char *)w->expert_operand + (size_t)count++ * bytes, (const char *)w->operand + (size_t)r * bytes,
               bytes);
    }
    return count;
}

/* x += the sum over the experts that a row chooses of weight W_down (silu(W_gate y) * W_up y), y in w->operand */
static void expert_rows(const struct forward *f, const struct model_layer *layer, float *x, int64_t rows,
                        struct workspace *w) {
    const struct model_config *c = &f->model->config;
    route_rows(f, layer, rows, w);
    memset(w->expert_sum, 0, floats(rows * c->hidden));
    for (int64_t e = 0; e < c->experts; e++) {
        const struct expert *expert = &layer->experts[e];
        int64_t count = gather_expert(f, e, rows, w);
        if (count == 0) continue;
        project(f, w->gate, w->expert_operand, &expert->gate, NULL, count);
        project(f, w->up, w->expert_operand, &expert->up, NULL, count);
        activate(f, w, count * c->expert_width);
        f->kernels->narrow(w->expert_operand, w->gate, count, c->expert_width);
        project(f, w->normed, w->expert_operand, &expert->down, NULL, count);
        const float *out = w->normed;
        for (int64_t r = 0; r < rows; r++) {
            float weight = w->router[r * c->experts + e], *sum = w->expert_sum + r * c->hidden;
            if (weight == NOT_CHOSEN) continue;
            for (int64_t i = 0; i < c->hidden; i++) sum[i] += weight * out[i];
            out += c->hidden;
        }
    }
    for (int64_t i = 0; i < rows * c->hidden; i++) x[i] += w->expert_sum[i];
}

/* x += W_down (silu(W_gate norm(x)) * W_up norm(x)), likewise */
static void mlp_rows(struct forward *f, int64_t l, struct block at, struct workspace *w) {
    const struct model_config *c = &f->model->config;
    const struct model_layer *layer = &f->model->layers[l];
    float *x = f->stream + at.first * c->hidden;
    norm_rows(f, x, layer->mlp_norm, at.rows, w);
    if (layer->experts) {
        expert_rows(f, layer, x, at.rows, w);
        return;
    }
    project(f, w->gate, w->operand, &layer->gate, layer->gate_bias, at.rows);
    project(f, w->up, w->operand, &layer->up, layer->up_bias, at.rows);
    activate(f, w, at.rows * c->intermediate);
    f->kernels->narrow(w->operand, w->gate, at.rows, c->intermediate);
    add_branch(f, x, &layer->down, layer->down_bias, layer->mlp_post_norm, at.rows, w);
}

/* Remembers the first layer after which a row is not finite: infinity minus itself is not zero. */
static void check_rows(struct forward *f, int64_t layer, struct block at) {
    int64_t hidden = f->model->config.hidden, count = at.rows * hidden;
    const float *x = f->stream + at.first * hidden;
    float zero = 0.0f;
#pragma omp simd reduction(+ : zero)
    for (int64_t i = 0; i < count; i++) zero += x[i] - x[i];
    if (zero != 0.0f) f->bad_layer = layer;
}

/* ---- The pass ---- */

static void embed_rows(struct forward *f, const int32_t *tokens, struct block at) {
    int64_t hidden = f->model->config.hidden;
    for (int64_t r = at.first; r < at.first + at.rows; r++) embed_row(f, f->stream + r * hidden, tokens[r]);
    check_rows(f, 0, at);
}

/* out[rows]: the first of each row's largest logits[rows][vocabulary]. */
static void arg_max_rows(int32_t *out, const float *logits, int64_t rows, int64_t vocabulary) {
    for (int64_t r = 0; r < rows; r++, logits += vocabulary) {
        out[r] = 0;
        for (int64_t j = 1; j < vocabulary; j++) {
            if (logits[j] > logits[out[r]]) out[r] = (int32_t)j;
        }
    }
}

/* The results for the rows after the first `skip`. */
struct predictions {
    int64_t skip;
    double *nats;
    int32_t *arg_max; /* NULL: not required */
};

/* nats = -ln softmax(W_logits norm(x))[next token], for the rows that are not skipped */
static void predict_rows(struct forward *f, const int32_t *tokens, struct block at, const struct predictions *out,
                         struct workspace *w) {
    const struct model_config *c = &f->model->config;
    at = block_from(at, out->skip);
    f->kernels->rms_norm(w->normed, f->stream + at.first * c->hidden, f->model->norm, at.rows, c->hidden, c->norm_eps);
    scale_numbers(w->normed, c->output_scale, at.rows * c->hidden);
    f->kernels->narrow(w->operand, w->normed, at.rows, c->hidden);
    project(f, w->logits, w->operand, &f->model->logits, NULL, at.rows);
    int64_t first = at.first - out->skip;
    f->kernels->nats(out->nats + first, w->logits, tokens + at.first + 1, at.rows, c->vocabulary);
    if (out->arg_max) arg_max_rows(out->arg_max + first, w->logits, at.rows, c->vocabulary);
    report_work(f, work_logits(c, at.rows));
}

static int check_result(const struct forward *f, const double *nats, int64_t count, struct error *error) {
    const char *const remedy = "its weights or this factor table overflow; check the weights for NaN and infinity";
    if (f->bad_layer == 0) {
        return error_set(error, STATUS_FAILED, "the model's embedding of a token is not finite: %s", remedy);
    }
    if (f->bad_layer != NO_LAYER) {
        return error_set(error, STATUS_FAILED,
                         "the model's numbers are no longer finite after layer %" PRId64 " of %" PRId64
                         " (model.layers.%" PRId64 "): %s",
                         f->bad_layer, f->model->config.layers, f->bad_layer - 1, remedy);
    }
    for (int64_t r = 0; r < count; r++) {
        if (isfinite(nats[r])) continue;
        return error_set(error, STATUS_FAILED,
                         "the model's last norm or output matrix gives numbers that are not finite: %s", remedy);
    }
    return STATUS_OK;
}

/* A pass, and how far it is. */
struct pass {
    const struct rope_table *table;
    const int32_t *tokens;
    int64_t rows;
    int64_t from; /* rows before it are not computed: the last pass kept their keys and values */
    struct predictions predictions;
    int64_t layer;                 /* config.layers is the output matrix */
    int64_t left;                  /* blocks of the layer that are left: the first of those that it has to make */
    bool keyed;                    /* the layer's keys and values are made */
    double began, saved;           /* omp_get_wtime() */
    struct checkpoint *checkpoint; /* NULL: none are written */
};

/* The last layer and the output matrix leave out whole blocks before the first prediction that is required. */
static int64_t first_block(const struct forward *f, const struct pass *pass, int64_t layer) {
    return layer + 1 < f->model->config.layers ? 0 : (pass->predictions.skip - pass->from) / BLOCK_ROWS;
}

static int64_t blocks_of(const struct forward *f, const struct pass *pass, int64_t layer) {
    return block_count(pass->rows - pass->from, BLOCK_ROWS) - first_block(f, pass, layer);
}

/* Blocks of the rows that are computed. */
static struct block row_block(const struct pass *pass, int64_t index) {
    struct block at = block_at(index, BLOCK_ROWS, pass->rows - pass->from);
    return (struct block){pass->from + at.first, at.rows};
}

static bool is_over(const struct forward *f, const struct pass *pass) {
    return pass->layer == f->model->config.layers && pass->left == 0;
}

/* The first of the layer's rows that are done. */
static int64_t first_done(const struct forward *f, const struct pass *pass, int64_t layer) {
    int64_t left = layer > pass->layer ? blocks_of(f, pass, layer) : pass->left;
    int64_t row = pass->from + (first_block(f, pass, layer) + left) * BLOCK_ROWS;
    return row < pass->rows ? row : pass->rows;
}

static double work_left(const struct forward *f, const struct pass *pass) {
    const struct model_config *c = &f->model->config;
    double work = 0.0;
    for (int64_t l = pass->layer; l < c->layers; l++) {
        int64_t first = pass->from + first_block(f, pass, l) * BLOCK_ROWS;
        work += work_layer(c, l, first, first_done(f, pass, l) - first);
    }
    int64_t skip = pass->predictions.skip;
    return work + work_logits(c, most(first_done(f, pass, c->layers) - skip, 0));
}

/* Blocks begin at multiples of PACK_ROWS, so that no two threads write to the same PACK_ROWS of tokens. */
static void make_keys(struct forward *f, const struct pass *pass) {
    int64_t blocks = block_count(pass->rows, KEY_ROWS);
#pragma omp parallel for schedule(dynamic) num_threads(f->threads)
    for (int64_t b = pass->from / KEY_ROWS; b < blocks; b++) {
        struct workspace *w = &f->workspaces[omp_get_thread_num()];
        struct block at = block_from(block_at(b, KEY_ROWS, pass->rows), pass->from);
        if (!given_up(f)) key_value_rows(f, pass->layer, pass->tokens, at, w);
    }
}

static void run_block(struct forward *f, const struct pass *pass, struct block at, struct workspace *w) {
    int64_t l = pass->layer;
    if (l == f->model->config.layers) {
        predict_rows(f, pass->tokens, at, &pass->predictions, w);
        return;
    }
    attention_rows(f, l, pass->tokens, at, w);
    mlp_rows(f, l, at, w);
    check_rows(f, l + 1, at);
    report_work(f, work_layer(&f->model->config, l, at.first, at.rows));
}

static bool checkpoint_is_due(const struct forward *f, const struct pass *pass) {
    return pass->checkpoint && omp_get_wtime() - pass->saved >= checkpoints_interval(f->options.checkpoints);
}

/* Takes blocks of the layer through it, each by itself, until none is left or a checkpoint is due; each thread ends
 * what it began. Later blocks attend to more keys, so they are taken first. */
static void run_blocks(struct forward *f, struct pass *pass) {
    int64_t first = first_block(f, pass, pass->layer);
    _Atomic int64_t left = pass->left;
    _Atomic bool due = false;
#pragma omp parallel num_threads(f->threads)
    while (!due && !given_up(f)) {
        int64_t b = --left;
        if (b < 0) break;
        run_block(f, pass, row_block(pass, first + b), &f->workspaces[omp_get_thread_num()]);
        if (checkpoint_is_due(f, pass)) due = true;
    }
    pass->left = most(left, 0);
}

/* One layer over all rows, or a part of it. Keys and values of all rows come first. */
static void advance(struct forward *f, struct pass *pass) {
    const struct model_config *c = &f->model->config;
    if (pass->layer < c->layers && !pass->keyed) make_keys(f, pass);
    pass->keyed = pass->layer < c->layers;
    run_blocks(f, pass);
    if (pass->left > 0 || pass->layer == c->layers) return;
    pass->layer++;
    pass->left = blocks_of(f, pass, pass->layer);
    pass->keyed = false;
}

/* ---- Checkpoints of a pass ---- */

static struct checkpoint_place place_of(const struct forward *f, const struct pass *pass) {
    return (struct checkpoint_place){.layer = pass->layer,
                                     .layers = f->model->config.layers,
                                     .left = pass->left,
                                     .blocks = blocks_of(f, pass, pass->layer),
                                     .seconds = f->earlier_seconds + omp_get_wtime() - pass->began,
                                     .fraction = 1.0 - work_left(f, pass) / f->work};
}

/* What a pass has that is at this place: the stream, unless the pass is over; keys and values, if the layer has begun;
 * nats, and arg maxima, of the blocks that are done. */
static void list_pieces(const struct forward *f, const struct pass *pass,
                        struct checkpoint_piece out[CHECKPOINT_PIECES]) {
    const struct model_config *c = &f->model->config;
    const struct predictions *p = &pass->predictions;
    bool over = is_over(f, pass), begun = pass->left < blocks_of(f, pass, pass->layer);
    size_t stream = over ? 0 : floats(pass->rows * c->hidden), keys = 0;
    int64_t done = 0;
    if (begun && pass->layer < c->layers) keys = f->kernels->key_bytes(pass->rows, c->kv_heads, c->head_width);
    if (begun && pass->layer == c->layers) {
        done = pass->rows - most(p->skip, first_done(f, pass, c->layers));
    }
    int64_t undone = pass->rows - p->skip - done;
    out[0] = (struct checkpoint_piece){f->stream, stream};
    out[1] = (struct checkpoint_piece){f->kv.keys, keys};
    out[2] = (struct checkpoint_piece){f->kv.values, keys};
    out[3] = (struct checkpoint_piece){p->nats + undone, (size_t)done * sizeof *p->nats};
    out[4] = p->arg_max ? (struct checkpoint_piece){p->arg_max + undone, (size_t)done * sizeof *p->arg_max}
                        : (struct checkpoint_piece){NULL, 0};
}

static bool is_place(const struct forward *f, const struct pass *pass, const struct checkpoint_place *place) {
    int64_t layers = f->model->config.layers;
    if (place->layers != layers || place->layer < 0 || place->layer > layers) return false;
    int64_t blocks = blocks_of(f, pass, place->layer);
    bool left = place->left <= blocks && place->left >= (place->layer == layers ? 0 : 1);
    bool told = place->seconds >= 0.0 && isfinite(place->seconds) && place->fraction >= 0.0 && place->fraction <= 1.0;
    return left && place->blocks == blocks && told;
}

/* Whether the pass continues at a checkpoint. */
static bool resume(struct forward *f, struct pass *pass) {
    struct checkpoint_place place;
    struct checkpoint_piece pieces[CHECKPOINT_PIECES];
    if (!pass->checkpoint || !checkpoint_find(pass->checkpoint, &place)) return false;
    bool possible = is_place(f, pass, &place);
    struct pass found = *pass;
    if (possible) {
        found.layer = place.layer, found.left = place.left;
        found.keyed = place.layer < place.layers && place.left < place.blocks;
        list_pieces(f, &found, pieces);
    }
    if (!checkpoint_read(pass->checkpoint, &place, possible ? pieces : NULL)) return false;
    *pass = found;
    f->earlier_seconds = place.seconds;
    f->work_done = f->work - work_left(f, pass);
    return true;
}

static void save_if_due(struct forward *f, struct pass *pass) {
    struct checkpoint_piece pieces[CHECKPOINT_PIECES];
    if (given_up(f) || is_over(f, pass) || !checkpoint_is_due(f, pass)) return;
    const struct checkpoint_place place = place_of(f, pass);
    list_pieces(f, pass, pieces);
    checkpoint_write(pass->checkpoint, &place, pieces);
    pass->saved = omp_get_wtime();
}

static int open_checkpoint(const struct forward *f, struct pass *pass, struct error *error) {
    const struct checkpoint_subject subject = {.model = f->model,
                                               .angles = f->options.angles,
                                               .table = pass->table,
                                               .tokens = pass->tokens,
                                               .count = pass->rows + 1,
                                               .skip = pass->predictions.skip,
                                               .arg_max = pass->predictions.arg_max != NULL};
    if (!f->options.checkpoints) return STATUS_OK;
    return checkpoint_begin(f->options.checkpoints, &subject, &pass->checkpoint, error);
}

static void close_checkpoint(const struct forward *f, struct pass *pass, int status) {
    if (!pass->checkpoint) return;
    if (status == STATUS_OK) {
        struct checkpoint_piece results[CHECKPOINT_PIECES];
        const struct checkpoint_place place = place_of(f, pass);
        list_pieces(f, pass, results);
        checkpoint_finish(pass->checkpoint, &place, results);
    } else if (status != STATUS_STOPPED) {
        checkpoint_delete(pass->checkpoint);
    }
    checkpoint_end(pass->checkpoint);
}

/* ---- All of it ---- */

/* The first rows of the pass that the last pass kept. Rows that predict are computed in any case: what a row predicts
 * does not follow from its keys and values. */
static int64_t shared_rows(const struct forward *f, const struct pass *pass) {
    int64_t rows = 0, end = f->kept < pass->predictions.skip ? f->kept : pass->predictions.skip;
    if (end == 0 || !same_tables(f, pass->table, pass->rows)) return 0;
    while (rows < end && f->kept_tokens[rows] == pass->tokens[rows]) rows++;
    return rows;
}

static void keep(struct forward *f, const struct pass *pass) {
    if (!f->kept_tokens) return;
    memcpy(f->kept_tokens, pass->tokens, (size_t)pass->rows * sizeof *f->kept_tokens);
    f->kept = pass->rows;
}

/* Makes ready what a pass needs at any place. */
static int prepare(struct forward *f, struct pass *pass, struct error *error) {
    int status = reserve(f, pass->rows, error);
    pass->from = status == STATUS_OK ? shared_rows(f, pass) : 0;
    f->kept = 0; /* until this pass has ended */
    if (status == STATUS_OK) status = prepare_first_layer(f, pass->tokens, pass->rows, error);
    if (status != STATUS_OK) return status;
    prepare_tables(f, pass->table, pass->rows);
    /* The layout depends on it: one for all passes that keep, but checkpoints must not depend on windows before. */
    if (!f->kept_tokens) f->kv.tokens = pass->rows;
    pass->left = blocks_of(f, pass, pass->layer);
    f->work = work_left(f, pass), f->work_done = 0.0;
    pass->began = pass->saved = omp_get_wtime();
    return STATUS_OK;
}

/* The residual stream before the first layer. */
static void embed(struct forward *f, const struct pass *pass) {
    int64_t blocks = block_count(pass->rows - pass->from, BLOCK_ROWS);
#pragma omp parallel for schedule(static) num_threads(f->threads)
    for (int64_t b = 0; b < blocks; b++) embed_rows(f, pass->tokens, row_block(pass, b));
}

static int run_pass(struct forward *f, struct pass *pass, struct error *error) {
    int status = open_checkpoint(f, pass, error);
    if (status != STATUS_OK) return status;
    if (!resume(f, pass)) embed(f, pass);
    while (!is_over(f, pass) && !given_up(f)) {
        advance(f, pass);
        save_if_due(f, pass);
    }
    int64_t count = pass->rows - pass->predictions.skip;
    status = stopped(f) ? error_set(error, STATUS_STOPPED, "stopped by a signal")
                        : check_result(f, pass->predictions.nats, count, error);
    close_checkpoint(f, pass, status);
    if (status == STATUS_OK) keep(f, pass);
    f->computed_rows = pass->rows - pass->from;
    f->overflowed = status == STATUS_FAILED && f->bad_layer != 0;
    return status;
}

int forward_predict(struct forward *f, const struct rope_table *table, const int32_t *tokens, int64_t count,
                    int64_t skip, double *nats, int32_t *arg_max, struct error *error) {
    struct pass pass = {.table = table, .tokens = tokens, .rows = count - 1}; /* the last token predicts nothing */
    pass.predictions.skip = skip, pass.predictions.nats = nats, pass.predictions.arg_max = arg_max;
    assert(table->pairs == f->model->config.rope.pairs && skip >= 0);
    f->overflowed = false;
    f->bad_layer = NO_LAYER;
    f->earlier_seconds = 0.0;
    f->computed_rows = 0;
    if (pass.rows <= skip) return STATUS_OK;
    int status = prepare(f, &pass, error);
    return status == STATUS_OK ? run_pass(f, &pass, error) : status;
}

bool forward_overflowed(const struct forward *f) { return f->overflowed; }

double forward_earlier_seconds(const struct forward *f) { return f->earlier_seconds; }

int64_t forward_computed_rows(const struct forward *f) { return f->computed_rows; }

int forward_nats(struct forward *f, const struct rope_table *table, const int32_t *tokens, int64_t count, int64_t skip,
                 double *nats, struct error *error) {
    return forward_predict(f, table, tokens, count, skip, nats, NULL, error);
}
