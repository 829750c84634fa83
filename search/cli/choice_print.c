#include "search/cli/choice_print.h"

#include <inttypes.h>

#include "search/base/json.h"
#include "search/base/proportion.h"
#include "search/base/text.h"

static double accuracy(const struct choice_sheet *sheet, enum choice_norm norm) {
    return (double)sheet->correct[norm] / (double)sheet->task->count;
}

static double standard_error(const struct choice_sheet *sheet, enum choice_norm norm) {
    return proportion_standard_error(sheet->correct[norm], (int64_t)sheet->task->count);
}

/* ---- Text ---- */

int choice_name_width(const struct choice_tasks *tasks) {
    int width = 12;
    for (size_t t = 0; t < tasks->count; t++) {
        int own = (int)text_characters(tasks->items[t].name);
        if (own > width) width = own;
    }
    return width;
}

void choice_print_heading(FILE *out, const struct choice_options *o, const struct kernels *kernels, int width) {
    fprintf(out,
            "%s arithmetic, %s kernels, %s angles; accuracies and their standard errors in %%\n"
            "%9s  %-12s %8s  %-*s %7s %7s %15s %15s %15s %9s\n",
            number_type_name(kernels->type), kernels->name, rope_angles_names[o->model.angles], "length", "method",
            "scale", width, "task", "items", "chance", "acc", "acc_norm", "acc_bytes", "seconds");
}

void choice_print_row(FILE *out, const struct choice_result *r, int width) {
    const struct choice_task *task = r->sheet->task;
    fprintf(out, "%9" PRId64 "  %-12s %8.4g  %s%*s %7zu %7.2f", r->length, r->table->method, r->table->scale,
            task->name, width - (int)text_characters(task->name), "", task->count, 100.0 * choice_chance(task));
    for (int norm = 0; norm < CHOICE_NORMS; norm++) {
        proportion_print(out, r->sheet->correct[norm], (int64_t)task->count);
    }
    fprintf(out, " %9.2f\n", r->seconds);
}

void choice_print_sum(FILE *out, int64_t tokens, int64_t computed) {
    fprintf(out,
            "computed %" PRId64 " of %" PRId64 " input tokens (%.1f %%); the others were shared with the previous "
            "input\n",
            computed, tokens, 100.0 * (double)computed / (double)tokens);
}

/* ---- JSON ---- */

static json_t *answer_json(const struct choice_item *item, const struct choice_answer *answer) {
    return json_pack(
        "{s:o, s:I, s:I, s:I, s:I, s:I, s:o}", "file", json_name(item->file), "line", (json_int_t)item->line, "answer",
        (json_int_t)item->answer, "choice", (json_int_t)answer->chosen[CHOICE_PLAIN], "choice_norm",
        (json_int_t)answer->chosen[CHOICE_CHARACTERS], "choice_bytes", (json_int_t)answer->chosen[CHOICE_BYTES],
        "log_likelihoods", json_number_array(answer->log_likelihoods, (int64_t)item->count));
}

static json_t *answers_json(const struct choice_sheet *sheet) {
    json_t *out = json_array();
    for (size_t i = 0; i < sheet->task->count; i++) {
        if (json_array_append_new(out, answer_json(&sheet->task->items[i], &sheet->answers[i])) == 0) continue;
        json_decref(out);
        return NULL;
    }
    return out;
}

json_t *choice_json(const struct choice_result *r) {
    const struct choice_sheet *sheet = r->sheet;
    const struct rope_table *rope = &r->table->rope;
    json_t *out = json_pack(
        "{s:s, s:s, s:I, s:f, s:f, s:I, s:o, s:I, s:f, s:f, s:f, s:f, s:o, s:o, s:o, s:I, s:f, s:s, s:s, s:s}", "task",
        sheet->task->name, "method", r->table->method, "length", (json_int_t)r->length, "scale", r->table->scale,
        "attention_factor", rope->attention_factor, "start_tokens", (json_int_t)rope->start_tokens, "factors",
        json_number_array(rope->factors, rope->pairs), "items", (json_int_t)sheet->task->count, "chance",
        choice_chance(sheet->task), "accuracy", accuracy(sheet, CHOICE_PLAIN), "accuracy_norm",
        accuracy(sheet, CHOICE_CHARACTERS), "accuracy_bytes", accuracy(sheet, CHOICE_BYTES), "standard_error",
        json_number_or_null(standard_error(sheet, CHOICE_PLAIN)), "standard_error_norm",
        json_number_or_null(standard_error(sheet, CHOICE_CHARACTERS)), "standard_error_bytes",
        json_number_or_null(standard_error(sheet, CHOICE_BYTES)), "cut",
        (json_int_t)choice_cut_items(sheet->task, r->length), "seconds", r->seconds, "dtype",
        number_type_name(r->kernels->type), "kernels", r->kernels->name, "angles",
        rope_angles_names[r->options->model.angles]);
    bool whole = out != NULL;
    if (whole && r->table->name) whole = json_object_set_new(out, "table", json_string(r->table->name)) == 0;
    if (whole && r->options->answers) whole = json_object_set_new(out, "answers", answers_json(sheet)) == 0;
    if (whole) return out;
    json_decref(out);
    return NULL;
}
