#include "search/report/report_measurements.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/base/json.h"
#include "search/base/proportion.h"
#include "search/base/text.h"
#include "search/store/store_measurements.h"

/* What the search measured itself has a place of its own (search/report/report_short_window.h). */
static int read_lengths(struct store *store, struct length_record **out, size_t *count, struct error *error) {
    size_t kept = 0;
    int status = store_lengths(store, out, count, error);
    for (size_t i = 0; i < *count; i++) {
        if (store_is_own_label((*out)[i].measurement.label)) continue;
        (*out)[kept++] = (*out)[i];
    }
    *count = kept;
    return status;
}

/* ---- for people ---- */

enum { LABEL_WIDTH = 22 /* at least, as in the overview of a stage */, A_LINE = 8 /* columns */ };

/* Labels of any script are padded alike. */
static int label_width(const char *label) { return (int)text_characters(label); }

static int wider(int width, const char *label) {
    int own = label_width(label);
    return own > width ? own : width;
}

static void print_label(FILE *out, const char *label, int width) {
    fprintf(out, "  %s%*s", label, width - label_width(label), "");
}

/* Prints a cell of `width` after the blanks of the empty cells before it; returns the blanks that the next cell must
 * print, so that no line ends in blanks. */
static int print_cell(FILE *out, const char *cell, int width, int blanks) {
    if (!*cell) return blanks + width;
    fprintf(out, "%*s", blanks + width, cell);
    return 0;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts values[count] and keeps one of each; how many remain. */
static size_t distinct(double *values, size_t count) {
    size_t kept = 0;
    qsort(values, count, sizeof *values, compare_doubles);
    for (size_t i = 0; i < count; i++) {
        if (!kept || values[i] != values[kept - 1]) values[kept++] = values[i];
    }
    return kept;
}

/* A block of at most A_LINE lengths, one row per label. */
static void print_length_block(FILE *out, const struct length_record *records, size_t count, int width,
                               const double *lengths, size_t columns) {
    print_label(out, "label", width);
    for (size_t c = 0; c < columns; c++) fprintf(out, " %10.0f", lengths[c]);
    fputc('\n', out);
    for (size_t i = 0; i < count;) {
        const char *label = records[i].measurement.label;
        print_label(out, label, width);
        int blanks = 0;
        for (size_t c = 0; c < columns; c++) {
            while (i < count && strcmp(records[i].measurement.label, label) == 0 &&
                   (double)records[i].measurement.length < lengths[c]) {
                i++;
            }
            bool known = i < count && strcmp(records[i].measurement.label, label) == 0 &&
                         (double)records[i].measurement.length == lengths[c];
            char cell[32] = "n/a";
            if (known && isfinite(records[i].nats_per_token)) {
                snprintf(cell, sizeof cell, "%.4f", exp(records[i].nats_per_token));
            }
            blanks = print_cell(out, known ? cell : "", 11, blanks);
        }
        fputc('\n', out);
        while (i < count && strcmp(records[i].measurement.label, label) == 0) i++;
    }
}

static int print_lengths(FILE *out, const struct length_record *records, size_t count, struct error *error) {
    if (!count) return STATUS_OK;
    double *lengths = calloc(count, sizeof *lengths);
    if (!lengths) return error_memory(error, (double)count * sizeof *lengths, "the lengths");
    int width = LABEL_WIDTH;
    for (size_t i = 0; i < count; i++) {
        lengths[i] = (double)records[i].measurement.length;
        width = wider(width, records[i].measurement.label);
    }
    size_t columns = distinct(lengths, count);
    fputs("perplexity by length in tokens\n", out);
    for (size_t first = 0; first < columns; first += A_LINE) {
        size_t block = columns - first < A_LINE ? columns - first : A_LINE;
        print_length_block(out, records, count, width, lengths + first, block);
    }
    free(lengths);
    return STATUS_OK;
}

static bool same_row(const struct passkey_record *a, const struct passkey_record *b) {
    return strcmp(a->measurement.label, b->measurement.label) == 0 && a->measurement.length == b->measurement.length;
}

/* A block of at most A_LINE depths, one row per label and length. */
static void print_depth_block(FILE *out, const struct passkey_record *records, size_t count, int width,
                              const double *depths, size_t columns) {
    print_label(out, "label", width);
    fprintf(out, " %10s", "length");
    for (size_t c = 0; c < columns; c++) fprintf(out, " %7.4g %%", 100.0 * depths[c]);
    fputc('\n', out);
    for (size_t i = 0; i < count;) {
        const struct passkey_record *row = &records[i];
        print_label(out, row->measurement.label, width);
        fprintf(out, " %10" PRId64, row->measurement.length);
        int blanks = 0;
        for (size_t c = 0; c < columns; c++) {
            while (i < count && same_row(row, &records[i]) && records[i].depth < depths[c]) i++;
            char cell[48] = "";
            if (i < count && same_row(row, &records[i]) && records[i].depth == depths[c]) {
                snprintf(cell, sizeof cell, "%" PRId64 "/%" PRId64, records[i].correct, records[i].trials);
            }
            blanks = print_cell(out, cell, 10, blanks);
        }
        fputc('\n', out);
        while (i < count && same_row(row, &records[i])) i++;
    }
}

static int print_passkeys(FILE *out, const struct passkey_record *records, size_t count, struct error *error) {
    if (!count) return STATUS_OK;
    double *depths = calloc(count, sizeof *depths);
    if (!depths) return error_memory(error, (double)count * sizeof *depths, "the depths");
    int width = LABEL_WIDTH;
    for (size_t i = 0; i < count; i++) {
        depths[i] = records[i].depth;
        width = wider(width, records[i].measurement.label);
    }
    size_t columns = distinct(depths, count);
    fputs("pass keys found, by depth in the prompt\n", out);
    for (size_t first = 0; first < columns; first += A_LINE) {
        size_t block = columns - first < A_LINE ? columns - first : A_LINE;
        print_depth_block(out, records, count, width, depths + first, block);
    }
    free(depths);
    return STATUS_OK;
}

static void print_choices(FILE *out, const struct choice_record *records, size_t count) {
    int width = LABEL_WIDTH, task_width = 0;
    for (size_t i = 0; i < count; i++) {
        int own = label_width(records[i].task);
        width = wider(width, records[i].measurement.label);
        if (own > task_width) task_width = own;
    }
    if (!count) return;
    fputs("accuracy in multiple choice, in %: acc, acc_norm and acc_bytes\n", out);
    for (size_t i = 0; i < count; i++) {
        const struct choice_record *r = &records[i];
        print_label(out, r->measurement.label, width);
        fprintf(out, " %10" PRId64 "  %s%*s %6" PRId64 " items", r->measurement.length, r->task,
                task_width - label_width(r->task), "", r->items);
        proportion_print(out, r->correct, r->items);
        proportion_print(out, r->correct_norm, r->items);
        proportion_print(out, r->correct_bytes, r->items);
        fprintf(out, "  chance %.2f\n", 100.0 * r->chance);
    }
}

int report_measurements(struct store *store, FILE *out, struct error *error) {
    struct length_record *lengths = NULL;
    struct passkey_record *keys = NULL;
    struct choice_record *choices = NULL;
    size_t length_count, key_count, choice_count;
    int status = read_lengths(store, &lengths, &length_count, error);
    if (status == STATUS_OK) status = print_lengths(out, lengths, length_count, error);
    if (status == STATUS_OK) status = store_passkeys(store, &keys, &key_count, error);
    if (status == STATUS_OK) status = print_passkeys(out, keys, key_count, error);
    if (status == STATUS_OK) status = store_choices(store, &choices, &choice_count, error);
    if (status == STATUS_OK) print_choices(out, choices, choice_count);
    free(lengths);
    free(keys);
    free(choices);
    return status;
}

/* ---- for programs ---- */

/* null where the text is empty. Paths are any bytes. */
static json_t *text_or_null(const char *text) { return *text ? json_name(text) : json_null(); }

/* Of any kind, with `more`, which this takes, at the end; NULL for lack of memory. */
static json_t *measured_json(const struct measurement *m, json_t *more) {
    json_t *object =
        json_pack("{s:s, s:o, s:I, s:f, s:f, s:I, s:o, s:o, s:o, s:o, s:f}", "label", m->label, "model",
                  text_or_null(m->model), "length", (json_int_t)m->length, "scale", m->scale, "attention_factor",
                  m->attention_factor, "start_tokens", (json_int_t)m->start_tokens, "factors",
                  json_number_array(m->factors, m->pairs), "dtype", text_or_null(m->dtype), "kernels",
                  text_or_null(m->kernels), "angles", text_or_null(m->angles), "seconds", m->seconds);
    bool whole = json_object_update(object, more) == 0; /* not so where either is NULL */
    json_decref(more);
    if (whole) return object;
    json_decref(object);
    return NULL;
}

static json_t *length_json(const struct length_record *r) {
    return measured_json(&r->measurement,
                         json_pack("{s:I, s:I, s:o, s:o, s:o}", "samples", (json_int_t)r->windows, "tokens",
                                   (json_int_t)r->tokens, "stride", r->stride ? json_integer(r->stride) : json_null(),
                                   "nll", json_number_or_null(r->nats_per_token), "perplexity",
                                   json_number_or_null(exp(r->nats_per_token))));
}

static json_t *passkey_json(const struct passkey_record *r) {
    return measured_json(&r->measurement,
                         json_pack("{s:f, s:I, s:I, s:I, s:I, s:o}", "depth", r->depth, "digits", (json_int_t)r->digits,
                                   "trials", (json_int_t)r->trials, "correct", (json_int_t)r->correct, "seed",
                                   (json_int_t)r->seed, "wording", text_or_null(r->wording)));
}

static double share(int64_t correct, const struct choice_record *r) { return (double)correct / (double)r->items; }

static json_t *deviation(int64_t correct, const struct choice_record *r) {
    return json_number_or_null(proportion_standard_error(correct, r->items));
}

static json_t *choice_json(const struct choice_record *r) {
    return measured_json(&r->measurement,
                         json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:o, s:o, s:o}", "task", r->task, "items",
                                   (json_int_t)r->items, "chance", r->chance, "accuracy", share(r->correct, r),
                                   "accuracy_norm", share(r->correct_norm, r), "accuracy_bytes",
                                   share(r->correct_bytes, r), "standard_error", deviation(r->correct, r),
                                   "standard_error_norm", deviation(r->correct_norm, r), "standard_error_bytes",
                                   deviation(r->correct_bytes, r)));
}

static int lengths_json(struct store *store, json_t *array, struct error *error) {
    struct length_record *records;
    size_t count;
    int status = read_lengths(store, &records, &count, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (json_array_append_new(array, length_json(&records[i])) != 0) status = error_memory(error, 0, "the report");
    }
    free(records);
    return status;
}

static int passkeys_json(struct store *store, json_t *array, struct error *error) {
    struct passkey_record *records;
    size_t count;
    int status = store_passkeys(store, &records, &count, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (json_array_append_new(array, passkey_json(&records[i])) != 0) {
            status = error_memory(error, 0, "the report");
        }
    }
    free(records);
    return status;
}

static int choices_json(struct store *store, json_t *array, struct error *error) {
    struct choice_record *records;
    size_t count;
    int status = store_choices(store, &records, &count, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (json_array_append_new(array, choice_json(&records[i])) != 0) status = error_memory(error, 0, "the report");
    }
    free(records);
    return status;
}

int report_measurements_json(struct store *store, json_t **out, struct error *error) {
    json_t *lengths = json_array(), *keys = json_array(), *choices = json_array();
    int status = lengths_json(store, lengths, error);
    if (status == STATUS_OK) status = passkeys_json(store, keys, error);
    if (status == STATUS_OK) status = choices_json(store, choices, error);
    *out = json_pack("{s:o, s:o, s:o}", "lengths", lengths, "pass_keys", keys, "choices",
                     choices); /* takes all, also where it fails */
    if (status == STATUS_OK && !*out) status = error_memory(error, 0, "the report");
    if (status == STATUS_OK) return STATUS_OK;
    json_decref(*out);
    *out = NULL;
    return status;
}
