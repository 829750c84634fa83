#include "search/cli/export_print.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/base/json.h"

/* ---- which engine, which table ---- */

/* How engines choose, as their sources have it: transformers 4.57 and 5.23 (modeling_rope_utils.py), vLLM
 * (phi3_long_rope_scaled_rope.py, and config/model.py for the default), SGLang (rotary_embedding/rope_variant.py),
 * llama.cpp (llama_model::get_rope_factors), microsoft/LongRoPE (which repeats a row for all layers). */
static const struct engine {
    const char *name;
    enum export_format format;
    const char *chooses_by;
    const char *rule; /* '@' stands for the number of tokens that the short table ends at */
} engines[] = {
    {"transformers", EXPORT_HF, "input length",
     "short for inputs of up to @ tokens, long for longer ones, chosen anew at each step; keys in the cache keep the "
     "table that they were made with"},
    {"vLLM", EXPORT_HF, "max_model_len",
     "one table for all inputs: long where --max-model-len is above @, else short; @ is its default"},
    {"SGLang", EXPORT_HF, "batch",
     "long for all of a batch where one of its positions is beyond @, else short; keys in the cache keep the table "
     "that "
     "they were made with"},
    {"llama.cpp", EXPORT_GGUF, "context",
     "one table for all inputs: long where the context that it is started with (-c, a sequence's share of it, rounded "
     "up "
     "to a multiple of 256) is above @, else short"},
    {"microsoft/LongRoPE", EXPORT_CSV, "file", "this table for inputs of any length"},
    {"longrope", EXPORT_JSON, "input length",
     "eval --factors: the shortest table that reaches the input, the longest where none does"},
};
enum { ENGINES = sizeof engines / sizeof *engines, RULE_SIZE = 320 };

static void rule_of(const struct engine *engine, const struct export_summary *report, char out[RULE_SIZE]) {
    size_t used = 0;
    for (const char *c = engine->rule; *c && used + 24 < RULE_SIZE; c++) {
        if (*c == '@') {
            used += (size_t)snprintf(out + used, RULE_SIZE - used, "%" PRId64, report->pair->switch_length);
        } else {
            out[used++] = *c;
        }
    }
    out[used] = '\0';
}

/* ---- which tables ---- */

struct row {
    const char *role; /* NULL: none */
    const struct factor_entry *best, *used;
    int64_t max_length;
    const double *factors;
    double attention_factor;
};

static struct row row_of_table(const char *role, const struct export_table *table) {
    return (struct row){role, table->best, table->used, table->max_length, table->factors, table->attention_factor};
}

static struct row row_of_entry(const struct factor_entry *entry) {
    return (struct row){NULL, entry, entry, entry->max_length, entry->factors, entry->attention_factor};
}

/* What was written, rows[*count], which the caller frees. NULL for lack of memory. */
static struct row *list_rows(const struct export_summary *report, size_t *count) {
    struct row *rows = calloc(report->file->count + 2, sizeof *rows);
    const struct export_pair *pair = report->pair;
    *count = 0;
    if (!rows) return NULL;
    if (!pair) {
        for (size_t i = 0; i < report->file->count; i++) rows[(*count)++] = row_of_entry(&report->file->tables[i]);
    } else if (report->format == EXPORT_CSV) {
        rows[(*count)++] = row_of_table("only", &pair->long_table);
    } else if (!pair->recovered) {
        rows[(*count)++] = row_of_table("both", &pair->long_table);
    } else {
        rows[(*count)++] = row_of_table("short", &pair->short_table);
        rows[(*count)++] = row_of_table("long", &pair->long_table);
    }
    return rows;
}

/* True for a table of the source that was not written. */
static bool is_left_out(const struct export_summary *report, const struct factor_entry *entry) {
    const struct export_pair *pair = report->pair;
    return pair && entry != pair->long_table.best && (report->format == EXPORT_CSV || entry != pair->short_table.best);
}

/* ---- for people ---- */

static void print_name(FILE *out, const struct factor_entry *entry) {
    fputc('\'', out);
    for (const char *c = entry->name; *c; c++) fputc((unsigned char)*c < ' ' ? ' ' : *c, out);
    fputc('\'', out);
}

/* "perplexity 3.8574", and what it costs to do without start tokens. */
static void print_quality(FILE *out, const struct row *row) {
    double best = row->best->perplexity, used = row->used->perplexity;
    const char *of = row->used->objective == OBJECTIVE_NEEDLE ? " of needles' answers" : "";
    if (isfinite(used)) fprintf(out, ", perplexity%s %.4f", of, used);
    if (row->best == row->used) return;
    fprintf(out, "; the best leaves %" PRId64 " tokens as they are", row->best->start_tokens);
    if (isfinite(best) && isfinite(used)) {
        fprintf(out, " and has %.4f: to do without costs %.2f %%", best, 100.0 * (used / best - 1.0));
    }
}

static void print_row(FILE *out, const struct row *row) {
    fprintf(out, "  %-6s", row->role ? row->role : "");
    if (*row->used->name) print_name(out, row->used);
    fprintf(out, "%s", *row->used->name ? ", " : "");
    if (row->max_length) fprintf(out, "for %" PRId64 " tokens", row->max_length);
    if (!row->max_length) fputs("for inputs of any length", out);
    print_quality(out, row);
    if (row->attention_factor > 0.0) fprintf(out, ", attention factor %.6g", row->attention_factor);
    fputc('\n', out);
}

static void print_left_out(FILE *out, const struct export_summary *report) {
    const char *before = "  left out, since there is room for no more: ";
    for (size_t i = 0; i < report->file->count; i++) {
        const struct factor_entry *entry = &report->file->tables[i];
        if (!is_left_out(report, entry)) continue;
        fputs(before, out);
        if (*entry->name) print_name(out, entry), fputc(' ', out);
        fprintf(out, "for %" PRId64 " tokens", entry->max_length);
        before = ", ";
    }
    if (*before == ',') fputc('\n', out);
}

/* Where engines do other than `longrope eval --factors` does with the source. */
static void print_short(FILE *out, const struct export_pair *pair) {
    if (!pair->recovered) {
        fprintf(out,
                "  no shorter table was searched: the long one is the short one, too, for up to %" PRId64 " tokens\n",
                pair->switch_length);
    } else if (pair->short_table.max_length > pair->switch_length) {
        fprintf(out,
                "  no table was searched for %" PRId64 " tokens: the short one is the next longer; with --short-length "
                "%" PRId64 " it is used as far as it reaches\n",
                pair->switch_length, pair->short_table.max_length);
    }
}

static void print_engines(FILE *out, const struct export_summary *report) {
    for (size_t i = 0; i < ENGINES; i++) {
        char rule[RULE_SIZE];
        if (engines[i].format != report->format) continue;
        rule_of(&engines[i], report, rule);
        fprintf(out, "  %s: %s\n", engines[i].name, rule);
    }
}

static void print_text(const struct export_summary *report, const struct row *rows, size_t count, FILE *out) {
    const struct export_pair *pair = report->pair;
    fprintf(out, "wrote %s\n", report->path);
    for (size_t i = 0; i < count; i++) print_row(out, &rows[i]);
    if (report->format == EXPORT_HF || report->format == EXPORT_GGUF) {
        print_short(out, pair);
        fprintf(out,
                "  attention factor %.6g for both; extended to %" PRId64 " tokens, with the long table from %" PRId64
                " on\n",
                pair->long_table.attention_factor, pair->long_table.max_length, pair->switch_length + 1);
    }
    if (report->format == EXPORT_CSV && pair->long_table.attention_factor > 0.0) {
        fprintf(out, "  the attention factor is not in the file: this form has no place for it\n");
    }
    print_left_out(out, report);
    print_engines(out, report);
}

/* ---- JSON ---- */

static json_t *number_or_null(double value) { return json_number_or_null(value > 0.0 ? value : NAN); }

static json_t *length_or_null(int64_t length) { return length > 0 ? json_integer(length) : json_null(); }

static json_t *row_json(const struct row *row) {
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:I}", "role",
                     row->role ? json_string(row->role) : json_null(), "name", row->used->name, "max_length",
                     length_or_null(row->max_length), "factors", json_number_array(row->factors, row->used->pairs),
                     "attention_factor", number_or_null(row->attention_factor), "perplexity",
                     number_or_null(row->used->perplexity), "objective", objective_name(row->used->objective),
                     "searched_perplexity", number_or_null(row->best->perplexity), "searched_start_tokens",
                     (json_int_t)row->best->start_tokens);
}

static json_t *rows_json(const struct row *rows, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(array, row_json(&rows[i]));
    return array;
}

static json_t *left_out_json(const struct export_summary *report) {
    json_t *array = json_array();
    for (size_t i = 0; i < report->file->count; i++) {
        const struct factor_entry *entry = &report->file->tables[i];
        if (!is_left_out(report, entry)) continue;
        json_array_append_new(
            array, json_pack("{s:s, s:o}", "name", entry->name, "max_length", length_or_null(entry->max_length)));
    }
    return array;
}

static json_t *engines_json(const struct export_summary *report) {
    json_t *array = json_array();
    for (size_t i = 0; i < ENGINES; i++) {
        char rule[RULE_SIZE];
        if (engines[i].format != report->format) continue;
        rule_of(&engines[i], report, rule);
        json_array_append_new(array, json_pack("{s:s, s:s, s:s}", "engine", engines[i].name, "chooses_by",
                                               engines[i].chooses_by, "rule", rule));
    }
    return array;
}

static json_t *notes_json(const struct export_notes *notes) {
    json_t *array = json_array();
    for (size_t i = 0; i < notes->count; i++) json_array_append_new(array, json_string(notes->items[i]));
    return array;
}

static json_t *report_json(const struct export_summary *report, const struct row *rows, size_t count) {
    const struct export_pair *pair = report->pair;
    bool two = report->format == EXPORT_HF || report->format == EXPORT_GGUF;
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "format", export_format_names[report->format], "path", report->path,
        "original_length", length_or_null(two ? pair->switch_length : report->file->original_length), "rope_theta",
        number_or_null(pair ? pair->theta : report->file->rope_theta), "tables", rows_json(rows, count), "engines",
        engines_json(report), "left_out", left_out_json(report), "notes", notes_json(report->notes));
}

int export_print(const struct export_summary *report, bool json, FILE *out, struct error *error) {
    size_t count;
    struct row *rows = list_rows(report, &count);
    if (!rows) return error_memory(error, (double)report->file->count * sizeof *rows, "the report");
    int status = STATUS_OK;
    if (json) {
        json_t *root = report_json(report, rows, count);
        status = root ? STATUS_OK : error_memory(error, 0, "the report");
        if (root) json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(17)), fputc('\n', out);
        json_decref(root);
    } else {
        print_text(report, rows, count, out);
    }
    free(rows);
    return status;
}
