#include "eval/model/model_notes.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/python_json.h"
#include "eval/model/model_config.h"

/* ---- config.json ---- */

static void note_repeats(const json_error_t *reason, FILE *out) {
    fprintf(out, "config.json:%d: %s; the last of them counts, as in transformers\n", reason->line, reason->text);
}

/* Keys of yarn that engines disagree about. */
static void note_engine_keys(const json_t *root, FILE *out) {
    static const char *const blocks[] = {"rope_scaling", "rope_parameters"};
    static const char *const keys[] = {"attn_factor", "extrapolation_factor"};
    for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++) {
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            const json_t *value = config_value(json_object_get(root, blocks[b]), keys[k]);
            if (!value || json_number_value(value) == 1.0) continue;
            char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
            fprintf(out, "%s.%s %.40s has no effect, as in transformers; vLLM heeds it\n", blocks[b], keys[k],
                    text ? text : "");
            free(text);
        }
    }
}

static void note_text(const void *text, size_t size, FILE *out) {
    json_error_t reason;
    bool repeats = false;
    json_t *root = python_json_load(text, size, &reason, &repeats);
    if (repeats) note_repeats(&reason, out);
    if (root) note_engine_keys(root, out);
    json_decref(root);
}

static void note_scaling(const struct rope_model *rope, FILE *out) {
    struct rope_table table;
    if (rope->type == ROPE_TYPE_DEFAULT) return;
    if (rope->type == ROPE_TYPE_CLEX) {
        fprintf(out,
                "the model's own rope scaling (clex, up to %g times the window of %" PRId64
                " tokens%s) is what method none computes; other methods multiply it\n",
                rope->max_factor, rope->original_length, rope->log_scale ? ", log_scale" : "");
        return;
    }
    rope_model_table(&table, rope, rope->original_length);
    fprintf(out,
            "the model's own rope scaling (%s, factor %g, attention factor %.4f) is what method none computes; other "
            "methods multiply it\n",
            rope_type_name(rope->type), rope->factor, table.own_attention_factor);
}

/* ---- layers ---- */

static void note_layers(const struct model_config *config, FILE *out) {
    int64_t searched = model_searched_layers(config), still = 0, apart = 0;
    for (int64_t l = 0; l < config->layers; l++) {
        still += (config->layer_kinds[l] & LAYER_NOT_ROTATED) != 0;
        apart += (config->layer_kinds[l] & LAYER_ROTATED_APART) != 0;
    }
    if (searched == config->layers) return;
    fprintf(out, "factor tables rescale %" PRId64 " of its %" PRId64 " layers%s", searched, config->layers,
            apart > 0 ? ", those with full attention" : "");
    if (still > 0) fprintf(out, "; layers that are not rotated: %" PRId64, still);
    if (apart > 0) {
        fprintf(out, "; layers with a window of %" PRId64 " tokens and a rotary table of their own: %" PRId64,
                config->sliding_window, apart);
    }
    fputc('\n', out);
}

/* ---- weights ---- */

static void note_weights(const struct model_config *stated, const struct model_config *model,
                         const struct weights *weights, FILE *out) {
    char line[512];
    weights_describe(weights, line, sizeof line);
    if (*line) fprintf(out, "%s\n", line);
    if (stated->tied_embeddings && !model->tied_embeddings) {
        fputs(
            "tie_word_embeddings is true, but lm_head.weight differs from the embedding: lm_head.weight is used, as in "
            "transformers\n",
            out);
    }
}

char *model_notes_make(const void *text, size_t size, const struct model_config *stated,
                       const struct model_config *model, const struct weights *weights) {
    char *notes = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&notes, &length);
    if (!out) return NULL;
    if (text) note_text(text, size, out);
    note_scaling(&model->rope, out);
    note_layers(model, out);
    note_weights(stated, model, weights, out);
    if (fclose(out) == 0 && length > 0) return notes;
    free(notes);
    return NULL;
}

void model_warn_sliding(const struct model_config *config, const char *who, int64_t length, FILE *out) {
    int64_t window = model_searched_window(config);
    if (window == 0 || window >= length) return;
    fprintf(out,
            "%s: warning: the model's sliding window is %" PRId64 " tokens, and the length %" PRId64
            ": in no layer%s does a token see further back than %" PRId64
            ", so factors matter for such distances only; use a model without a sliding window, or set "
            "\"sliding_window\": null in config.json if this one was trained without\n",
            who, window, length, model_searched_layers(config) == config->layers ? "" : " that a table rotates",
            window);
}

void model_print_notes(const struct model *model, const char *dir, FILE *out) {
    for (const char *line = model->notes; line && *line;) {
        size_t length = strcspn(line, "\n");
        fprintf(out, "%s: %.*s\n", dir, (int)length, line);
        line += length + (line[length] == '\n');
    }
}
