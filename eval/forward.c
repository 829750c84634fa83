#include "eval/forward.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_ROWS = 128, /* rows that a thread takes through a layer at a time; part of the result's bits */
    ALIGNMENT = 64
};

/* What one thread needs for one block of rows. */
struct workspace {
    float *normed;    /* [BLOCK_ROWS][hidden] */
    float *query;     /* [BLOCK_ROWS][heads * head_width] */
    float *attended;  /* [BLOCK_ROWS][heads * head_width] */
    float *gate, *up; /* [BLOCK_ROWS][intermediate] each */
    float *logits;    /* [BLOCK_ROWS][vocabulary] */
    float *scratch;   /* attention's, for windows up to the forward's capacity */
};

struct forward {
    const struct model *model;
    const struct kernels *kernels;
    const volatile sig_atomic_t *stop;
    int threads;

    int64_t capacity;             /* rows that the buffers hold */
    float *stream;                /* [capacity][hidden]: the residual stream */
    float *key, *value;           /* [capacity][kv_heads * head_width]: of the layer at hand */
    float *cos, *sin;             /* [capacity][pairs]: rows of the table at hand, times its attention factor */
    struct workspace *workspaces; /* [threads] */

    struct rope_table table; /* the one that cos and sin were made of */
    int64_t table_rows;      /* rows of them that are valid */
};

static float *floats(int64_t count) {
    size_t bytes = ((size_t)count * sizeof(float) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return aligned_alloc(ALIGNMENT, bytes ? bytes : ALIGNMENT);
}

static struct attention_shape shape_of(const struct model_config *config, int64_t first, int64_t rows) {
    return (struct attention_shape){.first = first,
                                    .rows = rows,
                                    .heads = config->heads,
                                    .kv_heads = config->kv_heads,
                                    .width = config->head_width};
}

static void free_workspace(struct workspace *w) {
    free(w->normed), free(w->query), free(w->attended), free(w->gate), free(w->up), free(w->logits), free(w->scratch);
}

static bool make_workspace(struct workspace *w, const struct model_config *config) {
    int64_t query_width = config->heads * config->head_width;
    *w = (struct workspace){
        .normed = floats(BLOCK_ROWS * config->hidden),
        .query = floats(BLOCK_ROWS * query_width),
        .attended = floats(BLOCK_ROWS * query_width),
        .gate = floats(BLOCK_ROWS * config->intermediate),
        .up = floats(BLOCK_ROWS * config->intermediate),
        .logits = floats(BLOCK_ROWS * config->vocabulary),
    };
    return w->normed && w->query && w->attended && w->gate && w->up && w->logits;
}

int forward_new(const struct model *model, const struct forward_options *options, struct forward **out,
                struct error *error) {
    const struct kernels *kernels = options->kernels;
    if (!kernels) {
        int status = kernels_choose(&kernels, error);
        if (status != STATUS_OK) return status;
    }
    struct forward *f = calloc(1, sizeof *f);
    int threads = options->threads > 0 ? options->threads : omp_get_max_threads();
    if (f) f->workspaces = calloc((size_t)threads, sizeof *f->workspaces);
    bool made = f && f->workspaces;
    if (made) {
        f->model = model, f->kernels = kernels, f->stop = options->stop, f->threads = threads;
        for (int t = 0; t < threads; t++) made = make_workspace(&f->workspaces[t], &model->config) && made;
    }
    if (!made) {
        forward_free(f);
        return error_set(error, STATUS_FAILED, "out of memory: the buffers of %d threads could not be allocated",
                         threads);
    }
    *out = f;
    return STATUS_OK;
}

static void free_buffers(struct forward *f) {
    free(f->stream), free(f->key), free(f->value), free(f->cos), free(f->sin);
    f->stream = f->key = f->value = f->cos = f->sin = NULL;
    f->capacity = f->table_rows = 0;
}

void forward_free(struct forward *f) {
    if (!f) return;
    free_buffers(f);
    if (f->workspaces) {
        for (int t = 0; t < f->threads; t++) free_workspace(&f->workspaces[t]);
    }
    free(f->workspaces);
    free(f);
}

/* Makes the buffers hold `rows` rows. */
static int reserve(struct forward *f, int64_t rows, struct error *error) {
    if (rows <= f->capacity) return STATUS_OK;
    const struct model_config *config = &f->model->config;
    int64_t kv_width = config->kv_heads * config->head_width, pairs = config->head_width / 2;
    struct attention_shape shape = shape_of(config, rows > BLOCK_ROWS ? rows - BLOCK_ROWS : 0, BLOCK_ROWS);
    free_buffers(f);
    f->stream = floats(rows * config->hidden);
    f->key = floats(rows * kv_width);
    f->value = floats(rows * kv_width);
    f->cos = floats(rows * pairs);
    f->sin = floats(rows * pairs);
    bool made = f->stream && f->key && f->value && f->cos && f->sin;
    for (int t = 0; t < f->threads; t++) {
        struct workspace *w = &f->workspaces[t];
        free(w->scratch);
        w->scratch = floats(f->kernels->attention_scratch(&shape));
        made = made && w->scratch;
    }
    if (!made) {
        double bytes = (double)rows * (double)(config->hidden + 2 * kv_width + 2 * pairs) * sizeof(float);
        free_buffers(f);
        return error_memory(error, bytes, "a window of this length");
    }
    f->capacity = rows;
    return STATUS_OK;
}

static bool same_table(const struct rope_table *a, const struct rope_table *b) {
    size_t bytes = (size_t)a->pairs * sizeof(double);
    return a->pairs == b->pairs && a->start_tokens == b->start_tokens && a->attention_factor == b->attention_factor &&
           memcmp(a->frequencies, b->frequencies, bytes) == 0 && memcmp(a->factors, b->factors, bytes) == 0;
}

/* A block of rows of the window: rows first..first+rows-1. */
struct block {
    int64_t first, rows;
};

static int64_t block_count(int64_t rows) { return (rows + BLOCK_ROWS - 1) / BLOCK_ROWS; }

static struct block block_at(int64_t index, int64_t rows) {
    int64_t first = index * BLOCK_ROWS;
    return (struct block){first, rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS};
}

/* Rows of the rotary table, once for all windows scored with it. */
static void prepare_table(struct forward *f, const struct rope_table *table, int64_t rows) {
    if (f->table_rows >= rows && same_table(&f->table, table)) return;
    f->table = *table;
    f->table_rows = rows;
#pragma omp parallel for schedule(static) num_threads(f->threads)
    for (int64_t b = 0; b < block_count(rows); b++) {
        struct block at = block_at(b, rows);
        rope_rows(table, at.first, at.rows, f->cos + at.first * table->pairs, f->sin + at.first * table->pairs);
    }
}

static void embed_rows(struct forward *f, const int32_t *tokens, struct block at) {
    int64_t hidden = f->model->config.hidden;
    for (int64_t r = at.first; r < at.first + at.rows; r++) {
        memcpy(f->stream + r * hidden, f->model->embedding + tokens[r] * hidden, (size_t)hidden * sizeof(float));
    }
}

/* k = rotate(W_k norm(x)), v = W_v norm(x) */
static void key_value_rows(struct forward *f, const struct model_layer *layer, struct block at, struct workspace *w) {
    const struct model_config *c = &f->model->config;
    int64_t kv_width = c->kv_heads * c->head_width, pairs = c->head_width / 2;
    float *key = f->key + at.first * kv_width, *value = f->value + at.first * kv_width;
    f->kernels->rms_norm(w->normed, f->stream + at.first * c->hidden, layer->attention_norm, at.rows, c->hidden,
                         c->norm_eps);
    f->kernels->project(key, w->normed, layer->key, at.rows, kv_width, c->hidden);
    f->kernels->project(value, w->normed, layer->value, at.rows, kv_width, c->hidden);
    f->kernels->rotate(key, f->cos + at.first * pairs, f->sin + at.first * pairs, at.rows, c->kv_heads, c->head_width,
                       pairs);
}

/* x += W_o attention(rotate(W_q norm(x)), k, v) */
static void attention_rows(struct forward *f, const struct model_layer *layer, struct block at, struct workspace *w) {
    const struct model_config *c = &f->model->config;
    int64_t query_width = c->heads * c->head_width, pairs = c->head_width / 2;
    float *x = f->stream + at.first * c->hidden;
    struct attention_shape shape = shape_of(c, at.first, at.rows);
    f->kernels->rms_norm(w->normed, x, layer->attention_norm, at.rows, c->hidden, c->norm_eps);
    f->kernels->project(w->query, w->normed, layer->query, at.rows, query_width, c->hidden);
    f->kernels->rotate(w->query, f->cos + at.first * pairs, f->sin + at.first * pairs, at.rows, c->heads, c->head_width,
                       pairs);
    f->kernels->attention(w->attended, w->query, f->key, f->value, &shape, w->scratch);
    f->kernels->project_add(x, w->attended, layer->output, at.rows, c->hidden, query_width);
}

/* x += W_down (silu(W_gate norm(x)) * W_up norm(x)) */
static void mlp_rows(struct forward *f, const struct model_layer *layer, struct block at, struct workspace *w) {
    const struct model_config *c = &f->model->config;
    float *x = f->stream + at.first * c->hidden;
    f->kernels->rms_norm(w->normed, x, layer->mlp_norm, at.rows, c->hidden, c->norm_eps);
    f->kernels->project(w->gate, w->normed, layer->gate, at.rows, c->intermediate, c->hidden);
    f->kernels->project(w->up, w->normed, layer->up, at.rows, c->intermediate, c->hidden);
    f->kernels->silu_multiply(w->gate, w->up, at.rows * c->intermediate);
    f->kernels->project_add(x, w->gate, layer->down, at.rows, c->hidden, c->intermediate);
}

/* nats = -ln softmax(W_logits norm(x))[next token] */
static void nats_rows(struct forward *f, const int32_t *tokens, struct block at, double *nats, struct workspace *w) {
    const struct model_config *c = &f->model->config;
    f->kernels->rms_norm(w->normed, f->stream + at.first * c->hidden, f->model->norm, at.rows, c->hidden, c->norm_eps);
    f->kernels->project(w->logits, w->normed, f->model->logits, at.rows, c->vocabulary, c->hidden);
    f->kernels->nats(nats + at.first, w->logits, tokens + at.first + 1, at.rows, c->vocabulary);
}

static bool stopped(const struct forward *f) { return f->stop && *f->stop; }

/* One layer over all rows. Keys and values of all rows come first; then each block goes through the
 * rest by itself. Later blocks attend to more keys, so they are handed out first. */
static void run_layer(struct forward *f, const struct model_layer *layer, int64_t rows) {
    int64_t blocks = block_count(rows);
#pragma omp parallel num_threads(f->threads)
    {
        struct workspace *w = &f->workspaces[omp_get_thread_num()];
#pragma omp for schedule(dynamic)
        for (int64_t b = 0; b < blocks; b++) {
            if (!stopped(f)) key_value_rows(f, layer, block_at(b, rows), w);
        }
#pragma omp for schedule(dynamic)
        for (int64_t b = blocks - 1; b >= 0; b--) {
            if (stopped(f)) continue;
            attention_rows(f, layer, block_at(b, rows), w);
            mlp_rows(f, layer, block_at(b, rows), w);
        }
    }
}

static int check_nats(const double *nats, int64_t rows, struct error *error) {
    for (int64_t r = 0; r < rows; r++) {
        if (isfinite(nats[r])) continue;
        return error_set(error, STATUS_FAILED,
                         "the model's answer for token %lld is not a number: its weights or this factor table "
                         "overflow; check the weights for NaN and infinity",
                         (long long)r + 1);
    }
    return STATUS_OK;
}

int forward_nats(struct forward *f, const struct rope_table *table, const int32_t *tokens, int64_t count, double *nats,
                 struct error *error) {
    const struct model_config *config = &f->model->config;
    assert(table->pairs == config->head_width / 2);
    int64_t rows = count - 1; /* nothing is asked of the last token */
    if (rows <= 0) return STATUS_OK;
    int status = reserve(f, rows, error);
    if (status != STATUS_OK) return status;
    prepare_table(f, table, rows);

    int64_t blocks = block_count(rows);
    for (int64_t b = 0; b < blocks; b++) embed_rows(f, tokens, block_at(b, rows));
    for (int64_t l = 0; l < config->layers && !stopped(f); l++) run_layer(f, &f->model->layers[l], rows);
#pragma omp parallel for schedule(dynamic) num_threads(f->threads)
    for (int64_t b = 0; b < blocks; b++) {
        if (!stopped(f)) nats_rows(f, tokens, block_at(b, rows), nats, &f->workspaces[omp_get_thread_num()]);
    }
    if (stopped(f)) return error_set(error, STATUS_STOPPED, "stopped by a signal");
    return check_nats(nats, rows, error);
}
