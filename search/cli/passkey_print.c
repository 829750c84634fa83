#include "search/cli/passkey_print.h"

#include <inttypes.h>
#include <string.h>

#include "search/base/json.h"

/* ---- Text ---- */

void passkey_print_setting(FILE *out, const struct passkey_options *o, const struct kernels *kernels) {
    fprintf(out,
            "%s arithmetic, %s kernels, %s angles; keys of %" PRId64 " digit%s, %" PRId64
            " prompt%s at each depth, wording: %s, seed %" PRId64 "\n",
            number_type_name(kernels->type), kernels->name, rope_angles_names[o->model.angles], o->digits,
            o->digits == 1 ? "" : "s", o->trials, o->trials == 1 ? "" : "s", needle_form_names[o->prompt], o->seed);
}

void passkey_print_heading(FILE *out, const struct passkey_options *o, const char *method) {
    fprintf(out, "\n%s: pass keys found, in %%, by depth in the prompt\n%9s %8s ", method, "length", "scale");
    for (size_t d = 0; d < o->depths.count; d++) {
        char depth[32];
        snprintf(depth, sizeof depth, "%.4g %%", 100.0 * o->depths.items[d]);
        fprintf(out, " %7s", depth);
    }
    fprintf(out, "  %7s %11s %9s\n", "all", "nats/token", "seconds");
}

const char *passkey_shade(int64_t found, int64_t asked, bool unicode) {
    static const char *const blocks[] = {"  ", "░░", "▒▒", "▓▓", "██"};
    static const char *const letters[] = {"  ", "..", "::", "++", "##"};
    int level = found <= 0 ? 0 : found >= asked ? 4 : 1 + (int)(3.0 * (double)found / (double)asked);
    return (unicode ? blocks : letters)[level];
}

void passkey_print_row(FILE *out, const struct passkey_result *r, bool unicode) {
    int64_t trials = r->sheet->trials, all = trials * (int64_t)r->sheet->depth_count;
    fprintf(out, "%9" PRId64 " %8.4g ", r->length, r->table->scale);
    for (size_t d = 0; d < r->sheet->depth_count; d++) {
        int64_t found = passkey_found(r->sheet, d);
        fprintf(out, "  %s %3.0f", passkey_shade(found, trials, unicode), 100.0 * (double)found / (double)trials);
    }
    fprintf(out, "   %6.1f %11.5f %9.2f\n", 100.0 * (double)passkey_found_total(r->sheet) / (double)all,
            passkey_nats_total(r->sheet), r->seconds);
}

/* ---- JSON ---- */

static json_t *tokens_json(const int32_t *tokens, int64_t count) {
    json_t *out = json_array();
    for (int64_t i = 0; i < count; i++) {
        if (json_array_append_new(out, json_integer(tokens[i])) == 0) continue;
        json_decref(out);
        return NULL;
    }
    return out;
}

static json_t *answer_json(const struct passkey_answer *a, int64_t trial) {
    return json_pack("{s:I, s:s, s:o, s:o, s:f, s:b}", "trial", (json_int_t)trial, "key", a->key, "answer",
                     tokens_json(a->tokens, a->count), "arg_max", tokens_json(a->arg_max, a->count), "nats", a->nats,
                     "correct", a->correct);
}

static json_t *answers_json(const struct passkey_sheet *sheet, size_t depth) {
    json_t *out = json_array();
    for (int64_t t = 0; t < sheet->trials; t++) {
        const struct passkey_answer *answer = &sheet->answers[depth * (size_t)sheet->trials + (size_t)t];
        if (json_array_append_new(out, answer_json(answer, t)) == 0) continue;
        json_decref(out);
        return NULL;
    }
    return out;
}

static json_t *depth_json(const struct passkey_result *r, size_t depth) {
    int64_t found = passkey_found(r->sheet, depth);
    json_t *out =
        json_pack("{s:f, s:I, s:f, s:f}", "depth", r->options->depths.items[depth], "correct", (json_int_t)found,
                  "accuracy", (double)found / (double)r->sheet->trials, "nll", passkey_nats(r->sheet, depth));
    if (!out || !r->options->prompts || json_object_set_new(out, "prompts", answers_json(r->sheet, depth)) == 0) {
        return out;
    }
    json_decref(out);
    return NULL;
}

static json_t *depths_json(const struct passkey_result *r) {
    json_t *out = json_array();
    for (size_t d = 0; d < r->sheet->depth_count; d++) {
        if (json_array_append_new(out, depth_json(r, d)) == 0) continue;
        json_decref(out);
        return NULL;
    }
    return out;
}

json_t *passkey_json(const struct passkey_result *r) {
    const struct passkey_options *o = r->options;
    const struct rope_table *rope = &r->table->rope;
    int64_t found = passkey_found_total(r->sheet), all = r->sheet->trials * (int64_t)r->sheet->depth_count;
    json_t *out =
        json_pack("{s:I, s:s, s:f, s:f, s:I, s:o, s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:o, s:f, s:s, s:s, s:s}",
                  "length", (json_int_t)r->length, "method", r->table->method, "scale", r->table->scale,
                  "attention_factor", rope->attention_factor, "start_tokens", (json_int_t)rope->start_tokens, "factors",
                  json_number_array(rope->factors, rope->pairs), "prompt", needle_form_names[o->prompt], "digits",
                  (json_int_t)o->digits, "trials", (json_int_t)o->trials, "seed", (json_int_t)o->seed, "correct",
                  (json_int_t)found, "accuracy", (double)found / (double)all, "nll", passkey_nats_total(r->sheet),
                  "depths", depths_json(r), "seconds", r->seconds, "dtype", number_type_name(r->kernels->type),
                  "kernels", r->kernels->name, "angles", rope_angles_names[o->model.angles]);
    if (!out || !r->table->name || json_object_set_new(out, "table", json_string(r->table->name)) == 0) return out;
    json_decref(out);
    return NULL;
}
