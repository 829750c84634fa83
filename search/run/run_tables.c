#include "search/run/run_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/run/run_view.h"

/* Adds the best tables of stage `index` to the file, which has room for them. */
static int add_stage(const struct run_view *run, size_t index, struct factor_file *file, struct error *error) {
    struct stage_view stage;
    int status = stage_view_read(run, index, &stage, error);
    struct stage_best best = status == STATUS_OK ? stage_view_best(&stage) : (struct stage_best){NULL, NULL};
    if (best.any) {
        file->original_length = stage.record->pretrained_length;
        file->rope_theta = stage.record->rope_theta;
        stage_view_entry(&stage, best.any, &file->tables[file->count++]);
    }
    if (best.exportable) stage_view_entry(&stage, best.exportable, &file->exportable[file->exportable_count++]);
    stage_view_free(&stage);
    return status;
}

/* The stage that the last model of the recipe was fine-tuned for; NULL where stages name no base. */
static const char *last_base(const struct run_view *run) {
    const char *base = NULL;
    for (size_t i = 0; i < run->count; i++) {
        if (run->stages[i].state == STAGE_DONE && *run->stages[i].base) base = run->stages[i].base;
    }
    return base;
}

/* A stage whose table is one of the model that was fine-tuned with `base`'s: that one, or one found on the model. */
static bool belongs_to(const struct stage_record *stage, const char *base) {
    return !base || strcmp(stage->base, base) == 0 || strcmp(stage->name, base) == 0;
}

static int by_length(const void *a, const void *b) {
    int64_t x = ((const struct factor_entry *)a)->max_length, y = ((const struct factor_entry *)b)->max_length;
    return (x > y) - (x < y);
}

static int read_tables(const struct run_view *run, struct factor_file *file, struct error *error) {
    file->tables = calloc(run->count + 1, sizeof *file->tables);
    file->exportable = calloc(run->count + 1, sizeof *file->exportable);
    if (!file->tables || !file->exportable) {
        return error_memory(error, 2.0 * (double)run->count * sizeof *file->tables, "the factor tables");
    }
    const char *base = last_base(run);
    for (size_t i = 0; i < run->count; i++) {
        bool wanted = run->stages[i].state == STAGE_DONE && belongs_to(&run->stages[i], base);
        int status = wanted ? add_stage(run, i, file, error) : STATUS_OK;
        if (status != STATUS_OK) return status;
    }
    qsort(file->tables, file->count, sizeof *file->tables, by_length);
    qsort(file->exportable, file->exportable_count, sizeof *file->exportable, by_length);
    return STATUS_OK;
}

int run_tables_read(struct store *store, const char *stage, struct factor_file *out, struct error *error) {
    struct run_view run;
    *out = (struct factor_file){0};
    int status = run_view_open(store, stage, &run, error);
    if (status != STATUS_OK) return status;
    status = read_tables(&run, out, error);
    run_view_close(&run);
    return status;
}

int run_tables_none(const char *run_dir, struct error *error) {
    return error_set(error, STATUS_INPUT, "%.300s: no stage of this run is done; longrope show prints its progress",
                     run_dir);
}

int run_tables_source(const char *source, struct factor_file *out, struct error *error) {
    if (!store_exists(source)) return factors_read(source, out, error);
    struct store *store = NULL;
    *out = (struct factor_file){0};
    int status = store_open(source, STORE_READ, &store, error);
    if (status == STATUS_OK) status = run_tables_read(store, NULL, out, error);
    store_close(store);
    if (status == STATUS_OK && !out->count) status = run_tables_none(source, error);
    if (status != STATUS_OK) factors_free(out);
    return status;
}

/* Of stages that are done: one found on the model that was fine-tuned last, or, where there is none, the longest. */
static const struct stage_record *last_stage(const struct run_view *run) {
    const char *base = last_base(run);
    const struct stage_record *last = NULL;
    for (size_t i = 0; i < run->count; i++) {
        const struct stage_record *stage = &run->stages[i];
        if (stage->state != STAGE_DONE || (base && strcmp(stage->base, base) != 0)) continue;
        if (!last || stage->target_length > last->target_length) last = stage;
    }
    return last;
}

int run_tables_model(struct store *store, const char *stage, char out[STORE_PATH_SIZE], struct error *error) {
    struct run_view run;
    int status = run_view_open(store, stage, &run, error);
    if (status != STATUS_OK) return status;
    const struct stage_record *last = last_stage(&run);
    snprintf(out, STORE_PATH_SIZE, "%s", last ? last->model : "");
    run_view_close(&run);
    return STATUS_OK;
}

int run_tables_base(struct store *store, char out[STORE_NAME_SIZE], struct error *error) {
    struct run_view run;
    int status = run_view_open(store, NULL, &run, error);
    if (status != STATUS_OK) return status;
    const char *base = last_base(&run);
    snprintf(out, STORE_NAME_SIZE, "%s", base ? base : "");
    run_view_close(&run);
    return STATUS_OK;
}

int run_tables_write(struct store *store, const char *path, struct error *error) {
    struct factor_file file;
    int status = run_tables_read(store, NULL, &file, error);
    if (status == STATUS_OK) status = factors_write(path, true, &file, error);
    factors_free(&file);
    return status;
}
