#include "search/cli/export_print.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/base/json.h"
#include "search/report/report_short_window.h"

/* ---- which engine uses which table ---- */

/* How engines choose a table, according to their sources: transformers 4.57 and 5.23 (modeling_rope_utils.py), vLLM
 * (phi3_long_rope_scaled_rope.py, and config/model.py for the default), SGLang (rotary_embedding/rope_variant.py),
 * llama.cpp (llama_model::get_rope_factors), microsoft/LongRoPE (which repeats one row for all layers). */
static const struct engine {
    const char *name;
    enum export_format format;
    const char *chooses_by;
    const char *rule; /* '@' stands for the last length, in tokens, of the short table */
} engines[] = {
    {"transformers", EXPORT_HF, "input length",
     "the short table for inputs of up to @ tokens, the long table for longer inputs, chosen again at each step; keys "
     "in the cache keep the table that they were computed with"},
    {"vLLM", EXPORT_HF, "max_model_len",
     "one table for all inputs: the long table if --max-model-len is above @, its default; else the short table"},
    {"SGLang", EXPORT_HF, "batch",
     "the long table for a whole batch if one of its positions is beyond @, else the short table; keys in the cache "
     "keep the table that they were computed with"},
    {"llama.cpp", EXPORT_GGUF, "context",
     "one table for all inputs: the long table if the context per sequence (-c divided by the number of sequences, "
     "rounded up to a multiple of 256) is above @, else the short table"},
    {"microsoft/LongRoPE", EXPORT_CSV, "file", "this table for inputs of any length"},
    {"longrope", EXPORT_JSON, "input length",
     "eval --factors: the shortest table that reaches the input, or the longest table if none does"},
};
enum { ENGINES = sizeof engines / sizeof *engines, RULE_SIZE = 320 };

/* The engine's rule, with its number of tokens. */
static void rule_of(const struct engine *engine, const struct export_summary *summary, char out[RULE_SIZE]) {
    size_t used = 0;
    for (const char *c = engine->rule; *c && used + 24 < RULE_SIZE; c++) {
        if (*c == '@') {
            used += (size_t)snprintf(out + used, RULE_SIZE - used, "%" PRId64, summary->pair->switch_length);
        } else {
            out[used++] = *c;
        }
    }
    out[used] = '\0';
}

/* ---- which tables ---- */

struct row {
    const char *role;                /* NULL: none */
    const struct factor_entry *best; /* of the table's stage */
    const struct factor_entry *used; /* that is written: the best one without start tokens if engines need that */
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

/* The tables that were written, [*count]; the caller frees them. NULL if memory is short. */
static struct row *list_rows(const struct export_summary *summary, size_t *count) {
    struct row *rows = calloc(summary->file->count + 2, sizeof *rows);
    const struct export_pair *pair = summary->pair;
    *count = 0;
    if (!rows) return NULL;
    if (!pair) {
        for (size_t i = 0; i < summary->file->count; i++) rows[(*count)++] = row_of_entry(&summary->file->tables[i]);
    } else if (summary->format == EXPORT_CSV) {
        rows[(*count)++] = row_of_table("only", &pair->long_table);
    } else if (!pair->recovered) {
        rows[(*count)++] = row_of_table("both", &pair->long_table);
    } else {
        rows[(*count)++] = row_of_table("short", &pair->short_table);
        rows[(*count)++] = row_of_table("long", &pair->long_table);
    }
    return rows;
}

/* True if this table of the source was not written. */
static bool is_left_out(const struct export_summary *summary, const struct factor_entry *entry) {
    const struct export_pair *pair = summary->pair;
    return pair && entry != pair->long_table.best && (summary->format == EXPORT_CSV || entry != pair->short_table.best);
}

/* ---- text ---- */

static void print_name(FILE *out, const struct factor_entry *entry) {
    fputc('\'', out);
    for (const char *c = entry->name; *c; c++) fputc((unsigned char)*c < ' ' ? ' ' : *c, out);
    fputc('\'', out);
}

/* ", perplexity 3.8574", and how much worse that is than the best table with start tokens. */
static void print_quality(FILE *out, const struct row *row) {
    double best = row->best->perplexity, used = row->used->perplexity;
    const char *of = row->used->objective == OBJECTIVE_NEEDLE ? " of needles' answers" : "";
    if (isfinite(used)) fprintf(out, ", perplexity%s %.4f", of, used);
    if (row->best == row->used) return;
    fprintf(out, "; the best table has %" PRId64 " start tokens", row->best->start_tokens);
    if (isfinite(best) && isfinite(used)) {
        fprintf(out, " and perplexity %.4f: doing without start tokens costs %.2f %%", best,
                100.0 * (used / best - 1.0));
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

static void print_left_out(FILE *out, const struct export_summary *summary) {
    const char *before = summary->pair && summary->pair->places != EXPORT_TWO_TABLES
                             ? "  not exported, because of --one-table: "
                             : "  not exported, because the format has no room for more tables: ";
    for (size_t i = 0; i < summary->file->count; i++) {
        const struct factor_entry *entry = &summary->file->tables[i];
        if (!is_left_out(summary, entry)) continue;
        fputs(before, out);
        if (*entry->name) print_name(out, entry), fputc(' ', out);
        fprintf(out, "for %" PRId64 " tokens", entry->max_length);
        before = ", ";
    }
    if (*before == ',') fputc('\n', out);
}

/* The greatest maximum length, below `length`, of a table; 0: there is none. */
static int64_t longest_below(const struct factor_file *file, int64_t length) {
    int64_t longest = 0;
    for (size_t i = 0; i < file->count; i++) {
        int64_t one = file->tables[i].max_length;
        if (one < length && one > longest) longest = one;
    }
    return longest;
}

/* States where engines use another table than `longrope eval --factors` does with the source. */
static void print_short(FILE *out, const struct export_summary *summary) {
    const struct export_pair *pair = summary->pair;
    int64_t below = longest_below(summary->file, pair->switch_length);
    if (pair->places != EXPORT_TWO_TABLES) {
        fprintf(out, "  --one-table: this table is both the short and the long one\n");
    } else if (!pair->recovered && below > 0) {
        fprintf(out,
                "  no shorter table reaches %" PRId64 " tokens: the long table is also the short table; --short-length "
                "%" PRId64 " uses the table for %" PRId64 " tokens\n",
                pair->switch_length, below, below);
    } else if (!pair->recovered) {
        fprintf(out,
                "  no shorter table was searched: the long table is also the short table, for up to %" PRId64
                " tokens\n",
                pair->switch_length);
    } else if (pair->short_table.max_length > pair->switch_length) {
        fprintf(out,
                "  no table was searched for %" PRId64 " tokens: the short table is the next longer one; "
                "--short-length %" PRId64 " uses it for up to %" PRId64 " tokens\n",
                pair->switch_length, pair->short_table.max_length, pair->short_table.max_length);
    }
}

/* What inputs up to the old window lose, if that was measured with the table that serves them. */
static void print_window(FILE *out, const struct export_summary *summary) {
    const struct short_window *w = summary->window;
    if (!w || !w->measured || strcmp(w->table.name, summary->pair->short_table.used->name) != 0) return;
    double cost = 100.0 * short_window_cost(w);
    fprintf(out,
            "  within the old window of %" PRId64
            " tokens, on the search's text: perplexity %.4f with the model's own table, %.4f with '%s': %.1f %% %s\n",
            w->length, exp(w->own), exp(w->found), w->table.name, fabs(cost), cost >= 0.0 ? "more" : "less");
}

static void print_engines(FILE *out, const struct export_summary *summary) {
    for (size_t i = 0; i < ENGINES; i++) {
        char rule[RULE_SIZE];
        if (engines[i].format != summary->format) continue;
        rule_of(&engines[i], summary, rule);
        fprintf(out, "  %s: %s\n", engines[i].name, rule);
    }
}

static void print_text(const struct export_summary *summary, const struct row *rows, size_t count, FILE *out) {
    const struct export_pair *pair = summary->pair;
    fprintf(out, "wrote %s\n", summary->path);
    for (size_t i = 0; i < count; i++) print_row(out, &rows[i]);
    if (summary->format == EXPORT_HF || summary->format == EXPORT_GGUF) {
        print_short(out, summary);
        print_window(out, summary);
        fprintf(out,
                "  attention factor %.6g for both tables; extended to %" PRId64
                " tokens; the long table is used from %" PRId64 " tokens on\n",
                pair->long_table.attention_factor, pair->long_table.max_length, pair->switch_length + 1);
    }
    if (summary->format == EXPORT_CSV && pair->long_table.attention_factor > 0.0) {
        fprintf(out, "  the attention factor is not in the file: the csv format has no field for it\n");
    }
    print_left_out(out, summary);
    print_engines(out, summary);
}

/* ---- JSON ---- */

static json_t *number_or_null(double value) { return json_number_or_null(value > 0.0 ? value : NAN); }

static json_t *length_or_null(int64_t length) { return length > 0 ? json_integer(length) : json_null(); }

static json_t *row_json(const struct row *row) {
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:I}", "role",
                     row->role ? json_string(row->role) : json_null(), "name", json_name(row->used->name), "max_length",
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

static json_t *left_out_json(const struct export_summary *summary) {
    json_t *array = json_array();
    for (size_t i = 0; i < summary->file->count; i++) {
        const struct factor_entry *entry = &summary->file->tables[i];
        if (!is_left_out(summary, entry)) continue;
        json_array_append_new(array, json_pack("{s:o, s:o}", "name", json_name(entry->name), "max_length",
                                               length_or_null(entry->max_length)));
    }
    return array;
}

static json_t *engines_json(const struct export_summary *summary) {
    json_t *array = json_array();
    for (size_t i = 0; i < ENGINES; i++) {
        char rule[RULE_SIZE];
        if (engines[i].format != summary->format) continue;
        rule_of(&engines[i], summary, rule);
        json_array_append_new(array, json_pack("{s:s, s:s, s:s}", "engine", engines[i].name, "chooses_by",
                                               engines[i].chooses_by, "rule", rule));
    }
    return array;
}

static json_t *notes_json(const struct export_notes *notes) {
    json_t *array = json_array();
    for (size_t i = 0; i < notes->count; i++) json_array_append_new(array, json_name(notes->items[i]));
    return array;
}

/* NULL for lack of memory. */
static json_t *window_json(const struct short_window *window) {
    struct error ignored;
    json_t *object = NULL;
    if (!window) return json_null();
    return report_short_window_to_json(window, &object, &ignored) == STATUS_OK ? object : NULL;
}

static json_t *summary_json(const struct export_summary *summary, const struct row *rows, size_t count) {
    const struct export_pair *pair = summary->pair;
    bool two = summary->format == EXPORT_HF || summary->format == EXPORT_GGUF;
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "format", export_format_names[summary->format],
                     "path", json_name(summary->path), "original_length",
                     length_or_null(two ? pair->switch_length : summary->file->original_length), "rope_theta",
                     number_or_null(pair ? pair->theta : summary->file->rope_theta), "tables", rows_json(rows, count),
                     "engines", engines_json(summary), "left_out", left_out_json(summary), "short_window",
                     window_json(summary->window), "notes", notes_json(summary->notes));
}

int export_print(const struct export_summary *summary, bool json, FILE *out, struct error *error) {
    size_t count;
    struct row *rows = list_rows(summary, &count);
    if (!rows) return error_memory(error, (double)summary->file->count * sizeof *rows, "the summary");
    int status = STATUS_OK;
    if (json) {
        json_t *root = summary_json(summary, rows, count);
        status = root ? STATUS_OK : error_memory(error, 0, "the summary");
        if (root) json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(17)), fputc('\n', out);
        json_decref(root);
    } else {
        print_text(summary, rows, count, out);
    }
    free(rows);
    return status;
}
